/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c - `colony engine`: the engine and the front-ends on one loop, started by the keeper. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <uv.h>

#include "api/daemon.h"
#include "api/http.h"
#include "api/juggler.h"
#include "api/webhooks.h"
#include "commands.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/front.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "core/settings.h"
#include "core/state_dir.h"
#include "fsctl/files.h"
#include "rpc/rpc.h"
#include "session/session.h"
#include "title.h"

/* The front-ends. One more is one more row. */
static const struct colony_front *const controllers[] = {
    &colony_http_front,    &colony_files_front, &colony_daemon_front,  &colony_webhooks_front,
    &colony_juggler_front, &colony_rpc_front,   &colony_session_front,
};

enum {
    CONTROLLER_COUNT = sizeof controllers / sizeof controllers[0],
    RETRY_MS = 1000, /* a front-end that could not start */
};

struct program {
    uv_loop_t loop;
    uv_signal_t terminate;
    uv_work_t first_work;
    struct colony_keeper_options keeper;
    struct colony_settings *settings;
    struct colony_engine *engine;
    void *running[CONTROLLER_COUNT];
    bool is_started[CONTROLLER_COUNT];
    uv_timer_t retry;
    size_t to_close;
    bool is_ending;
    int exit_code;
};

static void on_engine_closed(void *data)
{
    struct program *program = data;

    uv_stop(&program->loop);
}

static void on_controller_closed(void *data)
{
    struct program *program = data;

    if (--program->to_close == 0)
        colony_engine_close(program->engine, program->exit_code, on_engine_closed, program);
}

/* Front-ends first, so that nobody asks for anything any more; then the engine. */
static void end(struct program *program, int exit_code)
{
    if (program->is_ending)
        return;
    program->is_ending = true;
    program->exit_code = exit_code;
    uv_close((uv_handle_t *)&program->terminate, NULL);
    uv_close((uv_handle_t *)&program->retry, NULL);
    program->to_close = 1;
    for (size_t i = 0; i < CONTROLLER_COUNT; i++) {
        if (!program->running[i])
            continue;
        program->to_close++;
        controllers[i]->stop(program->running[i]);
        controllers[i]->close(program->running[i], on_controller_closed, program);
    }
    on_controller_closed(program);
}

/* What is wrong here was wrong in the settings. */
static int exit_code_of(int rc)
{
    if (rc == -EINVAL || rc == -EBADMSG)
        return EXIT_BAD_CONFIG;
    return (int)colony_error_info(rc)->exit_code;
}

static int start_controller(struct program *program, size_t i, struct colony_error *err)
{
    int rc = 0;

    if (!program->running[i])
        rc = controllers[i]->create(&program->running[i], program->engine, program->settings, err);
    if (rc == 0)
        rc = controllers[i]->start(program->running[i], err);
    program->is_started[i] = rc == 0;
    return rc;
}

static void retry_controllers(uv_timer_t *timer)
{
    struct program *program = timer->data;
    bool is_done = true;

    for (size_t i = 0; i < CONTROLLER_COUNT; i++)
        if (!program->is_started[i] && start_controller(program, i, NULL) < 0)
            is_done = false;
    if (!is_done)
        return;
    (void)uv_timer_stop(timer);
    colony_log(SEVERITY_INFO, "serves at last");
}

/*
 * A front-end that cannot start keeps a new colony from starting; where processes were taken over
 * they matter more, and it is tried again.
 */
static void on_welcome(void *data)
{
    struct program *program = data;
    struct colony_error err = {0};

    for (size_t i = 0; i < CONTROLLER_COUNT && !program->keeper.is_orphaned; i++) {
        int rc = start_controller(program, i, &err);

        if (rc == 0)
            continue;
        if (colony_engine_has_history(program->engine)) {
            colony_log(SEVERITY_ERROR, "%s; it is tried again each second", err.message);
            (void)uv_timer_start(&program->retry, retry_controllers, RETRY_MS, RETRY_MS);
            continue;
        }
        colony_log(SEVERITY_ERROR, "%s", err.message);
        program->exit_code = exit_code_of(rc);
        colony_engine_shutdown(program->engine, "a front-end that cannot start");
        return;
    }
    colony_engine_ready(program->engine);
    colony_log(SEVERITY_INFO, "serves");
}

static void on_stopped(void *data)
{
    struct program *program = data;

    end(program,
        program->exit_code ? program->exit_code : colony_engine_exit_code(program->engine));
}

