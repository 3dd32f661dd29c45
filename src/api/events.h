/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - events that come from outside, from the moment they are accepted until the last of
 * their handlers (`events:`) is done with them.
 *
 * They wait in one queue, which is bounded in events and bytes; what finds no room there is refused
 * and counted, and never displaces what was accepted. Not to be mistaken for the bus, which is
 * core/events.h. Loop thread only.
 */
#ifndef COLONY_API_EVENTS_H
#define COLONY_API_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_engine;
struct colony_error;
struct colony_events_settings;
struct colony_inbox;
struct colony_settings;
struct colony_store;
struct uv_loop_s;

enum colony_inbox_via {
    INBOX_VIA_HTTP,
    INBOX_VIA_UDP,
    INBOX_VIA_COUNT,
};

/* An event may be answered: @rc 0, or it could not be recorded (-EIO, -ENOSPC, …) and is gone. */
typedef void (*colony_inbox_done_cb)(int rc, void *data);
typedef void (*colony_inbox_closed_cb)(void *data);

/* What somebody sent. All of it is borrowed for the call. */
struct colony_inbox_offer {
    const char *json; /* any JSON value; need not end in NUL */
    size_t size;
    enum colony_inbox_via via;
    const char *peer;          /* who sent it, for people: "[::1]:4321" */
    colony_inbox_done_cb done; /* NULL: nobody waits for it */
    void *data;
};

/* How many so far. */
struct colony_inbox_counts {
    uint64_t received; /* accepted: the sum of the next two */
    uint64_t http;
    uint64_t udp;
    uint64_t rejected; /* no JSON, too large, or not even offered (colony_inbox_reject) */
    uint64_t dropped;  /* because the queue was full, or the store did not take it */
    uint64_t handled;  /* that all their handlers are done with */
};

/* Opens what the handlers need, and reads their secrets: what is wrong is told before anything
 * runs. */
int colony_inbox_check(const struct colony_settings *settings, struct colony_error *err);

/* A handler that is a function, before all others. */
struct colony_inbox_program {
    /* @json, in one line, is borrowed for the call. There is no other before
     * colony_inbox_program_done(). NULL: what it has is given up, and not to be told as done.
     * Negative errno: it cannot take it. */
    int (*handle)(uint64_t id, const char *json, size_t size, void *data);
    void *data;
};

/* All of it is borrowed for the life of the inbox. */
struct colony_inbox_options {
    struct uv_loop_s *loop;
    struct colony_engine *engine; /* NULL: handlers that take one are refused */
    struct colony_store *store;   /* of `events.durable`; NULL: there is none */
    const struct colony_events_settings *settings;
    const struct colony_inbox_program *program; /* NULL: none */
};

/*
 * A queue with the handlers of the settings. -ENOMEM; -ENOTSUP: a handler takes an engine; and what
 * the handlers need and do not find (a library, a secret).
 */
int colony_inbox_new(struct colony_inbox **out, const struct colony_inbox_options *options,
                     struct colony_error *err);
/* The program is done with the event that it was handed. Not inside `handle`. */
void colony_inbox_program_done(struct colony_inbox *inbox);
/* From now on events are handled; those that an engine before this one left in the store too. */
int colony_inbox_start(struct colony_inbox *inbox, struct colony_error *err);
/* Offers are refused; what was accepted is still handled. */
void colony_inbox_stop(struct colony_inbox *inbox);
/* What waits is handled if that takes no longer than 3 s; what is not is told in the log, and under
 * `events.durable` handled by the next engine. Each done is called before @cb. */
void colony_inbox_close(struct colony_inbox *inbox, colony_inbox_closed_cb cb, void *data);

/*
 * Accepts an event: 0, and *id (may be NULL) is its number, which rises and is told to its
 * handlers. offer->done is called once: during the call, or under `events.durable` when the event
 * is safe in the store. On failure it is never called, and the event is counted: -EBADMSG, -EINVAL:
 * it is no JSON, or nested too deeply; -EMSGSIZE: over colony_inbox_size_max(); -EAGAIN: the queue
 * is full; -ESHUTDOWN: colony ends; -ENOMEM.
 */
int colony_inbox_offer(struct colony_inbox *inbox, const struct colony_inbox_offer *offer,
                       uint64_t *id, struct colony_error *err);
/* Counts one that was refused before it could be offered: too large, cut off. */
void colony_inbox_reject(struct colony_inbox *inbox);

struct colony_inbox_counts colony_inbox_counts(const struct colony_inbox *inbox);
/* Events that are not done with, and how many there may be. */
size_t colony_inbox_length(const struct colony_inbox *inbox);
size_t colony_inbox_limit(const struct colony_inbox *inbox);
/* True when an event would find no room, were it offered now. */
bool colony_inbox_is_full(const struct colony_inbox *inbox);
/* Bytes that one event may have. */
size_t colony_inbox_size_max(const struct colony_inbox *inbox);

#endif
