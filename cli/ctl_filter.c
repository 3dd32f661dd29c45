/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_filter.c - which events `colony ctl watch` and `events` tell, as their operands say it. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/events.h"
#include "core/template.h"
#include "ctl_internal.h"

#define NAME_PREFIX "name:"
#define TOPIC_PREFIX "proc."

static bool is_listed(const struct cJSON *names, const char *name)
{
    const struct cJSON *item;

    cJSON_ArrayForEach(item, names)
    {
        if (cJSON_IsString(item) && strcmp(item->valuestring, name) == 0)
            return true;
    }
    return false;
}

/* --- who is not there ------------------------------------------------------------------------- */

static const char *find_nearest_event(const char *name)
{
    const char *kinds[EVENT_STRAY + 1] = {NULL};

    for (int i = 0; i < EVENT_STRAY; i++)
        kinds[i] = colony_event_name((enum colony_event_type)i);
    return colony_name_nearest(name, kinds);
}

/* Somebody may wait for one that is still to come; or has mistyped it, or an event. */
static void tell_stranger(const struct cJSON *known, const char *name)
{
    const char *nearest;

    if (is_listed(known, name))
        return;
    nearest = colony__ctl_nearest(known, name);
    if (!nearest)
        nearest = find_nearest_event(name);
    (void)colony__ctl_fail(EXIT_OK, "there is no template %s now%s%s%s", name,
                           nearest ? ": did you mean " : "", nearest ? nearest : "",
                           nearest ? "?" : "");
}

/* The same for what follows `proc.`: a name, which may have dots, and perhaps an event. */
static void tell_strange_topic(const struct cJSON *known, const char *topic)
{
    const char *last = strrchr(topic, '.');
    bool has_event = last && colony_event_parse(last + 1) >= 0;
    char name[COLONY_NAME_MAX + 1]; /* without its last part */
    const char *nearest = NULL;

    if (is_listed(known, topic))
        return;
    (void)snprintf(name, sizeof name, "%.*s", last ? (int)(last - topic) : 0, topic);
    if (last && !has_event && is_listed(known, name))
        nearest = find_nearest_event(last + 1);
    if (nearest)
        (void)colony__ctl_fail(EXIT_OK, "there is no template %s now: did you mean proc.%s.%s?",
                               topic, name, nearest);
    else
        tell_stranger(known, has_event ? name : topic);
}

static void tell_strangers(const struct ctl *ctl, const struct ctl_filter *filter)
{
    bool is_needed = filter->names->child || filter->pattern_count > 0;
    struct cJSON *known = is_needed ? colony__ctl_peek(ctl, "/processes") : NULL;
    const struct cJSON *name;

    if (!known)
        return;
    cJSON_ArrayForEach(name, filter->names)
    {
        tell_stranger(known, name->valuestring);
    }
    for (int i = 0; i < filter->pattern_count; i++)
        if (strncmp(filter->patterns[i], TOPIC_PREFIX, strlen(TOPIC_PREFIX)) == 0)
            tell_strange_topic(known, filter->patterns[i] + strlen(TOPIC_PREFIX));
    cJSON_Delete(known);
}

/* --- what is asked for ------------------------------------------------------------------------ */

static int add_names(const struct ctl *ctl, const char *doing, char *operand, struct cJSON *names)
{
    char *argv[2] = {NULL, operand};
    struct cJSON *members = NULL;
    struct cJSON *name;
    int exit_code = colony__ctl_expand(ctl, doing, 2, argv, &members);

    while ((name = cJSON_DetachItemFromArray(members, 0)) != NULL)
        if (!cJSON_AddItemToArray(names, name))
            cJSON_Delete(name);
    cJSON_Delete(members);
    return exit_code;
}

static int add_operand(const struct ctl *ctl, const char *doing, char *operand,
                       struct ctl_filter *filter)
{
    int kind = colony_event_parse(operand);
    char *name = operand;

    if (kind >= 0 && kind != EVENT_STRAY) {
        filter->kind = filter->kinds == 0 ? operand : NULL;
        filter->kinds |= 1U << kind;
        return EXIT_OK;
    }
    if (colony_event_is_pattern(operand)) {
        filter->patterns[filter->pattern_count++] = operand;
        return EXIT_OK;
    }
    if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0 &&
        (colony_event_is_pattern(name + strlen(NAME_PREFIX)) ||
         colony_event_parse(name + strlen(NAME_PREFIX)) >= 0))
        name += strlen(NAME_PREFIX);
    return add_names(ctl, doing, name, filter->names);
}

int colony__ctl_filter(const struct ctl *ctl, const char *doing, int argc, char **argv,
                       struct ctl_filter *filter)
{
    int exit_code = EXIT_OK;

    *filter = (struct ctl_filter){.names = cJSON_CreateArray(), .patterns = argv + 1};
    if (!filter->names)
        return colony__ctl_fail(EXIT_FAILED, "cannot %s: out of memory", doing);
    for (int i = 1; i < argc && exit_code == EXIT_OK; i++)
        exit_code = add_operand(ctl, doing, argv[i], filter);
    if (exit_code != EXIT_OK)
        return exit_code;
    filter->is_whole = filter->kinds != 0 || filter->pattern_count > 0;
    if (cJSON_GetArraySize(filter->names) == 1)
        filter->name = filter->names->child->valuestring;
    if (filter->pattern_count > 0)
        filter->kind = filter->name = NULL;
    tell_strangers(ctl, filter);
    return EXIT_OK;
}

bool colony__ctl_is_wanted(const struct ctl_filter *filter, const struct cJSON *event)
{
    int kind = colony_event_parse(colony__ctl_text(event, "event"));
    const char *name = colony__ctl_text(event, "name");
    struct colony_event told = {.name = name[0] != '\0' ? name : NULL};

    if (kind >= 0)
        told.type = (enum colony_event_type)kind;
    for (int i = 0; i < filter->pattern_count && kind >= 0; i++)
        if (colony_event_matches(filter->patterns[i], &told))
            return true;
    if (filter->pattern_count > 0 && filter->kinds == 0 && !filter->names->child)
        return false;
    if (filter->kinds != 0 && (kind < 0 || !(filter->kinds & (1U << kind))))
        return false;
    return !filter->names->child || is_listed(filter->names, name);
}
