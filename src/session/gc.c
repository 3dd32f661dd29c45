/* SPDX-License-Identifier: Apache-2.0 */
#include "session/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/process.h"
#include "session/process_internal.h"
#include "session/process_write_internal.h"
#include "session/workspace_internal.h"

/* Why a file may go; NULL: it stays. */
typedef const char *(*judge_cb)(const char *name, void *data);

struct sweep {
    struct colony_workspace *workspace;
    struct colony_session_gc *gc; /* NULL: all that may go goes without a word */
    judge_cb judge;
    void *data;
};

static int sweep_file(const struct sweep *sweep, const char *folder, const char *name,
                      struct colony_error *err)
{
    const char *why = sweep->judge(name, sweep->data);
    char path[WORKSPACE_PATH_MAX];

    if (!why || (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return 0;
    if (sweep->gc) {
        sweep->gc->count++;
        sweep->gc->tell(path, why, sweep->gc->data);
    }
    return sweep->gc && sweep->gc->is_trial ? 0
                                            : colony__workspace_unlink(sweep->workspace, path, err);
}

static int sweep_folder(const struct sweep *sweep, const char *name, struct colony_error *err)
{
    int fd = openat(sweep->workspace->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *file;
    int rc = 0;

    if (!folder) {
        rc = -errno;
        if (fd >= 0)
            (void)close(fd);
        return colony_fail_os(err, rc, "cannot read %s/%s", sweep->workspace->path, name);
    }
    while (rc == 0 && (file = readdir(folder)) != NULL)
        if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0)
            rc = sweep_file(sweep, name, file->d_name, err);
    (void)closedir(folder);
    return rc;
}

static bool has_end(const char *name, const char *end)
{
    size_t length = strlen(name);

    return length > strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

/* Names have no dots (colony__session_name_check_own). */
static bool is_of(const char *file, const char *name)
{
    size_t length = strlen(name);

    return strncmp(file, name, length) == 0 && file[length] == '.';
}

/* --- the fingerprints of one --------------------------------------------------------------------
 */

static const char *judge_fingerprint_of(const char *file, void *data)
{
    return is_of(file, data) ? "" : NULL;
}

int colony__session_remove_fingerprints(struct colony_workspace *workspace, const char *name,
                                        struct colony_error *err)
{
    char copy[WORKSPACE_PATH_MAX];
    const struct sweep sweep = {
        .workspace = workspace,
        .judge = judge_fingerprint_of,
        .data = copy,
    };

    (void)snprintf(copy, sizeof copy, "%s", name);
    return sweep_folder(&sweep, "fp", err);
}

/* --- all ----------------------------------------------------------------------------------------
 */

static int compare_file(const void *file, const void *process)
{
    const char *name = ((const struct colony_session_process *)process)->name;
    size_t length = strcspn(file, ".");
    int order = strncmp(file, name, length);

    return order != 0 ? order : name[length] == '\0' ? 0 : -1;
}

static struct colony_session_process *find_owner(const struct colony_session_list *list,
                                                 const char *file)
{
    return list->count > 0
               ? bsearch(file, list->items, list->count, sizeof *list->items, compare_file)
               : NULL;
}

static const char *judge_leftover(const char *file, void *data)
{
    (void)data;
    return has_end(file, WORKSPACE_FRESH) ? "its writer was killed" : NULL;
}

static const char *judge_fingerprint(const char *file, void *data)
{
    if (has_end(file, WORKSPACE_FRESH))
        return "its writer was killed";
    return find_owner(data, file) ? NULL : "of no process of this session";
}

/* list_read() has seen to those of processes. */
static const char *judge_pid(const char *file, void *data)
{
    if (has_end(file, WORKSPACE_FRESH))
        return "its writer was killed";
    return find_owner(data, file) ? NULL : "of no process of this session";
}

static bool has_ended(const struct colony_session_process *process)
{
    int fd;

    if (process->pid == 0)
        return false;
    fd = colony_session_process_pidfd(process);
    if (fd >= 0)
        (void)close(fd);
    return fd == -ESRCH;
}

/* Those that have ended are noted as stopped, which takes their pid files with it. */
static int sweep_ended(struct colony_workspace *workspace, struct colony_session_gc *gc,
                       const struct colony_session_list *list, struct colony_error *err)
{
    char stopped[] = COLONY_STATE_STOPPED;
    char path[WORKSPACE_PATH_MAX];
    int rc = 0;

    for (size_t i = 0; i < list->count && rc == 0; i++) {
        const struct colony_session_process ended = {.name = list->items[i].name, .state = stopped};

        if (!has_ended(&list->items[i]))
            continue;
        (void)snprintf(path, sizeof path, "pid/%s.pid", ended.name);
        gc->count++;
        gc->tell(path, "the process has ended", gc->data);
        if (!gc->is_trial)
            rc = colony_session_process_put_life(workspace, &ended, 1, err);
    }
    return rc;
}

static int sweep_all(struct colony_workspace *workspace, struct colony_session_gc *gc,
                     struct colony_session_list *list, struct colony_error *err)
{
    static const struct {
        const char *folder;
        judge_cb judge;
    } folders[] = {
        {"bin", judge_leftover},
        {"etc", judge_leftover},
        {"fp", judge_fingerprint},
        {"pid", judge_pid},
    };
    int rc = sweep_ended(workspace, gc, list, err);

    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && rc == 0; i++) {
        const struct sweep sweep = {
            .workspace = workspace,
            .gc = gc,
            .judge = folders[i].judge,
            .data = list,
        };

        rc = sweep_folder(&sweep, folders[i].folder, err);
    }
    return rc;
}

int colony_session_gc(struct colony_workspace *workspace, struct colony_session_gc *gc,
                      struct colony_error *err)
{
    struct colony_session_list list = {0};
    int rc = colony_workspace_lock(workspace, WORKSPACE_WAIT_MS, err);

    gc->count = 0;
    if (rc < 0)
        return rc;
    rc = colony_session_list_read(&list, workspace, gc->problem, gc->data, err);
    if (rc == 0)
        rc = sweep_all(workspace, gc, &list, err);
    colony_session_list_clear(&list);
    colony_workspace_unlock(workspace);
    return rc;
}
