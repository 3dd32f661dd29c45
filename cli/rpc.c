/* SPDX-License-Identifier: Apache-2.0 */
/* rpc.c - `colony rpc ACTION`: asks daemons over ZeroMQ, and makes a program one. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "core/target.h"
#include "rpc_internal.h"

struct rpc_action {
    const char *name;
    rpc_action_cb run;
    const char *arguments;
    int operands_min;
    int operands_max;
    const struct colony_option *options;
    const char *help;
    const char *examples;
};

/* clang-format off */
#define AT(field) offsetof(struct rpc, field)

#define REACH \
    {"timeout",    0, "SECONDS", "wait so long only (exit 75); as long as it takes unless given", OPTION_DURATION, AT(timeout_ms), NULL}, \
    {"ssh-option", 0, "K=V",     "NAME:HOST: an option for ssh, as ssh_config(5) has it; may repeat", OPTION_PAIRS, AT(ssh_options), NULL}, \
    {"key",        0, "FILE",    "our keys, where the daemon wants some; default that of keygen", OPTION_TEXT, AT(key_file), NULL}, \
    {"server-key", 0, "KEY",     "HOST:PORT: the public key of the daemon there",            OPTION_TEXT, AT(server_key), NULL}
#define JSON {"json", 0, NULL, "print JSON", OPTION_FLAG, AT(is_json), NULL}
#define END {NULL, 0, NULL, NULL, OPTION_END, 0, NULL}

/* Those of most actions, which may stand before them, too. */
static const struct colony_option rpc_options[] = {REACH, END};
static const struct colony_option ask_options[] = {JSON, REACH, END};
static const struct colony_option call_options[] = {
    {"param", 'p', "K=V", "a parameter by its name, instead of ARG; may repeat", OPTION_PAIRS, AT(params), NULL},
    JSON, REACH, END,
};
static const struct colony_option tell_options[] = {REACH, END};
static const struct colony_option list_options[] = {JSON, END};
static const struct colony_option no_options[] = {END};

static const struct colony_option serve_options[] = {
    {"name",     0, "NAME",    "what clients find it by; default the program's name",              OPTION_TEXT,   AT(name), NULL},
    {"port",     0, "PORT",    "instead of the first free one of 51000 to 51100",                  OPTION_NUMBER, AT(port), NULL},
    {"bind",     0, "HOST",    "the address; default 127.0.0.1, with --keys 0.0.0.0",              OPTION_TEXT,   AT(bind), NULL},
    {"daemon",   0, NULL,      "go to the background once it serves",                              OPTION_FLAG,   AT(goes_to_background), NULL},
    {"pidfile",  0, "FILE",    "write the pid of colony to FILE",                                  OPTION_TEXT,   AT(pidfile), NULL},
    {"pst",      0, "K=V",     "where attributes pst... are saved, in the words of rpc: {pst: ...}; may repeat", OPTION_LIST, AT(pst), NULL},
    {"state",    0, "DIR",     "keep state in DIR; default one of its name in the user's state folder", OPTION_TEXT, AT(state), NULL},
    {"keys",     0, "FILE",    "its keys (keygen): who connects needs some, too; with --allow",    OPTION_TEXT,   AT(keys), NULL},
    {"allow",    0, "FILE",    "the public keys of those who may, each NAME read|control KEY",     OPTION_TEXT,   AT(allow), NULL},
    {"insecure", 0, NULL,      "let anybody control it from other machines, without keys",         OPTION_FLAG,   AT(is_insecure), NULL},
    {"log-file", 0, "FILE",    "write colony's own log to FILE",                                   OPTION_TEXT,   AT(log_file), NULL},
    END,
};

enum { ANY = COLONY_OPERANDS_ANY };

