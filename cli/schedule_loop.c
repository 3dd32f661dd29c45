/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_loop.c - one run after the other, as ncolony-scheduler does it.
 *
 * Output of the runs goes to standard output, what is to be told of them to standard error.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <uv.h>

#include "commands.h"
#include "core/clock_watch.h"
#include "core/error.h"
#include "core/signals.h"
#include "heart.h"
#include "schedule_internal.h"

enum {
    NO_COMMAND = 127,     /* as a shell tells it */
    LAST_WORDS_MS = 1000, /* told to end: so long a reader has for what is left */
};

static void complain(const struct schedule *schedule, const char *text)
{
    colony_options_complain(&colony_schedule_usage, "%s: %s", schedule->args.items[0], text);
}

/* --- the end --------------------------------------------------------------------------------- */

static void close_all(struct schedule *schedule)
{
    if (schedule->is_closed)
        return;
    schedule->is_closed = true;
    for (size_t i = 0; i < SCHEDULE_SIGNALS; i++)
        uv_close((uv_handle_t *)&schedule->signals[i], NULL);
    uv_close((uv_handle_t *)&schedule->timer, NULL);
    colony_clock_watch_close(schedule->clock, NULL);
    colony_heart_stop(schedule->heart);
    schedule_run_close(&schedule->run);
    schedule_output_close(&schedule->output);
    if (schedule->output.error != 0 && schedule->exit_code == EXIT_OK && !schedule->is_told)
        schedule->exit_code = EXIT_FAILED; /* what it did well was not all written */
}

static void on_patience_over(uv_timer_t *timer)
{
    close_all(timer->data);
}

/* As soon as nothing runs and all is written, for which nobody told to end waits long. */
static void end_if_done(struct schedule *schedule)
{
    if (!schedule->is_ending || schedule->run.state != RUN_NONE)
        return;
    if (schedule->output.used == 0 || schedule->output.error != 0)
        close_all(schedule);
    else if (schedule->is_told)
        (void)uv_timer_start(&schedule->timer, on_patience_over, LAST_WORDS_MS, 0);
}

static void end(struct schedule *schedule, int exit_code)
{
    if (schedule->is_ending)
        return;
    schedule->is_ending = true;
    schedule->exit_code = exit_code;
    (void)uv_timer_stop(&schedule->timer);
}

static void on_signal(uv_signal_t *handle, int signo)
{
    struct schedule *schedule = handle->data;

    (void)signo;
    if (schedule->is_closed)
        return;
    end(schedule, EXIT_OK);
    schedule->is_told = true;
    schedule->run.is_hurried = true;
    schedule_run_end(&schedule->run);
    end_if_done(schedule);
}

static void on_output_change(void *data)
{
    struct schedule *schedule = data;

    if (schedule->is_closed)
        return;
    if (schedule->output.error != 0 && !schedule->is_told) {
        colony_options_complain(&colony_schedule_usage, "cannot write to standard output: %s",
                                strerror(-schedule->output.error));
        end(schedule, EXIT_FAILED);
        schedule_run_end(&schedule->run);
    }
    schedule_run_resume(&schedule->run);
    end_if_done(schedule);
}

/* --- runs ------------------------------------------------------------------------------------ */

static void start_run(struct schedule *schedule)
{
    struct colony_error err = {0};

    schedule->is_due_again = false;
    schedule->is_overdue = false;
    if (schedule_run_start(&schedule->run, &err) == 0)
        return;
    colony_options_complain(&colony_schedule_usage, "%s", err.message);
    if (schedule->is_once)
        end(schedule, NO_COMMAND);
    end_if_done(schedule);
}

static int tell_end(const struct schedule *schedule, int status)
{
    char text[64];
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

    if (WIFSIGNALED(status))
        (void)snprintf(text, sizeof text, "was ended by %s", colony_signal_name(WTERMSIG(status)));
    else
        (void)snprintf(text, sizeof text, "exited with %d", code);
    if (code != 0 && !schedule->is_told)
        complain(schedule, text);
    return code;
}

static void on_run_over(int status, void *data)
{
    struct schedule *schedule = data;
    int code = tell_end(schedule, status);

    if (schedule->is_once)
        end(schedule, code);
    if (schedule->is_due_again && !schedule->is_ending)
        start_run(schedule);
    end_if_done(schedule);
}

