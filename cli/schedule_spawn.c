/* SPDX-License-Identifier: Apache-2.0 */
/* schedule_spawn.c - starts a command in a session of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schedule_internal.h"

/* Where a command is looked for when there is no PATH. */
static const char *const default_folders[] = {"/usr/local/bin", "/usr/bin", "/bin", NULL};

enum {
    PATH_BYTES_MAX = 4096,
};

extern char **environ;

/* The file of a bare name where there is no PATH; else the name itself. */
static const char *find_program(const char *name, char path[PATH_BYTES_MAX])
{
    if (strchr(name, '/') || getenv("PATH"))
        return name;
    for (size_t i = 0; default_folders[i]; i++) {
        int used = snprintf(path, PATH_BYTES_MAX, "%s/%s", default_folders[i], name);

        if (used > 0 && used < PATH_BYTES_MAX && access(path, X_OK) == 0)
            return path;
    }
    return NULL;
}

/* A session of its own, and no signal ignored or blocked on our account. A positive errno. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    int rc;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    return rc != 0 ? rc : posix_spawnattr_setsigdefault(attributes, &all);
}

static int set_actions(posix_spawn_file_actions_t *actions, const int ends[SCHEDULE_STREAMS])
{
    int rc = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    for (int i = 0; i < SCHEDULE_STREAMS && rc == 0; i++)
        rc = posix_spawn_file_actions_adddup2(actions, ends[i], i + 1);
    return rc;
}

int schedule_spawn(char *const *argv, const int ends[SCHEDULE_STREAMS], pid_t *pid)
{
    char path[PATH_BYTES_MAX];
    const char *program = find_program(argv[0], path);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc;

    if (!program)
        return -ENOENT;
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0)
        return -rc;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = set_attributes(&attributes);
        if (rc == 0)
            rc = set_actions(&actions, ends);
        if (rc == 0)
            rc = posix_spawnp(pid, program, &actions, &attributes, argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return -rc;
}
