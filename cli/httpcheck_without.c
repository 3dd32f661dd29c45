/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "core/error.h"
#include "core/features.h"
#include "options.h"

const struct colony_usage colony_httpcheck_usage = {.command = "colony httpcheck"};

int colony_cmd_httpcheck(int argc, char **argv)
{
    (void)argc, (void)argv;
    colony_options_complain(&colony_httpcheck_usage, COLONY_LEFT_OUT("HTTP requests", "curl"));
    return EXIT_USAGE;
}
