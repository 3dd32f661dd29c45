/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch_targets.c - ends processes that are held by pidfds.
 *
 * All get the same signal at once, and each is waited for by its pidfd: however many there are, a
 * stop takes as long as its slowest, and a number that was given again meets no stranger.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/launch_internal.h"

enum {
    KILL_WAIT_MS = 5000, /* for what SIGKILL was sent to; longer is a disk that hangs */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int colony__targets_init(struct colony__targets *targets, size_t count, struct colony_error *err)
{
    *targets = (struct colony__targets){.items = calloc(count + 1, sizeof *targets->items),
                                        .pollers = calloc(count + 1, sizeof *targets->pollers)};
    if (targets->items && targets->pollers)
        return 0;
    colony__targets_clear(targets);
    (void)colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    return -ENOMEM;
}

void colony__targets_clear(struct colony__targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].pidfd >= 0)
            (void)close(targets->items[i].pidfd);
    free(targets->items);
    free(targets->pollers);
    *targets = (struct colony__targets){0};
}

void colony__targets_add(struct colony__targets *targets, pid_t pid, const char *title, int pidfd)
{
    struct colony__target *target = &targets->items[targets->count++];

    *target = (struct colony__target){.pid = pid, .pidfd = pidfd < 0 ? -1 : pidfd, .title = title};
    if (pidfd >= 0)
        targets->left++;
    else if (pidfd != -ESRCH)
        target->fault = pidfd;
}

static void drop(struct colony__targets *targets, struct colony__target *target)
{
    (void)close(target->pidfd);
    target->pidfd = -1;
    targets->left--;
}

static void signal_all(struct colony__targets *targets, int signo)
{
    for (size_t i = 0; i < targets->count; i++) {
        struct colony__target *target = &targets->items[i];

        if (target->pidfd < 0 || syscall(SYS_pidfd_send_signal, target->pidfd, signo, NULL, 0) == 0)
            continue;
        if (errno != ESRCH)
            target->fault = -errno;
        drop(targets, target);
    }
}

/* One that is stopped (SIGSTOP) ends by SIGKILL alone; so it is woken for the others. */
static void wake_all(const struct colony__targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        if (targets->items[i].pidfd >= 0)
            (void)syscall(SYS_pidfd_send_signal, targets->items[i].pidfd, SIGCONT, NULL, 0);
}

/* Drops those that have ended within @wait_ms. */
static void look_at_ends(struct colony__targets *targets, int wait_ms)
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

static void wait_for_all(struct colony__targets *targets, uint64_t wait_ms)
{
    uint64_t deadline_ms = now_ms() + wait_ms;
    uint64_t at_ms;

    while (targets->left > 0 && (at_ms = now_ms()) < deadline_ms)
        look_at_ends(targets, (int)(deadline_ms - at_ms));
}

size_t colony__targets_stop(struct colony__targets *targets,
                            const struct colony_session_config *config)
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
