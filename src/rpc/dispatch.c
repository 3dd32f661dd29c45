/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/dispatch_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>
#include <utlist.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/value.h"
#include "rpc/call_internal.h"

enum {
    ID_MAX = 256,              /* bytes of an id */
    KEY_MAX = 6 * ID_MAX + 32, /* an id as JSON, and a hash */
};

struct colony__rpc_dispatch {
    struct colony__rpc_dispatch_options options;
    struct colony__rpc_window *window;
    struct colony_rpc_call *calls;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int colony__rpc_dispatch_new(struct colony__rpc_dispatch **out,
                             const struct colony__rpc_dispatch_options *options)
{
    struct colony__rpc_dispatch *dispatch = calloc(1, sizeof *dispatch);
    int rc;

    if (!dispatch)
        return -ENOMEM;
    dispatch->options = *options;
    rc = colony__rpc_window_new(&dispatch->window);
    if (rc < 0)
        free(dispatch);
    else
        *out = dispatch;
    return rc;
}

static void free_call(struct colony_rpc_call *call)
{
    struct colony__rpc_place *place;

    while ((place = call->first.next)) {
        call->first.next = place->next;
        free(place);
    }
    colony_value_free(call->request);
    free(call->id);
    free(call);
}

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity): the macros of
   utlist are counted as if they were written here */

static void add_call(struct colony__rpc_dispatch *dispatch, struct colony_rpc_call *call)
{
    DL_APPEND(dispatch->calls, call);
}

static void remove_call(struct colony__rpc_dispatch *dispatch, struct colony_rpc_call *call)
{
    DL_DELETE(dispatch->calls, call);
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity) */

void colony__rpc_call_end(struct colony_rpc_call *call, char *text)
{
    struct colony__rpc_dispatch *dispatch = call->dispatch;
    const struct colony__rpc_dispatch_options *options = dispatch ? &dispatch->options : NULL;
    const char *reply = text;

    if (call->id && !text) /* it needs no memory but the message's own */
        reply = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32006,\"message\":\"cannot "
                "answer: out of memory\",\"data\":{\"type\":\"ConnectionError\"}}}";
    if (dispatch) {
        remove_call(dispatch, call);
        colony__rpc_window_end(dispatch->window, call->entry, text, now_ms());
    }
    for (const struct colony__rpc_place *at = &call->first; at; at = at->next)
        colony__rpc_deliver(options, at, reply);
    free(text);
    free_call(call);
}

/* It goes on, and its answer goes nowhere. */
static void abandon(struct colony__rpc_dispatch *dispatch, struct colony_rpc_call *call)
{
    remove_call(dispatch, call);
    colony__rpc_window_end(dispatch->window, call->entry, NULL, now_ms());
    call->dispatch = NULL;
    call->entry = NULL;
}

void colony__rpc_dispatch_free(struct colony__rpc_dispatch *dispatch)
{
    struct colony_rpc_call *call;

    if (!dispatch)
        return;
    while ((call = dispatch->calls))
        abandon(dispatch, call);
    colony__rpc_window_free(dispatch->window);
    free(dispatch);
}

void colony__rpc_count_refused(struct colony__rpc_dispatch *dispatch)
{
    dispatch->options.counters->refused++;
}

/* Answers what never became a call. @id NULL: it has none that could be told. */
static void fail_at(struct colony__rpc_dispatch *dispatch, const struct colony__rpc_place *place,
                    const char *id, int code, const char *message)
{
    char *error = colony__rpc_error(code, NULL, message);
    char *text = error ? colony__rpc_reply(id ? id : "null", "error", error) : NULL;

    if (code == -32006)
        dispatch->options.counters->refused++;
    else
        dispatch->options.counters->malformed++;
    colony__rpc_deliver(&dispatch->options, place, text);
    free(text);
    free(error);
}

void colony__rpc_dispatch_refuse(struct colony__rpc_dispatch *dispatch,
                                 const struct colony__rpc_sender *from, const char *reason)
{
    const struct colony__rpc_place place = {.sender = *from};

    fail_at(dispatch, &place, NULL, -32600, reason);
}

