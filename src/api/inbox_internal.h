/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inbox_internal.h - the queue of events.h, for its own files: inbox.c takes events in and hands
 * them from stage to stage, inbox_life.c begins and ends it, handler_*.c are what stages do.
 *
 * A stage is one handler of `events.handlers` with the events that wait for it. An event is in one
 * stage at a time, passes them in their order, and leaves out those that do not want it. Each
 * handler is handed its events in the order in which they reach it.
 */
#ifndef COLONY_API_INBOX_INTERNAL_H
#define COLONY_API_INBOX_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "api/events.h"
#include "core/event_settings.h"

struct colony__buffer;
struct colony__stage;
struct colony_engine;
struct colony_http_client;
struct colony_meters;
struct colony_store;
struct colony_value;

enum {
    INBOX_PEER_MAX = 64,
    INBOX_STAGES_MAX = COLONY_HANDLERS_MAX + 1, /* and the program */
};

/* One event that was accepted. */
struct colony__incoming {
    TAILQ_ENTRY(colony__incoming) in_all;
    struct colony__incoming *next; /* in its stage */
    struct colony_inbox *inbox;    /* NULL: that is gone, and only the store still has it */
    struct colony__stage *stage;   /* where it is; NULL: in none */
    uint64_t id;
    uint64_t at_ms;  /* wall clock */
    uint64_t wanted; /* a bit for each stage that is to have it */
    bool is_storing; /* the store has not answered yet */
    bool is_stored;
    bool is_in_hand; /* of its stage, which is not done with it */
    enum colony_inbox_via via;
    colony_inbox_done_cb done; /* NULL once it was called */
    void *data;
    void *work; /* what its stage does for it: the handler's own */
    char peer[INBOX_PEER_MAX];
    size_t size;
    char json[]; /* without blanks between its parts, so it is one line; ends in NUL */
};
TAILQ_HEAD(colony__incomings, colony__incoming);

/* What one handler did so far, in events. */
struct colony__stage_counts {
    uint64_t handled;
    uint64_t failed;
    uint64_t dropped; /* that not everybody was told who wanted to know */
};

/* All but `handle` may be NULL. */
struct colony__handler_kind {
    bool takes_engine;
    /* Whether it could be had at all: libraries, secrets. */
    int (*check)(const struct colony_handler_settings *settings, struct colony_error *err);
    /* What it needs; told before anything is handed to it. */
    int (*open)(struct colony__stage *stage, struct colony_error *err);
    /* 1: it is done with the event; 0: it will say so, by colony__stage_done(), or that it cannot,
     * by colony__stage_give_up(), and not from inside this call. -ESHUTDOWN: it cannot any more. */
    int (*handle)(struct colony__stage *stage, struct colony__incoming *event);
    void (*hurry)(struct colony__stage *stage); /* colony ends: nothing is tried again */
    /* Lets go of an event that it has in hand. */
    void (*cancel)(struct colony__stage *stage, struct colony__incoming *event);
    /* Once nothing is in hand. What the loop still has of it was counted in inbox->open_count, and
     * ends with colony__inbox_part_closed(). */
    void (*close)(struct colony__stage *stage);
};

struct colony__stage {
    const struct colony__handler_kind *kind;
    const struct colony_handler_settings *settings;
    struct colony_inbox *inbox;
    uint32_t number;               /* in the order of stages, from 0 */
    uint32_t place;                /* in the settings, from 1; 0: in none */
    struct colony__incoming *head; /* that wait for it */
    struct colony__incoming **end;
    uint32_t busy; /* events it has in hand */
    uint32_t busy_max;
    struct colony__stage_counts counts;
    uint64_t silent_until_ms; /* failures until then are not logged */
    uint64_t silent_count;
    void *own; /* the handler's */
};

