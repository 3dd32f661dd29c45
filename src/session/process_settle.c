/* SPDX-License-Identifier: Apache-2.0 */
/* process_settle.c - rows and pid files that say what cannot be: settled by what else is known. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/process_life_internal.h"
#include "session/process_read_internal.h"
#include "session/process_write_internal.h"
#include "session/workspace_internal.h"

/* --- rows ---------------------------------------------------------------------------------------
 */

/* A row that somebody wrote: what is its file by name says that it is a process of which there is
 * no row. One that lives is not forgotten for that, unless it is known as that one's, too. */
bool colony__look_is_replaced(const struct colony__look *look, const struct colony__row *row)
{
    int pidfd;

    for (size_t i = 0; i < look->entries.count; i++) {
        const struct colony__etc_entry *entry = &look->entries.items[i];

        if (entry->owner != ETC_UNOWNED || !entry->parsed.name ||
            strcmp(entry->base, colony_session_process_title(&row->process)) != 0)
            continue;
        pidfd = colony_session_process_pidfd(&row->process);
        if (pidfd >= 0)
            (void)close(pidfd);
        return pidfd < 0 ||
               colony__life_read_pid(look->workspace, entry->parsed.name) == row->process.pid;
    }
    return false;
}

void colony__look_drop_replaced(struct colony__look *look, const struct colony__row *row)
{
    const char *name = row->process.name;
    struct colony_error err;
    int rc;

    look->is_unsettled = true;
    if (!look->settles)
        return;
    rc = colony__database_remove(look->workspace, name, &err);
    colony__look_tell_failure(look, rc, &err);
    if (rc == 0)
        colony__look_complain(
            look,
            "%s/" DATABASE_PATH " had a process %s whose file etc/%s.yaml is of another: it is "
            "dropped, and what the file says counts",
            look->workspace->path, name, colony_session_process_title(&row->process));
}

/* They are made again from their files, if they have such. What they say is not repeated: it may
 * be anything. */
void colony__look_drop_unsound(struct colony__look *look)
{
    size_t count = look->rows.unsound_count;
    struct colony_error err;
    int rc = 0;

    look->is_unsettled |= count > 0;
    if (!look->settles || count == 0)
        return;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = colony__database_drop(look->workspace, look->rows.unsound[i], &err);
    colony__look_tell_failure(look, rc, &err);
    if (rc == 0)
        colony__look_complain(look,
                              "%s/" DATABASE_PATH
                              " had %zu %s with a name or alias that none can have: dropped, and "
                              "made again from etc",
                              look->workspace->path, count, count == 1 ? "process" : "processes");
}

/* --- pid files ----------------------------------------------------------------------------------
 */

/* The row says that it is down, the pid file that it is @pid. True: it is, and the row says so from
 * now on. */
static bool adopt(struct colony__look *look, struct colony_session_process *process, pid_t pid)
{
    struct colony_error err;
    char *state;
    int rc;

    if (colony_session_process_is_alive(process))
        return false;
    state = strdup(COLONY_STATE_RUNNING);
    if (!state || colony__life_adopt(process, pid) != 1) {
        free(state);
        return false;
    }
    free(process->state);
    process->state = state;
    look->is_unsettled = true;
    if (!look->settles)
        return true;
    rc = colony__database_put_life(look->workspace, process, &err);
    colony__look_tell_failure(look, rc, &err);
    if (rc == 0)
        colony__look_complain(
            look,
            "%s/" DATABASE_PATH " did not say that %s runs as pid %ld, as its pid file does: noted",
            look->workspace->path, colony_session_process_title(process), (long)pid);
    return true;
}

/* A command takes the pid file away before it changes the row, and writes it after (put_life): one
 * that says something else than the row is right, or of a row that somebody else changed. */
void colony__look_settle_pid(struct colony__look *look, struct colony_session_process *process)
{
    pid_t pid = colony__life_read_pid(look->workspace, process->name);
    char path[WORKSPACE_PATH_MAX];
    struct colony_error err;
    bool is_there;

    if (pid > 0 && (pid != process->pid || process->start_ticks == 0) && adopt(look, process, pid))
        return;
    (void)snprintf(path, sizeof path, "pid/%s.pid", process->name);
    is_there = faccessat(look->workspace->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (is_there == (process->pid > 0) && pid == process->pid)
        return;
    look->is_unsettled = true;
    if (look->settles)
        colony__look_tell_failure(
            look, colony__session_write_pid(look->workspace, process->name, process->pid, &err),
            &err);
}
