/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cJSON builds the tree; what it is too lenient about (numbers, control bytes, NUL, depth) is
 * checked before, in one pass that also notes the numbers as they were written.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/array.h"
#include "core/error.h"
#include "core/utf8.h"
#include "core/value_internal.h"

struct span {
    size_t offset;
    size_t length;
};

struct place {
    size_t offset;
    unsigned line; /* from 1 */
    unsigned column;
};

struct json_reader {
    const char *text; /* NUL-terminated */
    size_t size;
    size_t at;
    unsigned depth;
    size_t nodes;
    struct span *numbers; /* in the order of the text */
    size_t number_count;
    size_t number_capacity;
    size_t number_next;
    const char *name; /* of the file; NULL: no places are told */
    size_t *starts;   /* with a name: where each key and value begins, in the order of the text */
    size_t start_count;
    size_t start_capacity;
    size_t start_next;
    struct colony_error *err;
    struct place place; /* of the last start taken: places are asked for in order */
};

/* Goes on from @from, which is at or before @offset. */
static struct place find_place(const struct json_reader *reader, struct place from, size_t offset)
{
    struct place place = from.line > 0 ? from : (struct place){.line = 1, .column = 1};

    for (; place.offset < offset && place.offset < reader->size; place.offset++) {
        unsigned char byte = (unsigned char)reader->text[place.offset];

        if (byte == '\n') {
            place.line++;
            place.column = 1;
        } else if ((byte & 0xc0) != 0x80) { /* bytes after the first of a character do not count */
            place.column++;
        }
    }
    return place;
}

static int fail_at(const struct json_reader *reader, int code, size_t offset, const char *reason)
{
    struct place place = find_place(reader, (struct place){0}, offset);

    return colony_fail(reader->err, code, "%s:%u:%u: cannot read this JSON: %s", reader->name,
                       place.line, place.column, reason);
}

static int fail_syntax(const struct json_reader *reader, size_t offset, const char *reason)
{
    if (reader->name)
        return fail_at(reader, -EBADMSG, offset, reason);
    return colony_fail(reader->err, -EBADMSG, "cannot read this JSON: %s at byte %zu", reason,
                       offset + 1);
}

static size_t span_digits(const char *text)
{
    return strspn(text, "0123456789");
}

size_t colony__json_number_length(const char *text)
{
    const char *rest = text + (*text == '-');
    size_t digits = span_digits(rest);

    if (digits == 0 || (digits > 1 && rest[0] == '0'))
        return 0;
    rest += digits;
    if (*rest == '.') {
        digits = span_digits(rest + 1);
        if (digits == 0)
            return 0;
        rest += 1 + digits;
    }
    if (*rest == 'e' || *rest == 'E') {
        rest += rest[1] == '+' || rest[1] == '-' ? 2 : 1;
        digits = span_digits(rest);
        if (digits == 0)
            return 0;
        rest += digits;
    }
    return (size_t)(rest - text);
}

/* cJSON takes any four bytes after \u, and those that are no digits as a NUL. */
static bool is_escape(const char *text)
{
    if (text[1] == 'u')
        return strspn(text + 2, "0123456789abcdefABCDEF") >= 4;
    return text[1] != '\0' && strchr("\"\\/bfnrt", text[1]);
}

static int scan_escape(struct json_reader *reader)
{
    const char *text = reader->text + reader->at;

    if (reader->at + 1 == reader->size)
        return 0;
    if (!is_escape(text))
        return fail_syntax(reader, reader->at, "JSON has no such escape");
    if (strncmp(text, "\\u0000", 6) == 0)
        return fail_syntax(reader, reader->at, "a NUL in a string");
    reader->at++;
    return 0;
}

static int scan_string(struct json_reader *reader)
{
    for (reader->at++; reader->at < reader->size; reader->at++) {
        unsigned char byte = (unsigned char)reader->text[reader->at];

        if (byte == '"') {
            reader->at++;
            return 0;
        }
        if (byte < 0x20)
            return fail_syntax(reader, reader->at, "a control byte in a string");
        if (byte == '\\' && scan_escape(reader) < 0)
            return -EBADMSG;
    }
    return fail_syntax(reader, reader->size, "a string without end");
}

