/* SPDX-License-Identifier: Apache-2.0 */
#include "api/actions_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"

const struct colony__action colony__action_start = {
    .apply = colony_engine_start_template, .can_wait = true, .goal = GOAL_STARTED};
const struct colony__action colony__action_once = {
    .apply = colony_engine_start_template_once, .can_wait = true, .goal = GOAL_STARTED};
const struct colony__action colony__action_stop = {.apply = colony_engine_stop_template,
                                                   .can_wait = true,
                                                   .goal = GOAL_STOPPED,
                                                   .has_report = true};
const struct colony__action colony__action_restart = {.apply = colony_engine_restart_template,
                                                      .can_wait = true,
                                                      .goal = GOAL_STARTED,
                                                      .wants_new = true,
                                                      .has_report = true};
const struct colony__action colony__action_delete = {.check = colony_engine_check_change,
                                                     .apply = colony_engine_remove_template,
                                                     .can_wait = true,
                                                     .goal = GOAL_STOPPED,
                                                     .has_report = true};

static int apply(struct colony__connection *connection, const struct colony__action *action,
                 const struct colony__subjects *subjects, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    int rc = 0;

    for (size_t i = 0; i < subjects->count && rc == 0 && action->check; i++)
        rc = action->check(engine, subjects->items[i].name, err);
    for (size_t i = 0; i < subjects->count && rc == 0; i++)
        rc =
            action->apply(engine, subjects->items[i].name, colony__connection_why(connection), err);
    return rc;
}

/* Borrowed names, each perhaps several times. */
struct held {
    const char **names;
    size_t count;
    size_t capacity;
    bool failed;
};

static void add_held(const char *name, void *data)
{
    struct held *held = data;
    const char **grown =
        colony_array_room(held->names, held->count, &held->capacity, sizeof *held->names);

    held->failed |= !grown;
    if (!grown)
        return;
    held->names = grown;
    held->names[held->count++] = name;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* "held": the names of what stops with @subjects; nothing when nothing does. */
static void add_all_held(struct colony__json *json, struct colony_engine *engine,
                         const struct colony__subjects *subjects)
{
    struct held held = {.names = NULL};

    for (size_t i = 0; i < subjects->count; i++)
        colony_engine_each_held(engine, subjects->items[i].name, add_held, &held);
    if (held.count > 0) {
        qsort(held.names, held.count, sizeof *held.names, compare_names);
        colony__json_open(json, "held", '[');
        for (size_t i = 0; i < held.count; i++)
            if (i == 0 || strcmp(held.names[i - 1], held.names[i]) != 0)
                colony__json_add_text(json, NULL, held.names[i]);
        colony__json_close(json, ']');
    }
    json->failed |= held.failed;
    free(held.names);
}

int colony__act(struct colony__connection *connection, const struct colony__request *request,
                const struct colony__action *action, struct colony__subjects *subjects,
                struct colony_error *err)
{
    struct colony__wait_options options = {.goal = action->goal};
    int rc = action->can_wait ? colony__wait_parse(request, &options.ms, err) : 0;

    if (action->wants_new)
        colony__subjects_note(subjects, colony__connection_engine(connection));
    if (rc == 0)
        rc = apply(connection, action, subjects, err);
    if (rc < 0) {
        colony__subjects_clear(subjects);
        return rc;
    }
    options.subjects = *subjects;
    options.has_report = action->has_report;
    colony__json_open_ok(&options.answer);
    if (action->goal == GOAL_STOPPED)
        add_all_held(&options.answer, colony__connection_engine(connection), &options.subjects);
    return colony__wait_begin(connection, &options, err);
}

static int act_on(struct colony__connection *connection, const struct colony__request *request,
                  const struct colony__action *action, const struct colony__target *target,
                  struct colony_error *err)
{
    struct colony__subjects subjects = {0};

    if (colony__subjects_add(&subjects, target->name) < 0)
        return colony_fail_os(err, -ENOMEM, "cannot change %s", target->name);
    return colony__act(connection, request, action, &subjects, err);
}

static int act_on_named(struct colony__connection *connection,
                        const struct colony__request *request, const struct colony__action *action,
                        struct colony_error *err)
{
    struct colony__target target;
    int rc = colony__target_find_template(&target, colony__connection_engine(connection),
                                          request->args[0], err);

    return rc < 0 ? rc : act_on(connection, request, action, &target, err);
}

/* The one process that is meant; another takes its place unless `stay_stopped` is asked for. */
static int stop_process(struct colony__connection *connection,
                        const struct colony__request *request, const struct colony__target *target,
                        struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__wait_options options = {.goal = GOAL_GONE, .has_report = true};
    bool stays_stopped = false;
    int rc = colony__wait_parse(request, &options.ms, err);

    if (rc == 0)
        rc = colony__request_query_bool(request, "stay_stopped", &stays_stopped, err);
    if (rc < 0)
        return rc;
    if (colony__subjects_add(&options.subjects, target->name) < 0)
        return colony_fail_os(err, -ENOMEM, "cannot stop %s", target->name);
    options.subjects.items[0].id = target->id;
    rc = (stays_stopped ? colony_engine_stop_process : colony_engine_replace_process)(
        engine, target->id, colony__connection_why(connection), err);
    if (rc < 0) {
        colony__subjects_clear(&options.subjects);
        return rc;
    }
    colony__json_open_ok(&options.answer);
    return colony__wait_begin(connection, &options, err);
}

/* @action of a template, or the stop of one process. */
static int end(struct colony__connection *connection, const struct colony__request *request,
               const struct colony__action *action, struct colony_error *err)
{
    struct colony__target target;
    int rc =
        colony__target_find(&target, colony__connection_engine(connection), request->args[0], err);

    if (rc < 0)
        return rc;
    return target.id ? stop_process(connection, request, &target, err)
                     : act_on(connection, request, action, &target, err);
}

int colony__post_start(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    return act_on_named(connection, request, &colony__action_start, err);
}

int colony__post_once(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    return act_on_named(connection, request, &colony__action_once, err);
}

int colony__post_stop(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    return end(connection, request, &colony__action_stop, err);
}

int colony__post_restart(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err)
{
    return act_on_named(connection, request, &colony__action_restart, err);
}

int colony__delete_process(struct colony__connection *connection,
                           const struct colony__request *request, struct colony_error *err)
{
    return end(connection, request, &colony__action_delete, err);
}
