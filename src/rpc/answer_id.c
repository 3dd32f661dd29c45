/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/answer_id_internal.h"

#include <string.h>

enum {
    DIGITS_MAX = 15, /* that a double has, too */
};

static bool is_key(const struct colony__answer_id *scan, const char *name)
{
    return scan->key_size == strlen(name) && memcmp(scan->key, name, scan->key_size) == 0;
}

static void read_in_text(struct colony__answer_id *scan, char byte)
{
    if (scan->is_escaped) {
        scan->is_escaped = false;
    } else if (byte == '\\') {
        scan->is_escaped = true;
    } else if (byte == '"') {
        scan->is_in_text = false;
        return;
    }
    if (scan->is_key && scan->key_size < COLONY__ANSWER_KEY_MAX)
        scan->key[scan->key_size++] = byte;
}

/* A member's name is over. */
static void begin_value(struct colony__answer_id *scan)
{
    scan->is_key = false;
    scan->has_method |= is_key(scan, "method");
    scan->has_answer |= is_key(scan, "result") || is_key(scan, "error");
    scan->is_id_next = !scan->has_id && is_key(scan, "id");
    scan->number = 0;
    scan->digits = 0;
}

static void end_value(struct colony__answer_id *scan)
{
    if (scan->is_id_next && scan->digits > 0 && scan->digits <= DIGITS_MAX) {
        scan->has_id = true;
        scan->id = scan->number;
    }
    scan->is_id_next = false;
}

static void read_digit(struct colony__answer_id *scan, char byte)
{
    if (scan->digits <= DIGITS_MAX)
        scan->number = scan->number * 10 + (uint64_t)(byte - '0');
    scan->digits++;
}

static void begin_key(struct colony__answer_id *scan)
{
    scan->is_key = true;
    scan->key_size = 0;
}

/* Between the members of the outermost object, and in what is neither text nor bracket. */
static void read_member(struct colony__answer_id *scan, char byte)
{
    if (byte == ':' && scan->is_key) {
        begin_value(scan);
    } else if (byte == ',') {
        end_value(scan);
        begin_key(scan);
    } else if (scan->is_id_next && byte >= '0' && byte <= '9') {
        read_digit(scan, byte);
    } else if (scan->is_id_next && byte != ' ' && byte != '\t' && byte != '\r') {
        scan->is_id_next = false; /* no number of ours */
    }
}

static void read_plain(struct colony__answer_id *scan, char byte)
{
    if (byte == '"') {
        scan->is_in_text = true;
        scan->is_id_next = scan->is_id_next && scan->depth != 1;
    } else if (byte == '{' || byte == '[') {
        scan->depth++;
        if (scan->depth == 1)
            begin_key(scan);
        else
            scan->is_id_next = false;
    } else if (byte == '}' || byte == ']') {
        if (scan->depth == 1)
            end_value(scan);
        scan->depth -= scan->depth > 0;
    } else if (scan->depth == 1) {
        read_member(scan, byte);
    }
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

void colony__answer_id_read(struct colony__answer_id *scan, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!scan->has_begun && !is_blank(bytes[i])) {
            scan->has_begun = true;
            scan->is_object = bytes[i] == '{';
        }
        if (scan->is_in_text)
            read_in_text(scan, bytes[i]);
        else if (scan->is_object)
            read_plain(scan, bytes[i]);
    }
}
