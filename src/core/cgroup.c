/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/sweep.h"

enum {
    LEAF_SIZE = 256,
    MEMBERS_MAX = 16384, /* of one cgroup that are looked at in one go */
    ROUNDS_MAX = 16,     /* of signalling members that fork meanwhile */
};

static const char supervisor_leaf[] = "supervisor";

/* Where cgroup2 is mounted, and which part of it; hybrid machines have it beside v1. */
static int find_mount(char *mount, char *root)
{
    char line[8192];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    int found = -ENOENT;

    if (!file)
        return -errno;
    while (found < 0 && fgets(line, sizeof line, file))
        if (strstr(line, " - cgroup2 ") &&
            sscanf(line, "%*d %*d %*s %4095s %4095s", root, mount) == 2)
            found = 0;
    (void)fclose(file);
    return found;
}

static int find_own_place(char *place)
{
    char line[8192];
    FILE *file = fopen("/proc/self/cgroup", "re");
    int found = -ENOENT;

    if (!file)
        return -errno;
    while (found < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "0::%4095[^\n]", place) == 1)
            found = 0;
    (void)fclose(file);
    return found;
}

/* The folder under which the base is made: our own cgroup, or the one above our own base. */
static int find_parent(char *path, size_t size, const char *base_name)
{
    char mount[4096];
    char root[4096];
    char place[4096];
    char own[LEAF_SIZE + 2];
    char *nested;
    size_t root_length;
    int rc;

    rc = find_mount(mount, root);
    if (rc == 0)
        rc = find_own_place(place);
    if (rc < 0)
        return rc;
    (void)snprintf(own, sizeof own, "/%s/", base_name);
    nested = strstr(place, own);
    if (nested)
        *nested = '\0';
    root_length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(place, root, root_length) != 0)
        root_length = 0;
    if ((size_t)snprintf(path, size, "%s%s", mount,
                         strcmp(place, "/") == 0 ? "" : place + root_length) >= size)
        return -ENAMETOOLONG;
    return 0;
}

static int write_at(int folder, const char *path, const char *text)
{
    int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
    ssize_t written;
    int rc;

    if (fd < 0)
        return -errno;
    written = write(fd, text, strlen(text));
    rc = written < 0 ? -errno : 0;
    (void)close(fd);
    return rc;
}

/* Opens the base at cgroups->path, making it, and moves us into its leaf. */
static int enter_base(struct colony_cgroups *cgroups)
{
    char procs[LEAF_SIZE];
    int rc = 0;

    if (mkdir(cgroups->path, 0755) < 0 && errno != EEXIST)
        return -errno;
    cgroups->base_fd = open(cgroups->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroups->base_fd < 0)
        return -errno;
    if (mkdirat(cgroups->base_fd, supervisor_leaf, 0755) < 0 && errno != EEXIST)
        rc = -errno;
    (void)snprintf(procs, sizeof procs, "%s/cgroup.procs", supervisor_leaf);
    if (rc == 0)
        rc = write_at(cgroups->base_fd, procs, "0");
    if (rc < 0) {
        (void)unlinkat(cgroups->base_fd, supervisor_leaf, AT_REMOVEDIR);
        (void)close(cgroups->base_fd);
        cgroups->base_fd = -1;
        (void)rmdir(cgroups->path);
    }
    return rc;
}

