/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c - `colony keeper`: what `colony serve` becomes; core/keeper.h says the rest. */
#include <stdio.h>

#include "commands.h"
#include "core/error.h"
#include "core/keeper.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/state_dir.h"
#include "title.h"

/* The one that runs asks its successor: what it started us with is understood; now what it runs. */
static int check(const struct colony_keeper_options *options)
{
    struct colony_settings *settings = NULL;
    struct colony_error err;
    int rc = colony_state_dir_load_settings(options->state_dir, &settings, &err);

    colony_settings_free(settings);
    if (rc == 0)
        return EXIT_OK;
    (void)fprintf(stderr, "cannot read the settings in force, in %s: %s\n", options->state_dir,
                  err.message);
    return EXIT_BAD_CONFIG;
}

int colony_cmd_keeper(int argc, char **argv)
{
    static struct colony_keeper_options options; /* too large for the stack */
    struct colony_error err;

    if (colony_keeper_options_parse(&options, argc, argv, &err) < 0) {
        (void)fprintf(stderr, "colony keeper: %s\n", err.message);
        return EXIT_USAGE;
    }
    if (options.is_check)
        return check(&options);
    if (options.title[0] != '\0')
        title_hide_arguments(argc, argv); /* "keeper" too */
    colony_log_init("keeper", (enum colony_log_severity)options.log_level,
                    (enum colony_log_style)options.log_style);
    colony_log_set_name(options.name);
    colony_log_never_wait();
    return colony_keeper_run(&options);
}
