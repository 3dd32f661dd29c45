/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock_watch.h - tells when the wall clock was set, or has run on while the machine slept.
 *
 * Costs nothing until then: the kernel says so. Loop thread only.
 */
#ifndef COLONY_CORE_CLOCK_WATCH_H
#define COLONY_CORE_CLOCK_WATCH_H

struct colony_clock_watch;
struct colony_error;
struct uv_loop_s;

typedef void (*colony_clock_watch_cb)(void *data);

/* Keeps @cb and @data until it is closed; it does not keep the loop alive. Negative errno. */
int colony_clock_watch_new(struct colony_clock_watch **out, struct uv_loop_s *loop,
                           colony_clock_watch_cb cb, void *data, struct colony_error *err);

/* Ends it; NULL is fine. @closed (may be NULL) is called with its data once it is gone. */
void colony_clock_watch_close(struct colony_clock_watch *watch, colony_clock_watch_cb closed);

#endif
