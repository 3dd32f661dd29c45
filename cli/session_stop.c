/* SPDX-License-Identifier: Apache-2.0 */
/* session_stop.c - `colony session stop` and `deactivate`. */
#include <stdio.h>
#include <sys/resource.h>

#include "core/error.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_stop_options[] = {
    SESSION_PLACE,
    {"all", 0, NULL, "all processes of the session", OPTION_FLAG, SESSION_AT(is_all), NULL},
    SESSION_END,
};
/* clang-format on */

/* Each that is to end is held by a descriptor. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* without: what does not fit is told */
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "es";
}

static void tell(const struct colony_verb_stopped *all)
{
    const struct colony_session_stopped *stopped = &all->those;

    if (!all->has_begun)
        return;
    if (stopped->stopped == 0)
        printf("nothing was running\n");
    else
        printf("stopped %zu process%s\n", stopped->stopped, plural(stopped->stopped));
    if (stopped->killed > 0)
        printf("%zu process%s had to be killed\n", stopped->killed, plural(stopped->killed));
}

int session_stop(struct session *session, int argc, char **argv)
{
    struct colony_verb_stopped stopped;
    struct colony_error err = {0};
    int rc;

    if (session->is_all == (argc > 1))
        return session_fail(EXIT_USAGE, "stop: give either names of processes or --all");
    raise_limit();
    rc = colony_verb_stop(&session->open, session->is_all ? NULL : argv + 1, &stopped, &err);
    tell(&stopped);
    return rc < 0 ? session_fail_error(&err) : EXIT_OK;
}

int session_deactivate(struct session *session, int argc, char **argv)
{
    struct colony_verb_stopped stopped;
    struct colony_error err = {0};
    int rc;

    (void)argc;
    (void)argv;
    raise_limit();
    rc = colony_verb_deactivate(&session->open, &stopped, &err);
    tell(&stopped);
    if (stopped.left > 0)
        printf("left %zu process%s running\n", stopped.left, plural(stopped.left));
    return rc < 0 ? session_fail_error(&err) : EXIT_OK;
}
