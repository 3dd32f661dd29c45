/* SPDX-License-Identifier: Apache-2.0 */
/* process_life.c - which living process is one of the session, where the row does not say so. */
#include "session/process_life_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/sweep.h"
#include "core/table.h"
#include "session/launch.h"
#include "session/launch_internal.h"
#include "session/process.h"
#include "session/workspace_internal.h"

enum {
    CMDLINE_BYTES_MAX = 2 << 20,
};

pid_t colony__life_read_pid(struct colony_workspace *workspace, const char *name)
{
    char path[WORKSPACE_PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    long pid = 0;

    (void)snprintf(path, sizeof path, "pid/%s.pid", name);
    if (colony__workspace_read(workspace, path, &text, &size, NULL) == 0)
        pid = strtol(text, NULL, 10);
    free(text);
    return pid > 1 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

/* All that is left of @live, of @size bytes, are @arguments. */
static bool is_rest(const char *live, size_t size, char *const *arguments)
{
    for (; *arguments; arguments++) {
        size_t length = strlen(*arguments) + 1;

        if (length > size || memcmp(live, *arguments, length) != 0)
            return false;
        live += length;
        size -= length;
    }
    return size == 0;
}

/* The program is @path, by whatever name it calls itself: attach writes the one for the other. */
static bool is_program(pid_t pid, const char *path)
{
    char link[64];
    char program[PATH_MAX];
    ssize_t length;

    (void)snprintf(link, sizeof link, "/proc/%ld/exe", (long)pid);
    length = readlink(link, program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    return length > 0 && strcmp(program, path) == 0;
}

/* The caller frees it. NULL: it cannot be read. */
static char *read_cmdline(pid_t pid, size_t *size)
{
    char *live = malloc(CMDLINE_BYTES_MAX);
    char path[64];
    ssize_t count = -1;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);
    fd = live ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        count = read(fd, live, CMDLINE_BYTES_MAX);
        (void)close(fd);
    }
    *size = count > 0 ? (size_t)count : 0;
    if (count > 0 && live[count - 1] == '\0')
        return live;
    free(live);
    return NULL;
}

/* Its arguments are these, perhaps after those of an interpreter. */
static bool has_cmdline(pid_t pid, char *const *cmdline)
{
    size_t size = 0;
    char *live = read_cmdline(pid, &size);
    size_t wanted = 0;
    size_t first = live ? strlen(live) + 1 : 0;
    bool is_same = false;

    for (size_t i = 0; cmdline[i]; i++)
        wanted += strlen(cmdline[i]) + 1;
    if (live && wanted <= size && (wanted == size || live[size - wanted - 1] == '\0'))
        is_same = is_rest(live + (size - wanted), wanted, cmdline);
    if (live && !is_same)
        is_same = is_rest(live + first, size - first, cmdline + 1) && is_program(pid, cmdline[0]);
    free(live);
    return is_same;
}

/* It began when the row says that its process did: only the number in the row is another. */
static bool has_noted_start(const struct colony_session_process *process, uint64_t start_ticks,
                            const char *boot)
{
    return process->start_ticks != 0 && process->start_ticks == start_ticks && process->boot &&
           strcmp(process->boot, boot) == 0;
}

int colony__life_adopt(struct colony_session_process *process, pid_t pid)
{
    char boot[COLONY_SESSION_BOOT_SIZE];
    uint64_t start_ticks = colony_proc_start_ticks(pid);
    char *copy;

    if (start_ticks == 0 || !colony_proc_is_running(pid) || colony_session_boot_id(boot) < 0)
        return 0;
    if (!has_noted_start(process, start_ticks, boot) &&
        (!process->cmdline || !has_cmdline(pid, process->cmdline)))
        return 0;
    copy = strdup(boot);
    if (!copy)
        return -ENOMEM;
    free(process->boot);
    process->boot = copy;
    process->pid = pid;
    process->start_ticks = start_ticks;
    return 1;
}

/* The eldest: the others are what it forked. */
static int adopt_eldest(struct colony_session_process *process, const struct colony__stray *strays,
                        size_t count)
{
    uint64_t eldest = UINT64_MAX;
    pid_t pid = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t start_ticks = colony_proc_start_ticks(strays[i].pid);

        if (start_ticks == 0 || start_ticks >= eldest ||
            !has_cmdline(strays[i].pid, process->cmdline))
            continue;
        eldest = start_ticks;
        pid = strays[i].pid;
    }
    return pid > 0 ? colony__life_adopt(process, pid) : 0;
}

int colony__life_find_marked(struct colony_workspace *workspace,
                             struct colony_session_process *process, struct colony_error *err)
{
    struct colony_session_process *one[] = {process};
    const struct colony_session_chosen chosen = {one, 1};
    char instance[COLONY_INSTANCE_SIZE];
    struct colony__stray *strays = NULL;
    ssize_t count;
    int rc = process->cmdline ? colony__launch_instance(workspace, instance, err) : 0;

    if (rc < 0 || !process->cmdline)
        return rc;
    count = colony__launch_find_strays(&strays, instance, &chosen, err);
    if (count < 0)
        return (int)count;
    rc = adopt_eldest(process, strays, (size_t)count);
    for (ssize_t i = 0; i < count; i++)
        (void)close(strays[i].pidfd);
    free(strays);
    return rc < 0 ? colony_fail_os(err, rc, "cannot look for what runs already") : rc;
}
