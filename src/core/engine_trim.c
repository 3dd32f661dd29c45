/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_trim.c - gives memory back after a burst. What a thousand starts or a reload took for a
 * moment (orders that waited for the keeper, rows that waited for the disk) is free again, but
 * behind it stands what stays, so that malloc(3) keeps it until it is told to look.
 */
#include <malloc.h>

#include "core/engine_internal.h"

enum {
    STIRRED_MANY = 100, /* moves of slots after which it is worth a look */
    QUIET_MS = 1000,
};

static void on_quiet(uv_timer_t *timer)
{
    struct colony_engine *engine = timer->data;
    bool is_quiet = engine->stirred < STIRRED_MANY;

    engine->stirred = 0;
    if (is_quiet)
        (void)malloc_trim(0);
    else
        (void)uv_timer_start(timer, on_quiet, QUIET_MS, 0);
}

void engine_stir(struct colony_engine *engine, bool is_much)
{
    engine->stirred += is_much ? STIRRED_MANY : 1;
    if (engine->stirred < STIRRED_MANY || engine->is_closing ||
        uv_is_active((uv_handle_t *)&engine->trim_timer))
        return;
    engine->stirred = 0;
    (void)uv_timer_start(&engine->trim_timer, on_quiet, QUIET_MS, 0);
}

void engine_trim_init(struct colony_engine *engine)
{
    (void)uv_timer_init(engine->loop, &engine->trim_timer);
    uv_unref((uv_handle_t *)&engine->trim_timer);
    engine->trim_timer.data = engine;
}

static void on_timer_closed(uv_handle_t *handle)
{
    engine_on_part_closed(handle->data);
}

void engine_trim_close(struct colony_engine *engine)
{
    engine->open_handles++;
    uv_close((uv_handle_t *)&engine->trim_timer, on_timer_closed);
}
