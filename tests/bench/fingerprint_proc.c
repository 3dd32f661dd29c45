/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_proc.c - what a fingerprint has to ask the kernel for, thrown away: arguments, the
 * link of each descriptor, what each file is, and the lists of sockets once.
 *
 *     fingerprint_proc SAMPLES < PIDS
 *
 * Prints the nanoseconds of CPU time of one look at all pids.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "samples.h"

static void read_file(const char *path)
{
    static char buffer[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        err(1, "cannot open %s", path);
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
    (void)close(fd);
}

static void read_links(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    char link[4096];
    struct statx info;

    if (!folder)
        err(1, "cannot open %s", path);
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.' &&
            readlinkat(dirfd(folder), entry->d_name, link, sizeof link) > 0 && link[0] == '/')
            (void)!statx(dirfd(folder), entry->d_name, AT_STATX_DONT_SYNC, STATX_TYPE, &info);
    (void)closedir(folder);
}

static void look(const pid_t *pids, size_t count)
{
    static const char *const lists[] = {"tcp", "tcp6", "udp", "udp6"};
    char path[64];

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        (void)snprintf(path, sizeof path, "/proc/self/net/%s", lists[i]);
        if (access(path, R_OK) == 0)
            read_file(path);
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pids[i]);
        read_file(path);
        (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pids[i]);
        read_links(path);
    }
}

int main(int argc, char **argv)
{
    static pid_t pids[SAMPLE_PIDS_MAX];
    size_t wanted = samples_wanted(argc, argv);
    size_t count = samples_read_pids(pids);

    look(pids, count);
    for (size_t i = 0; i < wanted; i++) {
        uint64_t began_ns = samples_cpu_ns();

        look(pids, count);
        (void)printf("%llu\n", (unsigned long long)(samples_cpu_ns() - began_ns));
    }
    return 0;
}
