/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker.c - a process that behaves as its arguments say, one after the other:
 *
 *   ignore      SIGTERM is ignored
 *   stray       leaves a child in a session of its own
 *   notify      READY=1 by sd_notify, and WATCHDOG=1 ten times a second from then on
 *   line        writes a line `up`
 *   fd          writes a line to descriptor 3
 *   lines N US  writes N lines `PID SEQUENCE DOTS`, US microseconds apart; 0: for ever
 *   for MS      lives so long
 *   exit N      ends; without it, it lives until it is killed
 *   end         ends with a status or by a signal that its pid tells
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int does_beat;

static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && path && strlen(path) < sizeof address.sun_path) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        (void)!sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, sizeof address);
    }
    close(fd);
}

static void live_for(long ms)
{
    for (; ms > 0; ms -= 100) {
        poll(NULL, 0, ms < 100 ? (int)ms : 100);
        if (does_beat)
            notify("WATCHDOG=1");
    }
}

static void write_line(int pid, long sequence)
{
    char line[128];
    /* Lines of many lengths, so that blocks end everywhere in them. */
    int padding = (int)(sequence * 7 % 60);
    int length = snprintf(line, sizeof line, "%d %ld %.*s\n", pid, sequence, padding,
                          "............................................................");

    if (write(sequence % 2 ? STDOUT_FILENO : STDERR_FILENO, line, (size_t)length) != length)
        _exit(99);
}

static void write_lines(long count, useconds_t pause_us)
{
    int pid = (int)getpid();

    for (long i = 0; count == 0 || i < count; i++) {
        write_line(pid, i);
        if (pause_us > 0)
            (void)usleep(pause_us);
    }
}

static void end_as_told_by_pid(void)
{
    int pid = (int)getpid();

    if (pid % 5 == 0)
        (void)raise(SIGUSR1);
    _exit(pid % 50);
}

static void leave_stray(void)
{
    if (fork() != 0)
        return;
    setsid();
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        long number = i + 1 < argc ? strtol(argv[i + 1], NULL, 10) : 0;

        if (strcmp(argv[i], "ignore") == 0)
            signal(SIGTERM, SIG_IGN);
        else if (strcmp(argv[i], "stray") == 0)
            leave_stray();
        else if (strcmp(argv[i], "notify") == 0)
            notify("READY=1\nSTATUS=up"), does_beat = 1;
        else if (strcmp(argv[i], "line") == 0)
            (void)!write(1, "up\n", 3);
        else if (strcmp(argv[i], "fd") == 0)
            (void)!write(3, "up\n", 3);
        else if (strcmp(argv[i], "lines") == 0)
            write_lines(number, i + 2 < argc ? (useconds_t)strtoul(argv[i + 2], NULL, 10) : 0);
        else if (strcmp(argv[i], "for") == 0)
            live_for(number);
        else if (strcmp(argv[i], "exit") == 0)
            _exit((int)number);
        else if (strcmp(argv[i], "end") == 0)
            end_as_told_by_pid();
    }
    for (;;)
        live_for(1000000);
}
