/* SPDX-License-Identifier: Apache-2.0 */
/* process_read.c - all processes of a session, from database and files; what differs is settled. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "session/config_internal.h"
#include "session/etc_file_internal.h"
#include "session/process_internal.h"
#include "session/process_read_internal.h"
#include "session/process_write_internal.h"
#include "session/workspace_internal.h"

static bool is_text(const char *left, const char *right)
{
    return left && right && strcmp(left, right) == 0;
}

void colony__look_clear(struct colony__look *look)
{
    colony__rows_clear(&look->rows);
    colony__etc_entries_clear(&look->entries);
    colony_session_list_clear(&look->list);
    for (size_t i = 0; i < look->problem_count; i++)
        free(look->problems[i]);
    free(look->problems);
    *look = (struct colony__look){.workspace = look->workspace};
}

void colony__look_complain(struct colony__look *look, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    void *problems = colony_array_room(look->problems, look->problem_count, &look->problem_capacity,
                                       sizeof *look->problems);

    if (!problems)
        return;
    look->problems = problems;
    va_start(args, format);
    if (vasprintf(&line, format, args) >= 0)
        look->problems[look->problem_count++] = line;
    va_end(args);
}

int colony__look_add(struct colony__look *look, struct colony_session_process *process)
{
    void *items =
        colony_array_room(look->list.items, look->list.count, &look->capacity, sizeof *process);

    if (!items)
        return -ENOMEM;
    look->list.items = items;
    look->list.items[look->list.count++] = *process;
    *process = (struct colony_session_process){0};
    return 0;
}

void colony__look_tell_failure(struct colony__look *look, int rc, const struct colony_error *err)
{
    if (rc < 0)
        colony__look_complain(look, "%s", err->message);
}

/* --- whose file is it ---------------------------------------------------------------------------
 */

/* It says its name; or its file is called as the row has it, or by the alias or name of the row. */
static bool is_entry_of(const struct colony__etc_entry *entry, const struct colony__row *row)
{
    const struct colony_session_process *process = &row->process;

    if (entry->parsed.name)
        return strcmp(entry->parsed.name, process->name) == 0;
    return is_text(entry->base, row->file) || is_text(entry->base, process->alias) ||
           is_text(entry->base, process->name);
}

static void find_owners(struct colony__look *look)
{
    for (size_t i = 0; i < look->entries.count; i++) {
        struct colony__etc_entry *entry = &look->entries.items[i];
        const char *name = entry->parsed.name ? entry->parsed.name : entry->base;
        const struct colony__row *row = colony__rows_find(&look->rows, name);

        if (row && is_entry_of(entry, row)) {
            entry->owner = (long)(row - look->rows.items);
            continue;
        }
        for (size_t j = 0; j < look->rows.count && entry->owner == ETC_UNOWNED; j++)
            if (is_entry_of(entry, &look->rows.items[j]))
                entry->owner = (long)j;
    }
}

/* --- one process --------------------------------------------------------------------------------
 */

static void take_etc(struct colony_session_process *process, struct colony_session_process *from)
{
    free(process->cwd);
    colony__strings_free(process->cmdline);
    colony__strings_free(process->env);
    colony__strings_free(process->keywords);
    free(process->uid);
    free(process->gid);
    colony__strings_free(process->groups);
    process->uid = from->uid;
    process->gid = from->gid;
    process->groups = from->groups;
    process->cwd = from->cwd;
    process->cmdline = from->cmdline;
    process->env = from->env;
    process->keywords = from->keywords;
    process->restart = from->restart;
    process->shutdown = from->shutdown;
    if (from->uri) {
        free(process->uri);
        process->uri = from->uri;
    }
    free(from->name);
    *from = (struct colony_session_process){0};
}

/* What its file said when it was good. */
static bool take_kept(const struct colony__row *row, struct colony_session_process *process)
{
    struct colony_session_process parsed = {0};

    if (!row->text || colony__etc_parse(&parsed, "", row->text, strlen(row->text), NULL) < 0)
        return false;
    take_etc(process, &parsed);
    return true;
}

/* What the user says of alias and uri, the database says, too. */
static void follow(struct colony__look *look, const struct colony_session_process *process)
{
    struct colony_error err;

    look->is_unsettled = true;
    if (look->settles)
        colony__look_tell_failure(look, colony__database_put(look->workspace, process, &err), &err);
}

