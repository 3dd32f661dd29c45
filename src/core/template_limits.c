/* SPDX-License-Identifier: Apache-2.0 */
/* template_limits.c - the settings `limits` and `restart_above`: how much a process may take. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"

#define LIMIT_AT(field) offsetof(struct colony_limits, field)
#define ABOVE_AT(field) offsetof(struct colony_restart_above, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define BYTES &colony__setting_bytes

enum {
    CPUS_MAX = 10000,
    CPU_MILLI_MIN = 10, /* the kernel's least quota: 1 ms of 100 */
    PERCENT_MAX = CPUS_MAX * 100,
    PIDS_MAX = 1 << 22, /* PID_MAX_LIMIT of Linux */
    AGE_MS_MIN = 1000,
};

/* "50%" → 50. */
static bool parse_percent(const struct colony_value *value, double *percent)
{
    char *end;

    if (value->type != VALUE_STRING || strspn(value->text, "0123456789.%") < strlen(value->text))
        return false;
    *percent = strtod(value->text, &end);
    return end > value->text && strcmp(end, "%") == 0;
}

static int read_cpus(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    double percent = 0;
    double milli;

    if (value->type == VALUE_NUMBER)
        milli = value->number * 1000;
    else if (parse_percent(value, &percent))
        milli = percent * 10;
    else
        return colony__setting_fail_type(reading, row, value);
    if (!(milli >= CPU_MILLI_MIN && milli <= CPUS_MAX * 1000.0))
        return colony__setting_fail_type(reading, row, value);
    *(uint32_t *)field = (uint32_t)(milli + 0.5);
    return 0;
}

static int read_percent(const struct colony__reading *reading, const struct colony__setting *row,
                        const struct colony_value *value, void *field)
{
    double percent = value->number;

    if (value->type != VALUE_NUMBER && !parse_percent(value, &percent))
        return colony__setting_fail_type(reading, row, value);
    if (!(percent >= 1 && percent <= PERCENT_MAX))
        return colony__setting_fail_type(reading, row, value);
    *(uint32_t *)field = (uint32_t)(percent + 0.5);
    return 0;
}

static const struct colony__setting_type type_cpus = {
    "a number of CPUs from 0.01 to 10000, or a text such as 50%", false, read_cpus, NULL};
static const struct colony__setting_type type_percent = {
    "a percentage of one CPU from 1 to 1000000, such as 80 or 80%", false, read_percent, NULL};

/* clang-format off */
const struct colony__setting colony__limits_settings[] = {
    {"memory",   BYTES, 0, NULL, LIMIT_AT(memory_bytes), RANGE(4096, INT64_C(1) << 50),
     "memory of a slot's processes together; above it the kernel kills"},
    {"cpu",      &type_cpus, 0, NULL, LIMIT_AT(cpu_milli), NULL,
     "how many CPUs' time they may take together, as 1.5 or 50%"},
    {"pids",     &colony__setting_count, 0, NULL, LIMIT_AT(pids), RANGE(1, PIDS_MAX),
     "how many processes and threads there may be"},
    {"optional", &colony__setting_flag, 0, "false", LIMIT_AT(is_optional), NULL,
     "go on without a limit that this machine can't set"},
    {0},
};

const struct colony__setting colony__restart_above_settings[] = {
    {"memory", BYTES, 0, NULL, ABOVE_AT(memory_bytes), RANGE(4096, INT64_C(1) << 50),
     "resident memory of a process and its children"},
    {"cpu",    &type_percent, 0, NULL, ABOVE_AT(cpu_percent), NULL,
     "their use of the CPU, in percent of one"},
    {"for",    &colony__setting_seconds, 0, "30", ABOVE_AT(for_ms), NULL,
     "how long it must stay above"},
    {0},
};
/* clang-format on */

static int read_restart_above(const struct colony__reading *reading,
                              const struct colony__setting *row, const struct colony_value *value,
                              void *field)
{
    const struct colony_restart_above *above = field;
    int rc = colony__settings_read(reading, row->detail, value, field);

    if (rc == 0 && above->memory_bytes == 0 && above->cpu_percent == 0)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: give `memory`, `cpu` or both", row->name);
    return rc;
}

/* What colony would have to stop it for. */
static int check_detached(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_template *template = &draft->template;
    const bool is_above =
        draft->restart_above.memory_bytes > 0 || draft->restart_above.cpu_percent > 0;
    const struct {
        const char *name;
        bool is_on;
    } stops[] = {
        {"start_timeout", template->start_timeout_ms > 0},
        {"watchdog", template->watchdog_ms > 0},
        {"max_age", template->max_age_ms > 0},
        {"restart_above", is_above},
    };

    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++)
        if (stops[i].is_on)
            return colony__setting_fail(reading, colony_value_get(draft->source, stops[i].name),
                                        -EINVAL,
                                        "cannot use `%s` together with `detach`: what is detached "
                                        "is never stopped by colony",
                                        stops[i].name);
    return 0;
}

int colony__limits_check(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_value *map = colony_value_get(draft->source, "restart_above");
    const struct colony_template *template = &draft->template;
    const struct colony_restart_above *above = &draft->restart_above;
    const struct colony_limits *limits = &draft->limits;
    const char *name = NULL;

    if (limits->memory_bytes > 0 && above->memory_bytes > limits->memory_bytes)
        name = "memory";
    else if (limits->cpu_milli > 0 && above->cpu_percent > limits->cpu_milli / 10)
        name = "cpu";
    if (name)
        return colony__setting_fail(reading, colony_value_get(map, name), -EINVAL,
                                    "cannot use `%s` of `restart_above`: it is above that of "
                                    "`limits`, so it is never reached",
                                    name);
    if (template->max_age_ms > 0 && template->max_age_ms < AGE_MS_MIN)
        return colony__setting_fail(reading, colony_value_get(draft->source, "max_age"), -EINVAL,
                                    "cannot use `max_age`: it must be 1s or more");
    return template->detach ? check_detached(draft, reading) : 0;
}

const struct colony__setting_type colony__restart_above = {"a map of settings", true,
                                                           read_restart_above, NULL};