/* Where an earlier start put it, if that is still there: survivors are in it. */
static int enter_known_base(struct colony_cgroups *cgroups, int state_fd)
{
    ssize_t count;
    int fd = openat(state_fd, "cgroup", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    count = read(fd, cgroups->path, sizeof cgroups->path - 1);
    (void)close(fd);
    cgroups->path[count > 0 ? count : 0] = '\0';
    if (count <= 0 || access(cgroups->path, W_OK) < 0)
        return -ENOENT;
    return enter_base(cgroups);
}

static int remember_base(const struct colony_cgroups *cgroups, int state_fd)
{
    int fd =
        openat(state_fd, "cgroup", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t written;

    if (fd < 0)
        return -errno;
    written = write(fd, cgroups->path, strlen(cgroups->path));
    (void)close(fd);
    return written == (ssize_t)strlen(cgroups->path) ? 0 : -EIO;
}

int colony_cgroups_open(struct colony_cgroups *cgroups, int state_fd, const char *instance,
                        struct colony_error *err)
{
    char base_name[LEAF_SIZE];
    char parent[4096];
    int rc;

    cgroups->base_fd = -1;
    if (enter_known_base(cgroups, state_fd) == 0)
        return 0;
    (void)snprintf(base_name, sizeof base_name, "colony-%s", instance);
    rc = find_parent(parent, sizeof parent, base_name);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot find a cgroup (v2) of our own");
    if ((size_t)snprintf(cgroups->path, sizeof cgroups->path, "%s/%s", parent, base_name) >=
        sizeof cgroups->path)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot make a cgroup below %s", parent);
    rc = enter_base(cgroups);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot make the cgroup %s", cgroups->path);
    rc = remember_base(cgroups, state_fd);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot write `cgroup` in the state folder");
    return 0;
}

void colony_cgroups_remove(struct colony_cgroups *cgroups, int state_fd)
{
    struct dirent *entry;
    DIR *folder;

    if (cgroups->base_fd < 0)
        return;
    (void)write_at(cgroups->base_fd, "../cgroup.procs", "0");
    folder = fdopendir(cgroups->base_fd);
    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            (void)unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR);
    (void)closedir(folder);
    cgroups->base_fd = -1;
    if (rmdir(cgroups->path) == 0)
        (void)unlinkat(state_fd, "cgroup", 0);
}

static void leaf_name(char *out, const char *name, uint32_t slot)
{
    (void)snprintf(out, LEAF_SIZE, "%s.%u", name, slot);
}

static int enter_leaf(const struct colony_cgroups *cgroups, const char *leaf)
{
    int fd;

    if (cgroups->base_fd < 0)
        return -1;
    fd = openat(cgroups->base_fd, leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (mkdirat(cgroups->base_fd, leaf, 0755) < 0)
        return -1;
    return openat(cgroups->base_fd, leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int colony_cgroup_enter(const struct colony_cgroups *cgroups, const char *name, uint32_t slot)
{
    char leaf[LEAF_SIZE];

    leaf_name(leaf, name, slot);
    return enter_leaf(cgroups, leaf);
}

int colony_cgroup_enter_detached(const struct colony_cgroups *cgroups, const char *name,
                                 uint64_t id)
{
    char leaf[LEAF_SIZE];

    (void)snprintf(leaf, sizeof leaf, "%s.detached-%" PRIu64, name, id);
    return enter_leaf(cgroups, leaf);
}

void colony_cgroup_leave(const struct colony_cgroups *cgroups, const char *name, uint32_t slot)
{
    char leaf[LEAF_SIZE];

    leaf_name(leaf, name, slot);
    if (cgroups->base_fd >= 0)
        (void)unlinkat(cgroups->base_fd, leaf, AT_REMOVEDIR);
}

/* Signals one member, making sure that the number still is one. */
static void signal_member(pid_t pid, const char *leaf, int signo)
{
    char path[64];
    char place[8192];
    ssize_t count;
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd;

    if (pidfd < 0)
        return;
    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    count = fd >= 0 ? read(fd, place, sizeof place - 1) : -1;
    if (fd >= 0)
        (void)close(fd);
    place[count > 0 ? count : 0] = '\0';
    if (strstr(place, leaf))
        (void)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
    (void)close(pidfd);
}

static int each_member(int folder, const char *leaf, int signo)
{
    pid_t *pids = calloc(MEMBERS_MAX, sizeof *pids);
    size_t count;

    if (!pids)
        return -ENOMEM;
    count = colony_proc_read_pids(folder, "cgroup.procs", pids, MEMBERS_MAX);
    for (size_t i = 0; i < count && signo > 0; i++)
        signal_member(pids[i], leaf, signo);
    free(pids);
    return (int)count;
}

int colony_cgroup_signal(const struct colony_cgroups *cgroups, const char *name, uint32_t slot,
                         int signo)
{
    char leaf[LEAF_SIZE];
    int folder;
    int count;

    leaf_name(leaf, name, slot);
    if (cgroups->base_fd < 0)
        return -ENOTSUP;
    folder = openat(cgroups->base_fd, leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT ? 0 : -errno;
    count = each_member(folder, leaf, signo == SIGKILL ? 0 : signo);
    /* cgroup.kill (Linux 5.14) takes all at once; before it, members that fork are chased. */
    if (signo == SIGKILL && count > 0 && write_at(folder, "cgroup.kill", "1") < 0)
        for (int i = 0; i < ROUNDS_MAX && each_member(folder, leaf, SIGKILL) > 0; i++)
            ;
    (void)close(folder);
    return count;
}
