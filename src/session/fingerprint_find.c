/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint_find.c - which of all living processes is the one that was saved. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/sweep.h"
#include "core/table.h"
#include "session/fingerprint_internal.h"

enum {
    FOLDER_SIZE = 32, /* /proc/PID */
    MARK_SIZE = 512,  /* a longer one is nobody's */
};

struct search {
    const struct colony_fingerprint *saved;
    const struct colony_fingerprint_limits *limits;
    struct colony_socket_table *sockets; /* read once there is somebody to look at */
    pid_t best;
    double best_score;
    uint64_t best_start_ticks;
};

static bool is_taken(const struct colony_fingerprint_limits *limits, pid_t pid)
{
    for (size_t i = 0; i < limits->taken_count; i++)
        if (limits->taken[i] == pid)
            return true;
    return false;
}

static bool has_same_cmdline(const struct colony_fingerprint *saved, int folder)
{
    struct colony__items items = {0};
    struct colony_fingerprint live = {0};
    bool is_same;

    if (colony__cmdline_read(&items, folder) < 0)
        return false;
    colony__items_settle(&items, FIELD_CMDLINE, &live);
    is_same = live.fields[FIELD_CMDLINE].count == saved->fields[FIELD_CMDLINE].count;
    for (size_t i = 0; is_same && i < live.fields[FIELD_CMDLINE].count; i++)
        is_same =
            strcmp(live.fields[FIELD_CMDLINE].items[i], saved->fields[FIELD_CMDLINE].items[i]) == 0;
    colony_fingerprint_clear(&live);
    return is_same;
}

/* One that another colony or session has marked as its own is left to it. */
static bool is_others(const struct colony_fingerprint_limits *limits, pid_t pid)
{
    char mark[MARK_SIZE];

    return limits->mark && colony_proc_get_env(pid, "COLONY_ID", mark, sizeof mark) &&
           strcmp(mark, limits->mark) != 0;
}

/* By what costs least first: there may be thousands, and one of them is it. */
static bool may_be(const struct search *search, pid_t pid)
{
    char path[FOLDER_SIZE];
    struct stat info;
    bool may;
    int folder;

    if (pid == getpid() || is_taken(search->limits, pid))
        return false;
    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    may = fstat(folder, &info) == 0 && info.st_uid == geteuid() &&
          has_same_cmdline(search->saved, folder) && !is_others(search->limits, pid);
    (void)close(folder);
    return may;
}

/* Of those that look alike the eldest: a process and the children that it has just forked. */
static void weigh(struct search *search, pid_t pid)
{
    struct colony_fingerprint live = {0};
    uint64_t start_ticks = colony_proc_start_ticks(pid);
    double score;

    if (!search->sockets)
        (void)colony_socket_table_read(&search->sockets, getpid(), NULL);
    if (start_ticks == 0 || colony_fingerprint_take(&live, pid, search->sockets, NULL) < 0)
        return;
    score = colony_fingerprint_score(search->saved, &live);
    colony_fingerprint_clear(&live);
    if (search->best != 0 &&
        (score < search->best_score ||
         (score == search->best_score && start_ticks >= search->best_start_ticks)))
        return;
    search->best = pid;
    search->best_score = score;
    search->best_start_ticks = start_ticks;
}

pid_t colony_fingerprint_find_process(const struct colony_fingerprint *saved,
                                      const struct colony_fingerprint_limits *limits)
{
    struct search search = {.saved = saved, .limits = limits};
    DIR *folder = saved->fields[FIELD_CMDLINE].count > 0 ? opendir("/proc") : NULL;
    struct dirent *entry;

    if (!folder)
        return 0;
    while ((entry = readdir(folder))) {
        pid_t pid =
            isdigit((unsigned char)entry->d_name[0]) ? (pid_t)strtol(entry->d_name, NULL, 10) : 0;

        if (pid > 0 && may_be(&search, pid))
            weigh(&search, pid);
    }
    (void)closedir(folder);
    colony_socket_table_free(search.sockets);
    return search.best;
}
