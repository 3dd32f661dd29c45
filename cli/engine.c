/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.c - `colony engine`, started by the keeper: the engine of lib/life.c in a process of its
 * own, with all of colony's controllers.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <uv.h>

#include "commands.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "lib/built_in_internal.h"
#include "lib/controllers_internal.h"
#include "lib/life_internal.h"
#include "title.h"

struct program {
    struct colony_keeper_options keeper;
    struct colony *colony;
    uv_signal_t terminate;
    uv_work_t first_work;
};

/* Takes its keeper's place, if it may; what is in the pipes and in the table waits otherwise. */
static __attribute__((noreturn)) void on_lost(struct colony_engine *engine)
{
    struct colony_error err;

    if (colony_engine_become_keeper(engine, &err) < 0)
        colony_log(SEVERITY_ERROR, "%s", err.message);
    colony_log_finish();
    _exit(EXIT_FAILED);
}

/* The keeper starts another engine, and tells it all that this one could not keep. */
static __attribute__((noreturn)) void on_fatal(void)
{
    colony_log_finish();
    _exit(EXIT_FAILED);
}

static void leave_at_once(int exit_code, void *data)
{
    (void)data;
    colony_log_finish();
    _exit(exit_code);
}

/* libuv waits for its threads when the program ends, and one of them may never come back. */
static void on_stuck(void)
{
    (void)on_exit(leave_at_once, NULL);
}

static void on_terminate(uv_signal_t *handle, int signo)
{
    struct program *program = handle->data;

    (void)signo;
    colony_engine_stop(program->colony, "a signal to the engine");
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static int run(struct program *program, struct colony_error *err)
{
    static struct colony__child child = {.lost = on_lost, .fatal = on_fatal, .stuck = on_stuck};
    struct uv_loop_s *loop;
    int rc;

    child.options = &program->keeper;
    rc = colony__child_open(&program->colony, &child, NULL, err);
    if (rc < 0)
        return rc;
    /* What only stops the processes of a program that is gone serves nobody. */
    if (!program->keeper.is_orphaned)
        rc = colony__built_in_add_all(program->colony->controllers, err);
    loop = colony_engine_loop(program->colony);
    (void)uv_signal_init(loop, &program->terminate);
    program->terminate.data = program;
    (void)uv_signal_start(&program->terminate, on_terminate, SIGTERM);
    /* libuv aborts when its threads cannot be started: not in the middle of somebody's request. */
    (void)uv_queue_work(loop, &program->first_work, do_nothing, NULL);
    return rc < 0 ? rc : colony_engine_start(program->colony, err);
}

int colony_cmd_engine(int argc, char **argv)
{
    static struct program program; /* too large for the stack */
    struct colony_error err = {0};

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
    colony_log_never_wait();
    (void)prctl(PR_SET_NAME, "colony", 0, 0, 0); /* it was run as /proc/self/exe */
    (void)signal(SIGPIPE, SIG_IGN);
    if (run(&program, &err) < 0) {
        colony_log(SEVERITY_ERROR, "%s", err.message);
        return colony__exit_code_of(err.code);
    }
    (void)colony_engine_run(program.colony, NULL);
    return colony__exit_code(program.colony);
}
