/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.c - GET /metrics, in the text format of Prometheus 0.0.4.
 *
 * All of a family's lines stand together, so what is told of each slot is collected first. Nothing
 * is measured unless somebody asks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/buffer_internal.h"
#include "api/channel_internal.h"
#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/stats.h"
#include "core/store.h"
#include "core/template.h"
#include "core/utf8.h"

enum {
    LINE_MAX_BYTES = 1024,
    LABEL_MAX = COLONY_NAME_MAX * 2 + 1, /* each byte may need a backslash */
};

/* A slot and, if @has_stats, what its process uses. */
struct row {
    struct colony_slot_info info;
    struct colony_process_stats stats;
    uint64_t fds;
    bool has_stats;
    bool has_fds;
};

struct page {
    struct colony_engine *engine;
    const struct colony__server *server;
    struct colony__buffer text;
    struct row *rows;
    size_t count;
    size_t capacity;
    bool failed; /* out of memory */
};

/* A value as a whole number and how many of its digits stand behind the point. */
struct figure {
    uint64_t value;
    int decimals; /* 0, 3 or 9 */
};

static struct figure whole(uint64_t value)
{
    return (struct figure){value, 0};
}

/* --- text ------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void put(struct page *page, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof line ||
        colony__buffer_append(&page->text, line, (size_t)size, COLONY__ANSWER_MAX) < 0)
        page->failed = true;
}

static void put_figure(struct page *page, struct figure figure)
{
    static const uint64_t units[] = {[0] = 1, [3] = 1000, [9] = 1000000000};
    uint64_t unit = units[figure.decimals];

    if (unit == 1)
        put(page, " %" PRIu64 "\n", figure.value);
    else
        put(page, " %" PRIu64 ".%0*" PRIu64 "\n", figure.value / unit, figure.decimals,
            figure.value % unit);
}

/* How a name stands between the quotes of a label. */
static const char *escape(char label[LABEL_MAX], const char *name)
{
    char copy[COLONY_NAME_MAX + 1];
    size_t used = 0;

    (void)snprintf(copy, sizeof copy, "%s", name);
    colony_utf8_repair(copy, strlen(copy));
    for (const char *at = copy; *at != '\0' && used + 2 < LABEL_MAX; at++) {
        if (*at == '\\' || *at == '"')
            label[used++] = '\\';
        label[used++] = *at;
    }
    label[used] = '\0';
    return label;
}

