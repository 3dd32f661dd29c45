/* SPDX-License-Identifier: Apache-2.0 */
/* beat.c - `colony beat`: touches a heart, for shell scripts and what has no code of its own. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "core/error.h"
#include "heart.h"
#include "options.h"

enum {
    EVERY_MIN_MS = 10,
};

struct beat {
    uint64_t every_ms; /* UINT64_MAX: once */
};

static const struct colony_option beat_options[] = {
    {"every", 0, "SECONDS", "go on, so often, as long as whoever started it", OPTION_DURATION,
     offsetof(struct beat, every_ms), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};

const struct colony_usage colony_beat_usage = {
    .command = "colony beat",
    .arguments = "[FILE]",
    .summary =
        "Touch a heart: tell whoever supervises this program that it lives. Without FILE, that\n"
        "which $NCOLONY_CONFIG (ncolony.beatcheck) or $COLONY_HEARTBEAT says. In a folder it is\n"
        "the file $NCOLONY_NAME.",
    .examples = "colony beat\n"
                "colony beat /run/hearts/web\n"
                "colony beat --every 5 &\n",
    .options = beat_options,
    .operands_max = 1,
};

static int complain(const struct colony_error *err)
{
    colony_options_complain(&colony_beat_usage, "%s", err->message);
    return err->code == -EACCES || err->code == -EPERM ? EXIT_NOT_ALLOWED : EXIT_FAILED;
}

static int find_places(struct colony_heart_places *places, const char *path,
                       struct colony_error *err)
{
    const char *name = getenv("NCOLONY_NAME");

    if (!path)
        return colony_heart_find(places, err);
    if (strlen(path) >= sizeof places->items[0].path)
        return colony_fail(err, -ENAMETOOLONG, "cannot touch %.60s…: it is too long", path);
    places->count = 1;
    (void)snprintf(places->items[0].path, sizeof places->items[0].path, "%s", path);
    places->items[0].name = name && name[0] != '\0' && !strchr(name, '/') ? name : NULL;
    return 0;
}

/* One that nobody owns any more would tell of a life that is over. */
static void end_with_parent(void)
{
    pid_t parent = getppid();

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        (void)raise(SIGTERM);
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    while (clock_nanosleep(CLOCK_BOOTTIME, 0, &left, &left) == EINTR)
        ;
}

/* Until a signal ends it. What goes wrong may come right again, and is told when it is new. */
static void go_on(const struct colony_heart_places *places, uint64_t every_ms)
{
    char told[COLONY_ERROR_TEXT_MAX] = "";

    for (;;) {
        struct colony_error err = {0};

        sleep_ms(every_ms);
        if (colony_heart_beat(places, &err) < 0 && strcmp(told, err.message) != 0)
            (void)complain(&err);
        memcpy(told, err.message, sizeof told);
    }
}

int colony_cmd_beat(int argc, char **argv)
{
    struct beat beat = {.every_ms = UINT64_MAX};
    struct colony_heart_places places = {0};
    struct colony_error err = {0};
    int exit_code;

    if (!colony_options_parse(&colony_beat_usage, &beat, &argc, argv, &exit_code))
        return exit_code;
    if (beat.every_ms < EVERY_MIN_MS) {
        colony_options_complain(&colony_beat_usage, "cannot use --every: at least 0.01 seconds");
        return EXIT_USAGE;
    }
    if (beat.every_ms != UINT64_MAX)
        end_with_parent();
    if (find_places(&places, argc > 1 ? argv[1] : NULL, &err) < 0)
        return complain(&err);
    if (places.count == 0) {
        colony_options_complain(&colony_beat_usage,
                                "which heart? give a FILE: neither $NCOLONY_CONFIG nor "
                                "$COLONY_HEARTBEAT says one");
        return EXIT_USAGE;
    }
    if (colony_heart_beat(&places, &err) < 0)
        return complain(&err);
    if (beat.every_ms != UINT64_MAX)
        go_on(&places, beat.every_ms);
    return EXIT_OK;
}
