/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/json_print.h"
#include "core/signals.h"
#include "core/template.h"

struct count {
    uint32_t slots;
    uint32_t running;
    bool has_next;
    uint64_t next_in_ms;
    uint32_t healthy;
    bool is_checked; /* by `health` */
};

static bool is_digits(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

int colony__target_find(struct colony__target *target, struct colony_engine *engine,
                        const char *text, struct colony_error *err)
{
    const struct colony_template *template;
    struct colony_slot_info info;
    unsigned long long id;

    if (is_digits(text)) {
        if (colony__parse_number(text, UINT64_MAX, &id) < 0 || id == 0 ||
            colony_engine_find_process(engine, id, &info) < 0)
            return colony_fail(err, -ENOENT, "cannot find the process %s: no such id runs", text);
        target->name = info.name;
        target->id = id;
        return 0;
    }
    template = colony_engine_find_template(engine, text);
    if (!template && strncmp(text, "name:", 5) == 0 && is_digits(text + 5))
        template = colony_engine_find_template(engine, text + 5);
    if (!template)
        return colony_fail(err, -ENOENT, "cannot find '%s': no such process", text);
    target->name = template->name;
    target->id = 0;
    return 0;
}

int colony__target_find_template(struct colony__target *target, struct colony_engine *engine,
                                 const char *text, struct colony_error *err)
{
    if (is_digits(text))
        return colony_fail(err, -ENOENT,
                           "cannot find '%s': a number is the id of one process, and this is asked "
                           "of a name",
                           text);
    return colony__target_find(target, engine, text, err);
}

/* A list that one of the engine's walks fills. */
struct list {
    struct colony_engine *engine;
    struct colony__json *json;
};

static void add_name(const struct colony_template *template, void *data)
{
    const struct list *list = data;

    colony__json_add_text(list->json, NULL, template->name);
}

/* What has been told to stop is no longer in gaffer's lists, though it may take its time. */
static void add_id(const struct colony_slot_info *info, void *data)
{
    const struct list *list = data;

    if (info->id != 0 && info->state != SLOT_STOPPING)
        colony__json_add_number(list->json, NULL, info->id);
}

static void add_ids(const struct colony_template *template, void *data)
{
    const struct list *list = data;

    (void)colony_engine_each_slot(list->engine, template->name, add_id, data);
}

int colony__get_processes(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err)
{
    struct colony__json json = {0};
    struct list list = {.engine = colony__connection_engine(connection), .json = &json};
    bool is_running;
    int rc = colony__request_query_bool(request, "running", &is_running, err);

    if (rc < 0)
        return rc;
    colony__json_open(&json, NULL, '[');
    colony_engine_each_template(list.engine, is_running ? add_ids : add_name, &list);
    colony__json_close(&json, ']');
    return colony__respond_json(connection, 200, &json);
}

int colony__get_process(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    const struct colony_template *template;
    struct colony__target target = {0};
    struct colony__json json = {0};
    cJSON *tree;
    char *text;
    int rc = colony__target_find(&target, engine, request->args[0], err);

    if (rc < 0)
        return rc;
    template = colony_engine_find_template(engine, target.name);
    if (!template)
        return colony_fail(err, -ENOENT, "cannot find '%s': no such process", target.name);
    tree = colony_template_to_json(template);
    text = tree ? colony_json_print(tree) : NULL;
    colony__json_add_raw(&json, NULL, text, text ? strlen(text) : 0);
    free(text);
    cJSON_Delete(tree);
    return colony__respond_json(connection, 200, &json);
}

int colony__get_pids(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err)
{
    struct colony__json json = {0};
    struct list list = {.engine = colony__connection_engine(connection), .json = &json};
    struct colony__target target = {0};
    int rc = colony__target_find_template(&target, list.engine, request->args[0], err);

    if (rc < 0)
        return rc;
    colony__json_open_ok(&json);
    colony__json_open(&json, "pids", '[');
    (void)colony_engine_each_slot(list.engine, target.name, add_id, &list);
    colony__json_close(&json, ']');
    colony__json_close(&json, '}');
    return colony__respond_json(connection, 200, &json);
}

static void count_slot(const struct colony_slot_info *info, void *data)
{
    struct count *count = data;

    count->slots += !info->is_leaving;
    count->running += info->id != 0;
    if (info->has_next && (!count->has_next || info->next_in_ms < count->next_in_ms))
        count->next_in_ms = info->next_in_ms;
    count->has_next |= info->has_next;
    count->is_checked |= info->health != NULL;
    count->healthy += info->health && strcmp(info->health, "healthy") == 0;
}

int colony__get_status(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    struct count count = {0};
    struct colony__json json = {0};
    int rc = colony__target_find_template(&target, engine, request->args[0], err);

    if (rc < 0)
        return rc;
    (void)colony_engine_each_slot(engine, target.name, count_slot, &count);
    colony__json_open(&json, NULL, '{');
    colony__json_add_bool(&json, "active", colony_engine_is_active(engine, target.name));
    colony__json_add_number(&json, "running", count.running);
    colony__json_add_number(&json, "numprocesses", count.slots);
    colony__json_add_number(&json, "max_processes", count.slots);
    if (count.has_next)
        colony__json_add_seconds(&json, "next_in", count.next_in_ms);
    if (count.is_checked)
        colony__json_add_number(&json, "healthy", count.healthy);
    colony__json_close(&json, '}');
    return colony__respond_json(connection, 200, &json);
}

int colony__post_signal(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    int signo = colony_signal_parse(request->args[1]);
    int rc = colony__target_find(&target, engine, request->args[0], err);

    if (rc < 0)
        return rc;
    if (signo < 0)
        return colony_fail(err, -EINVAL, "cannot send '%s': no such signal", request->args[1]);
    rc = target.id ? colony_engine_signal_process(engine, target.id, signo, err)
                   : colony_engine_signal_template(engine, target.name, signo, err);
    return rc < 0 ? rc : colony__respond_ok(connection);
}