static void run_or_overlap(struct schedule *schedule)
{
    if (schedule->run.state == RUN_NONE) {
        start_run(schedule);
        return;
    }
    switch (schedule->when.overlap) {
    case OVERLAP_SKIP:
        if (!schedule->is_overdue)
            complain(schedule, "still runs: what is due meanwhile is left out");
        schedule->is_overdue = true; /* once a run is enough */
        break;
    case OVERLAP_QUEUE:
        schedule->is_due_again = true;
        break;
    case OVERLAP_KILL:
        schedule->is_due_again = true;
        if (schedule->run.state == RUN_GOES)
            schedule_run_end(&schedule->run);
        break;
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static uint32_t some_number(void)
{
    uint32_t number = 0;

    (void)uv_random(NULL, NULL, &number, sizeof number, 0, NULL);
    return number;
}

static void on_timer(uv_timer_t *timer);

/* The loop's clock has other milliseconds: one more, or it could wake too early. */
static void arm(struct schedule *schedule)
{
    const struct colony_moment now = colony_moment_now();
    uint64_t left_ms = colony_schedule_left_ms(&schedule->when, &schedule->plan, &now);

    uv_update_time(&schedule->loop);
    if (!schedule->is_ending)
        (void)uv_timer_start(&schedule->timer, on_timer, left_ms > 0 ? left_ms + 1 : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct schedule *schedule = timer->data;
    const struct colony_moment now = colony_moment_now();

    if (colony_schedule_left_ms(&schedule->when, &schedule->plan, &now) == 0) {
        colony_schedule_advance(&schedule->when, &schedule->plan, &now, some_number());
        run_or_overlap(schedule);
        if (schedule->is_once)
            return;
    }
    arm(schedule);
}

static void on_clock_set(void *data)
{
    struct schedule *schedule = data;
    const struct colony_moment now = colony_moment_now();

    if (schedule->is_ending || (schedule->is_once && schedule->run.state != RUN_NONE))
        return;
    tzset();
    colony_schedule_replan(&schedule->when, &schedule->plan, &now);
    arm(schedule);
}

/* --- the beginning --------------------------------------------------------------------------- */

static int init(struct schedule *schedule, struct colony_error *err)
{
    static const int signals[SCHEDULE_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    int rc = uv_loop_init(&schedule->loop);

    if (rc == 0)
        rc = uv_timer_init(&schedule->loop, &schedule->timer);
    schedule->timer.data = schedule;
    for (size_t i = 0; i < SCHEDULE_SIGNALS && rc == 0; i++) {
        rc = uv_signal_init(&schedule->loop, &schedule->signals[i]);
        schedule->signals[i].data = schedule;
        if (rc == 0)
            rc = uv_signal_start(&schedule->signals[i], on_signal, signals[i]);
    }
    schedule->run.argv = (char *const *)schedule->args.items;
    schedule->run.timeout_ms = schedule->when.timeout_ms;
    schedule->run.grace_ms = schedule->grace_ms;
    schedule->run.loop = &schedule->loop;
    schedule->run.output = &schedule->output;
    schedule->run.cb = on_run_over;
    schedule->run.data = schedule;
    if (rc == 0)
        rc = schedule_run_init(&schedule->run);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot begin");
    rc = schedule_output_init(&schedule->output, &schedule->loop, on_output_change, schedule, err);
    if (rc == 0 && schedule->cron)
        rc = colony_clock_watch_new(&schedule->clock, &schedule->loop, on_clock_set, schedule, err);
    return rc;
}

/* What cannot begin exits: nothing runs yet. */
int schedule_loop(struct schedule *schedule)
{
    struct colony_error err = {0};
    const struct colony_moment now = colony_moment_now();

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    if (init(schedule, &err) < 0) {
        colony_options_complain(&colony_schedule_usage, "%s", err.message);
        return EXIT_FAILED;
    }
    if (colony_heart_start(&schedule->heart, &schedule->loop, &err) < 0) /* judged by others */
        colony_options_complain(&colony_schedule_usage, "%s", err.message);
    colony_schedule_begin(&schedule->when, &schedule->plan, &now, some_number());
    arm(schedule);
    (void)uv_run(&schedule->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&schedule->loop);
    return schedule->exit_code;
}
