/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "core/error.h"
#include "core/features.h"
#include "options.h"

const struct colony_usage colony_top_usage = {.command = "colony top"};

int colony_cmd_top(int argc, char **argv)
{
    (void)argc, (void)argv;
    colony_options_complain(&colony_top_usage, COLONY_LEFT_OUT("it", "top"));
    return EXIT_USAGE;
}
