/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.h"
#include "core/message.h"
#include "core/sweep.h"

enum {
    LEAF_SIZE = 256,
    MEMBERS_MAX = 16384, /* of one cgroup that are looked at in one go */
    ROUNDS_MAX = 16,     /* of signalling members that fork meanwhile */
    PERIOD_US = 100000,  /* within which a quota of CPU time holds */
    QUOTA_MIN_US = 1000, /* the kernel takes no less */
};

static const char supervisor_leaf[] = "supervisor";
static const char base_prefix[] = "colony-";

/* clang-format off */
static const struct controller {
    const char *name;
    const char *limit;
    const char *enable;
} controllers[CONTROLLER_COUNT] = {
    [CONTROLLER_MEMORY] = {"memory", "memory.max", "+memory"},
    [CONTROLLER_CPU]    = {"cpu",    "cpu.max",    "+cpu"},
    [CONTROLLER_PIDS]   = {"pids",   "pids.max",   "+pids"},
};
/* clang-format on */

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

int colony_cgroup_find_own(char *path, size_t size)
{
    char mount[4096];
    char root[4096];
    char place[4096];
    size_t root_length;
    int rc;

    rc = find_mount(mount, root);
    if (rc == 0)
        rc = find_own_place(place);
    if (rc < 0)
        return rc;
    root_length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(place, root, root_length) != 0)
        root_length = 0;
    if ((size_t)snprintf(path, size, "%s%s", mount,
                         strcmp(place, "/") == 0 ? "" : place + root_length) >= size)
        return -ENAMETOOLONG;
    return 0;
}

bool colony_cgroup_leave_base(char *path)
{
    char *leaf = strrchr(path, '/');
    char *base;

    if (!leaf || strcmp(leaf + 1, supervisor_leaf) != 0)
        return false;
    *leaf = '\0';
    base = strrchr(path, '/');
    if (base && strncmp(base + 1, base_prefix, strlen(base_prefix)) == 0) {
        *base = '\0';
        return true;
    }
    *leaf = '/';
    return false;
}

static size_t read_at(int folder, const char *path, char *text, size_t size)
{
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, text, size - 1) : -1;

    if (fd >= 0)
        (void)close(fd);
    text[count > 0 ? count : 0] = '\0';
    return count > 0 ? (size_t)count : 0;
}