static int scan_number(struct json_reader *reader)
{
    size_t length = colony__json_number_length(reader->text + reader->at);
    char next = reader->text[reader->at + length];
    struct span *numbers;

    if (length == 0 || (next != '\0' && strchr("+-.0123456789eE", next)))
        return fail_syntax(reader, reader->at, "not a number");
    numbers = colony_array_room(reader->numbers, reader->number_count, &reader->number_capacity,
                                sizeof *numbers);
    if (!numbers)
        return -ENOMEM;
    reader->numbers = numbers;
    reader->numbers[reader->number_count++] = (struct span){reader->at, length};
    reader->at += length;
    return 0;
}

/* Notes that a key or a value begins here, where places are told. */
static int note_start(struct json_reader *reader)
{
    size_t *starts;

    if (!reader->name)
        return 0;
    starts = colony_array_room(reader->starts, reader->start_count, &reader->start_capacity,
                               sizeof *starts);
    if (!starts)
        return -ENOMEM;
    reader->starts = starts;
    reader->starts[reader->start_count++] = reader->at;
    return 0;
}

/* The place of the next key or value. */
static void take_start(struct json_reader *reader, struct colony_value *node)
{
    if (!reader->name || reader->start_next == reader->start_count)
        return;
    reader->place = find_place(reader, reader->place, reader->starts[reader->start_next++]);
    if (node->line > 0)
        return; /* the place of a member is that of its key */
    node->line = reader->place.line;
    node->column = reader->place.column;
}

