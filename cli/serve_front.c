/* SPDX-License-Identifier: Apache-2.0 */
/*
 * serve_front.c - `colony http`, `colony events` and `colony files`: `colony serve` with that one
 * front-end and its options, whatever others the settings ask for (DESIGN §6). The control socket
 * is there always: without it nobody could end it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "core/settings.h"
#include "options.h"
#include "serve_internal.h"

/* An option that is of one front-end. */
struct front_option {
    const char *name;
    enum serve_front front; /* whose it is; FRONT_ANY: of none that is served alone */
    bool is_given;
};

static int check_options(const struct serve *serve, struct colony_error *err)
{
    const struct front_option options[] = {
        {"bind", FRONT_HTTP, serve->bind.count > 0},
        {"certfile", FRONT_HTTP, serve->certfile != NULL},
        {"tokens", FRONT_HTTP, serve->tokens != NULL},
        {"events", FRONT_EVENTS, serve->events != NULL},
        {"conf", FRONT_FILES, serve->conf != NULL},
        {"messages", FRONT_FILES, serve->messages != NULL},
        {"rpc", FRONT_ANY, serve->rpc != NULL},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].front != serve->front && options[i].is_given)
            return colony_fail(err, -EINVAL,
                               "cannot use --%s here: this serves one front-end alone; `colony "
                               "serve` takes any mix",
                               options[i].name);
    return 0;
}

/* What a front-end that is not served was to listen on or read. */
static void drop_files(struct colony_files_settings *files)
{
    free(files->config);
    free(files->messages);
    free(files->pid);
    files->config = files->messages = files->pid = NULL;
}

int serve_apply_front(struct colony_settings *settings, const struct serve *serve,
                      struct colony_error *err)
{
    int rc = 0;

    if (serve->front == FRONT_ANY)
        return 0;
    settings->rpc.is_wanted = false;
    settings->master.is_wanted = serve->front == FRONT_EVENTS;
    if (serve->front == FRONT_FILES && !settings->directories.config && !serve->conf)
        return colony_fail(err, -EINVAL,
                           "cannot serve files: give two directories, CONFIG and "
                           "MESSAGES");
    if (serve->front != FRONT_FILES)
        drop_files(&settings->directories);
    if (serve->front != FRONT_HTTP)
        rc = colony_http_set_no_tcp(&settings->http);
    return rc < 0 ? colony_fail_os(err, rc, "cannot start") : 0;
}

const struct colony_usage colony_http_usage = {
    .command = "colony http",
    .arguments = "[ADDR...]",
    .summary =
        "Keep processes alive, controlled over HTTP alone: as `colony serve` without events,\n"
        "files and RPC, whatever the settings say. ADDR is HOST:PORT or unix:PATH, as of\n"
        "--bind.",
    .examples = "colony http --config colony.yaml\n"
                "colony http --config colony.yaml 127.0.0.1:5001 unix:/run/app/control.sock\n",
    .options = serve_options,
    .operands_max = COLONY_OPTION_LIST_MAX,
};

const struct colony_usage colony_events_usage = {
    .command = "colony events",
    .arguments = "[ADDR]",
    .summary =
        "Take events and tell the status, HTTP and UDP, and nothing else: as `colony serve\n"
        "--events ADDR --bind none`. ADDR is HOST:PORT or PORT; without it, what the settings\n"
        "say, else [::]:5151.",
    .examples = "colony events --state ./state 127.0.0.1:5151\n"
                "colony events --config daemon.yaml\n",
    .options = serve_options,
    .operands_max = 1,
};

const struct colony_usage colony_files_usage = {
    .command = "colony files",
    .arguments = "[CONFIG MESSAGES]",
    .summary = "Run what the files of the directory CONFIG say and do what those of MESSAGES ask\n"
               "for, as ncolony does, and nothing else: as `colony serve --conf CONFIG --messages\n"
               "MESSAGES --bind none`.",
    .examples = "colony files --create ./conf ./messages\n"
                "colony files --config colony.yaml\n",
    .options = serve_options,
    .operands_max = 2,
};

static int take_addresses(struct serve *serve, int count, char **addresses,
                          struct colony_error *err)
{
    for (int i = 0; i < count; i++) {
        if (serve->bind.count == COLONY_OPTION_LIST_MAX)
            return colony_fail(err, -E2BIG, "cannot listen: %d addresses at most",
                               COLONY_OPTION_LIST_MAX);
        serve->bind.items[serve->bind.count++] = addresses[i];
    }
    return 0;
}

/* What the operands say, as options do. */
static int take_operands(struct serve *serve, int count, char **operands, struct colony_error *err)
{
    switch (serve->front) {
    case FRONT_HTTP:
        return take_addresses(serve, count, operands, err);
    case FRONT_EVENTS:
        if (count > 0 && serve->events)
            return colony_fail(err, -EINVAL, "cannot use both --events %s and %s", serve->events,
                               operands[0]);
        if (count > 0)
            serve->events = operands[0];
        return 0;
    case FRONT_FILES:
        if (count == 1)
            return colony_fail(err, -EINVAL,
                               "cannot use %s alone: give CONFIG and MESSAGES, two directories",
                               operands[0]);
        if (count == 2 && (serve->conf || serve->messages))
            return colony_fail(err, -EINVAL, "cannot use %s: --%s was given too", operands[0],
                               serve->conf ? "conf" : "messages");
        if (count == 2) {
            serve->conf = operands[0];
            serve->messages = operands[1];
        }
        return 0;
    case FRONT_ANY:
        break;
    }
    return 0;
}

static int serve_alone(enum serve_front front, const struct colony_usage *usage, int argc,
                       char **argv)
{
    static struct serve serve; /* too large for the stack */
    struct colony_error err = {0};
    int exit_code;
    int rc;

    serve_init(&serve);
    serve.front = front;
    if (!colony_options_parse(usage, &serve, &argc, argv, &exit_code))
        return exit_code;
    rc = take_operands(&serve, argc - 1, argv + 1, &err);
    if (rc == 0)
        rc = check_options(&serve, &err);
    if (rc == 0)
        rc = serve_check_options(&serve, &err);
    if (rc < 0) {
        colony_options_complain(usage, "%s", err.message);
        return EXIT_USAGE;
    }
    return serve_run(&serve, usage);
}

int colony_cmd_http(int argc, char **argv)
{
    return serve_alone(FRONT_HTTP, &colony_http_usage, argc, argv);
}

int colony_cmd_events(int argc, char **argv)
{
    return serve_alone(FRONT_EVENTS, &colony_events_usage, argc, argv);
}

int colony_cmd_files(int argc, char **argv)
{
    return serve_alone(FRONT_FILES, &colony_files_usage, argc, argv);
}
