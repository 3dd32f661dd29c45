/* SPDX-License-Identifier: Apache-2.0 */
#include "api/loop_watch_internal.h"

#include <stdbool.h>
#include <string.h>

const uint32_t colony__loop_bounds_ms[COLONY__LOOP_BOUNDS] = {1, 5, 10, 50, 100, 500, 1000, 5000};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* Since the loop last looked at the clock: before its timers, and when it awoke. */
static uint64_t since_awake_ms(const uv_loop_t *loop)
{
    uint64_t now = now_ms();
    uint64_t awake = uv_now(loop);

    return now > awake ? now - awake : 0;
}

static bool is_recent(const struct colony__loop_watch *watch)
{
    return now_ms() - watch->slow_at_ms < COLONY__LOOP_RECENT_MS;
}

static void remember(struct colony__loop_watch *watch, uint64_t took_ms)
{
    if (took_ms < COLONY__LOOP_SLOW_MS || (took_ms < watch->slow_ms && is_recent(watch)))
        return;
    watch->slow_ms = took_ms;
    watch->slow_at_ms = now_ms();
}

static void on_after_io(uv_check_t *handle)
{
    struct colony__loop_watch *watch = handle->data;

    watch->turn_ms += since_awake_ms(handle->loop);
}

static void on_after_timers(uv_prepare_t *handle)
{
    struct colony__loop_watch *watch = handle->data;
    uint64_t took_ms = watch->turn_ms + since_awake_ms(handle->loop);
    size_t i = 0;

    while (i < COLONY__LOOP_BOUNDS && took_ms > colony__loop_bounds_ms[i])
        i++;
    watch->counts[i]++;
    watch->total_ms += took_ms;
    watch->turn_ms = 0;
    remember(watch, took_ms);
}

uint64_t colony__loop_watch_slowest(const struct colony__loop_watch *watch)
{
    uint64_t at_hand = watch->turn_ms + since_awake_ms(watch->after_io.loop);
    uint64_t slowest = watch->slow_ms > 0 && is_recent(watch) ? watch->slow_ms : 0;

    if (at_hand >= COLONY__LOOP_SLOW_MS && at_hand > slowest)
        slowest = at_hand;
    return slowest;
}

void colony__loop_watch_init(struct colony__loop_watch *watch, uv_loop_t *loop)
{
    memset(watch, 0, sizeof *watch);
    (void)uv_check_init(loop, &watch->after_io); /* neither can fail */
    (void)uv_prepare_init(loop, &watch->after_timers);
    watch->after_io.data = watch->after_timers.data = watch;
    (void)uv_check_start(&watch->after_io, on_after_io);
    (void)uv_prepare_start(&watch->after_timers, on_after_timers);
    uv_unref((uv_handle_t *)&watch->after_io);
    uv_unref((uv_handle_t *)&watch->after_timers);
}

void colony__loop_watch_close(struct colony__loop_watch *watch, uv_close_cb cb, void *data)
{
    watch->after_io.data = watch->after_timers.data = data;
    uv_close((uv_handle_t *)&watch->after_io, cb);
    uv_close((uv_handle_t *)&watch->after_timers, cb);
}