/* An id as JSON. NULL: it cannot be one, or no memory. */
static char *print_id(const struct colony_value *id)
{
    cJSON *json;
    char *text;

    if (id->type == VALUE_NULL)
        return strdup("null");
    if (id->type == VALUE_NUMBER)
        return strlen(id->text) < ID_MAX ? strdup(id->text) : NULL;
    if (id->type != VALUE_STRING || strlen(id->text) >= ID_MAX)
        return NULL;
    json = cJSON_CreateString(id->text);
    text = colony_json_print(json);
    cJSON_Delete(json);
    return text;
}

/* Why this is no request, or NULL: it is one. */
static const char *check_request(const struct colony_value *request)
{
    const struct colony_value *version;
    const struct colony_value *method;
    const struct colony_value *params;

    if (request->type != VALUE_MAP)
        return "cannot take this: a request is an object";
    version = colony_value_get(request, "jsonrpc");
    method = colony_value_get(request, "method");
    params = colony_value_get(request, "params");
    if (!version || version->type != VALUE_STRING || strcmp(version->text, "2.0") != 0)
        return "cannot take this request: jsonrpc must be \"2.0\"";
    if (!method || method->type != VALUE_STRING)
        return "cannot take this request: method must be a text";
    if (params && params->type != VALUE_LIST && params->type != VALUE_MAP)
        return "cannot take this request: params must be a list or an object";
    return NULL;
}

/* One more place for the answer of @call. A REQ client has nothing else under way: that it asks
 * again means that it is connected anew, and waits once. */
static void add_place(struct colony_rpc_call *call, const struct colony__rpc_place *place)
{
    struct colony__rpc_dispatch *dispatch = call->dispatch;
    struct colony__rpc_place *copy;

    dispatch->options.counters->repeated++;
    if (!place->batch && place->sender.has_delimiter && !call->first.batch) {
        call->first.sender = place->sender;
        return;
    }
    copy = call->place_count < COLONY__RPC_PLACES_MAX ? malloc(sizeof *copy) : NULL;
    if (!copy) {
        fail_at(dispatch, place, call->id, -32006, "cannot take this: it was asked too often");
        return;
    }
    *copy = *place;
    copy->next = call->first.next;
    call->first.next = copy;
    call->place_count++;
}

/* By what @request is known again: its id, and, for clients that have one id for all they ask, what
 * it says. False: it is never the same as another. */
static bool make_key(char key[KEY_MAX], const struct colony_value *request, const char *id)
{
    if (!id || strcmp(id, "null") == 0)
        return false;
    (void)snprintf(key, KEY_MAX, "%s %016" PRIx64, id, colony_value_hash(request));
    return true;
}

/* True when it is known, and answered or about to be. */
static bool repeat(struct colony__rpc_dispatch *dispatch, const struct colony__rpc_place *place,
                   const struct colony_value *request, const char *id)
{
    struct colony__rpc_known known = {0};
    char key[KEY_MAX];

    if (make_key(key, request, id))
        known = colony__rpc_window_find(dispatch->window, &place->sender.client, key, now_ms());
    if (known.call) {
        add_place(known.call, place);
        return true;
    }
    if (!known.reply)
        return false;
    dispatch->options.counters->repeated++;
    colony__rpc_deliver(&dispatch->options, place, known.reply);
    return true;
}

bool colony_rpc_call_is_wanted(const struct colony_rpc_call *call)
{
    const struct colony__rpc_dispatch_options *options =
        call->dispatch ? &call->dispatch->options : NULL;
    const struct colony__rpc_place *place = &call->first;

    if (!options || !options->is_connected)
        return options != NULL;
    while (place && !options->is_connected(place->sender.connection, options->send_data))
        place = place->next;
    return place != NULL;
}

static void abandon_unwanted(struct colony__rpc_dispatch *dispatch)
{
    struct colony_rpc_call *call = dispatch->calls;

    while (call) {
        struct colony_rpc_call *next = call->next;

        if (!colony_rpc_call_is_wanted(call)) {
            dispatch->options.counters->dropped++;
            abandon(dispatch, call);
        }
        call = next;
    }
}

/* The end of all: `stop` without what is to be stopped, of whoever may. */
static bool is_urgent(const struct colony__rpc_place *place, const struct colony_value *request)
{
    const struct colony_value *params = colony_value_get(request, "params");

    return place->sender.may_control && !(params && params->child) &&
           strcmp(colony_value_get(request, "method")->text, "stop") == 0;
}

