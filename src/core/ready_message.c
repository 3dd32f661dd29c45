/* SPDX-License-Identifier: Apache-2.0 */
/* ready_message.c - the fields of a datagram of sd_notify(3): bytes in, a value out. */
#include <errno.h>
#include <string.h>

#include "core/ready_internal.h"
#include "core/utf8.h"

enum {
    USEC_A_MS = 1000,
};

struct text {
    const char *bytes;
    size_t size;
};

static bool is_text(struct text text, const char *other)
{
    return text.size == strlen(other) && memcmp(text.bytes, other, text.size) == 0;
}

static void set_ready(struct colony__notify *out, struct text value)
{
    out->is_ready |= is_text(value, "1");
}

static void set_watchdog(struct colony__notify *out, struct text value)
{
    out->is_alive |= is_text(value, "1");
    out->is_trigger |= is_text(value, "trigger");
}

static void set_extend(struct colony__notify *out, struct text value)
{
    uint64_t usec = 0;

    for (size_t i = 0; i < value.size; i++)
        if (value.bytes[i] < '0' || value.bytes[i] > '9' ||
            __builtin_mul_overflow(usec, 10U, &usec) ||
            __builtin_add_overflow(usec, (unsigned)(value.bytes[i] - '0'), &usec))
            return;
    if (value.size == 0)
        return;
    out->has_extend = true;
    out->extend_ms = usec / USEC_A_MS + (usec % USEC_A_MS > 0);
}

/* C0, DEL and, in UTF-8, C1: a terminal would obey them. */
static bool is_control(const unsigned char *bytes, size_t length)
{
    return bytes[0] < 0x20 || bytes[0] == 0x7f ||
           (length == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

/* Bytes of the first character of well-formed UTF-8. */
static size_t character_length(const unsigned char *bytes)
{
    if (bytes[0] < 0x80)
        return 1;
    return bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
}

static void set_status(struct colony__notify *out, struct text value)
{
    size_t used = 0;
    size_t valid = 0; /* bytes from here that are well-formed */

    for (size_t i = 0; i < value.size;) {
        const unsigned char *at = (const unsigned char *)value.bytes + i;
        size_t length = 1;

        if (valid == 0)
            valid = colony_utf8_length(value.bytes + i, value.size - i);
        if (valid > 0)
            length = character_length(at);
        if (used + length > COLONY__NOTIFY_STATUS_MAX)
            break;
        if (valid == 0 || is_control(at, length)) {
            out->status[used++] = '?';
        } else {
            memcpy(out->status + used, at, length);
            used += length;
        }
        valid -= valid > 0 ? length : 0;
        i += length;
    }
    out->status[used] = '\0';
    out->has_status = true;
}

static const struct field {
    const char *name;
    void (*set)(struct colony__notify *out, struct text value);
} fields[] = {
    {"READY", set_ready},
    {"STATUS", set_status},
    {"WATCHDOG", set_watchdog},
    {"EXTEND_TIMEOUT_USEC", set_extend},
};

static void parse_line(struct colony__notify *out, struct text line)
{
    const char *equals = memchr(line.bytes, '=', line.size);
    struct text name = {line.bytes, equals ? (size_t)(equals - line.bytes) : 0};

    for (size_t i = 0; equals && i < sizeof fields / sizeof fields[0]; i++)
        if (is_text(name, fields[i].name))
            fields[i].set(out, (struct text){equals + 1, line.size - name.size - 1});
}

int colony__notify_parse(struct colony__notify *out, const char *bytes, size_t size)
{
    const char *end;

    if (size > 0 && bytes[size - 1] == '\0') /* some send the NUL of their string too */
        size--;
    if (size > 0 && memchr(bytes, '\0', size))
        return -EINVAL;
    memset(out, 0, sizeof *out);
    for (; size > 0; bytes = end + 1) {
        struct text line = {bytes, size};

        end = memchr(bytes, '\n', size);
        if (end)
            line.size = (size_t)(end - bytes);
        parse_line(out, line);
        if (!end)
            break;
        size -= line.size + 1;
    }
    return 0;
}
