/* SPDX-License-Identifier: Apache-2.0 */
/* scale.c - more or fewer processes of a template. */
#include <errno.h>

#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "api/wait_internal.h"
#include "core/engine.h"
#include "core/error.h"

/* *number from the end of the path; 1 without. */
static int parse_count(const struct colony__request *request, unsigned long long min,
                       unsigned long long *number, struct colony_error *err)
{
    const char *text = request->args[1];

    *number = 1;
    if (text && (colony__parse_number(text, COLONY_SLOTS_MAX, number) < 0 || *number < min))
        return colony_fail(err, -EINVAL,
                           "cannot use '%s': it must be a whole number from %llu to %d", text, min,
                           COLONY_SLOTS_MAX);
    return 0;
}

/* @change more slots, or @count of them when it is 0. */
static int scale(struct colony__connection *connection, const struct colony__request *request,
                 int64_t change, uint32_t count, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__wait_options options = {.goal = GOAL_SCALED};
    struct colony__target target = {0};
    int rc = colony__wait_parse(request, &options.ms, err);

    if (rc == 0)
        rc = colony__target_find_template(&target, engine, request->args[0], err);
    if (rc < 0)
        return rc;
    if (colony__subjects_add(&options.subjects, target.name) < 0)
        return colony_fail_os(err, -ENOMEM, "cannot scale %s", target.name);
    rc = colony_engine_scale_template(engine, target.name, change, &count,
                                      colony__connection_why(connection), err);
    if (rc < 0) {
        colony__subjects_clear(&options.subjects);
        return rc;
    }
    colony__json_open_ok(&options.answer);
    colony__json_add_number(&options.answer, "numprocesses", count);
    return colony__wait_begin(connection, &options, err);
}

int colony__post_add(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err)
{
    unsigned long long count;
    int rc = parse_count(request, 1, &count, err);

    return rc < 0 ? rc : scale(connection, request, (int64_t)count, 0, err);
}

int colony__post_sub(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err)
{
    unsigned long long count;
    int rc = parse_count(request, 1, &count, err);

    return rc < 0 ? rc : scale(connection, request, -(int64_t)count, 0, err);
}

int colony__post_scale(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    unsigned long long count;
    int rc = parse_count(request, 0, &count, err);

    return rc < 0 ? rc : scale(connection, request, 0, (uint32_t)count, err);
}
