/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready_tcp.c - ready when something accepts connections. A try goes to all addresses of the name
 * at once, so that one that never answers holds up no other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ready_internal.h"
#include "core/template.h"

enum {
    ADDRESSES_MAX = 16,
};

struct attempt {
    uv_tcp_t tcp;
    uv_connect_t connect;
};

struct colony__ready_tcp {
    struct colony__ready_address address;
    bool is_trying;
    bool is_looking_up; /* also for a try that is over: a look-up cannot be ended */
    bool is_wanted;     /* what is looked up is for the try that goes on */
    size_t made;        /* attempts of the last try */
    size_t open;        /* those whose handle is not closed yet */
    size_t pending;     /* those that may still connect */
    uv_getaddrinfo_t lookup;
    struct attempt attempts[ADDRESSES_MAX];
};

static bool is_port(const char *text)
{
    size_t length = strspn(text, "0123456789");
    unsigned long value = strtoul(text, NULL, 10);

    return length > 0 && length <= 5 && text[length] == '\0' && value > 0 && value <= 65535;
}

int colony__ready_split_address(struct colony__ready_address *out, const char *text)
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t size = colon ? (size_t)(colon - text) : 0;

    if (!colon || !is_port(colon + 1))
        return -EINVAL;
    if (host[0] == '[' && size > 2 && host[size - 1] == ']') {
        host++;
        size -= 2;
    } else if (memchr(host, ':', size)) {
        return -EINVAL;
    }
    if (size == 0 || size > COLONY__HOST_MAX || strcspn(host, "[]/@ \t\r\n") < size)
        return -EINVAL;
    memcpy(out->host, host, size);
    out->host[size] = '\0';
    (void)snprintf(out->port, sizeof out->port, "%s", colon + 1);
    return 0;
}

static void advance(struct colony_ready *ready);

static void on_interval(uv_timer_t *timer)
{
    (void)colony__ready_tcp_begin(timer->data);
}

static void fail_try(struct colony_ready *ready, const char *action, const char *why)
{
    char text[COLONY__READY_TEXT_MAX];

    (void)snprintf(text, sizeof text, "cannot %s %s: %s", action, ready->template->ready->text,
                   why);
    colony__ready_tcp_end(ready);
    colony__ready_tried(ready, text, on_interval);
}

static void on_late(uv_timer_t *timer)
{
    struct colony_ready *ready = timer->data;
    char why[64];

    (void)snprintf(why, sizeof why, "no answer within %" PRIu64 " ms",
                   ready->template->ready->try_ms);
    fail_try(ready, ready->tcp->is_looking_up ? "look up" : "connect to", why);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct colony_ready *ready = handle->data;

    ready->tcp->open--;
    advance(ready);
    colony__ready_release(ready);
}

static bool is_same(const struct sockaddr_storage *left, const struct sockaddr_storage *right)
{
    struct sockaddr_in6 own6;
    struct sockaddr_in6 peer6;
    struct sockaddr_in own4;
    struct sockaddr_in peer4;

    if (left->ss_family == AF_INET6) {
        memcpy(&own6, left, sizeof own6);
        memcpy(&peer6, right, sizeof peer6);
        return own6.sin6_port == peer6.sin6_port &&
               IN6_ARE_ADDR_EQUAL(&own6.sin6_addr, &peer6.sin6_addr);
    }
    memcpy(&own4, left, sizeof own4);
    memcpy(&peer4, right, sizeof peer4);
    return own4.sin_port == peer4.sin_port && own4.sin_addr.s_addr == peer4.sin_addr.s_addr;
}

/*
 * A socket that connects to a port of its own host that nobody listens on may be given just that
 * port by the kernel: then it is connected to itself.
 */
static bool is_own(const uv_tcp_t *tcp)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_storage peer = {0};
    int own_size = sizeof own;
    int peer_size = sizeof peer;

    return uv_tcp_getsockname(tcp, (struct sockaddr *)&own, &own_size) == 0 &&
           uv_tcp_getpeername(tcp, (struct sockaddr *)&peer, &peer_size) == 0 &&
           is_same(&own, &peer);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct colony_ready *ready = connect->data;
    uv_tcp_t *handle = (uv_tcp_t *)connect->handle;

    if (uv_is_closing((uv_handle_t *)handle))
        return; /* its try is over */
    if (status == 0 && is_own(handle))
        status = UV_ECONNREFUSED;
    uv_close((uv_handle_t *)handle, on_attempt_closed);
    if (status == 0)
        colony__ready_set(ready);
    else if (--ready->tcp->pending == 0)
        fail_try(ready, "connect to", uv_strerror(status));
}