static bool is_letter(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

/* true, false or null: what cJSON takes has no other letters. */
static bool begins_word(const struct json_reader *reader)
{
    return is_letter(reader->text[reader->at]) &&
           (reader->at == 0 || !is_letter(reader->text[reader->at - 1]));
}

static int scan_open(struct json_reader *reader)
{
    if (++reader->depth > COLONY_VALUE_DEPTH_MAX && reader->name)
        return fail_at(reader, -EINVAL, reader->at, "too many lists and maps in each other");
    if (reader->depth > COLONY_VALUE_DEPTH_MAX)
        return colony_fail(reader->err, -EINVAL,
                           "cannot read this JSON: more than %d lists and maps in each other "
                           "at byte %zu",
                           COLONY_VALUE_DEPTH_MAX, reader->at + 1);
    reader->nodes++;
    reader->at++;
    return 0;
}

static int scan_token(struct json_reader *reader)
{
    char byte = reader->text[reader->at];
    bool is_start = byte == '"' || byte == '-' || (byte >= '0' && byte <= '9') || byte == '{' ||
                    byte == '[' || begins_word(reader);

    if (is_start && note_start(reader) < 0)
        return -ENOMEM;
    if (byte == '"')
        return scan_string(reader);
    if (byte == '-' || (byte >= '0' && byte <= '9'))
        return scan_number(reader);
    if (byte == '{' || byte == '[')
        return scan_open(reader);
    if ((byte == '}' || byte == ']') && reader->depth-- == 0)
        return fail_syntax(reader, reader->at, "a bracket that was not opened");
    if ((unsigned char)byte < 0x20 && !strchr("\t\n\r", byte))
        return fail_syntax(reader, reader->at, "a control byte");
    if (byte == ',' && ++reader->nodes > COLONY_VALUE_NODES_MAX)
        return colony_fail(reader->err, -EINVAL, "cannot read this JSON: more than %d values",
                           COLONY_VALUE_NODES_MAX);
    reader->at++;
    return 0;
}

static int scan(struct json_reader *reader)
{
    size_t good = colony_utf8_length(reader->text, reader->size);
    int rc = 0;

    if (good < reader->size)
        return fail_syntax(reader, good,
                           reader->text[good] == '\0' ? "a NUL" : "a byte that is not UTF-8");
    while (reader->at < reader->size && rc == 0)
        rc = scan_token(reader);
    return rc;
}

static int take_number(struct json_reader *reader, struct colony_value *node)
{
    struct span span;

    if (reader->number_next == reader->number_count)
        return fail_syntax(reader, reader->size, "numbers that do not add up");
    span = reader->numbers[reader->number_next++];
    node->type = VALUE_NUMBER;
    node->text = strndup(reader->text + span.offset, span.length);
    if (!node->text)
        return -ENOMEM;
    node->number = strtod(node->text, NULL);
    return 0;
}

static int convert(struct json_reader *reader, const cJSON *json, struct colony_value **out);

static int convert_children(struct json_reader *reader, const cJSON *json,
                            struct colony_value *node)
{
    struct colony_value **tail = &node->child;

    node->type = cJSON_IsArray(json) ? VALUE_LIST : VALUE_MAP;
    for (const cJSON *child = json->child; child; child = child->next) {
        int rc = convert(reader, child, tail);

        if (rc < 0)
            return rc;
        tail = &(*tail)->next;
    }
    if (node->type == VALUE_MAP)
        return colony__value_check_keys(node, reader->name, reader->err);
    return 0;
}

static int fill_node(struct json_reader *reader, const cJSON *json, struct colony_value *node)
{
    if (json->string) {
        node->key = strdup(json->string);
        if (!node->key)
            return -ENOMEM;
        take_start(reader, node);
    }
    take_start(reader, node);
    if (cJSON_IsNumber(json))
        return take_number(reader, node);
    if (cJSON_IsArray(json) || cJSON_IsObject(json))
        return convert_children(reader, json, node);
    if (cJSON_IsBool(json)) {
        node->type = VALUE_BOOL;
        node->boolean = cJSON_IsTrue(json);
    } else if (cJSON_IsString(json)) {
        node->type = VALUE_STRING;
        node->text = strdup(json->valuestring);
        return node->text ? 0 : -ENOMEM;
    }
    return 0;
}

static int convert(struct json_reader *reader, const cJSON *json, struct colony_value **out)
{
    struct colony_value *node = colony__value_new(VALUE_NULL);
    int rc;

    if (!node)
        return -ENOMEM;
    rc = fill_node(reader, json, node);
    if (rc < 0)
        colony_value_free(node);
    else
        *out = node;
    return rc;
}

/* Whether there is memory for cJSON's tree: a node for each value, and the strings. Volatile:
 * compilers know that nothing is done with it. */
static bool has_room(const struct json_reader *reader)
{
    void *volatile room = malloc((reader->nodes + 1) * 2 * sizeof(cJSON) + reader->size);

    free(room);
    return room != NULL;
}

static int read_json(struct json_reader *reader, struct colony_value **out)
{
    const char *end = NULL;
    cJSON *json;
    int rc = scan(reader);

    if (rc < 0)
        return rc;
    json = cJSON_ParseWithOpts(reader->text, &end, 1);
    if (!json) { /* cJSON does not tell a mistake from a want of memory, which may be over */
        if (!has_room(reader))
            return -ENOMEM;
        json = cJSON_ParseWithOpts(reader->text, &end, 1);
    }
    if (!json) {
        size_t place = end ? (size_t)(end - reader->text) : 0;
        const char *mistake = colony__json_mistake(reader->text, &place);
        bool is_cut = strspn(reader->text + place, " \t\r\n") + place >= reader->size;

        return fail_syntax(reader, place, is_cut ? "it ends too soon" : mistake);
    }
    rc = convert(reader, json, out);
    cJSON_Delete(json);
    return rc;
}

int colony_value_parse_json_file(struct colony_value **out, const char *text, size_t size,
                                 const char *name, struct colony_error *err)
{
    struct json_reader reader = {.size = size, .name = name, .err = err};
    char *copy = malloc(size + 1); /* cJSON 1.7.15 reads past a text without a NUL */
    int rc;

    if (!copy)
        return colony_fail(err, -ENOMEM, "cannot read this JSON: out of memory");
    if (size > 0)
        memcpy(copy, text, size);
    copy[size] = '\0';
    reader.text = copy;
    rc = read_json(&reader, out);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read this JSON: out of memory");
    free(reader.numbers);
    free(reader.starts);
    free(copy);
    return rc;
}

int colony_value_parse_json(struct colony_value **out, const char *text, size_t size,
                            struct colony_error *err)
{
    return colony_value_parse_json_file(out, text, size, NULL, err);
}
