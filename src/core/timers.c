/* SPDX-License-Identifier: Apache-2.0 */
/* timers.c - a heap of those that run, the first of which the loop's timer is set to. */
#include "core/timers.h"

#include <errno.h>
#include <stdlib.h>

#include <uv.h>

struct colony_timers {
    uv_timer_t timer;
    uint64_t set_to_ms;         /* while it is active */
    struct colony_timer **heap; /* from 1 to count: none is due before that at half its place */
    uint32_t count;
    uint32_t room; /* for so many */
    uint32_t owners;
    bool is_calling;
    colony_timers_close_cb close_cb;
    void *close_data;
};

/* The heap. */

static void put(struct colony_timers *timers, struct colony_timer *timer, uint32_t place)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void rise(struct colony_timers *timers, struct colony_timer *timer, uint32_t place)
{
    while (place > 1 && timers->heap[place / 2]->due_ms > timer->due_ms) {
        put(timers, timers->heap[place / 2], place);
        place /= 2;
    }
    put(timers, timer, place);
}

static void sink(struct colony_timers *timers, struct colony_timer *timer, uint32_t place)
{
    for (;;) {
        uint32_t next = place * 2;

        if (next < timers->count && timers->heap[next + 1]->due_ms < timers->heap[next]->due_ms)
            next++;
        if (next > timers->count || timers->heap[next]->due_ms >= timer->due_ms)
            break;
        put(timers, timers->heap[next], place);
        place = next;
    }
    put(timers, timer, place);
}

static void take_out(struct colony_timers *timers, struct colony_timer *timer)
{
    struct colony_timer *last = timers->heap[timers->count--];
    uint32_t place = timer->place;

    timer->place = 0;
    if (last == timer)
        return;
    if (place > 1 && timers->heap[place / 2]->due_ms > last->due_ms)
        rise(timers, last, place);
    else
        sink(timers, last, place);
}

/* The loop's timer. */

static void on_due(uv_timer_t *uv);

/* Not before @least_ms: within its own callback the loop would never come to anything else. */
static void set(struct colony_timers *timers, uint64_t least_ms)
{
    uint64_t first_ms = uv_now(timers->timer.loop) + least_ms;
    uint64_t due_ms;

    if (timers->is_calling)
        return; /* it is set afterwards */
    if (timers->count == 0) {
        (void)uv_timer_stop(&timers->timer);
        return;
    }
    due_ms = timers->heap[1]->due_ms > first_ms ? timers->heap[1]->due_ms : first_ms;
    if (uv_is_active((uv_handle_t *)&timers->timer) && timers->set_to_ms == due_ms)
        return;
    timers->set_to_ms = due_ms;
    (void)uv_timer_start(&timers->timer, on_due, due_ms - first_ms + least_ms, 0);
}

static void on_due(uv_timer_t *uv)
{
    struct colony_timers *timers = uv->data;
    uint64_t now = uv_now(uv->loop);

    timers->is_calling = true;
    /* Not more than there are now: one that starts itself again is to wait for the next turn. */
    for (uint32_t left = timers->count; left > 0 && timers->count > 0; left--) {
        struct colony_timer *first = timers->heap[1];

        if (first->due_ms > now)
            break;
        take_out(timers, first);
        first->cb(first); /* it may be freed */
    }
    timers->is_calling = false;
    set(timers, 1);
}

void colony_timer_start(struct colony_timers *timers, struct colony_timer *timer,
                        colony_timer_cb cb, uint64_t delay_ms)
{
    if (timer->place != 0)
        take_out(timers, timer);
    timer->cb = cb;
    timer->due_ms = uv_now(timers->timer.loop) + delay_ms;
    rise(timers, timer, ++timers->count);
    set(timers, 0);
}

void colony_timer_stop(struct colony_timers *timers, struct colony_timer *timer)
{
    if (timer->place == 0)
        return;
    take_out(timers, timer);
    set(timers, 0);
}

/* Making and ending. */

int colony_timers_add(struct colony_timers *timers)
{
    uint32_t room = timers->room > 0 ? timers->room * 2 : 16;
    struct colony_timer **heap;

    if (timers->owners == timers->room) {
        heap = reallocarray(timers->heap, room + 1, sizeof(struct colony_timer *));
        if (!heap)
            return -ENOMEM;
        timers->heap = heap;
        timers->room = room;
    }
    timers->owners++;
    return 0;
}

void colony_timers_remove(struct colony_timers *timers)
{
    timers->owners--;
}

int colony_timers_new(struct colony_timers **out, struct uv_loop_s *loop)
{
    struct colony_timers *timers = calloc(1, sizeof *timers);

    if (!timers)
        return -ENOMEM;
    (void)uv_timer_init(loop, &timers->timer);
    timers->timer.data = timers;
    *out = timers;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct colony_timers *timers = handle->data;
    colony_timers_close_cb cb = timers->close_cb;
    void *data = timers->close_data;

    free(timers->heap);
    free(timers);
    if (cb)
        cb(data);
}

void colony_timers_close(struct colony_timers *timers, colony_timers_close_cb cb, void *data)
{
    timers->close_cb = cb;
    timers->close_data = data;
    uv_close((uv_handle_t *)&timers->timer, on_timer_closed);
}
