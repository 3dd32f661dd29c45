/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passed.h - listening sockets that a service manager has made for us (sd_listen_fds(3)).
 *
 * They take the place of those that we would make at the same addresses. Their files are the
 * manager's, with the owner and mode that its unit gives them. libc only.
 */
#ifndef COLONY_CORE_PASSED_H
#define COLONY_CORE_PASSED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    COLONY_PASSED_MAX = 64,
};

struct colony_passed {
    int fds[COLONY_PASSED_MAX];
    bool is_used[COLONY_PASSED_MAX];
    size_t count;
};

/* By LISTEN_PID and LISTEN_FDS, which go from our environment. All close-on-exec. */
void colony_passed_take(struct colony_passed *passed);

/* The stream socket that listens at @address, now used; -1: there is none. */
int colony_passed_find(struct colony_passed *passed, const struct sockaddr *address);

/* True when @fd is one of them. */
bool colony_passed_has(const struct colony_passed *passed, int fd);

/* Closes what nobody has used and tells of it in the log. */
void colony_passed_drop(struct colony_passed *passed);

#endif
