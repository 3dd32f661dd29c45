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

/* For later, when the engine that it needs is there (colony__calls_go_on), and with it what was
 * asked for after it: on the loop, by its @fn. */
void colony__calls_put_off(struct colony__calls *calls, struct colony__call *call);

/* What waits is bounded by kind: a process that does not read is not to keep a program from
 * posting.
 */
enum colony__calls_kind {
    CALLS_WRITES,
    CALLS_MESSAGES, /* what is posted and published */
    COLONY__CALLS_KINDS,
};

enum {
    COLONY__CALLS_WAITING_MAX = 16 << 20, /* bytes of each, in one struct colony */
};

/* Counts @size bytes that wait: -EAGAIN when there would be too many, unless they are the only
 * ones. Any thread. */
int colony__calls_hold(struct colony__calls *calls, enum colony__calls_kind kind, size_t size);
void colony__calls_release(struct colony__calls *calls, enum colony__calls_kind kind, size_t size);

#endif
