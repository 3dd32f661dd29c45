/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule.c - `colony schedule`: runs a command again and again, as ncolony-scheduler does.
 *
 * Output of the runs goes to standard output, what is to be told of them to standard error.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <uv.h>

#include "commands.h"
#include "core/clock_watch.h"
#include "core/error.h"
#include "core/schedule.h"
#include "core/signals.h"
#include "core/zone.h"
#include "options.h"
#include "schedule_internal.h"

enum {
    DEFAULT_GRACE_MS = 10000,
    NEXT_MAX = 10000,
    NO_COMMAND = 127,     /* as a shell tells it */
    LAST_WORDS_MS = 1000, /* told to end: so long a reader has for what is left */
    SIGNAL_COUNT = 4,
};

struct schedule {
    /* the command line */
    struct colony_option_list args;
    uint64_t frequency_ms; /* UINT64_MAX: not given */
    uint64_t grace_ms;
    uint64_t next; /* print so many times only; UINT64_MAX: not given */
    const char *cron;
    const char *timezone;
    bool is_once;

    struct colony_schedule when;
    struct colony_schedule_plan plan;
    uv_loop_t loop;
    uv_timer_t timer; /* until the next run; at last for the last words */
    uv_signal_t signals[SIGNAL_COUNT];
    struct colony_clock_watch *clock;
    struct schedule_run run;
    struct schedule_output output;
    bool is_due_again; /* one more run as soon as this one has ended */
    bool is_ending;
    bool is_told; /* by a signal */
    bool is_closed;
    int exit_code;
};

static int read_overlap(void *target, const char *value, struct colony_error *err)
{
    struct schedule *schedule = target;

    for (unsigned i = 0; colony_overlap_names[i]; i++) {
        if (strcmp(colony_overlap_names[i], value) != 0)
            continue;
        schedule->when.overlap = i;
        return 0;
    }
    return colony_fail(err, -EINVAL, "--overlap: not one of skip, queue and kill: %s", value);
}

