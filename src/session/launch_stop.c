/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_stop.c - stops processes of a session, and what they have left behind.
 *
 * All get the same signal at once, and each is waited for by its pidfd: however many there are, a
 * stop takes as long as its slowest.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/launch.h"
#include "session/launch_internal.h"
#include "session/process.h"

enum {
    KILL_WAIT_MS = 5000, /* for what SIGKILL was sent to; longer is a disk that hangs */
    SWEEPS_MAX = 16,     /* what forks while it is swept is found by the next */
};

/* What is to end: one of the session's processes, or a stray. */
struct target {
    pid_t pid;
    int pidfd;         /* -1: it has ended, or is given up */
    const char *title; /* NULL: a stray */
    int fault;         /* negative errno: it could not be signalled */
};

struct targets {
    struct target *items;
    struct pollfd *pollers; /* room for those that are left, in the same order */
    size_t count;
    size_t left;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int make_targets(struct targets *targets, size_t count, struct colony_error *err)
{
    *targets = (struct targets){.items = calloc(count + 1, sizeof *targets->items),
                                .pollers = calloc(count + 1, sizeof *targets->pollers)};
    if (targets->items && targets->pollers)
        return 0;
    free(targets->items);
    free(targets->pollers);
    return colony_fail_os(err, -ENOMEM, "cannot stop the processes");
}

static void clear_targets(struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].pidfd >= 0)
            (void)close(targets->items[i].pidfd);
    free(targets->items);
    free(targets->pollers);
    *targets = (struct targets){0};
}

/* Takes ownership of @pidfd; negative: why there is none. */
static void add_target(struct targets *targets, pid_t pid, const char *title, int pidfd)
{
    struct target *target = &targets->items[targets->count++];

    *target = (struct target){.pid = pid, .pidfd = pidfd < 0 ? -1 : pidfd, .title = title};
    if (pidfd >= 0)
        targets->left++;
    else if (pidfd != -ESRCH)
        target->fault = pidfd;
}

static void drop(struct targets *targets, struct target *target)
{
    (void)close(target->pidfd);
    target->pidfd = -1;
    targets->left--;
}

static void signal_all(struct targets *targets, int signo)
{
    for (size_t i = 0; i < targets->count; i++) {
        struct target *target = &targets->items[i];

        if (target->pidfd < 0 || syscall(SYS_pidfd_send_signal, target->pidfd, signo, NULL, 0) == 0)
            continue;
        if (errno != ESRCH)
            target->fault = -errno;
        drop(targets, target);
    }
}

/* One that is stopped (SIGSTOP) ends by SIGKILL alone; so it is woken for the others. */
static void wake_all(const struct targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].pidfd >= 0)
            (void)syscall(SYS_pidfd_send_signal, targets->items[i].pidfd, SIGCONT, NULL, 0);
}

/* Drops those that have ended within @wait_ms. */
static void look_at_ends(struct targets *targets, int wait_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].pidfd >= 0)
            targets->pollers[count++] =
                (struct pollfd){.fd = targets->items[i].pidfd, .events = POLLIN};
    if (poll(targets->pollers, count, wait_ms) <= 0)
        return;
    count = 0;
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].pidfd >= 0 && targets->pollers[count++].revents != 0)
            drop(targets, &targets->items[i]);
}

static void wait_for_all(struct targets *targets, uint64_t wait_ms)
{
    uint64_t deadline_ms = now_ms() + wait_ms;
    uint64_t at_ms;

    while (targets->left > 0 && (at_ms = now_ms()) < deadline_ms)
        look_at_ends(targets, (int)(deadline_ms - at_ms));
}

/* Returns how many had to be killed. What is left then is what even that has not ended. */
static size_t stop_targets(struct targets *targets, const struct colony_session_config *config)
{
    size_t killed;

    for (size_t i = 0; i < config->stop_count && targets->left > 0; i++) {
        signal_all(targets, config->stop_signals[i]);
        wake_all(targets);
        wait_for_all(targets, config->stop_wait_ms);
    }
    killed = targets->left;
    if (killed == 0)
        return 0;
    signal_all(targets, SIGKILL);
    wait_for_all(targets, KILL_WAIT_MS);
    return killed;
}

static int find_strays(struct targets *strays, const char *instance,
                       struct colony_session_process *const *processes, size_t count,
                       struct colony_error *err)
{
    struct colony__stray *found = NULL;
    ssize_t found_count = colony__launch_find_strays(&found, instance, processes, count, err);
    int rc = found_count < 0 ? (int)found_count : make_targets(strays, (size_t)found_count, err);

