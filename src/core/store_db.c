/* SPDX-License-Identifier: Apache-2.0 */
/* store_db.c - the database: all that knows of sqlite. Its codes become negative errno here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "core/store_internal.h"

#define APPLICATION_ID 0x636f6c6f /* "colo", file(1) shows it */

enum {
    BUSY_MS = 500, /* somebody looks at it with sqlite3(1) */
    ROW_BYTES_MAX = STORE_SETTINGS_BYTES_MAX + (1 << 20),
    SQL_BYTES_MAX = 64,
};

/*
 * From each version to the next. They may only add, and what they add has defaults, so that an
 * older colony can use what a newer one left behind.
 */
static const char *const migrations[] = {
    "CREATE TABLE template ("
    " place INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " origin TEXT NOT NULL,"
    " settings TEXT,"
    " file_numprocesses INTEGER NOT NULL,"
    " load_id INTEGER NOT NULL,"
    " numprocesses INTEGER NOT NULL,"
    " is_stopped INTEGER NOT NULL,"
    " is_deleted INTEGER NOT NULL);"
    "CREATE TABLE history ("
    " seq INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL,"
    " name TEXT NOT NULL,"
    " slot INTEGER NOT NULL,"
    " id INTEGER NOT NULL,"
    " os_pid INTEGER NOT NULL,"
    " event TEXT NOT NULL,"
    " from_state TEXT NOT NULL,"
    " to_state TEXT NOT NULL,"
    " exit_known INTEGER NOT NULL,"
    " exit_status INTEGER NOT NULL,"
    " term_signal INTEGER NOT NULL,"
    " cause TEXT NOT NULL);"
    "CREATE INDEX history_name ON history (name);",
    "CREATE TABLE spool ("
    " id INTEGER PRIMARY KEY,"
    " at_ms INTEGER NOT NULL,"
    " via TEXT NOT NULL,"
    " peer TEXT NOT NULL,"
    " json TEXT NOT NULL);",
};

enum {
    VERSION = sizeof migrations / sizeof migrations[0],
};

#define HISTORY_COLUMNS                                                                            \
    "seq, at_ms, name, slot, id, os_pid, event, from_state, to_state, exit_known, exit_status, "   \
    "term_signal, cause"
#define HISTORY_WHAT " (?3 = 0 OR slot = ?3) AND at_ms >= ?5"
#define HISTORY_END " seq < ?1 AND seq > ?6 AND" HISTORY_WHAT " ORDER BY seq DESC LIMIT ?4"
#define HISTORY_ON_END " seq > ?1 AND" HISTORY_WHAT " ORDER BY seq LIMIT ?4"

static const char *const statement_texts[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
    [STATEMENT_PUT] =
        "INSERT INTO template (name, origin, settings, file_numprocesses, load_id, numprocesses, "
        "is_stopped, is_deleted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
        "ON CONFLICT (name) DO UPDATE SET origin = ?2, settings = ?3, file_numprocesses = ?4, "
        "load_id = ?5, numprocesses = ?6, is_stopped = ?7, is_deleted = ?8",
    [STATEMENT_REMOVE] = "DELETE FROM template WHERE name = ?1",
    [STATEMENT_CLEAR] = "DELETE FROM template",
    [STATEMENT_TEMPLATES] =
        "SELECT name, origin, settings, file_numprocesses, load_id, numprocesses, "
        "is_stopped, is_deleted FROM template ORDER BY place",
    /* A commit that failed may still have come to the disk: then these rows are there. */
    [STATEMENT_ADD_EVENT] = "INSERT OR REPLACE INTO history (" HISTORY_COLUMNS
                            ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [STATEMENT_PRUNE] = "DELETE FROM history WHERE seq <= ?1",
    /* It looks at what goes and one more: rows are in the order of time, as good as always. */
    [STATEMENT_PRUNE_OLD] =
        "DELETE FROM history WHERE seq < "
        "coalesce((SELECT seq FROM history WHERE at_ms >= ?1 ORDER BY seq LIMIT 1), ?2)",
    [STATEMENT_HISTORY] = "SELECT " HISTORY_COLUMNS " FROM history WHERE" HISTORY_END,
    [STATEMENT_HISTORY_OF_NAME] =
        "SELECT " HISTORY_COLUMNS " FROM history WHERE name = ?2 AND" HISTORY_END,
    [STATEMENT_HISTORY_ON] = "SELECT " HISTORY_COLUMNS " FROM history WHERE" HISTORY_ON_END,
    [STATEMENT_HISTORY_ON_OF_NAME] =
        "SELECT " HISTORY_COLUMNS " FROM history WHERE name = ?2 AND" HISTORY_ON_END,
    /* As above: it may be there. */
    [STATEMENT_SPOOL] = "INSERT OR REPLACE INTO spool (id, at_ms, via, peer, json) "
                        "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_UNSPOOL] = "DELETE FROM spool WHERE id = ?1",
    [STATEMENT_SPOOLED] = "SELECT id, at_ms, via, peer, json FROM spool ORDER BY id",
};

