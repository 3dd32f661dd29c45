/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.c - `colony ctl ACTION`: controls a running colony. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "commands.h"
#include "core/error.h"
#include "core/signals.h"
#include "core/template.h"
#include "ctl_internal.h"

/* clang-format off */
#define AT(field) offsetof(struct ctl, field)

/* Where colony is may be said before or after the action. */
#define WHERE \
    {"endpoint", 0, "ADDR", "unix:PATH or http://HOST:PORT; also $COLONY_ENDPOINT", OPTION_TEXT, AT(endpoint_text), NULL}, \
    {"state",    0, "DIR",  "the colony that was started with --state DIR",         OPTION_TEXT, AT(state_dir),     NULL}
#define END {NULL, 0, NULL, NULL, OPTION_END, 0, NULL}

static const struct colony_option plain_options[] = {WHERE, END};
static const struct colony_option show_options[] = {
    {"json", 0, NULL, "print JSON", OPTION_FLAG, AT(is_json), NULL},
    WHERE, END,
};
static const struct colony_option wait_options[] = {
    {"no-wait", 0, NULL,      "return at once",           OPTION_FLAG,     AT(no_wait),    NULL},
    {"timeout", 0, "SECONDS", "wait no longer (exit 75)", OPTION_DURATION, AT(timeout_ms), NULL},
    WHERE, END,
};
static const struct colony_option kill_options[] = {
    {"signal", 's', "SIG", "name or number, default TERM; also -9, -HUP", OPTION_TEXT, AT(signal), NULL},
    WHERE, END,
};
static const struct colony_option logs_options[] = {
    {"follow", 'f', NULL, "go on with what is written from now on", OPTION_FLAG,   AT(follows), NULL},
    {"lines",  'n', "N",  "only the last N lines",                  OPTION_NUMBER, AT(lines),   NULL},
    {"slot",   0,   "K",  "only slot K (from 1)",                   OPTION_NUMBER, AT(slot),    NULL},
    WHERE, END,
};

enum { ANY = COLONY_OPERANDS_ANY };

static const struct ctl_action actions[] = {
    {"ps",        colony__ctl_ps,        "[NAME]",     0, 1,   show_options,  "show every process and its state",
     "colony ctl ps\ncolony ctl ps web --json\n"},
    {"processes", colony__ctl_processes, "",           0, 0,   show_options,  "list the names of the templates",
     "colony ctl processes\n"},
    {"status",    colony__ctl_status,    "[NAME...]",  0, ANY, show_options,  "tell how templates are doing (exit 3: not running)",
     "colony ctl status\ncolony ctl status web\ncolony ctl status web --json\n"},
    {"start",     colony__ctl_start,     "NAME...",    1, ANY, plain_options, "start templates",
     "colony ctl start web worker\n"},
    {"stop",      colony__ctl_stop,      "NAME...",    1, ANY, wait_options,  "stop templates, or processes by id, and wait",
     "colony ctl stop web\ncolony ctl stop web worker --timeout 30\ncolony ctl stop web --no-wait\n"},
    {"restart",   colony__ctl_restart,   "NAME...",    1, ANY, wait_options,  "stop templates and start them again",
     "colony ctl restart web\ncolony ctl restart web --no-wait\n"},
    {"pids",      colony__ctl_pids,      "NAME",       1, 1,   show_options,  "list the ids of a template's processes",
     "colony ctl pids web\n"},
    {"kill",      colony__ctl_kill,      "NAME [SIG]", 1, 2,   kill_options,  "send a signal to a template or, by id, a process",
     "colony ctl kill web\ncolony ctl kill web HUP\ncolony ctl kill -s USR1 web\ncolony ctl kill -9 17\n"},
    {"logs",      colony__ctl_logs,      "NAME",       1, 1,   logs_options,  "print what a template's processes wrote",
     "colony ctl logs web\ncolony ctl logs -n 20 -f web\ncolony ctl logs web --slot 2\n"},
    {"tree",      colony__ctl_tree,      "",           0, 0,   show_options,  "show the processes with their children",
     "colony ctl tree\n"},
    {"shutdown",  colony__ctl_shutdown,  "",           0, 0,   wait_options,  "stop everything and end colony",
     "colony ctl shutdown\ncolony ctl shutdown --timeout 1m\n"},
    {"upgrade",   colony__ctl_upgrade,   "",           0, 0,   plain_options, "go on with the installed binary; processes keep running",
     "colony ctl upgrade\n"},
};
/* clang-format on */

enum {
    ACTION_COUNT = sizeof actions / sizeof actions[0],
};

