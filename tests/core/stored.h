/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored.h - a store in a folder of its own, a loop that is turned until something is so, and a
 * look at the file past the store.
 *
 * For forked children (CHECK): some are killed, some change limits and mounts.
 */
#ifndef COLONY_TESTS_STORED_H
#define COLONY_TESTS_STORED_H

#include "../scratch.h"

#include <dirent.h>
#include <errno.h>

#include <sqlite3.h>
#include <uv.h>

#include "core/error.h"
#include "core/store.h"

enum {
    SUMMARY_MAX = 8192,
    TEXT_MAX = 3000, /* of what is put to fill a file */
};

struct stored {
    uv_loop_t loop;
    struct colony_store *store;
    char path[256];
    char *aside;
    bool is_closed;
    int rc; /* of the last answer */
    unsigned answers;
    size_t count;              /* of templates or rows of history seen last */
    char summary[SUMMARY_MAX]; /* of them: "a b c " */
    struct colony_error err;
};

/* LeakSanitizer's, where there is one: a forked child ends without its last look. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

#define TURN_UNTIL(stored, condition)                                                              \
    do {                                                                                           \
        uint64_t until_ms = clock_ms() + DEADLINE_MS;                                              \
                                                                                                   \
        while (!(condition)) {                                                                     \
            CHECK(clock_ms() < until_ms && #condition);                                            \
            (void)uv_run(&(stored)->loop, UV_RUN_NOWAIT);                                          \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

static inline int stored_try(struct stored *stored, const char *folder)
{
    *stored = (struct stored){0};
    (void)snprintf(stored->path, sizeof stored->path, "%s/state.db", folder);
    CHECK(uv_loop_init(&stored->loop) == 0);
    return colony_store_open(&stored->store, &stored->loop, stored->path, &stored->aside,
                             &stored->err);
}

static inline void stored_open(struct stored *stored, const char *folder)
{
    int rc = stored_try(stored, folder);

    if (rc < 0)
        (void)fprintf(stderr, "%s\n", stored->err.message);
    CHECK(rc == 0);
}

static inline void on_store_closed(void *data)
{
    ((struct stored *)data)->is_closed = true;
}

static inline void stored_close(struct stored *stored)
{
    colony_store_close(stored->store, on_store_closed, stored);
    CHECK(!stored->is_closed); /* never from inside close */
    TURN_UNTIL(stored, stored->is_closed);
    CHECK(uv_loop_close(&stored->loop) == 0); /* no handle left behind */
    free(stored->aside);
    stored->aside = NULL;
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
}

static inline void on_synced(int rc, void *data)
{
    struct stored *stored = data;

    stored->rc = rc;
    stored->answers++;
}

/* What the sync answers. */
static inline int sync_now(struct stored *stored)
{
    unsigned before = stored->answers;

    CHECK(colony_store_sync(stored->store, on_synced, stored) == 0);
    CHECK(stored->answers == before); /* never from inside sync */
    TURN_UNTIL(stored, stored->answers == before + 1);
    return stored->rc;
}

static inline void put(struct stored *stored, const char *name, const char *settings)
{
    const struct colony_store_template row = {
        .name = name, .origin = "http", .settings = settings, .numprocesses = -1};

    CHECK(colony_store_put_template(stored->store, &row) == 0);
}

static inline void add_event(struct stored *stored, const char *name, uint32_t slot,
                             const char *cause)
{
    const struct colony_store_event row = {
        .name = name, .slot = slot, .event = "start", .cause = cause, .at_ms = 1700000000000};

    colony_store_add_event(stored->store, &row);
}

static inline void append(struct stored *stored, const char *text)
{
    size_t used = strlen(stored->summary);

    (void)snprintf(stored->summary + used, sizeof stored->summary - used, "%s ", text);
    stored->count++;
}

static inline void on_template(const struct colony_store_template *row, void *data)
{
    append(data, row->name);
}

/* "a b c " */
static inline const char *list_templates(struct stored *stored)
{
    stored->count = 0;
    stored->summary[0] = '\0';
    CHECK(colony_store_each_template(stored->store, on_template, stored, NULL) == 0);
    return stored->summary;
}

static inline void on_history(int rc, const struct colony_store_event *rows, size_t count,
                              void *data)
{
    struct stored *stored = data;

    stored->rc = rc;
    stored->count = 0;
    stored->summary[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        CHECK(i < 2 ||
              (rows[i].seq < rows[i - 1].seq) == (rows[1].seq < rows[0].seq)); /* in order */
        append(stored, rows[i].cause);
    }
    stored->answers++;
}

/* The causes of what is found, newest first: "c b a ". */
static inline const char *find_history(struct stored *stored, const char *name, uint32_t slot,
                                       uint64_t before, uint32_t limit)
{
    const struct colony_store_query query = {
        .name = name, .slot = slot, .before = before, .limit = limit};
    unsigned answers = stored->answers;

    CHECK(colony_store_history(stored->store, &query, on_history, stored) == 0);
    TURN_UNTIL(stored, stored->answers == answers + 1);
    CHECK(stored->rc == 0);
    return stored->summary;
}

/* The same of what came after @after, oldest first. */
static inline const char *find_history_on(struct stored *stored, const char *name, uint64_t after,
                                          uint32_t limit)
{
    const struct colony_store_query query = {
        .name = name, .after = after, .limit = limit, .goes_on = true};
    unsigned answers = stored->answers;

    CHECK(colony_store_history(stored->store, &query, on_history, stored) == 0);
    TURN_UNTIL(stored, stored->answers == answers + 1);
    CHECK(stored->rc == 0);
    return stored->summary;
}

/* The number that @sql finds in the file, or -1 when there is none to find. */
static inline long long ask_file(const char *path, const char *sql)
{
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *statement = NULL;
    long long number = -1;

    if (sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(sqlite, DEADLINE_MS) == SQLITE_OK &&
        sqlite3_prepare_v2(sqlite, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(sqlite);
    return number;
}

/* Nobody else can write to the file until this is closed. */
static inline sqlite3 *lock_file(const char *path)
{
    sqlite3 *sqlite = NULL;

    CHECK(sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
    CHECK(sqlite3_busy_timeout(sqlite, DEADLINE_MS) == SQLITE_OK);
    CHECK(sqlite3_exec(sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    return sqlite;
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK(write(fd, bytes, size) == (ssize_t)size);
    CHECK(close(fd) == 0);
}

static inline const char *filler(void)
{
    static char text[TEXT_MAX];

    memset(text, 'x', sizeof text - 1);
    return text;
}

static inline void fill_with(struct stored *stored, const char *prefix, int count)
{
    char name[32];

    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%s%d", prefix, i);
        put(stored, name, filler());
    }
}

static inline void add_history(struct stored *stored, int count)
{
    for (int i = 0; i < count; i++)
        add_event(stored, "web", 1, filler());
}

/* A sound store with something in it, closed. */
static inline void make_store(struct stored *stored, const char *folder)
{
    stored_open(stored, folder);
    fill_with(stored, "old", 20);
    add_history(stored, 200);
    CHECK(sync_now(stored) == 0);
    stored_close(stored);
}

/* How many entries of @folder begin with @prefix; the last of them in @path. */
static inline int find_files(const char *folder, const char *prefix, char *path, size_t size)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int found = 0;

    CHECK(dir);
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        found++;
        if (path)
            (void)snprintf(path, size, "%s/%s", folder, entry->d_name);
    }
    (void)closedir(dir);
    return found;
}

#endif
