/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include "rpc/lines_internal.h"

struct heard {
    size_t count;
    size_t last_size;
    char text[256]; /* the short ones, each behind a | */
};

static void hear(const char *line, size_t size, void *data)
{
    struct heard *heard = data;

    assert_int_equal(line[size], '\0');
    heard->count++;
    heard->last_size = size;
    if (size > 32)
        return;
    strncat(heard->text, line, 32);
    strncat(heard->text, "|", 2);
}

static void add(struct colony__lines *lines, struct heard *heard, const char *text)
{
    assert_int_equal(colony__lines_add(lines, text, strlen(text), hear, heard), 0);
}

TEST(test_a_line_may_come_in_pieces_and_many_in_one)
{
    struct colony__lines lines = {0};
    struct heard heard = {0};

    add(&lines, &heard, "on");
    add(&lines, &heard, "e\ntwo\n\nth");
    assert_string_equal(heard.text, "one|two||");
    add(&lines, &heard, "ree\n");
    assert_string_equal(heard.text, "one|two||three|");
    colony__lines_clear(&lines);
}

TEST(test_one_without_end_is_kept_up_to_the_limit_and_then_passed_over)
{
    static char block[64 << 10];
    struct colony__lines lines = {0};
    struct heard heard = {0};

    memset(block, 'x', sizeof block);
    for (size_t i = 0; i < 4 * COLONY__LINE_BYTES_MAX / sizeof block; i++) {
        assert_int_equal(colony__lines_add(&lines, block, sizeof block, hear, &heard), 0);
        assert_true(lines.capacity <= 2 * COLONY__LINE_BYTES_MAX);
    }
    assert_int_equal(heard.count, 0);
    add(&lines, &heard, "y\nnext\n");
    assert_int_equal(heard.count, 2); /* its beginning, too */
    assert_string_equal(heard.text, "next|");
    assert_int_equal(lines.too_long, 1);
    assert_true(lines.capacity < 1 << 20); /* what it took is given back */
    colony__lines_clear(&lines);
}

TEST(test_one_of_just_the_limit_is_told)
{
    char *text = malloc(COLONY__LINE_BYTES_MAX + 2);
    struct colony__lines lines = {0};
    struct heard heard = {0};

    assert_non_null(text);
    memset(text, 'x', COLONY__LINE_BYTES_MAX + 1);
    text[COLONY__LINE_BYTES_MAX] = '\n';
    assert_int_equal(colony__lines_add(&lines, text, COLONY__LINE_BYTES_MAX + 1, hear, &heard), 0);
    assert_int_equal(heard.last_size, COLONY__LINE_BYTES_MAX);
    assert_int_equal(lines.too_long, 0);
    free(text);
    colony__lines_clear(&lines);
}

struct passed {
    bool is_skipping;
    size_t size;
    struct colony__answer_id id;
    struct colony__lines *lines;
};

static void look_at_passed(const char *line, size_t size, void *data)
{
    struct passed *passed = data;

    assert_int_equal(strlen(line), size);
    passed->is_skipping = passed->lines->is_skipping;
    passed->size = size;
    passed->id = passed->lines->passed;
}

TEST(test_of_one_that_is_passed_over_its_beginning_and_its_id_are_known)
{
    static const char start[] = "{\"result\": \"";
    static const char end[] = "\", \"id\": 4711}\n";
    static char block[64 << 10];
    struct colony__lines lines = {0};
    struct passed passed = {.lines = &lines};

    memset(block, 'x', sizeof block);
    assert_int_equal(colony__lines_add(&lines, start, sizeof start - 1, look_at_passed, &passed),
                     0);
    for (size_t i = 0; i <= COLONY__LINE_BYTES_MAX / sizeof block; i++)
        assert_int_equal(colony__lines_add(&lines, block, sizeof block, look_at_passed, &passed),
                         0);
    assert_int_equal(colony__lines_add(&lines, end, sizeof end - 1, look_at_passed, &passed), 0);
    assert_true(passed.is_skipping);
    assert_int_equal(passed.size, COLONY__LINE_HEAD_BYTES);
    assert_true(passed.id.is_object && passed.id.has_id && !passed.id.has_method);
    assert_int_equal(passed.id.id, 4711);
    assert_false(lines.is_skipping);
    colony__lines_clear(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_may_come_in_pieces_and_many_in_one),
        cmocka_unit_test(test_one_without_end_is_kept_up_to_the_limit_and_then_passed_over),
        cmocka_unit_test(test_of_one_that_is_passed_over_its_beginning_and_its_id_are_known),
        cmocka_unit_test(test_one_of_just_the_limit_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
