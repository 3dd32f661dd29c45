/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - finds the subcommand: by name, by the name of a symlink, or on PATH. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "core/error.h"
#include "core/features.h"
#include "core/log.h"
#include "core/template.h"
#include "options.h"

#define PREFIX "colony-" /* of symlinks and of commands on PATH */

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const struct colony_usage *usage; /* NULL, or without a summary: hidden */
    const char *help;
};

static const struct colony_usage help_usage;
static const struct colony_usage version_usage;

/* clang-format off */
static const struct command commands[] = {
    {"app",        colony_cmd_app,        &colony_app_usage,        "run the application of a Procfile"},
    {"beat",       colony_cmd_beat,       &colony_beat_usage,       "touch a heart: tell that a program lives"},
    {"beatcheck",  colony_cmd_beatcheck,  &colony_beatcheck_usage,  "have ncolony's processes restarted that do not beat"},
    {"check",      colony_cmd_check,      &colony_check_usage,      "validate a configuration"},
    {"complete",   colony_cmd_complete,   NULL,                     "called by what completion prints"},
    {"completion", colony_cmd_completion, &colony_completion_usage, "print what completes commands in your shell"},
    {"ctl",        colony_cmd_ctl,        &colony_ctl_usage,        "control a running colony"},
    {"engine",     colony_cmd_engine,     NULL,                     "started by keeper"},
    {"event",      colony_cmd_event,      &colony_event_usage,      "send events to daemons"},
    {"events",     colony_cmd_events,     &colony_events_usage,     "serve events and status alone"},
    {"files",      colony_cmd_files,      &colony_files_usage,      "serve the files of two directories alone"},
    {"help",       cmd_help,              &help_usage,              "tell more of a command"},
    {"http",       colony_cmd_http,       &colony_http_usage,       "serve control over HTTP alone"},
    {"httpcheck",  colony_cmd_httpcheck,  &colony_httpcheck_usage,  "have ncolony's processes restarted that do not answer"},
    {"keeper",     colony_cmd_keeper,     NULL,                     "started by serve"},
    {"rpc",        colony_cmd_rpc,        &colony_rpc_usage,        "ask daemons over ZeroMQ, and make a program one"},
    {"rpc-program", colony_cmd_rpc_program, NULL,                   "started by rpc serve"},
    {"schedule",   colony_cmd_schedule,   &colony_schedule_usage,   "run a command again and again"},
    {"serve",      colony_cmd_serve,      &colony_serve_usage,      "keep processes alive"},
    {"session",    colony_cmd_session,    &colony_session_usage,    "keep related processes in a working directory"},
    {"top",        colony_cmd_top,        &colony_top_usage,        "show what runs, live"},
    {"version",    cmd_version,           &version_usage,           "print the version"},
};
/* clang-format on */

enum {
    COMMAND_COUNT = sizeof commands / sizeof commands[0],
};

struct global {
    bool wants_version;
};

static const struct colony_option global_options[] = {
    {"version", 'V', NULL, "print the version and exit", OPTION_FLAG,
     offsetof(struct global, wants_version), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};

static bool get_command(size_t index, struct colony_usage *child)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct colony_usage *usage = commands[i].usage;

        if (!usage || !usage->summary || index-- > 0)
            continue;
        *child = (struct colony_usage){
            .command = commands[i].name,
            .arguments = usage->arguments,
            .summary = commands[i].help,
            .examples = usage->examples,
            .options = usage->options,
            .child = usage->child,
        };
        return true;
    }
    return false;
}

const struct colony_usage colony_usage = {
    .command = "colony",
    .arguments = "COMMAND [ARGUMENT...]",
    .summary = "Keep processes alive and control them. `colony COMMAND --help` tells more of each "
               "command.",
    .examples = "colony serve --config colony.yaml\n"
                "colony ctl ps\n"
                "colony help ctl\n",
    .options = global_options,
    .operands_max = COLONY_OPERANDS_ANY,
    .child = get_command,
    .children = "commands",
};

static const struct colony_usage help_usage = {
    .command = "colony help",
    .arguments = "[COMMAND...]",
    .summary = "Tell what there is, or more of a command or of an action of it: its manual page,\n"
               "where that is installed, else what --help tells.",
    .examples = "colony help\ncolony help serve\ncolony help ctl logs\n",
    .operands_max = COLONY_OPERANDS_ANY,
};

