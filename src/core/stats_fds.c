/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors a process has open. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/stats.h"

enum {
    FDS_MAX = 65536, /* that are counted one by one */
};

static int count_entries(const char *path, uint64_t *count)
{
    DIR *folder = opendir(path);
    uint64_t entries = 0;

    if (!folder)
        return errno == ENOENT ? -ESRCH : -errno;
    while (entries < FDS_MAX + 2 && readdir(folder))
        entries++;
    (void)closedir(folder);
    if (entries < 2)
        return -ESRCH; /* not even `.` and `..`: it has just ended */
    *count = entries - 2;
    return 0;
}

int colony_stats_count_fds(pid_t pid, uint64_t *count)
{
    char path[48];
    struct stat info;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    if (stat(path, &info) < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    if (info.st_size > 0) { /* Linux 6.2 tells it so */
        *count = (uint64_t)info.st_size;
        return 0;
    }
    return count_entries(path, count);
}
