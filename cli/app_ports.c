/* SPDX-License-Identifier: Apache-2.0 */
/* app_ports.c - a PORT that is taken, perhaps by colony's own HTTP, is told before it is tried. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app_internal.h"

static bool is_taken(unsigned port)
{
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_busy;

    if (fd < 0)
        return false;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    is_busy = bind(fd, (const struct sockaddr *)&any, sizeof any) < 0 && errno == EADDRINUSE;
    (void)close(fd);
    return is_busy;
}

bool colony__app_find_taken_port(const struct app *app, size_t index, char *text, size_t size)
{
    for (unsigned slot = 0; slot < app->counts[index]; slot++) {
        unsigned port = colony__app_port(app, index) + slot;

        if (!is_taken(port))
            continue;
        (void)snprintf(text, size,
                       "port %u, the PORT of %s.%u, is taken%s: should it listen there, "
                       "--port gives others",
                       port, app->procfile.types[index].name, slot + 1,
                       port == APP_PORT_FIRST ? " (colony's own HTTP is on it by default)" : "");
        return true;
    }
    return false;
}
