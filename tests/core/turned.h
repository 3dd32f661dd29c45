/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turned.h - turns a loop that may block: it has a timer for the deadline, which does not keep it
 * alive. For whatever has a `loop` and a `deadline`.
 */
#ifndef COLONY_TESTS_TURNED_H
#define COLONY_TESTS_TURNED_H

#include "../scratch.h"

#include <uv.h>

static inline void on_late(uv_timer_t *timer)
{
    (void)timer; /* it wakes the loop */
}

static inline void deadline_init(uv_loop_t *loop, uv_timer_t *deadline)
{
    assert_int_equal(uv_timer_init(loop, deadline), 0);
    uv_unref((uv_handle_t *)deadline);
}

/* Turns the loop until @condition holds; one that nothing keeps alive does not block. */
#define TURN_UNTIL(f, condition)                                                                   \
    do {                                                                                           \
        uint64_t turn_until_ms = clock_ms() + DEADLINE_MS;                                         \
                                                                                                   \
        uv_update_time(&(f)->loop);                                                                \
        (void)uv_timer_start(&(f)->deadline, on_late, DEADLINE_MS, 0);                             \
        while (!(condition)) {                                                                     \
            if (clock_ms() > turn_until_ms)                                                        \
                fail_msg("`%s` did not come true in time", #condition);                            \
            (void)uv_run(&(f)->loop, UV_RUN_ONCE);                                                 \
        }                                                                                          \
        (void)uv_timer_stop(&(f)->deadline);                                                       \
    } while (0)

#endif
