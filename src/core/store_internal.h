/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_internal.h - the parts of the store: store.c has the loop's side and the thread,
 * store_writer.c what the thread does, store_rows.c the rows, store_ids.c the ids of events,
 * store_db.c all that knows of sqlite; store_spool.c is the spool in all of these.
 */
#ifndef COLONY_CORE_STORE_INTERNAL_H
#define COLONY_CORE_STORE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "core/error.h"
#include "core/store.h"

struct sqlite3;
struct sqlite3_stmt;

enum {
    STORE_BATCH_MS = 1000,  /* history waits so long for company */
    STORE_RETRY_MS = 5000,  /* what could not be written is tried again */
    STORE_ASIDE_MS = 60000, /* a disk that damages whatever it is given is not given more */
    STORE_CLOSE_MS = 5000,  /* a disk that hangs is not waited for longer */
    STORE_SETTINGS_BYTES_MAX = 16 << 20,
    STORE_KNOWN_BUCKETS = 512,
    STORE_PRUNE_ROWS = 1000,   /* the history is cut by so many at once */
    STORE_PRUNE_SHARE = 100,   /* but by this part of it at most */
    STORE_SKIPPED_SEQS = 1000, /* after a crash of the machine: what may have been told */
};

/* Damaged, or not a database of colony's. */
#define STORE_DAMAGED (-EUCLEAN)

/* A list of things that begin with a link. All-zero is empty. */
struct store_link {
    struct store_link *next;
};
struct store_list {
    struct store_link *first;
    struct store_link *last;
};

/* What is to become of one template; then, in struct store_known, what is known of it. */
struct store_template {
    struct store_link link;
    TAILQ_ENTRY(store_template) in_order; /* of those known, */
    LIST_ENTRY(store_template) in_bucket; /* and by its name */
    bool is_removal;
    struct colony_store_template row; /* texts are in @texts */
    char texts[];
};
TAILQ_HEAD(store_order, store_template);
LIST_HEAD(store_bucket, store_template);

/* All templates as they were last put, so that nothing is lost with the file. */
struct store_known {
    struct store_order order;
    struct store_bucket buckets[STORE_KNOWN_BUCKETS];
};

struct store_event {
    struct store_link link;
    struct store_block *block; /* it is in */
    struct colony_store_event row;
    char texts[];
};
/* One for the spool, or with @is_removal only its id. */
struct store_spooled {
    struct store_link link;
    bool is_removal;
    struct colony_store_spooled row; /* texts are in @texts */
    char texts[];
};

/* store_rows.c: copies of what the caller lent, and lists of them. */

/* NULL: out of memory. */
struct store_template *colony__store_template_new(const struct colony_store_template *row);
/*
 * The same for an event; its texts are cut to their limits and made valid UTF-8. It is put into
 * *@block, or into a new one that is begun there (NULL: none is yet). Events by the thousand are
 * gone within a second: of their own in between what stays, each would leave a hole that nothing
 * else fits into.
 */
struct store_event *colony__store_event_new(struct store_block **block,
                                            const struct colony_store_event *row);
void colony__store_event_free(struct store_event *event);
/* Nothing more is put into *@block, which is freed with its last event. */
void colony__store_block_end(struct store_block **block);

void colony__store_list_append(struct store_list *list, struct store_link *link);
/* Appends all of @from to @to; @from is empty then. */
void colony__store_list_move(struct store_list *to, struct store_list *from);
/* The first, taken out; NULL: it is empty. */
struct store_link *colony__store_list_pop(struct store_list *list);
/* Frees all of it: the first of rows that malloc(3) gave, the second of events. */
void colony__store_list_clear(struct store_list *list);
void colony__store_events_clear(struct store_list *events);

void colony__store_known_init(struct store_known *known);
/* Takes ownership of @change. */
void colony__store_known_apply(struct store_known *known, struct store_template *change);
void colony__store_known_clear(struct store_known *known);

/* store_db.c: one open database. Any one thread at a time. */

enum store_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_PUT,
    STATEMENT_REMOVE,
    STATEMENT_CLEAR,
    STATEMENT_TEMPLATES,
    STATEMENT_ADD_EVENT,
    STATEMENT_PRUNE,
    STATEMENT_PRUNE_OLD,
    STATEMENT_HISTORY,
    STATEMENT_HISTORY_OF_NAME,
    STATEMENT_HISTORY_ON,
    STATEMENT_HISTORY_ON_OF_NAME,
    STATEMENT_SPOOL,
    STATEMENT_UNSPOOL,
    STATEMENT_SPOOLED,
    STATEMENT_COUNT,
};

/* All-zero is closed. */
struct store_db {
    struct sqlite3 *sqlite;
    struct sqlite3_stmt *statements[STATEMENT_COUNT];
    uint64_t first_seq; /* of the history; 0: it is empty */
    uint64_t last_seq;
    bool was_killed; /* whoever had it open before did not close it */
};

