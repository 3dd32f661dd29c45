/* SPDX-License-Identifier: Apache-2.0 */
/* template_restart.c - the settings `restart` and `flapping`: two spellings of one policy. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"

#define AT(field) offsetof(struct colony_restart_policy, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define COUNT &colony__setting_count
#define LEAST(ms) RANGE(ms, INT64_MAX)
#define SECONDS &colony__setting_seconds

enum {
    EXIT_CODE_MAX = 255,
    FACTOR_MAX = 100,
    FLAPPING_FIELDS = 4,
    FLAPPING_TEXT_MAX = 200,
    RETRIES_MAX = 1000000,
};

static int read_exit_codes(const struct colony__reading *reading, const struct colony__setting *row,
                           const struct colony_value *value, void *field)
{
    static const struct colony__setting_range range = {0, EXIT_CODE_MAX};
    const struct colony_value *code = value->type == VALUE_LIST ? value->child : value;
    uint64_t *expected = field;

    for (; code; code = value->type == VALUE_LIST ? code->next : NULL) {
        int64_t number = 0;

        if (code->type != VALUE_NUMBER)
            return colony__setting_fail_type(reading, row, code);
        if (colony__setting_integer(reading, code, &range, &number) < 0)
            return -EINVAL;
        expected[number / 64] |= UINT64_C(1) << number % 64;
    }
    return 0;
}

static int read_factor(const struct colony__reading *reading, const struct colony__setting *row,
                       const struct colony_value *value, void *field)
{
    if (value->type != VALUE_NUMBER || !(value->number >= 1 && value->number <= FACTOR_MAX))
        return colony__setting_fail_type(reading, row, value);
    *(double *)field = value->number;
    return 0;
}

static const struct colony__setting_type type_exit_codes = {"a number from 0 to 255 or a list",
                                                            false, read_exit_codes, NULL};
static const struct colony__setting_type type_factor = {"a number from 1 to 100", false,
                                                        read_factor, NULL};
static const char *const when_names[] = {[RESTART_ALWAYS] = "always",
                                         [RESTART_ON_FAILURE] = "on-failure",
                                         [RESTART_NEVER] = "never",
                                         NULL};

/* clang-format off */
const struct colony__setting colony__restart_settings[] = {
    {"when",        &colony__setting_choice, 0, "always", AT(when), when_names,
     "after which ends it is started again: always, on-failure or never"},
    {"exit_codes",  &type_exit_codes, 0, "0", AT(expected), NULL,
     "exit codes that are a success"},
    {"first_delay", SECONDS, 0, "0", AT(first_ms), NULL, "wait before the first restart in a row"},
    {"delay",       SECONDS, 0, "0.1", AT(base_ms), NULL, "wait before the second"},
    {"factor",      &type_factor, 0, "2", AT(factor), NULL,
     "how many times longer each wait is than the one before"},
    {"max_delay",   SECONDS, 0, "60", AT(cap_ms), NULL, "longest wait"},
    {"jitter",      COUNT, 0, "10", AT(jitter_percent), RANGE(0, 100),
     "percent by which a wait may be longer or shorter, at random"},
    {"reset",       SECONDS, 0, "10", AT(reset_ms), LEAST(1),
     "what ran for so long is restarted at once, and its earlier ends are forgotten"},
    {"attempts",    COUNT, 0, "0", AT(attempts), RANGE(0, COLONY_RESTART_ATTEMPTS_MAX),
     "so many ends within `window` are too many; 0: it may end as often as it does"},
    {"window",      SECONDS, 0, NULL, AT(window_ms), LEAST(1),
     "time in which the ends are counted"},
    {"retry_in",    SECONDS, 0, "0", AT(retry_in_ms), NULL,
     "after too many ends it is started again in so long; 0: it stays down"},
    {"max_retry",   COUNT, 0, NULL, AT(max_retries), RANGE(0, RETRIES_MAX),
     "and after so many of these in a row it stays down; without limit unless given"},
    {0},
};

