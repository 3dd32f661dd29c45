/* SPDX-License-Identifier: Apache-2.0 */
/* database_rows.c - rows of the database, read and written. */
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/error.h"
#include "session/database_internal.h"
#include "session/database_sql_internal.h"
#include "session/process_internal.h"
#include "session/workspace_internal.h"

/* Of what is selected. */
enum column {
    COLUMN_NAME,
    COLUMN_ALIAS,
    COLUMN_URI,
    COLUMN_STATE,
    COLUMN_PID,
    COLUMN_DATE,
    COLUMN_START_TICKS,
    COLUMN_BOOT,
    COLUMN_FILE,
    COLUMN_TEXT,
    COLUMN_NEXT_FILE,
    COLUMN_NEXT_TEXT,
    COLUMN_NUMBER,
};

#define SELECT                                                                                     \
    "SELECT name, alias, uri, state, pid, date, start_ticks, boot, file, text, next_file, "        \
    "next_text, u_process.rowid FROM u_process LEFT JOIN u_life USING (name) LEFT JOIN u_etc "     \
    "USING (name) "                                                                                \
    "ORDER BY name"

/* The date is that of the last change of state. */
#define PUT_LIFE                                                                                   \
    "UPDATE u_process SET date = CASE WHEN state IS ?2 AND date IS NOT NULL THEN date ELSE ?4 "    \
    "END, state = ?2, pid = ?3 WHERE name = ?1"

static void clear_row(struct colony__row *row)
{
    colony_session_process_clear(&row->process);
    free(row->file);
    free(row->text);
    free(row->next_file);
    free(row->next_text);
}

void colony__rows_clear(struct colony__rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        clear_row(&rows->items[i]);
    free(rows->items);
    free(rows->unsound);
    *rows = (struct colony__rows){0};
}

static int compare_name(const void *name, const void *row)
{
    return strcmp(name, ((const struct colony__row *)row)->process.name);
}

struct colony__row *colony__rows_find(const struct colony__rows *rows, const char *name)
{
    return rows->count > 0
               ? bsearch(name, rows->items, rows->count, sizeof *rows->items, compare_name)
               : NULL;
}

/* An empty alias is none: gutools wrote such. */
static int take_text(sqlite3_stmt *statement, enum column column, char **out)
{
    const char *text = (const char *)sqlite3_column_text(statement, (int)column);

    if (!text || (text[0] == '\0' && column != COLUMN_TEXT && column != COLUMN_NEXT_TEXT))
        return 0;
    *out = strdup(text);
    return *out ? 0 : -ENOMEM;
}

static int take_row(sqlite3_stmt *statement, struct colony__row *row)
{
    struct colony_session_process *process = &row->process;
    sqlite3_int64 pid = sqlite3_column_int64(statement, COLUMN_PID);

    process->pid = pid > 0 && pid <= INT32_MAX ? (pid_t)pid : 0;
    process->start_ticks = (uint64_t)sqlite3_column_int64(statement, COLUMN_START_TICKS);
    if (take_text(statement, COLUMN_NAME, &process->name) < 0 ||
        take_text(statement, COLUMN_ALIAS, &process->alias) < 0 ||
        take_text(statement, COLUMN_URI, &process->uri) < 0 ||
        take_text(statement, COLUMN_STATE, &process->state) < 0 ||
        take_text(statement, COLUMN_DATE, &process->date) < 0 ||
        take_text(statement, COLUMN_BOOT, &process->boot) < 0 ||
        take_text(statement, COLUMN_FILE, &row->file) < 0 ||
        take_text(statement, COLUMN_TEXT, &row->text) < 0 ||
        take_text(statement, COLUMN_NEXT_FILE, &row->next_file) < 0 ||
        take_text(statement, COLUMN_NEXT_TEXT, &row->next_text) < 0)
        return -ENOMEM;
    return 0;
}

/* A name that somebody wrote into the database and that cannot be one has no files. */
static bool is_sound(const struct colony__row *row)
{
    return row->process.name && colony__session_name_check_own(row->process.name, NULL) == 0 &&
           (!row->process.alias || colony__session_name_check(row->process.alias, NULL) == 0) &&
           (!row->file || colony__session_name_check(row->file, NULL) == 0) &&
           (!row->next_file || colony__session_name_check(row->next_file, NULL) == 0);
}