/* One of those that connect at once. */
static int connect_to(struct colony_ready *ready, const struct sockaddr *address)
{
    struct colony__ready_tcp *tcp = ready->tcp;
    struct attempt *attempt = &tcp->attempts[tcp->made];
    int rc = uv_tcp_init(ready->loop, &attempt->tcp);

    if (rc < 0)
        return rc;
    attempt->tcp.data = ready;
    attempt->connect.data = ready;
    tcp->made++;
    tcp->open++;
    ready->open++;
    rc = uv_tcp_connect(&attempt->connect, &attempt->tcp, address, on_connected);
    if (rc < 0) {
        uv_close((uv_handle_t *)&attempt->tcp, on_attempt_closed);
        return rc;
    }
    tcp->pending++;
    return 0;
}

static void connect_all(struct colony_ready *ready, const struct addrinfo *list)
{
    struct colony__ready_tcp *tcp = ready->tcp;
    int error = UV_EADDRNOTAVAIL;

    tcp->made = 0;
    for (; list && tcp->made < ADDRESSES_MAX; list = list->ai_next) {
        int rc = connect_to(ready, list->ai_addr);

        error = rc < 0 ? rc : error;
    }
    if (tcp->pending == 0)
        fail_try(ready, "connect to", uv_strerror(error));
}

/* True when the host is an address and was gone for. */
static bool connect_to_number(struct colony_ready *ready)
{
    const struct colony__ready_address *address = &ready->tcp->address;
    int port = (int)strtoul(address->port, NULL, 10);
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct addrinfo only = {0};

    if (uv_ip4_addr(address->host, port, &v4) == 0)
        only.ai_addr = (struct sockaddr *)&v4;
    else if (uv_ip6_addr(address->host, port, &v6) == 0)
        only.ai_addr = (struct sockaddr *)&v6;
    else
        return false;
    connect_all(ready, &only);
    return true;
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status, struct addrinfo *list)
{
    struct colony_ready *ready = lookup->data;
    struct colony__ready_tcp *tcp = ready->tcp;
    bool is_wanted = tcp->is_wanted;

    tcp->is_looking_up = false;
    tcp->is_wanted = false;
    if (is_wanted && status < 0)
        fail_try(ready, "look up", uv_strerror(status));
    else if (is_wanted)
        connect_all(ready, list);
    uv_freeaddrinfo(list);
    advance(ready);
    colony__ready_release(ready);
}

static void look_up(struct colony_ready *ready)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct colony__ready_tcp *tcp = ready->tcp;
    int rc;

    tcp->lookup.data = ready;
    rc = uv_getaddrinfo(ready->loop, &tcp->lookup, on_looked_up, tcp->address.host,
                        tcp->address.port, &hints);
    if (rc < 0) {
        fail_try(ready, "look up", uv_strerror(rc));
        return;
    }
    tcp->is_looking_up = tcp->is_wanted = true;
    ready->open++;
}

/* Goes on with a try that has begun, once nothing is left of the one before. */
static void advance(struct colony_ready *ready)
{
    const struct colony__ready_tcp *tcp = ready->tcp;

    if (tcp->is_trying && tcp->open == 0 && !tcp->is_looking_up && !connect_to_number(ready))
        look_up(ready);
}

int colony__ready_tcp_init(struct colony_ready *ready)
{
    struct colony__ready_tcp *tcp = calloc(1, sizeof *tcp);
    int rc;

    if (!tcp)
        return -ENOMEM;
    rc = colony__ready_split_address(&tcp->address, ready->template->ready->text);
    if (rc < 0) {
        free(tcp);
        return rc;
    }
    ready->tcp = tcp;
    return 0;
}

int colony__ready_tcp_begin(struct colony_ready *ready)
{
    uint64_t try_ms = ready->template->ready->try_ms;

    ready->tcp->is_trying = true;
    if (try_ms > 0)
        (void)uv_timer_start(&ready->timer, on_late, try_ms, 0);
    advance(ready);
    return 0;
}

void colony__ready_tcp_end(struct colony_ready *ready)
{
    struct colony__ready_tcp *tcp = ready->tcp;

    tcp->is_trying = false;
    tcp->is_wanted = false;
    tcp->pending = 0;
    for (size_t i = 0; i < tcp->made; i++)
        if (!uv_is_closing((uv_handle_t *)&tcp->attempts[i].tcp))
            uv_close((uv_handle_t *)&tcp->attempts[i].tcp, on_attempt_closed);
    if (tcp->is_looking_up)
        (void)uv_cancel((uv_req_t *)&tcp->lookup); /* one that runs comes back by itself */
}

void colony__ready_tcp_free(struct colony__ready_tcp *tcp)
{
    free(tcp);
}
