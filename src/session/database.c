/* SPDX-License-Identifier: Apache-2.0 */
/* database.c - opens the database of a session, and looks after a damaged one. */
#include "session/database_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "session/database_sql_internal.h"
#include "session/workspace_internal.h"

enum {
    BUSY_MS = 5000, /* somebody looks at it with sqlite3(1), or writes what we read */
    VALUE_BYTES_MAX = 32 << 20,
};

static const char *const settings = "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;"
                                    "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0";

static const char *const tables =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS u_process ("
    " name TEXT PRIMARY KEY, alias TEXT UNIQUE, uri TEXT, state TEXT, pid INTEGER, date TEXT);"
    "CREATE TABLE IF NOT EXISTS u_life (name TEXT PRIMARY KEY, start_ticks INTEGER, boot TEXT);"
    "CREATE TABLE IF NOT EXISTS u_etc ("
    " name TEXT PRIMARY KEY, file TEXT, text TEXT, next_file TEXT, next_text TEXT);"
    "COMMIT";

/* Fails unless the tables have all that is asked of them. */
static const char *const columns =
    "SELECT name, alias, uri, state, pid, date, rowid FROM u_process LIMIT 0;"
    "SELECT name, start_ticks, boot FROM u_life LIMIT 0;"
    "SELECT name, file, text, next_file, next_text FROM u_etc LIMIT 0";

static int error_of(struct colony_workspace *workspace, int code)
{
    int error = sqlite3_system_errno(workspace->sqlite);

    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return DATABASE_IS_DAMAGED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CONSTRAINT:
        return -EEXIST;
    default:
        return error > 0 ? -error : -EIO;
    }
}

/* The next call opens it anew, and has it looked at. */
void colony__database_close(struct colony_workspace *workspace)
{
    (void)sqlite3_close_v2(workspace->sqlite);
    workspace->sqlite = NULL;
}

int colony__database_fail(struct colony_workspace *workspace, int code, struct colony_error *err)
{
    int rc = error_of(workspace, code);

    if (rc == 0)
        return 0;
    (void)colony_fail(err, rc, "cannot use %s/" DATABASE_PATH ": %s%s", workspace->path,
                      sqlite3_errmsg(workspace->sqlite),
                      rc == DATABASE_IS_DAMAGED ? " (try again: it will be made again from etc)"
                                                : "");
    if (rc == DATABASE_IS_DAMAGED)
        colony__database_close(workspace);
    return rc;
}

/* True when all of it can be read. */
static bool is_whole(sqlite3 *sqlite)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(sqlite, "PRAGMA quick_check(1)", -1, &statement, NULL);
    const char *answer;
    bool is_ok;

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    answer = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    is_ok = answer ? strcmp(answer, "ok") == 0
                   : (code & 0xff) != SQLITE_CORRUPT && (code & 0xff) != SQLITE_NOTADB;
    (void)sqlite3_finalize(statement);
    return is_ok;
}

/* The tables are made in one transaction: one without the others has lost them. Only gutools' has
 * u_process alone. True when nothing is lost; *made when there is none at all. */
