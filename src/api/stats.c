/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /stats: what processes use, measured over COLONY_STATS_MS and answered once, or followed.
 *
 * Each living process is watched until its first sample; requests at the same time share these.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/channel_internal.h"
#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/stats.h"
#include "core/template.h"

static const struct colony__feed_defaults stats_defaults = {.feed = FEED_NONE};

/* A process, or, with a name, the template that the processes after it belong to. */
struct measured {
    struct measure *measure;
    char *name;
    uint64_t id;
    pid_t os_pid;
    struct colony_stats_watch *watch; /* NULL: it is measured, or has ended */
    struct colony__json json;         /* empty until then */
    double cpu;
    double mem;
};

/* One request. Lives until it is answered, then until its connection lets go of it. */
struct measure {
    struct colony__connection *connection;
    struct colony_engine *engine;
    void (*write)(struct colony__json *json, const struct measure *measure);
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
        colony__json_clear(&measure->items[i].json);
        free(measure->items[i].name);
    }
    free(measure->items);
    free(measure);
}

/* JSON. */

static void add_fields(struct colony__json *json, const struct colony_process_stats *stats)
{
    colony__json_add_number(json, "mem_info1", stats->rss_bytes);
    colony__json_add_number(json, "mem_info2", stats->vms_bytes);
    colony__json_add_rounded(json, "cpu", stats->cpu_percent);
    colony__json_add_rounded(json, "mem", stats->mem_percent);
    colony__json_add_number(json, "ctime", stats->cpu_seconds);
    colony__json_add_signed(json, "pid", stats->pid);
    colony__json_add_text(json, "username", stats->username);
    colony__json_add_signed(json, "nice", stats->nice);
    colony__json_add_text(json, "cmdline", stats->cmdline);
    colony__json_open(json, "children", '[');
    for (size_t i = 0; i < stats->child_count; i++) {
        colony__json_open(json, NULL, '{');
        add_fields(json, &stats->children[i]);
        colony__json_close(json, '}');
    }
    colony__json_close(json, ']');
}

void colony__stats_add_json(struct colony__json *json, uint64_t id,
                            const struct colony_process_stats *stats)
{
    colony__json_open(json, NULL, '{');
    colony__json_add_number(json, "id", id);
    add_fields(json, stats);
    colony__json_close(json, '}');
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

/* The template at @at with its processes. Returns where the next one is. */
static size_t add_template_json(struct colony__json *json, const struct measure *measure, size_t at)
{
    struct range cpu = {0};
    struct range mem = {0};
    bool is_first = true;

    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "name", measure->items[at].name);
    colony__json_open(json, "stats", '[');
    for (at++; at < measure->count && !measure->items[at].name; at++) {
        const struct measured *item = &measure->items[at];

        if (item->json.text.size == 0)
            continue; /* it has ended meanwhile */
        colony__json_add_raw(json, NULL, item->json.text.data, item->json.text.size);
        range_add(&cpu, item->cpu, is_first);
        range_add(&mem, item->mem, is_first);
        is_first = false;
    }
    colony__json_close(json, ']');
    colony__json_add_rounded(json, "mem", mem.sum);
    colony__json_add_rounded(json, "max_mem", mem.max);
    colony__json_add_rounded(json, "min_mem", mem.min);
    colony__json_add_rounded(json, "cpu", cpu.sum);
    colony__json_add_rounded(json, "max_cpu", cpu.max);
    colony__json_add_rounded(json, "min_cpu", cpu.min);
    colony__json_close(json, '}');
    return at;
}

static void write_template(struct colony__json *json, const struct measure *measure)
{
    (void)add_template_json(json, measure, 0);
}

static void write_all(struct colony__json *json, const struct measure *measure)
{
    colony__json_open(json, NULL, '[');
    for (size_t at = 0; at < measure->count;)
        at = add_template_json(json, measure, at);
    colony__json_close(json, ']');
}

static void write_one(struct colony__json *json, const struct measure *measure)
{
    const struct colony__json *item = &measure->items[0].json;

    colony__json_add_raw(json, NULL, item->text.data, item->text.size);
}

/* Measuring. */

static void answer(struct measure *measure)
{
    struct colony__json json = {.failed = measure->failed};
    struct colony_error err;

    if (!measure->failed && measure->write == write_one && measure->items[0].json.text.size == 0) {
        (void)colony_fail(&err, -ENOENT, "cannot measure the process %llu: it has just ended",
                          (unsigned long long)measure->items[0].id);
        colony__respond_error(measure->connection, &err);
        return;
    }
    measure->write(&json, measure);
    (void)colony__respond_json(measure->connection, 200, &json);
}

static void on_stats(const struct colony_process_stats *stats, void *data)
{
    struct measured *item = data;
    struct measure *measure = item->measure;

    colony_stats_unwatch(colony_engine_stats(measure->engine), item->watch);
    item->watch = NULL;
    if (stats) {
        colony__stats_add_json(&item->json, item->id, stats);
        item->cpu = stats->cpu_percent;
        item->mem = stats->mem_percent;
        measure->failed |= item->json.failed;
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
                                   void (*write)(struct colony__json *json,
                                                 const struct measure *measure),
                                   struct colony_error *err)
{
    struct measure *measure = calloc(1, sizeof *measure);

    if (!measure) {
        (void)colony_fail_os(err, -ENOMEM, "cannot measure");
        return NULL;
    }
    measure->connection = connection;
    measure->engine = colony__connection_engine(connection);
    measure->write = write;
    return measure;
}

int colony__get_stats(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err)
{
    const char *feed = colony__request_query(request, "feed");
    struct measure *measure;

    if (feed && strcmp(feed, "normal") != 0)
        return colony_fail(err, -EINVAL,
                           "cannot follow the stats of all with feed=%s: ask /stats/NAME", feed);
    measure = measure_new(connection, write_all, err);
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
    struct colony__feed_wish wish = {0};
    struct measure *measure;
    int rc = template ? colony__feed_parse(request, &stats_defaults, &wish, err) : err->code;

    if (rc < 0)
        return rc;
    if (wish.feed != FEED_NONE)
        return colony__stats_follow(connection, template->name, 0, &wish, err);
    measure = measure_new(connection, write_template, err);
    if (!measure)
        return err->code;
    add_template(template, measure);
    return begin(measure, err);
}

/* What gaffer's int() takes: another one is no id that could be found. */
static bool is_integer(const char *text)
{
    text += *text == '-' || *text == '+';
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

int colony__get_process_stats(struct colony__connection *connection,
                              const struct colony__request *request, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    const struct colony_template *template = find_template(engine, request->args[0], err);
    struct colony__feed_wish wish;
    struct colony_slot_info info;
    unsigned long long id;
    struct measure *measure;
    int rc;

    if (!template)
        return err->code;
    if (!is_integer(request->args[1]))
        return colony_fail(err, -EINVAL, "cannot use '%.64s' as the id of a process: a number",
                           request->args[1]);
    if (colony__parse_number(request->args[1], UINT64_MAX, &id) < 0 ||
        colony_engine_find_process(engine, id, &info) < 0 || strcmp(info.name, template->name) != 0)
        return colony_fail(err, -ENOENT, "cannot find the process '%s' of %s: no such id runs",
                           request->args[1], template->name);
    rc = colony__feed_parse(request, &stats_defaults, &wish, err);
    if (rc < 0)
        return rc;
    if (wish.feed != FEED_NONE)
        return colony__stats_follow(connection, template->name, id, &wish, err);
    measure = measure_new(connection, write_one, err);
    if (!measure)
        return err->code;
    add_process(&info, measure);
    return begin(measure, err);
}
