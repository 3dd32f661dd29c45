/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datagrams.c - both ends of a flood of events by UDP.
 *
 *   datagrams take           binds a free port of 127.0.0.1 and prints it; reads by recvmmsg and
 * does nothing else, until nothing has come for a second; prints how many came. datagrams send PORT
 * MS   sends events there for MS milliseconds, as fast as it goes; prints how many.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BATCH = 32,
    SIZE = 65536,
    RECEIVE_BYTES = 4096 * 1024, /* as colony asks for */
    QUIET_MS = 1000,
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

static void prepare(struct mmsghdr *messages, struct iovec *parts, char *bytes, size_t size)
{
    memset(messages, 0, BATCH * sizeof *messages);
    for (int i = 0; i < BATCH; i++) {
        parts[i].iov_base = bytes + (size_t)i * SIZE;
        parts[i].iov_len = size;
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static char *make_bytes(void)
{
    char *bytes = calloc(BATCH, SIZE);

    if (!bytes)
        fail("calloc");
    return bytes;
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket");
    return fd;
}

static int take(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct pollfd wait = {.fd = open_socket(), .events = POLLIN};
    int room = RECEIVE_BYTES;
    long long total = 0;
    int count;

    if (setsockopt(wait.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        (void)setsockopt(wait.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(wait.fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(wait.fd, (struct sockaddr *)&address, &size) < 0)
        fail("bind");
    printf("%d\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    prepare(messages, parts, make_bytes(), SIZE);
    while (poll(&wait, 1, total > 0 ? QUIET_MS : -1) > 0) {
        while ((count = recvmmsg(wait.fd, messages, BATCH, MSG_DONTWAIT, NULL)) > 0)
            total += count;
        if (errno != EAGAIN)
            fail("recvmmsg");
    }
    printf("%lld\n", total);
    return 0;
}

static int send_for(int port, long long ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    static const char event[] =
        "{\"type\": \"bench\", \"name\": \"of no importance\", \"number\": 42}";
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    char *bytes = make_bytes();
    long long end = now_ns() + ms * 1000000;
    long long total = 0;
    int fd = open_socket();
    int count;

    for (int i = 0; i < BATCH; i++)
        memcpy(bytes + (size_t)i * SIZE, event, sizeof event);
    prepare(messages, parts, bytes, sizeof event - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
    while (now_ns() < end) {
        count = sendmmsg(fd, messages, BATCH, 0);
        if (count < 0 && errno != ECONNREFUSED)
            fail("sendmmsg");
        total += count > 0 ? count : 0;
    }
    printf("%lld\n", total);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "take") == 0)
        return take();
    if (argc == 4 && strcmp(argv[1], "send") == 0)
        return send_for(atoi(argv[2]), atoll(argv[3]));
    (void)fprintf(stderr, "usage: datagrams take | datagrams send PORT MS\n");
    return 2;
}
