/* SPDX-License-Identifier: Apache-2.0 */
/* serve_check.c - what is wrong with options whatever the settings say: an error of usage. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/keeper.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "core/settings.h"
#include "serve_internal.h"

/*
 * The kernel throws away what would end a PID 1 of a container, as long as nobody catches it. What
 * is blocked waits for the keeper instead.
 */
static void hold_signals(void)
{
    sigset_t watched;

    colony_keeper_signals(&watched);
    if (getpid() == 1)
        (void)sigprocmask(SIG_BLOCK, &watched, NULL);
}

void serve_init(struct serve *serve)
{
    hold_signals();
    colony_log_init("serve", SEVERITY_INFO, LOG_STYLE_TEXT);
    colony_keeper_options_init(&serve->keeper);
    serve->state_dir.fd = serve->state_dir.lock_fd = -1;
    serve->log_fd = -1;
    serve->frequency_ms = UINT64_MAX;
    serve->threshold_ms = UINT64_MAX;
    serve->kill_ms = UINT64_MAX;
    serve->min_delay_ms = UINT64_MAX;
    serve->max_delay_ms = UINT64_MAX;
}

int serve_parse_log_format(const char *text)
{
    static const char *const names[] = {
        [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", [LOG_FORMAT_CLASSIC] = "classic"};

    for (int i = 0; i < (int)(sizeof names / sizeof names[0]); i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

int serve_check_options(const struct serve *serve, struct colony_error *err)
{
    if (serve->keyfile && !serve->certfile)
        return colony_fail(err, -EINVAL, "cannot use --keyfile without --certfile");
    if (serve->exit_with.count > 1)
        return colony_fail(err, -EINVAL, "cannot end with two processes, %.100s and %.100s",
                           serve->exit_with.items[0], serve->exit_with.items[1]);
    if (serve->frequency_ms < COLONY_FREQUENCY_MS_MIN)
        return colony_fail(err, -EINVAL, "cannot use --frequency: it must be at least %dms",
                           COLONY_FREQUENCY_MS_MIN);
    if (serve->log_level && colony_log_parse_level(serve->log_level) < 0)
        return colony_fail(err, -EINVAL, "cannot log at `%s`: use error, warning, info or debug",
                           serve->log_level);
    if (serve->log_format && serve_parse_log_format(serve->log_format) < 0)
        return colony_fail(err, -EINVAL, "cannot log as `%s`: use text, json or classic",
                           serve->log_format);
    return 0;
}
