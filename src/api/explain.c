/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - GET /why/NAME and GET /env/NAME: where the present state comes from. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/list_internal.h"
#include "api/mask_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/store.h"
#include "core/template.h"

enum {
    HISTORY_SHOWN = 20, /* events that led to the present state; GET /history has the rest */
};

/* An answer that lacks its history. It belongs to the store's callback. */
struct story {
    struct colony__connection *connection; /* NULL: it has gone */
    cJSON *json;
};

struct slot_list {
    struct colony__list list;
    uint32_t slot; /* the only one that is wanted; 0: all */
};

static void add_slot(const struct colony_slot_info *info, void *data)
{
    struct slot_list *slots = data;

    if (slots->slot == 0 || slots->slot == info->slot)
        colony__list_add(&slots->list, colony__slot_to_json(info));
}

static void add_line(const char *line, void *data)
{
    colony__list_add(data, colony__json_text(line));
}

static cJSON *list_slots(struct colony_engine *engine, const char *name, uint32_t slot)
{
    struct slot_list slots = {.slot = slot};

    colony__list_begin(&slots.list, engine);
    (void)colony_engine_each_slot(engine, name, add_slot, &slots);
    return colony__list_take(&slots.list);
}

static cJSON *list_waits(struct colony_engine *engine, const char *name)
{
    struct colony__list list;

    colony__list_begin(&list, engine);
    (void)colony_engine_each_wait(engine, name, add_line, &list);
    return colony__list_take(&list);
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

/* Ends the story with @history, null where there is none to tell. */
static void finish(struct story *story, cJSON *history)
{
    struct colony__connection *connection = story->connection;
    cJSON *json = story->json;

    free(story);
    if (!connection) {
        cJSON_Delete(history);
        cJSON_Delete(json);
        return;
    }
    colony__connection_set_source(connection, NULL, NULL);
    if (!colony__json_add_item(json, "history", history)) {
        cJSON_Delete(json);
        json = NULL;
    }
    (void)colony__respond_json(connection, 200, json);
}

static void on_history(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    finish(data, rc < 0 ? cJSON_CreateNull() : colony__history_to_json(rows, count));
}

static void on_closed(void *data)
{
    struct story *story = data;

    story->connection = NULL;
}

static const struct colony__source story_source = {.closed = on_closed};

/* Takes ownership of @json. */
static int add_history(struct colony__connection *connection, cJSON *json, const char *name,
                       uint32_t slot)
{
    struct colony_store *store = colony_engine_store(colony__connection_engine(connection));
    const struct colony_store_query query = {.name = name, .slot = slot, .limit = HISTORY_SHOWN};
    struct story *story = json ? calloc(1, sizeof *story) : NULL;

    if (!story) {
        cJSON_Delete(json);
        return colony__respond_json(connection, 503, NULL);
    }
    *story = (struct story){.connection = connection, .json = json};
    colony__connection_set_source(connection, &story_source, story);
    if (!store || colony_store_history(store, &query, on_history, story) < 0)
        finish(story, cJSON_CreateNull());
    return 0;
}

int colony__get_why(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    uint32_t slot = 0;
    cJSON *slots;
    cJSON *json;
    int rc = parse_slot(request, &slot, err);

    if (rc == 0)
        rc = colony__target_find_template(&target, engine, request->args[0], err);
    if (rc < 0)
        return rc;
    slots = list_slots(engine, target.name, slot);
    if (slot != 0 && slots && !slots->child) {
        cJSON_Delete(slots);
        return colony_fail(err, -ENOENT, "cannot find slot %u of %s: it has fewer", slot,
                           target.name);
    }
    json = cJSON_CreateObject();
    if (!colony__json_add_item(json, "slots", slots) ||
        !cJSON_AddStringToObject(json, "name", target.name) ||
        !colony__json_add_item(json, "waits", list_waits(engine, target.name))) {
        cJSON_Delete(json);
        json = NULL;
    }
    return add_history(connection, json, target.name, slot);
}

static cJSON *variable_to_json(const char *name, const char *value, const char *source)
{
    char *masked = colony__mask(name, value);
    cJSON *json = cJSON_CreateObject();
    bool ok = masked && colony__json_add_item(json, "name", colony__json_text(name)) &&
              colony__json_add_item(json, "value", colony__json_text(masked)) &&
              colony__json_add_item(json, "source", colony__json_text(source));

    free(masked);
    if (ok)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void add_variable(const char *name, const char *value, const char *source, void *data)
{
    colony__list_add(data, variable_to_json(name, value, source));
}

int colony__get_env(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    struct colony__list list;
    int rc = colony__target_find_template(&target, engine, request->args[0], err);

    if (rc < 0)
        return rc;
    colony__list_begin(&list, engine);
    rc = colony_engine_each_variable(engine, target.name, add_variable, &list);
    if (rc < 0) {
        cJSON_Delete(colony__list_take(&list));
        return colony_fail_os(err, rc, "cannot show the environment of %s", target.name);
    }
    return colony__respond_json(connection, 200, colony__list_take(&list));
}
