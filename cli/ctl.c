/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.c - `colony ctl ACTION`: controls a running colony. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "core/signals.h"
#include "core/template.h"
#include "ctl_internal.h"
#include "files_ctl.h"
#include "fsctl/files.h"

/* clang-format off */
#define AT(field) offsetof(struct ctl, field)

/* Where colony is may be said before or after the action; --connect is gafferctl's word. */
#define WHERE \
    {"endpoint",   0, "ADDR", "unix:PATH or http[s]://HOST:PORT; also $COLONY_ENDPOINT", OPTION_TEXT, AT(endpoint_text), NULL}, \
    {"connect",    0, "ADDR", NULL,                                                      OPTION_TEXT, AT(endpoint_text), NULL}, \
    {"state",      0, "DIR",  "the colony that was started with --state DIR",            OPTION_TEXT, AT(state_dir),     NULL}, \
    {"conf",       0, "DIR",  "the colony that was started with nothing but --conf DIR and --messages", OPTION_TEXT, AT(conf_dir), NULL}, \
    {"token-file", 0, "FILE", "the token to show; also $COLONY_TOKEN itself",            OPTION_TEXT, AT(token_file),    NULL}, \
    {"cacert",     0, "FILE", "https: who may have signed its certificate",              OPTION_TEXT, AT(cacert),        NULL}, \
    {"cert",       0, "FILE", "https: a certificate of our own",                         OPTION_TEXT, AT(cert),          NULL}, \
    {"key",        0, "FILE", "https: its key, unless it is in the same file",           OPTION_TEXT, AT(key),           NULL}
#define JSON {"json", 0, NULL, "print JSON", OPTION_FLAG, AT(is_json), NULL}
#define END {NULL, 0, NULL, NULL, OPTION_END, 0, NULL}
#define WAIT(help) \
    {"wait",    0, NULL,      help,                          OPTION_FLAG,     AT(wait),       NULL}, \
    {"no-wait", 0, NULL,      "return at once",              OPTION_FLAG,     AT(no_wait),    NULL}, \
    {"timeout", 0, "SECONDS", "wait so long only (exit 75)", OPTION_DURATION, AT(timeout_ms), NULL}

static const struct colony_option plain_options[] = {WHERE, END};
static const struct colony_option own_options[] = {
    WHERE,
    {"messages", 0, "DIR", "with --config DIR: ncolony's actions on its folders", OPTION_TEXT, AT(messages), NULL},
    {"config",   0, "DIR", "the folder of the processes' files",                 OPTION_TEXT, AT(config),   NULL},
    {"help", 'h', NULL, NULL, OPTION_FLAG, AT(wants_help), NULL}, /* of which actions is known then */
    END,
};
static const struct colony_option show_options[] = {JSON, WHERE, END};
static const struct colony_option stop_options[] = {WAIT("return when it is done; the default"), WHERE, END};
static const struct colony_option start_options[] = {WAIT("return when all are up (exit 1: one failed)"), WHERE, END};
static const struct colony_option shutdown_options[] = {
    {"no-wait", 0, NULL,      "return at once",              OPTION_FLAG,     AT(no_wait),    NULL},
    {"timeout", 0, "SECONDS", "wait so long only (exit 75)", OPTION_DURATION, AT(timeout_ms), NULL},
    WHERE, END,
};
static const struct colony_option kill_options[] = {
    {"signal", 's', "SIG", "name or number, default TERM; also -9, -HUP", OPTION_TEXT, AT(signal), NULL},
    WHERE, END,
};
static const struct colony_option logs_options[] = {
    {"follow", 'f', NULL, "go on with what is written from now on", OPTION_FLAG,   AT(follows), NULL},
    {"lines",  'n', "N",  "the last N lines, or all; default 100",  OPTION_CALL,   0,           colony__ctl_read_lines},
    {"slot",   0,   "K",  "only slot K (from 1)",                   OPTION_NUMBER, AT(slot),    NULL},
    WHERE, END,
};
static const struct colony_option history_options[] = {
    {"lines", 'n', "N", "the last N events, default 30", OPTION_NUMBER, AT(lines), NULL},
    {"slot",  0,   "K", "only slot K (from 1)",          OPTION_NUMBER, AT(slot),  NULL},
    {"since", 0,   "TIME", "all since then: 10m (ago), 16:12 or 2026-11-22T16:12:41Z", OPTION_TEXT, AT(since), NULL},
    {"all",   'a', NULL, "also each move between states", OPTION_FLAG,  AT(all),   NULL},
    JSON, WHERE, END,
};
#define LINES_OF_JSON {"json", 0, NULL, "print JSON, one object a line", OPTION_FLAG, AT(is_json), NULL}
static const struct colony_option events_options[] = {
    {"follow", 'f', NULL, "go on with what happens from now on", OPTION_FLAG,  AT(follows), NULL},
    {"lines", 'n', "N", "the last N events, default 30", OPTION_NUMBER, AT(lines), NULL},
    {"since", 0,   "TIME", "all since then: 10m (ago), 16:12 or 2026-11-22T16:12:41Z", OPTION_TEXT, AT(since), NULL},
    {"all",   'a', NULL, "also each move between states", OPTION_FLAG,  AT(all),   NULL},
    LINES_OF_JSON, WHERE, END,
};
static const struct colony_option stats_options[] = {
    {"follow",   'f', NULL,      "look again and again",           OPTION_FLAG,     AT(follows),     NULL},
    {"interval", 'd', "SECONDS", "with -f: how often, default 1",  OPTION_DURATION, AT(interval_ms), NULL},
    {"json",     0,   NULL,      "print JSON, a line for each look", OPTION_FLAG,   AT(is_json),     NULL},
    WHERE, END,
};
static const struct colony_option attach_options[] = {
    {"raw", 'r', NULL, "send each key at once, as it is, and show none", OPTION_FLAG, AT(is_raw), NULL},
    WHERE, END,
};
static const struct colony_option watch_options[] = {
    {"all",   'a', NULL, "also each move between states", OPTION_FLAG,  AT(all),   NULL},
    LINES_OF_JSON, WHERE, END,
};
static const struct colony_option why_options[] = {
    {"lines", 'n', "N", "tell N things that happened, default 10", OPTION_NUMBER, AT(lines), NULL},
    JSON, WHERE, END,
};
static const struct colony_option reload_options[] = {
    {"dry-run", 0, NULL, "only tell what would change", OPTION_FLAG, AT(dry_run), NULL},
    JSON, WHERE, END,
};
#define START \
    {"start",    0, NULL, "start it; the default unless the file says otherwise", OPTION_FLAG, AT(settings.start),    NULL}, \
    {"no-start", 0, NULL, "do not start it yet",                                  OPTION_FLAG, AT(settings.no_start), NULL}