    for (ssize_t i = 0; i < found_count; i++) {
        if (rc == 0)
            add_target(strays, found[i].pid, NULL, found[i].pidfd);
        else
            (void)close(found[i].pidfd);
    }
    free(found);
    return rc;
}

/* What bears the marks of @processes, which have ended, goes the same way; then what came since. */
static int stop_strays(struct colony_workspace *workspace,
                       struct colony_session_process *const *processes, size_t count,
                       const struct colony_session_config *config,
                       struct colony_session_stopped *out, struct colony_error *err)
{
    static const struct colony_session_config at_once = {0};
    char instance[COLONY_INSTANCE_SIZE];
    int rc = colony__launch_instance(workspace, instance, err);

    for (unsigned sweep = 0; rc == 0 && sweep < SWEEPS_MAX; sweep++) {
        struct targets strays;

        rc = find_strays(&strays, instance, processes, count, err);
        if (rc < 0)
            return rc;
        if (strays.left == 0) {
            clear_targets(&strays);
            return 0;
        }
        out->killed += stop_targets(&strays, sweep == 0 ? config : &at_once);
        clear_targets(&strays);
    }
    return rc;
}

/* The first fault there is, told. */
static int tell_faults(const struct targets *targets, struct colony_error *err)
{
    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->items[i];

        if (target->fault == -EPERM)
            return colony_fail(err, -EPERM,
                               "cannot stop %s: pid %d belongs to somebody else (stop it as that "
                               "user)",
                               target->title, (int)target->pid);
        if (target->fault < 0)
            return colony_fail_os(err, target->fault, "cannot stop %s: pid %d", target->title,
                                  (int)target->pid);
        if (target->pidfd >= 0)
            return colony_fail(
                err, -ETIMEDOUT,
                "cannot stop %s: pid %d does not end even by SIGKILL (it waits for a "
                "device)",
                target->title, (int)target->pid);
    }
    return 0;
}

static bool has_ended(const struct targets *targets, size_t i)
{
    return targets->items[i].pidfd < 0 && targets->items[i].fault == 0;
}

/* Those that have ended are stopped; in one transaction. */
static int note(struct colony_workspace *workspace, struct colony_session_process *const *processes,
                const struct targets *targets, struct colony_error *err)
{
    struct colony_session_process *noted = calloc(targets->count + 1, sizeof *noted);
    size_t count = 0;
    int rc = noted ? 0 : colony_fail_os(err, -ENOMEM, "cannot note the stop");

    for (size_t i = 0; rc == 0 && i < targets->count; i++) {
        if (!has_ended(targets, i))
            continue;
        rc = colony__launch_set_life(processes[i], COLONY_STATE_STOPPED, 0, 0, err);
        noted[count++] = *processes[i]; /* its strings are borrowed */
    }
    if (rc == 0 && count > 0)
        rc = colony_session_process_put_life(workspace, noted, count, err);
    free(noted);
    return rc;
}

/* The processes that have ended come first in @ended, of targets->count. */
static size_t collect_ended(struct colony_session_process **ended,
                            struct colony_session_process *const *processes,
                            const struct targets *targets)
{
    size_t count = 0;

    for (size_t i = 0; i < targets->count; i++)
        if (has_ended(targets, i))
            ended[count++] = processes[i];
    return count;
}

int colony_session_stop(struct colony_workspace *workspace,
                        struct colony_session_process *const *processes, size_t count,
                        const struct colony_session_config *config,
                        struct colony_session_stopped *out, struct colony_error *err)
{
    struct colony_session_process **ended = calloc(count + 1, sizeof *ended);
    struct targets targets;
    size_t ended_count;
    int fault;
    int rc = ended ? make_targets(&targets, count, err)
                   : colony_fail_os(err, -ENOMEM, "cannot stop the processes");

    *out = (struct colony_session_stopped){0};
    if (rc < 0) {
        free(ended);
        return rc;
    }
    for (size_t i = 0; i < count; i++)
        add_target(&targets, processes[i]->pid, colony_session_process_title(processes[i]),
                   colony_session_process_pidfd(processes[i]));
    out->stopped = targets.left;
    out->killed = stop_targets(&targets, config);
    fault = tell_faults(&targets, err);
    out->stopped -= targets.left;
    for (size_t i = 0; i < count; i++)
        out->stopped -= targets.items[i].fault == -EPERM;
    ended_count = collect_ended(ended, processes, &targets);
    rc = stop_strays(workspace, ended, ended_count, config, out, fault < 0 ? NULL : err);
    if (fault == 0)
        fault = rc;
    rc = note(workspace, processes, &targets, fault < 0 ? NULL : err);
    free(ended);
    clear_targets(&targets);
    return fault < 0 ? fault : rc;
}
