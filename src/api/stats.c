/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /stats: what processes use, measured over COLONY_STATS_MS and answered once.
 *
 * Each living process is watched until its first sample; requests at the same time share these.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/response_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/stats.h"
#include "core/template.h"

/* A process, or, with a name, the template that the processes after it belong to. */
struct measured {
    struct measure *measure;
    char *name;
    uint64_t id;
    pid_t os_pid;
    struct colony_stats_watch *watch; /* NULL: it is measured, or has ended */
    cJSON *json;
    double cpu;
    double mem;
};

/* One request. Lives until it is answered, then until its connection lets go of it. */
struct measure {
    struct colony__connection *connection;
    struct colony_engine *engine;
    cJSON *(*to_json)(struct measure *measure);
    struct measured *items;
    size_t count;
    size_t capacity;
    size_t pending; /* watches */
    bool failed;
};

static void measure_free(struct measure *measure)
{
    for (size_t i = 0; i < measure->count; i++) {
        colony_stats_unwatch(colony_engine_stats(measure->engine), measure->items[i].watch);
        cJSON_Delete(measure->items[i].json);
        free(measure->items[i].name);
    }
    free(measure->items);
    free(measure);
}

/* JSON. */

static bool add_number(cJSON *json, const char *key, double number)
{
    return cJSON_AddNumberToObject(json, key, number) != NULL;
}

static bool add_percent(cJSON *json, const char *key, double percent)
{
    return add_number(json, key, round(percent * 100) / 100);
}

static bool fill_process(cJSON *json, const struct colony_process_stats *stats)
{
    cJSON *children;

    if (!add_number(json, "mem_info1", (double)stats->rss_bytes) ||
        !add_number(json, "mem_info2", (double)stats->vms_bytes) ||
        !add_percent(json, "cpu", stats->cpu_percent) ||
        !add_percent(json, "mem", stats->mem_percent) ||
        !add_number(json, "ctime", (double)stats->cpu_seconds) ||
        !add_number(json, "pid", stats->pid) ||
        !cJSON_AddStringToObject(json, "username", stats->username) ||
        !add_number(json, "nice", stats->nice) ||
        !cJSON_AddStringToObject(json, "cmdline", stats->cmdline))
        return false;
    children = cJSON_AddArrayToObject(json, "children");
    for (size_t i = 0; children && i < stats->child_count; i++) {
        cJSON *child = cJSON_CreateObject();

        if (!child || !cJSON_AddItemToArray(children, child)) {
            cJSON_Delete(child);
            return false;
        }
        if (!fill_process(child, &stats->children[i]))
            return false;
    }
    return children != NULL;
}

static cJSON *process_to_json(uint64_t id, const struct colony_process_stats *stats)
{
    cJSON *json = cJSON_CreateObject();

    if (add_number(json, "id", (double)id) && fill_process(json, stats))
        return json;
    cJSON_Delete(json);
    return NULL;
}

/* Sum, greatest and least of a figure. */
struct range {
    double sum;
    double max;
    double min;
};

static void range_add(struct range *range, double figure, bool is_first)
{
    range->sum += figure;
    range->max = is_first ? figure : fmax(range->max, figure);
    range->min = is_first ? figure : fmin(range->min, figure);
}

/* The template at @at; its processes are moved into it. Returns how many items it took. */
static size_t fill_template(cJSON *json, struct measure *measure, size_t at)
{
    cJSON *list = NULL;
    struct range cpu = {0};
    struct range mem = {0};
    size_t end = at + 1;
    bool is_first = true;

    if (cJSON_AddStringToObject(json, "name", measure->items[at].name))
        list = cJSON_AddArrayToObject(json, "stats");
    for (; list && end < measure->count && !measure->items[end].name; end++) {
        struct measured *item = &measure->items[end];

        if (!item->json)
            continue; /* it has ended meanwhile */
        if (!cJSON_AddItemToArray(list, item->json))
            return 0;
        item->json = NULL;
        range_add(&cpu, item->cpu, is_first);
        range_add(&mem, item->mem, is_first);
        is_first = false;
    }
    return list && add_percent(json, "mem", mem.sum) && add_percent(json, "max_mem", mem.max) &&
                   add_percent(json, "min_mem", mem.min) && add_percent(json, "cpu", cpu.sum) &&
                   add_percent(json, "max_cpu", cpu.max) && add_percent(json, "min_cpu", cpu.min)
               ? end - at
               : 0;
}

