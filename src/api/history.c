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
#include "core/signals.h"
#include "core/store.h"
#include "core/template.h"

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 10000,
};

/* One query under way. Lives until the store has answered and the connection let go of it. */
struct asking {
    struct colony__connection *connection; /* NULL: it has gone */
    bool is_answered;
    uint64_t after_seq; /* only later ones */
    uint64_t from_ms;   /* wall clock: only from then on */
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
        colony__json_add_text(json, "cause", row->cause);
        colony__json_close(json, '}');
    }
    colony__json_close(json, ']');
}

/* Of @rows, newest first, those that are late enough. */
static size_t count_wanted(const struct asking *asking, const struct colony_store_event *rows,
                           size_t count)
{
    while (count > 0 &&
           (rows[count - 1].seq <= asking->after_seq || rows[count - 1].at_ms < asking->from_ms))
        count--;
    return count;
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
        colony__history_add_json(&json, NULL, rows, count_wanted(asking, rows, count));
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

int colony__history_parse(const struct colony__request *request, struct colony_store_query *query,
                          struct colony_error *err)
{
    unsigned long long slot = 0;
    unsigned long long limit = LIMIT_DEFAULT;
    unsigned long long before = 0;
    const char *name = colony__request_query(request, "name");
    int rc = parse_number(request, "slot", COLONY_SLOTS_MAX, &slot, err);

    if (rc == 0)
        rc = parse_number(request, "limit", LIMIT_MAX, &limit, err);
    if (rc == 0)
        rc = parse_number(request, "before", INT64_MAX, &before, err);
    if (rc < 0)
        return rc;
    *query = (struct colony_store_query){
        .name = name ? name : colony__request_query(request, "template"),
        .slot = (uint32_t)slot,
        .limit = (uint32_t)limit,
        .before = before,
    };
    if (query->name && strlen(query->name) > COLONY_NAME_MAX)
        return colony_fail(err, -EINVAL,
                           "cannot show the history: the name is longer than %d bytes",
                           COLONY_NAME_MAX);
    return 0;
}

/* "2026-11-22T16:12:41.052Z", also with fewer digits: milliseconds since 1970. -EINVAL. */
static int parse_time(const char *text, uint64_t *ms)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    time_t seconds = rest ? timegm(&tm) : -1;
    uint64_t weight = 100;

    if (seconds < 0)
        return -EINVAL;
    *ms = (uint64_t)seconds * 1000;
    if (*rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, weight /= 10)
            *ms += (uint64_t)(*rest - '0') * weight;
    return strcmp(rest, "Z") == 0 ? 0 : -EINVAL;
}

/* ?since=, the seq of an event or a time. */
static int parse_since(const struct colony__request *request, struct asking *asking,
                       struct colony_error *err)
{
    const char *since = colony__request_query(request, "since");
    unsigned long long seq;

    if (!since)
        return 0;
    if (colony__parse_number(since, INT64_MAX, &seq) == 0) {
        asking->after_seq = seq;
        return 0;
    }
    if (parse_time(since, &asking->from_ms) == 0)
        return 0;
    return colony_fail(err, -EINVAL,
                       "cannot show the history since '%.40s': the seq of an event, or a time such "
                       "as 2026-11-22T16:12:41Z",
                       since);
}

int colony__get_history(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony_store *store = colony_engine_store(colony__connection_engine(connection));
    struct colony_store_query query;
    struct asking wish = {0};
    struct asking *asking;
    int rc = colony__history_parse(request, &query, err);

    if (rc == 0)
        rc = parse_since(request, &wish, err);
    if (rc < 0)
        return rc;
    if (!store)
        return colony_fail(err, -EAGAIN,
                           "cannot show the history: its database could not be opened; colony's "
                           "log says why");
    asking = calloc(1, sizeof *asking);
    if (asking)
        *asking = wish;
    rc = asking ? colony_store_history(store, &query, on_found, asking) : -ENOMEM;
    if (rc < 0) {
        free(asking);
        return colony_fail_os(err, rc, "cannot show the history");
    }
    asking->connection = connection;
    colony__connection_set_source(connection, &history_source, asking);
    return 0;
}
