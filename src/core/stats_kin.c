/* SPDX-License-Identifier: Apache-2.0 */
/* stats_kin.c - who descends from whom, where the kernel does not list children. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/stats_internal.h"
#include "core/table.h"

bool colony__kin_is_listed(void)
{
    return access("/proc/thread-self/children", R_OK) == 0;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct colony__kin_pair *left = a;
    const struct colony__kin_pair *right = b;

    if (left->parent != right->parent)
        return left->parent < right->parent ? -1 : 1;
    return (left->pid > right->pid) - (left->pid < right->pid);
}

/* As many as there are processes: the kernel bounds them (pid_max). */
static int add_pair(struct colony__kin *kin, size_t *capacity, struct colony__kin_pair pair)
{
    struct colony__kin_pair *pairs =
        colony_array_room(kin->pairs, kin->count, capacity, sizeof *pairs);

    if (!pairs)
        return -ENOMEM;
    kin->pairs = pairs;
    kin->pairs[kin->count++] = pair;
    return 0;
}

int colony__kin_scan(struct colony__kin *kin)
{
    const struct dirent *entry;
    size_t capacity = 0;
    DIR *folder;
    int rc = 0;

    colony__kin_clear(kin);
    folder = opendir("/proc");
    if (!folder)
        return -errno;
    while (rc == 0 && (entry = readdir(folder))) {
        struct colony__kin_pair pair = {0};

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pair.pid = (pid_t)strtol(entry->d_name, NULL, 10);
        pair.parent = colony_proc_parent(pair.pid);
        if (pair.parent > 0)
            rc = add_pair(kin, &capacity, pair);
    }
    (void)closedir(folder);
    if (rc < 0)
        colony__kin_clear(kin);
    else if (kin->count > 0)
        qsort(kin->pairs, kin->count, sizeof *kin->pairs, compare_pairs);
    return rc;
}

void colony__kin_clear(struct colony__kin *kin)
{
    free(kin->pairs);
    memset(kin, 0, sizeof *kin);
}

size_t colony__kin_children(const struct colony__kin *kin, pid_t pid, pid_t *pids, size_t max)
{
    size_t low = 0;
    size_t high = kin->count;
    size_t count = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (kin->pairs[middle].parent < pid)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < kin->count && kin->pairs[low].parent == pid && count < max; low++)
        pids[count++] = kin->pairs[low].pid;
    return count;
}