/* clang-format off */
#define AT(field) offsetof(struct schedule, field)
static const struct colony_option schedule_options[] = {
    {"arg",       'a', "ARG",     "the command, then each of its arguments; may repeat", OPTION_LIST, AT(args), NULL},
    {"frequency", 'f', "SECONDS", "run it at once, and then again each so long", OPTION_DURATION, AT(frequency_ms), NULL},
    {"cron",      'c', "EXPR",    "run it at these times: '*/5 * * * *', @daily", OPTION_TEXT, AT(cron), NULL},
    {"timezone",   0,  "ZONE",    "with --cron: on these clocks, such as Europe/Berlin", OPTION_TEXT, AT(timezone), NULL},
    {"timeout",    0,  "SECONDS", "end a run after so long, by SIGTERM to all of its group", OPTION_DURATION, AT(when.timeout_ms), NULL},
    {"grace",      0,  "SECONDS", "and so long after that by SIGKILL (10)", OPTION_DURATION, AT(grace_ms), NULL},
    {"overlap",    0,  "WHAT",    "when the last run still goes on: skip (the default), queue or kill", OPTION_CALL, 0, read_overlap},
    {"jitter",     0,  "SECONDS", "wait up to so much longer each time, at random", OPTION_DURATION, AT(when.jitter_ms), NULL},
    {"once",       0,  NULL,      "run it once, at its time, and exit as it does", OPTION_FLAG, AT(is_once), NULL},
    {"next",       0,  "N",       "print the next N times instead", OPTION_NUMBER, AT(next), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};
/* clang-format on */

const struct colony_usage colony_schedule_usage = {
    .command = "colony schedule",
    .arguments = "[-- COMMAND [ARGUMENT...]]",
    .summary =
        "Run a command again and again, and show each line it writes behind [1] (output) or\n"
        "[2] (errors). The command is given by --arg, as ncolony-scheduler takes it, or after "
        "--.",
    .examples = "colony schedule --arg echo --arg hello --frequency 10 --timeout 5 --grace 10\n"
                "colony schedule --cron '*/5 8-18 * * mon-fri' --timezone Europe/Berlin -- ./sync\n"
                "colony schedule --cron @daily --jitter 10m --timeout 1h -- ./backup --all\n"
                "colony schedule --cron '0 0 29 2 *' --next 3\n",
    .options = schedule_options,
    .operands_max = COLONY_OPERANDS_ANY,
};

static void complain(const struct schedule *schedule, const char *text)
{
    colony_options_complain(&colony_schedule_usage, "%s: %s", schedule->args.items[0], text);
}

/* --- the end ------------------------------------------------------------------------------------
 */

static void close_all(struct schedule *schedule)
{
    if (schedule->is_closed)
        return;
    schedule->is_closed = true;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        uv_close((uv_handle_t *)&schedule->signals[i], NULL);
    uv_close((uv_handle_t *)&schedule->timer, NULL);
    colony_clock_watch_close(schedule->clock, NULL);
    schedule_run_close(&schedule->run);
    schedule_output_close(&schedule->output);
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
    if (schedule->output.error != 0 && !schedule->is_ending) {
        colony_options_complain(&colony_schedule_usage, "cannot write to standard output: %s",
                                strerror(-schedule->output.error));
        end(schedule, EXIT_FAILED);
        schedule_run_end(&schedule->run);
    }
    schedule_run_resume(&schedule->run);
    end_if_done(schedule);
}

/* --- runs ---------------------------------------------------------------------------------------
 */

static void start_run(struct schedule *schedule)
{
    struct colony_error err = {0};

    schedule->is_due_again = false;
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
        complain(schedule, "still runs: this time is left out");
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

/* --- time ---------------------------------------------------------------------------------------
 */

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

/* --- the beginning ------------------------------------------------------------------------------
 */

static int print_next(struct schedule *schedule)
{
    struct colony_moment now = colony_moment_now();
    char text[64];

    schedule->when.jitter_ms = 0;
    colony_schedule_begin(&schedule->when, &schedule->plan, &now, 0);
    for (uint64_t i = 0; i < schedule->next; i++) {
        uint64_t left_ms = colony_schedule_left_ms(&schedule->when, &schedule->plan, &now);

        now.boot_ms += left_ms;
        now.wall_ms += (int64_t)left_ms;
        colony_schedule_format(&schedule->when, now.wall_ms / 1000, text, sizeof text);
        printf("%s\n", text);
        colony_schedule_advance(&schedule->when, &schedule->plan, &now, 0);
    }
    return EXIT_OK;
}

static int init(struct schedule *schedule, struct colony_error *err)
{
    static const int signals[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    int rc = uv_loop_init(&schedule->loop);

    if (rc == 0)
        rc = uv_timer_init(&schedule->loop, &schedule->timer);
    schedule->timer.data = schedule;
    for (size_t i = 0; i < SIGNAL_COUNT && rc == 0; i++) {
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
static int go(struct schedule *schedule)
{
    struct colony_error err = {0};
    const struct colony_moment now = colony_moment_now();

    (void)signal(SIGPIPE, SIG_IGN); /* noticed as a failed write */
    if (init(schedule, &err) < 0) {
        colony_options_complain(&colony_schedule_usage, "%s", err.message);
        return EXIT_FAILED;
    }
    colony_schedule_begin(&schedule->when, &schedule->plan, &now, some_number());
    arm(schedule);
    (void)uv_run(&schedule->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&schedule->loop);
    return schedule->exit_code;
}

static int usage_error(const char *text)
{
    colony_options_complain(&colony_schedule_usage, "%s: see colony schedule --help", text);
    return EXIT_USAGE;
}

static int take_command(struct schedule *schedule, int argc, char **argv)
{
    struct colony_option_list *args = &schedule->args;

    if (argc > 1 && args->count > 0)
        return usage_error("a command is given by --arg or after --, not both");
    if (argc - 1 > COLONY_OPTION_LIST_MAX)
        return usage_error("too many arguments");
    for (int i = 1; i < argc; i++)
        args->items[args->count++] = argv[i];
    if (args->count == 0 && schedule->next == UINT64_MAX)
        return usage_error("which command? --arg COMMAND --arg ARGUMENT...");
    if (args->count > 0 && args->items[0][0] == '\0')
        return usage_error("--arg: the command is empty");
    return EXIT_OK;
}

static int check_times(const struct schedule *schedule)
{
    bool has_frequency = schedule->frequency_ms != UINT64_MAX;

    if (has_frequency && schedule->cron)
        return usage_error("either --frequency or --cron");
    if (schedule->timezone && !schedule->cron)
        return usage_error("--timezone means nothing without --cron");
    if (!has_frequency && !schedule->cron && !schedule->is_once)
        return usage_error("when? --frequency SECONDS or --cron EXPR");
    if (schedule->frequency_ms == 0)
        return usage_error("--frequency must be more than 0");
    if (has_frequency && schedule->when.jitter_ms >= schedule->frequency_ms)
        return usage_error("--jitter must be less than --frequency");
    if (schedule->next != UINT64_MAX && (schedule->next == 0 || schedule->next > NEXT_MAX))
        return usage_error("--next takes a number from 1 to 10000");
    return EXIT_OK;
}

/* What --frequency and --cron say, in one form; --once alone is a frequency that never comes. */
static int read_times(struct schedule *schedule)
{
    struct colony_error err = {0};

    schedule->when.every_ms = schedule->frequency_ms;
    if (!schedule->cron)
        return EXIT_OK;
    schedule->when.every_ms = 0;
    if (colony_cron_parse(&schedule->when.cron, schedule->cron, &err) == 0 &&
        (!schedule->timezone ||
         colony_zone_load(&schedule->when.zone, schedule->timezone, &err) == 0))
        return EXIT_OK;
    colony_options_complain(&colony_schedule_usage, "%s", err.message);
    return EXIT_USAGE;
}

int colony_cmd_schedule(int argc, char **argv)
{
    static struct schedule schedule; /* too large for the stack */
    int exit_code;

    schedule.frequency_ms = schedule.next = UINT64_MAX;
    schedule.grace_ms = DEFAULT_GRACE_MS;
    if (!colony_options_parse(&colony_schedule_usage, &schedule, &argc, argv, &exit_code))
        return exit_code;
    exit_code = take_command(&schedule, argc, argv);
    if (exit_code == EXIT_OK)
        exit_code = check_times(&schedule);
    if (exit_code == EXIT_OK)
        exit_code = read_times(&schedule);
    if (exit_code == EXIT_OK)
        exit_code = schedule.next != UINT64_MAX ? print_next(&schedule) : go(&schedule);
    colony_schedule_clear(&schedule.when);
    return exit_code;
}
