/* SPDX-License-Identifier: Apache-2.0 */
/* app.c - `colony app ACTION`: runs the application of a Procfile, or gives it to a colony. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app_internal.h"
#include "commands.h"
#include "core/error.h"
#include "core/template.h"

struct app_action {
    const char *name;
    app_action_cb run;
    const char *arguments;
    int operands_min;
    int operands_max;
    const struct colony_option *options;
    bool is_remote; /* asks a running colony */
    const char *help;
    const char *examples;
};

/* clang-format off */
#define AT(field) offsetof(struct app, field)

#define FILES \
    {"procfile", 'f', "FILE", "the Procfile, instead of Procfile in the folder of the application", OPTION_TEXT, AT(procfile_path), NULL}, \
    {"root",     'd', "DIR",  "the folder of the application, where all of it runs",  OPTION_TEXT, AT(root_path), NULL}, \
    {"directory", 0,  "DIR",  NULL /* gaffer's word for it */,                        OPTION_TEXT, AT(root_path), NULL}
#define ENVIRONMENT \
    {"env",      'e', "FILE", "variables, instead of those in .env; may repeat, the last one wins", OPTION_LIST, AT(env_files), NULL}, \
    {"port",     'p', "PORT", "PORT of the first type, default 5000; 100 more for each after it", OPTION_NUMBER, AT(port), NULL}
#define FORMATION \
    {"concurrency", 'c', "TYPE=N", "how many processes: web=2,worker=1 or all=2; may repeat", OPTION_LIST, AT(formation), NULL}
#define NAME_IT \
    {"app",      'a', "NAME", "what it is called, instead of as its folder",             OPTION_TEXT, AT(name), NULL}
#define WHERE \
    {"endpoint",   0, "ADDR", "unix:PATH or http[s]://HOST:PORT; also $COLONY_ENDPOINT", OPTION_TEXT, AT(ctl.endpoint_text), NULL}, \
    {"state",      0, "DIR",  "the colony that was started with --state DIR",            OPTION_TEXT, AT(ctl.state_dir),     NULL}, \
    {"token-file", 0, "FILE", "the token to show; also $COLONY_TOKEN itself",            OPTION_TEXT, AT(ctl.token_file),    NULL}, \
    {"cacert",     0, "FILE", "https: who may have signed its certificate",              OPTION_TEXT, AT(ctl.cacert),        NULL}, \
    {"cert",       0, "FILE", "https: a certificate of our own",                         OPTION_TEXT, AT(ctl.cert),          NULL}, \
    {"key",        0, "FILE", "https: its key, unless it is in the same file",           OPTION_TEXT, AT(ctl.key),           NULL}
#define WAIT(help) \
    {"wait",    0, NULL,      help,                          OPTION_FLAG,     AT(ctl.wait),       NULL}, \
    {"no-wait", 0, NULL,      "return at once",              OPTION_FLAG,     AT(ctl.no_wait),    NULL}, \
    {"timeout", 0, "SECONDS", "wait so long only (exit 75)", OPTION_DURATION, AT(ctl.timeout_ms), NULL}
#define END {NULL, 0, NULL, NULL, OPTION_END, 0, NULL}

/* Those of all actions, which may stand before them, too; and, unlisted, what some have: gaffer has it there. */
static const struct colony_option app_options[] = {
    FILES, WHERE,
    {"concurrency", 'c', "TYPE=N", NULL, OPTION_LIST,   AT(formation), NULL},
    {"env",         'e', "FILE",   NULL, OPTION_LIST,   AT(env_files), NULL},
    {"port",        'p', "PORT",   NULL, OPTION_NUMBER, AT(port),      NULL},
    {"app",         'a', "NAME",   NULL, OPTION_TEXT,   AT(name),      NULL},
    END,
};
static const struct colony_option start_options[] = {
    FORMATION,
    {"abort-on-failure", 0, NULL, "nothing is started again, and the first failure ends all, with its exit code", OPTION_FLAG, AT(aborts), NULL},
    ENVIRONMENT, FILES, END,
};
static const struct colony_option run_options[] = {ENVIRONMENT, FILES, END};
static const struct colony_option export_options[] = {
    {"format", 0, "FORM", "yaml (the default), json, ini or systemd", OPTION_TEXT, AT(format), NULL},
    FORMATION, NAME_IT, ENVIRONMENT, FILES, END,
};
static const struct colony_option load_options[] = {FORMATION, NAME_IT, ENVIRONMENT, FILES, WHERE, END};
static const struct colony_option unload_options[] = {NAME_IT, FILES, WAIT("return when it is gone; the default"), WHERE, END};
static const struct colony_option scale_options[] = {NAME_IT, FILES, WAIT("return when all are up (exit 1: one failed)"), WHERE, END};
static const struct colony_option ps_options[] = {
    NAME_IT, FILES, {"json", 0, NULL, "print JSON", OPTION_FLAG, AT(ctl.is_json), NULL}, WHERE, END,
};

