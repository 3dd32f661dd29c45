/* SPDX-License-Identifier: Apache-2.0 */
/* workspace.c - where a workspace is, its layout and its lock. */
#include "session/workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "session/database_sql_internal.h"
#include "session/workspace_internal.h"

enum {
    LOCK_PAUSE_MS = 5,
};

static const char *const folders[] = {"bin", "db",  "err", "etc",
                                      "fp",  "out", "pid", COLONY_WORKSPACE_STATE};

enum {
    FOLDER_COUNT = sizeof folders / sizeof folders[0],
    FOLDERS_MIN = 5, /* most of them */
};

static bool is_folder(int fd, const char *name)
{
    struct stat info;

    return fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* Something of it may have been lost. The name of the state folder is colony's own, which tells it
 * from a folder that happens to have a bin, an etc and others; so does the database. */
static bool is_workspace(int fd)
{
    bool has_state = is_folder(fd, COLONY_WORKSPACE_STATE);
    size_t count = 0;

    if (is_folder(fd, "db") && is_folder(fd, "etc"))
        return has_state || faccessat(fd, "db/session.db", F_OK, 0) == 0;
    for (size_t i = 0; i < FOLDER_COUNT; i++)
        count += is_folder(fd, folders[i]);
    return has_state && count >= FOLDERS_MIN;
}

/* A folder that somebody else could exchange for another is none to keep command lines in. */
static int check_owner(int fd, const char *name, struct colony_error *err)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return colony_fail_os(err, -errno, "cannot look at %s", name);
    if (info.st_uid != geteuid())
        return colony_fail(err, -EPERM,
                           "cannot use the workspace %s: it belongs to user %ld (become that user)",
                           name, (long)info.st_uid);
    return 0;
}

static int add_folder(struct colony_workspace *workspace, const char *name, size_t *added,
                      struct colony_error *err)
{
    struct stat info;

