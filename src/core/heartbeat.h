/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heartbeat.h - a heart: a file that a program touches, by whose age others see that it lives.
 *
 * It is a regular file. A symlink, a pipe or a device in its place is no heart: whoever beats may
 * be root, in a folder that others can write to. libc only; what looks at files blocks on their
 * disk, so not for the loop thread.
 */
#ifndef COLONY_CORE_HEARTBEAT_H
#define COLONY_CORE_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

struct colony_error;

/*
 * Touches @path, or the file @name in it when that is a folder (@name may be NULL: then a folder is
 * -EISDIR), and makes it (0600) if it is not there. Negative errno with the reason.
 */
int colony_heartbeat_touch(const char *path, const char *name, struct colony_error *err);

/* When it was touched last, in milliseconds since 1970. -ENOENT: never; other errnos, too. */
int colony_heartbeat_look(const char *path, const char *name, int64_t *at_ms,
                          struct colony_error *err);

/*
 * What one who looks again and again remembers, so that a clock that is set forward makes no heart
 * old, and one that is set back none young for ever. All zero to begin with.
 */
struct colony_heartbeat {
    bool has_looked;
    int64_t at_ms;      /* what was seen last; 0: nothing */
    uint64_t beat_ms;   /* CLOCK_BOOTTIME, as @now_ms: the last beat; 0: nobody knows */
    uint64_t looked_ms; /* and the last look */
};

/*
 * How long ago it beat, in milliseconds, as @at_ms (0: there is none) tells at the wall clock's
 * @wall_ms and at @now_ms of CLOCK_BOOTTIME. A time in the future counts from the look that saw it
 * first. UINT64_MAX: there is none. Pure.
 */
uint64_t colony_heartbeat_age(struct colony_heartbeat *heart, int64_t at_ms, int64_t wall_ms,
                              uint64_t now_ms);

#endif
