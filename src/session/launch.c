/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - starts a process of a session.
 *
 * Two forks make it nobody's child. It waits before its program until it has been noted, and gives
 * up when whoever is to note it ends before: so there is never one that nobody knows.
 */
#include "session/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/fd.h"
#include "core/orphan.h"
#include "core/table.h"
#include "session/launch_internal.h"
#include "session/process.h"
#include "session/process_life_internal.h"

enum {
    EXEC_WAIT_MS = 5000, /* a folder on a dead mount can hold a child up for ever */
};

static const char *const step_names[] = {
    [LAUNCH_STEP_BORN] = "fork",
    [LAUNCH_STEP_FORK] = "fork",
    [LAUNCH_STEP_SETSID] = "setsid",
    [LAUNCH_STEP_DESCRIPTORS] = "descriptors of",
    [LAUNCH_STEP_IDENTITY] = "change to the user of",
    [LAUNCH_STEP_CHDIR] = "chdir",
    [LAUNCH_STEP_EXEC] = "exec",
};

/* A child on its way, and our ends of its pipes. */
struct birth {
    struct colony__launch_plan plan;
    const char *title;
    int listen_fd;
    int go_fd;
    pid_t pid;
};

static int open_pipes(struct birth *birth, struct colony_error *err)
{
    int told[2];
    int go[2];

    if (pipe2(told, O_CLOEXEC) < 0)
        return colony_fail_os(err, -errno, "cannot make a pipe");
    birth->listen_fd = told[0];
    birth->plan.fds[LAUNCH_TELL] = told[1];
    if (pipe2(go, O_CLOEXEC) < 0)
        return colony_fail_os(err, -errno, "cannot make a pipe");
    birth->plan.fds[LAUNCH_GO] = go[0];
    birth->go_fd = go[1];
    return 0;
}

static int fail_step(const struct birth *birth, const struct colony__launch_word *word,
                     struct colony_error *err)
{
    const char *what = word->step == LAUNCH_STEP_CHDIR ? birth->plan.cwd : birth->plan.program;

    return colony_fail_os(err, -word->number, "cannot start %s: %s %s", birth->title,
                          step_names[word->step], what);
}

/* 1: *word is what the child says; 0: it has closed its end, by exec or its own end. */
static int hear(const struct birth *birth, struct colony__launch_word *word,
                struct colony_error *err)
{
    struct pollfd poller = {.fd = birth->listen_fd, .events = POLLIN};
    ssize_t count;
    int rc;

    do
        rc = poll(&poller, 1, EXEC_WAIT_MS);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return colony_fail(err, -ETIMEDOUT,
                           "cannot start %s: it did not run within %d s (is its folder %s on a "
                           "mount that hangs?)",
                           birth->title, EXEC_WAIT_MS / 1000, birth->plan.cwd);
    do
        count = read(birth->listen_fd, word, sizeof *word);
    while (count < 0 && errno == EINTR);
    if (count == 0)
        return 0;
    if (count != sizeof *word)
        return colony_fail_os(err, count < 0 ? -errno : -EIO, "cannot hear of %s", birth->title);
    return 1;
}

