/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer.c - writes BYTES of lines to stdout as fast as it can, and then waits.
 *
 *     writer FILE BYTES
 *
 * Appends to FILE, as probe.c does, when it begins and when its last write has returned.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_BYTES = 64 << 10,
    LINE_BYTES = 128,
};

static void record(int fd)
{
    struct timespec now;
    int64_t numbers[2];

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    numbers[0] = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    numbers[1] = getpid();
    if (write(fd, numbers, sizeof numbers) != sizeof numbers)
        err(1, "cannot write the time");
}

int main(int argc, char **argv)
{
    static char block[BLOCK_BYTES];
    uint64_t left;
    int fd;

    if (argc != 3)
        errx(2, "usage: writer FILE BYTES");
    left = strtoull(argv[2], NULL, 10);
    fd = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        err(1, "cannot open %s", argv[1]);
    memset(block, 'x', sizeof block);
    for (size_t i = LINE_BYTES - 1; i < sizeof block; i += LINE_BYTES)
        block[i] = '\n';
    record(fd);
    while (left > 0) {
        ssize_t size = write(STDOUT_FILENO, block, left < sizeof block ? left : sizeof block);

        if (size < 0)
            err(1, "cannot write");
        left -= (uint64_t)size;
    }
    record(fd);
    for (;;)
        (void)pause();
}
