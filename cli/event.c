/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - `colony event ACTION`: sends events to daemons and to who watches them. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "commands.h"
#include "core/error.h"
#include "event_internal.h"

struct event_action {
    const char *name;
    event_action_cb run;
    const char *arguments;
    int operands_min;
    int operands_max;
    const struct colony_option *options;
    const char *help;
    const char *examples;
};

/* clang-format off */
static const struct event_action actions[] = {
    {"send", colony__event_send, "JSON|-", 1, 1, colony__event_send_options,
     "send an event to a daemon, or what standard input has",
     "colony event send '{\"type\": \"deploy\", \"version\": 7}'\n"
     "colony event send --to '[::1]:5151' 42\n"
     "echo '{\"Hello\": \"World\"}' | colony event send --udp -\n"},
    {"juggler", colony__event_juggler, "", 0, 0, colony__event_juggler_options,
     "report the state of a service to Juggler",
     "colony event juggler --service backup --status OK --description 'done in 12 s'\n"
     "colony event juggler --host db1 --service disk --status CRIT --description '98 % full' --tag prod "
     "--url http://localhost:31579\n"},
};
/* clang-format on */

COLONY_DEFINE_CHILD(get_action, actions)

const struct colony_usage colony_event_usage = {
    .command = "colony event",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Send events to a daemon.\n"
               "`colony event ACTION --help` tells more of each action.",
    .examples = "colony event send '{\"Hello\": \"World\"}'\n"
                "colony event send --udp --to localhost:5151 '{\"Hello\": \"World\"}'\n",
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_action,
    .children = "actions",
};

int colony__event_fail(int exit_code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    colony_options_complain_args(&colony_event_usage, format, args);
    va_end(args);
    return exit_code;
}

int colony_cmd_event(int argc, char **argv)
{
    int action;
    int exit_code;

    if (!colony_options_parse(&colony_event_usage, NULL, &argc, argv, &exit_code))
        return exit_code;
    action = colony_options_choose_child(&colony_event_usage, argc, argv, &exit_code);
    if (action < 0)
        return exit_code;
    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    return actions[action].run((size_t)action, argc - 1, argv + 1);
}
