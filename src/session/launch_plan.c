/* SPDX-License-Identifier: Apache-2.0 */
/* launch_plan.c - program, environment, folder and files of what is to be started. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "core/payload.h"
#include "session/launch_internal.h"
#include "session/owner_internal.h"
#include "session/process.h"
#include "session/workspace.h"

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* What is KEY=VALUE in @entry, by the same key as in @other? */
static bool is_same_key(const char *entry, const char *other)
{
    size_t length = strcspn(entry, "=");

    return strncmp(entry, other, length) == 0 && other[length] == '=';
}

static const char *find_variable(char *const *env, const char *entry)
{
    for (; env && *env; env++)
        if (is_same_key(*env, entry))
            return *env;
    return NULL;
}

static size_t count_of(char *const *items)
{
    size_t count = 0;

    while (items && items[count])
        count++;
    return count;
}

/* The caller's, but for what was given to it by its own manager; @own over that; and the mark. */
static int make_environment(char ***out, char *const *own, const char *mark,
                            struct colony_error *err)
{
    char **env = calloc(count_of(environ) + count_of(own) + 2, sizeof *env);
    size_t count = 0;

    if (!env)
        return colony_fail_os(err, -ENOMEM, "cannot make an environment");
    for (char **entry = environ; entry && *entry; entry++)
        if (strchr(*entry, '=') && !colony_payload_withholds(*entry) && !find_variable(own, *entry))
            env[count++] = *entry;
    for (char *const *entry = own; entry && *entry; entry++)
        if (!is_same_key(*entry, mark))
            env[count++] = *entry;
    env[count] = strdup(mark);
    if (!env[count]) {
        free(env);
        return colony_fail_os(err, -ENOMEM, "cannot make an environment");
    }
    *out = env;
    return 0;
}

/* Only the mark, which is last, is its own. */
static void free_environment(char **env)
{
    size_t count = count_of(env);

    if (count > 0)
        free(env[count - 1]);
    free(env);
}

static bool is_program(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* Of relative folders of PATH none is looked in: they would mean another file each time. */
static char *find_on_path(const char *name, char *const *env)
{
    const char *variable = find_variable(env, "PATH=");
    const char *path = variable ? variable + strlen("PATH=") : default_path;
    char file[PATH_MAX];

    for (;;) {
        size_t length = strcspn(path, ":");
        int size = snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name);

        if (*path == '/' && size < (int)sizeof file && is_program(file))
            return strdup(file);
        if (path[length] == '\0')
            break;
        path += length + 1;
    }
    errno = ENOENT;
    return NULL;
}

char *colony__launch_find_program(const char *name, char *const *env)
{
    return strchr(name, '/') ? strdup(name) : find_on_path(name, env);
}

static int find_program(struct colony__launch_plan *plan, struct colony_error *err)
{
    const char *name = plan->argv[0];

    if (*name == '\0')
        return colony_fail(err, -ENOENT,
                           "cannot start a program without a name (write its path "
                           "first in `cmdline` of its file in etc)");
    errno = ENOMEM;
    plan->program = colony__launch_find_program(name, plan->env);
    if (plan->program)
        return 0;
    if (errno == ENOENT)
        return colony_fail(err, -ENOENT, "cannot start %s: there is no such program on PATH", name);
    return colony_fail_os(err, -ENOMEM, "cannot start %s", name);
}

/* FOLDER/NAME.out, to be appended to: never a link, a pipe or, to root, somebody else's. */
static int open_output(struct colony_workspace *workspace, const char *folder, const char *name,
                       struct colony_error *err)
{
    char path[NAME_MAX + 16];
    struct stat info;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s.out", folder, name);
    fd = openat(colony_workspace_fd(workspace), path,
                O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                0600);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s/%s", colony_workspace_path(workspace),
                              path);
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
        fcntl(fd, F_SETFL, O_APPEND) < 0) {
        (void)close(fd);
        return colony_fail(err, -EPERM,
                           "cannot write to %s/%s: it is no file of ours (move it away)",
                           colony_workspace_path(workspace), path);
    }
    return fd;
}

static int open_files(struct colony__launch_plan *plan, struct colony_workspace *workspace,
                      const char *name, struct colony_error *err)
{
    plan->fds[LAUNCH_STDIN] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (plan->fds[LAUNCH_STDIN] < 0)
        return colony_fail_os(err, -errno, "cannot open /dev/null");
    plan->fds[LAUNCH_STDOUT] = open_output(workspace, "out", name, err);
    if (plan->fds[LAUNCH_STDOUT] < 0)
        return plan->fds[LAUNCH_STDOUT];
    plan->fds[LAUNCH_STDERR] = open_output(workspace, "err", name, err);
    return plan->fds[LAUNCH_STDERR] < 0 ? plan->fds[LAUNCH_STDERR] : 0;
}

int colony__launch_plan_init(struct colony__launch_plan *plan, struct colony_workspace *workspace,
                             const struct colony_session_process *process, struct colony_error *err)
{
    char instance[COLONY_INSTANCE_SIZE];
    char mark[sizeof "COLONY_ID=" + LAUNCH_MARK_SIZE];
    int rc;

    *plan = (struct colony__launch_plan){.fds = {-1, -1, -1, -1, -1}};
    if (!process->cmdline || !process->cmdline[0])
        return colony_fail(err, -ENOENT,
                           "cannot start %s: its command line is not known (write `cmdline: "
                           "[PROGRAM, ARGUMENT]` in its file in etc)",
                           colony_session_process_title(process));
    rc = colony__owner_identity(&plan->identity, process, err);
    if (rc < 0)
        return rc;
    plan->argv = process->cmdline;
    plan->cwd = process->cwd ? process->cwd : colony_workspace_path(workspace);
    rc = colony__launch_instance(workspace, instance, err);
    if (rc < 0)
        return rc;
    (void)snprintf(mark, sizeof mark, "COLONY_ID=%s/%s/1", instance, process->name);
    rc = make_environment(&plan->env, process->env, mark, err);
    if (rc == 0)
        rc = find_program(plan, err);
    if (rc == 0)
        rc = open_files(plan, workspace, process->name, err);
    if (rc < 0)
        colony__launch_plan_clear(plan);
    return rc;
}

void colony__launch_plan_clear(struct colony__launch_plan *plan)
{
    free(plan->program);
    free_environment(plan->env);
    for (size_t i = 0; i < LAUNCH_FDS; i++)
        if (plan->fds[i] >= 0)
            (void)close(plan->fds[i]);
    *plan = (struct colony__launch_plan){.fds = {-1, -1, -1, -1, -1}};
}