static void begin_family(struct page *page, const char *name, const char *type, const char *help)
{
    put(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_single(struct page *page, const char *name, const char *type, const char *help,
                       struct figure figure)
{
    begin_family(page, name, type, help);
    put(page, "%s", name);
    put_figure(page, figure);
}

/* --- slots and their processes ---------------------------------------------------------------- */

static void add_row(const struct colony_slot_info *info, void *data)
{
    struct page *page = data;
    struct row *rows =
        colony_array_room(page->rows, page->count, &page->capacity, sizeof *page->rows);
    struct row *row;

    if (!rows) {
        page->failed = true;
        return;
    }
    page->rows = rows;
    row = &rows[page->count++];
    *row = (struct row){.info = *info};
    if (info->id == 0)
        return;
    row->has_stats = colony_stats_look(colony_engine_stats(page->engine), info->os_pid,
                                       info->uptime_ms, &row->stats) == 0;
    row->has_fds = colony_stats_count_fds(info->os_pid, &row->fds) == 0;
}

static void add_template(const struct colony_template *template, void *data)
{
    struct page *page = data;

    (void)colony_engine_each_slot(page->engine, template->name, add_row, page);
}

static bool get_restarts(const struct row *row, struct figure *out)
{
    *out = whole(row->info.restarts);
    return true;
}

static bool get_status(const struct row *row, struct figure *out)
{
    *out = whole((uint64_t)row->info.exit_status);
    return row->info.has_exit && row->info.exit_known && row->info.term_signal == 0;
}

static bool get_signal(const struct row *row, struct figure *out)
{
    *out = whole((uint64_t)row->info.term_signal);
    return row->info.has_exit && row->info.exit_known;
}

static bool get_healthy(const struct row *row, struct figure *out)
{
    *out = whole(row->info.health && strcmp(row->info.health, "healthy") == 0);
    return row->info.health && strcmp(row->info.health, "unknown") != 0;
}

static bool get_dropped_bytes(const struct row *row, struct figure *out)
{
    *out = whole(row->info.dropped_bytes);
    return true;
}

static bool get_dropped_lines(const struct row *row, struct figure *out)
{
    *out = whole(row->info.dropped_lines);
    return true;
}

static bool get_unread_bytes(const struct row *row, struct figure *out)
{
    *out = whole(row->info.unread_bytes);
    return strcmp(row->info.streams, "none") != 0;
}

static bool get_start(const struct row *row, struct figure *out)
{
    *out = (struct figure){row->info.started_at_ms, 3};
    return row->info.id != 0;
}

static bool get_cpu(const struct row *row, struct figure *out)
{
    *out = (struct figure){row->stats.cpu_ns, 9};
    return row->has_stats;
}

static bool get_memory(const struct row *row, struct figure *out)
{
    *out = whole(row->stats.rss_bytes);
    return row->has_stats;
}

static bool get_virtual_memory(const struct row *row, struct figure *out)
{
    *out = whole(row->stats.vms_bytes);
    return row->has_stats;
}

static bool get_fds(const struct row *row, struct figure *out)
{
    *out = whole(row->fds);
    return row->has_fds;
}

/* clang-format off */
static const struct slot_family {
    const char *name;
    const char *type;
    bool (*get)(const struct row *row, struct figure *out); /* false: there is nothing to tell */
    bool has_id; /* it is of the process */
    const char *help;
} slot_families[] = {
    {"colony_slot_restarts_total", "counter", get_restarts, false,
     "Starts by the restart policy since a user last started it."},
    {"colony_slot_last_exit_status", "gauge", get_status, false,
     "Exit status of its last process, unless a signal ended it."},
    {"colony_slot_last_exit_signal", "gauge", get_signal, false,
     "Signal that ended its last process, 0 for none."},
    {"colony_slot_healthy", "gauge", get_healthy, false,
     "1 when its process was found well by `health`, 0 when it was not."},
    {"colony_slot_output_dropped_bytes_total", "counter", get_dropped_bytes, false,
     "Bytes of output lost because the log could not be written."},
    {"colony_slot_output_dropped_lines_total", "counter", get_dropped_lines, false,
     "Lines of output lost because the log could not be written."},
    {"colony_slot_streams_unread_bytes_total", "counter", get_unread_bytes, false,
     "Bytes that custom streams brought while nobody followed them."},
    {"colony_process_start_time_seconds", "gauge", get_start, true,
     "When it was started, in seconds since 1970."},
    {"colony_process_cpu_seconds_total", "counter", get_cpu, true,
     "CPU time it has used, without its children."},
    {"colony_process_memory_bytes", "gauge", get_memory, true,
     "Resident memory, without its children."},
    {"colony_process_virtual_memory_bytes", "gauge", get_virtual_memory, true,
     "Virtual memory, without its children."},
    {"colony_process_open_fds", "gauge", get_fds, true,
     "Descriptors it has open."},
};
/* clang-format on */

static void put_slot_family(struct page *page, const struct slot_family *family)
{
    char label[LABEL_MAX];

    begin_family(page, family->name, family->type, family->help);
    for (size_t i = 0; i < page->count && !page->failed; i++) {
        const struct row *row = &page->rows[i];
        struct figure figure;

        if (!family->get(row, &figure))
            continue;
        put(page, "%s{template=\"%s\",slot=\"%" PRIu32 "\"", family->name,
            escape(label, row->info.name), row->info.slot);
        if (family->has_id)
            put(page, ",id=\"%" PRIu64 "\"", row->info.id);
        put(page, "}");
        put_figure(page, figure);
    }
}

/* The slots of one template stand together. */
static void put_states(struct page *page)
{
    static const char name[] = "colony_slots";
    char label[LABEL_MAX];
    size_t next;

    begin_family(page, name, "gauge", "Slots of a template by their state.");
    for (size_t at = 0; at < page->count && !page->failed; at = next) {
        uint64_t counts[SLOT_STATE_COUNT] = {0};

        for (next = at; next < page->count &&
                        strcmp(page->rows[next].info.name, page->rows[at].info.name) == 0;
             next++)
            counts[page->rows[next].info.state]++;
        (void)escape(label, page->rows[at].info.name);
        for (int state = SLOT_NONE + 1; state < SLOT_STATE_COUNT; state++)
            put(page, "%s{template=\"%s\",state=\"%s\"} %" PRIu64 "\n", name, label,
                colony_slot_state_name((enum colony_slot_state)state), counts[state]);
    }
}

/* --- colony itself ---------------------------------------------------------------------------- */

static void put_requests(struct page *page)
{
    static const char name[] = "colony_http_requests_total";

    begin_family(page, name, "counter", "Answers of the control endpoint by the class of status.");
    for (int class = 1; class < COLONY__STATUS_CLASSES; class ++)
        put(page, "%s{code=\"%dxx\"} %" PRIu64 "\n", name, class, page->server->answers[class]);
    put_single(page, "colony_http_connections", "gauge", "Connections to the control endpoint.",
               whole(page->server->connection_count));
}

static void put_feeds(struct page *page)
{
    static const char name[] = "colony_feed_dropped_total";

    begin_family(page, name, "counter",
                 "What feeds dropped because a client read too slowly, by the unit it is told in.");
    for (size_t i = 0; i < COLONY__FEED_UNITS; i++)
        put(page, "%s{unit=\"%s\"} %" PRIu64 "\n", name, colony__feed_units[i],
            page->server->feed_dropped[i]);
}

static void put_loop(struct page *page)
{
    static const char name[] = "colony_loop_turn_seconds";
    const struct colony__loop_watch *watch = &page->server->loop_watch;
    uint64_t count = 0;

    begin_family(page, name, "histogram",
                 "How long turns of the engine's loop took: nobody is answered meanwhile.");
    for (size_t i = 0; i < COLONY__LOOP_BOUNDS; i++) {
        count += watch->counts[i];
        put(page, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, colony__loop_bounds_ms[i] / 1e3,
            count);
    }
    count += watch->counts[COLONY__LOOP_BOUNDS];
    put(page, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum", name, count, name);
    put_figure(page, (struct figure){watch->total_ms, 3});
    put(page, "%s_count %" PRIu64 "\n", name, count);
}

/* The engine's own process, under the names that every exporter has. */
static void put_own(struct page *page)
{
    struct colony_process_stats own;
    struct timespec cpu = {0};
    uint64_t fds;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    put_single(page, "process_cpu_seconds_total", "counter", "CPU time the engine has used.",
               (struct figure){(uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec, 9});
    if (colony_stats_look(colony_engine_stats(page->engine), getpid(), 1, &own) == 0)
        put_single(page, "process_resident_memory_bytes", "gauge", "Memory of the engine.",
                   whole(own.rss_bytes));
    if (colony_stats_count_fds(getpid(), &fds) == 0)
        put_single(page, "process_open_fds", "gauge", "Descriptors the engine has open.",
                   whole(fds));
}

/* --- what other front-ends count -------------------------------------------------------------- */

struct metered {
    struct page *page;
    const char *name;
};

static void put_metered(const struct colony_label *labels, size_t count, uint64_t figure, void *to)
{
    const struct metered *metered = to;
    char label[LABEL_MAX];

    put(metered->page, "%s", metered->name);
    for (size_t i = 0; i < count; i++)
        put(metered->page, "%s%s=\"%s\"", i == 0 ? "{" : ",", labels[i].name,
            escape(label, labels[i].value));
    put(metered->page, "%s", count > 0 ? "}" : "");
    put_figure(metered->page, whole(figure));
}

static void put_meters(struct page *page)
{
    for (const struct colony_meters *at = colony_engine_meters(page->engine); at; at = at->next)
        for (const struct colony_meter *meter = at->list; meter->name; meter++) {
            struct metered metered = {page, meter->name};

            begin_family(page, meter->name, meter->type, meter->help);
            meter->each(put_metered, &metered, at->data);
        }
}

static void put_colony(struct page *page)
{
    const struct colony_store *store = colony_engine_store(page->engine);

    begin_family(page, "colony_build_info", "gauge", "1, with the version of colony.");
    put(page, "colony_build_info{version=\"" COLONY_VERSION "\"} 1\n");
    put_single(page, "colony_history_dropped_events_total", "counter",
               "Events the history lost: it could not be written, or not before a kill.",
               whole(store ? colony_store_dropped(store) : 0));
    put_requests(page);
    put_feeds(page);
    put_loop(page);
    put_own(page);
}

int colony__get_metrics(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct page page = {.engine = colony__connection_engine(connection),
                        .server = connection->server};

    (void)request, (void)err;
    colony_engine_each_template(page.engine, add_template, &page);
    put_states(&page);
    for (size_t i = 0; i < sizeof slot_families / sizeof slot_families[0]; i++)
        put_slot_family(&page, &slot_families[i]);
    put_colony(&page);
    put_meters(&page);
    free(page.rows);
    if (page.failed)
        (void)colony__respond_no_memory(connection);
    else
        colony__respond_text(connection, 200, "text/plain; version=0.0.4; charset=utf-8",
                             page.text.data, page.text.size);
    colony__buffer_clear(&page.text);
    return 0;
}
