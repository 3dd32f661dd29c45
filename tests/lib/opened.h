/* SPDX-License-Identifier: Apache-2.0 */
/* opened.h - a struct colony that is not started, on a loop of the test's. */
#ifndef COLONY_TESTS_LIB_OPENED_H
#define COLONY_TESTS_LIB_OPENED_H

#include "../test.h"

#include <colony.h>
#include <uv.h>

struct opened {
    uv_loop_t loop;
    uv_timer_t program; /* what else the loop is for: an engine keeps none running */
    struct colony *colony;
    int freed; /* how often its end was told */
};

static inline void opened_on_never(uv_timer_t *timer)
{
    (void)timer;
}

static inline void opened_init(struct opened *opened)
{
    struct colony_error err = {0};

    *opened = (struct opened){0};
    assert_int_equal(uv_loop_init(&opened->loop), 0);
    (void)uv_timer_init(&opened->loop, &opened->program);
    (void)uv_timer_start(&opened->program, opened_on_never, 1000000, 0);
    assert_int_equal(colony_engine_open(&opened->colony, &opened->loop, NULL, &err), 0);
}

/* Until all that was asked so far is done. */
static inline void opened_turn(struct opened *opened)
{
    (void)uv_run(&opened->loop, UV_RUN_NOWAIT);
}

static inline void opened_on_freed(void *data)
{
    struct opened *opened = (struct opened *)data;

    opened->freed++;
}

static inline void opened_clear(struct opened *opened)
{
    uv_close((uv_handle_t *)&opened->program, NULL);
    colony_engine_free(opened->colony, opened_on_freed, opened);
    assert_int_equal(opened->freed, 0); /* never from inside */
    (void)uv_run(&opened->loop, UV_RUN_DEFAULT);
    assert_int_equal(opened->freed, 1);
    assert_int_equal(uv_loop_close(&opened->loop), 0); /* no handle left behind */
}

#endif
