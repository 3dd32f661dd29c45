/* SPDX-License-Identifier: Apache-2.0 */
/* store_spool.c - events from outside that wait to be handled, in the store. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "core/store_internal.h"

struct store_spooled *colony__store_spooled_new(const struct colony_store_spooled *row)
{
    size_t via_size = strlen(row->via) + 1;
    size_t peer_size = strlen(row->peer) + 1;
    struct store_spooled *copy = malloc(sizeof *copy + via_size + peer_size + row->size + 1);
    char *at;

    if (!copy)
        return NULL;
    copy->is_removal = false;
    copy->row = *row;
    at = copy->texts;
    copy->row.via = memcpy(at, row->via, via_size);
    at += via_size;
    copy->row.peer = memcpy(at, row->peer, peer_size);
    at += peer_size;
    copy->row.json = memcpy(at, row->json, row->size);
    at[row->size] = '\0';
    return copy;
}

static int bind_text(sqlite3_stmt *statement, int place, const char *text, size_t size)
{
    return sqlite3_bind_text64(statement, place, text, size, SQLITE_STATIC, SQLITE_UTF8);
}

int colony__store_db_spool(struct store_db *db, const struct store_spooled *change)
{
    const struct colony_store_spooled *row = &change->row;
    sqlite3_stmt *statement = db->statements[STATEMENT_SPOOL];
    int code = SQLITE_OK;

    if (change->is_removal) {
        statement = db->statements[STATEMENT_UNSPOOL];
        code = sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->id);
        return colony__store_db_finish(db, statement, code);
    }
    if (sqlite3_bind_int64(statement, 1, (sqlite3_int64)row->id) ||
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)row->at_ms) ||
        bind_text(statement, 3, row->via, strlen(row->via)) ||
        bind_text(statement, 4, row->peer, strlen(row->peer)) ||
        bind_text(statement, 5, row->json, row->size))
        code = sqlite3_errcode(db->sqlite);
    return colony__store_db_finish(db, statement, code);
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? text : "";
}

int colony__store_db_each_spooled(struct store_db *db, colony_store_spooled_cb cb, void *data)
{
    sqlite3_stmt *statement = db->statements[STATEMENT_SPOOLED];
    int code;
    int rc;

    if (!db->sqlite)
        return -EIO;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const struct colony_store_spooled row = {
            .id = (uint64_t)sqlite3_column_int64(statement, 0),
            .at_ms = (uint64_t)sqlite3_column_int64(statement, 1),
            .via = text_at(statement, 2),
            .peer = text_at(statement, 3),
            .json = text_at(statement, 4),
            .size = (size_t)sqlite3_column_bytes(statement, 4),
        };

        cb(&row, data);
    }
    rc = colony__store_db_error(db->sqlite, code);
    (void)sqlite3_reset(statement);
    return rc;
}

void colony__store_spool_keep_removals(struct store_list *spool)
{
    struct store_list kept = {0};
    struct store_link *link;

    while ((link = colony__store_list_pop(spool))) {
        if (((const struct store_spooled *)link)->is_removal)
            colony__store_list_append(&kept, link);
        else
            free(link);
    }
    *spool = kept;
}
