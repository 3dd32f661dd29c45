/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watcher.c - the least there is between a rename and a process: `watcher FOLDER PROGRAM ARG…` says
 * that it watches, then runs PROGRAM for each file that is renamed into FOLDER (inotify, vfork).
 */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

static int run(char **argv)
{
    pid_t pid = vfork();

    if (pid == 0) {
        (void)execv(argv[0], argv);
        _exit(127);
    }
    return pid < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
    _Alignas(struct inotify_event) char buffer[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    int fd = inotify_init1(IN_CLOEXEC);
    ssize_t size;

    if (argc < 3 || fd < 0 || inotify_add_watch(fd, argv[1], IN_MOVED_TO) < 0) {
        perror("watcher");
        return 1;
    }
    (void)signal(SIGCHLD, SIG_IGN);
    (void)puts("watches");
    (void)fflush(stdout);
    while ((size = read(fd, buffer, sizeof buffer)) > 0) {
        const char *at = buffer;

        while (at < buffer + size) {
            const struct inotify_event *event = (const void *)at;

            if (run(argv + 2) < 0)
                return 1;
            at += sizeof *event + event->len;
        }
    }
    return 0;
}