static bool has_tables(sqlite3 *sqlite, bool *made)
{
    sqlite3_stmt *statement = NULL;
    bool is_right = true;

    if (sqlite3_prepare_v2(sqlite,
                           "SELECT count(*), sum(name = 'u_process') FROM sqlite_master WHERE type "
                           "= 'table' AND name IN ('u_process', 'u_life', 'u_etc')",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        int count = sqlite3_column_int(statement, 0);

        *made = count == 0;
        is_right = count == 0 || count == 3 || (count == 1 && sqlite3_column_int(statement, 1) > 0);
    }
    (void)sqlite3_finalize(statement);
    return is_right;
}

/* The file is there and ours alone; *made when it was not there. */
static int look_at_file(struct colony_workspace *workspace, bool *made)
{
    struct stat info;
    int fd = openat(workspace->fd, DATABASE_PATH,
                    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd < 0)
        return errno == EISDIR || errno == ELOOP ? DATABASE_IS_DAMAGED : -errno;
    if (fstat(fd, &info) < 0)
        rc = -errno;
    else if (!S_ISREG(info.st_mode))
        rc = DATABASE_IS_DAMAGED;
    else if (info.st_mode & (S_IRWXG | S_IRWXO))
        rc = fchmod(fd, 0600) < 0 ? -errno : 0;
    *made = rc == 0 && info.st_size == 0;
    workspace->database_inode = rc == 0 ? info.st_ino : 0;
    (void)close(fd);
    return rc;
}

static int open_once(struct colony_workspace *workspace, struct colony_error *err)
{
    char path[PATH_MAX + sizeof "/" DATABASE_PATH];
    bool made = false;
    int rc = look_at_file(workspace, &made);
    int code;

    if (rc == DATABASE_IS_DAMAGED)
        return rc;
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot open %s/" DATABASE_PATH, workspace->path);
    (void)snprintf(path, sizeof path, "%s/" DATABASE_PATH, workspace->path);
    code = sqlite3_open_v2(path, &workspace->sqlite,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                               SQLITE_OPEN_NOFOLLOW,
                           NULL);
    if (code == SQLITE_OK) {
        (void)sqlite3_busy_timeout(workspace->sqlite, BUSY_MS);
        (void)sqlite3_limit(workspace->sqlite, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
        (void)sqlite3_db_config(workspace->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        code = sqlite3_exec(workspace->sqlite, settings, NULL, NULL, NULL);
    }
    if (code == SQLITE_OK && !made &&
        (!is_whole(workspace->sqlite) || !has_tables(workspace->sqlite, &made)))
        code = SQLITE_CORRUPT;
    if (code == SQLITE_OK)
        code = sqlite3_exec(workspace->sqlite, tables, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(workspace->sqlite, columns, NULL, NULL, NULL);
    if (code == SQLITE_ERROR) /* these are no tables of ours, whoever changed them */
        code = SQLITE_CORRUPT;
    rc = code == SQLITE_OK ? 0 : error_of(workspace, code);
    if (rc < 0 && rc != DATABASE_IS_DAMAGED)
        (void)colony__database_fail(workspace, code, err);
    if (rc < 0)
        colony__database_close(workspace);
    workspace->was_database_made |= made && rc == 0;
    return rc;
}

static int move_aside(struct colony_workspace *workspace, struct colony_error *err)
{
    static const char *const ends[] = {"-journal", "-wal", "-shm", ""};
    char from[WORKSPACE_PATH_MAX];
    char to[WORKSPACE_PATH_MAX];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(from, sizeof from, DATABASE_PATH "%s", ends[i]);
        (void)snprintf(to, sizeof to, DATABASE_DAMAGED "%s", ends[i]);
        if (renameat(workspace->fd, from, workspace->fd, to) < 0 && errno != ENOENT)
            return colony_fail_os(err, -errno, "cannot move the damaged %s/%s aside",
                                  workspace->path, from);
    }
    workspace->was_database_damaged = true;
    return 0;
}

/* Somebody else may have done it by the time that we hold the lock. */
static int replace(struct colony_workspace *workspace, struct colony_error *err)
{
    int rc = colony_workspace_lock(workspace, WORKSPACE_WAIT_MS, err);

    if (rc < 0)
        return rc;
    rc = open_once(workspace, err);
    if (rc == DATABASE_IS_DAMAGED) {
        rc = move_aside(workspace, err);
        if (rc == 0)
            rc = open_once(workspace, err);
        if (rc == DATABASE_IS_DAMAGED)
            rc = colony_fail(err, -EIO, "cannot make %s/" DATABASE_PATH " anew", workspace->path);
    }
    colony_workspace_unlock(workspace);
    return rc;
}

/* It was removed or exchanged while we had it open. */
static bool is_another(struct colony_workspace *workspace)
{
    struct stat info;

    return fstatat(workspace->fd, DATABASE_PATH, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
           info.st_ino != workspace->database_inode;
}

int colony__database_open(struct colony_workspace *workspace, struct colony_error *err)
{
    int rc;

    if (workspace->sqlite && (!sqlite3_get_autocommit(workspace->sqlite) || !is_another(workspace)))
        return 0;
    colony__database_close(workspace);
    rc = open_once(workspace, err);
    return rc == DATABASE_IS_DAMAGED ? replace(workspace, err) : rc;
}
