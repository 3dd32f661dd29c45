/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <string.h>

#include "rpc/answer_id_internal.h"

static struct colony__answer_id read_all(const char *text)
{
    struct colony__answer_id whole = {0};
    struct colony__answer_id pieces = {0};

    colony__answer_id_read(&whole, text, strlen(text));
    for (size_t i = 0; text[i] != '\0'; i++)
        colony__answer_id_read(&pieces, text + i, 1);
    assert_int_equal(pieces.has_id, whole.has_id);
    assert_int_equal(pieces.id, whole.id);
    assert_int_equal(pieces.has_method, whole.has_method);
    return whole;
}

static void expect_id(const char *text, uint64_t id)
{
    struct colony__answer_id scan = read_all(text);

    assert_true(scan.is_object);
    assert_true(scan.has_id);
    assert_int_equal(scan.id, id);
}

TEST(test_the_id_is_found_in_what_is_no_json)
{
    expect_id("{\"id\": 7, \"result\": NaN}", 7);
    expect_id("{\"result\": -Infinity, \"id\":8}", 8);
    expect_id(" {\"result\": \"a\\u0000b\", \"id\": 9 }", 9);
    expect_id("{\"result\": [{\"id\": 1}, \"\\\", \\\"id\\\": 2\"], \"id\": 10}", 10);
    expect_id("{\"id\": 11, \"result\": [[[[[[[[[[", 11);
    expect_id("{\"id\": 900719925474099, \"result\": \"\x01\xff\"}", 900719925474099);
}

static void expect_none(const char *text)
{
    assert_false(read_all(text).has_id);
}

TEST(test_what_has_none_has_none)
{
    expect_none("");
    expect_none("no json: {\"id\": 1}");
    expect_none("[{\"id\": 1}]");
    expect_none("{\"id\": \"1\", \"result\": NaN}");
    expect_none("{\"id\": -1, \"result\": NaN}");
    expect_none("{\"id\": 1.5, \"result\": NaN}");
    expect_none("{\"id\": null, \"result\": NaN}");
    expect_none("{\"id\": [1], \"result\": NaN}");
    expect_none("{\"id\": 1e999, \"result\": NaN}");
    expect_none("{\"id\": 1234567890123456, \"result\": NaN}");
    expect_none("{\"result\": \"id\", 5}");
    expect_none("{\"result\": \"unfinished, \\\"id\\\": 1}");
    expect_none("{\"id\": 1");
    expect_none("}}}{]{\"id\"");
}

TEST(test_what_has_a_result_or_an_error_is_an_answer)
{
    assert_true(read_all("{\"result\": NaN}").has_answer);
    assert_true(read_all("{\"error\": NaN}").has_answer);
    assert_false(read_all("{\"text\": {\"error\": NaN}, \"results\": 1}").has_answer);
}

TEST(test_a_request_is_known)
{
    assert_true(read_all("{\"id\": 1, \"method\": \"hello\", \"params\": NaN}").has_method);
    assert_false(read_all("{\"id\": 1, \"result\": {\"method\": NaN}}").has_method);
    assert_false(read_all("{\"id\": 1, \"methods\": NaN}").has_method);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_id_is_found_in_what_is_no_json),
        cmocka_unit_test(test_what_has_none_has_none),
        cmocka_unit_test(test_what_has_a_result_or_an_error_is_an_answer),
        cmocka_unit_test(test_a_request_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
