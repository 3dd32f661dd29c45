/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedded.c - a program with engines in it, for test_embed.py: it says what happens on stdout, and
 * stops when it is told to on stdin.
 *
 *     embedded [own|shared] [OPTION=VALUE...]... [-- OPTION=VALUE...]...
 *
 * Each group of options is an engine: state, program, leaves, name, load (a file), text, http and
 * webhooks (any value: with their controllers), free (where it is freed before the end: start,
 * ready, event, post, stopped). `own`: each has a loop and a thread of its own; `shared`: all are
 * on one loop.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <colony.h>

enum { ENGINES_MAX = 8 };

struct program {
    int number;
    int argc;
    char **argv;
    struct colony *_Atomic colony;
    const char *free; /* where; NULL: at the end */
    pthread_t thread;
};

static struct program programs[ENGINES_MAX];
static int count;

static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)fflush(stdout);
}

static void on_child(int signo)
{
    static const char text[] = "SIGCHLD\n";

    (void)signo;
    if (write(STDOUT_FILENO, text, sizeof text - 1) < 0)
        _exit(1);
}

static void on_log(int severity, const char *text, void *data)
{
    (void)data;
    say("log %d %s\n", severity, text);
}

static void on_freed(void *data)
{
    const struct program *program = data;

    say("freed %d\n", program->number);
}

static void free_at(struct program *program, const char *place)
{
    if (program->free && strcmp(program->free, place) == 0)
        colony_engine_free(atomic_exchange(&program->colony, NULL), on_freed, program);
}

static void on_event(const char *evtype, const struct colony_msg *msg, void *data)
{
    (void)evtype, (void)msg;
    free_at(data, "event");
}

static void on_post(struct colony *colony, void *data)
{
    (void)colony;
    free_at(data, "post");
}

static void on_ready(struct colony *colony, void *data)
{
    struct program *program = data;

    say("ready %d\n", program->number);
    if (program->free)
        (void)colony_engine_post(colony, on_post, program);
    free_at(program, "ready");
}

static void on_stopped(struct colony *colony, const struct colony_error *error, void *data)
{
    struct program *program = data;

    (void)colony;
    say("stopped %d %d %s\n", program->number, error->code, error->message);
    free_at(program, "stopped");
}

static int set_option(struct colony *colony, const char *option, struct colony_error *err)
{
    static const struct {
        const char *name;
        enum colony_engine_option option;
    } texts[] = {{"state", COLONY_STATE},
                 {"program", COLONY_PROGRAM},
                 {"leaves", COLONY_LEAVES},
                 {"name", COLONY_NAME}};
    const char *value = strchr(option, '=') + 1;
    size_t length = (size_t)(value - 1 - option);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strlen(texts[i].name) == length && strncmp(texts[i].name, option, length) == 0)
            return colony_engine_set(colony, texts[i].option, value, err);
    if (strncmp(option, "load=", 5) == 0)
        return colony_engine_load(colony, value, err);
    if (strncmp(option, "text=", 5) == 0)
        return colony_engine_load_text(colony, value, strlen(value), err);
    if (strncmp(option, "webhooks=", 9) == 0)
        return colony_engine_add_controller(colony, colony_webhooks_controller(), NULL, err);
    return colony_engine_add_controller(colony, colony_http_controller(), NULL, err);
}

static int open_engine(struct program *program, uv_loop_t *loop)
{
    const struct colony_callbacks callbacks = {on_ready, on_stopped, program};
    struct colony_listener *listener;
    struct colony *colony = NULL;
    struct colony_error err;
    int rc = colony_engine_open(&colony, loop, &callbacks, &err);

    for (int i = 0; rc == 0 && i < program->argc; i++)
        if (strncmp(program->argv[i], "free=", 5) == 0)
            program->free = program->argv[i] + 5;
        else
            rc = set_option(colony, program->argv[i], &err);
    if (rc == 0 && program->free)
        rc = colony_subscribe(colony, "spawn", on_event, program, &listener, &err);
    if (rc == 0 && loop)
        rc = colony_engine_start(colony, &err);
    program->colony = colony;
    free_at(program, "start");
    if (rc < 0)
        say("failed %d %d %s\n", program->number, rc, err.message);
    return rc;
}

static void *run_one(void *data)
{
    struct program *program = data;
    struct colony_error err = {0};

    if (open_engine(program, NULL) == 0) {
        int rc = colony_engine_run(program->colony, &err);

        say("ran %d %d %s\n", program->number, rc, err.message);
    }
    return NULL;
}

static void *run_all(void *data)
{
    uv_loop_t loop;

    (void)data;
    if (uv_loop_init(&loop) < 0)
        return NULL;
    for (int i = 0; i < count; i++)
        (void)open_engine(&programs[i], &loop);
    (void)uv_run(&loop, UV_RUN_DEFAULT); /* ends when all of them have */
    for (int i = 0; i < count; i++)
        colony_engine_free(atomic_exchange(&programs[i].colony, NULL), on_freed, &programs[i]);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    say("loop %d\n", uv_loop_close(&loop));
    return NULL;
}

static void stop_all(void)
{
    for (int i = 0; i < count; i++)
        if (programs[i].colony)
            colony_engine_stop(programs[i].colony, "a word on stdin");
}

static void split(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (i == 0 || strcmp(argv[i], "--") == 0) {
            programs[count] = (struct program){.number = count, .argv = argv + i + (i > 0)};
            count++;
        } else {
            programs[count - 1].argc++;
        }
    programs[0].argc += argc > 0;
}

int main(int argc, char **argv)
{
    bool is_shared = argc > 1 && strcmp(argv[1], "shared") == 0;
    char line[64];

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, on_child);
    split(argc - 2, argv + 2);
    if (getenv("EMBEDDED_LOG"))
        colony_set_logger(on_log, NULL);
    for (int i = 0; i < (is_shared ? 1 : count); i++)
        if (pthread_create(&programs[i].thread, NULL, is_shared ? run_all : run_one, &programs[i]))
            return 1;
    while (fgets(line, sizeof line, stdin) && strcmp(line, "end\n") != 0)
        stop_all();
    for (int i = 0; i < (is_shared ? 1 : count); i++)
        (void)pthread_join(programs[i].thread, NULL);
    for (int i = 0; i < count && !is_shared; i++) /* not before nobody stops them any more */
        colony_engine_free(programs[i].colony, NULL, NULL);
    say("children %d\n", waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD ? 0 : 1);
    return 0;
}
