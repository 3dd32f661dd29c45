/* SPDX-License-Identifier: Apache-2.0 */
/* spaces.h - what tests of sessions share: a workspace of their own, and its files. */
#ifndef COLONY_TESTS_SESSION_SPACES_H
#define COLONY_TESTS_SESSION_SPACES_H

#include "../scratch.h"

#include "core/error.h"
#include "session/process.h"
#include "session/workspace.h"

enum {
    PROBLEMS_MAX = 16,
    TEXT_MAX = 4096,
};

struct space {
    struct scratch scratch;
    struct colony_workspace *workspace;
    char problems[PROBLEMS_MAX][COLONY_ERROR_TEXT_MAX + 64];
    size_t problem_count;
    struct colony_error err;
};

static inline void space_init(struct space *space)
{
    size_t added;

    *space = (struct space){0};
    scratch_init(&space->scratch);
    assert_int_equal(colony_workspace_init(space->scratch.path, &added, &space->err), 0);
    assert_int_equal(colony_workspace_open(&space->workspace, space->scratch.path, &space->err), 0);
}

static inline void space_clear(struct space *space)
{
    colony_workspace_close(space->workspace);
    scratch_clear(&space->scratch);
}

/* As another command would find it. */
static inline void space_reopen(struct space *space)
{
    colony_workspace_close(space->workspace);
    assert_int_equal(colony_workspace_open(&space->workspace, space->scratch.path, &space->err), 0);
}

static inline void space_write(struct space *space, const char *path, const char *text)
{
    int fd = openat(space->scratch.fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

/* In static memory; NULL: there is none. */
static inline const char *space_read(struct space *space, const char *path)
{
    static char text[TEXT_MAX];
    int fd = openat(space->scratch.fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t count;

    if (fd < 0)
        return NULL;
    count = read(fd, text, sizeof text - 1);
    (void)close(fd);
    assert_true(count >= 0);
    text[count] = '\0';
    return text;
}

static inline bool space_has(struct space *space, const char *path)
{
    return faccessat(space->scratch.fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void space_on_problem(const char *line, void *data)
{
    struct space *space = data;

    if (space->problem_count < PROBLEMS_MAX)
        (void)snprintf(space->problems[space->problem_count++], sizeof space->problems[0], "%s",
                       line);
}

static inline void space_list(struct space *space, struct colony_session_list *list)
{
    space->problem_count = 0;
    if (colony_session_list_read(list, space->workspace, space_on_problem, space, &space->err) < 0)
        fail_msg("%s", space->err.message);
}

/* `sleep SECONDS` called @name. */
static inline int space_put(struct space *space, const char *name, const char *alias,
                            const char *seconds)
{
    char uri[128];
    char *cmdline[] = {"/bin/sleep", (char *)seconds, NULL};
    struct colony_session_process process = {
        .name = (char *)name,
        .alias = (char *)alias,
        .uri = uri,
        .state = COLONY_STATE_STOPPED,
        .cmdline = cmdline,
    };

    (void)snprintf(uri, sizeof uri, "exec:///bin/sleep?%s", seconds);
    return colony_session_process_put(space->workspace, &process, &space->err);
}

#endif