struct colony_inbox {
    struct colony_engine *engine; /* NULL: there is none, nor are there meters */
    struct colony_store *store;   /* NULL: there is none */
    const struct colony_inbox_program *program;
    struct uv_loop_s *loop;
    const struct colony_events_settings *settings;
    struct colony__stage stages[INBOX_STAGES_MAX];
    uint32_t stage_count;
    struct colony__incomings all; /* in the order in which they came */
    uint64_t last_id;
    size_t length; /* events that are not done with */
    size_t bytes;  /* of them */
    size_t lost;   /* that were given up because colony ends, and are in no store */
    size_t left;   /* the same, and the next engine finds them there */
    bool is_open;
    bool is_closing; /* it ends as soon as nothing is left */
    bool is_closed;
    struct colony_inbox_counts counts;
    struct colony_http_client *client; /* of webhooks; NULL: there is none */
    struct colony_meters *meters;      /* NULL: it has not started */
    uv_timer_t timer;
    size_t open_count; /* of what the loop has of ours */
    colony_inbox_closed_cb closed_cb;
    void *closed_data;
};

extern const struct colony__handler_kind colony__handler_log;
extern const struct colony__handler_kind colony__handler_exec;
extern const struct colony__handler_kind colony__handler_stdin;
extern const struct colony__handler_kind colony__handler_webhook;
extern const struct colony__handler_kind colony__handler_bus;
extern const struct colony__handler_kind colony__handler_zmq;
extern const struct colony__handler_kind colony__handler_program;

/* --- inbox.c ---------------------------------------------------------------------------------- */

/* @stage is done with @event, which goes on to the next one. Not from inside handle(). */
void colony__stage_done(struct colony__stage *stage, struct colony__incoming *event);
/* @stage cannot do it, and nobody else is asked: the next engine may, if the event is stored. */
void colony__stage_give_up(struct colony__stage *stage, struct colony__incoming *event);
/* Counts a failure, and says so in the log, at most once a second for each stage. */
void colony__stage_failed(struct colony__stage *stage, const struct colony__incoming *event,
                          const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What @event looks like to @stage: itself, or its envelope. -ENOMEM. */
int colony__stage_text(const struct colony__stage *stage, const struct colony__incoming *event,
                       struct colony__buffer *text);

/* An event that is accepted from here on, and not counted. NULL: out of memory. */
struct colony__incoming *colony__inbox_add(struct colony_inbox *inbox, const char *json,
                                           size_t size, const struct colony_value *value);
/* One more is accepted. */
void colony__inbox_count(struct colony_inbox *inbox, enum colony_inbox_via via);
/* To its first stage. */
void colony__inbox_begin(struct colony_inbox *inbox, struct colony__incoming *event);
/* Takes it out, and frees it unless the store still has it. */
void colony__inbox_remove(struct colony_inbox *inbox, struct colony__incoming *event);
/* The same of one that is not handled any more: it is counted, and answered if it was not yet. */
void colony__inbox_lose(struct colony_inbox *inbox, struct colony__incoming *event);
/* Calls its done, if it was not yet. */
void colony__incoming_answer(struct colony__incoming *event, int rc);

/* --- inbox_spool.c: `events.durable` ---------------------------------------------------------- */

/* Answers and begins it once it is in the store. -ENOMEM, or what the store says. */
int colony__inbox_store(struct colony_inbox *inbox, struct colony__incoming *event);
/* It has been handled. */
void colony__inbox_forget(struct colony_inbox *inbox, const struct colony__incoming *event);
/* Begins all that an engine before this one left. */
int colony__inbox_restore(struct colony_inbox *inbox, struct colony_error *err);

/* --- inbox_life.c ----------------------------------------------------------------------------- */

void colony__inbox_part_closed(void *inbox);
/* Nothing is left: if it is to end, it does. */
void colony__inbox_idle(struct colony_inbox *inbox);

/* --- inbox_meters.c --------------------------------------------------------------------------- */

int colony__inbox_add_meters(struct colony_inbox *inbox);
void colony__inbox_remove_meters(struct colony_inbox *inbox);

/* --- event_text.c ----------------------------------------------------------------------------- */

/* "http" */
const char *colony__inbox_via_name(enum colony_inbox_via via);
/* The one of that name; INBOX_VIA_HTTP if there is none. */
enum colony_inbox_via colony__inbox_via_parse(const char *name);

/* Removes the blanks between the parts of @json, which is valid, in its place: its new size. */
size_t colony__event_squeeze(char *json, size_t size);

/* Whether @event has what @when says: a map has each of its keys, all else is equal. NULL: yes. */
bool colony__event_has(const struct colony_value *event, const struct colony_value *when);

#endif