const struct colony__setting colony__flapping_settings[] = {
    {"attempts",    COUNT, 0, "2", AT(attempts), RANGE(1, COLONY_RESTART_ATTEMPTS_MAX),
     "so many ends within `window` are too many: it is stopped"},
    {"window",      SECONDS, 0, "1", AT(window_ms), LEAST(1),
     "time in which the ends of all its processes are counted"},
    {"retry_in",    SECONDS, 0, "7", AT(retry_in_ms), LEAST(1),
     "then it is started again in so long"},
    {"max_retry",   COUNT, 0, "5", AT(max_retries), RANGE(0, RETRIES_MAX),
     "and after so many of these in a row it stays down"},
    {0},
};
/* clang-format on */

static int fail_needs(const struct colony__reading *reading, const struct colony_value *map,
                      const char *name, const char *needed)
{
    return colony__setting_fail(reading, colony_value_get(map, name), -EINVAL,
                                "cannot use `%s`: it means nothing without `%s`", name, needed);
}

/* What is about delays or retries is a mistake where nothing is restarted. */
static int check_never(const struct colony__reading *reading, const struct colony_value *map)
{
    for (const struct colony_value *member = map->child; member; member = member->next) {
        const struct colony__setting *row =
            colony__setting_find(colony__restart_settings, member->key);

        if (!row || member->type == VALUE_NULL || colony__setting_is_default(row, member) ||
            row->offset == AT(when) || row->offset == AT(expected))
            continue;
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use `%s`: with `when: never` nothing is restarted",
                                    row->name);
    }
    return 0;
}

static int check_needs(const struct colony__reading *reading, const struct colony_value *map,
                       const struct colony_restart_policy *policy)
{
    const bool counts = policy->attempts > 0;
    const bool has_window = policy->window_ms > 0;
    const bool retries = policy->retry_in_ms > 0;
    const struct {
        const char *name;
        const char *needed;
        bool is_on;
        bool is_needed_on;
    } needs[] = {
        {"attempts", "window", counts, has_window},
        {"window", "attempts", has_window, counts},
        {"retry_in", "attempts", retries, counts},
        {"max_retry", "retry_in", policy->max_retries != COLONY_RESTART_NO_LIMIT, retries},
    };

    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (needs[i].is_on && !needs[i].is_needed_on)
            return fail_needs(reading, map, needs[i].name, needs[i].needed);
    return 0;
}

static int check_delays(const struct colony__reading *reading, const struct colony_value *map,
                        const struct colony_restart_policy *policy)
{
    bool is_first = policy->first_ms > policy->cap_ms;
    const char *above = is_first ? "first_delay" : "delay";
    const struct colony_value *place = colony_value_get(map, above);
    uint64_t least_ms;

    if (is_first || policy->base_ms > policy->cap_ms)
        return colony__setting_fail(
            reading, place ? place : colony_value_get(map, "max_delay"), -EINVAL,
            "cannot use `%s`: it is %g s, above `max_delay`, which is %g s", above,
            (double)(is_first ? policy->first_ms : policy->base_ms) / 1000,
            (double)policy->cap_ms / 1000);
    least_ms = colony_restart_least_ms(policy);
    if (policy->attempts > 0 && least_ms > policy->window_ms)
        return colony__setting_fail(reading, colony_value_get(map, "attempts"), -EINVAL,
                                    "cannot use `attempts`: with these delays %u ends take %g s or "
                                    "more, so there are never so many within `window`",
                                    policy->attempts, (double)least_ms / 1000);
    return 0;
}

static int read_restart_map(const struct colony__reading *reading,
                            const struct colony__setting *row, const struct colony_value *map,
                            struct colony_restart_policy *policy)
{
    static const uint64_t zero_alone[4] = {1};
    int rc;

    *policy = (struct colony_restart_policy){.max_retries = COLONY_RESTART_NO_LIMIT};
    rc = colony__settings_read(reading, row->detail, map, policy);
    if (rc < 0)
        return rc;
    if (policy->when == RESTART_NEVER)
        return check_never(reading, map);
    if (policy->when == RESTART_ALWAYS &&
        memcmp(policy->expected, zero_alone, sizeof zero_alone) != 0)
        return fail_needs(reading, map, "exit_codes", "when: on-failure` or `when: never");
    rc = check_needs(reading, map, policy);
    return rc < 0 ? rc : check_delays(reading, map, policy);
}