static const struct colony_option load_options[] = {START, WHERE, END};
static const struct colony_option add_options[] = {
    {"args",            0, "TEXT",  "arguments, split as a shell splits words",    OPTION_TEXT,   AT(settings.args),            NULL},
    {"env",             0, "K=V",   "environment variable, may repeat",            OPTION_LIST,   AT(settings.env),             NULL},
    {"os-env",          0, NULL,    "pass on colony's environment; the default",   OPTION_FLAG,   AT(settings.os_env),          NULL},
    {"no-os-env",       0, NULL,    "do not pass it on",                           OPTION_FLAG,   AT(settings.no_os_env),       NULL},
    {"uid",             0, "UID",   "user to run as, a name or a number",          OPTION_TEXT,   AT(settings.uid),             NULL},
    {"gid",             0, "GID",   "group to run as",                             OPTION_TEXT,   AT(settings.gid),             NULL},
    {"cwd",             0, "DIR",   "folder to run in",                            OPTION_TEXT,   AT(settings.cwd),             NULL},
    {"shell",           0, NULL,    "run it by /bin/sh -c",                        OPTION_FLAG,   AT(settings.shell),           NULL},
    {"detach",          0, NULL,    "start and forget: it outlives colony",        OPTION_FLAG,   AT(settings.detach),          NULL},
    {"numprocesses",    0, "N",     "how many to keep alive, default 1",           OPTION_NUMBER, AT(settings.numprocesses),    NULL},
    {"redirect-output", 0, "LABEL", "follow stdout, and then stderr, by this name", OPTION_LIST,   AT(settings.redirect_output), NULL},
    {"redirect-input",  0, NULL,    "stdin can be written to",                      OPTION_FLAG,   AT(settings.redirect_input),  NULL},
    START, WHERE, END,
};

enum { ANY = COLONY_OPERANDS_ANY };

