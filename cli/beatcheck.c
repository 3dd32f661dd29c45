/* SPDX-License-Identifier: Apache-2.0 */
/* beatcheck.c - `colony beatcheck`: asks for a restart of what does not beat (ORIGINALS §2). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "commands.h"
#include "core/error.h"
#include "core/heartbeat.h"
#include "core/log.h"
#include "core/table.h"
#include "fsctl/check_settings.h"
#include "fsctl/scan.h"
#include "options.h"

/* What is known of one file that asks for it. */
struct heart {
    char *status;
    uint64_t period_ms;
    uint64_t grace_ms;
    uint64_t asked_ms;               /* for its restart, CLOCK_BOOTTIME; 0: never */
    struct colony_heartbeat changed; /* of its file */
    struct colony_heartbeat beat;
    char told[COLONY_ERROR_TEXT_MAX];
};

const struct colony_usage colony_beatcheck_usage = {
    .command = "colony beatcheck",
    .arguments = "",
    .summary =
        "Look after the hearts of ncolony's processes: whose file says \"ncolony.beatcheck\" and\n"
        "whose status file was not touched within its period is asked to be restarted.",
    .examples = "colony beatcheck --messages /messages --config /conf\n"
                "colony beatcheck --messages /messages --config /conf --freq 1\n",
    .options = colony_checker_options,
};

/* --- the files, on the worker's thread -------------------------------------------------------- */

static void free_heart(struct colony_scan_file *file)
{
    struct heart *heart = file->data;

    if (heart)
        free(heart->status);
    free(heart);
    file->data = NULL;
}

static void on_changed(struct colony_scan_file *file, const struct colony_value *config, void *data)
{
    struct colony_beat_settings settings = {0};
    struct colony_error err = {0};
    struct heart *heart;
    int rc = colony_beat_settings_read(config, &settings, &err);

    (void)data;
    free_heart(file);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot check %s: %s", file->name, err.message);
    if (rc <= 0)
        return;
    heart = calloc(1, sizeof *heart);
    if (heart)
        heart->status = strdup(settings.status);
    if (!heart || !heart->status) {
        free(heart);
        colony_log(SEVERITY_ERROR, "cannot check %s: out of memory", file->name);
        return;
    }
    heart->period_ms = settings.period_ms;
    heart->grace_ms = settings.grace_ms;
    file->data = heart;
}

static void on_gone(struct colony_scan_file *file, void *data)
{
    (void)data;
    free_heart(file);
}

static uint64_t least(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

/* True while its file, this checker or the restart that was asked for is young. */
static bool has_grace(const struct checker *checker, struct heart *heart, int64_t changed_ms,
                      uint64_t now_ms)
{
    int64_t wall_ms = (int64_t)colony_wall_now_ms();
    uint64_t age_ms = colony_heartbeat_age(&heart->changed, changed_ms, wall_ms, now_ms);

    age_ms = least(age_ms, now_ms - checker->started_ms);
    age_ms = least(age_ms, now_ms - heart->asked_ms);
    return age_ms <= heart->grace_ms;
}

/* True when it is known not to beat, with why in @why; what cannot be judged is told once. */
static bool is_bad(const struct colony_scan_file *file, struct heart *heart, uint64_t now_ms,
                   struct colony_error *why)
{
    int64_t at_ms = 0;
    int rc = colony_heartbeat_look(heart->status, file->name, &at_ms, why);
    uint64_t age_ms;

    if (rc < 0 && rc != -ENOENT) {
        if (strcmp(heart->told, why->message) != 0)
            colony_log(SEVERITY_ERROR, "cannot check %s: %s", file->name, why->message);
        memcpy(heart->told, why->message, sizeof heart->told);
        return false;
    }
    heart->told[0] = '\0';
    age_ms = colony_heartbeat_age(&heart->beat, at_ms, (int64_t)colony_wall_now_ms(), now_ms);
    if (rc == -ENOENT || age_ms <= heart->period_ms)
        return rc == -ENOENT;
    (void)colony_fail(why, -ETIMEDOUT, "%s was touched %.1f s ago", heart->status,
                      (double)age_ms / 1000);
    return true;
}

static void on_seen(struct colony_scan_file *file, void *data)
{
    const struct checker *checker = data;
    struct heart *heart = file->data;
    struct colony_error why = {0};
    uint64_t now_ms = checker_now_ms();

    if (!heart)
        return;
    /* First, so that each beat is seen when it comes, also in the grace. */
    if (!is_bad(file, heart, now_ms, &why) || has_grace(checker, heart, file->changed_ms, now_ms))
        return;
    if (checker_ask_restart(checker, file->name) < 0)
        return; /* told; the next look tries again */
    heart->asked_ms = now_ms;
    colony_log(SEVERITY_WARNING, "%s does not beat: %s: asked for a restart", file->name,
               why.message);
}

/* --- the checker ------------------------------------------------------------------------------ */

static int open_scan(struct checker *checker, struct colony_error *err)
{
    const struct colony_scan_callbacks callbacks = {on_changed, on_seen, on_gone, checker};
    struct colony_scan *scan = NULL;

    if (colony_scan_new(&scan, checker->config, &callbacks) < 0)
        return colony_fail(err, -ENOMEM, "cannot begin to check: out of memory");
    checker->data = scan;
    return 0;
}

static int look(struct checker *checker, struct colony_error *err)
{
    return colony_scan_look(checker->data, err);
}

static void free_scan(struct checker *checker)
{
    colony_scan_free(checker->data);
}

int colony_cmd_beatcheck(int argc, char **argv)
{
    static const struct checker_kind kind = {
        .usage = &colony_beatcheck_usage,
        .name = "beatcheck",
        .open = open_scan,
        .look = look,
        .free = free_scan,
    };

    return checker_run(&kind, argc, argv);
}
