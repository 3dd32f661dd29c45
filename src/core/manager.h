/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager.h - the service manager that runs colony: its notify socket, by the protocol of
 * sd_notify(3), and its own socket, which detached processes get a scope by.
 *
 * Only the keeper talks to it. Nothing blocks: what it does not take at once is dropped. libc only.
 */
#ifndef COLONY_CORE_MANAGER_H
#define COLONY_CORE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct colony_manager {
    struct sockaddr_un address;
    socklen_t address_size;
    int fd;               /* -1: no manager runs us */
    uint64_t watchdog_ms; /* how long it waits for WATCHDOG=1; 0: it does not */
};

/* By NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of our environment. */
void colony_manager_open(struct colony_manager *manager);

/* Tells it @text, lines of NAME=VALUE. */
void colony_manager_tell(const struct colony_manager *manager, const char *text);

/* Takes what only the process that the manager started may see out of the environment. */
void colony_manager_hide(void);

/*
 * A connection to the manager itself, on which scopes are asked for: a non-blocking, close-on-exec
 * descriptor that its answers can be read from, or negative errno. There may be none: a manager is
 * known by its socket in /run/systemd, or in XDG_RUNTIME_DIR for who is not root. It tells whoever
 * is connected of all that happens to its units: close it once all is answered.
 */
int colony_manager_connect(void);

/*
 * Asks for a scope of its own for @pid: out of our cgroup, so that it outlives our service. It is
 * named after @name and @id. Negative errno: it was not asked.
 */
int colony_manager_ask_scope(int fd, const char *name, uint64_t id, pid_t pid);

/*
 * Reads what has come: how many calls were answered (0: none yet), or -ECONNRESET: the connection
 * is over, or cannot be read on. In @why is why one was refused, one line; "": none was.
 */
int colony_manager_read(int fd, char *why, size_t size);

#endif
