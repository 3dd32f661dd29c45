/* SPDX-License-Identifier: Apache-2.0 */
/* template_health.c - the setting `health`: how colony finds out that a process is well. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"

#define AT(field) offsetof(struct colony_health_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define LEAST(ms) RANGE(ms, INT64_MAX)
#define SECONDS &colony__setting_seconds

enum {
    PERIOD_MS_MIN = 100, /* more often would cost more than it tells */
    TIMEOUT_MS_MIN = 10,
    MAX_BAD_DEFAULT = 2,
};

static const char *const then_names[] = {
    [HEALTH_RESTART] = "restart", [HEALTH_REPORT] = "report", NULL};

/* True: a file of colony's own, which needs no text. */
static int read_heartbeat(const struct colony__reading *reading, const struct colony__setting *row,
                          const struct colony_value *value, void *field)
{
    if (value->type == VALUE_BOOL)
        return 0;
    if (value->type != VALUE_STRING || value->text[0] != '/')
        return colony__setting_fail_type(reading, row, value);
    return colony__setting_text.read(reading, row, value, field);
}

static const struct colony__setting_type type_heartbeat = {"true, or the whole path of a file",
                                                           false, read_heartbeat, NULL};

/* clang-format off */
const struct colony__setting colony__health_settings[] = {
    {"heartbeat", &type_heartbeat,      0, NULL, AT(text), NULL,
     "it touches a file, COLONY_HEARTBEAT in its environment, within each period: true, or which"},
    {"http",      &colony__ready_http,  0, NULL, AT(text), NULL,
     "a GET of this URL is answered with a status below 400"},
    {"tcp",       &colony__ready_tcp,   0, NULL, AT(text), NULL, "HOST:PORT accepts connections"},
    {"exec",      &colony__ready_exec,  0, NULL, AT(text), NULL, "this command exits with 0"},
    {"period",    SECONDS,              0, "10", AT(period_ms), LEAST(PERIOD_MS_MIN),
     "time between checks"},
    {"timeout",   SECONDS,              0, "5",  AT(timeout_ms), LEAST(TIMEOUT_MS_MIN),
     "how long one of them may take"},
    {"grace",     SECONDS,              0, NULL, AT(grace_ms), NULL,
     "time from ready to the first check; one period unless given"},
    {"max_bad",   &colony__setting_count, 0, NULL, AT(max_bad), RANGE(0, 1000000),
     "failures in a row that are no matter; 2 unless given, with heartbeat 0"},
    {"then",      &colony__setting_choice, 0, "restart", AT(then), then_names,
     "what becomes of one that is unhealthy"},
    {0},
};

static const struct colony__setting_way ways[] = {
    {"heartbeat", HEALTH_HEARTBEAT}, {"http", HEALTH_HTTP}, {"tcp", HEALTH_TCP}, {"exec", HEALTH_EXEC},
    {0},
};
/* clang-format on */

static int read_kind(const struct colony__reading *reading, const struct colony_value *map,
                     struct colony_health_settings *health)
{
    int kind = 0;
    int rc = colony__setting_choose(reading, map, ways, "it is checked in one way only", &kind);

    if (rc == -ENOENT)
        return colony__setting_fail(
            reading, map, -EINVAL,
            "cannot use `health`: give one of heartbeat, http, tcp and exec");
    health->kind = (enum colony_health_kind)kind;
    return rc;
}

static int read_health(const struct colony__reading *reading, const struct colony__setting *row,
                       const struct colony_value *value, void *field)
{
    struct colony_health_settings *health = field;
    int rc;

    if (value->type != VALUE_MAP)
        return colony__setting_fail_type(reading, row, value);
    rc = colony__settings_read(reading, row->detail, value, health);
    if (rc == 0)
        rc = read_kind(reading, value, health);
    if (rc < 0)
        return rc;
    if (!colony__setting_given(value, "grace"))
        health->grace_ms = health->period_ms;
    if (!colony__setting_given(value, "max_bad"))
        health->max_bad = health->kind == HEALTH_HEARTBEAT ? 0 : MAX_BAD_DEFAULT;
    return 0;
}

int colony__health_check(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_value *map = colony_value_get(draft->source, "health");

    if (draft->health.kind != HEALTH_NONE && draft->template.detach)
        return colony__setting_fail(reading, map, -EINVAL,
                                    "cannot use `health`: what is started and forgotten (`detach`) "
                                    "is not checked");
    return 0;
}

const struct colony__setting_type colony__health = {"a map of settings", true, read_health, NULL};