/* Leaves birth->pid, of a child that waits to be let go. */
static int bear(struct birth *birth, struct colony_error *err)
{
    const int parent_ends[2] = {birth->listen_fd, birth->go_fd};
    struct colony__launch_word word = {0};
    pid_t middle = colony_orphan_fork();
    int rc;

    if (middle < 0)
        return colony_fail_os(err, -errno, "cannot start %s: fork", birth->title);
    if (middle == 0)
        colony__launch_middle(&birth->plan, parent_ends);
    colony_fd_close(&birth->plan.fds[LAUNCH_TELL]);
    colony_fd_close(&birth->plan.fds[LAUNCH_GO]);
    colony_orphan_wait(middle);
    rc = hear(birth, &word, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return colony_fail(err, -EIO, "cannot start %s: it ended at once", birth->title);
    if (word.step != LAUNCH_STEP_BORN)
        return fail_step(birth, &word, err);
    birth->pid = word.number;
    return 0;
}

static int note(struct colony_workspace *workspace, struct colony_session_process *process,
                pid_t pid, struct colony_error *err)
{
    uint64_t start_ticks = pid > 0 ? colony_proc_start_ticks(pid) : 0;
    int rc;

    if (pid > 0 && start_ticks == 0)
        return colony_fail(err, -ESRCH, "cannot start %s: it ended at once",
                           colony_session_process_title(process));
    rc = colony__launch_set_life(process, pid > 0 ? COLONY_STATE_STARTING : COLONY_STATE_STOPPED,
                                 pid, start_ticks, err);
    return rc < 0 ? rc : colony_session_process_put_life(workspace, process, 1, err);
}

/* It is noted: lets it run its program, and waits until it does. */
static int let_go(struct birth *birth, struct colony_error *err)
{
    struct colony__launch_word word = {0};
    int rc;

    if (write(birth->go_fd, "g", 1) != 1)
        return colony_fail_os(err, -errno, "cannot start %s", birth->title);
    rc = hear(birth, &word, err);
    return rc > 0 ? fail_step(birth, &word, err) : rc;
}

/* A child that has not run its program is gone once its pipe is closed; one that hangs is killed.
 */
static void give_up(struct birth *birth, const struct colony_session_process *process)
{
    int pidfd = colony_session_process_pidfd(process);

    colony_fd_close(&birth->go_fd);
    if (pidfd < 0)
        return;
    (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    (void)close(pidfd);
}

static int start(struct birth *birth, struct colony_workspace *workspace,
                 struct colony_session_process *process, struct colony_error *err)
{
    int rc = open_pipes(birth, err);

    if (rc == 0)
        rc = bear(birth, err);
    if (rc < 0)
        return rc;
    rc = note(workspace, process, birth->pid, err);
    if (rc < 0)
        return rc;
    rc = let_go(birth, err);
    if (rc < 0) {
        give_up(birth, process);
        (void)note(workspace, process, 0, NULL); /* else the next look finds that it is gone */
    }
    return rc;
}

/* Whatever the row says: what bears its mark and runs its command line is it, and is noted. */
static int check_is_down(struct colony_workspace *workspace, struct colony_session_process *process,
                         struct colony_error *err)
{
    int rc = colony__life_find_marked(workspace, process, err);

    if (rc <= 0)
        return rc;
    rc = colony__launch_set_life(process, COLONY_STATE_RUNNING, process->pid, process->start_ticks,
                                 err);
    if (rc == 0)
        rc = colony_session_process_put_life(workspace, process, 1, err);
    return rc < 0 ? rc
                  : colony_fail(err, -EBUSY,
                                "cannot start %s: it runs already, as pid %d (db/session.db did "
                                "not say so: noted)",
                                colony_session_process_title(process), (int)process->pid);
}

int colony_session_launch(struct colony_workspace *workspace,
                          struct colony_session_process *process, struct colony_error *err)
{
    struct birth birth = {
        .title = colony_session_process_title(process), .listen_fd = -1, .go_fd = -1};
    int pidfd = colony_session_process_pidfd(process);
    int rc;

    if (pidfd >= 0) {
        (void)close(pidfd);
        return colony_fail(err, -EBUSY, "cannot start %s: it runs already, as pid %d",
                           colony_session_process_title(process), (int)process->pid);
    }
    rc = check_is_down(workspace, process, err);
    if (rc < 0)
        return rc;
    rc = colony__launch_plan_init(&birth.plan, workspace, process, err);
    if (rc == 0)
        rc = start(&birth, workspace, process, err);
    colony_fd_close(&birth.go_fd);
    colony_fd_close(&birth.listen_fd);
    colony__launch_plan_clear(&birth.plan);
    return rc;
}