static cJSON *template_to_json(struct measure *measure)
{
    cJSON *json = cJSON_CreateObject();

    if (json && fill_template(json, measure, 0) > 0)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static cJSON *all_to_json(struct measure *measure)
{
    cJSON *list = cJSON_CreateArray();
    size_t taken = 0;

    for (size_t at = 0; list && at < measure->count; at += taken) {
        cJSON *json = cJSON_CreateObject();

        taken = 0;
        if (json && cJSON_AddItemToArray(list, json))
            taken = fill_template(json, measure, at);
        else
            cJSON_Delete(json);
        if (taken == 0) {
            cJSON_Delete(list);
            return NULL;
        }
    }
    return list;
}

static cJSON *one_to_json(struct measure *measure)
{
    cJSON *json = measure->items[0].json;

    measure->items[0].json = NULL;
    return json;
}

/* Measuring. */

static void answer(struct measure *measure)
{
    struct colony_error err;

    if (measure->failed) {
        (void)colony__respond_json(measure->connection, 503, NULL);
    } else if (measure->to_json == one_to_json && !measure->items[0].json) {
        (void)colony_fail(&err, -ENOENT, "cannot measure the process %llu: it has just ended",
                          (unsigned long long)measure->items[0].id);
        colony__respond_error(measure->connection, &err);
    } else {
        (void)colony__respond_json(measure->connection, 200, measure->to_json(measure));
    }
}

static void on_stats(const struct colony_process_stats *stats, void *data)
{
    struct measured *item = data;
    struct measure *measure = item->measure;

    colony_stats_unwatch(colony_engine_stats(measure->engine), item->watch);
    item->watch = NULL;
    if (stats) {
        item->json = process_to_json(item->id, stats);
        item->cpu = stats->cpu_percent;
        item->mem = stats->mem_percent;
        measure->failed |= item->json == NULL;
    }
    if (--measure->pending == 0)
        answer(measure); /* may be the end of it */
}

static void on_closed(void *data)
{
    measure_free(data);
}

static const struct colony__source measure_source = {.closed = on_closed};

/* Watches all that was added; what has ended meanwhile is left out. */
static int watch_all(struct measure *measure, struct colony_error *err)
{
    struct colony_stats *stats = colony_engine_stats(measure->engine);

    for (size_t i = 0; i < measure->count; i++) {
        struct measured *item = &measure->items[i];
        const struct colony_stats_wish wish = {
            .pid = item->os_pid, .every = 1, .cb = on_stats, .data = item};
        int rc;

        item->measure = measure;
        rc = item->name ? -ESRCH : colony_stats_watch(stats, &wish, &item->watch);

        measure->pending += rc == 0;
        if (rc < 0 && rc != -ESRCH)
            return colony_fail_os(err, rc, "cannot measure the process %llu",
                                  (unsigned long long)item->id);
    }
    return 0;
}

/* Takes ownership of @measure, also on failure. */
static int begin(struct measure *measure, struct colony_error *err)
{
    int rc = measure->failed ? colony_fail_os(err, -ENOMEM, "cannot measure") : 0;

    if (rc == 0)
        rc = watch_all(measure, err);
    if (rc < 0) {
        measure_free(measure);
        return rc;
    }
    colony__connection_set_source(measure->connection, &measure_source, measure);
    if (measure->pending == 0)
        answer(measure);
    return 0;
}

static struct measured *add_item(struct measure *measure)
{
    struct measured *item =
        colony_array_room(measure->items, measure->count, &measure->capacity, sizeof *item);

    if (!item) {
        measure->failed = true;
        return NULL;
    }
    measure->items = item;
    item += measure->count++;
    *item = (struct measured){0};
    return item;
}

static void add_process(const struct colony_slot_info *info, void *data)
{
    struct measured *item = info->id != 0 ? add_item(data) : NULL;

    if (!item)
        return;
    item->id = info->id;
    item->os_pid = info->os_pid;
}

static void add_template(const struct colony_template *template, void *data)
{
    struct measure *measure = data;
    struct measured *item = add_item(measure);

    if (!item)
        return;
    item->name = strdup(template->name);
    measure->failed |= item->name == NULL;
    (void)colony_engine_each_slot(measure->engine, template->name, add_process, measure);
}

/* NULL with the error. */
static struct measure *measure_new(struct colony__connection *connection,
                                   const struct colony__request *request,
                                   cJSON *(*to_json)(struct measure *measure),
                                   struct colony_error *err)
{
    const char *feed = colony__request_query(request, "feed");
    struct measure *measure = feed ? NULL : calloc(1, sizeof *measure);

    if (feed)
        (void)colony_fail(err, -EINVAL,
                          "cannot follow stats with feed=%s: this version answers once, without "
                          "feed",
                          feed);
    else if (!measure)
        (void)colony_fail_os(err, -ENOMEM, "cannot measure");
    if (!measure)
        return NULL;
    measure->connection = connection;
    measure->engine = colony__connection_engine(connection);
    measure->to_json = to_json;
    return measure;
}

int colony__get_stats(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    struct measure *measure = measure_new(connection, request, all_to_json, err);

    if (!measure)
        return err->code;
    colony_engine_each_template(measure->engine, add_template, measure);
    return begin(measure, err);
}

/* The template that a path names; NULL with the error. */
static const struct colony_template *find_template(struct colony_engine *engine, const char *name,
                                                   struct colony_error *err)
{
    const struct colony_template *template;
    struct colony__target target = {0};

    if (colony__target_find(&target, engine, name, err) < 0)
        return NULL;
    template = target.id ? NULL : colony_engine_find_template(engine, target.name);
    if (!template)
        (void)colony_fail(err, -ENOENT,
                          "cannot find the template '%s': that is a process, ask /stats/%s/%s",
                          name, target.name, name);
    return template;
}

int colony__get_template_stats(struct colony__connection *connection,
                               const struct colony__request *request, struct colony_error *err)
{
    const struct colony_template *template =
        find_template(colony__connection_engine(connection), request->args[0], err);
    struct measure *measure =
        template ? measure_new(connection, request, template_to_json, err) : NULL;

    if (!measure)
        return err->code;
    add_template(template, measure);
    return begin(measure, err);
}

int colony__get_process_stats(struct colony__connection *connection,
                              const struct colony__request *request, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    const struct colony_template *template = find_template(engine, request->args[0], err);
    struct colony_slot_info info;
    unsigned long long id;
    struct measure *measure;

    if (!template)
        return err->code;
    if (colony__parse_number(request->args[1], UINT64_MAX, &id) < 0 ||
        colony_engine_find_process(engine, id, &info) < 0 || strcmp(info.name, template->name) != 0)
        return colony_fail(err, -ENOENT, "cannot find the process '%s' of %s: no such id runs",
                           request->args[1], template->name);
    measure = measure_new(connection, request, one_to_json, err);
    if (!measure)
        return err->code;
    add_process(&info, measure);
    return begin(measure, err);
}
