/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.c - the least that brings a program's output into rotated files: the limit of log
 * capture.
 *
 *     capture splice|copy FILE SIZE KEPT PROGRAM [ARGUMENT...]
 *
 * FILE gets SIZE bytes, then it becomes FILE.1, FILE.1 becomes FILE.2, and so on up to FILE.KEPT.
 * Ends with the program. The pipe is as large as colony's is when there is much to do.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIPE_BYTES = 1 << 20,
    COPY_BYTES = 64 << 10,
    PATH_BYTES = 4096,
};

struct capture {
    const char *path;
    uint64_t size;
    unsigned kept;
    bool copies;
    int pipe_fd;
    int file_fd;
    int64_t offset;
};

static void open_file(struct capture *capture)
{
    capture->file_fd = open(capture->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (capture->file_fd < 0)
        err(1, "cannot open %s", capture->path);
    capture->offset = 0;
}

static void rotate(struct capture *capture)
{
    char from[PATH_BYTES];
    char to[PATH_BYTES];

    (void)close(capture->file_fd);
    (void)snprintf(to, sizeof to, "%s.%u", capture->path, capture->kept);
    (void)unlink(to);
    for (unsigned i = capture->kept; i > 0; i--) {
        (void)snprintf(from, sizeof from, i > 1 ? "%s.%u" : "%s", capture->path, i - 1);
        (void)snprintf(to, sizeof to, "%s.%u", capture->path, i);
        if (rename(from, to) < 0 && errno != ENOENT)
            err(1, "cannot rename %s", from);
    }
    open_file(capture);
}

static ssize_t copy(const struct capture *capture, size_t size)
{
    static char block[COPY_BYTES];
    ssize_t count = read(capture->pipe_fd, block, size < sizeof block ? size : sizeof block);

    for (ssize_t done = 0; done < count;) {
        ssize_t written = write(capture->file_fd, block + done, (size_t)(count - done));

        if (written < 0)
            return -1;
        done += written;
    }
    return count;
}

static void move_all(struct capture *capture)
{
    for (;;) {
        uint64_t room = capture->size - (uint64_t)capture->offset;
        size_t size = room < PIPE_BYTES ? (size_t)room : PIPE_BYTES;
        ssize_t count;

        if (room == 0) {
            rotate(capture);
            continue;
        }
        count = capture->copies
                    ? copy(capture, size)
                    : splice(capture->pipe_fd, NULL, capture->file_fd, NULL, size, SPLICE_F_MOVE);
        if (count < 0)
            err(1, "cannot move output to %s", capture->path);
        if (count == 0)
            return;
        capture->offset += count;
    }
}

static void start(struct capture *capture, char **argv)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        err(1, "cannot make a pipe");
    (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* else it stays as it is */
    pid = fork();
    if (pid < 0)
        err(1, "cannot fork");
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)execv(argv[0], argv);
        err(127, "cannot run %s", argv[0]);
    }
    (void)close(ends[1]);
    capture->pipe_fd = ends[0];
}

int main(int argc, char **argv)
{
    struct capture capture;

    if (argc < 6)
        errx(2, "usage: capture splice|copy FILE SIZE KEPT PROGRAM [ARGUMENT...]");
    capture = (struct capture){
        .path = argv[2],
        .size = strtoull(argv[3], NULL, 10),
        .kept = (unsigned)strtoul(argv[4], NULL, 10),
        .copies = strcmp(argv[1], "copy") == 0,
    };
    if (capture.size == 0)
        errx(2, "cannot rotate at %s bytes", argv[3]);
    open_file(&capture);
    start(&capture, argv + 5);
    move_all(&capture);
    return 0;
}
