/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handshake_internal.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <nettle/base64.h>
#include <nettle/sha1.h>

#include "api/request_internal.h"
#include "core/error.h"

enum {
    KEY_LENGTH = 24, /* 16 bytes in base64 */
};

/* Is @token an element of the lists in all headers @name? */
static bool has_token(const struct colony__request *request, const char *name, const char *token)
{
    const char *end = request->headers + request->headers_size;
    size_t length = strlen(token);
    const char *value;

    for (const char *at = request->headers; at < end; at = value + strlen(value) + 1) {
        value = at + strlen(at) + 1;
        if (strcasecmp(at, name) != 0)
            continue;
        for (const char *word = value; *word != '\0'; word += strcspn(word, ",")) {
            word += strspn(word, ", \t");
            if (strcspn(word, ", \t") == length && strncasecmp(word, token, length) == 0)
                return true;
        }
    }
    return false;
}

static bool is_key(const char *key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return strlen(key) == KEY_LENGTH && strspn(key, digits) == KEY_LENGTH - 2 &&
           strcmp(key + KEY_LENGTH - 2, "==") == 0;
}

int colony__handshake_check(const struct colony__request *request, struct colony_error *err)
{
    size_t versions;
    size_t keys;
    const char *version = colony__request_header(request, "Sec-WebSocket-Version", &versions);
    const char *key = colony__request_header(request, "Sec-WebSocket-Key", &keys);

    if (!has_token(request, "Upgrade", "websocket"))
        return colony_fail(err, -EPROTONOSUPPORT,
                           "cannot answer without a WebSocket: connect by ws:// or wss://");
    if (request->is_http10 || request->method != METHOD_GET || request->body_size > 0)
        return colony_fail(err, -EINVAL,
                           "cannot open a WebSocket: that takes a GET of HTTP/1.1 without a body");
    if (!has_token(request, "Connection", "Upgrade"))
        return colony_fail(err, -EINVAL,
                           "cannot open a WebSocket: `Connection: Upgrade` is missing");
    if (versions != 1 || strcmp(version, "13") != 0)
        return colony_fail(err, -EPROTONOSUPPORT,
                           "cannot open a WebSocket: only version 13 is spoken here");
    if (keys != 1 || !is_key(key))
        return colony_fail(err, -EINVAL,
                           "cannot open a WebSocket: it takes one Sec-WebSocket-Key, 16 bytes in "
                           "base64");
    return 0;
}

void colony__handshake_accept(const struct colony__request *request,
                              char accept[COLONY__ACCEPT_SIZE])
{
    static const char mark[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* the RFC's */
    const char *key = colony__request_header(request, "Sec-WebSocket-Key", NULL);
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;

    _Static_assert(BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 1 == COLONY__ACCEPT_SIZE,
                   "the room for it");
    sha1_init(&sha1);
    sha1_update(&sha1, strlen(key), (const uint8_t *)key);
    sha1_update(&sha1, sizeof mark - 1, (const uint8_t *)mark);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(accept, sizeof digest, digest);
    accept[COLONY__ACCEPT_SIZE - 1] = '\0';
}