/* The file system's own word where there is one. */
static int system_error(sqlite3 *sqlite, int otherwise)
{
    int error = sqlite ? sqlite3_system_errno(sqlite) : 0;

    return error > 0 ? -error : otherwise;
}

int colony__store_db_error(sqlite3 *sqlite, int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STORE_DAMAGED;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_TOOBIG:
        return -E2BIG;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return system_error(sqlite, -EACCES);
    default:
        return system_error(sqlite, -EIO);
    }
}

static int run_sql(struct store_db *db, const char *sql)
{
    return colony__store_db_error(db->sqlite, sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL));
}

/* The one number that @sql finds. */
static int read_number(struct store_db *db, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);

    *number = 0;
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    code = colony__store_db_error(db->sqlite, code);
    (void)sqlite3_finalize(statement);
    return code;
}

/* Opening. */

/* Whether a file or what an earlier colony left of one stands there at all, and is a file. */
static int look_at_file(struct store_db *db, const char *path)
{
    struct stat file;
    struct stat wal = {0};
    char *wal_path = NULL;
    int fd;

    if (asprintf(&wal_path, "%s-wal", path) < 0)
        return -ENOMEM;
    db->was_killed = stat(wal_path, &wal) == 0 && wal.st_size > 0;
    free(wal_path);
    if (stat(path, &file) < 0) {
        if (errno != ENOENT)
            return -errno;
        db->was_killed = false;
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : close(fd); /* -wal and -shm will have its mode */
    }
    if (!S_ISREG(file.st_mode) || (file.st_size == 0 && db->was_killed))
        return STORE_DAMAGED;
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) < 0)
        return -errno; /* sqlite would try to read it alone, and fail for another reason */
    if (file.st_mode & 077)
        (void)chmod(path, 0600); /* somebody else's stays as it is */
    return 0;
}

/* Nothing is asked of the file here that could change it: it may be somebody else's. */
static int begin_session(struct store_db *db, const char *path)
{
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int code = sqlite3_open_v2(path, &db->sqlite, flags, NULL);

    if (code != SQLITE_OK)
        return db->sqlite ? colony__store_db_error(db->sqlite, code) : -ENOMEM;
    /* We have asked: it may be written. So it had no descriptor, and went on without writing. */
    code = sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL);
    if ((code & 0xff) == SQLITE_READONLY || sqlite3_db_readonly(db->sqlite, "main") == 1)
        return -EAGAIN;
    if ((code & 0xff) == SQLITE_NOMEM) /* it may have begun, and not come to its ROLLBACK */
        return -ENOMEM;
    (void)sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    (void)sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, ROW_BYTES_MAX);
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
    (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return run_sql(db, "PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY;"
                       "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                       "PRAGMA mmap_size = 0; PRAGMA synchronous = FULL;"
                       "PRAGMA journal_size_limit = 1048576");
}

static int migrate(struct store_db *db, int64_t version)
{
    char sql[SQL_BYTES_MAX];
    int rc = run_sql(db, "BEGIN IMMEDIATE");

    for (; rc == 0 && version < VERSION; version++)
        rc = run_sql(db, migrations[version]);
    (void)snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   APPLICATION_ID, VERSION);
    if (rc == 0)
        rc = run_sql(db, sql);
    if (rc == 0)
        rc = run_sql(db, "COMMIT");
    return rc; /* the connection is closed when it failed */
}

static int prepare_schema(struct store_db *db)
{
    int64_t application = 0;
    int64_t version = 0;
    int64_t tables = 0;
    int rc = read_number(db, "PRAGMA application_id", &application);

    if (rc == 0)
        rc = read_number(db, "PRAGMA user_version", &version);
    if (rc == 0)
        rc = read_number(db, "SELECT count(*) FROM sqlite_master", &tables);
    if (rc < 0)
        return rc;
    if (application == APPLICATION_ID ? version < 1 : application || version || tables > 0)
        return STORE_DAMAGED;
    rc = run_sql(db, "PRAGMA journal_mode = WAL");
    if (rc == 0 && version < VERSION)
        rc = migrate(db, version);
    return rc;
}

static int prepare_statements(struct store_db *db)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        int code = sqlite3_prepare_v3(db->sqlite, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &db->statements[i], NULL);

        if (code == SQLITE_ERROR)
            return STORE_DAMAGED; /* it says it is ours, and has not our tables */
        if (code != SQLITE_OK)
            return colony__store_db_error(db->sqlite, code);
    }
    return 0;
}

