/* SPDX-License-Identifier: Apache-2.0 */
#include "api/loop_watch_internal.h"

#include <string.h>

const uint32_t colony__loop_bounds_ms[COLONY__LOOP_BOUNDS] = {1, 5, 10, 50, 100, 500, 1000, 5000};

/* Since the loop last looked at the clock: before its timers, and when it awoke. */
static uint64_t since_awake_ms(const uv_loop_t *loop)
{
    uint64_t now_ms = uv_hrtime() / 1000000;
    uint64_t awake_ms = uv_now(loop);

    return now_ms > awake_ms ? now_ms - awake_ms : 0;
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
