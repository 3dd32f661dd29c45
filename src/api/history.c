/* SPDX-License-Identifier: Apache-2.0 */
/* GET /history: what happened, newest first. The store's thread finds it; the answer comes later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/settings.h"
#include "core/signals.h"
#include "core/store.h"
#include "core/table.h"
#include "core/template.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 10000,
};

/* One query under way. Lives until the store has answered and the connection let go of it. */
struct asking {
    struct colony__connection *connection; /* NULL: it has gone */
    bool is_answered;
};

static void release(struct asking *asking)
{
    if (!asking->connection && asking->is_answered)
        free(asking);
}

/* How a process ended: one of the two, or, where nobody knows or none has ended, neither. */
static void add_exit(struct colony__json *json, const struct colony_store_event *row)
{
    bool is_signal = row->exit_known && row->term_signal != 0;

    if (row->exit_known && !is_signal)
        colony__json_add_signed(json, "exit_status", row->exit_status);
    else
        colony__json_add_null(json, "exit_status");
    if (is_signal)
        colony__json_add_text(json, "term_signal", colony_signal_name(row->term_signal));
    else
        colony__json_add_null(json, "term_signal");
}

/* Of an event with data, those: they are kept whole or not at all. */
static void add_cause(struct colony__json *json, const struct colony_store_event *row)
{
    bool has_data = colony_event_has_data(colony_event_parse(row->event));

    if (has_data)
        colony__json_add_raw(json, "data", row->cause, strlen(row->cause));
    colony__json_add_text(json, "cause", has_data ? "" : row->cause);
}

void colony__history_add_json(struct colony__json *json, const char *key,
                              const struct colony_store_event *rows, size_t count)
{
    colony__json_open(json, key, '[');
    for (size_t i = 0; i < count; i++) {
        const struct colony_store_event *row = &rows[i];

        colony__json_open(json, NULL, '{');
        colony__json_add_number(json, "seq", row->seq);
        colony__json_add_time(json, "time", row->at_ms);
        colony__json_add_text(json, "name", row->name);
        colony__json_add_number(json, "slot", row->slot);
        colony__json_add_number(json, "id", row->id);
        colony__json_add_signed(json, "os_pid", row->os_pid);
        colony__json_add_text(json, "event", row->event);
        colony__json_add_text(json, "from", row->from);
        colony__json_add_text(json, "to", row->to);
        add_exit(json, row);
        add_cause(json, row);
        colony__json_close(json, '}');
    }
    colony__json_close(json, ']');
}

static void on_found(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct asking *asking = data;
    struct colony__connection *connection = asking->connection;
    struct colony__json json = {0};
    struct colony_error err;

    asking->is_answered = true;
    if (!connection) {
        release(asking);
    } else if (rc == 0) {
        colony__history_add_json(&json, NULL, rows, count);
        (void)colony__respond_json(connection, 200, &json);
    } else {
        (void)colony_fail_os(&err, rc, "cannot read the history");
        colony__respond_error(connection, &err);
    }
}

static void on_closed(void *data)
{
    struct asking *asking = data;

    asking->connection = NULL;
    release(asking);
}

static const struct colony__source history_source = {.closed = on_closed};

/* *number from ?name=N, which is @number before when there is none. -EINVAL. */
static int parse_number(const struct colony__request *request, const char *name,
                        unsigned long long max, unsigned long long *number,
                        struct colony_error *err)
{
    const char *text = colony__request_query(request, name);

    if (!text || (colony__parse_number(text, max, number) == 0 && *number > 0))
        return 0;
    return colony_fail(err, -EINVAL, "cannot show the history: %s must be a number from 1 to %llu",
                       name, max);
}

/* The time of "2026-03-01T12:00:00.250Z", UTC, or -EINVAL. */
static int parse_time(const char *text, uint64_t *wall_ms)
{
    struct tm utc = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    unsigned unit = 100;
    unsigned ms = 0;
    time_t seconds = at ? timegm(&utc) : -1;

    if (seconds < 0)
        return -EINVAL;
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
            ms += (unsigned)(*at - '0') * unit;
    if (strcmp(at, "Z") != 0)
        return -EINVAL;
    *wall_ms = (uint64_t)seconds * 1000 + ms;
    return 0;
}

/* A number is that of an event, as ?since= of /watch; then there are times, and durations. */
static int parse_since(const struct colony__request *request, struct colony_store_query *query,
                       struct colony_error *err)
{
    const char *text = colony__request_query(request, "since");
    uint64_t now_ms = colony_wall_now_ms();
    unsigned long long number = 0;
    uint64_t age_ms;

    if (!text)
        return 0;
    if (colony__parse_number(text, INT64_MAX, &number) == 0) {
        query->after = number;
        return 0;
    }
    if (parse_time(text, &query->since_ms) == 0)
        return 0;
    if (colony_settings_parse_duration(text, &age_ms) == 0) {
        query->since_ms = age_ms < now_ms ? now_ms - age_ms : 0;
        return 0;
    }
    return colony_fail(err, -EINVAL,
                       "cannot show the history: since must be the seq of an event, a time such as "
                       "2026-03-01T12:00:00Z, or how long ago, such as 1h");
}

int colony__history_parse(const struct colony__request *request, struct colony_store_query *query,
                          struct colony_error *err)
{
    unsigned long long slot = 0;
    unsigned long long limit = LIMIT_DEFAULT;
    unsigned long long before = 0;
    int rc = parse_number(request, "slot", COLONY_SLOTS_MAX, &slot, err);

    if (rc == 0)
        rc = parse_number(request, "limit", LIMIT_MAX, &limit, err);
    if (rc == 0)
        rc = parse_number(request, "before", INT64_MAX, &before, err);
    if (rc < 0)
        return rc;
    *query = (struct colony_store_query){
        .name = colony__request_query(request, "template"),
        .slot = (uint32_t)slot,
        .limit = (uint32_t)limit,
        .before = before,
    };
    if (!query->name)
        query->name = colony__request_query(request, "name");
    if (query->name && strlen(query->name) > COLONY_NAME_MAX)
        return colony_fail(err, -EINVAL,
                           "cannot show the history: the name is longer than %d bytes",
                           COLONY_NAME_MAX);
    return parse_since(request, query, err);
}

int colony__get_history(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony_store *store = colony_engine_store(colony__connection_engine(connection));
    struct colony_store_query query;
    struct asking *asking;
    int rc = colony__history_parse(request, &query, err);

    if (rc < 0)
        return rc;
    if (!store)
        return colony_fail(err, -EAGAIN,
                           "cannot show the history: its database could not be opened; colony's "
                           "log says why");
    asking = calloc(1, sizeof *asking);
    rc = asking ? colony_store_history(store, &query, on_found, asking) : -ENOMEM;
    if (rc < 0) {
        free(asking);
        return colony_fail_os(err, rc, "cannot show the history");
    }
    asking->connection = connection;
    colony__connection_set_source(connection, &history_source, asking);
    return 0;
}
