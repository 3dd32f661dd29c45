/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_write.c - changes a process: its row, its file in etc, its pid file.
 *
 * A change of a file is planned in the transaction that changes the row, then done, then noted as
 * done. Whoever finds a plan finishes it (process_read.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/database_internal.h"
#include "session/etc_file_internal.h"
#include "session/etc_folder_internal.h"
#include "session/process_internal.h"
#include "session/process_write_internal.h"
#include "session/workspace_internal.h"

enum {
    PID_SIZE = 24,
    CANDIDATE_COUNT = 4,
};

static bool is_text(const char *left, const char *right)
{
    return left && right && strcmp(left, right) == 0;
}

static void pid_path(char path[WORKSPACE_PATH_MAX], const char *name)
{
    (void)snprintf(path, WORKSPACE_PATH_MAX, "pid/%s.pid", name);
}

int colony__session_write_pid(struct colony_workspace *workspace, const char *name, pid_t pid,
                              struct colony_error *err)
{
    char path[WORKSPACE_PATH_MAX];
    char text[PID_SIZE];

    pid_path(path, name);
    if (pid <= 0)
        return colony__workspace_unlink(workspace, path, err);
    (void)snprintf(text, sizeof text, "%ld\n", (long)pid);
    return colony__workspace_write_quickly(workspace, path, text, err);
}

/* Written already, or edited since: what a user wrote last is not overwritten. */
static bool is_newer(struct colony_workspace *workspace, const char *path,
                     const struct colony__row *row)
{
    bool is_same_file = is_text(row->file, row->next_file);
    char *text = NULL;
    size_t size = 0;
    bool is_new;

    if (colony__workspace_read(workspace, path, &text, &size, NULL) < 0)
        return false;
    is_new = !is_same_file || !is_text(text, row->text);
    free(text);
    return is_new;
}

int colony__session_carry_out(struct colony_workspace *workspace, const struct colony__row *row,
                              struct colony_error *err)
{
    char path[WORKSPACE_PATH_MAX];
    int rc = 0;

    colony__etc_path(path, sizeof path, row->next_file);
    if (!is_newer(workspace, path, row))
        rc = colony__workspace_write(workspace, path, row->next_text ? row->next_text : "", err);
    if (rc == 0 && row->file && strcmp(row->file, row->next_file) != 0) {
        colony__etc_path(path, sizeof path, row->file);
        rc = colony__workspace_unlink(workspace, path, err);
    }
    if (rc == 0)
        rc = colony__workspace_sync(workspace, "etc", err);
    return rc < 0 ? rc : colony__database_settle(workspace, row->process.name, err);
}

/* --- put ----------------------------------------------------------------------------------------
 */

static int check_process(const struct colony_session_process *process, struct colony_error *err)
{
    int rc = colony__session_name_check_own(process->name ? process->name : "", err);

    if (rc == 0 && process->alias)
        rc = colony__session_name_check(process->alias, err);
    if (rc == 0 && process->cmdline && !process->cmdline[0])
        rc = colony_fail(err, -EINVAL, "cannot save %s: its command line is empty",
                         colony_session_process_title(process));
    return rc;
}

/* An alias may be neither alias nor name of another, nor a name another's alias. */
static int check_alias(const struct colony__rows *rows,
                       const struct colony_session_process *process, struct colony_error *err)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct colony_session_process *other = &rows->items[i].process;

        if (strcmp(other->name, process->name) == 0)
            continue;
        if (is_text(other->alias, process->alias) || is_text(other->name, process->alias))
            return colony_fail(err, -EEXIST,
                               "cannot call %s %s: that is %s already (choose another alias)",
                               process->name, process->alias, other->name);
        if (is_text(other->alias, process->name))
            return colony_fail(err, -EEXIST, "cannot add %s: that is the alias of %s already",
                               process->name, other->name);
    }
    return 0;
}

/* The file that is there now, of those that can be this process's. */
struct present {
    const char *base; /* NULL: there is none */
    char *text;
};

