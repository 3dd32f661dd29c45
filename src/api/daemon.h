/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon.h - the daemon endpoint (`master:`): events by HTTP and UDP, /status and /ping. Nothing
 * can be controlled there.
 *
 * Its sockets are made by `colony serve` and held by the keeper, so that nothing is refused, nor a
 * datagram lost, while the engine is restarted.
 */
#ifndef COLONY_API_DAEMON_H
#define COLONY_API_DAEMON_H

#include "core/message.h"

struct colony_front;
struct colony_error;
struct colony_settings;

/* How the names of its sockets begin; the address follows. */
#define COLONY_DAEMON_PREFIX "events:"
#define COLONY_DAEMON_UDP_PREFIX "events-udp:"

/* Of one port, as the keeper is to hold them. */
struct colony_daemon_sockets {
    int tcp;
    int udp;
    char tcp_name[COLONY_SOCKET_NAME_SIZE];
    char udp_name[COLONY_SOCKET_NAME_SIZE];
};

extern const struct colony_front colony_daemon_front;

/*
 * Reads what the endpoint of @settings needs, to tell before anything runs whether it can be
 * served: 0 also when none is wanted. -EACCES: see colony_daemon_listen(); what reading the tokens
 * says.
 */
int colony_daemon_check(const struct colony_settings *settings, struct colony_error *err);

/*
 * Listens on `master.host` and `master.port`, as TCP and UDP; port 0 is any that is free as both.
 * `::` is 0.0.0.0 where there is no IPv6. Blocks: names are looked up.
 *
 * -EINVAL, -EACCES (events from beyond this machine would run commands, with neither tokens nor
 * `events.insecure`), -EADDRINUSE, or what the system said.
 */
int colony_daemon_listen(struct colony_daemon_sockets *out, const struct colony_settings *settings,
                         struct colony_error *err);

#endif
