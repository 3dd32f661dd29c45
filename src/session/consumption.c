/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "session/consumption.h"

enum {
    PATH_SIZE = 32,
    STATM_SIZE = 256,
    NS_PER_S = 1000000000,
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int read_cpu_ns(pid_t pid, uint64_t *out)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        return -ESRCH;
    *out = (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
    return 0;
}

/* The second number of statm, in pages. */
static int read_memory(pid_t pid, uint64_t *out)
{
    char path[PATH_SIZE];
    char text[STATM_SIZE];
    ssize_t count;
    char *rest;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    count = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (count <= 0)
        return -ESRCH;
    text[count] = '\0';
    (void)strtoull(text, &rest, 10);
    *out = strtoull(rest, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

int colony_consumption_read(struct colony_consumption *out, struct colony_consumption_meter *meter,
                            pid_t pid, uint64_t start_ticks)
{
    uint64_t started_ns = start_ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
    uint64_t now_ns = clock_ns(CLOCK_BOOTTIME);
    uint64_t since_ns = meter->at_ns > 0 ? meter->at_ns : started_ns;
    uint64_t cpu_ns = 0;
    int rc = read_cpu_ns(pid, &cpu_ns);

    if (rc == 0)
        rc = read_memory(pid, &out->mem_bytes);
    if (rc < 0)
        return rc;
    out->uptime_seconds = now_ns > started_ns ? (double)(now_ns - started_ns) / NS_PER_S : 0;
    out->cpu_percent = now_ns > since_ns && cpu_ns > meter->cpu_ns
                           ? (double)(cpu_ns - meter->cpu_ns) * 100 / (double)(now_ns - since_ns)
                           : 0;
    *meter = (struct colony_consumption_meter){.cpu_ns = cpu_ns, .at_ns = now_ns};
    return 0;
}
