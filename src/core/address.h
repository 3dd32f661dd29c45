/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address.h - the texts that say where to listen, and the addresses they mean.
 */
#ifndef COLONY_CORE_ADDRESS_H
#define COLONY_CORE_ADDRESS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct colony_error;

enum {
    COLONY_ADDRESS_TEXT_MAX = 80, /* "[V6%scope]:PORT" and its NUL */
};

struct colony_bind {
    bool is_unix;
    char path[PATH_MAX]; /* unix */
    char host[256];      /* without the brackets of an IPv6 address */
    char port[8];
};

/* Splits @text without looking anything up. -EINVAL. */
int colony_bind_parse(struct colony_bind *bind, const char *text, struct colony_error *err);

/* 127.0.0.0/8, ::1 or the former mapped into IPv6. */
bool colony_address_is_loopback(const struct sockaddr_storage *address);

/* "127.0.0.1:5000" or "[::1]:5000"; mapped addresses are shown as IPv4. */
void colony_address_format(const struct sockaddr_storage *address,
                           char text[COLONY_ADDRESS_TEXT_MAX]);

/* Turns an IPv4 address that is mapped into IPv6 into plain IPv4; others stay. */
void colony_address_unmap(struct sockaddr_storage *address);

#endif
