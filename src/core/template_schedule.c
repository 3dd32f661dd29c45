/* SPDX-License-Identifier: Apache-2.0 */
/* template_schedule.c - the setting `schedule`: when it is run again and again. */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"
#include "core/zone.h"

#define AT(field) offsetof(struct colony_schedule, field)
#define SECONDS &colony__setting_seconds
#define LEAST(ms) (&(const struct colony__setting_range){ms, INT64_MAX})

enum {
    EVERY_MS_MIN = 100,
};

/* The reason, behind the name of the setting. */
static int fail_reason(const struct colony__reading *reading, const struct colony_value *value,
                       const struct colony_error *reason)
{
    static const char prefix[] = "cannot use ";
    const char *text = reason->message;

    if (strncmp(text, prefix, strlen(prefix)) == 0)
        text += strlen(prefix);
    return colony__setting_fail(reading, value, -EINVAL, "cannot use %s: %s",
                                colony__setting_label(value).text, text);
}

static int read_cron(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    struct colony_error reason = {0};

    if (value->type != VALUE_STRING)
        return colony__setting_fail_type(reading, row, value);
    if (colony_cron_parse(field, value->text, &reason) == 0)
        return 0;
    return fail_reason(reading, value, &reason);
}

static int read_zone(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    struct colony_error reason = {0};
    int rc;

    if (value->type != VALUE_STRING)
        return colony__setting_fail_type(reading, row, value);
    rc = colony_zone_load(field, value->text, &reason);
    if (rc == 0 || rc == -ENOMEM)
        return rc;
    return fail_reason(reading, value, &reason);
}

static const struct colony__setting_type type_cron = {"a text such as \"*/5 * * * *\"", false,
                                                      read_cron, NULL};
static const struct colony__setting_type type_zone = {"a name such as Europe/Berlin", false,
                                                      read_zone, NULL};

/* clang-format off */
const struct colony__setting colony__schedule_settings[] = {
    {"every",    SECONDS, 0, NULL, AT(every_ms), LEAST(EVERY_MS_MIN),
     "it is run at once, and then again each so long"},
    {"cron",     &type_cron, 0, NULL, AT(cron), NULL,
     "it is run at these times: the five fields of crontab(5), or @hourly and the like"},
    {"timezone", &type_zone, 0, NULL, AT(zone), NULL,
     "the clocks that `cron` means; those of colony's own time zone unless given"},
    {"timeout",  SECONDS, 0, "0", AT(timeout_ms), NULL,
     "a run is stopped after so long; 0: it may take for ever"},
    {"overlap",  &colony__setting_choice, 0, "skip", AT(overlap), colony_overlap_names,
     "when the last run still goes on: skip this one, queue it behind that, or kill that"},
    {"jitter",   SECONDS, 0, "0", AT(jitter_ms), NULL,
     "each wait is up to so much longer, at random"},
    {0},
};
/* clang-format on */

static int check_times(const struct colony__reading *reading, const struct colony_value *value,
                       const struct colony_schedule *schedule)
{
    const struct colony_value *cron = colony__setting_given(value, "cron");
    const struct colony_value *zone = colony__setting_given(value, "timezone");

    if (!cron == (schedule->every_ms == 0))
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `schedule`: give either `every` or `cron`");
    if (zone && !cron)
        return colony__setting_fail(reading, zone, -EINVAL,
                                    "cannot use `timezone`: it means nothing without `cron`");
    if (schedule->every_ms > 0 && schedule->jitter_ms >= schedule->every_ms)
        return colony__setting_fail(reading, colony_value_get(value, "jitter"), -EINVAL,
                                    "cannot use `jitter`: it must be less than `every`");
    return 0;
}

/* A map, or one of the two: a time, or a cron expression. */
static int read_schedule(const struct colony__reading *reading, const struct colony__setting *row,
                         const struct colony_value *value, void *field)
{
    struct colony_schedule *schedule = field;
    uint64_t ms;
    int rc;

    if (value->type == VALUE_MAP) {
        rc = colony__settings_read(reading, row->detail, value, schedule);
        return rc < 0 ? rc : check_times(reading, value, schedule);
    }
    row = colony__setting_find(colony__schedule_settings, "every");
    if (value->type == VALUE_STRING && colony_settings_parse_duration(value->text, &ms) < 0)
        return read_cron(reading, row, value, &schedule->cron);
    return row->type->read(reading, row, value, &schedule->every_ms);
}

/* What contradicts it: a run that failed waits for its next time, and is colony's until it ends. */
int colony__schedule_check(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_value *restart = colony__setting_given(draft->source, "restart");

    if (!colony__setting_given(draft->source, "schedule"))
        return 0;
    if (colony__setting_given(draft->source, "flapping"))
        return colony__setting_fail(reading, colony_value_get(draft->source, "flapping"), -EINVAL,
                                    "cannot use `flapping` together with `schedule`: what ends "
                                    "waits for its next time");
    if (restart && draft->restart.when != RESTART_NEVER)
        return colony__setting_fail(reading, restart, -EINVAL,
                                    "cannot use `restart` together with `schedule`: what ends "
                                    "waits for its next time; only `when: never` and `exit_codes` "
                                    "mean something");
    if (draft->template.detach)
        return colony__setting_fail(reading, colony_value_get(draft->source, "detach"), -EINVAL,
                                    "cannot use `detach` together with `schedule`: nobody would "
                                    "know when a run is over");
    return 0;
}

const struct colony__setting_type colony__schedule = {
    "a time such as 10s, a text such as \"*/5 * * * *\", or a map of settings", true, read_schedule,
    NULL};
