/* SPDX-License-Identifier: Apache-2.0 */
#include "core/exchange.h"

#include <errno.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/channel.h"
#include "core/client.h"
#include "core/error.h"
#include "core/target.h"

enum {
    READ_SIZE = 65536,
    REQUEST_MAX = 16384,
};

struct colony_exchange {
    const struct colony_target *target;
    const struct colony_request *request;
    struct colony_reply reply;
    struct colony_error *err; /* of the call under way */
    llhttp_settings_t settings;
    llhttp_t parser;
    struct colony_channel channel;
    size_t head_bytes; /* read before the head was complete */
    size_t capacity;   /* of the reply's body */
    bool has_head;
    bool is_complete;
    bool was_used; /* some of the body was handed on */
    int failure;   /* of a callback, told in err where a person should know */
    char buffer[READ_SIZE];
};

static int fail_protocol(struct colony_exchange *exchange, const char *why)
{
    return colony_fail(exchange->err, -EPROTO, "cannot understand the answer of %s: %s",
                       exchange->target->text, why);
}

static bool is_interim(const struct colony_exchange *exchange)
{
    return exchange->parser.status_code < 200;
}

static bool is_streamed(const struct colony_exchange *exchange)
{
    return exchange->request->on_body && exchange->parser.status_code / 100 == 2;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct colony_exchange *exchange = parser->data;

    exchange->has_head = !is_interim(exchange);
    exchange->reply.status = parser->status_code;
    return 0;
}

static int collect(struct colony_exchange *exchange, const char *bytes, size_t size)
{
    struct colony_reply *reply = &exchange->reply;
    size_t needed = reply->size + size + 1;

    if (needed > COLONY_CLIENT_BODY_MAX)
        return fail_protocol(exchange, "it is too long");
    if (!reply->body || needed > exchange->capacity) {
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
    struct colony_exchange *exchange = parser->data;

    exchange->was_used = is_streamed(exchange);
    if (exchange->was_used)
        exchange->failure = exchange->request->on_body(bytes, size, exchange->request->data);
    else
        exchange->failure = collect(exchange, bytes, size);
    return exchange->failure < 0 ? HPE_USER : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    struct colony_exchange *exchange = parser->data;

    if (is_interim(exchange))
        return 0;
    exchange->is_complete = true;
    return HPE_PAUSED;
}

/* When it fails, what the other side said before it hung up is still to be read. */
static int send_request(struct colony_exchange *exchange)
{
    const struct colony_target *target = exchange->target;
    const struct colony_request *request = exchange->request;
    const char *address = target->is_unix ? "localhost" : strstr(target->text, "://") + 3;
    bool has_token = target->token[0] != '\0' && !target->is_unix;
    const char *body = request->body ? request->body : "";
    size_t size = request->body_size > 0 ? request->body_size : strlen(body);
    const char *type = request->type ? request->type : "application/json";
    const char *last_id = request->last_id;
    char text[REQUEST_MAX];
    int used;
    int rc;

    used = snprintf(
        text, sizeof text,
        "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: colony-ctl/" COLONY_VERSION
        "\r\n%s%s%s%s%s%s%s%s%sContent-Length: %zu\r\nConnection: %s\r\n\r\n",
        request->method, request->path, address, has_token ? "Authorization: Bearer " : "",
        has_token ? target->token : "", has_token ? "\r\n" : "", last_id ? "Last-Event-ID: " : "",
        last_id ? last_id : "", last_id ? "\r\n" : "", request->body ? "Content-Type: " : "",
        request->body ? type : "", request->body ? "\r\n" : "", size,
        request->keeps_connection ? "keep-alive" : "close");
    if (used < 0 || (size_t)used >= sizeof text)
        return colony_fail(exchange->err, -EINVAL, "cannot ask colony: the request is too long");
    rc = colony_channel_send(&exchange->channel, text, (size_t)used);
    explicit_bzero(text, sizeof text);
    return rc < 0 ? rc : colony_channel_send(&exchange->channel, body, size);
}

static bool is_safe(const struct colony_request *request)
{
    return strcmp(request->method, "GET") == 0;
}

/* Who may not control it is told so on a Unix socket: there it is the engine that has died. */
static const char *explain_silence(const struct colony_exchange *exchange)
{
    if (exchange->target->is_for_events)
        return "is it colony's endpoint of events?";
    if (!exchange->target->is_unix)
        return "may you control it?";
    return is_safe(exchange->request) ? "its log says why"
                                      : "see `colony ctl ps` whether it was done";
}

static int feed(struct colony_exchange *exchange, const char *bytes, size_t size)
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

int colony_exchange_open(struct colony_exchange **out, const struct colony_target *target,
                         const struct colony_request *request, struct colony_error *err)
{
    struct colony_exchange *exchange = calloc(1, sizeof *exchange);
    int rc;

    if (!exchange)
        return colony_fail(err, -ENOMEM, "cannot ask colony: out of memory");
    exchange->target = target;
    exchange->request = request;
    exchange->err = err;
    exchange->reply.connection = -1;
    rc = colony_channel_open(&exchange->channel, target, err);
    if (rc < 0) {
        free(exchange);
        return rc;
    }
    llhttp_settings_init(&exchange->settings);
    exchange->settings.on_headers_complete = on_headers_complete;
    exchange->settings.on_body = on_body;
    exchange->settings.on_message_complete = on_message_complete;
    llhttp_init(&exchange->parser, HTTP_RESPONSE, &exchange->settings);
    exchange->parser.data = exchange;
    rc = send_request(exchange);
    if (rc == -EINVAL) {
        colony_exchange_close(exchange);
        return rc;
    }
    *out = exchange; /* what hung up has perhaps said why */
    return 0;
}

int colony_exchange_fd(const struct colony_exchange *exchange)
{
    return exchange->channel.fd;
}

int colony_exchange_read(struct colony_exchange *exchange, struct colony_error *err)
{
    ssize_t count;
    int rc;

    exchange->err = err;
    count = colony_channel_receive(&exchange->channel, exchange->buffer, READ_SIZE, err);
    if (count == -EAGAIN)
        return 0;
    if (count == -EACCES)
        return -EACCES;
    if (count < 0)
        count = 0; /* reset: as good as the end */
    rc = feed(exchange, exchange->buffer, (size_t)count);
    if (rc < 0 || !exchange->is_complete)
        return rc;
    if (!exchange->reply.body && !is_streamed(exchange))
        rc = collect(exchange, "", 0);
    return rc < 0 ? rc : 1;
}

bool colony_exchange_was_used(const struct colony_exchange *exchange)
{
    return exchange->was_used;
}

const struct colony_reply *colony_exchange_reply(const struct colony_exchange *exchange)
{
    return &exchange->reply;
}

void colony_exchange_take(struct colony_exchange *exchange, struct colony_reply *reply,
                          bool keeps_connection)
{
    *reply = exchange->reply;
    exchange->reply = (struct colony_reply){.connection = -1};
    if (keeps_connection)
        reply->connection = colony_channel_release(&exchange->channel);
}

void colony_exchange_close(struct colony_exchange *exchange)
{
    if (!exchange)
        return;
    colony_channel_close(&exchange->channel);
    free(exchange->reply.body);
    free(exchange);
}