/*
 * All return 0 or a negative errno: STORE_DAMAGED, -ENOSPC, -EROFS, -EBUSY (another program has it
 * locked), -EIO, …
 */
int colony__store_db_open(struct store_db *db, const char *path);
/* @as_it_is: leaves the files as they are, for whoever wants to know what happened to them. */
void colony__store_db_close(struct store_db *db, bool as_it_is);
/* True when the file was removed or replaced under us. */
bool colony__store_db_is_gone(const struct store_db *db);
/* Looks at all of it. */
int colony__store_db_check(struct store_db *db);

/* For store_spool.c: sqlite's code as an errno; one step of a statement that finds nothing, which
 * is then ready for the next time (@code: of binding, else it is not run). */
int colony__store_db_error(struct sqlite3 *sqlite, int code);
int colony__store_db_finish(struct store_db *db, struct sqlite3_stmt *statement, int code);

/* BEGIN, COMMIT, ROLLBACK or CLEAR (all templates). */
int colony__store_db_run(struct store_db *db, enum store_statement statement);
int colony__store_db_change(struct store_db *db, const struct store_template *change);
int colony__store_db_add_event(struct store_db *db, const struct colony_store_event *row);
/* Removes the oldest history: what happened before @oldest_ms, and once it is some more than
 * @rows_max. */
int colony__store_db_prune(struct store_db *db, uint64_t rows_max, uint64_t oldest_ms);
int colony__store_db_each_template(struct store_db *db, colony_store_template_cb cb, void *data);
/* A row that @cb refuses, by a negative errno, is the last. */
typedef int (*store_row_cb)(const struct colony_store_event *row, void *data);
int colony__store_db_history(struct store_db *db, const struct colony_store_query *query,
                             store_row_cb cb, void *data);

/* store_spool.c */

/* NULL: out of memory. */
struct store_spooled *colony__store_spooled_new(const struct colony_store_spooled *row);
int colony__store_db_spool(struct store_db *db, const struct store_spooled *change);
int colony__store_db_each_spooled(struct store_db *db, colony_store_spooled_cb cb, void *data);
/* Of what could not be written, only removals are tried again: who put the rest there is told. */
void colony__store_spool_keep_removals(struct store_list *spool);

/* store_ids.c: what was given of ids. */

/* In a file, as it is. */
struct store_ids_page {
    uint64_t magic;
    _Atomic uint64_t given;   /* the last id that an event got */
    _Atomic uint64_t settled; /* up to here they are written, or known to be lost */
    uint8_t boot_id[16];      /* while it is open; zeros: it was closed, and is on the disk */
};

struct store_ids {
    struct store_ids_page *page; /* NULL: not open */
    struct store_ids_page own;   /* in its place where there can be no file */
    uint64_t opened;             /* the last id that was given before */
    uint64_t lost;               /* events that were told before and never written */
};

/*
 * Those of the database @path, whose last event is @last_seq, from PATH-ids. Where that file cannot
 * be had it goes on without, which the log says.
 */
void colony__ids_open(struct store_ids *ids, const char *path, uint64_t last_seq);
/* The next id; the loop's thread alone gives some. */
uint64_t colony__ids_give(struct store_ids *ids);
uint64_t colony__ids_last(const struct store_ids *ids);
/* All events up to @seq are written. Any one thread. */
void colony__ids_settle(struct store_ids *ids, uint64_t seq);
void colony__ids_close(struct store_ids *ids);

/* store_writer.c: what the thread does. */

struct store_writer {
    char *path;
    struct store_db db;
    struct store_ids ids;
    struct store_known known;
    struct store_list changes; /* of templates, to be written */
    struct store_list events;  /* to be written */
    struct store_list spool;   /* to be written */
    size_t event_count;
    struct colony_store_keep keep;
    bool is_unsure;       /* what the file holds of templates: all are written anew */
    bool is_unchecked;    /* the file was not closed the last time */
    uint64_t aside_at_ms; /* when a damaged file was last moved aside; 0: never */
    char trouble[COLONY_ERROR_TEXT_MAX]; /* why the last write failed, or "" */
};

/* As colony_store_open. The writer is to be closed also when this fails. */
int colony__writer_open(struct store_writer *writer, const char *path, char **aside,
                        struct colony_error *err);
void colony__writer_close(struct store_writer *writer);
/* What happened before that is not kept; 0: all is. */
uint64_t colony__store_oldest_ms(const struct colony_store_keep *keep);
/* Writes changes and events, all or none; what could not be written is kept for the next time. */
int colony__writer_write(struct store_writer *writer);
/* Looks at all of a file that was not closed the last time; moves it aside when it is damaged. */
void colony__writer_check(struct store_writer *writer);

/* What a query found; all-zero is empty. */
struct store_rows {
    struct store_list list;
    struct store_block *block;
    struct colony_store_event *array;
    size_t count;
};
int colony__writer_history(struct store_writer *writer, const struct colony_store_query *query,
                           struct store_rows *rows);
void colony__store_rows_clear(struct store_rows *rows);

#endif
