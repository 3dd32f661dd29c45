/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_states.c - which states living processes are in: their fingerprints are taken one after the
 * other and compared with what was saved, which is read again only when something was saved since.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <uthash.h>

#include "core/table.h"
#include "session/job_internal.h"
#include "session/state.h"
#include "session/workspace.h"

enum {
    LOCK_MS = 2000,
};

struct watched {
    char *name;
    pid_t pid;
    struct colony_live_state live;
    struct colony_saved_states saved;
    bool has_saved;  /* they were read */
    bool is_printed; /* its fingerprint is written down */
    UT_hash_handle hh;
};

/* What was read of /proc/net, for all processes of one namespace. */
struct sockets {
    struct colony_socket_table *table;
    ino_t namespace;
};

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity): the macros of
   uthash are counted as if written here */
static void forget(struct session_job *job, struct watched *watched)
{
    HASH_DEL(job->watched, watched);
    colony_live_state_clear(&watched->live);
    colony_saved_states_clear(&watched->saved);
    free(watched->name);
    free(watched);
}

static struct watched *find(struct session_job *job, const char *name)
{
    struct watched *watched;

    HASH_FIND_STR(job->watched, name, watched);
    return watched;
}

static struct watched *add(struct session_job *job, const char *name)
{
    struct watched *watched = calloc(1, sizeof *watched);

    if (watched)
        watched->name = strdup(name);
    if (!watched || !watched->name) {
        free(watched);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, job->watched, watched->name, strlen(watched->name), watched);
    return watched;
}
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity) */

void session_job_forget_states(struct session_job *job)
{
    while (job->watched)
        forget(job, job->watched);
}

/* What has been taken out of the workspace. */
void session_job_forget_others(struct session_job *job, const struct colony_session_list *list)
{
    struct watched *next;

    for (struct watched *watched = job->watched; watched; watched = next) {
        next = watched->hh.next;
        if (!colony_session_list_find(list, watched->name))
            forget(job, watched);
    }
}

/* Of @life's process, and of no other: NULL: no memory. */
static struct watched *watch(struct session_job *job, const struct session_life *life)
{
    struct watched *watched = find(job, life->name);

    if (!watched)
        watched = add(job, life->name);
    if (watched && watched->pid != life->pid) {
        colony_live_state_clear(&watched->live);
        watched->pid = life->pid;
        watched->is_printed = false;
    }
    if (watched && life->is_settled)
        colony_live_state_settle(&watched->live);
    return watched;
}

/* Whoever saves one replaces a file, so the folder has changed. */
static void drop_saved_if_changed(struct session_job *job)
{
    struct stat info;
    int64_t at_ns = -1;

    if (fstatat(colony_workspace_fd(job->workspace), "fp", &info, 0) == 0)
        at_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
    if (at_ns == job->saved_at_ns)
        return;
    job->saved_at_ns = at_ns;
    for (struct watched *watched = job->watched; watched; watched = watched->hh.next) {
        colony_saved_states_clear(&watched->saved);
        watched->has_saved = false;
    }
}

static void read_saved(struct session_job *job, struct watched *watched)
{
    if (watched->has_saved)
        return;
    colony_saved_states_clear(&watched->saved);
    if (colony_saved_states_load(&watched->saved, job->workspace, watched->name, &job->err) < 0) {
        watched->saved = (struct colony_saved_states){0};
        job->rc = job->err.code;
    }
    watched->has_saved = true; /* what cannot be read is told, and not again until it changes */
}

/* NULL: those of @pid are read for it alone. */
static const struct colony_socket_table *sockets_of(struct sockets *sockets, pid_t pid)
{
    char path[64];
    struct stat info;

    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
    if (stat(path, &info) < 0)
        return NULL;
    if (sockets->table && sockets->namespace == info.st_ino)
        return sockets->table;
    colony_socket_table_free(sockets->table);
    sockets->table = NULL;
    sockets->namespace = info.st_ino;
    if (colony_socket_table_read(&sockets->table, pid, NULL) < 0)
        sockets->table = NULL;
    return sockets->table;
}

/* Once it is what it will be like: by this it is found when its pid is not known. */
static void print(struct session_job *job, struct watched *watched)
{
    if (watched->is_printed || colony_workspace_lock(job->workspace, LOCK_MS, NULL) < 0)
        return;
    watched->is_printed = colony_fingerprint_save(&watched->live.last, job->workspace,
                                                  watched->name, NULL, &job->err) == 0;
    colony_workspace_unlock(job->workspace);
}

static bool is_there(const struct session_life *life)
{
    uint64_t ticks = colony_proc_start_ticks(life->pid);

    return ticks != 0 && (life->start_ticks == 0 || life->start_ticks == ticks);
}

static void look_at(struct session_job *job, struct session_life *life, struct sockets *sockets)
{
    struct watched *watched = watch(job, life);
    struct colony_fingerprint now = {0};
    struct colony_state_look look = {.now = &now, .period_ms = job->period_ms};
    const char *state;
    uint64_t due_ms;
    char *copy;

    life->is_gone =
        !watched || !is_there(life) ||
        colony_fingerprint_take(&now, life->pid, sockets_of(sockets, life->pid), NULL) < 0 ||
        !is_there(life);
    if (life->is_gone) {
        colony_fingerprint_clear(&now);
        return;
    }
    read_saved(job, watched);
    look.now_ms = colony_boot_now_ns() / 1000000;
    state = colony_live_state_look(&watched->live, &watched->saved, &look);
    copy = strdup(state);
    if (copy) {
        free(life->state);
        life->state = copy;
    }
    if (watched->live.is_settled)
        print(job, watched);
    due_ms = colony_live_state_due_ms(&watched->live, look.now_ms, job->period_ms);
    if (due_ms < job->due_ms)
        job->due_ms = due_ms;
}

void session_job_look_at_states(struct session_job *job)
{
    struct sockets sockets = {0};

    job->due_ms = UINT64_MAX;
    drop_saved_if_changed(job);
    for (size_t i = 0; i < job->life_count; i++)
        look_at(job, &job->lives[i], &sockets);
    colony_socket_table_free(sockets.table);
}
