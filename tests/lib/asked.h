/* SPDX-License-Identifier: Apache-2.0 */
/* asked.h - one HTTP request on this machine, and the whole answer. Any thread; blocks. */
#ifndef COLONY_TESTS_ASKED_H
#define COLONY_TESTS_ASKED_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_SIZE = 16384,
};

/* 0: nobody is there. */
static inline size_t ask_for(char answer[ANSWER_SIZE], unsigned port, const char *method,
                             const char *path, const char *body)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char head[256];
    size_t size = 0;
    ssize_t got = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)snprintf(head, sizeof head,
                   "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   method, path, strlen(body));
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        send(fd, head, strlen(head), MSG_NOSIGNAL) > 0 &&
        send(fd, body, strlen(body), MSG_NOSIGNAL) >= 0)
        while (got > 0 && size + 1 < ANSWER_SIZE) {
            got = recv(fd, answer + size, ANSWER_SIZE - 1 - size, 0);
            size += got > 0 ? (size_t)got : 0;
        }
    answer[size] = '\0';
    (void)close(fd);
    return size;
}

#endif