/* What those who are gone had asked is let go for it. */
static bool make_room(struct colony__rpc_dispatch *dispatch, const struct colony__rpc_place *place,
                      const struct colony_value *request)
{
    const struct colony__rpc_client_id *client = &place->sender.client;
    bool is_first = is_urgent(place, request);

    if (colony__rpc_window_has_room(dispatch->window, client, is_first))
        return true;
    abandon_unwanted(dispatch);
    return colony__rpc_window_has_room(dispatch->window, client, is_first);
}

/* Takes ownership of @request and @id. */
static void begin(struct colony__rpc_dispatch *dispatch, const struct colony__rpc_place *place,
                  struct colony_value *request, char *id)
{
    struct colony_rpc_call *call = calloc(1, sizeof *call);
    char key[KEY_MAX];
    bool can_repeat = make_key(key, request, id);
    int rc = !call ? -ENOMEM : make_room(dispatch, place, request) ? 0 : -EAGAIN;

    if (rc == 0)
        rc = colony__rpc_window_add(dispatch->window, &place->sender.client,
                                    can_repeat ? key : NULL, call, &call->entry);
    if (rc < 0) {
        fail_at(dispatch, place, id, -32006,
                rc == -EAGAIN ? "cannot take this now: too many requests are under way"
                              : "cannot take this now: out of memory");
        colony_value_free(request);
        free(call);
        free(id);
        return;
    }
    call->dispatch = dispatch;
    call->request = request;
    call->id = id;
    call->method = colony_value_get(request, "method")->text;
    call->params = colony_value_get(request, "params");
    call->first = *place;
    call->place_count = 1;
    add_call(dispatch, call);
    dispatch->options.counters->requests++;
    colony__rpc_invoke(call, dispatch->options.object, dispatch->options.object_data);
}

/* Takes ownership of @request. */
static void take_request(struct colony__rpc_dispatch *dispatch,
                         const struct colony__rpc_place *place, struct colony_value *request)
{
    const struct colony_value *given =
        request->type == VALUE_MAP ? colony_value_get(request, "id") : NULL;
    char *id = given ? print_id(given) : NULL;
    const char *reason = check_request(request);

    if (given && !id)
        reason = "cannot take this request: id must be a short text, a number or null";
    if (reason)
        fail_at(dispatch, place, id, -32600, reason);
    if (reason || repeat(dispatch, place, request, id)) {
        colony_value_free(request);
        free(id);
        return;
    }
    begin(dispatch, place, request, id);
}

static size_t count_items(const struct colony_value *list)
{
    size_t count = 0;

    for (const struct colony_value *at = list->child; at; at = at->next)
        count++;
    return count;
}

/* Takes ownership of @list. */
static void take_batch(struct colony__rpc_dispatch *dispatch, const struct colony__rpc_sender *from,
                       struct colony_value *list)
{
    struct colony__rpc_place place = {.sender = *from};
    size_t count = count_items(list);
    struct colony_value *next = list->child;
    struct colony__rpc_batch *batch;

    batch = count > 0 && count <= COLONY__RPC_BATCH_MAX
                ? calloc(1, sizeof *batch + count * sizeof batch->replies[0])
                : NULL;
    if (!batch) {
        fail_at(dispatch, &place, NULL, count - 1 < COLONY__RPC_BATCH_MAX ? -32006 : -32600,
                "cannot take this batch: 1 to 100 requests make one");
        colony_value_free(list);
        return;
    }
    batch->sender = *from;
    batch->count = count;
    batch->left = count + 1;
    place.batch = batch;
    list->child = NULL; /* each is its own tree from here */
    colony_value_free(list);
    while (next) {
        struct colony_value *request = next;

        next = next->next;
        request->next = NULL;
        take_request(dispatch, &place, request);
        place.index++;
    }
    colony__rpc_settle(&dispatch->options, batch);
} /* NOLINT(clang-analyzer-unix.Malloc): the last of it to be answered frees the batch */

void colony__rpc_dispatch_receive(struct colony__rpc_dispatch *dispatch,
                                  const struct colony__rpc_sender *from, const char *text,
                                  size_t size)
{
    const struct colony__rpc_place place = {.sender = *from};
    struct colony_value *value = NULL;
    struct colony_error err;
    int rc = colony_value_parse_json(&value, text, size, &err);

    if (rc < 0)
        fail_at(dispatch, &place, NULL, rc == -ENOMEM ? -32006 : -32700, err.message);
    else if (value->type == VALUE_LIST)
        take_batch(dispatch, from, value);
    else
        take_request(dispatch, &place, value);
}
