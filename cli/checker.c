/* SPDX-License-Identifier: Apache-2.0 */
#include "checker.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/log.h"
#include "fsctl/places.h"
#include "heart.h"
#include "options.h"

enum {
    INTERVAL_MS = 10000,
    INTERVAL_MIN_MS = 10,
};

/* clang-format off */
#define AT(field) offsetof(struct checker, field)
const struct colony_option colony_checker_options[] = {
    {"messages", 0, "DIR",     "the folder that messages go to",           OPTION_TEXT,     AT(messages),    NULL},
    {"config",   0, "DIR",     "the folder of the processes' files",       OPTION_TEXT,     AT(config),      NULL},
    {"freq",     0, "SECONDS", "how often to look at it, default 10",      OPTION_DURATION, AT(interval_ms), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};
/* clang-format on */

uint64_t checker_now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int checker_ask_restart(const struct checker *checker, const char *name)
{
    struct colony_error err = {0};
    char *text = NULL;
    int rc = colony_places_message(&text, "RESTART", "name", name, &err);

    if (rc == 0)
        rc = colony_places_send(checker->messages, text, &err);
    free(text);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot ask for a restart of %s: %s", name, err.message);
    return rc;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void work(uv_work_t *request)
{
    struct checker *checker = request->data;
    struct colony_error err = {0};

    checker->look_rc = checker->kind->look(checker, &err);
    (void)snprintf(checker->trouble, sizeof checker->trouble, "%s",
                   checker->look_rc < 0 ? err.message : "");
}

static void on_looked(uv_work_t *request, int status)
{
    struct checker *checker = request->data;

    checker->is_looking = false;
    if (status < 0 || checker->is_ending)
        return;
    if (checker->trouble[0] != '\0' && strcmp(checker->trouble, checker->told) != 0)
        colony_log(SEVERITY_ERROR, "%s", checker->trouble);
    memcpy(checker->told, checker->trouble, sizeof checker->told);
    if (checker->kind->looked)
        checker->kind->looked(checker);
}

/* One look after the other: on a disk that hangs they do not pile up. */
static void on_time(uv_timer_t *timer)
{
    struct checker *checker = timer->data;

    if (checker->is_looking)
        return;
    checker->work.data = checker;
    checker->is_looking = uv_queue_work(&checker->loop, &checker->work, work, on_looked) == 0;
}

/* --- its life --------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int signo)
{
    struct checker *checker = handle->data;

    (void)signo;
    if (checker->is_ending)
        return;
    checker->is_ending = true;
    uv_close((uv_handle_t *)&checker->timer, NULL);
    uv_close((uv_handle_t *)&checker->terminate, NULL);
    uv_close((uv_handle_t *)&checker->interrupt, NULL);
    colony_heart_stop(checker->heart);
    if (checker->kind->close)
        checker->kind->close(checker);
    if (checker->is_looking)
        uv_stop(&checker->loop); /* that may take for ever */
}

static void begin(struct checker *checker)
{
    struct colony_error err = {0};

    /* None of these fails. */
    (void)uv_timer_init(&checker->loop, &checker->timer);
    (void)uv_signal_init(&checker->loop, &checker->terminate);
    (void)uv_signal_init(&checker->loop, &checker->interrupt);
    checker->timer.data = checker->terminate.data = checker->interrupt.data = checker;
    (void)uv_signal_start(&checker->terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&checker->interrupt, on_signal, SIGINT);
    (void)uv_timer_start(&checker->timer, on_time, 0, checker->interval_ms);
    if (colony_heart_start(&checker->heart, &checker->loop, &err) < 0)
        colony_log(SEVERITY_ERROR, "%s", err.message);
}

static int fail(const struct checker *checker, const struct colony_error *err)
{
    colony_options_complain(checker->kind->usage, "%s", err->message);
    return err->code == -ENOENT ? EXIT_FAILED : (int)colony_error_info(err->code)->exit_code;
}

static int run(struct checker *checker)
{
    struct colony_error err = {0};
    int rc = uv_loop_init(&checker->loop);

    if (rc < 0) {
        (void)colony_fail_os(&err, rc, "cannot begin to check");
        return fail(checker, &err);
    }
    rc = checker->kind->open(checker, &err);
    if (rc < 0) {
        (void)uv_loop_close(&checker->loop);
        return fail(checker, &err);
    }
    begin(checker);
    (void)uv_run(&checker->loop, UV_RUN_DEFAULT);
    if (checker->is_looking)
        _exit(EXIT_OK); /* libuv would wait for its thread */
    (void)uv_loop_close(&checker->loop);
    checker->kind->free(checker);
    return EXIT_OK;
}

int checker_run(const struct checker_kind *kind, int argc, char **argv)
{
    struct checker checker = {
        .kind = kind, .interval_ms = INTERVAL_MS, .started_ms = checker_now_ms()};
    struct colony_error err = {0};
    int exit_code;

    if (!colony_options_parse(kind->usage, &checker, &argc, argv, &exit_code))
        return exit_code;
    if (!checker.messages || !checker.config) {
        colony_options_complain(kind->usage, "which folders? --messages DIR and --config DIR");
        return EXIT_USAGE;
    }
    if (checker.interval_ms < INTERVAL_MIN_MS) {
        colony_options_complain(kind->usage, "cannot use --freq: at least 0.01 seconds");
        return EXIT_USAGE;
    }
    if (colony_places_check_folder(checker.config, &err) < 0 ||
        colony_places_check_folder(checker.messages, &err) < 0)
        return fail(&checker, &err);
    colony_log_init(kind->name, SEVERITY_INFO, LOG_STYLE_TEXT);
    return run(&checker);
}
