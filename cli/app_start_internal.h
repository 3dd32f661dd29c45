/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_start_internal.h - the parts of `colony app start`: a colony of its own in a folder of its
 * own, what its processes write, and the screen that shows it.
 */
#ifndef COLONY_CLI_APP_START_INTERNAL_H
#define COLONY_CLI_APP_START_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "api/buffer_internal.h"
#include "api/logfile_internal.h"
#include "app_internal.h"

struct colony_error;
struct colony_exchange;

enum {
    APP_LABEL_MAX = 128, /* `web.1` */
};

/* --- app_screen.c: lines with time and name, for as long as they wait to be written --- */

struct app_screen {
    struct colony__buffer out;
    size_t width; /* of the longest label */
    bool has_colour;
    bool is_gone; /* nobody reads our output any more */
};

void colony__app_screen_init(struct app_screen *screen, size_t width);
/* A line of @size bytes, without its newline. @colour is a number from 0; -1: of colony itself. */
int colony__app_screen_line(struct app_screen *screen, const char *label, int colour,
                            const char *text, size_t size);
int colony__app_screen_say(struct app_screen *screen, const char *label, int colour,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));
/* True: enough waits; read no more until it was written. */
bool colony__app_screen_is_full(const struct app_screen *screen);
/* Writes what stdout takes without waiting, once poll() says that it takes some. */
void colony__app_screen_write(struct app_screen *screen);
void colony__app_screen_clear(struct app_screen *screen);

/* --- app_tail.c: the logs of all slots --- */

struct app_tail {
    char label[APP_LABEL_MAX];
    struct colony__logfile file;
    struct colony__buffer carry; /* a line that has no end yet */
    int colour;
    bool is_dirty;               /* there may be more to read */
    bool is_held;                /* nothing is shown before it is told that it was started */
    struct colony__buffer notes; /* what became of it, to be shown behind its last words */
    uint64_t due_ms;             /* when that is */
    uint64_t latest_ms;          /* and it is no later, whatever still comes */
};

struct app_tails {
    struct app_tail *items;
    size_t count;
    char folder[PATH_MAX]; /* of the logs */
    int inotify;           /* -1: not watched yet */
};

/* -1 as inotify; nothing else is there yet. */
void colony__app_tails_init(struct app_tails *tails);
/* Follows the logs in @folder, which may be still to come, of slots that are told of from now on.
 */
int colony__app_tails_open(struct app_tails *tails, const char *folder, struct colony_error *err);
/* The tail of a slot; made when it is new. NULL: out of memory. */
struct app_tail *colony__app_tails_get(struct app_tails *tails, const char *name, unsigned slot,
                                       int colour);
/* The descriptor has something: marks which logs have more. */
void colony__app_tails_notice(struct app_tails *tails);
/* How long poll() may wait for something to happen: -1 unless notes are due. */
int colony__app_tails_wait_ms(const struct app_tails *tails);
/*
 * Shows what there is, until the screen is full, and notes that are due; with @is_end all of them,
 * and lines that nothing has ended. 1: some is left; 0; negative errno.
 */
int colony__app_tails_show(struct app_tails *tails, struct app_screen *screen, bool is_end);
/* A process of the slot runs: what was before is over. */
int colony__app_tail_begin(struct app_tail *tail, struct app_screen *screen, double pid);
/* A line about it, to be shown when what it wrote before has been. -ENOMEM. */
int colony__app_tail_note(struct app_tail *tail, const char *text);
void colony__app_tails_clear(struct app_tails *tails);

/* --- app_private.c: the colony that runs it --- */

struct app_private {
    char folder[PATH_MAX]; /* "" before it is made */
    int lock_fd;           /* of the folder; -1: none */
    pid_t pid;             /* of its keeper; 0: none */
    int pidfd;
    struct colony_target target;
};

/* Makes the folder and starts `colony serve` on it. 0, or negative errno with the reason. */
int colony__app_private_start(struct app_private *own, struct colony_error *err);
/* Asks it to stop all; the second time (@times, from 1) it kills what still runs. */
void colony__app_private_stop(const struct app_private *own, unsigned times);
/* Takes its end, which pidfd has told of: its exit code. */
int colony__app_private_end(struct app_private *own);
/* Removes the folder. */
void colony__app_private_clear(struct app_private *own);

/* --- app_start.c, app_events.c: one run --- */

struct app_start {
    struct app *app;
    const char *const *types; /* those to start, NULL-terminated; none: all */
    struct app_private own;
    struct app_screen screen;
    struct app_tails tails;
    struct colony_request watching;
    struct colony_exchange *watch; /* NULL: it is over */
    struct colony__buffer event;   /* one that is not complete yet */
    char last_seq[24];             /* of the last one; "": there was none */
    int signals;
    unsigned stops; /* how often it was asked to stop */
    bool has_ended;
    int exit_code;
};

/* Of colony itself. */
void colony__app_start_say(struct app_start *start, const char *text);
/* Stops all, to end with @exit_code unless there was a failure before; returns @exit_code. */
int colony__app_start_fail(struct app_start *start, int exit_code);

/* Follows the events of its colony from now on, or from the last one that was seen. */
int colony__app_events_open(struct app_start *start, struct colony_error *err);
/* Reads on there. It is over with that colony, not with its engine, which may be replaced. */
void colony__app_events_read(struct app_start *start);

#endif