static const struct ctl_action actions[] = {
    {"ps",             colony__ctl_ps,             "[NAME|GROUP:*...]", 0, ANY, show_options, "show every process and its state; CPU since it was started",
     "colony ctl ps\ncolony ctl ps web --json\ncolony ctl ps 'shop:*'\n"},
    {"status",         colony__ctl_status,         "[NAME|GROUP:*...]", 0, ANY, show_options, "tell how templates are doing (exit 3: one that should run does not)",
     "colony ctl status\ncolony ctl status web\ncolony ctl status web --json\n"},
    {"why",            colony__ctl_why,            "NAME[.SLOT]",    1, 1,   why_options,      "tell what led to the present state",
     "colony ctl why web\ncolony ctl why web.2\ncolony ctl why web -n 100\n"},
    {"history",        colony__ctl_history,        "[NAME]",         0, 1,   history_options,  "list what happened, newest last",
     "colony ctl history\ncolony ctl history web -n 100\ncolony ctl history web --slot 2 --json\n"},
    {"events",         colony__ctl_events,         "[NAME|GROUP:*|EVENT|PATTERN...]", 0, ANY, events_options, "list what happened as lines, newest last; -f goes on with what comes",
     "colony ctl events\ncolony ctl events web --since 10m\ncolony ctl events web exit -f --json\n"},
    {"watch",          colony__ctl_watch,          "[NAME|GROUP:*|EVENT|PATTERN...]", 0, ANY, watch_options, "tell what happens, as it happens",
     "colony ctl watch\ncolony ctl watch web worker\ncolony ctl watch web exit spawn --json\ncolony ctl watch proc.web.exit\n"},
    {"logs",           colony__ctl_logs,             "NAME|GROUP:*...", 1, ANY, logs_options,        "print what a template's processes wrote",
     "colony ctl logs web\ncolony ctl logs -n 20 -f web\ncolony ctl logs web --slot 2\ncolony ctl logs 'shop:*'\n"},
    {"stats",          colony__ctl_stats,          "[NAME|GROUP:*...]", 0, ANY, stats_options, "show what processes use; CPU over 0.1 s",
     "colony ctl stats\ncolony ctl stats web -f\ncolony ctl stats web -f -d 10 --json\n"},
    {"attach",         colony__ctl_attach,         "NAME[.SLOT]",    1, 1,   attach_options,   "type into a process and see what it prints (ctrl-] leaves)",
     "colony ctl attach shell\ncolony ctl attach shell.2 --raw\necho status | colony ctl attach shell\n"},
    {"tree",           colony__ctl_tree,             "[NAME|GROUP:*...]", 0, ANY, show_options, "show the processes with their children",
     "colony ctl tree\ncolony ctl tree web\n"},
    {"env",            colony__ctl_env,            "NAME",           1, 1,   show_options,     "show a template's environment and where it is from",
     "colony ctl env web\ncolony ctl env web --json\n"},

    {"start",          colony__ctl_start,          "NAME|GROUP:*...", 1, ANY, start_options,   "start templates",
     "colony ctl start web worker\ncolony ctl start web --wait --timeout 30\ncolony ctl start 'shop:*'\n"},
    {"stop",           colony__ctl_stop,           "NAME|GROUP:*|ID...", 1, ANY, stop_options, "stop templates, or processes by id, and wait",
     "colony ctl stop web\ncolony ctl stop web worker --timeout 30\ncolony ctl stop 'shop:*' --no-wait\n"},
    {"restart",        colony__ctl_restart,        "NAME|GROUP:*...", 1, ANY, stop_options,    "stop templates, start them again, and wait",
     "colony ctl restart web\ncolony ctl restart web --no-wait\n"},
    {"scale",          colony__ctl_scale,          "NAME=N|NAME+N|NAME-N...", 1, ANY, start_options, "change how many processes templates have",
     "colony ctl scale web=3\ncolony ctl scale web=3 worker+1 other-2\ncolony ctl scale web=8 --wait\n"},
    {"add",            colony__ctl_add,            "NAME [N]",       1, 2,   start_options,    "one process more, or N",
     "colony ctl add web\ncolony ctl add web 3\n"},
    {"sub",            colony__ctl_sub,            "NAME [N]",       1, 2,   start_options,    "one process less, or N",
     "colony ctl sub web\ncolony ctl sub web 3\n"},
    {"kill",           colony__ctl_kill,           "NAME|ID [SIG]",  1, 2,   kill_options,     "send a signal to a template or, by id, a process",
     "colony ctl kill web\ncolony ctl kill web HUP\ncolony ctl kill -s USR1 web\ncolony ctl kill -9 17\n"},

    {"up",             colony__ctl_start,          "NAME|GROUP:*...", 1, ANY, start_options,   "start templates; runit's word for it",
     "colony ctl up web\n"},
    {"down",           colony__ctl_stop,           "NAME|GROUP:*|ID...", 1, ANY, stop_options, "stop templates, and wait; runit's word for it",
     "colony ctl down web\n"},
    {"once",           colony__ctl_once,           "NAME|GROUP:*...", 1, ANY, start_options,   "start templates, and do not start them again when they end",
     "colony ctl once job\ncolony ctl once job --wait\n"},
    {"pause",          colony__ctl_pause,          "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGSTOP: they stand still until cont",
     "colony ctl pause web\n"},
    {"cont",           colony__ctl_cont,           "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGCONT: they go on",
     "colony ctl cont web\n"},
    {"hup",            colony__ctl_hup,            "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGHUP",
     "colony ctl hup web\n"},
    {"alarm",          colony__ctl_alarm,          "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGALRM",
     "colony ctl alarm web\n"},
    {"interrupt",      colony__ctl_interrupt,      "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGINT",
     "colony ctl interrupt web\n"},
    {"quit",           colony__ctl_quit,           "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGQUIT",
     "colony ctl quit web\n"},
    {"term",           colony__ctl_term,           "NAME|GROUP:*|ID...", 1, ANY, plain_options, "send SIGTERM; what is to run is started again",
     "colony ctl term web\n"},

    {"add_process",    colony__ctl_add_process,    "NEW_NAME CMD [ARG...]", 2, ANY, add_options, "add a template (exit 5: it exists); -- before a CMD with options",
     "colony ctl add_process web 'python3 -m http.server 8000'\n"
     "colony ctl add_process web --env PORT=80 --uid www-data -- python3 -m http.server\n"},
    {"load_process",   colony__ctl_load_process,   "FILE|-",         1, 1,   load_options,     "add templates from JSON (no YAML): one, or a list of them",
     "colony ctl load_process web.json\ncolony ctl load_process - < web.json\n"},
    {"get_process",    colony__ctl_get_process,    "NAME|ID",        1, 1,   show_options,     "print the settings of a template, as JSON",
     "colony ctl get_process web\n"},
    {"update_process", colony__ctl_update_process, "NAME CMD [ARG...]", 2, ANY, add_options,   "give a template new settings, in place of all it has",
     "colony ctl update_process web 'python3 -m http.server 8001'\n"},
    {"del_process",    colony__ctl_del_process,    "NAME|GROUP:*...", 1, ANY, stop_options,    "stop templates and remove them",
     "colony ctl del_process web\ncolony ctl del_process 'shop:*'\n"},

    {"processes",      colony__ctl_processes,      "",               0, 0,   show_options,     "list the names of the templates",
     "colony ctl processes\n"},
    {"groups",         colony__ctl_groups,         "",               0, 0,   show_options,     "list the groups and what is in them",
     "colony ctl groups\n"},
    {"numprocesses",   colony__ctl_numprocesses,   "NAME",           1, 1,   plain_options,    "print how many processes a template should have",
     "colony ctl numprocesses web\n"},
    {"running",        colony__ctl_running,        "NAME",           1, 1,   plain_options,    "print how many processes of a template run",
     "colony ctl running web\n"},
    {"pids",           colony__ctl_pids,           "NAME",           1, 1,   show_options,     "list the ids of a template's processes",
     "colony ctl pids web\n"},

    {"reload",         colony__ctl_reload,         "",               0, 0,   reload_options,   "read the settings again (exit 78: they are wrong)",
     "colony ctl reload --dry-run\ncolony ctl reload\n"},
    {"shutdown",       colony__ctl_shutdown,       "",               0, 0,   shutdown_options, "stop everything and end colony",
     "colony ctl shutdown\ncolony ctl shutdown --timeout 1m\n"},
    {"upgrade",        colony__ctl_upgrade,        "",               0, 0,   plain_options,    "go on with the installed binary, and wait until it serves; processes keep running",
     "colony ctl upgrade\n"},
};
/* clang-format on */

