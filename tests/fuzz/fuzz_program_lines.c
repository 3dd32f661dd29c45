/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program that is served says: the same lines whichever pieces they arrive in, of each that
 * is a hello only names that can be called, and of each that is an answer the id that it has.
 *
 * The first byte of an input is the size of a piece; the rest is what the program wrote.
 */
#include "core/error.h"
#include "core/value.h"
#include "rpc/hello_internal.h"
#include "rpc/lines_internal.h"
#include "rpc/object.h"

#include "fuzz.h"

struct reading {
    struct colony__lines lines;
    char *seen; /* all lines with their newlines */
    size_t size;
};

static void on_line(const char *line, size_t size, void *data)
{
    struct reading *reading = data;

    CHECK(size <= COLONY__LINE_BYTES_MAX && line[size] == '\0' && !memchr(line, '\n', size));
    reading->seen = realloc(reading->seen, reading->size + size + 1);
    CHECK(reading->seen);
    memcpy(reading->seen + reading->size, line, size);
    reading->size += size;
    reading->seen[reading->size++] = '\n';
}

static void read_all(struct reading *reading, const uint8_t *bytes, size_t size, size_t step)
{
    for (size_t at = 0; at < size; at += step) {
        size_t given = size - at < step ? size - at : step;
        char *piece = fuzz_text(bytes + at, given);

        CHECK(colony__lines_add(&reading->lines, piece, given, on_line, reading) == 0);
        free(piece);
    }
}

/* A hello that is taken has what it has in order, once, and under names that can be called. */
static void read_hello(const char *line, size_t size, void *data)
{
    struct colony_value *tree = NULL;
    struct colony__hello hello = {0};
    struct colony_error err = {0};
    int rc = colony_value_parse_json(&tree, line, size, &err);

    (void)data;
    if (rc == 0)
        rc = colony__hello_read(&hello, tree, &err);
    CHECK(rc == 0 || err.message[0] != '\0');
    CHECK(rc == 0 || hello.count == 0);
    for (size_t i = 0; i < hello.count; i++) {
        CHECK(colony_rpc_is_name(hello.names[i].name));
        CHECK(i == 0 || strcmp(hello.names[i - 1].name, hello.names[i].name) < 0);
        CHECK(colony__hello_find(&hello, hello.names[i].name) == &hello.names[i]);
    }
    CHECK(!colony__hello_find(&hello, "getattr") && !colony__hello_find(&hello, "_"));
    colony__hello_clear(&hello);
    colony_value_free(tree);
}

/* What is found without reading the JSON is what is there. */
static void check_id(const char *line, size_t size, void *data)
{
    struct colony_value *tree = NULL;
    struct colony__answer_id whole = {0};
    struct colony__answer_id cut = {0};

    (void)data;
    colony__answer_id_read(&whole, line, size);
    for (size_t i = 0; i < size; i++)
        colony__answer_id_read(&cut, line + i, 1);
    CHECK(whole.has_id == cut.has_id && whole.id == cut.id && whole.has_method == cut.has_method);
    if (colony_value_parse_json(&tree, line, size, NULL) == 0) {
        const struct colony_value *id =
            tree->type == VALUE_MAP ? colony_value_get(tree, "id") : NULL;

        CHECK(whole.is_object == (tree->type == VALUE_MAP));
        CHECK(!whole.has_id || (id && id->type == VALUE_NUMBER && id->number == (double)whole.id));
        CHECK(!whole.has_method || colony_value_get(tree, "method"));
        CHECK(!whole.has_answer || colony_value_get(tree, "result") ||
              colony_value_get(tree, "error"));
    }
    colony_value_free(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony__lines lines = {0};
    struct reading whole = {0};
    struct reading cut = {0};

    if (size == 0)
        return 0;
    read_all(&whole, data + 1, size - 1, size);
    read_all(&cut, data + 1, size - 1, 1 + (data[0] & 15U));
    CHECK(whole.size == cut.size && whole.lines.too_long == cut.lines.too_long);
    CHECK(whole.size == 0 || memcmp(whole.seen, cut.seen, whole.size) == 0);
    CHECK(colony__lines_add(&lines, (const char *)data + 1, size - 1, read_hello, NULL) == 0);
    colony__lines_clear(&lines);
    CHECK(colony__lines_add(&lines, (const char *)data + 1, size - 1, check_id, NULL) == 0);
    colony__lines_clear(&lines);
    colony__lines_clear(&whole.lines);
    colony__lines_clear(&cut.lines);
    free(whole.seen);
    free(cut.seen);
    return 0;
}
