/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - what must survive colony itself: desired state and history, in sqlite (DESIGN §4).
 *
 * Writes go in order to a thread of its own, which commits them in batches (WAL, synchronous
 * FULL); nothing blocks the loop. Call from the loop thread only; callbacks run on it. The store
 * keeps the loop running only while a callback is due.
 *
 * A write that fails (disk full, read-only) is told by colony_store_trouble() and tried again with
 * the next one and every 5 s. A file that turns out to be damaged while it is used is moved aside
 * as by colony_store_open(), and one that somebody removed is made again: the templates are written
 * anew, the history so far is lost, the log says so.
 */
#ifndef COLONY_CORE_STORE_H
#define COLONY_CORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;
struct colony_store;
struct uv_loop_s;

enum {
    COLONY_STORE_HISTORY_MAX = 100000, /* rows kept unless told otherwise; found at once at most */
    COLONY_STORE_QUEUE_MAX = 100000,   /* rows of history waiting; more are dropped and counted */
};

/* What is remembered of one template. Texts are borrowed for the call. */
struct colony_store_template {
    const char *name;
    const char *origin;        /* "file" or "http": who owns its settings */
    const char *settings;      /* as JSON; NULL: those of the file */
    int64_t file_numprocesses; /* as the file said when this was written; -1: it has none */
    uint64_t load_id;          /* of the settings that were loaded then (settings.h) */
    int64_t numprocesses;      /* as scaled by a user; -1: as its settings say */
    bool is_stopped;           /* by a user */
    bool is_deleted;           /* a template of the file that a user removed */
};

/* One event of the history. 0 and "" stand for what it has not. */
struct colony_store_event {
    uint64_t seq;   /* given by the store, rising; ignored when written */
    uint64_t at_ms; /* wall clock */
    const char *name;
    uint32_t slot;
    uint64_t id;
    pid_t os_pid;
    const char *event; /* "spawn", "exit", "state", … of events.h */
    const char *from;  /* "state": names of states */
    const char *to;
    bool exit_known; /* "exit" */
    int exit_status;
    int term_signal;
    const char *cause; /* one line for people */
};

typedef void (*colony_store_template_cb)(const struct colony_store_template *row, void *data);
typedef void (*colony_store_event_cb)(const struct colony_store_event *row, void *data);
/* @rc 0, or why the store could not do it (-EIO, -ENOSPC, -ECANCELED: it was closed first). */
typedef void (*colony_store_done_cb)(int rc, void *data);
/* The rows found, newest first unless it goes_on; borrowed for the call. */
typedef void (*colony_store_history_cb)(int rc, const struct colony_store_event *rows, size_t count,
                                        void *data);
typedef void (*colony_store_close_cb)(void *data);

/*
 * Opens or makes the database @path (0600) and its thread. One that is damaged or not ours is moved
 * aside to PATH.damaged-TIME with its -wal and -shm, a fresh one is begun, and *aside (owned by the
 * caller, to be freed; NULL: it was sound) is where the old one is. -ENOMEM, -EACCES, -ENOSPC, …
 * with the reason when there can be no database at all.
 */
int colony_store_open(struct colony_store **out, struct uv_loop_s *loop, const char *path,
                      char **aside, struct colony_error *err);

/*
 * Writes what is queued, ends the thread and frees everything, then calls @cb. When the disk hangs
 * that is given up after 5 s: those who still wait get -ECANCELED.
 */
void colony_store_close(struct colony_store *store, colony_store_close_cb cb, void *data);

/*
 * All templates, in the order they were first put, but for those still queued. Reads at once:
 * before the loop runs. @cb may put and remove templates. Returns 0.
 */
int colony_store_each_template(struct colony_store *store, colony_store_template_cb cb, void *data,
                               struct colony_error *err);

/*
 * Queue a write; what is queued later is written later. -EINVAL: no name, or one longer than
 * COLONY_NAME_MAX; -EMSGSIZE: settings of more than 16 MiB; -ENOMEM.
 */
int colony_store_put_template(struct colony_store *store, const struct colony_store_template *row);
int colony_store_remove_template(struct colony_store *store, const char *name);
/*
 * Not waited for by anybody: committed within a second, or with the next put. Texts are cut (cause
 * 1024 bytes, names COLONY_NAME_MAX, words 64), and bytes that are not UTF-8 become '?'. Returns
 * its seq, which is given to no other event, whatever happens to colony: the next one up. One that
 * is dropped has one too, and is counted.
 */
uint64_t colony_store_add_event(struct colony_store *store, const struct colony_store_event *row);

/* How much history is kept: what is above goes with the next write. What is too old is not found
 * any more, even before. */
struct colony_store_keep {
    uint64_t rows;
    uint64_t age_ms; /* 0: however old */
};
void colony_store_set_keep(struct colony_store *store, const struct colony_store_keep *keep);

/*
 * The spool: events from outside that wait to be handled (`events.durable`). Texts are borrowed for
 * the call, @via and @peer end in NUL.
 */
struct colony_store_spooled {
    uint64_t id; /* nothing else has it */
    uint64_t at_ms;
    const char *via;
    const char *peer;
    const char *json;
    size_t size;
};
typedef void (*colony_store_spooled_cb)(const struct colony_store_spooled *row, void *data);
/*
 * Puts @row there. @cb is called once it is safe on disk (rc 0), or could not be written: then it
 * is not tried again (though a disk that fails at the very end may have it all the same). -ENOMEM.
 */
int colony_store_spool(struct colony_store *store, const struct colony_store_spooled *row,
                       colony_store_done_cb cb, void *data);
/* Removes the one of that id, which need not be there: within a second, or with the next write.
 * -ENOMEM. */
int colony_store_unspool(struct colony_store *store, uint64_t id);
/* All that are in the file, by their ids, oldest first. Reads at once: before any is put there. */
int colony_store_each_spooled(struct colony_store *store, colony_store_spooled_cb cb, void *data);

/* @cb once all that was put before is safe on disk, or has failed. -ENOMEM. */
int colony_store_sync(struct colony_store *store, colony_store_done_cb cb, void *data);

/*
 * Waits until all that is queued is written, 5 s at most: for an engine that ends at once, and has
 * no next turn of its loop in which anything could be queued.
 */
void colony_store_flush(struct colony_store *store);

/*
 * The newest @limit events of @name (NULL: of all) and @slot (0: of all) with a seq below @before
 * (0: all) and above @after, also those still queued, that happened at @since_ms of the wall clock
 * or later; with @goes_on instead the oldest with a seq above @after, oldest first. -EINVAL: @name
 * is too long; -ENOMEM.
 */
struct colony_store_query {
    const char *name;
    uint32_t slot;
    uint64_t before;
    uint32_t limit;
    bool goes_on;
    uint64_t after;
    uint64_t since_ms;
};
int colony_store_history(struct colony_store *store, const struct colony_store_query *query,
                         colony_store_history_cb cb, void *data);

/* Of the last event that was added, and of the last one before this store was opened; 0: none. */
uint64_t colony_store_last_seq(const struct colony_store *store);
uint64_t colony_store_opened_seq(const struct colony_store *store);

/*
 * Why the last write failed, or "" while all is well; and what was dropped of the history, with
 * what an engine before had told and not written when it ended.
 */
const char *colony_store_trouble(const struct colony_store *store);
uint64_t colony_store_dropped(const struct colony_store *store);

#endif
