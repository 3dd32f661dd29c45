/* SPDX-License-Identifier: Apache-2.0 */
#include "core/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"

static bool is_port(const char *text)
{
    size_t length = strspn(text, "0123456789");
    unsigned value = 0;

    if (length == 0 || length > 5 || text[length] != '\0')
        return false;
    for (; *text != '\0'; text++)
        value = value * 10 + (unsigned)(*text - '0');
    return value <= 65535;
}

static int set_host(struct colony_bind *bind, const char *host, size_t size)
{
    if (size == 0 || size >= sizeof bind->host)
        return -EINVAL;
    memcpy(bind->host, host, size);
    bind->host[size] = '\0';
    return 0;
}

static int split(struct colony_bind *bind, const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon ? colon + 1 : text;

    if (!is_port(port))
        return -EINVAL;
    (void)snprintf(bind->port, sizeof bind->port, "%s", port);
    if (!colon)
        return set_host(bind, "127.0.0.1", strlen("127.0.0.1"));
    if (text[0] == '[' && colon > text + 1 && colon[-1] == ']')
        return set_host(bind, text + 1, (size_t)(colon - text) - 2);
    if (memchr(text, ':', (size_t)(colon - text)) || strpbrk(text, "[]/@ "))
        return -EINVAL;
    return set_host(bind, text, (size_t)(colon - text));
}

int colony_bind_parse(struct colony_bind *bind, const char *text, struct colony_error *err)
{
    memset(bind, 0, sizeof *bind);
    if (strncmp(text, "unix:", 5) == 0) {
        size_t size = strlen(text + 5);

        if (size == 0 || size >= sizeof bind->path || text[4 + size] == '/')
            return colony_fail(err, -EINVAL, "cannot listen on '%s': not a path of a socket", text);
        bind->is_unix = true;
        memcpy(bind->path, text + 5, size + 1);
        return 0;
    }
    if (split(bind, text) < 0)
        return colony_fail(
            err, -EINVAL, "cannot listen on '%s': neither HOST:PORT, [V6]:PORT, PORT nor unix:PATH",
            text);
    return 0;
}

void colony_address_unmap(struct sockaddr_storage *address)
{
    struct sockaddr_in plain = {.sin_family = AF_INET};
    struct sockaddr_in6 mapped;

    if (address->ss_family != AF_INET6)
        return;
    memcpy(&mapped, address, sizeof mapped);
    if (!IN6_IS_ADDR_V4MAPPED(&mapped.sin6_addr))
        return;
    plain.sin_port = mapped.sin6_port;
    memcpy(&plain.sin_addr, &mapped.sin6_addr.s6_addr[12], sizeof plain.sin_addr);
    memset(address, 0, sizeof *address);
    memcpy(address, &plain, sizeof plain);
}

bool colony_address_is_loopback(const struct sockaddr_storage *address)
{
    struct sockaddr_storage plain = *address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    colony_address_unmap(&plain);
    if (plain.ss_family == AF_INET) {
        memcpy(&v4, &plain, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (plain.ss_family != AF_INET6)
        return false;
    memcpy(&v6, &plain, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

void colony_address_format(const struct sockaddr_storage *address,
                           char text[COLONY_ADDRESS_TEXT_MAX])
{
    struct sockaddr_storage plain = *address;
    char host[INET6_ADDRSTRLEN] = "?";
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    colony_address_unmap(&plain);
    if (plain.ss_family == AF_INET) {
        memcpy(&v4, &plain, sizeof v4);
        (void)inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
        (void)snprintf(text, COLONY_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(v4.sin_port));
        return;
    }
    memcpy(&v6, &plain, sizeof v6);
    (void)inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    if (v6.sin6_scope_id != 0)
        (void)snprintf(text, COLONY_ADDRESS_TEXT_MAX, "[%s%%%u]:%u", host, v6.sin6_scope_id,
                       ntohs(v6.sin6_port));
    else
        (void)snprintf(text, COLONY_ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(v6.sin6_port));
}
