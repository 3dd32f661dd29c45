/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint_file.c - the files of fp/: what a process was like when it was seen last, and in the
 * states that people gave names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "session/fingerprint_internal.h"
#include "session/state.h"
#include "session/workspace_internal.h"

enum {
    STATES_MAX = 1000, /* of one process */
};

#define FOLDER "fp"
#define ENDING ".yaml"
#define OLD_ENDING ".fp" /* gutools' */

static int make_path(char path[WORKSPACE_PATH_MAX], const char *name, const char *state,
                     const char *ending)
{
    int length = snprintf(path, WORKSPACE_PATH_MAX, FOLDER "/%s%s%s%s", name, state ? "." : "",
                          state ? state : "", ending);

    return length < 0 || length >= WORKSPACE_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int fail_name(struct colony_error *err, const char *name)
{
    return colony_fail(err, -ENAMETOOLONG, "cannot name a fingerprint of %s: the name is too long",
                       name);
}

/* --- one of them ------------------------------------------------------------------------------ */

static int load(struct colony_fingerprint *out, struct colony_workspace *workspace,
                const char *path, struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    char shown[PATH_MAX + WORKSPACE_PATH_MAX];
    int rc = colony__workspace_read(workspace, path, &text, &size, err);

    if (rc < 0)
        return rc;
    (void)snprintf(shown, sizeof shown, "%s/%s", workspace->path, path);
    rc = colony__fingerprint_parse(out, text, size, shown, err);
    free(text);
    return rc;
}

int colony_fingerprint_save(const struct colony_fingerprint *fingerprint,
                            struct colony_workspace *workspace, const char *name, const char *state,
                            struct colony_error *err)
{
    char path[WORKSPACE_PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    int rc = make_path(path, name, state, ENDING);

    if (rc < 0)
        return fail_name(err, name);
    rc = colony_fingerprint_format(fingerprint, &text, &size);
    if (rc == -E2BIG)
        return colony_fail(err, rc, "cannot write %s/%s: it would be larger than 16 MiB",
                           workspace->path, path);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot write %s/%s", workspace->path, path);
    rc = colony__workspace_write(workspace, path, text, err);
    free(text);
    return rc;
}

static bool is_output(const struct colony_workspace *workspace, const char *folder,
                      const char *name, const char *file)
{
    char path[PATH_MAX + WORKSPACE_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/%s/%s.out", workspace->path, folder, name);
    return strcmp(file, path) == 0;
}

/* What gutools had its processes write to is the session's own business (fingerprint_take.c). */
static void drop_outputs(struct colony_fingerprint *fingerprint,
                         const struct colony_workspace *workspace, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < fingerprint->fields[FIELD_FILES].count; i++) {
        char *file = fingerprint->fields[FIELD_FILES].items[i];

        if (is_output(workspace, "out", name, file) || is_output(workspace, "err", name, file))
            free(file);
        else
            fingerprint->fields[FIELD_FILES].items[kept++] = file;
    }
    fingerprint->fields[FIELD_FILES].count = kept;
}

/* Whoever finds an old one writes it anew, unless a command that changes the workspace runs: then
 * the next does. */
static int load_old(struct colony_fingerprint *out, struct colony_workspace *workspace,
                    const char *name, const char *state, struct colony_error *err)
{
    char path[WORKSPACE_PATH_MAX];
    int rc = make_path(path, name, state, OLD_ENDING);

    if (rc < 0)
        return fail_name(err, name);
    rc = load(out, workspace, path, err);
    if (rc < 0)
        return rc;
    drop_outputs(out, workspace, name);
    if (colony_workspace_lock(workspace, 0, NULL) < 0)
        return 0;
    if (colony_fingerprint_save(out, workspace, name, state, NULL) == 0)
        (void)colony__workspace_unlink(workspace, path, NULL);
    colony_workspace_unlock(workspace);
    return 0;
}

int colony_fingerprint_load(struct colony_fingerprint *out, struct colony_workspace *workspace,
                            const char *name, const char *state, struct colony_error *err)
{
    char path[WORKSPACE_PATH_MAX];
    struct colony_error old;
    int rc = make_path(path, name, state, ENDING);

    if (rc < 0)
        return fail_name(err, name);
    rc = load(out, workspace, path, err);
    if (rc != -ENOENT)
        return rc;
    rc = load_old(out, workspace, name, state, &old);
    if (rc < 0 && rc != -ENOENT && err)
        *err = old;
    return rc;
}

/* --- all states of one ------------------------------------------------------------------------ */

/* The state in "NAME.STATE.yaml"; the caller frees it. NULL: it is no such file, or no memory. */
static char *state_of(const char *file, const char *name, const char *ending)
{
    size_t begin = strlen(name) + 1;
    size_t length = strlen(file);
    size_t end = strlen(ending);

    if (length <= begin + end || strncmp(file, name, begin - 1) != 0 || file[begin - 1] != '.' ||
        strcmp(file + length - end, ending) != 0)
        return NULL;
    return strndup(file + begin, length - begin - end);
}

static bool has_state(const struct colony_saved_states *states, const char *state)
{
    for (size_t i = 0; i < states->count; i++)
        if (strcmp(states->items[i].state, state) == 0)
            return true;
    return false;
}

/* Takes over @state. */
static int add_state(struct colony_saved_states *states, size_t *capacity, char *state)
{
    struct colony_saved_state *room;

    if (has_state(states, state) || colony_session_state_check(state, NULL) < 0) {
        free(state);
        return 0;
    }
    room = colony_array_room(states->items, states->count, capacity, sizeof *states->items);
    if (!room || states->count == STATES_MAX) {
        free(state);
        states->items = room ? room : states->items;
        return room ? -E2BIG : -ENOMEM;
    }
    states->items = room;
    states->items[states->count++] = (struct colony_saved_state){.state = state};
    return 0;
}

static int list_states(struct colony_saved_states *states, DIR *folder, const char *name)
{
    size_t capacity = 0;
    struct dirent *entry;
    int rc = 0;

    while (rc == 0 && (errno = 0, entry = readdir(folder))) {
        char *state = state_of(entry->d_name, name, ENDING);

        if (!state)
            state = state_of(entry->d_name, name, OLD_ENDING);
        if (state)
            rc = add_state(states, &capacity, state);
    }
    return rc < 0 ? rc : -errno;
}

static int open_folder(struct colony_workspace *workspace, DIR **out)
{
    int fd = openat(workspace->fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    *out = fdopendir(fd);
    if (*out)
        return 0;
    rc = -errno;
    (void)close(fd);
    return rc;
}

static int compare_states(const void *left, const void *right)
{
    return strcmp(((const struct colony_saved_state *)left)->state,
                  ((const struct colony_saved_state *)right)->state);
}

/* One that cannot be used is left out, and the first such is told: a file that somebody broke takes
 * one state away, not the process. One that is gone by now is none. */
static int load_states(struct colony_saved_states *states, struct colony_workspace *workspace,
                       const char *name)
{
    size_t kept = 0;
    int rc = 0;

    for (size_t i = 0; i < states->count; i++) {
        struct colony_saved_state *item = &states->items[i];
        struct colony_error reason = {0};
        int loaded =
            colony_fingerprint_load(&item->fingerprint, workspace, name, item->state, &reason);

        if (loaded == 0) {
            states->items[kept++] = *item;
            continue;
        }
        free(item->state);
        if (loaded == -ENOMEM)
            rc = loaded;
        else if (loaded != -ENOENT && !states->problem)
            states->problem = strdup(reason.message);
    }
    states->count = kept;
    return rc;
}

int colony_saved_states_load(struct colony_saved_states *out, struct colony_workspace *workspace,
                             const char *name, struct colony_error *err)
{
    struct colony_saved_states states = {0};
    DIR *folder = NULL;
    int rc = open_folder(workspace, &folder);

    if (rc == -ENOENT) {
        *out = states;
        return 0;
    }
    if (rc == 0 && folder) {
        rc = list_states(&states, folder, name);
        (void)closedir(folder);
    }
    if (rc == -E2BIG)
        (void)colony_fail(err, rc, "cannot read the states of %s: there are more than %d", name,
                          (int)STATES_MAX);
    else if (rc < 0)
        (void)colony_fail_os(err, rc, "cannot read the states of %s in %s/" FOLDER, name,
                             workspace->path);
    else
        rc = load_states(&states, workspace, name);
    if (rc == -ENOMEM)
        (void)colony_fail_os(err, rc, "cannot read the states of %s", name);
    if (rc < 0) {
        colony_saved_states_clear(&states);
        return rc;
    }
    if (states.count > 1)
        qsort(states.items, states.count, sizeof *states.items, compare_states);
    *out = states;
    return 0;
}

void colony_saved_states_clear(struct colony_saved_states *states)
{
    for (size_t i = 0; i < states->count; i++) {
        free(states->items[i].state);
        colony_fingerprint_clear(&states->items[i].fingerprint);
    }
    free(states->items);
    free(states->problem);
    *states = (struct colony_saved_states){0};
}