/* Looks at etc/@base.yaml. */
static int look_at(struct colony_workspace *workspace, const char *base,
                   const struct colony_session_process *process, struct present *present,
                   struct colony_error *err)
{
    struct colony_session_process parsed = {0};
    char path[WORKSPACE_PATH_MAX];
    char full[PATH_MAX + WORKSPACE_PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    bool is_ours;
    int rc;

    colony__etc_path(path, sizeof path, base);
    colony__etc_full_path(full, sizeof full, workspace, base);
    rc = colony__workspace_read(workspace, path, &text, &size, err);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc;
    rc = colony__etc_parse(&parsed, full, text, size, err);
    is_ours = !parsed.name || strcmp(parsed.name, process->name) == 0;
    if (rc == 0 && !is_ours && is_text(base, colony_session_process_title(process)))
        rc = colony_fail(err, -EEXIST, "cannot write %s: it is the file of %s", full, parsed.name);
    else if (rc == 0 && is_ours && present->base)
        rc = colony_fail(err, -EEXIST,
                         "etc/%s.yaml and etc/%s.yaml are both files of %s: remove one of them",
                         present->base, base, process->name);
    colony_session_process_clear(&parsed);
    if (rc < 0 || !is_ours) {
        free(text);
        return rc;
    }
    present->base = base;
    present->text = text;
    return 0;
}

static int find_present(struct colony_workspace *workspace, const struct colony__row *row,
                        const struct colony_session_process *process, struct present *present,
                        struct colony_error *err)
{
    const char *candidates[CANDIDATE_COUNT] = {
        row ? row->file : NULL,
        row ? row->process.alias : NULL,
        process->alias,
        process->name,
    };

