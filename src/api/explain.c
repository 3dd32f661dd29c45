/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - GET /why/NAME and GET /env/NAME: where the present state comes from. */
#include <errno.h>
#include <stdlib.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/mask.h"
#include "core/store.h"
#include "core/template.h"

enum {
    HISTORY_SHOWN = 20, /* events that led to the present state; GET /history has the rest */
};

/* An answer that lacks its history. It belongs to the store's callback. */
struct story {
    struct colony__connection *connection; /* NULL: it has gone */
    struct colony__json json;              /* an object that is still open */
};

struct slot_list {
    struct colony__json *json;
    uint32_t slot; /* the only one that is wanted; 0: all */
    bool is_found;
};

static void add_slot(const struct colony_slot_info *info, void *data)
{
    struct slot_list *slots = data;

    if (slots->slot != 0 && slots->slot != info->slot)
        return;
    slots->is_found = true;
    colony__slot_open_json(slots->json, info);
    colony__json_close(slots->json, '}');
}

static void add_line(const char *line, void *data)
{
    colony__json_add_text(data, NULL, line);
}

/* *slot from ?slot=K, 0 without. */
static int parse_slot(const struct colony__request *request, uint32_t *slot,
                      struct colony_error *err)
{
    const char *text = colony__request_query(request, "slot");
    unsigned long long number = 0;

    if (text && (colony__parse_number(text, COLONY_SLOTS_MAX, &number) < 0 || number == 0))
        return colony_fail(err, -EINVAL, "cannot use slot=%s: slots are numbered from 1", text);
    *slot = (uint32_t)number;
    return 0;
}

/* Ends @story, which has all that there is to tell. */
static void finish(struct story *story)
{
    struct colony__connection *connection = story->connection;
    struct colony__json json = story->json;

    free(story);
    if (!connection) {
        colony__json_clear(&json);
        return;
    }
    colony__connection_set_source(connection, NULL, NULL);
    colony__json_close(&json, '}');
    (void)colony__respond_json(connection, 200, &json);
}

static void on_history(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct story *story = data;

    if (rc < 0)
        colony__json_add_null(&story->json, "history");
    else
        colony__history_add_json(&story->json, "history", rows, count);
    finish(story);
}

static void on_closed(void *data)
{
    struct story *story = data;

    story->connection = NULL;
}

static const struct colony__source story_source = {.closed = on_closed};

/* Takes over what is in @json. */
static int add_history(struct colony__connection *connection, struct colony__json *json,
                       const char *name, uint32_t slot)
{
    struct colony_store *store = colony_engine_store(colony__connection_engine(connection));
    const struct colony_store_query query = {.name = name, .slot = slot, .limit = HISTORY_SHOWN};
    struct story *story = calloc(1, sizeof *story);

    if (!story) {
        colony__json_clear(json);
        return colony__respond_no_memory(connection);
    }
    *story = (struct story){.connection = connection, .json = *json};
    colony__connection_set_source(connection, &story_source, story);
    if (!store || colony_store_history(store, &query, on_history, story) < 0)
        on_history(-EAGAIN, NULL, 0, story);
    return 0;
}

int colony__get_why(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    struct colony__json json = {0};
    struct slot_list slots = {.json = &json};
    int rc = parse_slot(request, &slots.slot, err);

    if (rc == 0)
        rc = colony__target_find_template(&target, engine, request->args[0], err);
    if (rc < 0)
        return rc;
    colony__json_open(&json, NULL, '{');
    colony__json_add_text(&json, "name", target.name);
    colony__json_open(&json, "slots", '[');
    (void)colony_engine_each_slot(engine, target.name, add_slot, &slots);
    colony__json_close(&json, ']');
    if (slots.slot != 0 && !slots.is_found) {
        colony__json_clear(&json);
        return colony_fail(err, -ENOENT, "cannot find slot %u of %s: it has fewer", slots.slot,
                           target.name);
    }
    colony__json_open(&json, "waits", '[');
    (void)colony_engine_each_wait(engine, target.name, add_line, &json);
    colony__json_close(&json, ']');
    return add_history(connection, &json, target.name, slots.slot);
}

static void add_variable(const char *name, const char *value, const char *source, void *data)
{
    struct colony__json *json = data;
    char *masked = colony_mask(name, value);

    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "name", name);
    colony__json_add_text(json, "value", masked);
    colony__json_add_text(json, "source", source);
    colony__json_close(json, '}');
    if (!masked)
        json->failed = true;
    free(masked);
}

int colony__get_env(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    struct colony__json json = {0};
    int rc = colony__target_find_template(&target, engine, request->args[0], err);

    if (rc < 0)
        return rc;
    colony__json_open(&json, NULL, '[');
    rc = colony_engine_each_variable(engine, target.name, add_variable, &json);
    colony__json_close(&json, ']');
    if (rc < 0) {
        colony__json_clear(&json);
        return colony_fail_os(err, rc, "cannot show the environment of %s", target.name);
    }
    return colony__respond_json(connection, 200, &json);
}
