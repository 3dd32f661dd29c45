/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chaos_worker.c - a process whose output and end can be checked: lines `PID SEQUENCE`, then a
 * status or a signal that its pid tells.
 *
 * chaos_worker LINES PAUSE_US: LINES 0 is for ever.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_line(int pid, long sequence)
{
    char line[128];
    /* Lines of many lengths, so that blocks end everywhere in them. */
    int padding = (int)(sequence * 7 % 60);
    int length = snprintf(line, sizeof line, "%d %ld %.*s\n", pid, sequence, padding,
                          "............................................................");
    ssize_t written = write(sequence % 2 ? STDOUT_FILENO : STDERR_FILENO, line, (size_t)length);

    if (written != length)
        _exit(99);
}

int main(int argc, char **argv)
{
    long lines = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    useconds_t pause_us = argc > 2 ? (useconds_t)strtoul(argv[2], NULL, 10) : 0;
    int pid = (int)getpid();

    for (long i = 0; lines == 0 || i < lines; i++) {
        write_line(pid, i);
        if (pause_us > 0)
            (void)usleep(pause_us);
    }
    if (pid % 5 == 0)
        (void)raise(SIGUSR1);
    return pid % 50;
}
