/* SPDX-License-Identifier: Apache-2.0 */
#include "core/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As sd_watchdog_enabled(3) reads it. 0: there is none, or it is another's. */
static uint64_t read_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    char *end = NULL;
    unsigned long long value;

    if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    errno = 0;
    value = strtoull(usec, &end, 10);
    return errno == 0 && *end == '\0' && usec[0] != '-' ? value / 1000 : 0;
}

void colony_manager_open(struct colony_manager *manager)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path ? strlen(path) : 0;

    memset(manager, 0, sizeof *manager);
    manager->fd = -1;
    if (length < 2 || length >= sizeof manager->address.sun_path ||
        (path[0] != '/' && path[0] != '@'))
        return;
    manager->address.sun_family = AF_UNIX;
    memcpy(manager->address.sun_path, path, length);
    if (path[0] == '@') /* an abstract one: its name begins with a NUL and does not end with one */
        manager->address.sun_path[0] = '\0';
    manager->address_size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'));
    manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (manager->fd >= 0)
        manager->watchdog_ms = read_watchdog_ms();
}

void colony_manager_tell(const struct colony_manager *manager, const char *text)
{
    if (manager->fd >= 0)
        (void)sendto(manager->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
                     (const struct sockaddr *)&manager->address, manager->address_size);
}

void colony_manager_hide(void)
{
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}
