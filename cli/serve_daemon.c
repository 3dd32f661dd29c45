/* SPDX-License-Identifier: Apache-2.0 */
/* serve_daemon.c - what makes a daemon of a colony: where it takes events, its name, its log. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/template.h"
#include "serve_internal.h"

static int apply_name(struct colony_settings *settings, const char *name, struct colony_error *err)
{
    char *copy;
    int rc = colony_name_check(name, err);

    if (rc < 0)
        return rc;
    copy = strdup(name);
    if (!copy)
        return colony_fail_os(err, -ENOMEM, "cannot start");
    free(settings->name);
    settings->name = copy;
    return 0;
}

int serve_apply_daemon(struct colony_settings *settings, const struct serve *serve,
                       struct colony_error *err)
{
    int rc = serve->name ? apply_name(settings, serve->name, err) : 0;

    if (rc == 0 && serve->events)
        rc = colony_master_set_address(&settings->master, serve->events, err);
    return rc;
}

/* The first lines of a daemon of mtutils', for who reads such logs. */
void serve_tell_start(const struct serve *serve)
{
    enum colony_log_level level = serve->settings->log_level;

    if (serve->settings->log_format != LOG_FORMAT_CLASSIC)
        return;
    colony_log_init("serve", (enum colony_log_severity)(level == LOG_INFO ? LOG_DEBUG : level),
                    LOG_STYLE_CLASSIC);
    colony_log_set_name(serve->settings->name);
    if (!serve->config)
        colony_log(SEVERITY_WARNING, "Config file is not specified");
    colony_log(SEVERITY_DEBUG, "Starting");
}
