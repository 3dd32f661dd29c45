/* SPDX-License-Identifier: Apache-2.0 */
/* event_send.c - `colony event send`: one event, by HTTP, which is answered, or by UDP, which is
 * not. */
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "commands.h"
#include "core/client.h"
#include "core/error.h"
#include "core/secret.h"
#include "core/target.h"
#include "core/value.h"
#include "event_internal.h"

enum {
    INPUT_BYTES = 65536,
    EVENT_BYTES_MAX = 64 << 20, /* what a daemon takes is its own affair */
    DATAGRAM_BYTES_MAX = 65507,
};

#define DEFAULT_TO "localhost:5151"

struct send {
    const char *to;
    const char *token_file;
    bool is_udp;
    bool is_http;
    char *text; /* what standard input had */
};

#define AT(field) offsetof(struct send, field)

const struct colony_option colony__event_send_options[] = {
    {"to", 0, "HOST:PORT", "where the daemon is; default " DEFAULT_TO, OPTION_TEXT, AT(to), NULL},
    {"http", 0, NULL, "by HTTP, which tells whether it was taken; the default", OPTION_FLAG,
     AT(is_http), NULL},
    {"udp", 0, NULL, "by UDP, which tells nothing", OPTION_FLAG, AT(is_udp), NULL},
    {"token-file", 0, "FILE", "the token to show, in clear; also $COLONY_TOKEN itself", OPTION_TEXT,
     AT(token_file), NULL},
    {NULL, 0, NULL, NULL, OPTION_END, 0, NULL},
};

/* --- the event -------------------------------------------------------------------------------- */

/* Room for more in *text, of which *capacity bytes are had. */
static int grow(char **text, size_t *capacity)
{
    size_t wanted = *capacity > 0 ? *capacity * 2 : INPUT_BYTES;
    char *grown = realloc(*text, wanted);

    if (!grown)
        return -ENOMEM;
    *text = grown;
    *capacity = wanted;
    return 0;
}

/* The caller frees *text, also after a failure. */
static int read_input(char **text, size_t *size)
{
    size_t capacity = 0;
    size_t count = 1;
    int rc = 0;

    *size = 0;
    while (rc == 0 && count > 0 && *size <= EVENT_BYTES_MAX) {
        if (*size == capacity)
            rc = grow(text, &capacity);
        count = rc == 0 ? fread(*text + *size, 1, capacity - *size, stdin) : 0;
        *size += count;
    }
    if (rc == 0 && ferror(stdin))
        rc = -EIO;
    return rc == 0 && *size > EVENT_BYTES_MAX ? -EFBIG : rc;
}

/* Mistakes are told here: of a datagram nobody else would. */
static int check_json(const char *text, size_t size)
{
    struct colony_value *value = NULL;
    struct colony_error err;

    if (colony_value_parse_json(&value, text, size, &err) < 0)
        return colony__event_fail((int)colony_error_info(err.code)->exit_code, "%s", err.message);
    colony_value_free(value);
    return EXIT_OK;
}

/* --- UDP -------------------------------------------------------------------------------------- */

/* 0 also when nobody may have got it. Of this machine it is known at once that nobody listens. */
static int send_datagram(const struct addrinfo *address, const char *text, size_t size)
{
    int fd = socket(address->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof(int);
    int error = 0;
    int rc = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 || send(fd, text, size, 0) < 0)
        rc = -errno;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error != 0)
        rc = -error;
    (void)close(fd);
    return rc;
}

