/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_pread.c - the least that reads what a stats sample of colony reads: kept descriptors,
 * pread.
 *
 *     stats_pread SAMPLES < PIDS
 *
 * Prints the nanoseconds of CPU time that each sample of all pids took, ten a second as in colony.
 */
#include <fcntl.h>
#include <unistd.h>

#include "samples.h"

enum {
    FILES_EACH = 3,
    SAMPLE_MS = 100,
};

static int open_file(pid_t pid, size_t number)
{
    static const char *const names[] = {"stat", "statm"};
    char path[96];
    int fd;

    if (number < 2)
        (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, names[number]);
    else
        (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        err(1, "cannot open %s", path);
    return fd;
}

static void read_all(const int *fds, size_t count)
{
    char text[1024];

    for (size_t i = 0; i < count; i++)
        if (pread(fds[i], text, sizeof text, 0) < 0)
            err(1, "cannot read of a process");
}

int main(int argc, char **argv)
{
    static pid_t pids[SAMPLE_PIDS_MAX];
    static int fds[SAMPLE_PIDS_MAX * FILES_EACH];
    const struct timespec pause = {.tv_nsec = SAMPLE_MS * 1000000L};
    size_t wanted = samples_wanted(argc, argv);
    size_t count = samples_read_pids(pids);

    samples_raise_limit();
    for (size_t i = 0; i < count * FILES_EACH; i++)
        fds[i] = open_file(pids[i / FILES_EACH], i % FILES_EACH);
    for (size_t i = 0; i < wanted; i++) {
        uint64_t before;

        (void)nanosleep(&pause, NULL);
        before = samples_cpu_ns();
        read_all(fds, count * FILES_EACH);
        (void)printf("%llu\n", (unsigned long long)(samples_cpu_ns() - before));
    }
    return 0;
}
