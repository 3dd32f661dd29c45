/* SPDX-License-Identifier: Apache-2.0 */
/* template_gates.c - the setting `depends_on`: what must be there before a template starts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"

#define WHOLE 0 /* the type fills several fields */
#define STATE_PREFIX "state:"
#define AT(field) offsetof(struct colony_dependency, field)

static const char *const condition_names[] = {[CONDITION_STARTED] = "started",
                                              [CONDITION_READY] = "ready",
                                              [CONDITION_COMPLETED] = "completed",
                                              [CONDITION_HEALTHY] = "healthy",
                                              NULL};
static const char *const when_down_names[] = {
    [WHEN_DOWN_STOP] = "stop", [WHEN_DOWN_KEEP] = "keep", [WHEN_DOWN_RESTART] = "restart", NULL};

static int read_state(const struct colony__reading *reading, const struct colony_value *value,
                      struct colony_dependency *dependency)
{
    const char *state = value->text + strlen(STATE_PREFIX);
    struct colony_error reason;

    if (colony_name_check_file(state, &reason) < 0)
        return colony__setting_fail(reading, value, -EINVAL, "cannot use the state `%.200s`: %s",
                                    state, reason.message);
    dependency->state = strdup(state);
    if (!dependency->state)
        return -ENOMEM;
    dependency->condition = CONDITION_STATE;
    return 0;
}

static int read_condition(const struct colony__reading *reading, const struct colony__setting *row,
                          const struct colony_value *value, void *field)
{
    struct colony_dependency *dependency = field;

    if (value->type == VALUE_STRING &&
        strncmp(value->text, STATE_PREFIX, strlen(STATE_PREFIX)) == 0)
        return read_state(reading, value, dependency);
    for (size_t i = 0; value->type == VALUE_STRING && condition_names[i]; i++)
        if (strcmp(condition_names[i], value->text) == 0) {
            dependency->condition = (enum colony_condition)i;
            return 0;
        }
    return colony__setting_fail_type(reading, row, value);
}

const struct colony__setting_type colony__condition = {
    "one of started, ready, completed, healthy, or state:NAME", false, read_condition, NULL};

/* clang-format off */
const struct colony__setting colony__dependency_settings[] = {
    {"condition", &colony__condition,      0, "started", WHOLE,         NULL,
     "what it must be: started, ready, healthy, completed, or in the state NAME of a session (`state:*`: in any but starting)"},
    {"needed",    &colony__setting_flag,   0, "true",    AT(is_needed), NULL,
     "false: it is only waited for; when it is missing, stopped or failed, that holds up nobody"},
    {"when_down", &colony__setting_choice, 0, NULL,      AT(when_down), when_down_names,
     "when it stops, fails or leaves that state: stop until it is there again, keep running, or restart with it; stop "
     "unless given, or keep when it is not needed"},
    {0},
};
/* clang-format on */

/* @value is what the map has for it; NULL: nothing but its name. */
static int read_dependency(const struct colony__reading *reading, const struct colony_value *value,
                           struct colony_dependency *dependency)
{
    static const struct colony_value nothing = {.type = VALUE_MAP};
    const struct colony_value *when_down = colony__setting_given(value, "when_down");
    struct colony_value condition;
    struct colony_value map = {.type = VALUE_MAP, .child = &condition};
    int rc;

    if (!value || value->type == VALUE_NULL)
        return colony__settings_read(reading, colony__dependency_settings, &nothing, dependency);
    if (value->type != VALUE_MAP) { /* NAME: CONDITION is short for NAME: {condition: CONDITION} */
        condition = *value;
        condition.key = (char *)colony__dependency_settings[0].name;
        condition.next = NULL;
        value = &map;
    }
    rc = colony__settings_read(reading, colony__dependency_settings, value, dependency);
    if (rc < 0 || dependency->is_needed)
        return rc;
    if (when_down && dependency->when_down != WHEN_DOWN_KEEP)
        return colony__setting_fail(reading, when_down, -EINVAL,
                                    "cannot use `when_down`: what is not needed stops nobody, so "
                                    "it can only be keep");
    dependency->when_down = WHEN_DOWN_KEEP;
    return 0;
}

static int check_name(const struct colony__reading *reading, const struct colony_template *template,
                      const char *name, const struct colony_value *place)
{
    struct colony_error reason;

    if (colony_name_check(name, &reason) < 0)
        return colony__setting_fail(reading, place, -EINVAL, "%s", reason.message);
    if (strcmp(name, template->name) == 0)
        return colony__setting_fail(reading, place, -EINVAL,
                                    "cannot use `depends_on`: %s cannot wait for itself", name);
    for (size_t i = 0; i < template->dependency_count; i++)
        if (strcmp(name, template->dependencies[i].name) == 0)
            return colony__setting_fail(reading, place, -EINVAL,
                                        "cannot use `depends_on`: %s is there twice", name);
    return 0;
}

static int add_dependency(const struct colony__reading *reading, struct colony_template *template,
                          const struct colony_value *member, bool is_named)
{
    struct colony_dependency *dependency = &template->dependencies[template->dependency_count];
    const char *name = is_named ? member->key : member->text;
    int rc = check_name(reading, template, name, member);

    if (rc < 0)
        return rc;
    dependency->name = strdup(name);
    if (!dependency->name)
        return -ENOMEM;
    template->dependency_count++;
    return read_dependency(reading, is_named ? member : NULL, dependency);
}

static int read_depends_on(const struct colony__reading *reading, const struct colony__setting *row,
                           const struct colony_value *value, void *field)
{
    struct colony_template *template = &((struct colony__draft *)field)->template;
    bool is_map = value->type == VALUE_MAP;
    struct colony_value alone = *value;
    const struct colony_value *first = value->child;
    size_t count = 0;
    int rc = 0;

    if (value->type == VALUE_STRING) {
        alone.next = NULL;
        first = &alone;
    } else if (value->type != VALUE_LIST && !is_map) {
        return colony__setting_fail_type(reading, row, value);
    }
    for (const struct colony_value *member = first; member; member = member->next, count++)
        if (!is_map && member->type != VALUE_STRING)
            return colony__setting_fail_type(reading, row, member);
    if (count > COLONY_DEPENDENCIES_MAX)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: there are more than %d", row->name,
                                    COLONY_DEPENDENCIES_MAX);
    template->dependency_count = 0;
    template->dependencies = calloc(count + 1, sizeof *template->dependencies);
    if (!template->dependencies)
        return -ENOMEM;
    for (const struct colony_value *member = first; member && rc == 0; member = member->next)
        rc = add_dependency(reading, template, member, is_map);
    return rc;
}

const struct colony__setting_type colony__depends_on = {
    "a name, a list of names, or a map of names and conditions", false, read_depends_on, NULL};
