/* SPDX-License-Identifier: Apache-2.0 */
/* calls_internal.h - calls from any thread to the loop; carried out in the order they were made in.
 */
#ifndef COLONY_LIB_CALLS_INTERNAL_H
#define COLONY_LIB_CALLS_INTERNAL_H

#include <stddef.h>

struct colony;
struct colony__calls;

/* The caller's memory until @fn is called, which may free it. */
struct colony__call {
    void (*fn)(struct colony *colony, struct colony__call *call);
    struct colony__call *next;
};

/* Any thread; cannot fail. */
void colony__calls_add(struct colony__calls *calls, struct colony__call *call);

/* For later, when the engine that it needs is there (colony__calls_go_on): on the loop, by its @fn.
 */
void colony__calls_put_off(struct colony__calls *calls, struct colony__call *call);

/* Counts @size bytes that wait: -EAGAIN when there would be more than @max, unless they are the
 * only ones. Any thread. */
int colony__calls_hold(struct colony__calls *calls, size_t size, size_t max);
void colony__calls_release(struct colony__calls *calls, size_t size);

#endif
