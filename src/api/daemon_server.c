/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_server.c - the daemon endpoint: a queue, a server and a socket of datagrams. */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "api/access_internal.h"
#include "api/daemon.h"
#include "api/daemon_internal.h"
#include "api/datagrams_internal.h"
#include "api/server_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"
#include "core/event_settings.h"
#include "core/settings.h"

uint64_t colony__daemon_now_us(int clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t colony__daemon_dropped(const struct colony__daemon *daemon)
{
    uint64_t dropped = colony_inbox_counts(daemon->inbox).dropped;

    return dropped + (daemon->datagrams ? colony__datagrams_dropped(daemon->datagrams) : 0);
}

/* --- its start -------------------------------------------------------------------------------- */

int colony__daemon_load_tokens(struct colony__tokens **out, const struct colony_settings *settings,
                               struct colony_error *err)
{
    return settings->events->tokens ? colony__tokens_load(out, settings->events->tokens, err) : 0;
}

static int make_server(struct colony__daemon *daemon, const struct colony_inbox_options *inbox,
                       struct colony_error *err)
{
    const struct colony_settings *settings = daemon->host->settings(daemon);
    struct colony_http_settings http = settings->http;
    struct colony__server_options options = {.loop = inbox->loop,
                                             .engine = inbox->engine,
                                             .routes = &colony__daemon_routes,
                                             .settings = &http,
                                             .owner = daemon};
    struct colony__tokens *tokens = NULL;
    int rc;

    http.body_bytes_max = colony_inbox_size_max(daemon->inbox);
    rc = colony__access_new(&options.access, &settings->http, err);
    if (rc == 0) {
        rc = colony__access_open(options.access, settings->master.host);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot take events");
    }
    if (rc == 0)
        rc = colony__daemon_load_tokens(&tokens, settings, err);
    if (rc == 0) {
        colony__access_set_tokens(options.access, tokens);
        rc = colony__server_new(&daemon->server, &options, err);
    }
    if (rc < 0)
        colony__access_free(options.access);
    return rc;
}

static void on_useless_inbox_closed(void *data)
{
    (void)data;
}

int colony__daemon_open(struct colony__daemon *daemon, const struct colony_inbox_options *inbox,
                        struct colony_error *err)
{
    int rc = colony_inbox_new(&daemon->inbox, inbox, err);

    if (rc < 0)
        return rc;
    rc = make_server(daemon, inbox, err);
    if (rc < 0)
        colony_inbox_close(daemon->inbox, on_useless_inbox_closed, NULL);
    return rc;
}

static uint32_t port_of(int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        return 0;
    memcpy(&v4, &address, sizeof v4);
    memcpy(&v6, &address, sizeof v6);
    return ntohs(address.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

static int listen_for_datagrams(struct colony__daemon *daemon, int fd, struct colony_error *err)
{
    const struct colony_settings *settings = daemon->host->settings(daemon);
    int rc = 0;

    if (!daemon->datagrams)
        rc =
            colony__datagrams_new(&daemon->datagrams, daemon->server->loop, fd, daemon->inbox, err);
    if (rc < 0)
        return rc;
    colony__datagrams_set_local(daemon->datagrams, settings->events->tokens);
    colony__datagrams_start(daemon->datagrams);
    return 0;
}

static bool is_named(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

int colony__daemon_listen(struct colony__daemon *daemon, const char *name, int fd,
                          struct colony_error *err)
{
    if (is_named(name, COLONY_DAEMON_UDP_PREFIX))
        return listen_for_datagrams(daemon, fd, err);
    if (!is_named(name, COLONY_DAEMON_PREFIX))
        return 0;
    daemon->port = port_of(fd);
    return colony__server_listen(daemon->server, fd, COLONY__NO_TLS, err);
}

/* --- its end ---------------------------------------------------------------------------------- */

void colony__daemon_stop(struct colony__daemon *daemon)
{
    colony__server_stop(daemon->server);
    if (daemon->datagrams)
        colony__datagrams_stop(daemon->datagrams);
    colony_inbox_stop(daemon->inbox);
}

static void on_part_closed(void *data)
{
    struct colony__daemon *daemon = data;

    if (--daemon->open_parts == 0)
        daemon->closed_cb(daemon->closed_data); /* which frees it */
}

/* Who waits for the answer to an event gets it before the server goes. */
static void on_inbox_closed(void *data)
{
    struct colony__daemon *daemon = data;

    daemon->open_parts = daemon->datagrams ? 2 : 1;
    if (daemon->datagrams)
        colony__datagrams_close(daemon->datagrams, on_part_closed, daemon);
    colony__server_close(daemon->server, on_part_closed, daemon);
}

void colony__daemon_close(struct colony__daemon *daemon, void (*cb)(void *data), void *data)
{
    daemon->closed_cb = cb;
    daemon->closed_data = data;
    colony_inbox_close(daemon->inbox, on_inbox_closed, daemon);
}
