/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_wait.c - waits until a condition over a process of a session holds.
 *
 * Nothing tells when a process opens a socket, so it is looked at: at first often, then each
 * second, and only as far as the condition asks. Its end is told at once, by its pidfd.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/target.h"
#include "session/condition.h"
#include "session/consumption.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

enum {
    LOOK_MS_FIRST = 20,
    LOOK_MS_MAX = 1000,
};

struct wait {
    const struct colony_session *session;
    const char *word; /* what the user calls the process */
    struct colony_condition_tree *tree;
    unsigned wants;
    uint64_t period_ms;
    struct colony_session_process process;
    struct colony_observer observer;
    struct colony_consumption_meter meter;
    const char *state; /* of the last look; NULL: none in this life */
    int pidfd;         /* of the life that is watched; -1: none */
    bool was_alive;
};

/* --- one life of the process --------------------------------------------------------------------
 */

/* What was seen helps the next command to tell whether the process has settled. Nobody waits for
 * it. */
static void note(struct wait *wait)
{
    if (wait->pidfd < 0 || !wait->state ||
        colony__backend_of(wait->session) != &colony__backend_direct ||
        colony_workspace_lock(wait->session->workspace, 0, NULL) < 0)
        return;
    (void)colony_observer_note(&wait->observer, wait->session->workspace, &wait->process,
                               wait->state, NULL);
    colony_workspace_unlock(wait->session->workspace);
}

static void end_life(struct wait *wait)
{
    if (wait->pidfd >= 0)
        (void)close(wait->pidfd);
    wait->pidfd = -1;
    wait->state = NULL;
    colony_observer_clear(&wait->observer);
    colony_session_process_clear(&wait->process);
}

/* Reads the process anew, and begins to watch the life that it has by now. */
static int begin_life(struct wait *wait, struct colony_error *err)
{
    int rc;

    end_life(wait);
    rc = colony_session_process_find(&wait->process, wait->session->workspace, wait->word, err);
    if (rc < 0)
        return rc;
    wait->pidfd = colony_session_process_pidfd(&wait->process);
    if (wait->pidfd < 0)
        return 0;
    wait->was_alive = true;
    wait->meter = (struct colony_consumption_meter){0};
    rc = colony_observer_init(&wait->observer, wait->session->workspace, &wait->process,
                              wait->period_ms, err);
    if (rc == 0 && wait->observer.saved.problem && (wait->wants & SUBJECT_STATE))
        colony__verb_tell(wait->session, wait->observer.saved.problem);
    return rc;
}

static bool has_ended(int pidfd)
{
    struct pollfd watched = {.fd = pidfd, .events = POLLIN};

    return poll(&watched, 1, 0) == 1;
}

/* --- one look -----------------------------------------------------------------------------------
 */

static int look_at_living(struct wait *wait, struct colony_subject *out, struct colony_error *err)
{
    struct colony_consumption used;
    int rc = 0;

    if (wait->wants & (SUBJECT_FP | SUBJECT_STATE))
        rc = colony_observer_look(&wait->observer, wait->process.pid, NULL, &wait->state, err);
    if (rc == 0)
        rc = colony_consumption_read(&used, &wait->meter, wait->process.pid,
                                     wait->process.start_ticks);
    if (rc < 0)
        return rc;
    *out = (struct colony_subject){
        .fp = &wait->observer.live.last,
        .state = wait->state,
        .pid = wait->process.pid,
        .alive = true,
        .uptime_seconds = used.uptime_seconds,
        .cpu_percent = used.cpu_percent,
        .mem_bytes = used.mem_bytes,
    };
    return 0;
}

/* 1: it holds; 0: not yet. */
static int look(struct wait *wait, struct colony_error *err)
{
    struct colony_subject subject = {.state = COLONY_STATE_STOPPED};
    int rc = 0;

    if (wait->pidfd < 0 || has_ended(wait->pidfd))
        rc = begin_life(wait, err);
    if (rc < 0)
        return rc;
    if (wait->pidfd >= 0)
        rc = look_at_living(wait, &subject, err);
    if (rc == -ESRCH) { /* it has ended meanwhile */
        subject = (struct colony_subject){.state = COLONY_STATE_STOPPED};
        rc = begin_life(wait, err);
        if (rc == 0 && wait->pidfd >= 0)
            return 0; /* the next one lives already: look again */
    }
    return rc < 0 ? rc : colony_condition_evaluate(wait->tree, &subject, err);
}

