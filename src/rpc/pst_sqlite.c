/* SPDX-License-Identifier: Apache-2.0 */
/* pst_sqlite.c - a text in a row of a database of sqlite's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/error.h"
#include "rpc/pst.h"
#include "rpc/pst_internal.h"

enum {
    BUSY_MS = 5000,
};

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return -EBADMSG;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return -EACCES;
    default:
        return -EIO;
    }
}

static int fail(sqlite3 *db, const struct rpc_place *place, int rc, struct colony_error *err)
{
    return colony_fail(err, code_of(rc), "cannot keep attributes in %s: %s", place->path,
                       db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

/* Mode 0600 from the beginning: sqlite would let others read it. */
static int open_database(sqlite3 **db, const struct rpc_place *place, struct colony_error *err)
{
    int fd = open(place->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot keep attributes in %s", place->path);
    (void)close(fd);
    rc = sqlite3_open_v2(place->path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*db, BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*db,
                          "PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS attributes "
                          "(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
                          NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(*db, place, rc, err);
}

static int take_row(sqlite3_stmt *row, char **text, size_t *size)
{
    const unsigned char *bytes = sqlite3_column_text(row, 0);
    int length = sqlite3_column_bytes(row, 0);

    if (!bytes || length < 0 || length > COLONY_RPC_PST_BYTES_MAX)
        return -EBADMSG;
    *text = malloc((size_t)length + 1);
    if (!*text)
        return -ENOMEM;
    memcpy(*text, bytes, (size_t)length);
    (*text)[length] = '\0';
    *size = (size_t)length;
    return 0;
}

static int load(const struct rpc_place *place, char **text, size_t *size, struct colony_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    int rc;

    *text = NULL;
    if (access(place->path, F_OK) < 0 && errno == ENOENT)
        return 0;
    rc = open_database(&db, place, err);
    if (rc == 0) {
        rc = sqlite3_prepare_v2(db, "SELECT value FROM attributes WHERE name = ?", -1, &row, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_text(row, 1, place->name, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(row);
        if (rc == SQLITE_ROW)
            rc = take_row(row, text, size);
        else
            rc = rc == SQLITE_DONE ? 0 : fail(db, place, rc, err);
    }
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(db);
    return rc;
}

static int save(const struct rpc_place *place, const char *text, size_t size,
                struct colony_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    int rc = open_database(&db, place, err);

    if (rc == 0) {
        rc = sqlite3_prepare_v2(db, "REPLACE INTO attributes (name, value) VALUES (?, ?)", -1, &row,
                                NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_text(row, 1, place->name, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_text(row, 2, text, (int)size, SQLITE_STATIC);
        if (rc == SQLITE_OK)
            rc = sqlite3_step(row);
        rc = rc == SQLITE_DONE ? 0 : fail(db, place, rc, err);
    }
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(db);
    return rc;
}

/* With its journal: half of it would be applied to the next one. */
static int put_aside(const struct rpc_place *place, struct colony_error *err)
{
    static const char *const suffixes[] = {"-journal", "-wal", "-shm"};
    char aside[PATH_MAX];
    char from[PATH_MAX];
    char to[PATH_MAX + 16];

    rpc_place_aside(place->path, aside, sizeof aside);
    if (rename(place->path, aside) < 0)
        return colony_fail_os(err, -errno, "cannot move the damaged %s aside", place->path);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        (void)snprintf(from, sizeof from, "%.4000s%s", place->path, suffixes[i]);
        (void)snprintf(to, sizeof to, "%s%s", aside, suffixes[i]);
        (void)rename(from, to); /* there may be none */
    }
    (void)colony_fail(err, 0, "the attributes in %s are damaged: begins anew, they are in %s",
                      place->path, aside);
    return 0;
}

const struct rpc_place_kind rpc_place_sqlite = {load, save, put_aside};