static const struct colony_usage version_usage = {
    .command = "colony version",
    .arguments = "",
    .summary = "Print the version.",
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Becomes `colony-NAME` if there is one on PATH; returns if not. */
static void try_path(char **argv)
{
    char *own_name = argv[0];
    char program[256];
    int used = snprintf(program, sizeof program, PREFIX "%s", argv[0]);

    if (strchr(argv[0], '/') || used < 0 || (size_t)used >= sizeof program)
        return;
    argv[0] = program;
    (void)execvp(program, argv);
    argv[0] = own_name;
}

/* @argv[0] is the command's name and argv ends with NULL. */
static int run_command(int argc, char **argv)
{
    const struct command *command = find_command(argv[0]);

    if (command)
        return command->run(argc, argv);
    try_path(argv);
    colony_options_complain_of_child(&colony_usage, argv[0]);
    return EXIT_USAGE;
}

static int print_version(void)
{
    const char *left_out = colony_left_out();

    if (*left_out != '\0')
        printf("colony %s (without %s)\n", COLONY_VERSION, left_out);
    else
        printf("colony %s\n", COLONY_VERSION);
    return EXIT_OK;
}

static int cmd_version(int argc, char **argv)
{
    int exit_code;

    if (!colony_options_parse(&version_usage, NULL, &argc, argv, &exit_code))
        return exit_code;
    return print_version();
}

/* Becomes man(1), if it is here and the page of @command is installed; returns if not. */
static void try_manual(const char *command)
{
    char page[128];
    char path[sizeof COLONY_PREFIX + sizeof page + 32];
    const char *const endings[] = {".1.gz", ".1"};

    (void)snprintf(page, sizeof page, PREFIX "%.80s", command);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        (void)snprintf(path, sizeof path, COLONY_PREFIX "/share/man/man1/%s%s", page, endings[i]);
        if (access(path, R_OK) == 0)
            (void)execlp("man", "man", path, (char *)NULL);
    }
}

/* `help X` opens its page, else it is `X --help`, as `help X Y` is `X Y --help`. */
static int cmd_help(int argc, char **argv)
{
    static char help[] = "--help";
    int exit_code;

    if (!colony_options_parse(&help_usage, NULL, &argc, argv, &exit_code))
        return exit_code;
    if (argc == 1) {
        colony_options_help(&colony_usage);
        return EXIT_OK;
    }
    if (argc == 2 && find_command(argv[1]))
        try_manual(argv[1]);
    for (int i = 1; i < argc; i++)
        argv[i - 1] = argv[i];
    argv[argc - 1] = help;
    return run_command(argc, argv);
}

/* Else the first file that is opened would become our output. Such output then fails. */
static void reserve_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
            _exit(EXIT_FAILED);
}

static bool has_reader(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&output, 1, 0) != 1 || !(output.revents & POLLERR);
}

/* Output that was lost is a failure, whatever the command thought of it. Whose reader has had
 * enough (`| head`) ends without a word, as any other program does. */
static int flush_output(int exit_code)
{
    bool has_failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !has_failed)
        return exit_code;
    if (!has_reader()) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)raise(SIGPIPE);
    }
    colony_options_complain(&colony_usage, "cannot write to standard output: %s",
                            errno != 0 ? strerror(errno) : "what was written before is lost");
    return exit_code == EXIT_OK ? EXIT_FAILED : exit_code;
}

static int run_global(int argc, char **argv)
{
    struct global global = {false};
    int exit_code;

    if (!colony_options_parse(&colony_usage, &global, &argc, argv, &exit_code))
        return exit_code;
    if (global.wants_version)
        return print_version();
    if (argc < 2) {
        colony_options_complain(&colony_usage, "which command? see colony --help");
        return EXIT_USAGE;
    }
    return run_command(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    const char *slash;
    char *own_name;

    if (argc < 1)
        return EXIT_USAGE;
    reserve_standard_descriptors();
    colony_log_init("colony", SEVERITY_INFO, LOG_STYLE_TEXT);
    slash = strrchr(argv[0], '/');
    own_name = slash ? argv[0] + (slash + 1 - argv[0]) : argv[0];
    if (strncmp(own_name, PREFIX, strlen(PREFIX)) == 0 && find_command(own_name + strlen(PREFIX))) {
        argv[0] = own_name + strlen(PREFIX);
        return flush_output(run_command(argc, argv));
    }
    return flush_output(run_global(argc, argv));
}
