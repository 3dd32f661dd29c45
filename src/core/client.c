/* SPDX-License-Identifier: Apache-2.0 */
#include "core/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/exchange.h"
#include "core/target.h"

enum {
    AGAIN_FIRST_MS = 10, /* before the second try, then twice as long each time */
    AGAIN_MAX_MS = 640,  /* all in all 1.3 seconds */
};

int colony_client_encode(char *out, size_t size, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || strchr("-._~:", byte);

        if (used + 4 > size)
            return -ENAMETOOLONG;
        if (is_plain) {
            out[used++] = (char)byte;
            continue;
        }
        out[used++] = '%';
        out[used++] = digits[byte >> 4];
        out[used++] = digits[byte & 15];
    }
    if (used >= size)
        return -ENAMETOOLONG;
    out[used] = '\0';
    return 0;
}

static bool is_safe(const struct colony_request *request)
{
    return strcmp(request->method, "GET") == 0;
}

/* 0: none. */
static uint64_t deadline_of(const struct colony_request *request)
{
    uint64_t timeout_ms = request->timeout_ms;

    if (timeout_ms > INT32_MAX / 2)
        timeout_ms = INT32_MAX / 2; /* poll() counts in int; 12 days */
    return timeout_ms > 0 ? colony_target_now_ms() + timeout_ms : 0;
}

/* 1 when there is something to read, 0 when to look again. */
static int wait_readable(const struct colony_target *target, const struct colony_request *request,
                         int fd, uint64_t deadline_ms, struct colony_error *err)
{
    struct pollfd wait[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDOUT_FILENO, .events = 0}};
    nfds_t count = request->watches_stdout ? 2 : 1;
    uint64_t now = colony_target_now_ms();
    int left_ms = -1;
    int rc;

    if (deadline_ms > 0)
        left_ms = now < deadline_ms ? (int)(deadline_ms - now) : 0;
    rc = poll(wait, count, left_ms);
    if (rc < 0 && errno != EINTR)
        return colony_fail_os(err, -errno, "cannot wait for %s", target->text);
    if (rc == 0)
        return colony_fail(err, -ETIMEDOUT,
                           "cannot wait longer for %s: no answer within %.3g seconds", target->text,
                           (double)request->timeout_ms / 1000);
    if (rc > 0 && count == 2 && (wait[1].revents & POLLERR))
        return -EPIPE;
    return rc > 0 && wait[0].revents != 0;
}

/* Until the answer is complete; *was_used: some of it was handed on. */
static int read_reply(struct colony_exchange *exchange, const struct colony_target *target,
                      const struct colony_request *request, bool *was_used,
                      struct colony_error *err)
{
    uint64_t deadline_ms = deadline_of(request);
    int rc = 0;

    while (rc == 0) {
        rc = wait_readable(target, request, colony_exchange_fd(exchange), deadline_ms, err);
        if (rc <= 0)
            continue;
        rc = colony_exchange_read(exchange, err);
        *was_used = colony_exchange_was_used(exchange);
        if (*was_used)
            deadline_ms = deadline_of(request);
    }
    return rc < 0 ? rc : 0;
}

static int ask_once(const struct colony_target *target, const struct colony_request *request,
                    struct colony_reply *reply, bool *was_used, struct colony_error *err)
{
    struct colony_exchange *exchange = NULL;
    int rc = colony_exchange_open(&exchange, target, request, err);

    if (rc < 0)
        return rc;
    rc = read_reply(exchange, target, request, was_used, err);
    colony_exchange_take(exchange, reply, rc == 0 && request->keeps_connection);
    colony_exchange_close(exchange);
    return rc;
}

/*
 * The engine may be replaced at any moment, and another one answers soon. Only what changes nothing
 * is asked again: whether the rest was done nobody knows.
 */
int colony_client_request(const struct colony_target *target, const struct colony_request *request,
                          struct colony_reply *reply, struct colony_error *err)
{
    for (int wait_ms = AGAIN_FIRST_MS;; wait_ms *= 2) {
        struct colony_reply one = {.connection = -1};
        bool was_used = false;
        int rc = ask_once(target, request, &one, &was_used, err);

        if (rc != -ECONNRESET || !is_safe(request) || was_used || wait_ms > AGAIN_MAX_MS) {
            *reply = one;
            return rc;
        }
        colony_client_clear(&one);
        (void)poll(NULL, 0, wait_ms);
    }
}

void colony_client_clear(struct colony_reply *reply)
{
    free(reply->body);
    if (reply->connection >= 0)
        (void)close(reply->connection);
    *reply = (struct colony_reply){.connection = -1};
}