static int add_unsound(struct colony__rows *rows, size_t *capacity, int64_t number)
{
    int64_t *numbers =
        colony_array_room(rows->unsound, rows->unsound_count, capacity, sizeof *numbers);

    if (!numbers)
        return -ENOMEM;
    rows->unsound = numbers;
    numbers[rows->unsound_count++] = number;
    return 0;
}

/* @row goes to the rows, or is cleared. Beyond the limit it is passed over. */
static int add_row(struct colony__rows *rows, size_t *capacity, struct colony__row *row)
{
    struct colony__row *items = NULL;
    bool has_place = rows->count < COLONY_SESSION_PROCESSES_MAX;

    if (has_place)
        items = colony_array_room(rows->items, rows->count, capacity, sizeof *row);
    if (!items) {
        clear_row(row);
        return has_place ? -ENOMEM : 0;
    }
    rows->items = items;
    items[rows->count++] = *row;
    return 0;
}

static int read_rows(sqlite3_stmt *statement, struct colony__rows *rows, int *code)
{
    size_t capacity = 0;
    size_t unsound_capacity = 0;
    int rc = 0;

    while (rc == 0 && (*code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct colony__row row = {0};

        rc = take_row(statement, &row);
        if (rc == 0 && is_sound(&row)) {
            rc = add_row(rows, &capacity, &row);
            continue;
        }
        clear_row(&row);
        if (rc == 0 && rows->unsound_count < COLONY_SESSION_PROCESSES_MAX)
            rc = add_unsound(rows, &unsound_capacity,
                             sqlite3_column_int64(statement, COLUMN_NUMBER));
    }
    return rc;
}

int colony__database_read(struct colony_workspace *workspace, struct colony__rows *out,
                          struct colony_error *err)
{
    struct colony__rows rows = {0};
    sqlite3_stmt *statement = NULL;
    int rc = colony__database_open(workspace, err);
    int code;

    if (rc < 0)
        return rc;
    code = sqlite3_prepare_v2(workspace->sqlite, SELECT, -1, &statement, NULL);
    if (code == SQLITE_OK)
        rc = read_rows(statement, &rows, &code);
    (void)sqlite3_finalize(statement);
    if (rc < 0)
        (void)colony_fail(err, rc, "cannot read %s/" DATABASE_PATH ": out of memory",
                          workspace->path);
    else
        rc = colony__database_fail(workspace, code, err);
    if (rc < 0)
        colony__rows_clear(&rows);
    else
        *out = rows;
    return rc;
}

/* Runs @sql with a parameter for each letter of @types: t: const char * (may be NULL), i: int64_t.
 */
static int run(struct colony_workspace *workspace, struct colony_error *err, const char *sql,
               const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    va_list args;
    int rc = colony__database_open(workspace, err);
    int code;

    if (rc < 0)
        return rc;
    code = sqlite3_prepare_v2(workspace->sqlite, sql, -1, &statement, NULL);
    va_start(args, types);
    for (int i = 1; types[i - 1] != '\0' && code == SQLITE_OK; i++)
        code = types[i - 1] == 't'
                   ? sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC)
                   : sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
    va_end(args);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    rc = colony__database_fail(workspace, code, err);
    (void)sqlite3_finalize(statement);
    return rc;
}

int colony__database_begin(struct colony_workspace *workspace, struct colony_error *err)
{
    return run(workspace, err, "BEGIN IMMEDIATE", "");
}

int colony__database_commit(struct colony_workspace *workspace, struct colony_error *err)
{
    int rc = run(workspace, err, "COMMIT", "");

    if (rc < 0)
        colony__database_rollback(workspace);
    return rc;
}

