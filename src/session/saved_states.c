/* SPDX-License-Identifier: Apache-2.0 */
#include "session/saved_states.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/fingerprint.h"
#include "session/process.h"
#include "session/workspace_internal.h"

enum {
    STATES_MAX = 1000, /* of one process */
};

struct loading {
    struct colony_saved_states *out;
    struct colony_workspace *workspace;
    const struct colony_session_list *list;
    void (*problem)(const char *line, void *data);
    void *data;
};

/* Names have no dots, so a file's is what stands before the first one. */
static int compare_name(const void *file, const void *process)
{
    const char *name = ((const struct colony_session_process *)process)->name;
    size_t length = strcspn(file, ".");
    int order = strncmp(file, name, length);

    return order != 0 ? order : name[length] == '\0' ? 0 : -1;
}

/* "STATE" of "NAME.STATE.yaml" or gutools' "NAME.STATE.fp", to be freed; NULL: it is another file.
 */
static char *state_of(const char *file)
{
    static const char *const ends[] = {".yaml", ".fp"};
    const char *state = strchr(file, '.');
    size_t length = state ? strlen(++state) : 0;

    for (size_t i = 0; state && i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i]);

        if (length > end && strcmp(state + length - end, ends[i]) == 0)
            return strndup(state, length - end);
    }
    return NULL;
}

static bool has_state(const struct colony_saved_states *states, const char *state)
{
    for (size_t i = 0; i < states->count; i++)
        if (strcmp(states->items[i].state, state) == 0)
            return true;
    return false;
}

/* Takes ownership of @state. */
static int add_state(const struct loading *loading, struct colony_saved_states *states,
                     const char *name, char *state)
{
    struct colony_saved_state added = {.state = state};
    struct colony_error reason = {0};
    void *items = NULL;
    int rc = 0;

    if (!has_state(states, state) && states->count < STATES_MAX) {
        rc = colony_fingerprint_load(&added.fingerprint, loading->workspace, name, state, &reason);
        if (rc == 0) {
            items = reallocarray(states->items, states->count + 1, sizeof added);
            rc = items ? 0 : -ENOMEM;
        }
        if (rc < 0 && rc != -ENOENT && rc != -ENOMEM && loading->problem)
            loading->problem(reason.message, loading->data);
    }
    if (!items) {
        colony_fingerprint_clear(&added.fingerprint);
        free(state);
        return rc == -ENOMEM ? rc : 0;
    }
    states->items = items;
    states->items[states->count++] = added;
    return 0;
}

static int read_folder(const struct loading *loading, DIR *folder)
{
    for (;;) {
        const struct colony_session_process *process;
        const struct dirent *file;
        char *state;
        int rc;

        errno = 0;
        file = readdir(folder);
        if (!file)
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the state is in @out */
            return -errno;
        process = bsearch(file->d_name, loading->list->items, loading->list->count, sizeof *process,
                          compare_name);
        state = process ? state_of(file->d_name) : NULL;
        if (!state)
            continue;
        rc =
            add_state(loading, &loading->out[process - loading->list->items], process->name, state);
        if (rc < 0)
            return rc;
    }
}

static int compare_states(const void *left, const void *right)
{
    return strcmp(((const struct colony_saved_state *)left)->state,
                  ((const struct colony_saved_state *)right)->state);
}

/* NOLINTNEXTLINE(readability-function-size): two of them are a callback and its data */
int colony_saved_states_load_all(struct colony_saved_states *out,
                                 struct colony_workspace *workspace,
                                 const struct colony_session_list *list,
                                 void (*problem)(const char *line, void *data), void *data,
                                 struct colony_error *err)
{
    const struct loading loading = {out, workspace, list, problem, data};
    int fd = openat(workspace->fd, "fp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    int rc = folder ? 0 : -errno;

    memset(out, 0, list->count * sizeof *out);
    if (folder) {
        rc = list->count > 0 ? read_folder(&loading, folder) : 0;
        (void)closedir(folder);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (rc < 0)
            colony_saved_states_clear(&out[i]);
        else if (out[i].count > 1)
            qsort(out[i].items, out[i].count, sizeof *out[i].items, compare_states);
    }
    return rc < 0 ? colony_fail_os(err, rc, "cannot read %s/fp", workspace->path) : 0;
}