/* Nothing can come of it any more: nobody starts the process again, and nothing is asked that is
 * about the time when it is down or started by hand. */
static bool is_hopeless(const struct wait *wait)
{
    bool is_supervised = colony__backend_of(wait->session) != &colony__backend_direct;

    return wait->pidfd < 0 && !(wait->wants & (SUBJECT_STATE | SUBJECT_LIFE)) &&
           !(is_supervised && wait->process.restart);
}

static int fail_hopeless(const struct wait *wait, struct colony_error *err)
{
    return colony_fail(err, -ESRCH, "cannot wait for %s: it %s", wait->word,
                       wait->was_alive ? "has ended, and nobody starts it again"
                                       : "is not running");
}

/* Until the next look, or the end of the process. */
static void pause_for(const struct wait *wait, uint64_t pause_ms)
{
    struct pollfd watched = {.fd = wait->pidfd, .events = POLLIN};

    (void)poll(&watched, 1, (int)pause_ms); /* -1 is passed over */
}

static int wait_until(struct wait *wait, uint64_t timeout_ms, struct colony_error *err)
{
    uint64_t began_ms = colony_target_now_ms();
    uint64_t pause_ms = LOOK_MS_FIRST;

    for (;;) {
        int pidfd_before = wait->pidfd;
        int rc = look(wait, err);
        uint64_t passed_ms = colony_target_now_ms() - began_ms;

        if (rc != 0)
            return rc < 0 ? rc : 0;
        if (is_hopeless(wait))
            return fail_hopeless(wait, err);
        if (passed_ms >= timeout_ms)
            return colony_fail(err, -ETIMEDOUT, "%s: not so after %.3g seconds", wait->word,
                               (double)timeout_ms / 1000);
        if (wait->pidfd != pidfd_before)
            pause_ms = LOOK_MS_FIRST; /* a new life */
        pause_for(wait, timeout_ms - passed_ms < pause_ms ? timeout_ms - passed_ms : pause_ms);
        pause_ms = pause_ms * 3 / 2 < LOOK_MS_MAX ? pause_ms * 3 / 2 : LOOK_MS_MAX;
    }
}

/* --- what is asked ------------------------------------------------------------------------------
 */

int colony_verb_wait_state(char text[COLONY_VERB_STATE_SIZE], const char *state,
                           struct colony_error *err)
{
    bool is_own =
        strcmp(state, COLONY_STATE_STOPPED) == 0 || strcmp(state, COLONY_STATE_STARTING) == 0;
    size_t size;

    if (strcmp(state, COLONY_STATE_RUNNING) == 0) {
        (void)snprintf(text, COLONY_VERB_STATE_SIZE,
                       "state not in ['" COLONY_STATE_STOPPED "', '" COLONY_STATE_STARTING "']");
        return 0;
    }
    if (!is_own && colony_session_state_check(state, err) < 0)
        return -EINVAL;
    size = (size_t)snprintf(text, COLONY_VERB_STATE_SIZE, "state == '");
    for (; *state; state++) {
        if (*state == '\'' || *state == '\\')
            text[size++] = '\\';
        text[size++] = *state;
    }
    text[size++] = '\'';
    text[size] = '\0';
    return 0;
}

static int read_period(struct wait *wait, struct colony_error *err)
{
    const struct colony_session *session = wait->session;
    struct colony_session_config config;
    int rc = colony_session_config_read_good(&config, session->workspace, session->problem,
                                             session->data, err);

    if (rc < 0)
        return rc;
    wait->period_ms = config.period_ms;
    colony_session_config_clear(&config);
    return 0;
}

int colony_verb_wait(const struct colony_session *session, const char *word, const char *condition,
                     uint64_t timeout_ms, struct colony_error *err)
{
    struct wait wait = {.session = session, .word = word, .pidfd = -1};
    int rc = colony_condition_parse(&wait.tree, condition, err);

    if (rc < 0)
        return rc;
    wait.wants = colony_condition_wants(wait.tree);
    rc = read_period(&wait, err);
    if (rc == 0) {
        rc = wait_until(&wait, timeout_ms, err);
        note(&wait);
    }
    end_life(&wait);
    colony_condition_free(wait.tree);
    return rc;
}