/* A file that was given another name by hand gives the process another alias. */
static void follow_name(struct colony__look *look, const char *base,
                        struct colony_session_process *process)
{
    if (is_text(base, process->name) || is_text(base, process->alias))
        return;
    for (size_t i = 0; i < look->rows.count; i++)
        if (is_text(base, look->rows.items[i].process.name) ||
            is_text(base, look->rows.items[i].process.alias)) {
            colony__look_complain(
                look, "%s/etc/%s.yaml: cannot call %s so: it is what %s is called",
                look->workspace->path, base, process->name, look->rows.items[i].process.name);
            return;
        }
    free(process->alias);
    process->alias = strdup(base);
    follow(look, process);
}

static void take_entry(struct colony__look *look, const struct colony__row *row,
                       struct colony__etc_entry *entry, struct colony_session_process *process)
{
    struct colony_error err;

    take_etc(process, &entry->parsed);
    if (!process->cmdline)
        colony__look_rebuild(look, process);
    follow_name(look, entry->base, process);
    if (process->uri && !is_text(row->process.uri, process->uri))
        follow(look, process);
    if (is_text(row->file, entry->base) && is_text(row->text, entry->text))
        return;
    look->is_unsettled = true;
    if (look->settles)
        colony__look_tell_failure(
            look,
            colony__database_keep(look->workspace, process->name, entry->base, entry->text, &err),
            &err);
}

static bool is_file_taken(const struct colony__look *look, const char *base)
{
    for (size_t i = 0; i < look->entries.count; i++)
        if (strcmp(look->entries.items[i].base, base) == 0)
            return true;
    return false;
}

/* Its file is gone: it is made again. */
static void remake(struct colony__look *look, const struct colony__row *row,
                   struct colony_session_process *process)
{
    char path[WORKSPACE_PATH_MAX];
    struct colony_error err;
    char *text;
    int rc;

    if (is_file_taken(look, colony_session_process_title(process))) {
        colony__look_complain(look,
                              "%s/etc/%s.yaml is of another process by now: %s has no file (write "
                              "`name: %s` into it, or detach %s)",
                              look->workspace->path, colony_session_process_title(process),
                              process->name, process->name, process->name);
        return;
    }
    look->is_unsettled = true;
    if (!look->settles)
        return;
    text = strdup(row->text ? row->text : "");
    colony__etc_path(path, sizeof path, colony_session_process_title(process));
    rc = text ? 0 : colony_fail(&err, -ENOMEM, "cannot write %s: out of memory", path);
    if (rc == 0 && !row->text)
        rc = colony__etc_edit(&text, path, process, &err);
    if (rc == 0)
        rc = colony__workspace_write(look->workspace, path, text, &err);
    if (rc == 0)
        rc = colony__database_keep(look->workspace, process->name,
                                   colony_session_process_title(process), text, &err);
    colony__look_tell_failure(look, rc, &err);
    if (rc == 0)
        colony__look_complain(look, "%s/%s was gone: made again from the database%s",
                              look->workspace->path, path,
                              row->text ? "" : " (restart and shutdown are as for a new one)");
    free(text);
}

/* @first: the first of its entries; @count: how many there are. */
static int read_process(struct colony__look *look, const struct colony__row *row,
                        struct colony__etc_entry *const entries[2])
{
    const char *folder = look->workspace->path;
    struct colony_session_process process = {0};
    int rc = colony_session_process_copy(&process, &row->process);

    if (rc < 0)
        return rc;
    if (entries[1]) {
        colony__look_complain(look,
                              "%s/etc/%s.yaml and %s/etc/%s.yaml are both files of %s: remove one "
                              "of them (meanwhile it is as it was)",
                              folder, entries[0]->base, folder, entries[1]->base, process.name);
        if (!take_kept(row, &process))
            take_etc(&process, &entries[0]->parsed);
    } else if (entries[0] && entries[0]->problem.code != 0) {
        colony__look_complain(look, "%s (meanwhile %s is as it was)", entries[0]->problem.message,
                              process.name);
        (void)take_kept(row, &process);
    } else if (entries[0]) {
        take_entry(look, row, entries[0], &process);
    } else {
        if (!take_kept(row, &process))
            colony__look_rebuild(look, &process);
        remake(look, row, &process);
    }
    rc = colony__look_add(look, &process);
    colony_session_process_clear(&process);
    return rc;
}

