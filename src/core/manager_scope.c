/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manager_scope.c - one call of systemd's D-Bus interface, StartTransientUnit(), written by hand.
 *
 * The socket is the manager's own, so that no message bus need run. What is said on it is always
 * the same but for a name and a number; the libraries for it are many times the keeper.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/manager.h"

enum {
    CALL_SIZE = 1024,
    ANSWER_SIZE = 4096,
    NAME_PART_MAX = 100, /* of a unit's name, which may have 255 */
    HEADER_SIZE = 16,    /* of a message, as far as it is fixed, with the length of its fields */
    BODY_LENGTH_AT = 4,
    TYPE_CALL = 1,
    TYPE_RETURN = 2,
    TYPE_ERROR = 3,
    FIELD_PATH = 1,
    FIELD_INTERFACE = 2,
    FIELD_MEMBER = 3,
    FIELD_DESTINATION = 6,
    FIELD_SIGNATURE = 8,
};

/* A message as it grows, little-endian. All that goes into it fits, whatever name it is about. */
struct call {
    unsigned char bytes[CALL_SIZE];
    size_t used;
};

static void pad(struct call *call, size_t boundary)
{
    while (call->used % boundary != 0)
        call->bytes[call->used++] = 0;
}

static void set_u32(unsigned char *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static uint32_t get_u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(struct call *call, uint32_t value)
{
    pad(call, 4);
    set_u32(call->bytes + call->used, value);
    call->used += 4;
}

static void put_bytes(struct call *call, const char *text)
{
    size_t size = strlen(text) + 1;

    memcpy(call->bytes + call->used, text, size);
    call->used += size;
}

/* A string or an object path. */
static void put_text(struct call *call, const char *text)
{
    put_u32(call, (uint32_t)strlen(text));
    put_bytes(call, text);
}

static void put_signature(struct call *call, const char *signature)
{
    call->bytes[call->used++] = (unsigned char)strlen(signature);
    put_bytes(call, signature);
}

static void put_field(struct call *call, unsigned char field, const char *type, const char *value)
{
    pad(call, 8);
    call->bytes[call->used++] = field;
    put_signature(call, type);
    if (*type == 'g')
        put_signature(call, value);
    else
        put_text(call, value);
}

/* Begins an array, of elements that begin at multiples of 8; end_array() with what it returns. */
static size_t begin_array(struct call *call)
{
    put_u32(call, 0);
    pad(call, 8);
    return call->used;
}

static void end_array(struct call *call, size_t begin, size_t length_at)
{
    set_u32(call->bytes + length_at, (uint32_t)(call->used - begin));
}

static void put_property(struct call *call, const char *name, const char *value)
{
    pad(call, 8);
    put_text(call, name);
    put_signature(call, "s");
    put_text(call, value);
}

static void put_header(struct call *call)
{
    static const unsigned char start[] = {'l', TYPE_CALL, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0};

    memcpy(call->bytes, start, sizeof start);
    call->used = sizeof start;
    put_u32(call, 0);
    put_field(call, FIELD_PATH, "o", "/org/freedesktop/systemd1");
    put_field(call, FIELD_INTERFACE, "s", "org.freedesktop.systemd1.Manager");
    put_field(call, FIELD_MEMBER, "s", "StartTransientUnit");
    put_field(call, FIELD_DESTINATION, "s", "org.freedesktop.systemd1");
    put_field(call, FIELD_SIGNATURE, "g", "ssa(sv)a(sa(sv))");
    set_u32(call->bytes + HEADER_SIZE - 4, (uint32_t)(call->used - HEADER_SIZE));
    pad(call, 8);
}

static void put_body(struct call *call, const char *unit, const char *description, pid_t pid)
{
    size_t body = call->used;
    size_t length_at;
    size_t begin;

    put_text(call, unit);
    put_text(call, "fail"); /* where there is such a unit already */
    pad(call, 4);
    length_at = call->used;
    begin = begin_array(call);
    put_property(call, "Description", description);
    put_property(call, "CollectMode", "inactive-or-failed");
    pad(call, 8);
    put_text(call, "PIDs");
    put_signature(call, "au");
    put_u32(call, 4);
    put_u32(call, (uint32_t)pid);
    end_array(call, begin, length_at);
    (void)begin_array(call); /* no other units */
    set_u32(call->bytes + BODY_LENGTH_AT, (uint32_t)(call->used - body));
}

/* What a unit's name may not have becomes `_`. */
static void name_unit(char *out, size_t size, const char *name, uint64_t id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ":-_.\\";
    char part[NAME_PART_MAX + 1];

    (void)snprintf(part, sizeof part, "%s", name);
    for (char *c = part; *c != '\0'; c++)
        if (!strchr(allowed, *c))
            *c = '_';
    (void)snprintf(out, size, "colony-%s-%" PRIu64 ".scope", part, id);
}

int colony_manager_connect(void)
{
    /* As who we are, and then at once what is to be said: the manager reads it in this order. */
    static const char hello[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *folder = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
    int fd;

    if (!folder || (size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s/systemd/private",
                                    folder) >= sizeof address.sun_path)
        return -ENOENT;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        send(fd, hello, sizeof hello - 1, MSG_NOSIGNAL) != (ssize_t)sizeof hello - 1) {
        int rc = -errno;

        (void)close(fd);
        return rc;
    }
    return fd;
}

int colony_manager_ask_scope(int fd, const char *name, uint64_t id, pid_t pid)
{
    struct call call = {.used = 0};
    char unit[NAME_PART_MAX + 40];
    char description[NAME_PART_MAX + 40];
    ssize_t sent;

    name_unit(unit, sizeof unit, name, id);
    (void)snprintf(description, sizeof description, "detached by colony: %.*s", NAME_PART_MAX,
                   name);
    put_header(&call);
    put_body(&call, unit, description, pid);
    sent = send(fd, call.bytes, call.used, MSG_NOSIGNAL);
    if (sent == (ssize_t)call.used)
        return 0;
    return sent < 0 ? -errno : -EMSGSIZE;
}

/* The text of an error is the first of its body. Messages come whole: they are small. */
static void copy_reason(const unsigned char *message, size_t size, char *why, size_t why_size)
{
    size_t body = (HEADER_SIZE + (size_t)get_u32(message + HEADER_SIZE - 4) + 7) & ~(size_t)7;
    size_t length;

    (void)snprintf(why, why_size, "the service manager refused it");
    if (body > size || size - body < 5)
        return;
    length = get_u32(message + body);
    if (length > size - body - 5)
        return;
    (void)snprintf(why, why_size, "%.*s", (int)length, (const char *)message + body + 4);
    for (char *c = why; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

/* Of the message that begins there; 0: it is not whole, or none. */
static size_t message_size(const unsigned char *message, size_t size)
{
    size_t fields;
    size_t body;

    if (size < HEADER_SIZE || message[0] != 'l')
        return 0;
    fields = get_u32(message + HEADER_SIZE - 4);
    body = get_u32(message + BODY_LENGTH_AT);
    if (fields > ANSWER_SIZE || body > ANSWER_SIZE)
        return 0;
    body += (HEADER_SIZE + fields + 7) & ~(size_t)7;
    return body <= size ? body : 0;
}

/* Where the first message begins: after the lines that let us in. */
static size_t skip_lines(const unsigned char *bytes, size_t size)
{
    size_t at = 0;

    while (at < size && bytes[at] != 'l' && bytes[at] != 'B') {
        const unsigned char *end = memchr(bytes + at, '\n', size - at);

        if (!end)
            return size;
        at = (size_t)(end - bytes) + 1;
    }
    return at;
}

int colony_manager_read(int fd, char *why, size_t size)
{
    unsigned char bytes[ANSWER_SIZE];
    ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    int answers = 0;
    size_t left;

    why[0] = '\0';
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count <= 0)
        return -ECONNRESET;
    for (size_t at = skip_lines(bytes, (size_t)count); at < (size_t)count; at += left) {
        const unsigned char *message = bytes + at;

        left = message_size(message, (size_t)count - at);
        if (left == 0)
            return -ECONNRESET;
        answers += message[1] == TYPE_RETURN || message[1] == TYPE_ERROR;
        if (message[1] == TYPE_ERROR)
            copy_reason(message, left, why, size);
    }
    return answers;
}