static int read_bounds(struct store_db *db)
{
    int64_t first = 0;
    int64_t last = 0;
    int rc = read_number(db, "SELECT min(seq) FROM history", &first);

    if (rc == 0)
        rc = read_number(db, "SELECT max(seq) FROM history", &last);
    if (rc == 0 && (first < 0 || last < 0 || last == INT64_MAX))
        return STORE_DAMAGED;
    db->first_seq = (uint64_t)first;
    db->last_seq = (uint64_t)last;
    return rc;
}

int colony__store_db_open(struct store_db *db, const char *path)
{
    int rc;

    *db = (struct store_db){0};
    rc = look_at_file(db, path);
    if (rc == 0)
        rc = begin_session(db, path);
    if (rc == 0)
        rc = prepare_schema(db);
    if (rc == 0)
        rc = prepare_statements(db);
    if (rc == 0)
        rc = read_bounds(db);
    if (rc < 0)
        colony__store_db_close(db, rc == STORE_DAMAGED);
    return rc;
}

void colony__store_db_close(struct store_db *db, bool as_it_is)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(db->statements[i]);
    if (as_it_is && db->sqlite)
        (void)sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close(db->sqlite);
    *db = (struct store_db){0};
}

bool colony__store_db_is_gone(const struct store_db *db)
{
    int has_moved = 0;

    return sqlite3_file_control(db->sqlite, NULL, SQLITE_FCNTL_HAS_MOVED, &has_moved) ==
               SQLITE_OK &&
           has_moved;
}

int colony__store_db_check(struct store_db *db)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &statement, NULL);
    const char *text = NULL;
    int rc;

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(statement, 0);
    rc = colony__store_db_error(db->sqlite, code);
    if (rc == 0 && text && strcmp(text, "ok") != 0)
        rc = STORE_DAMAGED;
    (void)sqlite3_finalize(statement);
    (void)sqlite3_db_release_memory(db->sqlite);
    return rc;
}

/* Statements. */

/* Runs a statement that finds nothing, and makes it ready for the next time. */
int colony__store_db_finish(struct store_db *db, sqlite3_stmt *statement, int code)
{
    int rc;

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    rc = colony__store_db_error(db->sqlite, code);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement); /* texts are lent for the call only */
    return rc;
}

int colony__store_db_run(struct store_db *db, enum store_statement statement)
{
    return colony__store_db_finish(db, db->statements[statement], SQLITE_OK);
}

/* Binding fails for want of memory only, and each parameter is a place of its own. */
static int bind_text(sqlite3_stmt *statement, int place, const char *text)
{
    return sqlite3_bind_text64(statement, place, text, text ? strlen(text) : 0, SQLITE_STATIC,
                               SQLITE_UTF8);
}

static int bind_number(sqlite3_stmt *statement, int place, uint64_t number)
{
    return sqlite3_bind_int64(statement, place, (sqlite3_int64)number);
}

int colony__store_db_change(struct store_db *db, const struct store_template *change)
{
    const struct colony_store_template *row = &change->row;
    sqlite3_stmt *put = db->statements[STATEMENT_PUT];
    int code = SQLITE_OK;

    if (change->is_removal) {
        sqlite3_stmt *removal = db->statements[STATEMENT_REMOVE];

        return colony__store_db_finish(db, removal, bind_text(removal, 1, row->name));
    }
    if (bind_text(put, 1, row->name) || bind_text(put, 2, row->origin) ||
        bind_text(put, 3, row->settings) || bind_number(put, 4, (uint64_t)row->file_numprocesses) ||
        bind_number(put, 5, row->load_id) || bind_number(put, 6, (uint64_t)row->numprocesses) ||
        bind_number(put, 7, row->is_stopped) || bind_number(put, 8, row->is_deleted))
        code = sqlite3_errcode(db->sqlite);
    return colony__store_db_finish(db, put, code);
}

int colony__store_db_add_event(struct store_db *db, const struct colony_store_event *row)
{
    sqlite3_stmt *add = db->statements[STATEMENT_ADD_EVENT];
    int code = SQLITE_OK;
    int rc;

    if (bind_number(add, 1, row->seq) || bind_number(add, 2, row->at_ms) ||
        bind_text(add, 3, row->name) || bind_number(add, 4, row->slot) ||
        bind_number(add, 5, row->id) || bind_number(add, 6, (uint64_t)row->os_pid) ||
        bind_text(add, 7, row->event) || bind_text(add, 8, row->from) ||
        bind_text(add, 9, row->to) || bind_number(add, 10, row->exit_known) ||
        bind_number(add, 11, (uint64_t)row->exit_status) ||
        bind_number(add, 12, (uint64_t)row->term_signal) || bind_text(add, 13, row->cause))
        code = sqlite3_errcode(db->sqlite);
    rc = colony__store_db_finish(db, add, code);
    if (rc < 0)
        return rc;
    if (db->first_seq == 0)
        db->first_seq = row->seq;
    db->last_seq = row->seq;
    return 0;
}