static int send_by_udp(const struct colony_target *target, const char *text, size_t size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int found;
    int rc = -EHOSTUNREACH;

    if (size > DATAGRAM_BYTES_MAX)
        return colony__event_fail(EXIT_FAILED,
                                  "cannot send %zu bytes by UDP: at most %d, send them by --http",
                                  size, DATAGRAM_BYTES_MAX);
    found = getaddrinfo(target->host, target->port, &hints, &addresses);
    if (found != 0)
        return colony__event_fail(EXIT_UNREACHABLE, "cannot send it to %s:%s: %s", target->host,
                                  target->port,
                                  found == EAI_SYSTEM ? strerror(errno) : gai_strerror(found));
    for (const struct addrinfo *one = addresses; one && rc < 0; one = one->ai_next)
        rc = send_datagram(one, text, size);
    freeaddrinfo(addresses);
    if (rc < 0)
        return colony__event_fail(EXIT_UNREACHABLE, "cannot send it to %s:%s: %s", target->host,
                                  target->port, strerror(-rc));
    return EXIT_OK;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

/* {"message": "…", "result": false} */
static int tell_refusal(const struct colony_target *target, const struct colony_reply *reply)
{
    bool is_forbidden = reply->status == 401 || reply->status == 403;
    struct colony_value *answer = NULL;
    const struct colony_value *message = NULL;

    if (reply->body && colony_value_parse_json(&answer, reply->body, reply->size, NULL) == 0)
        message = colony_value_get(answer, "message");
    (void)colony__event_fail(0, "%s did not take it: %s (status %d)", target->text,
                             message && message->type == VALUE_STRING ? message->text
                                                                      : "it does not say why",
                             reply->status);
    colony_value_free(answer);
    return is_forbidden ? EXIT_NOT_ALLOWED : EXIT_FAILED;
}

static int send_by_http(const struct colony_target *target, const char *text, size_t size)
{
    const struct colony_request request = {
        .method = "POST",
        .path = "/events",
        .body = text,
        .body_size = size,
        .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
    };
    struct colony_reply reply = {.connection = -1};
    struct colony_error err;
    int exit_code = EXIT_OK;

    if (colony_client_request(target, &request, &reply, &err) < 0)
        exit_code =
            colony__event_fail((int)colony_error_info(err.code)->exit_code, "%s", err.message);
    else if (reply.status != 200)
        exit_code = tell_refusal(target, &reply);
    colony_client_clear(&reply);
    return exit_code;
}

/* --- the command ------------------------------------------------------------------------------ */

/* The endpoint speaks no TLS: whoever says that a token is to go there knows that. */
static int set_token(struct colony_target *target, const char *path, struct colony_error *err)
{
    const char *given = getenv("COLONY_TOKEN");
    char *text = NULL;
    size_t size = 0;
    int rc = path ? colony_secret_read(&text, &size, path, err) : 0;
    size_t length;

    if (rc < 0)
        return rc;
    given = text ? text : given ? given : "";
    length = strcspn(given, " \t\r\n");
    if (length > COLONY_TARGET_TOKEN_MAX)
        rc = colony_fail(err, -EINVAL, "cannot use this token: it is too long");
    else
        (void)snprintf(target->token, sizeof target->token, "%.*s", (int)length, given);
    colony_secret_free(text, size);
    return rc;
}

static int send_to(const struct send *send, const char *text, size_t size)
{
    static struct colony_target target; /* too large for the stack */
    const char *to = send->to ? send->to : DEFAULT_TO;
    struct colony_error err;

    if (!strchr(to, ':') || colony_target_parse(&target, to, &err) < 0 || target.is_unix ||
        target.is_tls)
        return colony__event_fail(EXIT_USAGE, "cannot send it to %.100s: write HOST:PORT", to);
    if (send->is_udp)
        return send_by_udp(&target, text, size);
    target.is_for_events = true;
    if (set_token(&target, send->token_file, &err) < 0)
        return colony__event_fail((int)colony_error_info(err.code)->exit_code, "%s", err.message);
    return send_by_http(&target, text, size);
}

static int send_event(struct send *send, const char *text)
{
    bool is_input = strcmp(text, "-") == 0;
    size_t size = strlen(text);
    int rc = is_input ? read_input(&send->text, &size) : 0;
    int exit_code;

    if (is_input)
        text = send->text;
    if (rc < 0)
        exit_code = colony__event_fail(EXIT_FAILED, "cannot read the event: %s", strerror(-rc));
    else
        exit_code = check_json(text, size);
    if (exit_code == EXIT_OK)
        exit_code = send_to(send, text, size);
    free(send->text);
    return exit_code;
}

int colony__event_send(size_t index, int argc, char **argv)
{
    struct send send = {.to = NULL};
    int exit_code;

    if (!colony_options_parse_child(&colony_event_usage, index, &send, &argc, argv, &exit_code))
        return exit_code;
    if (send.is_udp && send.is_http)
        return colony__event_fail(EXIT_USAGE, "cannot send it by --udp and --http: choose one");
    if (send.is_udp && send.token_file)
        return colony__event_fail(EXIT_USAGE, "cannot show a token by UDP: use --http");
    return send_event(&send, argv[1]);
}
