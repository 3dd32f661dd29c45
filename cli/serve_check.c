/* SPDX-License-Identifier: Apache-2.0 */
/* serve_check.c - what is wrong with options whatever the settings say: an error of usage. */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "serve_internal.h"

void serve_init_options(struct serve *serve)
{
    serve->frequency_ms = UINT64_MAX;
    serve->threshold_ms = UINT64_MAX;
    serve->kill_ms = UINT64_MAX;
    serve->min_delay_ms = UINT64_MAX;
    serve->max_delay_ms = UINT64_MAX;
}

static bool is_log_format(const char *text)
{
    return strcmp(text, "text") == 0 || strcmp(text, "json") == 0;
}

int serve_check_options(const struct serve *serve, struct colony_error *err)
{
    if (serve->keyfile && !serve->certfile)
        return colony_fail(err, -EINVAL, "cannot use --keyfile without --certfile");
    if (serve->frequency_ms < COLONY_FREQUENCY_MS_MIN)
        return colony_fail(err, -EINVAL, "cannot use --frequency: it must be at least %dms",
                           COLONY_FREQUENCY_MS_MIN);
    if (serve->log_level && colony_log_parse_level(serve->log_level) < 0)
        return colony_fail(err, -EINVAL, "cannot log at `%s`: use error, warning, info or debug",
                           serve->log_level);
    if (serve->log_format && !is_log_format(serve->log_format))
        return colony_fail(err, -EINVAL, "cannot log as `%s`: use text or json", serve->log_format);
    return 0;
}
