/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front.h - what a front-end is to the engine (DESIGN §3).
 *
 * Front-ends are rows in one table (lib/built_in.c); core calls none of them. `close` ends in a
 * callback, because only then are libuv's handles gone.
 */
#ifndef COLONY_CORE_FRONT_H
#define COLONY_CORE_FRONT_H

struct colony_engine;
struct colony_error;
struct colony_settings;

typedef void (*colony_front_closed_cb)(void *data);

struct colony_front {
    const char *name;
    /* Makes one; *out is handed to the other calls. */
    int (*create)(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err);
    int (*start)(void *controller, struct colony_error *err);
    void (*stop)(void *controller);
    void (*close)(void *controller, colony_front_closed_cb cb, void *data);
};

#endif
