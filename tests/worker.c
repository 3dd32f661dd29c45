/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hammer_worker.c - a process that behaves as its arguments say, one after the other:
 *
 *   ignore      SIGTERM is ignored
 *   stray       leaves a child in a session of its own
 *   notify      READY=1 by sd_notify, and WATCHDOG=1 ten times a second from then on
 *   line        writes a line `up`
 *   fd          writes a line to descriptor 3
 *   for MS      lives so long
 *   exit N      ends; without it, it lives until it is killed
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
        else if (strcmp(argv[i], "for") == 0)
            live_for(number);
        else if (strcmp(argv[i], "exit") == 0)
            _exit((int)number);
    }
    for (;;)
        live_for(1000000);
}