static int read_processes(struct colony__look *look)
{
    struct colony__etc_entry *(*owned)[2] = calloc(look->rows.count + 1, sizeof *owned);
    int rc = owned ? 0 : -ENOMEM;

    for (size_t i = 0; i < look->entries.count && rc == 0; i++) {
        struct colony__etc_entry *entry = &look->entries.items[i];

        if (entry->owner != ETC_UNOWNED)
            owned[entry->owner][owned[entry->owner][0] != NULL] = entry;
    }
    for (size_t i = 0; i < look->rows.count && rc == 0; i++) {
        if (!owned[i][0] && colony__look_is_replaced(look, &look->rows.items[i]))
            colony__look_drop_replaced(look, &look->rows.items[i]);
        else
            rc = read_process(look, &look->rows.items[i], owned[i]);
    }
    for (size_t i = 0; i < look->entries.count && rc == 0; i++)
        if (look->entries.items[i].owner == ETC_UNOWNED)
            rc = colony__look_add_new(look, &look->entries.items[i]);
    free(owned);
    return rc;
}

/* --- all ----------------------------------------------------------------------------------------
 */

static int compare_processes(const void *left, const void *right)
{
    return strcmp(((const struct colony_session_process *)left)->name,
                  ((const struct colony_session_process *)right)->name);
}

/* What a command left that was killed between the row and the file. */
static int finish_plans(struct colony__look *look, struct colony_error *err)
{
    int rc = colony__database_read(look->workspace, &look->rows, err);
    bool has_plans = false;

    for (size_t i = 0; rc == 0 && i < look->rows.count; i++) {
        if (!look->rows.items[i].next_file)
            continue;
        has_plans = look->is_unsettled = true;
        if (look->settles)
            rc = colony__session_carry_out(look->workspace, &look->rows.items[i], err);
    }
    if (rc < 0 || !has_plans || !look->settles)
        return rc;
    colony__rows_clear(&look->rows);
    return colony__database_read(look->workspace, &look->rows, err);
}

static int take_look(struct colony__look *look, struct colony_error *err)
{
    int rc = finish_plans(look, err);

    if (rc == 0)
        rc = colony__etc_read_all(look->workspace, &look->entries, err);
    if (rc == 0 && look->settles)
        rc = colony__database_begin(look->workspace, err);
    if (rc < 0)
        return rc;
    colony__look_drop_unsound(look);
    colony__session_config_settle(look);
    find_owners(look);
    rc = read_processes(look);
    if (rc < 0)
        (void)colony_fail(err, rc, "cannot read the processes of %s: out of memory",
                          look->workspace->path);
    for (size_t i = 0; i < look->list.count && rc == 0; i++)
        colony__look_settle_pid(look, &look->list.items[i]);
    if (rc == 0 && look->settles)
        rc = colony__database_commit(look->workspace, err);
    colony__database_rollback(look->workspace);
    if (look->list.count > 1)
        qsort(look->list.items, look->list.count, sizeof *look->list.items, compare_processes);
    return rc;
}

static void tell_database(struct colony__look *look)
{
    struct colony_workspace *workspace = look->workspace;

    if (workspace->was_database_damaged)
        colony__look_complain(look,
                              "%s/" DATABASE_PATH " was damaged: it is " DATABASE_DAMAGED
                              " now, and made again from etc (%zu processes)",
                              workspace->path, look->added_count);
    else if (workspace->was_database_made && look->added_count > 0)
        colony__look_complain(
            look, "%s/" DATABASE_PATH " was not there: made again from etc (%zu processes)",
            workspace->path, look->added_count);
    workspace->was_database_damaged = workspace->was_database_made = false;
}

static void tell_folders(struct colony__look *look)
{
    char *remade = look->workspace->remade;

    if (remade[0] != '\0')
        colony__look_complain(look, "%s: folders of the workspace were gone and are made again: %s",
                              look->workspace->path, remade);
    remade[0] = '\0';
}

/* With the lock, and what it finds otherwise than it should be is settled. */
static int settle(struct colony__look *look, struct colony_error *err)
{
    int rc = colony_workspace_lock(look->workspace, WORKSPACE_WAIT_MS, err);

    if (rc < 0)
        return rc;
    colony__look_clear(look);
    look->settles = true;
    rc = take_look(look, err);
    if (rc == 0)
        tell_database(look);
    colony_workspace_unlock(look->workspace);
    return rc;
}

int colony_session_list_read(struct colony_session_list *out, struct colony_workspace *workspace,
                             colony_session_problem_cb problem, void *data,
                             struct colony_error *err)
{
    struct colony__look look = {.workspace = workspace};
    int rc = take_look(&look, err);

    if (rc == 0 && (look.is_unsettled || workspace->was_database_damaged))
        rc = settle(&look, err);
    workspace->was_database_made = false;
    if (rc == 0 && problem)
        tell_folders(&look);
    for (size_t i = 0; rc == 0 && problem && i < look.problem_count; i++)
        problem(look.problems[i], data);
    if (rc == 0) {
        *out = look.list;
        look.list = (struct colony_session_list){0};
    }
    colony__look_clear(&look);
    return rc;
}
