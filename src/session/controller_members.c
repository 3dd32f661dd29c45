/* SPDX-License-Identifier: Apache-2.0 */
/* controller_members.c - the processes of a session, and what becomes of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/events.h"
#include "core/json_print.h"
#include "core/log.h"
#include "core/template.h"
#include "session/controller_internal.h"

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of
   uthash are counted as if written here */
struct member *controller_find(struct controller *controller, const char *name)
{
    struct member *member;

    HASH_FIND_STR(controller->members, name, member);
    return member;
}

struct member *controller_add(struct controller *controller, const char *name)
{
    struct member *member = calloc(1, sizeof *member);

    if (member) {
        member->name = strdup(name);
        member->state = strdup(COLONY_STATE_STOPPED);
    }
    if (!member || !member->name || !member->state) {
        if (member)
            free(member->name);
        free(member);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, controller->members, member->name, strlen(member->name), member);
    return member;
}

void controller_remove(struct controller *controller, struct member *member)
{
    HASH_DEL(controller->members, member);
    free(member->name);
    free(member->alias);
    free(member->state);
    free(member->adopted_state);
    free(member);
}

void controller_remove_all(struct controller *controller)
{
    while (controller->members)
        controller_remove(controller, controller->members);
}
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */

/* --- states ------------------------------------------------------------------------------------
 */

/* {"name": …, "alias": …, "state": …, "previous": …}; NULL: no memory. */
static char *describe(const struct member *member, const char *previous)
{
    cJSON *json = cJSON_CreateObject();
    char *text = NULL;

    if (cJSON_AddStringToObject(json, "name", member->name) &&
        (member->alias ? cJSON_AddStringToObject(json, "alias", member->alias)
                       : cJSON_AddNullToObject(json, "alias")) &&
        cJSON_AddStringToObject(json, "state", member->state) &&
        cJSON_AddStringToObject(json, "previous", previous))
        text = colony_json_print(json);
    cJSON_Delete(json);
    return text;
}

static void publish(struct controller *controller, const struct member *member,
                    const char *previous)
{
    char topic[sizeof "session..state" + COLONY_NAME_MAX];
    char *text = describe(member, previous);

    (void)snprintf(topic, sizeof topic, "session.%s.state", member->name);
    if (text)
        colony_events_publish(colony_engine_events(controller->engine),
                              &(const struct colony_event){.type = EVENT_SESSION,
                                                           .topic = topic,
                                                           .name = member->name,
                                                           .os_pid = member->pid,
                                                           .text = text});
    else
        colony_log(SEVERITY_ERROR, "cannot tell that %s is %s now: out of memory", member->name,
                   member->state);
    free(text);
}

void controller_mark_dirty(struct controller *controller, struct member *member)
{
    member->is_dirty = true;
    controller->has_dirty = true;
}

void controller_set_state(struct controller *controller, struct member *member, const char *state)
{
    char *previous = member->state;
    char *copy;

    if (strcmp(previous, state) == 0)
        return;
    copy = strdup(state);
    if (!copy)
        return; /* the next look finds it again */
    member->state = copy;
    controller_mark_dirty(controller, member);
    colony_engine_set_state(controller->engine, member->name,
                            member->pid > 0 ? member->state : NULL);
    publish(controller, member, previous);
    free(previous);
}

/* --- processes ---------------------------------------------------------------------------------
 */

static void begin_life(struct controller *controller, struct member *member, pid_t pid)
{
    member->pid = pid;
    member->start_ticks = 0;
    member->is_due = true;
    controller->has_due = true;
    controller_mark_dirty(controller, member);
}

void controller_take_over(struct controller *controller, struct member *member, pid_t pid,
                          const char *state)
{
    begin_life(controller, member, pid);
    member->is_settled = state && strcmp(state, COLONY_STATE_STOPPED) != 0 &&
                         strcmp(state, COLONY_STATE_STARTING) != 0;
    controller_set_state(controller, member, member->is_settled ? state : COLONY_STATE_STARTING);
    colony_engine_set_state(controller->engine, member->name, member->state);
}

void controller_on_spawn(const struct colony_event *event, void *data)
{
    struct controller *controller = data;
    struct member *member = event->name ? controller_find(controller, event->name) : NULL;
    bool is_adopted = member && member->adopting == event->os_pid;

    if (!member || event->slot != 1 || event->os_pid == member->pid)
        return;
    member->adopting = 0;
    controller_take_over(controller, member, event->os_pid,
                         is_adopted ? member->adopted_state : NULL);
    controller_look_soon(controller);
}

/* What was to be taken over has ended just before, or is not ours: the engine knows what is next.
 */
void controller_on_fail(const struct colony_event *event, void *data)
{
    struct controller *controller = data;
    struct member *member = event->name ? controller_find(controller, event->name) : NULL;

    if (!member || member->adopting == 0)
        return;
    member->adopting = 0;
    controller_mark_dirty(controller, member);
    controller_look_soon(controller);
}

/* It may have ended because a parent is not as it was: that is looked at now, not with the next
 * period, so that it is not started again and again meanwhile. */
static void doubt_parents(struct controller *controller, const struct member *member)
{
    const struct colony_template *template =
        colony_engine_find_template(controller->engine, member->name);

    for (uint32_t i = 0; template && i < template->dependency_count; i++) {
        struct member *parent = controller_find(controller, template->dependencies[i].name);

        if (parent && parent->pid > 0) {
            parent->is_due = true;
            controller->has_due = true;
        }
    }
}

void controller_on_exit(const struct colony_event *event, void *data)
{
    struct controller *controller = data;
    struct member *member = event->name ? controller_find(controller, event->name) : NULL;

    if (!member || event->slot != 1)
        return;
    member->pid = 0;
    member->start_ticks = 0;
    member->adopting = 0;
    member->is_settled = false;
    member->is_due = false;
    controller_mark_dirty(controller, member);
    controller_set_state(controller, member, COLONY_STATE_STOPPED);
    doubt_parents(controller, member);
    controller_look_soon(controller);
}

void controller_on_wish(const struct colony_event *event, void *data)
{
    struct controller *controller = data;
    struct member *member = event->name ? controller_find(controller, event->name) : NULL;
    bool is_held = event->type == EVENT_STOP;

    if (!member || member->is_held == is_held)
        return;
    member->is_held = is_held;
    controller->has_held = controller->has_dirty = true;
    controller_look_soon(controller);
}

char *controller_list_held(const struct controller *controller)
{
    size_t size = 1;
    char *text;
    char *at;

    for (const struct member *member = controller->members; member; member = member->hh.next)
        if (member->is_held)
            size += strlen(member->name) + 1;
    text = at = calloc(1, size);
    for (const struct member *member = controller->members; text && member;
         member = member->hh.next)
        if (member->is_held)
            at += snprintf(at, size - (size_t)(at - text), "%s\n", member->name);
    return text;
}