COLONY_DEFINE_CHILD(get_action, actions)

const struct colony_usage colony_ctl_usage = {
    .command = "colony ctl",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Control a running colony. `colony ctl ACTION --help` tells more of each action.",
    .examples = "colony ctl ps\n"
                "colony ctl restart web\n"
                "colony ctl logs -f web\n"
                "colony ctl --state /srv/shop/state status\n"
                "colony ctl --endpoint http://127.0.0.1:5000 ps\n"
                "colony ctl --endpoint https://shop.example:5443 --token-file token ps\n",
    .options = own_options,
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_action,
    .children = "actions",
    .notes =
        "`GROUP:*` is all templates whose names begin with `GROUP:`, and `*` all there are;\n"
        "quote them from the shell.\n"
        "An action's `_` may be written `-`, too: add-process.\n"
        "\n"
        "With --messages DIR --config DIR before it, an action is one of ncolony's: add, remove,\n"
        "restart, restart-all, restart-group, list, show. It works on those folders alone;\n"
        "`colony ctl --messages DIR --config DIR help` tells more.\n",
};

/* For what is not a socket of this machine's. */
static int add_credentials(struct ctl *ctl, struct colony_error *err)
{
    struct colony_target *target = &ctl->target;

    target->cacert = ctl->cacert;
    target->cert = ctl->cert;
    target->key = ctl->key;
    if (ctl->key && !ctl->cert)
        return colony_fail(err, -EINVAL, "cannot use --key without --cert");
    return colony_target_set_token(target, ctl->token_file, getenv("COLONY_TOKEN"), err);
}