void colony__database_rollback(struct colony_workspace *workspace)
{
    if (workspace->sqlite && !sqlite3_get_autocommit(workspace->sqlite))
        (void)sqlite3_exec(workspace->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

int colony__database_put_life(struct colony_workspace *workspace,
                              const struct colony_session_process *process,
                              struct colony_error *err)
{
    char now[DATE_SIZE];
    int rc;

    colony__session_date(now);
    rc = run(workspace, err, PUT_LIFE, "ttit", process->name, process->state, (int64_t)process->pid,
             now);
    if (rc < 0)
        return rc;
    return run(workspace, err,
               "INSERT INTO u_life (name, start_ticks, boot) VALUES (?1, ?2, ?3) "
               "ON CONFLICT (name) DO UPDATE SET start_ticks = ?2, boot = ?3",
               "tit", process->name, (int64_t)process->start_ticks, process->boot);
}

int colony__database_put(struct colony_workspace *workspace,
                         const struct colony_session_process *process, struct colony_error *err)
{
    int rc = run(workspace, err,
                 "INSERT INTO u_process (name, alias, uri, date) VALUES (?1, ?2, ?3, ?4) "
                 "ON CONFLICT (name) DO UPDATE SET alias = ?2, uri = ?3",
                 "tttt", process->name, process->alias, process->uri, process->date);

    return rc < 0 ? rc : colony__database_put_life(workspace, process, err);
}

int colony__database_keep(struct colony_workspace *workspace, const char *name, const char *file,
                          const char *text, struct colony_error *err)
{
    return run(workspace, err,
               "INSERT INTO u_etc (name, file, text) VALUES (?1, ?2, ?3) "
               "ON CONFLICT (name) DO UPDATE SET file = ?2, text = ?3, next_file = NULL, "
               "next_text = NULL",
               "ttt", name, file, text);
}

int colony__database_kept(char **text, struct colony_workspace *workspace, const char *name,
                          struct colony_error *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = colony__database_open(workspace, err);
    bool is_short = false;
    int code;

    *text = NULL;
    if (rc < 0)
        return rc;
    code = sqlite3_prepare_v2(workspace->sqlite, "SELECT text FROM u_etc WHERE name = ?1", -1,
                              &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW && sqlite3_column_text(statement, 0)) {
        *text = strdup((const char *)sqlite3_column_text(statement, 0));
        is_short = !*text;
    }
    (void)sqlite3_finalize(statement);
    if (is_short)
        return colony_fail(err, -ENOMEM, "cannot read %s/" DATABASE_PATH ": out of memory",
                           workspace->path);
    return colony__database_fail(workspace, code, err);
}

int colony__database_plan(struct colony_workspace *workspace, const char *name, const char *file,
                          const char *text, struct colony_error *err)
{
    return run(workspace, err,
               "INSERT INTO u_etc (name, next_file, next_text) VALUES (?1, ?2, ?3) "
               "ON CONFLICT (name) DO UPDATE SET next_file = ?2, next_text = ?3",
               "ttt", name, file, text);
}

int colony__database_settle(struct colony_workspace *workspace, const char *name,
                            struct colony_error *err)
{
    return run(workspace, err,
               "UPDATE u_etc SET file = next_file, text = next_text, next_file = NULL, "
               "next_text = NULL WHERE name = ?1 AND next_file IS NOT NULL",
               "t", name);
}

int colony__database_remove(struct colony_workspace *workspace, const char *name,
                            struct colony_error *err)
{
    static const char *const statements[] = {
        "DELETE FROM u_process WHERE name = ?1",
        "DELETE FROM u_life WHERE name = ?1",
        "DELETE FROM u_etc WHERE name = ?1",
    };

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        int rc = run(workspace, err, statements[i], "t", name);

        if (rc < 0)
            return rc;
    }
    return 0;
}

int colony__database_drop(struct colony_workspace *workspace, int64_t number,
                          struct colony_error *err)
{
    static const char *const statements[] = {
        "DELETE FROM u_life WHERE name = (SELECT name FROM u_process WHERE rowid = ?1)",
        "DELETE FROM u_etc WHERE name = (SELECT name FROM u_process WHERE rowid = ?1)",
        "DELETE FROM u_process WHERE rowid = ?1",
    };

    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        int rc = run(workspace, err, statements[i], "i", number);

        if (rc < 0)
            return rc;
    }
    return 0;
}