    if (mkdirat(workspace->fd, name, 0700) == 0) {
        size_t used = strlen(workspace->remade);

        ++*added;
        if (strcmp(name, COLONY_WORKSPACE_STATE) == 0)
            return 0; /* not of the seed: its workspaces have none */
        (void)snprintf(workspace->remade + used, sizeof workspace->remade - used, "%s%s",
                       used > 0 ? ", " : "", name);
        return 0;
    }
    if (errno != EEXIST)
        return colony_fail_os(err, -errno, "cannot make %s/%s", workspace->path, name);
    if (fstatat(workspace->fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return colony_fail_os(err, -errno, "cannot look at %s/%s", workspace->path, name);
    if (S_ISLNK(info.st_mode))
        return colony_fail(err, -ENOTDIR,
                           "cannot use %s/%s: it is a link, and links are not followed (move it "
                           "away, or make it a folder)",
                           workspace->path, name);
    if (!S_ISDIR(info.st_mode))
        return colony_fail(err, -ENOTDIR, "cannot use %s/%s: it is no folder (move it away)",
                           workspace->path, name);
    if (info.st_uid != geteuid())
        return colony_fail(err, -EPERM, "cannot use %s/%s: it belongs to somebody else",
                           workspace->path, name);
    return 0;
}

/* What was removed of the layout is made again. */
static int add_folders(struct colony_workspace *workspace, size_t *added, struct colony_error *err)
{
    for (size_t i = 0; i < FOLDER_COUNT; i++) {
        int rc = add_folder(workspace, folders[i], added, err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int open_at(struct colony_workspace *workspace, const char *folder, struct colony_error *err)
{
    if (!realpath(folder, workspace->path))
        return colony_fail_os(err, -errno, "cannot use the folder %s", folder);
    (void)snprintf(workspace->state_dir, sizeof workspace->state_dir, "%s/%s", workspace->path,
                   COLONY_WORKSPACE_STATE);
    workspace->fd = open(workspace->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (workspace->fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", workspace->path);
    return 0;
}

/* The first workspace from the current folder upwards. */
static int find_above(struct colony_workspace *workspace, struct colony_error *err)
{
    char start[PATH_MAX];
    int rc = open_at(workspace, ".", err);

    if (rc < 0)
        return rc;
    memcpy(start, workspace->path, sizeof start);
    while (!is_workspace(workspace->fd)) {
        char *slash = strrchr(workspace->path, '/');
        int fd;

        if (!slash || slash[1] == '\0')
            return colony_fail(err, -ENOENT, "%s is in no workspace of a session", start);
        fd = openat(workspace->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return colony_fail_os(err, -errno, "cannot look above %s", workspace->path);
        (void)close(workspace->fd);
        workspace->fd = fd;
        slash[slash == workspace->path] = '\0';
    }
    (void)snprintf(workspace->state_dir, sizeof workspace->state_dir, "%s/%s", workspace->path,
                   COLONY_WORKSPACE_STATE);
    return 0;
}

static int find(struct colony_workspace *workspace, const char *folder, struct colony_error *err)
{
    const char *named = folder ? folder : getenv("COLONY_SESSION");
    int rc;

    if (!named || named[0] == '\0')
        return find_above(workspace, err);
    rc = open_at(workspace, named, err);
    if (rc < 0)
        return rc;
    if (!is_workspace(workspace->fd))
        return colony_fail(err, -ENOENT, "%s is no workspace of a session%s", named,
                           folder ? "" : ", as COLONY_SESSION has it");
    return 0;
}

static struct colony_workspace *make(struct colony_error *err)
{
    struct colony_workspace *workspace = calloc(1, sizeof *workspace);

    if (!workspace) {
        (void)colony_fail(err, -ENOMEM, "cannot open the workspace: out of memory");
        return NULL;
    }
    workspace->fd = workspace->lock_fd = -1;
    return workspace;
}

int colony_workspace_open(struct colony_workspace **out, const char *folder,
                          struct colony_error *err)
{
    struct colony_workspace *workspace = make(err);
    size_t added = 0;
    int rc;

    if (!workspace)
        return -ENOMEM;
    rc = find(workspace, folder, err);
    if (rc == 0)
        rc = check_owner(workspace->fd, workspace->path, err);
    if (rc == 0)
        rc = add_folders(workspace, &added, err);
    if (rc < 0) {
        colony_workspace_close(workspace);
        return rc;
    }
    *out = workspace;
    return 0;
}

void colony_workspace_close(struct colony_workspace *workspace)
{
    if (!workspace)
        return;
    (void)sqlite3_close_v2(workspace->sqlite);
    if (workspace->lock_fd >= 0)
        (void)close(workspace->lock_fd);
    if (workspace->fd >= 0)
        (void)close(workspace->fd);
    free(workspace);
}

/* Makes @folder itself; those above it are there. */
static int make_folder(const char *folder, size_t *added, struct colony_error *err)
{
    if (mkdir(folder, 0700) == 0) {
        ++*added;
        return 0;
    }
    return errno == EEXIST ? 0 : colony_fail_os(err, -errno, "cannot make the folder %s", folder);
}

int colony_workspace_init(const char *folder, size_t *added, struct colony_error *err)
{
    struct colony_workspace *workspace = make(err);
    int rc;

    *added = 0;
    if (!workspace)
        return -ENOMEM;
    rc = folder ? make_folder(folder, added, err) : 0;
    if (rc == 0)
        rc = open_at(workspace, folder ? folder : ".", err);
    if (rc == 0)
        rc = check_owner(workspace->fd, workspace->path, err);
    if (rc == 0)
        rc = add_folders(workspace, added, err);
    if (rc == 0)
        rc = colony__database_open(workspace, err);
    *added += workspace->was_database_made;
    colony_workspace_close(workspace);
    return rc;
}

const char *colony_workspace_path(const struct colony_workspace *workspace)
{
    return workspace->path;
}

int colony_workspace_fd(const struct colony_workspace *workspace)
{
    return workspace->fd;
}

const char *colony_workspace_state_dir(const struct colony_workspace *workspace)
{
    return workspace->state_dir;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static long read_holder(int lock_fd)
{
    char text[16] = "";
    ssize_t count = pread(lock_fd, text, sizeof text - 1, 0);

    text[count > 0 ? count : 0] = '\0';
    return strtol(text, NULL, 10);
}

/* flock(2) has no deadline, and an alarm is not ours to take: so it is tried again a while. */
static int wait_for_lock(int lock_fd, unsigned wait_ms)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    uint64_t deadline_ms = now_ms() + wait_ms;

    while (flock(lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (now_ms() >= deadline_ms)
            return -EBUSY;
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* For who has to wait for it. */
static int tell_holder(int lock_fd)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, (size_t)length, 0) != length)
        return errno != 0 ? -errno : -EIO;
    return 0;
}

int colony_workspace_lock(struct colony_workspace *workspace, unsigned wait_ms,
                          struct colony_error *err)
{
    int rc;

    if (workspace->lock_depth > 0) {
        workspace->lock_depth++;
        return 0;
    }
    if (workspace->lock_fd < 0)
        workspace->lock_fd = openat(workspace->fd, "db/lock",
                                    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (workspace->lock_fd < 0)
        return colony_fail_os(err, -errno, "cannot lock the workspace %s", workspace->path);
    rc = wait_for_lock(workspace->lock_fd, wait_ms);
    if (rc == -EBUSY)
        return colony_fail(err, rc,
                           "cannot change the workspace %s: pid %ld is at it (try again when it is "
                           "done)",
                           workspace->path, read_holder(workspace->lock_fd));
    errno = 0;
    if (rc == 0 && (rc = tell_holder(workspace->lock_fd)) < 0 && rc == -ENOSPC)
        rc = 0; /* a full disk is told by what cannot be written then */
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot lock the workspace %s", workspace->path);
    workspace->lock_depth = 1;
    return 0;
}

void colony_workspace_unlock(struct colony_workspace *workspace)
{
    if (workspace->lock_depth == 0 || --workspace->lock_depth > 0)
        return;
    (void)flock(workspace->lock_fd, LOCK_UN);
}