    for (size_t i = 0; i < CANDIDATE_COUNT; i++) {
        bool is_seen = !candidates[i];
        int rc;

        for (size_t j = 0; j < i && !is_seen; j++)
            is_seen = is_text(candidates[j], candidates[i]);
        rc = is_seen ? 0 : look_at(workspace, candidates[i], process, present, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What the file is to say, from what it says, or said when it was there. */
/* NOLINTNEXTLINE(readability-function-size): what was, what is, what is to be */
static int make_text(struct colony_workspace *workspace, const struct colony__row *row,
                     const struct colony_session_process *process, const struct present *present,
                     char **out, struct colony_error *err)
{
    const char *now = present->text ? present->text : row && row->text ? row->text : "";
    char full[PATH_MAX + WORKSPACE_PATH_MAX];
    char *text = strdup(now);
    int rc;

    colony__etc_full_path(full, sizeof full, workspace, colony_session_process_title(process));
    if (!text)
        return colony_fail(err, -ENOMEM, "cannot write %s: out of memory", full);
    rc = colony__etc_edit(&text, full, process, err);
    if (rc < 0)
        free(text);
    else
        *out = text;
    return rc;
}

/* Row and plan in one transaction. */
static int write_row(struct colony_workspace *workspace,
                     const struct colony_session_process *process, const struct present *present,
                     const char *text, struct colony_error *err)
{
    const char *file = colony_session_process_title(process);
    bool is_there = is_text(present->base, file) && is_text(present->text, text);
    int rc = colony__database_begin(workspace, err);

    if (rc < 0)
        return rc;
    rc = colony__database_put(workspace, process, err);
    if (rc == 0 && present->base) /* where it is to go from */
        rc = colony__database_keep(workspace, process->name, present->base, present->text, err);
    if (rc == 0 && !is_there)
        rc = colony__database_plan(workspace, process->name, file, text, err);
    if (rc == 0)
        return colony__database_commit(workspace, err);
    colony__database_rollback(workspace);
    return rc;
}

static int write_files(struct colony_workspace *workspace,
                       const struct colony_session_process *process, const struct present *present,
                       char *text, struct colony_error *err)
{
    const struct colony__row row = {
        .process = {.name = process->name},
        .file = (char *)present->base,
        .text = present->text,
        .next_file = (char *)colony_session_process_title(process),
        .next_text = text,
    };
    int rc = colony__session_write_pid(workspace, process->name, process->pid, err);

    if (rc == 0 && !(is_text(present->base, row.next_file) && is_text(present->text, text)))
        rc = colony__session_carry_out(workspace, &row, err);
    return rc;
}

static int put_locked(struct colony_workspace *workspace, const struct colony__rows *rows,
                      const struct colony_session_process *process, struct colony_error *err)
{
    const struct colony__row *row = colony__rows_find(rows, process->name);
    struct present present = {0};
    char *text = NULL;
    int rc = check_alias(rows, process, err);

    if (rc == 0 && row && row->next_file) /* of a command that was killed */
        rc = colony__session_carry_out(workspace, row, err);
    if (rc == 0)
        rc = find_present(workspace, row, process, &present, err);
    if (rc == 0)
        rc = make_text(workspace, row, process, &present, &text, err);
    if (rc == 0)
        rc = write_row(workspace, process, &present, text, err);
    if (rc == 0)
        rc = write_files(workspace, process, &present, text, err);
    free(present.text);
    free(text);
    return rc;
}

int colony_session_process_put(struct colony_workspace *workspace,
                               const struct colony_session_process *process,
                               struct colony_error *err)
{
    struct colony__rows rows = {0};
    int rc = check_process(process, err);

    if (rc < 0)
        return rc;
    rc = colony_workspace_lock(workspace, WORKSPACE_WAIT_MS, err);
    if (rc < 0)
        return rc;
    rc = colony__database_read(workspace, &rows, err);
    if (rc == 0 && rows.count >= COLONY_SESSION_PROCESSES_MAX &&
        !colony__rows_find(&rows, process->name))
        rc = colony_fail(err, -ENOSPC, "cannot add %s: a session has at most %d processes",
                         process->name, (int)COLONY_SESSION_PROCESSES_MAX);
    if (rc == 0)
        rc = put_locked(workspace, &rows, process, err);
    colony__rows_clear(&rows);
    colony_workspace_unlock(workspace);
    return rc;
}

/* --- life ---------------------------------------------------------------------------------------
 */

static int put_lives(struct colony_workspace *workspace,
                     const struct colony_session_process *processes, size_t count,
                     struct colony_error *err)
{
    int rc = colony__database_begin(workspace, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = colony__database_put_life(workspace, &processes[i], err);
    if (rc == 0)
        return colony__database_commit(workspace, err);
    colony__database_rollback(workspace);
    return rc;
}

/* A pid file is written after the row that it repeats, and gone before that changes: one that is
 * there after a kill is right. */
int colony_session_process_put_life(struct colony_workspace *workspace,
                                    const struct colony_session_process *processes, size_t count,
                                    struct colony_error *err)
{
    int rc = colony_workspace_lock(workspace, WORKSPACE_WAIT_MS, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = colony__session_write_pid(workspace, processes[i].name, 0, err);
    if (rc == 0)
        rc = put_lives(workspace, processes, count, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (processes[i].pid > 0)
            rc = colony__session_write_pid(workspace, processes[i].name, processes[i].pid, err);
    colony_workspace_unlock(workspace);
    return rc;
}

/* --- remove -------------------------------------------------------------------------------------
 */

/* The file in etc goes first: if we are killed now, it is made again from the row, and nothing was
 * done. Once the row is gone, what is left is swept up by `gc`. */
static int remove_locked(struct colony_workspace *workspace, const struct colony__row *row,
                         struct colony_error *err)
{
    const char *bases[] = {row->file, row->next_file, row->process.alias, row->process.name};
    char path[WORKSPACE_PATH_MAX];
    int rc = 0;

    for (size_t i = 0; i < sizeof bases / sizeof bases[0] && rc == 0; i++) {
        struct present present = {0};

        if (!bases[i])
            continue;
        rc = look_at(workspace, bases[i], &row->process, &present, err);
        colony__etc_path(path, sizeof path, bases[i]);
        if (rc == -EINVAL || present.base)
            rc = colony__workspace_unlink(workspace, path, err);
        else if (rc == -EEXIST) /* another's */
            rc = 0;
        free(present.text);
    }
    if (rc == 0)
        rc = colony__workspace_sync(workspace, "etc", err);
    if (rc == 0)
        rc = colony__database_begin(workspace, err);
    if (rc < 0)
        return rc;
    rc = colony__database_remove(workspace, row->process.name, err);
    if (rc == 0)
        rc = colony__database_commit(workspace, err);
    colony__database_rollback(workspace);
    if (rc == 0)
        rc = colony__session_write_pid(workspace, row->process.name, 0, err);
    return rc < 0 ? rc : colony__session_remove_fingerprints(workspace, row->process.name, err);
}

int colony_session_process_remove(struct colony_workspace *workspace, const char *name,
                                  struct colony_error *err)
{
    struct colony__rows rows = {0};
    const struct colony__row *row;
    int rc = colony_workspace_lock(workspace, WORKSPACE_WAIT_MS, err);

    if (rc < 0)
        return rc;
    rc = colony__database_read(workspace, &rows, err);
    row = rc == 0 ? colony__rows_find(&rows, name) : NULL;
    if (row)
        rc = remove_locked(workspace, row, err);
    else if (rc == 0)
        rc = colony_fail(err, -ENOENT, "there is no process %s in this session", name);
    colony__rows_clear(&rows);
    colony_workspace_unlock(workspace);
    return rc;
}
