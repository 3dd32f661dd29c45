/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_upgrade.c - whether what is installed now can go on where we are. It is asked itself,
 * before the exec after which there is no way back: as a job, so that one that hangs hangs alone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/job.h"

enum {
    CHECK_MS = 5000,
    OUTPUT_MAX = 400,
};

struct check {
    const char *program; /* the engine's */
    colony_upgrade_check_cb cb;
    void *data;
};

/* 1: it is in a folder that we may not look into under `user:`; only the keeper can tell. */
static int find_program(const struct colony_keeper_options *keeper)
{
    struct stat info;

    if (stat(keeper->program, &info) < 0)
        return keeper->has_user && errno == EACCES ? 1 : -errno;
    if (!S_ISREG(info.st_mode))
        return -EACCES;
    return access(keeper->program, X_OK) < 0 ? -errno : 0; /* the next engine is who we are */
}

static void on_checked(const struct colony_job_end *end, void *data)
{
    struct check check = *(struct check *)data;
    struct colony_error err = {0};
    int length = (int)strcspn(end->output, "\r\n");
    int rc = 0;

    free(data);
    if (end->is_cancelled)
        rc = colony_fail(&err, -ESHUTDOWN, "cannot upgrade: colony is ending");
    else if (end->exit_status != 0)
        rc = colony_fail(&err, -EIO,
                         "cannot upgrade: %s cannot go on here: %.100s%s%.*s: mend that, or "
                         "install one that can",
                         check.program, end->why, length > 0 ? ": " : "", length, end->output);
    check.cb(rc, &err, check.data);
}

static int ask_program(struct colony_engine *engine, const struct check *wanted,
                       struct colony_error *err)
{
    struct colony_keeper_options options = *engine->keeper;
    struct colony_job_wish wish = {.label = "upgrade",
                                   .output_max = OUTPUT_MAX,
                                   .has_errors = true,
                                   .timeout_ms = CHECK_MS,
                                   .cb = on_checked};
    struct check *check = malloc(sizeof *check);
    struct colony_job *job;
    char **argv;
    int rc;

    options.is_check = true;
    argv = colony_keeper_options_argv(&options, "keeper");
    if (!check || !argv) {
        free(check);
        free(argv);
        return colony_fail(err, -ENOMEM, "cannot upgrade: out of memory");
    }
    *check = *wanted;
    argv[0] = options.program;
    wish.argv = argv;
    wish.data = check;
    rc = colony_job_run(&job, engine, &wish, err);
    if (rc < 0)
        free(check);
    free(argv);
    return rc;
}

int colony_engine_check_upgrade(struct colony_engine *engine, colony_upgrade_check_cb cb,
                                void *data, struct colony_error *err)
{
    const char *program = engine->keeper->program;
    const struct check check = {.program = program, .cb = cb, .data = data};
    int rc;

    if (engine->is_stopping)
        return colony_fail(err, -ESHUTDOWN, "cannot upgrade: colony is ending");
    rc = find_program(engine->keeper);
    if (rc < 0)
        return colony_fail(err, -EIO, "cannot upgrade: cannot run %s: %s: install colony there",
                           program, strerror(-rc));
    if (rc == 0)
        return ask_program(engine, &check, err);
    cb(0, NULL, data);
    return 0;
}
