/* SPDX-License-Identifier: Apache-2.0 */
/*
 * echo.c - the least that brings what a client sends through a process and back: the limit of the
 * WebSocket round trip.
 *
 *     echo PORT PROGRAM [ARGUMENT...]
 *
 * On 127.0.0.1. Each client gets the output of one process, and its bytes are that one's input, by
 * a socket without TLS, frames or log. Ends with the process.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BUFFER_BYTES = 65536,
};

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        err(1, "cannot listen on port %u", port);
    return fd;
}

/* in[1] leads to the process, out[0] from it. */
static void start(char **argv, int in[2], int out[2])
{
    pid_t pid;

    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        err(1, "cannot make a pipe");
    pid = fork();
    if (pid < 0)
        err(1, "cannot fork");
    if (pid > 0)
        return;
    (void)dup2(in[0], STDIN_FILENO);
    (void)dup2(out[1], STDOUT_FILENO);
    (void)execvp(argv[0], argv);
    err(127, "cannot run %s", argv[0]);
}

/* False: there is nothing more to come. */
static int move(int from, int to)
{
    static char buffer[BUFFER_BYTES];
    ssize_t count = read(from, buffer, sizeof buffer);

    for (ssize_t done = 0; done < count;) {
        ssize_t sent = write(to, buffer + done, (size_t)(count - done));

        if (sent < 0)
            return 0;
        done += sent;
    }
    return count > 0;
}

static void serve(int client, int in, int out)
{
    struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = out, .events = POLLIN}};

    while (poll(fds, 2, -1) > 0) {
        if (fds[0].revents && !move(client, in))
            return;
        if (fds[1].revents && !move(out, client))
            exit(0);
    }
}

int main(int argc, char **argv)
{
    int listening;
    int in[2];
    int out[2];

    if (argc < 3)
        errx(2, "usage: echo PORT PROGRAM [ARGUMENT...]");
    listening = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
    start(argv + 2, in, out);
    (void)close(in[0]);
    (void)close(out[1]);
    for (;;) {
        int client = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        int on = 1;

        if (client < 0)
            err(1, "cannot accept");
        (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        serve(client, in[1], out[0]);
        (void)close(client);
    }
}
