/* SPDX-License-Identifier: Apache-2.0 */
/* state_lock.c - one colony for a state folder: who holds it, and when it is free again. */
#include "core/state_lock_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "core/state_dir.h"
#include "core/sweep.h"

enum {
    LOCK_PAUSE_MS = 10,
    LOCK_TRIES = 200, /* longer than any child needs until it has cut itself off */
    HOSTED_TRIES = 50,
};

static long read_holder(int lock_fd)
{
    char text[16] = "";
    ssize_t count = pread(lock_fd, text, sizeof text - 1, 0);

    text[count > 0 ? count : 0] = '\0';
    return strtol(text, NULL, 10);
}

/* The keeper of a program, which may have been killed just now; or one that ends: it has no command
 * line any more. */
static bool may_end_soon(long keeper)
{
    static const char option[] = "--host-fd=";
    char path[32];
    char *text = NULL;
    size_t size = 0;
    bool found = false;
    bool has_any = false;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", keeper);
    file = fopen(path, "re");
    while (file && !found && getdelim(&text, &size, '\0', file) > 0) {
        has_any = true;
        found = strncmp(text, option, sizeof option - 1) == 0;
    }
    if (file)
        (void)fclose(file);
    free(text);
    return found || !has_any;
}

/*
 * Where a keeper was killed in the middle of a spawn, the child holds its descriptors until it has
 * cut itself off, and an engine that takes its place writes its pid a moment later; one whose
 * program was killed is told so by the kernel, and ends: all are waited for.
 */
static bool is_to_be_free(int lock_fd, int tries)
{
    long holder = read_holder(lock_fd);

    if (!colony_proc_is_running((pid_t)holder))
        return tries < LOCK_TRIES;
    return tries < HOSTED_TRIES && may_end_soon(holder);
}

static int wait_for_lock(int lock_fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    int rc = flock(lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;

    for (int i = 0; rc == -EWOULDBLOCK && is_to_be_free(lock_fd, i); i++) {
        (void)nanosleep(&pause, NULL);
        rc = flock(lock_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    }
    return rc;
}

/* By its command line, as the keeper gave it. Others may write theirs so: all that match are ended,
 * so that none of them hides the real one. */
static bool is_engine_of(long pid, long keeper, const char *state_dir)
{
    char expected[2][PATH_MAX + sizeof "--state="];
    char path[32];
    char *text = NULL;
    size_t size = 0;
    size_t found = 0;
    FILE *file;

    (void)snprintf(expected[0], sizeof expected[0], "--state=%s", state_dir);
    (void)snprintf(expected[1], sizeof expected[1], "--keeper=%ld", keeper);
    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
    file = fopen(path, "re");
    for (int i = 0; file && getdelim(&text, &size, '\0', file) > 0; i++) {
        if (i == 1 && strcmp(text, "engine") != 0)
            break;
        found += strcmp(text, expected[0]) == 0 || strcmp(text, expected[1]) == 0;
    }
    if (file)
        (void)fclose(file);
    free(text);
    return found == 2;
}

static bool end_if_engine_of(long pid, long keeper, const char *state_dir)
{
    int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;
    bool is_ended = pidfd >= 0 && is_engine_of(pid, keeper, state_dir) &&
                    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;

    if (pidfd >= 0)
        (void)close(pidfd);
    return is_ended;
}

/*
 * An engine that has lost its keeper ends, or becomes one. From one that hangs the keeper would
 * have made an end, so that without it the lock would be held for ever.
 */
static bool end_hung_engine(const struct colony_state_dir *state, long keeper)
{
    DIR *folder = opendir("/proc");
    bool is_ended = false;

    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        is_ended |= end_if_engine_of(strtol(entry->d_name, NULL, 10), keeper, state->path);
    if (folder)
        (void)closedir(folder);
    if (is_ended)
        colony_log(SEVERITY_ERROR,
                   "the keeper %ld is gone, and its engine hangs: that is killed, processes go on",
                   keeper);
    return is_ended;
}

static int take_lock(const struct colony_state_dir *state)
{
    int rc = wait_for_lock(state->lock_fd);
    long keeper = read_holder(state->lock_fd);

    if (rc == -EWOULDBLOCK && keeper > 0 && !colony_proc_is_running((pid_t)keeper) &&
        end_hung_engine(state, keeper))
        rc = wait_for_lock(state->lock_fd);
    return rc;
}

int colony__state_lock(struct colony_state_dir *state, struct colony_error *err)
{
    int rc;

    state->lock_fd = openat(state->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (state->lock_fd < 0)
        return colony_fail_os(err, -errno, "cannot lock the state folder %s", state->path);
    rc = take_lock(state);
    if (rc == -EWOULDBLOCK)
        return colony_fail(err, -EBUSY,
                           "cannot use the state folder %s: colony runs on it already, pid %ld "
                           "(give another one with --state)",
                           state->path, read_holder(state->lock_fd));
    return rc < 0 ? colony_fail_os(err, rc, "cannot lock the state folder %s", state->path) : 0;
}
