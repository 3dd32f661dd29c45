/* SPDX-License-Identifier: Apache-2.0 */
/* launch_strays.c - living processes that bear the marks of some of a session's. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "core/sweep.h"
#include "session/launch.h"
#include "session/launch_internal.h"
#include "session/process.h"

enum {
    STRAYS_MAX = 4096, /* of one look; the rest is found by the next */
};

/* Whose marks are looked for. */
struct search {
    const char *instance;
    const struct colony_session_chosen *chosen;
};

static bool is_meant(const struct search *search, const char *mark)
{
    size_t length = strlen(search->instance);

    if (strncmp(mark, search->instance, length) != 0 || mark[length] != '/')
        return false;
    mark += length + 1;
    for (size_t i = 0; i < search->chosen->count; i++) {
        length = strlen(search->chosen->items[i]->name);
        if (strncmp(mark, search->chosen->items[i]->name, length) == 0 &&
            strcmp(mark + length, "/1") == 0)
            return true;
    }
    return false;
}

/* The pidfd comes first: what is read of the number afterwards is of the same process, or of none.
 */
static int open_if_meant(const struct search *search, pid_t pid)
{
    char mark[LAUNCH_MARK_SIZE];
    int pidfd;

    if (pid == getpid() || !colony_proc_get_env(pid, "COLONY_ID", mark, sizeof mark) ||
        !is_meant(search, mark))
        return -1;
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -1;
    if (colony_proc_get_env(pid, "COLONY_ID", mark, sizeof mark) && is_meant(search, mark))
        return pidfd;
    (void)close(pidfd);
    return -1;
}

static int add_stray(struct colony__stray **strays, size_t *count, size_t *capacity,
                     struct colony__stray stray)
{
    struct colony__stray *room = colony_array_room(*strays, *count, capacity, sizeof **strays);

    if (!room) {
        (void)close(stray.pidfd);
        return -ENOMEM;
    }
    *strays = room;
    room[(*count)++] = stray;
    return 0;
}

ssize_t colony__launch_find_strays(struct colony__stray **out, const char *instance,
                                   const struct colony_session_chosen *chosen,
                                   struct colony_error *err)
{
    const struct search search = {instance, chosen};
    DIR *folder = chosen->count > 0 ? opendir("/proc") : NULL;
    size_t capacity = 0;
    size_t found = 0;
    struct dirent *entry;
    int rc = 0;

    *out = NULL;
    if (chosen->count == 0)
        return 0;
    if (!folder)
        return colony_fail_os(err, -errno, "cannot look for what was left behind: /proc");
    while (rc == 0 && found < STRAYS_MAX && (entry = readdir(folder))) {
        pid_t pid =
            isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;
        int pidfd = pid > 0 ? open_if_meant(&search, pid) : -1;

        if (pidfd >= 0)
            rc = add_stray(out, &found, &capacity, (struct colony__stray){pid, pidfd});
    }
    (void)closedir(folder);
    if (rc == 0)
        return (ssize_t)found;
    for (size_t i = 0; i < found; i++)
        (void)close((*out)[i].pidfd);
    free(*out);
    *out = NULL;
    return colony_fail_os(err, rc, "cannot look for what was left behind");
}
