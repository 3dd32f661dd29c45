/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checker.h - what ncolony's checkers share: they look at a configuration folder each so often, and
 * ask by a message for a restart of what is not well (ORIGINALS §2).
 */
#ifndef COLONY_CLI_CHECKER_H
#define COLONY_CLI_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/error.h"
#include "options.h"

struct colony_heart;

/* The options; all checkers have the same. */
extern const struct colony_option colony_checker_options[];

struct checker;

/* One kind of checker. */
struct checker_kind {
    const struct colony_usage *usage;
    const char *name; /* "beatcheck"; begins the lines of its log */
    /* Makes checker->data. Negative errno with the reason. */
    int (*open)(struct checker *checker, struct colony_error *err);
    /* On a thread of libuv's, never twice at once: looks at the folder. */
    int (*look)(struct checker *checker, struct colony_error *err);
    /* On the loop, after each of those. May be NULL. */
    void (*looked)(struct checker *checker);
    /* On the loop, at the end: no handle of its own may be left open. May be NULL. */
    void (*close)(struct checker *checker);
    /* Once the loop has ended. */
    void (*free)(struct checker *checker);
};

struct checker {
    const struct checker_kind *kind;
    const char *messages; /* folders */
    const char *config;
    uint64_t interval_ms;
    uint64_t started_ms; /* CLOCK_BOOTTIME */
    void *data;          /* the kind's */

    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_work_t work;
    bool is_looking;
    bool is_ending;
    struct colony_heart *heart;
    int look_rc; /* of the look under way, with its reason in @trouble */
    char trouble[COLONY_ERROR_TEXT_MAX];
    char told[COLONY_ERROR_TEXT_MAX]; /* the trouble that was told last */
};

/* Reads the options and runs until SIGTERM or SIGINT. The exit code. */
int checker_run(const struct checker_kind *kind, int argc, char **argv);

/* CLOCK_BOOTTIME in ms. */
uint64_t checker_now_ms(void);

/* Writes the message; blocks on the disk. What went wrong is told. */
int checker_ask_restart(const struct checker *checker, const char *name);

#endif