static int write_at(int folder, const char *path, const char *text)
{
    /* O_NONBLOCK: a memory.max below what is used must not wait until that is reclaimed. */
    int fd = openat(folder, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
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
        return rc;
    }
    cgroups->controllers = colony_cgroup_controllers(cgroups->base_fd, "cgroup.subtree_control");
    return 0;
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

    memset(cgroups, 0, sizeof *cgroups);
    cgroups->base_fd = -1;
    if (enter_known_base(cgroups, state_fd) == 0)
        return 0;
    (void)snprintf(base_name, sizeof base_name, "%s%s", base_prefix, instance);
    rc = colony_cgroup_find_own(parent, sizeof parent);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot find a cgroup (v2) of our own");
    (void)colony_cgroup_leave_base(parent);
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
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (pidfd < 0)
        return;
    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    (void)read_at(AT_FDCWD, path, place, sizeof place);
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

/* 1: there are members, 0: none, as is mostly so once the leader has ended. */
static int has_members(const struct colony_cgroups *cgroups, const char *leaf)
{
    char path[LEAF_SIZE + sizeof "/cgroup.procs"];
    char first;
    ssize_t count;
    int fd;

    (void)snprintf(path, sizeof path, "%s/cgroup.procs", leaf);
    fd = openat(cgroups->base_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    count = read(fd, &first, 1);
    count = count < 0 ? -errno : count;
    (void)close(fd);
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
    count = has_members(cgroups, leaf);
    if (count <= 0)
        return count;
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

static int move_members(int from, int to)
{
    pid_t *pids = calloc(MEMBERS_MAX, sizeof *pids);
    size_t count = pids ? colony_proc_read_pids(from, "cgroup.procs", pids, MEMBERS_MAX) : 0;
    int rc = pids ? (int)count : -ENOMEM;

    for (size_t i = 0; i < count && rc >= 0; i++) {
        char number[16];

        (void)snprintf(number, sizeof number, "%d", (int)pids[i]);
        rc = write_at(to, "cgroup.procs", number);
        rc = rc == 0 || rc == -ESRCH ? (int)count : rc; /* one that has ended since */
    }
    free(pids);
    return rc;
}

int colony_cgroup_let_go(const struct colony_cgroups *cgroups, const char *name, uint32_t slot,
                         uint64_t id)
{
    char leaf[LEAF_SIZE];
    int rc = 1;
    int from;
    int to;

    leaf_name(leaf, name, slot);
    if (cgroups->base_fd < 0)
        return -ENOTSUP;
    from = openat(cgroups->base_fd, leaf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from < 0)
        return -errno;
    to = colony_cgroup_enter_detached(cgroups, name, id);
    if (to < 0)
        rc = -EIO;
    /* Those that fork meanwhile are chased. */
    for (int i = 0; i < ROUNDS_MAX && rc > 0; i++)
        rc = move_members(from, to);
    (void)close(from);
    if (to >= 0)
        (void)close(to);
    return rc > 0 ? -EAGAIN : rc;
}

/* Limits. */

const char *colony_cgroup_controller_name(enum colony_cgroup_controller controller)
{
    return controllers[controller].name;
}

unsigned colony_cgroup_controllers(int folder_fd, const char *file)
{
    char text[1024];
    unsigned found = 0;
    char *rest = NULL;

    (void)read_at(folder_fd, file, text, sizeof text);
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
        for (unsigned i = 0; i < CONTROLLER_COUNT; i++)
            if (strcmp(word, controllers[i].name) == 0)
                found |= 1U << i;
    return found;
}

/* What is written to a controller's file; false: @payload has no such limit. */
static bool limit_text(const struct colony_payload *payload,
                       enum colony_cgroup_controller controller, char *text, size_t size)
{
    const uint64_t limits[CONTROLLER_COUNT] = {
        [CONTROLLER_MEMORY] = payload->memory_max_bytes,
        [CONTROLLER_CPU] = (uint64_t)payload->cpu_max_milli * PERIOD_US / 1000,
        [CONTROLLER_PIDS] = payload->pids_max,
    };
    uint64_t limit = limits[controller];
    unsigned period_us = PERIOD_US;

    if (limit == 0) {
        (void)snprintf(text, size, "max");
        return false;
    }
    for (; controller == CONTROLLER_CPU && limit < QUOTA_MIN_US; limit *= 10)
        period_us *= 10; /* the same share of a longer time */
    if (controller == CONTROLLER_CPU)
        (void)snprintf(text, size, "%" PRIu64 " %u", limit, period_us);
    else
        (void)snprintf(text, size, "%" PRIu64, limit);
    return true;
}

/* The base hands down to slots what it was handed down by the cgroup that colony was started in. */
static int enable(struct colony_cgroups *cgroups, enum colony_cgroup_controller controller)
{
    static const char file[] = "cgroup.subtree_control";
    const char *text = controllers[controller].enable;
    int rc;

    if (cgroups->controllers & 1U << controller)
        return 0;
    rc = write_at(cgroups->base_fd, file, text);
    if (rc == -ENOENT) {
        rc = write_at(cgroups->base_fd, "../cgroup.subtree_control", text);
        if (rc == 0)
            rc = write_at(cgroups->base_fd, file, text);
    }
    if (rc == 0)
        cgroups->controllers |= 1U << controller;
    return rc == -ENOENT || rc == -EINVAL ? -ENOTSUP : rc;
}

static int set_limit(struct colony_cgroups *cgroups, int folder_fd,
                     const struct colony_payload *payload, enum colony_cgroup_controller controller)
{
    char text[48];
    int rc = 0;

    if (limit_text(payload, controller, text, sizeof text))
        rc = folder_fd >= 0 ? enable(cgroups, controller) : -ENOTSUP;
    else if (folder_fd < 0 || !(cgroups->controllers & 1U << controller))
        return 0; /* nobody can have limited it */
    return rc < 0 ? rc : write_at(folder_fd, controllers[controller].limit, text);
}

int colony_cgroup_limit(struct colony_cgroups *cgroups, int folder_fd,
                        const struct colony_payload *payload, enum colony_cgroup_controller *failed)
{
    int first = 0;

    for (unsigned i = 0; i < CONTROLLER_COUNT; i++) {
        int rc = set_limit(cgroups, folder_fd, payload, (enum colony_cgroup_controller)i);

        if (rc < 0 && first == 0) {
            first = rc;
            *failed = (enum colony_cgroup_controller)i;
        }
    }
    return first;
}

uint64_t colony_cgroup_oom_kills(const struct colony_cgroups *cgroups, const char *name,
                                 uint32_t slot)
{
    char path[LEAF_SIZE + sizeof "/memory.events"];
    char text[1024];
    const char *line;

    if (cgroups->base_fd < 0 || !(cgroups->controllers & 1U << CONTROLLER_MEMORY))
        return 0;
    (void)snprintf(path, sizeof path, "%s.%u/memory.events", name, slot);
    (void)read_at(cgroups->base_fd, path, text, sizeof text);
    line = strstr(text, "\noom_kill ");
    return line ? strtoull(line + strlen("\noom_kill "), NULL, 10) : 0;
}
