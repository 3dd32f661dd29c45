/* SPDX-License-Identifier: Apache-2.0 */
/* schedule.c - `colony schedule`: what is to be run, and when. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "core/error.h"
#include "core/zone.h"
#include "schedule_internal.h"

enum {
    DEFAULT_GRACE_MS = 10000,
    NEXT_MAX = 10000,
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
    {"overlap",    0,  "HOW",     "when the last run still goes on: skip (the default), queue or kill", OPTION_CALL, 0, read_overlap},
    {"jitter",     0,  "SECONDS", "wait up to so much longer each time, at random", OPTION_DURATION, AT(when.jitter_ms), NULL},
    {"once",       0,  NULL,      "run it once, at its time, and exit as it does", OPTION_FLAG, AT(is_once), NULL},
    {"next",       0,  "N",       "print the next N times instead", OPTION_NUMBER, AT(next), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};
/* clang-format on */

const struct colony_usage colony_schedule_usage = {
    .command = "colony schedule",
    .arguments = "[COMMAND [ARG...]]",
    .summary =
        "Run a command again and again, and show each line it writes behind [1] (output) or\n"
        "[2] (errors). The command is given by --arg, as ncolony-scheduler takes it, or stands "
        "at the\nend.",
    .examples = "colony schedule --arg echo --arg hello --frequency 10 --timeout 5 --grace 10\n"
                "colony schedule --cron '*/5 8-18 * * mon-fri' --timezone Europe/Berlin ./sync\n"
                "colony schedule --cron @daily --jitter 10m --timeout 1h ./backup --all\n"
                "colony schedule --cron '0 0 29 2 *' --next 3\n",
    .options = schedule_options,
    .operands_max = COLONY_OPERANDS_ANY,
    .precedes_command = true,
};

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

static int usage_error(const char *text)
{
    colony_options_complain(&colony_schedule_usage, "%s: see colony schedule --help", text);
    return EXIT_USAGE;
}

static int take_command(struct schedule *schedule, int argc, char **argv)
{
    struct colony_option_list *args = &schedule->args;

    if (argc > 1 && args->count > 0)
        return usage_error("a command is given by --arg or at the end, not both");
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
        exit_code = schedule.next != UINT64_MAX ? print_next(&schedule) : schedule_loop(&schedule);
    colony_schedule_clear(&schedule.when);
    return exit_code;
}