static int prune_old(struct store_db *db, uint64_t oldest_ms)
{
    sqlite3_stmt *prune = db->statements[STATEMENT_PRUNE_OLD];
    int code = SQLITE_OK;
    int rc;

    if (bind_number(prune, 1, oldest_ms) || bind_number(prune, 2, db->last_seq + 1))
        code = sqlite3_errcode(db->sqlite);
    rc = colony__store_db_finish(db, prune, code);
    if (rc == 0)
        db->first_seq += (uint64_t)sqlite3_changes(db->sqlite);
    return rc;
}

int colony__store_db_prune(struct store_db *db, uint64_t rows_max, uint64_t oldest_ms)
{
    sqlite3_stmt *prune = db->statements[STATEMENT_PRUNE];
    uint64_t more = rows_max / STORE_PRUNE_SHARE;
    int rc = oldest_ms > 0 ? prune_old(db, oldest_ms) : 0;

    if (more > STORE_PRUNE_ROWS)
        more = STORE_PRUNE_ROWS;
    if (rc < 0 || db->last_seq - db->first_seq + 1 < rows_max + more)
        return rc;
    rc = colony__store_db_finish(db, prune, bind_number(prune, 1, db->last_seq - rows_max));
    if (rc == 0)
        db->first_seq = db->last_seq - rows_max + 1;
    return rc;
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return text ? text : "";
}

static uint64_t number_at(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

int colony__store_db_each_template(struct store_db *db, colony_store_template_cb cb, void *data)
{
    sqlite3_stmt *statement = db->statements[STATEMENT_TEMPLATES];
    int code;
    int rc;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const struct colony_store_template row = {
            .name = text_at(statement, 0),
            .origin = text_at(statement, 1),
            .settings = (const char *)sqlite3_column_text(statement, 2),
            .file_numprocesses = sqlite3_column_int64(statement, 3),
            .load_id = number_at(statement, 4),
            .numprocesses = sqlite3_column_int64(statement, 5),
            .is_stopped = sqlite3_column_int(statement, 6) != 0,
            .is_deleted = sqlite3_column_int(statement, 7) != 0,
        };

        cb(&row, data);
    }
    rc = colony__store_db_error(db->sqlite, code);
    (void)sqlite3_reset(statement);
    return rc;
}

static int tell_row(sqlite3_stmt *found, store_row_cb cb, void *data)
{
    const struct colony_store_event row = {
        .seq = number_at(found, 0),
        .at_ms = number_at(found, 1),
        .name = text_at(found, 2),
        .slot = (uint32_t)sqlite3_column_int64(found, 3),
        .id = number_at(found, 4),
        .os_pid = sqlite3_column_int(found, 5),
        .event = text_at(found, 6),
        .from = text_at(found, 7),
        .to = text_at(found, 8),
        .exit_known = sqlite3_column_int(found, 9) != 0,
        .exit_status = sqlite3_column_int(found, 10),
        .term_signal = sqlite3_column_int(found, 11),
        .cause = text_at(found, 12),
    };

    return cb(&row, data);
}

int colony__store_db_history(struct store_db *db, const struct colony_store_query *query,
                             store_row_cb cb, void *data)
{
    static const enum store_statement kinds[2][2] = {
        {STATEMENT_HISTORY, STATEMENT_HISTORY_OF_NAME},
        {STATEMENT_HISTORY_ON, STATEMENT_HISTORY_ON_OF_NAME},
    };
    sqlite3_stmt *statement = db->statements[kinds[query->goes_on][query->name != NULL]];
    uint64_t before = query->before && query->before < INT64_MAX ? query->before : INT64_MAX;
    uint64_t after = query->after < INT64_MAX ? query->after : INT64_MAX;
    int code = SQLITE_OK;
    int rc = 0;

    if (bind_number(statement, 1, query->goes_on ? after : before) ||
        (query->name && bind_text(statement, 2, query->name)) ||
        bind_number(statement, 3, query->slot) || bind_number(statement, 4, query->limit) ||
        bind_number(statement, 5, query->since_ms) ||
        (!query->goes_on && bind_number(statement, 6, after)))
        code = sqlite3_errcode(db->sqlite);
    while (code == SQLITE_OK && rc == 0) {
        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        rc = tell_row(statement, cb, data);
        code = SQLITE_OK;
    }
    if (rc == 0)
        rc = colony__store_db_error(db->sqlite, code);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc;
}