static const struct rpc_action actions[] = {
    {"get",    rpc_get,    "DAEMON ATTRIBUTE",         2, 2,   ask_options,  "print an attribute",
     "colony rpc get MessageDaemon pst_counter\ncolony rpc get MessageDaemon:web1 uptime --timeout 5\n"},
    {"set",    rpc_set,    "DAEMON ATTRIBUTE VALUE",   3, 3,   tell_options, "set an attribute to VALUE, JSON or a word",
     "colony rpc set MessageDaemon pst_counter 0\n"},
    {"call",   rpc_call,   "DAEMON METHOD [ARG...]",   2, ANY, call_options, "call a method; each ARG is JSON or a word",
     "colony rpc call MessageDaemon insert_message 'hello world'\ncolony rpc call 127.0.0.1:51000 stop\n"},
    {"dir",    rpc_dir,    "DAEMON",                   1, 1,   ask_options,  "list its attributes and methods",
     "colony rpc dir MessageDaemon\n"},
    {"doc",    rpc_doc,    "DAEMON [METHOD]",          1, 2,   ask_options,  "tell what it, or a method of it, is for",
     "colony rpc doc MessageDaemon insert_message\n"},
    {"ls",     rpc_ls,     "",                         0, 0,   list_options, "list the daemons that run here",
     "colony rpc ls\n"},
    {"stop",   rpc_stop,   "DAEMON",                   1, 1,   tell_options, "end it, and wait until it is gone",
     "colony rpc stop MessageDaemon\n"},
    {"lookup", rpc_lookup, "DAEMON",                   1, 1,   ask_options,  "tell where it is",
     "colony rpc lookup MessageDaemon --json\n"},
    {"serve",  rpc_serve,  "PROGRAM [ARG...]",         1, ANY, serve_options, "make a program a daemon: it talks JSON on its input and output; -- before one with options",
     "colony rpc serve --name MessageDaemon -- ./message_daemon.py\ncolony rpc serve --port 51007 --daemon --pst frequency=10 -- ./message_daemon.py\n"},
    {"keygen", rpc_keygen, "[FILE]",                   0, 1,   no_options,   "make a pair of keys, and print the public one",
     "colony rpc keygen\ncolony rpc keygen /etc/colony/daemon.key\n"},
};
/* clang-format on */

COLONY_DEFINE_CHILD(get_action, actions)

const struct colony_usage colony_rpc_usage = {
    .command = "colony rpc",
    .arguments = "ACTION [ARGUMENT...]",
    .summary = "Ask daemons for their attributes, call their methods.\n"
               "`colony rpc ACTION --help` tells more of each action.",
    .examples = "colony rpc ls\n"
                "colony rpc call MessageDaemon insert_message 'hello world'\n"
                "colony rpc get MessageDaemon pst_counter\n"
                "colony rpc stop MessageDaemon\n",
    .options = rpc_options,
    .operands_min = 1,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_action,
    .children = "actions",
    .notes = "A DAEMON is NAME, NAME:PORT, NAME:HOST, NAME:HOST:PORT or HOST:PORT. NAME:HOST asks\n"
             "that host by ssh ($COLONY_SSH has another command than ssh).\n",
};

int rpc_fail(int exit_code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    colony_options_complain_args(&colony_rpc_usage, format, args);
    va_end(args);
    return exit_code;
}

int colony_cmd_rpc(int argc, char **argv)
{
    static struct rpc rpc; /* too large for the stack */
    int action;
    int exit_code;

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    rpc.timeout_ms = rpc.deadline_ms = rpc.port = UINT64_MAX;
    if (!colony_options_parse(&colony_rpc_usage, &rpc, &argc, argv, &exit_code))
        return exit_code;
    action = colony_options_choose_child(&colony_rpc_usage, argc, argv, &exit_code);
    if (action < 0)
        return exit_code;
    argc--;
    argv++;
    if (!colony_options_parse_child(&colony_rpc_usage, (size_t)action, &rpc, &argc, argv,
                                    &exit_code))
        return exit_code;
    if (rpc.timeout_ms != UINT64_MAX)
        rpc.deadline_ms = colony_target_now_ms() + rpc.timeout_ms;
    return actions[action].run(&rpc, argc, argv);
}
