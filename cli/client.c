/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <errno.h>
#include <llhttp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "core/error.h"
#include "target.h"

enum {
    READ_SIZE = 65536,
    REQUEST_MAX = 8192,
    AGAIN_FIRST_MS = 10, /* before the second try, then twice as long each time */
    AGAIN_MAX_MS = 640,  /* all in all 1.3 seconds */
};

/* One request under way. */
struct exchange {
    const struct colony_target *target;
    const struct colony_request *request;
    struct colony_reply *reply;
    struct colony_error *err;
    llhttp_t parser;
    struct colony_channel channel;
    uint64_t deadline_ms; /* 0: none */
    size_t head_bytes;    /* read before the head was complete */
    size_t capacity;      /* of the reply's body */
    bool has_head;
    bool is_complete;
    bool was_used; /* some of the body was handed on */
    int failure;   /* of a callback, told in err where a person should know */
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

static int fail_protocol(struct exchange *exchange, const char *why)
{
    return colony_fail(exchange->err, -EPROTO, "cannot understand the answer of %s: %s",
                       exchange->target->text, why);
}

static bool is_interim(const struct exchange *exchange)
{
    return exchange->parser.status_code < 200;
}

static bool is_streamed(const struct exchange *exchange)
{
    return exchange->request->on_body && exchange->parser.status_code / 100 == 2;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct exchange *exchange = parser->data;

    exchange->has_head = !is_interim(exchange);
    exchange->reply->status = parser->status_code;
    return 0;
}

static int collect(struct exchange *exchange, const char *bytes, size_t size)
{
    struct colony_reply *reply = exchange->reply;
    size_t needed = reply->size + size + 1;

    if (needed > COLONY_CLIENT_BODY_MAX)
        return fail_protocol(exchange, "it is too long");
    if (needed > exchange->capacity) {
        size_t capacity = needed * 2;
        char *body = realloc(reply->body, capacity);

        if (!body)
            return colony_fail(exchange->err, -ENOMEM, "cannot read the answer: out of memory");
        reply->body = body;
        exchange->capacity = capacity;
    }
    memcpy(reply->body + reply->size, bytes, size);
    reply->size += size;
    reply->body[reply->size] = '\0';
    return 0;
}

static int on_body(llhttp_t *parser, const char *bytes, size_t size)
{
    struct exchange *exchange = parser->data;

    exchange->was_used = is_streamed(exchange);
    if (exchange->was_used)
        exchange->failure = exchange->request->on_body(bytes, size, exchange->request->data);
    else
        exchange->failure = collect(exchange, bytes, size);
    return exchange->failure < 0 ? HPE_USER : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct exchange *exchange = parser->data;

    if (is_interim(exchange))
        return 0;
    exchange->is_complete = true;
    return HPE_PAUSED;
}

/* When it fails, what the other side said before it hung up is still to be read. */
static int send_request(struct exchange *exchange)
{
    const struct colony_target *target = exchange->target;
    const struct colony_request *request = exchange->request;
    const char *address = target->is_unix ? "localhost" : strstr(target->text, "://") + 3;
    bool has_token = target->token[0] != '\0' && !target->is_unix;
    const char *body = request->body ? request->body : "";
    char text[REQUEST_MAX];
    int used;
    int rc;

    used =
        snprintf(text, sizeof text,
                 "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: colony-ctl/" COLONY_VERSION
                 "\r\n%s%s%s%sContent-Length: %zu\r\nConnection: %s\r\n\r\n",
                 request->method, request->path, address, has_token ? "Authorization: Bearer " : "",
                 has_token ? target->token : "", has_token ? "\r\n" : "",
                 request->body ? "Content-Type: application/json\r\n" : "", strlen(body),
                 request->keeps_connection ? "keep-alive" : "close");
    if (used < 0 || (size_t)used >= sizeof text)
        return colony_fail(exchange->err, -EINVAL, "cannot ask colony: the request is too long");
    rc = colony_channel_send(&exchange->channel, text, (size_t)used);
    explicit_bzero(text, sizeof text);
    return rc < 0 ? rc : colony_channel_send(&exchange->channel, body, strlen(body));
}

/* 0 when there is something to read. */
static int wait_readable(struct exchange *exchange)
{
    struct pollfd wait[2] = {{.fd = exchange->channel.fd, .events = POLLIN},
                             {.fd = STDOUT_FILENO, .events = 0}};
    nfds_t count = exchange->request->watches_stdout ? 2 : 1;
    uint64_t now = colony_target_now_ms();
    int left_ms = -1;
    int rc;

    if (exchange->deadline_ms > 0) {
        left_ms = now < exchange->deadline_ms ? (int)(exchange->deadline_ms - now) : 0;
    }
    rc = poll(wait, count, left_ms);
    if (rc < 0 && errno != EINTR)
        return colony_fail_os(exchange->err, -errno, "cannot wait for %s", exchange->target->text);
    if (rc == 0)
        return colony_fail(exchange->err, -ETIMEDOUT,
                           "cannot wait longer for %s: no answer within %.3g seconds",
                           exchange->target->text, (double)exchange->request->timeout_ms / 1000);
    if (rc > 0 && count == 2 && (wait[1].revents & POLLERR))
        return -EPIPE;
    return 0;
}

static bool is_safe(const struct colony_request *request)
{
    return strcmp(request->method, "GET") == 0;
}

/* Who may not control it is told so on a Unix socket: there it is the engine that has died. */
static const char *explain_silence(const struct exchange *exchange)
{
    if (!exchange->target->is_unix)
        return "may you control it?";
    return is_safe(exchange->request) ? "its log says why"
                                      : "see `colony ctl ps` whether it was done";
}

static int feed(struct exchange *exchange, const char *bytes, size_t size)
{
    enum llhttp_errno error;

    if (!exchange->has_head) {
        exchange->head_bytes += size;
        if (exchange->head_bytes > COLONY_CLIENT_HEAD_MAX + READ_SIZE)
            return fail_protocol(exchange, "its head is too long");
    }
    error = size > 0 ? llhttp_execute(&exchange->parser, bytes, size)
                     : llhttp_finish(&exchange->parser);
    if (exchange->is_complete)
        return 0;
    if (exchange->failure < 0)
        return exchange->failure;
    if (error == HPE_OK && size > 0)
        return 0;
    if (size > 0)
        return fail_protocol(exchange, "is this colony?");
    if (exchange->head_bytes == 0)
        return colony_fail(exchange->err, -ECONNRESET, "cannot reach colony at %s: it hung up: %s",
                           exchange->target->text, explain_silence(exchange));
    return colony_fail(exchange->err, -ECONNRESET,
                       "cannot read the answer of %s: the connection ended in the middle of it",
                       exchange->target->text);
}

static void renew_deadline(struct exchange *exchange)
{
    uint64_t timeout_ms = exchange->request->timeout_ms;

    if (timeout_ms > INT32_MAX / 2)
        timeout_ms = INT32_MAX / 2; /* poll() counts in int; 12 days */
    exchange->deadline_ms = timeout_ms > 0 ? colony_target_now_ms() + timeout_ms : 0;
}

static int read_reply(struct exchange *exchange)
{
    char *buffer = malloc(READ_SIZE);
    int rc = 0;

    if (!buffer)
        return colony_fail(exchange->err, -ENOMEM, "cannot read the answer: out of memory");
    while (rc == 0 && !exchange->is_complete) {
        ssize_t count;

        rc = wait_readable(exchange);
        if (rc < 0)
            break;
        count = colony_channel_receive(&exchange->channel, buffer, READ_SIZE, exchange->err);
        if (count == -EAGAIN)
            continue;
        if (count == -EACCES) {
            rc = -EACCES;
            break;
        }
        if (count < 0)
            count = 0; /* reset: as good as the end */
        rc = feed(exchange, buffer, (size_t)count);
        if (is_streamed(exchange))
            renew_deadline(exchange);
    }
    free(buffer);
    return rc;
}

static int ask_once(struct exchange *exchange)
{
    struct colony_reply *reply = exchange->reply;
    llhttp_settings_t settings;
    int rc;

    rc = colony_channel_open(&exchange->channel, exchange->target, exchange->err);
    if (rc < 0)
        return rc;
    llhttp_settings_init(&settings);
    settings.on_headers_complete = on_headers_complete;
    settings.on_body = on_body;
    settings.on_message_complete = on_message_complete;
    llhttp_init(&exchange->parser, HTTP_RESPONSE, &settings);
    exchange->parser.data = exchange;
    renew_deadline(exchange);
    rc = send_request(exchange);
    if (rc != -EINVAL)
        rc = read_reply(exchange);
    if (rc == 0 && !reply->body && !is_streamed(exchange))
        rc = collect(exchange, "", 0);
    if (rc == 0 && exchange->request->keeps_connection)
        reply->connection = colony_channel_release(&exchange->channel);
    else
        colony_channel_close(&exchange->channel);
    return rc;
}

/*
 * The engine may be replaced at any moment, and another one answers soon. Only what changes nothing
 * is asked again: whether the rest was done nobody knows.
 */
int colony_client_request(const struct colony_target *target, const struct colony_request *request,
                          struct colony_reply *reply, struct colony_error *err)
{
    *reply = (struct colony_reply){.connection = -1};
    for (int wait_ms = AGAIN_FIRST_MS;; wait_ms *= 2) {
        struct exchange exchange = {
            .target = target, .request = request, .reply = reply, .err = err};
        int rc = ask_once(&exchange);

        if (rc != -ECONNRESET || !is_safe(request) || exchange.was_used || wait_ms > AGAIN_MAX_MS)
            return rc;
        free(reply->body);
        reply->body = NULL;
        reply->size = 0;
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