static void print_actions(void)
{
    printf("\nactions:\n");
    for (size_t i = 0; i < ACTION_COUNT; i++) {
        int used = printf("  %s %s", actions[i].name, actions[i].arguments);

        printf("%*s%s\n", used < 26 ? 26 - used : 1, "", actions[i].help);
    }
    printf("\nexit codes: 0 ok, 1 failed, 2 usage, 3 not running, 4 no such name, 5 conflict,\n"
           "            69 cannot reach colony, 75 timed out, 77 not allowed\n");
}

static const struct colony_usage ctl_usage = {
    .command = "colony ctl",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Control a running colony. `colony ctl ACTION --help` tells more of each action.",
    .examples = "colony ctl ps\n"
                "colony ctl restart web\n"
                "colony ctl logs -f web\n"
                "colony ctl --state /srv/shop/state status\n"
                "colony ctl --endpoint http://127.0.0.1:5000 ps\n",
    .options = plain_options,
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .print_table = print_actions,
    .stops_at_operand = true,
};

static const struct ctl_action *find_action(const char *name)
{
    const char *names[ACTION_COUNT + 1] = {NULL};
    const char *nearest;

    for (size_t i = 0; i < ACTION_COUNT; i++) {
        if (strcmp(actions[i].name, name) == 0)
            return &actions[i];
        names[i] = actions[i].name;
    }
    nearest = colony_name_nearest(name, names);
    if (nearest)
        colony_options_complain(&ctl_usage, "no such action: %s: did you mean %s?", name, nearest);
    else
        colony_options_complain(&ctl_usage, "no such action: %s: see colony ctl --help", name);
    return NULL;
}

static int find_target(struct ctl *ctl)
{
    const char *text = ctl->endpoint_text;
    struct colony_error err = {0};
    char path[PATH_MAX + 32];
    int rc;

    if (text && ctl->state_dir)
        return colony__ctl_fail(EXIT_USAGE, "cannot use both --endpoint and --state");
    if (ctl->state_dir) {
        (void)snprintf(path, sizeof path, "unix:%.*s/colony.sock", PATH_MAX, ctl->state_dir);
        text = path;
    }
    if (!text)
        text = getenv("COLONY_ENDPOINT");
    if (text && text[0] != '\0')
        rc = colony_target_parse(&ctl->target, text, &err);
    else
        rc = colony_target_find(&ctl->target, &err);
    if (rc < 0)
        return colony__ctl_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
    return EXIT_OK;
}

/* `kill -9 web` and `kill -HUP web` are how everybody types it: they become `-s9` and `-sHUP`. */
static void spell_out_signal(int argc, char **argv)
{
    static char spelled[32];

    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || colony_signal_parse(argv[i] + 1) < 0)
            continue;
        (void)snprintf(spelled, sizeof spelled, "-s%s", argv[i] + 1);
        argv[i] = spelled;
        return;
    }
}

static int run_action(struct ctl *ctl, const struct ctl_action *action, int argc, char **argv)
{
    char command[64];
    char summary[128];
    const struct colony_usage usage = {
        .command = command,
        .arguments = action->arguments,
        .summary = summary,
        .examples = action->examples,
        .options = action->options,
        .operands_min = action->operands_min,
        .operands_max = action->operands_max,
    };
    int exit_code;

    (void)snprintf(command, sizeof command, "colony ctl %s", action->name);
    (void)snprintf(summary, sizeof summary, "%c%s.", action->help[0] - 'a' + 'A', action->help + 1);
    if (action->run == colony__ctl_kill)
        spell_out_signal(argc, argv);
    if (!colony_options_parse(&usage, ctl, &argc, argv, &exit_code))
        return exit_code;
    exit_code = find_target(ctl);
    if (exit_code != EXIT_OK)
        return exit_code;
    return action->run(ctl, argc, argv);
}

int colony_cmd_ctl(int argc, char **argv)
{
    struct ctl ctl = {.lines = UINT64_MAX, .timeout_ms = UINT64_MAX};
    const struct ctl_action *action;
    int exit_code;

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    ctl.is_utf8 = colony_columns_use_utf8();
    if (!colony_options_parse(&ctl_usage, &ctl, &argc, argv, &exit_code))
        return exit_code;
    if (strcmp(argv[1], "help") == 0 && argc == 2) {
        colony_options_help(&ctl_usage);
        return EXIT_OK;
    }
    action = find_action(argv[1]);
    if (!action)
        return EXIT_USAGE;
    return run_action(&ctl, action, argc - 1, argv + 1);
}
