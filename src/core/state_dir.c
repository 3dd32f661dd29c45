/* SPDX-License-Identifier: Apache-2.0 */
#include "core/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/state_lock_internal.h"
#include "core/table.h"

enum {
    SETTINGS_BYTES_MAX = 256 << 20,
};

/* mkdir -p */
static int make_folders(const char *path, mode_t mode)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);

    if (length >= sizeof partial)
        return -ENAMETOOLONG;
    memcpy(partial, path, length + 1);
    for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(partial, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(partial, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int colony_state_dir_open(struct colony_state_dir *state, const char *path,
                          struct colony_error *err)
{
    struct stat info;
    int rc = make_folders(path, 0711);

    state->fd = -1;
    state->lock_fd = -1;
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot make the state folder %s", path);
    if (!realpath(path, state->path))
        return colony_fail_os(err, -errno, "cannot use the state folder %s", path);
    state->fd = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (state->fd < 0 || fstat(state->fd, &info) < 0)
        return colony_fail_os(err, -errno, "cannot use the state folder %s", path);
    if (info.st_uid != geteuid() || info.st_mode & (S_IWGRP | S_IWOTH))
        return colony_fail(err, -EPERM,
                           "cannot use the state folder %s: it must belong to you and be writable "
                           "by nobody else",
                           path);
    if (fchmod(state->fd, (info.st_mode & S_IRWXU) | S_IXGRP | S_IXOTH) < 0)
        return colony_fail_os(err, -errno, "cannot let others pass the state folder %s", path);
    return colony__state_lock(state, err);
}

void colony_state_dir_close(struct colony_state_dir *state)
{
    if (state->lock_fd >= 0)
        (void)close(state->lock_fd);
    if (state->fd >= 0)
        (void)close(state->fd);
    state->lock_fd = state->fd = -1;
}

int colony_state_dir_make_engines(const struct colony_state_dir *state, uid_t uid, gid_t gid,
                                  struct colony_error *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = {{"log", 0700}, {"engine", 0700}, {"hearts", 0711}};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *name = folders[i].name;

        if (mkdirat(state->fd, name, folders[i].mode) < 0 && errno != EEXIST)
            return colony_fail_os(err, -errno, "cannot make %s/%s", state->path, name);
        /* The umask may have taken some away; one that is another's already stays as it is. */
        if (fchmodat(state->fd, name, folders[i].mode, 0) < 0 && errno != EPERM)
            return colony_fail_os(err, -errno, "cannot use %s/%s", state->path, name);
        if (geteuid() == 0 && fchownat(state->fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
            return colony_fail_os(err, -errno, "cannot give %s/%s to its user", state->path, name);
    }
    return 0;
}

bool colony_state_dir_has_survivors(const struct colony_state_dir *state)
{
    struct colony_table table;
    struct colony_boot boot;
    bool found = false;
    int fd = openat(state->fd, "table", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0 || colony_boot_read(&boot, NULL) < 0 || colony_table_map(&table, fd, NULL) < 0)
        return false;
    for (uint32_t i = 0; i < table.header->high_water && !found; i++) {
        const struct colony_record *record = &table.records[i];

        found = colony_record_state(record) == RECORD_ALIVE && record->start_ticks != 0 &&
                memcmp(record->boot_id, boot.boot_id, sizeof boot.boot_id) == 0 &&
                colony_proc_start_ticks(record->pid) == record->start_ticks;
    }
    colony_table_close(&table);
    return found;
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, text, size);

        if (count < 0)
            return -errno;
        text += count;
        size -= (size_t)count;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Who may read a file besides its owner. */
struct readers {
    bool has_group;
    gid_t gid;
};

static int replace_settings(int folder, const struct colony_settings *settings,
                            const struct readers *readers)
{
    char *text = NULL;
    int fd;
    int rc = colony_settings_to_json(settings, &text);

    if (rc < 0)
        return rc;
    (void)unlinkat(folder, "settings.json.new", 0);
    fd = openat(folder, "settings.json.new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    rc = fd < 0 ? -errno : write_all(fd, text, strlen(text));
    if (rc == 0 && readers->has_group && (fchown(fd, 0, readers->gid) < 0 || fchmod(fd, 0640) < 0))
        rc = -errno;
    if (rc == 0 && renameat(folder, "settings.json.new", folder, "settings.json") < 0)
        rc = -errno;
    if (rc < 0 && fd >= 0)
        (void)unlinkat(folder, "settings.json.new", 0);
    if (fd >= 0)
        (void)close(fd);
    free(text);
    return rc;
}

/* Last, so that what a reload applied is there until there is something newer. */
static int forget_reloaded(const struct colony_state_dir *state)
{
    int folder = openat(state->fd, "engine", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = 0;

    if (folder < 0)
        return errno == ENOENT ? 0 : -errno;
    if (unlinkat(folder, "settings.json", 0) < 0 && errno != ENOENT)
        rc = -errno;
    (void)close(folder);
    return rc;
}

int colony_state_dir_save_settings(const struct colony_state_dir *state,
                                   const struct colony_settings *settings, bool has_user, gid_t gid,
                                   struct colony_error *err)
{
    const struct readers readers = {has_user, gid};
    int rc = replace_settings(state->fd, settings, &readers);

    if (rc < 0)
        return colony_fail_os(err, rc, "cannot write %s/settings.json", state->path);
    rc = forget_reloaded(state);
    return rc < 0 ? colony_fail_os(err, rc, "cannot remove %s/engine/settings.json", state->path)
                  : 0;
}

/* STATE/engine/NAME */
static int write_path(char *text, const char *state_dir, const char *name, struct colony_error *err)
{
    if ((size_t)snprintf(text, PATH_MAX, "%s/%s", state_dir, name) < PATH_MAX)
        return 0;
    return colony_fail_os(err, -ENAMETOOLONG, "cannot use %s in %s", name, state_dir);
}

int colony_state_dir_save_reloaded(const char *path, const struct colony_settings *settings,
                                   struct colony_error *err)
{
    const struct readers nobody = {false, 0};
    char name[PATH_MAX];
    int folder;
    int rc = write_path(name, path, "engine", err);

    if (rc < 0)
        return rc;
    folder = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return colony_fail_os(err, -errno, "cannot open %s", name);
    rc = replace_settings(folder, settings, &nobody);
    (void)close(folder);
    return rc < 0 ? colony_fail_os(err, rc, "cannot write %s/settings.json", name) : 0;
}

static int read_all(int fd, char **text, size_t *size)
{
    struct stat info;
    size_t done = 0;

    if (fstat(fd, &info) < 0)
        return -errno;
    if (info.st_size > SETTINGS_BYTES_MAX)
        return -EFBIG;
    *text = malloc((size_t)info.st_size + 1);
    if (!*text)
        return -ENOMEM;
    while (done < (size_t)info.st_size) {
        ssize_t count = read(fd, *text + done, (size_t)info.st_size - done);

        if (count < 0 && errno != EINTR)
            return -errno;
        if (count == 0)
            break;
        done += count > 0 ? (size_t)count : 0;
    }
    (*text)[done] = '\0';
    *size = done;
    return 0;
}

/* A FIFO or a link that somebody else put there is none of ours. */
static int check_trust(int fd)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode))
        return -EINVAL;
    return geteuid() == 0 && info.st_uid != 0 ? -EPERM : 0;
}

static int load_file(const char *file, struct colony_settings **out, struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int fd = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", file);
    rc = check_trust(fd);
    if (rc == 0)
        rc = read_all(fd, &text, &size);
    (void)close(fd);
    if (rc < 0)
        (void)colony_fail_os(err, rc, "cannot read %s", file);
    else
        rc = colony_settings_parse_json(out, text, size, err);
    free(text);
    return rc;
}

int colony_state_dir_load_settings(const char *path, struct colony_settings **out,
                                   struct colony_error *err)
{
    struct colony_error reason = {0};
    char file[PATH_MAX];
    int rc = write_path(file, path, "engine/settings.json", err);

    if (rc < 0)
        return rc;
    rc = load_file(file, out, &reason);
    if (rc == 0)
        return 0;
    if (rc == -EIO || colony_is_shortage(rc)) /* older ones would stop what the last reload added */
        return colony_fail(err, rc, "%s", reason.message);
    if (rc != -ENOENT)
        colony_log(SEVERITY_WARNING, "%s: passes over the settings of the last reload (%s)",
                   reason.message, file);
    rc = write_path(file, path, "settings.json", err);
    return rc < 0 ? rc : load_file(file, out, err);
}
