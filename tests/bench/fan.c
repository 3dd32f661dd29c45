/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fan.c - both ends of a feed that many follow.
 *
 *   fan follow SOCKET PATH COUNT MARK TOTAL   COUNT clients ask for PATH; each reads until it has
 * seen the byte MARK TOTAL times. Prints a line when all have been answered, and "FIRST LAST" in
 * nanoseconds at the end. fan relay SOCKET COUNT                    the least that a server can do:
 * what comes on stdin goes to COUNT clients, each write a chunk, until it ends.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 65536,
    EVENTS_MAX = 64,
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long long now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (snprintf(address.sun_path, sizeof address.sun_path, "%s", path) >=
        (int)sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail(path);
    }
    return address;
}

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, bytes, size);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            fail("write");
        bytes += wrote;
        size -= (size_t)wrote;
    }
}

/* --- clients ---------------------------------------------------------------------------------- */

static int open_client(const char *path, const char *target)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char request[512];

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        fail(path);
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    write_all(fd, request, strlen(request));
    return fd;
}

/* The head of an answer, byte by byte: nothing of what follows it. */
static void read_head(int fd)
{
    char last[5] = "";
    size_t count = 0;

    while (strcmp(last, "\r\n\r\n") != 0) {
        char byte;

        if (read(fd, &byte, 1) != 1)
            fail("read");
        if (count++ == 9 && byte != '2') {
            errno = EPROTO;
            fail("status");
        }
        memmove(last, last + 1, 3);
        last[3] = byte;
    }
}

static long count_marks(const char *bytes, size_t size, char mark)
{
    const char *end = bytes + size;
    long count = 0;

    for (const char *at = bytes; (at = memchr(at, mark, (size_t)(end - at))); at++)
        count++;
    return count;
}

static int follow(char **argv)
{
    static char block[BLOCK_SIZE];
    size_t count = strtoul(argv[2], NULL, 10);
    long total = strtol(argv[4], NULL, 10);
    long *left = calloc(count + 1, sizeof *left);
    struct pollfd *polls = calloc(count + 1, sizeof *polls);
    size_t open_count = count;
    long long first_ns = 0;

    if (!left || !polls)
        fail("calloc");
    for (size_t i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = open_client(argv[0], argv[1]), .events = POLLIN};
        left[i] = total;
    }
    for (size_t i = 0; i < count; i++)
        read_head(polls[i].fd);
    (void)printf("all follow\n");
    (void)fflush(stdout);
    while (open_count > 0) {
        if (poll(polls, count, 60000) <= 0)
            fail("poll");
        for (size_t i = 0; i < count; i++) {
            ssize_t got = polls[i].revents ? read(polls[i].fd, block, sizeof block) : -1;

            if (!polls[i].revents)
                continue;
            if (got <= 0)
                fail("read");
            first_ns = first_ns ? first_ns : now_ns();
            left[i] -= count_marks(block, (size_t)got, argv[3][0]);
            if (left[i] > 0)
                continue;
            (void)close(polls[i].fd);
            polls[i].fd = -1;
            open_count--;
        }
    }
    (void)printf("%lld %lld\n", first_ns, now_ns());
    return 0;
}

/* --- the least that a server does ------------------------------------------------------------- */

static int listen_on(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, SOMAXCONN) < 0)
        fail(path);
    return fd;
}

static int relay(char **argv)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static char block[BLOCK_SIZE + 32];
    size_t count = strtoul(argv[1], NULL, 10);
    int *clients = calloc(count + 1, sizeof *clients);
    int listener = listen_on(argv[0]);
    struct epoll_event wanted = {.events = EPOLLIN};
    struct epoll_event events[EVENTS_MAX];
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (!clients || loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, STDIN_FILENO, &wanted) < 0)
        fail("epoll");
    for (size_t i = 0; i < count; i++) {
        clients[i] = accept(listener, NULL, NULL);
        if (clients[i] < 0 || read(clients[i], block, sizeof block) <= 0)
            fail("accept");
        write_all(clients[i], head, sizeof head - 1);
    }
    for (;;) {
        ssize_t got;
        int used;

        if (epoll_wait(loop, events, EVENTS_MAX, -1) < 0 && errno != EINTR)
            fail("epoll_wait");
        got = read(STDIN_FILENO, block + 16, BLOCK_SIZE);
        if (got <= 0)
            return 0;
        used = snprintf(block, 16, "%zx\r\n", (size_t)got);
        memmove(block + used, block + 16, (size_t)got);
        memcpy(block + used + got, "\r\n", 2);
        for (size_t i = 0; i < count; i++)
            if (clients[i] >= 0 &&
                send(clients[i], block, (size_t)(used + got + 2), MSG_NOSIGNAL) < 0)
                clients[i] = -1;
    }
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "follow") == 0)
        return follow(argv + 2);
    if (argc == 4 && strcmp(argv[1], "relay") == 0)
        return relay(argv + 2);
    (void)fprintf(stderr,
                  "usage: fan follow SOCKET PATH COUNT MARK TOTAL | fan relay SOCKET COUNT\n");
    return 2;
}