enum { ANY = COLONY_OPERANDS_ANY };

static const struct app_action actions[] = {
    {"start",  colony__app_start,  "[TYPE...]",              0, ANY, start_options,  false, "run it in the foreground until Ctrl-C",
     "colony app start\ncolony app start -c web=2,worker=3 -e .env -e .env.local\ncolony app start --abort-on-failure web tests\n"},
    {"run",    colony__app_run,    "TYPE|COMMAND [ARG...]",  1, ANY, run_options,    false, "run one command in its folder and environment; -- before one with options",
     "colony app run web\ncolony app run -- ./manage migrate --all\ncolony app run 'env | sort'\n"},
    {"export", colony__app_export, "[FORM] [OUT]",           0, 2,   export_options, false, "print it as settings, or write them to OUT; systemd: units, in the folder OUT",
     "colony app export > colony.yaml\ncolony app export ini gaffer.ini\ncolony app export --format systemd -c web=2 /etc/systemd/system\n"},
    {"load",   colony__app_load,   "[GROUP]",                0, 1,   load_options,   true,  "give it to a running colony, as a group (exit 5: it has it)",
     "colony app load\ncolony app load shop -d /srv/shop -c web=2\n"},
    {"unload", colony__app_unload, "[GROUP]",                0, 1,   unload_options, true,  "stop it there, remove it, and wait",
     "colony app unload\ncolony app unload shop\n"},
    {"scale",  colony__app_scale,  "TYPE=N|TYPE+N|TYPE-N...", 1, ANY, scale_options, true,  "change how many processes it has there",
     "colony app scale web=3\ncolony app scale web=3 worker+2 clock-1\n"},
    {"ps",     colony__app_ps,     "[GROUP]",                0, 1,   ps_options,     true,  "show its processes there",
     "colony app ps\ncolony app ps shop --json\n"},
};
/* clang-format on */

COLONY_DEFINE_CHILD(get_action, actions)

const struct colony_usage colony_app_usage = {
    .command = "colony app",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Run the application of a Procfile, or give it to a running colony.\n"
               "`colony app ACTION --help` tells more of each action.",
    .examples = "colony app start\n"
                "colony app -d /srv/shop -c web=2 start\n"
                "colony app load && colony app ps\n",
    .options = app_options,
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_action,
    .children = "actions",
    .notes = "A Procfile has lines `TYPE: COMMAND`. Each process has a PORT of its own: 5000 and "
             "on\nfor the first type, 5100 and on for the second.\n",
};

int colony__app_fail(int exit_code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    colony_options_complain_args(&colony_app_usage, format, args);
    va_end(args);
    return exit_code;
}

static int run_action(struct app *app, size_t index, int argc, char **argv)
{
    const struct app_action *action = &actions[index];
    int exit_code;

    if (!colony_options_parse_child(&colony_app_usage, index, app, &argc, argv, &exit_code))
        return exit_code;
    exit_code = action->is_remote ? colony__ctl_find_target(&app->ctl) : EXIT_OK;
    return exit_code == EXIT_OK ? action->run(app, argc, argv) : exit_code;
}

int colony_cmd_app(int argc, char **argv)
{
    static struct app app; /* too large for the stack */
    int action;
    int exit_code;

    app.port = UINT64_MAX;
    app.ctl.lines = app.ctl.timeout_ms = app.ctl.interval_ms = app.ctl.settings.numprocesses =
        UINT64_MAX;
    colony__ctl_speak_as(colony_app_usage.command);
    if (!colony_options_parse(&colony_app_usage, &app, &argc, argv, &exit_code))
        return exit_code;
    action = colony_options_choose_child(&colony_app_usage, argc, argv, &exit_code);
    if (action < 0)
        return exit_code;
    exit_code = run_action(&app, (size_t)action, argc - 1, argv + 1);
    colony__app_clear(&app);
    return exit_code;
}
