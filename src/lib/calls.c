/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - what other threads ask of the loop: a queue, and one handle that wakes it. */
#include "lib/calls_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <uv.h>

#include "lib/colony_internal.h"

struct colony__calls {
    struct colony *colony;
    uv_async_t async;
    struct colony__call *put_off; /* the loop's */
    struct colony__call **put_off_end;
    uv_mutex_t lock; /* of what follows */
    struct colony__call *first;
    struct colony__call **end;
    size_t held[COLONY__CALLS_KINDS]; /* bytes */
    bool is_closing;
    void (*cb)(void *data);
    void *data;
};

/* All that wait; what is added meanwhile waits for the next turn, so that the loop gets on. */
static struct colony__call *take(struct colony__calls *calls)
{
    struct colony__call *first;

    uv_mutex_lock(&calls->lock);
    first = calls->first;
    calls->first = NULL;
    calls->end = &calls->first;
    uv_mutex_unlock(&calls->lock);
    return first;
}

/* What comes after one that is put off is put off, too: each thread's are in order. */
static void carry_out(struct colony__calls *calls, struct colony__call *call)
{
    while (call) {
        struct colony__call *next = call->next;

        if (calls->put_off)
            colony__calls_put_off(calls, call);
        else
            call->fn(calls->colony, call);
        call = next;
    }
}

static void on_async(uv_async_t *async)
{
    struct colony__calls *calls = async->data;

    carry_out(calls, take(calls));
}

int colony__calls_new(struct colony__calls **out, struct colony *colony, struct uv_loop_s *loop)
{
    struct colony__calls *calls = calloc(1, sizeof *calls);
    int rc = calls ? uv_mutex_init(&calls->lock) : -ENOMEM;

    if (rc < 0) {
        free(calls);
        return rc;
    }
    rc = uv_async_init(loop, &calls->async, on_async);
    if (rc < 0) {
        uv_mutex_destroy(&calls->lock);
        free(calls);
        return rc;
    }
    uv_unref((uv_handle_t *)&calls->async); /* that somebody may ask keeps no loop running */
    calls->async.data = calls;
    calls->colony = colony;
    calls->end = &calls->first;
    calls->put_off_end = &calls->put_off;
    *out = calls;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct colony__calls *calls = handle->data;
    void (*cb)(void *data) = calls->cb;
    void *data = calls->data;

    for (struct colony__call *call = take(calls); call; call = take(calls))
        carry_out(calls, call);
    uv_mutex_destroy(&calls->lock);
    free(calls);
    cb(data);
}

void colony__calls_close(struct colony__calls *calls, void (*cb)(void *data), void *data)
{
    calls->cb = cb;
    calls->data = data;
    uv_mutex_lock(&calls->lock);
    calls->is_closing = true;
    uv_mutex_unlock(&calls->lock);
    uv_close((uv_handle_t *)&calls->async, on_closed);
}

void colony__calls_add(struct colony__calls *calls, struct colony__call *call)
{
    call->next = NULL;
    uv_mutex_lock(&calls->lock);
    *calls->end = call;
    calls->end = &call->next;
    if (!calls->is_closing)
        (void)uv_async_send(&calls->async);
    uv_mutex_unlock(&calls->lock);
}

void colony__calls_put_off(struct colony__calls *calls, struct colony__call *call)
{
    call->next = NULL;
    *calls->put_off_end = call;
    calls->put_off_end = &call->next;
}

/* They come before what was asked for since. */
void colony__calls_go_on(struct colony__calls *calls)
{
    if (!calls->put_off)
        return;
    uv_mutex_lock(&calls->lock);
    *calls->put_off_end = calls->first;
    if (!calls->first)
        calls->end = calls->put_off_end;
    calls->first = calls->put_off;
    if (!calls->is_closing)
        (void)uv_async_send(&calls->async);
    uv_mutex_unlock(&calls->lock);
    calls->put_off = NULL;
    calls->put_off_end = &calls->put_off;
}

int colony__calls_hold(struct colony__calls *calls, enum colony__calls_kind kind, size_t size)
{
    size_t *held = &calls->held[kind];
    bool has_room;

    uv_mutex_lock(&calls->lock);
    has_room = *held == 0 ||
               (size <= COLONY__CALLS_WAITING_MAX && *held <= COLONY__CALLS_WAITING_MAX - size);
    if (has_room)
        *held += size;
    uv_mutex_unlock(&calls->lock);
    return has_room ? 0 : -EAGAIN;
}

void colony__calls_release(struct colony__calls *calls, enum colony__calls_kind kind, size_t size)
{
    uv_mutex_lock(&calls->lock);
    calls->held[kind] -= size;
    uv_mutex_unlock(&calls->lock);
}

struct posted {
    struct colony__call call; /* first */
    void (*fn)(struct colony *colony, void *arg);
    void *arg;
};

static void on_posted(struct colony *colony, struct colony__call *call)
{
    struct posted *posted = (struct posted *)call;

    colony__calls_release(colony__calls_of(colony), CALLS_MESSAGES, sizeof *posted);
    posted->fn(colony, posted->arg);
    free(posted);
}

int colony_engine_post(struct colony *colony, void (*fn)(struct colony *colony, void *arg),
                       void *arg)
{
    struct colony__calls *calls = colony__calls_of(colony);
    int rc = colony__calls_hold(calls, CALLS_MESSAGES, sizeof(struct posted));
    struct posted *posted;

    if (rc < 0)
        return rc;
    posted = malloc(sizeof *posted);
    if (!posted) {
        colony__calls_release(calls, CALLS_MESSAGES, sizeof *posted);
        return -ENOMEM;
    }
    *posted = (struct posted){.call = {.fn = on_posted}, .fn = fn, .arg = arg};
    colony__calls_add(calls, &posted->call);
    return 0;
}