static void on_reloaded(int rc, const struct colony_error *err,
                        const struct colony_reload_step *steps, size_t count, void *data)
{
    (void)data;
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "keeps the settings it has: %s", err->message);
    for (size_t i = 0; rc == 0 && i < count; i++)
        colony_log(SEVERITY_INFO, "%s %s: %s", colony_reload_action_name(steps[i].action),
                   steps[i].name, steps[i].text);
}

static void on_reload(void *data)
{
    struct program *program = data;
    struct colony_error err;

    if (colony_engine_reload(program->engine, false, "SIGHUP", on_reloaded, NULL, &err) == 0)
        return;
    colony_log(SEVERITY_ERROR, "%s", err.message);
    colony_engine_tell_reloaded(program->engine, err.message);
}

static void on_lost(void *data)
{
    struct program *program = data;
    struct colony_error err;

    if (colony_engine_become_keeper(program->engine, &err) < 0)
        colony_log(SEVERITY_ERROR, "%s", err.message);
    _exit(EXIT_FAILED); /* what is in the pipes and in the table waits for the next engine */
}

/* Another engine is told all that this one could not keep. */
static void on_fatal(void *data)
{
    (void)data;
    _exit(EXIT_FAILED);
}

static void on_terminate(uv_signal_t *handle, int signo)
{
    struct program *program = handle->data;

    (void)signo;
    colony_engine_shutdown(program->engine, "a signal to the engine");
}

/* What was applied last; should that be damaged, the file it came from is better than no engine. */
static int load_settings(struct program *program, struct colony_error *err)
{
    const char *state = program->keeper.state_dir;
    const char *file = program->keeper.config;
    int rc = colony_state_dir_load_settings(state, &program->settings, err);

    if (rc == 0 || rc == -ENOMEM || !file[0])
        return rc;
    colony_log(SEVERITY_ERROR, "cannot go on with %s/settings.json: %s: reads %s again", state,
               err->message, file);
    return colony_settings_load(&program->settings, file, err);
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static int run(struct program *program, struct colony_error *err)
{
    struct colony_engine_options options = {
        .keeper = &program->keeper,
        .callbacks = {.welcome = on_welcome,
                      .stopped = on_stopped,
                      .reload = on_reload,
                      .lost = on_lost,
                      .fatal = on_fatal,
                      .data = program},
    };
    int rc = uv_loop_init(&program->loop);

    if (rc < 0)
        return colony_fail(err, rc, "cannot start: %s", uv_strerror(rc));
    rc = load_settings(program, err);
    options.settings = program->settings;
    options.leaves = rc == 0 && program->settings->session.dir != NULL;
    if (rc == 0)
        rc = colony_engine_new(&program->engine, &program->loop, &options, err);
    if (rc < 0)
        return rc;
    (void)uv_signal_init(&program->loop, &program->terminate);
    program->terminate.data = program;
    (void)uv_timer_init(&program->loop, &program->retry);
    program->retry.data = program;
    (void)uv_signal_start(&program->terminate, on_terminate, SIGTERM);
    /* libuv aborts when its threads cannot be started: not in the middle of somebody's request. */
    (void)uv_queue_work(&program->loop, &program->first_work, do_nothing, NULL);
    (void)uv_run(&program->loop, UV_RUN_DEFAULT);
    colony_settings_free(program->settings);
    return 0;
}

int colony_cmd_engine(int argc, char **argv)
{
    static struct program program; /* too large for the stack */
    struct colony_error err = {0};
    int rc;

    if (colony_keeper_options_parse(&program.keeper, argc, argv, &err) < 0 ||
        program.keeper.link_fd < 0) {
        (void)fprintf(stderr, "colony engine: cannot run: this command is for colony's own use, "
                              "start `colony serve`\n");
        return EXIT_USAGE;
    }
    if (program.keeper.title[0] != '\0')
        title_hide_arguments(argc - 1, argv + 1);
    colony_log_init("engine", (enum colony_log_severity)program.keeper.log_level,
                    (enum colony_log_style)program.keeper.log_style);
    colony_log_set_name(program.keeper.name);
    (void)prctl(PR_SET_NAME, "colony", 0, 0, 0); /* it was run as /proc/self/exe */
    (void)signal(SIGPIPE, SIG_IGN);
    rc = run(&program, &err);
    if (rc < 0) {
        colony_log(SEVERITY_ERROR, "%s", err.message);
        return exit_code_of(rc);
    }
    return program.exit_code;
}