int colony__ctl_find_target(struct ctl *ctl)
{
    const char *text = ctl->endpoint_text;
    const char *state_dir = ctl->state_dir;
    struct colony_error err = {0};
    char path[PATH_MAX + 32];
    char state[PATH_MAX];
    int rc;

    if ((text != NULL) + (ctl->state_dir != NULL) + (ctl->conf_dir != NULL) > 1)
        return colony__ctl_fail(EXIT_USAGE,
                                "cannot use more than one of --endpoint, --state and --conf");
    if (ctl->conf_dir) {
        if (colony_files_state_dir(state, sizeof state, ctl->conf_dir, &err) < 0)
            return colony__ctl_fail(EXIT_UNREACHABLE, "%s", err.message);
        state_dir = state;
    }
    if (state_dir) {
        (void)snprintf(path, sizeof path, "unix:%.*s/colony.sock", PATH_MAX, state_dir);
        text = path;
    }
    if (!text)
        text = getenv("COLONY_ENDPOINT");
    if (text && text[0] != '\0')
        rc = colony_target_parse(&ctl->target, text, &err);
    else
        rc = colony_target_find(&ctl->target, &err);
    if (rc == 0 && !ctl->target.is_unix)
        rc = add_credentials(ctl, &err);
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

static int run_action(struct ctl *ctl, size_t index, int argc, char **argv)
{
    const struct ctl_action *action = &actions[index];
    int exit_code;

    if (action->run == colony__ctl_kill)
        spell_out_signal(argc, argv);
    if (!colony_options_parse_child(&colony_ctl_usage, index, ctl, &argc, argv, &exit_code))
        return exit_code;
    exit_code = colony__ctl_find_target(ctl);
    return exit_code == EXIT_OK ? action->run(ctl, argc, argv) : exit_code;
}

/* On ncolony's folders, for which it needs no colony. */
static int run_files(const struct ctl *ctl, int argc, char **argv)
{
    if (!ctl->messages || !ctl->config)
        return colony__ctl_fail(EXIT_USAGE, "cannot use --%s without --%s DIR",
                                ctl->messages ? "messages" : "config",
                                ctl->messages ? "config" : "messages");
    if (ctl->endpoint_text || ctl->state_dir)
        return colony__ctl_fail(EXIT_USAGE, "cannot use --%s together with --messages and --config",
                                ctl->state_dir ? "state" : "endpoint");
    return colony_files_ctl(ctl->messages, ctl->config, argc, argv);
}

int colony_cmd_ctl(int argc, char **argv)
{
    struct ctl ctl = {.lines = UINT64_MAX,
                      .timeout_ms = UINT64_MAX,
                      .interval_ms = UINT64_MAX,
                      .settings.numprocesses = UINT64_MAX};
    struct colony_usage where = colony_ctl_usage;
    int action;
    int exit_code;

    where.operands_min = 0;         /* whose action is missing is not known yet */
    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    if (!colony_options_parse(&where, &ctl, &argc, argv, &exit_code))
        return exit_code;
    if (ctl.wants_help) {
        colony_options_help(ctl.messages && ctl.config ? &colony_files_ctl_usage
                                                       : &colony_ctl_usage);
        return EXIT_OK;
    }
    if (ctl.messages || ctl.config)
        return run_files(&ctl, argc, argv);
    if (!colony_options_parse(&colony_ctl_usage, &ctl, &argc, argv, &exit_code))
        return exit_code;
    action = colony_options_choose_child(&colony_ctl_usage, argc, argv, &exit_code);
    if (action < 0)
        return exit_code;
    return run_action(&ctl, (size_t)action, argc - 1, argv + 1);
}
