/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - `colony session ACTION`: a working directory of related processes. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "session/workspace.h"
#include "session_internal.h"

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order a row is read in */
struct session_action {
    const char *name;
    session_action_cb run;
    bool makes_workspace; /* it need not be there */
    const char *arguments;
    int operands_min;
    int operands_max;
    const struct colony_option *options;
    const char *help;
    const char *examples;
};

/* clang-format off */
const struct colony_option session_place_options[] = {SESSION_PLACE, SESSION_END};

static const struct session_action actions[] = {
    {"init", session_init, true, "", 0, 0, session_place_options,
     "make a folder a workspace, or add what is missing",
     "colony session init\ncolony session -C ~/workspace/atlas init\n"},
    {"start", session_start, false, "[PROCESS]", 0, 1, session_start_options,
     "run what an uri says, or again what is known as PROCESS",
     "colony session start --uri 'exec:///usr/bin/redis-server?--port&7000' --alias cache --restart 1\ncolony session start cache\n"},
    {"stop", session_stop, false, "[PROCESS...]", 0, COLONY_OPERANDS_ANY, session_stop_options,
     "stop processes, and wait until they are gone",
     "colony session stop cache\ncolony session stop --all\n"},
    {"attach", session_attach, false, "", 0, 0, session_attach_options,
     "take a running process, whoever started it; or change one: its flags, the name of its state",
     "colony session attach --pid 12814 --alias master.tws --restart 1\ncolony session attach --alias master.tws --state operative\ncolony session attach --alias master.tws --restart 0\n"},
    {"wait", session_wait, false, "[PROCESS[:STATE]]", 0, 1, session_wait_options,
     "wait until a condition over a process holds",
     "colony session wait --alias master.tws --condition \"len(fp['listen'])>0\" --timeout 60\n"
     "colony session wait master.tws --state operative\n"},
    {"fingerprint", session_fingerprint, false, "PROCESS", 1, 1, session_fingerprint_options,
     "show what a process has open, and which saved state that resembles",
     "colony session fingerprint master.tws\ncolony session fingerprint master.tws --compare\n"},
    {"detach", session_detach, false, "PROCESS...", 1, COLONY_OPERANDS_ANY, session_place_options,
     "forget processes, and leave them running",
     "colony session detach cache\n"},
    {"activate", session_activate, false, "", 0, 0, session_activate_options,
     "begin to supervise: take over what runs, start what is to be restarted",
     "colony session activate\ncolony session activate --foreground\n"},
    {"deactivate", session_deactivate, false, "", 0, 0, session_place_options,
     "stop those with shutdown=1, leave the others, and end the session's supervisor",
     "colony session deactivate\n"},
    {"dependence", session_dependence, false, "add|remove|list", 1, 1, session_dependence_options,
     "say which process waits for which other one, and in which state",
     "colony session dependence add --parent master.tws:operative --child master.trader\n"
     "colony session dependence add --parent db,master.tws:operative --child web --on-loss stop\n"
     "colony session dependence remove --parent master.tws --child master.trader\n"
     "colony session dependence list\n"},
    {"show", session_show, false, "", 0, 0, session_show_options,
     "show all processes of the session",
     "colony session show\ncolony session show --graph\ncolony session show --json\n"},
    {"status", session_status, false, "[PROCESS]", 0, 1, session_status_options,
     "tell more of one process, or a line of each; exit 3: it does not run",
     "colony session status\ncolony session status master.tws\n"},
    {"log", session_log, false, "[PROCESS...]", 0, COLONY_OPERANDS_ANY, session_log_options,
     "print what processes have written",
     "colony session log master.tws -n 20\ncolony session log -f\ncolony session log --err db\n"},
    {"gc", session_gc, false, "", 0, 0, session_gc_options,
     "remove files that nothing has a use for",
     "colony session gc --dry-run\ncolony session gc\n"},
};
/* clang-format on */

COLONY_DEFINE_CHILD(get_action, actions)

const struct colony_usage colony_session_usage = {
    .command = "colony session",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Keep related processes together in a working directory.\n"
               "`colony session ACTION --help` tells more of each action.",
    .examples =
        "colony session init\n"
        "colony session start --uri 'exec:///usr/bin/redis-server?--port&7000' --alias cache\n"
        "colony session stop cache\n",
    .options = session_place_options,
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_action,
    .children = "actions",
};

/* Of files in etc that cannot be used. */
static void warn(const char *line, void *data)
{
    (void)data;
    colony_options_complain(&colony_session_usage, "%s", line);
}

int session_fail(int exit_code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    colony_options_complain_args(&colony_session_usage, format, args);
    va_end(args);
    return exit_code;
}

int session_fail_error(const struct colony_error *err)
{
    return session_fail(colony_error_info(err->code)->exit_code, "%s", err->message);
}

static int fail_place(const struct colony_error *err)
{
    return session_fail(EXIT_NO_SUCH_NAME,
                        "%s: `colony session init` makes one, and -C DIR tells which",
                        err->message);
}

int colony_cmd_session(int argc, char **argv)
{
    static struct session session; /* options may be many */
    static char program[] = "/proc/self/exe";
    struct colony_error err = {0};
    int action;
    int exit_code;
    int rc;

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    session.open.problem = warn;
    session.open.program = program;
    session.timeout_ms = UINT64_MAX;
    session.lines = UINT64_MAX;
    if (!colony_options_parse(&colony_session_usage, &session, &argc, argv, &exit_code))
        return exit_code;
    action = colony_options_choose_child(&colony_session_usage, argc, argv, &exit_code);
    if (action < 0)
        return exit_code;
    argc--;
    argv++;
    if (!colony_options_parse_child(&colony_session_usage, (size_t)action, &session, &argc, argv,
                                    &exit_code))
        return exit_code;
    if (!actions[action].makes_workspace &&
        (rc = colony_workspace_open(&session.open.workspace, session.folder, &err)) < 0)
        return rc == -ENOENT ? fail_place(&err) : session_fail_error(&err);
    exit_code = actions[action].run(&session, argc, argv);
    colony_workspace_close(session.open.workspace);
    return exit_code;
}
