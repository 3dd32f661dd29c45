/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heart.h - the heart of a program of ours, which tells whoever supervises it that it lives.
 *
 * NCOLONY_CONFIG asks for it with "ncolony.beatcheck" (ORIGINALS §2), and colony itself with
 * COLONY_HEARTBEAT (`health: {heartbeat: true}`). Files are touched on libuv's thread pool.
 *
 *     rc = colony_heart_start(&heart, loop, &err);
 *     if (rc < 0)
 *         complain and go on: it is the supervisor's to judge
 *     …
 *     colony_heart_stop(heart);
 */
#ifndef COLONY_CLI_HEART_H
#define COLONY_CLI_HEART_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_heart;
struct uv_loop_s;

enum {
    COLONY_HEARTS_MAX = 2, /* ncolony's and colony's */
};

/* What the environment asks for. */
struct colony_heart_places {
    size_t count; /* 0: nobody wants to know */
    struct {
        char path[PATH_MAX];
        const char *name; /* the file, when @path is a folder; borrowed for good; or NULL */
    } items[COLONY_HEARTS_MAX];
    uint64_t interval_ms; /* a third of the shortest period */
};

/* -EINVAL with the reason: the environment cannot be understood. -ENOMEM. */
int colony_heart_find(struct colony_heart_places *places, struct colony_error *err);

/* Touches all of them. The first failure, with its reason; the others are touched all the same.
 * Blocks on their disks. */
int colony_heart_beat(const struct colony_heart_places *places, struct colony_error *err);

/*
 * Beats at once and then every third of the period, as long as @loop runs; it keeps no loop alive.
 * *out is NULL when nobody asks for it. What goes wrong later is told on stderr, each new thing
 * once. Fails as colony_heart_find; libuv's errors.
 */
int colony_heart_start(struct colony_heart **out, struct uv_loop_s *loop, struct colony_error *err);

/* NULL is fine. It is freed on the loop's later turns. */
void colony_heart_stop(struct colony_heart *heart);

#endif
