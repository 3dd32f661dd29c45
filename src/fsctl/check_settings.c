/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/check_settings.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"

#define BEATCHECK "ncolony.beatcheck"
#define HTTPCHECK "ncolony.httpcheck"

enum {
    PERIOD_MS_MIN = 10, /* more often would cost more than it tells */
};

static const double ms_max = 3153600000000.0; /* a hundred years */

/* The map that @config has for @key. 1, 0 or -EINVAL. */
static int find_map(const struct colony_value *config, const char *key,
                    const struct colony_value **map, struct colony_error *err)
{
    *map = config->type == VALUE_MAP ? colony_value_get(config, key) : NULL;
    if (!*map || (*map)->type == VALUE_NULL)
        return 0;
    if ((*map)->type != VALUE_MAP)
        return colony_fail(err, -EINVAL, "cannot use `%s`: it must be an object", key);
    return 1;
}

static int read_text(const struct colony_value *map, const char *key, const char **out,
                     struct colony_error *err)
{
    const struct colony_value *value = colony_value_get(map, key);

    if (!value || value->type != VALUE_STRING || value->text[0] == '\0')
        return colony_fail(err, -EINVAL, "cannot use `%s`: `%s` must be a text", map->key, key);
    *out = value->text;
    return 0;
}

static int read_number(const struct colony_value *map, const char *key, double *out,
                       struct colony_error *err)
{
    const struct colony_value *value = colony_value_get(map, key);

    if (!value || value->type != VALUE_NUMBER || !isfinite(value->number) || value->number < 0)
        return colony_fail(err, -EINVAL, "cannot use `%s`: `%s` must be a number, 0 or more",
                           map->key, key);
    *out = value->number;
    return 0;
}

static int read_seconds(const struct colony_value *map, const char *key, uint64_t *ms,
                        struct colony_error *err)
{
    double seconds = 0;
    int rc = read_number(map, key, &seconds, err);

    if (rc < 0)
        return rc;
    if (seconds * 1000 < PERIOD_MS_MIN || seconds * 1000 > ms_max)
        return colony_fail(err, -EINVAL,
                           "cannot use `%s`: `%s` must be from 0.01 seconds to a hundred years",
                           map->key, key);
    *ms = (uint64_t)(seconds * 1000);
    return 0;
}

/* How many periods pass before it counts. */
static int read_grace(const struct colony_value *map, uint64_t period_ms, uint64_t *ms,
                      struct colony_error *err)
{
    double grace = 0;
    int rc = read_number(map, "grace", &grace, err);

    if (rc == 0)
        *ms = (uint64_t)fmin(grace * (double)period_ms, ms_max);
    return rc;
}

int colony_beat_settings_read(const struct colony_value *config, struct colony_beat_settings *out,
                              struct colony_error *err)
{
    const struct colony_value *map;
    int rc = find_map(config, BEATCHECK, &map, err);

    if (rc <= 0)
        return rc;
    rc = read_seconds(map, "period", &out->period_ms, err);
    if (rc == 0)
        rc = read_grace(map, out->period_ms, &out->grace_ms, err);
    if (rc == 0)
        rc = read_text(map, "status", &out->status, err);
    return rc < 0 ? rc : 1;
}

static int read_max_bad(const struct colony_value *map, uint32_t *out, struct colony_error *err)
{
    double number = 0;
    int rc = read_number(map, "maxBad", &number, err);

    if (rc == 0)
        *out = (uint32_t)fmin(number, UINT32_MAX - 1);
    return rc;
}

int colony_httpcheck_settings_read(const struct colony_value *config,
                                   struct colony_httpcheck_settings *out, struct colony_error *err)
{
    const struct colony_value *map;
    int rc = find_map(config, HTTPCHECK, &map, err);

    if (rc <= 0)
        return rc;
    rc = read_text(map, "url", &out->url, err);
    if (rc == 0)
        rc = read_seconds(map, "period", &out->period_ms, err);
    if (rc == 0)
        rc = read_seconds(map, "timeout", &out->timeout_ms, err);
    if (rc == 0)
        rc = read_grace(map, out->period_ms, &out->grace_ms, err);
    if (rc == 0)
        rc = read_max_bad(map, &out->max_bad, err);
    if (out->timeout_ms > out->period_ms)
        out->timeout_ms = out->period_ms; /* a check is over before the next */
    return rc < 0 ? rc : 1;
}