static int read_restart(const struct colony__reading *reading, const struct colony__setting *row,
                        const struct colony_value *value, void *field)
{
    struct colony_restart_policy *policy = field;

    if (value->type == VALUE_MAP)
        return read_restart_map(reading, row, value, policy);
    for (unsigned i = 0; value->type == VALUE_STRING && when_names[i]; i++) {
        if (strcmp(when_names[i], value->text) == 0) {
            policy->when = i;
            return 0;
        }
    }
    return colony__setting_fail_type(reading, row, value);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* A field of `2, 1., 7., 5`: a number, or a text such as 500ms. Owns nothing. */
static void make_field(struct colony_value *node, char *text)
{
    size_t length = strlen(text);
    char *end;

    while (length > 0 && is_blank(text[length - 1]))
        text[--length] = '\0';
    while (is_blank(*text))
        text++;
    node->type = VALUE_STRING;
    node->text = text;
    if (*text == '\0')
        return;
    node->number = strtod(text, &end);
    if (*end == '\0')
        node->type = VALUE_NUMBER;
}

/* The INI way: `attempts, window, retry_in, max_retry`; the last ones may be left out. */
static int read_flapping_text(const struct colony__reading *reading,
                              const struct colony__setting *row, const struct colony_value *value,
                              struct colony_restart_policy *policy)
{
    struct {
        struct colony_value map;
        struct colony_value fields[FLAPPING_FIELDS];
        char text[FLAPPING_TEXT_MAX];
    } made = {.map = {.type = VALUE_MAP, .key = (char *)row->name}};
    struct colony_value **tail = &made.map.child;
    char *rest = made.text;

    if (strlen(value->text) >= sizeof made.text)
        return colony__setting_fail_type(reading, row, value);
    memcpy(made.text, value->text, strlen(value->text) + 1);
    for (size_t i = 0; rest; i++) {
        char *field = strsep(&rest, ",");

        if (i == FLAPPING_FIELDS)
            return colony__setting_fail_type(reading, row, value);
        made.fields[i] = (struct colony_value){.key = (char *)colony__flapping_settings[i].name,
                                               .line = value->line,
                                               .column = value->column};
        make_field(&made.fields[i], field);
        *tail = &made.fields[i];
        tail = &made.fields[i].next;
    }
    return colony__settings_read(reading, row->detail, &made.map, policy);
}

static int read_flapping(const struct colony__reading *reading, const struct colony__setting *row,
                         const struct colony_value *value, void *field)
{
    struct colony_restart_policy policy = {
        .when = RESTART_ALWAYS, .expected = {1}, .reset_ms = 1, .factor = 1, .is_shared = true};
    int rc;

    if (value->type == VALUE_BOOL && !value->boolean)
        return 0;
    if (value->type == VALUE_MAP)
        rc = colony__settings_read(reading, row->detail, value, &policy);
    else if (value->type == VALUE_STRING || value->type == VALUE_NUMBER)
        rc = read_flapping_text(reading, row, value, &policy);
    else
        rc = colony__setting_fail_type(reading, row, value);
    if (rc == 0)
        *(struct colony_restart_policy *)field = policy;
    return rc;
}

int colony__restart_check(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_value *flapping = colony__setting_given(draft->source, "flapping");

    if (!flapping || !draft->restart.is_shared || !colony__setting_given(draft->source, "restart"))
        return 0;
    return colony__setting_fail(reading, flapping, -EINVAL,
                                "cannot use `flapping` together with `restart`: drop `flapping`, "
                                "and give `attempts`, `window`, `retry_in` and `max_retry` in "
                                "`restart`");
}

const struct colony__setting_type colony__restart = {
    "always, on-failure, never, or a map of settings", true, read_restart, NULL};
const struct colony__setting_type colony__flapping = {
    "a map of settings, a text such as \"2, 1, 7, 5\", or false", true, read_flapping, NULL};
