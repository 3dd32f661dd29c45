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
#include "session/saved_states.h"
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

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of
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
/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */

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

/* Whoever saves one replaces a file, so the folder changes. */
static int64_t saved_at_ns(const struct session_job *job)
{
    struct stat info;

    if (fstatat(colony_workspace_fd(job->workspace), "fp", &info, 0) < 0)
        return -1;
    return (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
}

static void drop_saved_if_changed(struct session_job *job)
{
    int64_t at_ns = saved_at_ns(job);

    if (at_ns == job->saved_at_ns)
        return;
    job->saved_at_ns = at_ns;
    for (struct watched *watched = job->watched; watched; watched = watched->hh.next) {
        colony_saved_states_clear(&watched->saved);
        watched->has_saved = false;
    }
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const struct colony_session_process *)left)->name,
                  ((const struct colony_session_process *)right)->name);
}

/* What cannot be read is told, and not again until it changes. */
static void on_problem(const char *line, void *data)
{
    struct session_job *job = data;

    job->rc = colony_fail(&job->err, -EINVAL, "%s", line);
}

/* Of @list, whose names are those of watched ones. */
static void read_saved_of(struct session_job *job, const struct colony_session_list *list)
{
    struct colony_saved_states *saved = calloc(list->count + 1, sizeof *saved);
    int rc = saved ? colony_saved_states_load_all(saved, job->workspace, list, on_problem, job,
                                                  &job->err)
                   : -ENOMEM;

    for (size_t i = 0; rc == 0 && i < list->count; i++) {
        struct watched *watched = find(job, list->items[i].name);

        watched->saved = saved[i];
        watched->has_saved = true;
    }
    if (rc < 0)
        job->rc = rc;
    free(saved);
}

/* Of all that are looked at and have none yet, by one look into the folder. */
static void read_saved(struct session_job *job)
{
    struct colony_session_list list = {0};

    list.items = calloc(job->life_count + 1, sizeof *list.items);
    if (!list.items)
        return; /* with the next look */
    for (size_t i = 0; i < job->life_count; i++) {
        struct watched *watched = watch(job, &job->lives[i]);

        if (watched && !watched->has_saved)
            list.items[list.count++].name = watched->name;
    }
    if (list.count > 0) {
        qsort(list.items, list.count, sizeof *list.items, compare_names);
        read_saved_of(job, &list);
    }
    free(list.items);
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

static bool is_printed_already(const struct session_job *job, const struct watched *watched)
{
    struct colony_fingerprint saved;
    bool is_equal;

    if (colony_fingerprint_load(&saved, job->workspace, watched->name, NULL, NULL) < 0)
        return false;
    is_equal = colony_fingerprint_is_equal(&saved, &watched->live.last);
    colony_fingerprint_clear(&saved);
    return is_equal;
}

/* Once it is what it will be like: by this it is found when its pid is not known. */
static void print(struct session_job *job, struct watched *watched)
{
    bool was_read;

    if (watched->is_printed)
        return;
    watched->is_printed = is_printed_already(job, watched);
    if (watched->is_printed || colony_workspace_lock(job->workspace, LOCK_MS, NULL) < 0)
        return;
    was_read = saved_at_ns(job) == job->saved_at_ns;
    watched->is_printed = colony_fingerprint_save(&watched->live.last, job->workspace,
                                                  watched->name, NULL, &job->err) == 0;
    if (was_read)
        job->saved_at_ns = saved_at_ns(job); /* that was us: the states are as they were */
    colony_workspace_unlock(job->workspace);
}

static bool is_there(const struct session_life *life)
{
    uint64_t ticks = colony_proc_start_ticks(life->pid);

    return ticks != 0 && (life->start_ticks == 0 || life->start_ticks == ticks);
}

/* Only its end can change its state: it runs, and there is no other state it could be in. */
static bool is_at_rest(const struct watched *watched, const struct session_life *life)
{
    return watched && watched->has_saved && watched->saved.count == 0 && watched->is_printed &&
           watched->live.is_settled && strcmp(life->state, COLONY_STATE_RUNNING) == 0;
}

static void look_at(struct session_job *job, struct session_life *life, struct sockets *sockets)
{
    struct watched *watched = find(job, life->name);
    struct colony_fingerprint now = {0};
    struct colony_state_look look = {.now = &now, .period_ms = job->period_ms};
    const char *state;
    uint64_t due_ms;
    char *copy;

    if (is_at_rest(watched, life) && is_there(life)) {
        life->is_gone = false;
        return;
    }
    life->is_gone =
        !watched || !is_there(life) ||
        colony_fingerprint_take(&now, life->pid, sockets_of(sockets, life->pid), NULL) < 0 ||
        !is_there(life);
    if (life->is_gone) {
        colony_fingerprint_clear(&now);
        return;
    }
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
    read_saved(job);
    for (size_t i = 0; i < job->life_count; i++)
        look_at(job, &job->lives[i], &sockets);
    colony_socket_table_free(sockets.table);
}
