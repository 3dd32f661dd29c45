/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/request_internal.h"

#include "../test.h"
#include "core/utf8.h"

static char target_text[2048]; /* parsed texts point into it */

static int parse(struct colony__request *request, const char *target)
{
    memset(request, 0, sizeof *request);
    request->method = METHOD_GET;
    (void)snprintf(target_text, sizeof target_text, "%s", target);
    return colony__request_parse_target(request, target_text, NULL);
}

TEST(test_a_path_is_split_and_decoded)
{
    struct colony__request request;

    assert_int_equal(parse(&request, "/processes/a%2fb%20c+d/_stop?x"), 0);
    assert_int_equal(request.segment_count, 3);
    assert_string_equal(request.segments[0], "processes");
    assert_string_equal(request.segments[1], "a/b c+d");
    assert_string_equal(request.segments[2], "_stop");
    assert_int_equal(parse(&request, "/"), 0);
    assert_int_equal(request.segment_count, 0);
    assert_int_equal(parse(&request, "/ping/"), 0);
    assert_int_equal(request.segment_count, 1);
    assert_int_equal(parse(&request, "/%C3%A9%f0%9f%90%9c"), 0);
    assert_string_equal(request.segments[0], "\xc3\xa9\xf0\x9f\x90\x9c");
}

TEST(test_a_path_that_is_not_text_is_refused)
{
    static const char *const targets[] = {
        "/%00", "/a%00b", "/%",      "/%4",        "/%4g",       "/%g4",
        "/%ff", "/%c3",   "/%c0%af", "/%e0%80%80", "/%ed%a0%80", "/%f4%90%80%80",
        "/%0a", "/%7f",   "",        "x",          "*",          "localhost:80",
    };
    struct colony__request request;

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        assert_int_equal(parse(&request, targets[i]), -EINVAL);
    assert_int_equal(parse(&request, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"), -ENOENT);
}

TEST(test_a_query_is_split_and_decoded)
{
    struct colony__request request;

    assert_int_equal(parse(&request, "/x?a=1&b=%26+x&&c&a=2&d=#f"), 0);
    assert_string_equal(colony__request_query(&request, "a"), "1");
    assert_string_equal(colony__request_query(&request, "b"), "& x");
    assert_string_equal(colony__request_query(&request, "c"), "");
    assert_string_equal(colony__request_query(&request, "d"), "");
    assert_null(colony__request_query(&request, "e"));
    assert_int_equal(parse(&request, "/x?a=%00"), -EINVAL);
    assert_int_equal(parse(&request, "/x?%ff=1"), -EINVAL);
}

TEST(test_the_number_of_parameters_is_bounded)
{
    struct colony__request request;
    char target[1024] = "/x?";

    for (int i = 0; i < COLONY__QUERY_MAX; i++)
        strcat(target, "a=1&");
    assert_int_equal(parse(&request, target), 0);
    strcat(target, "b");
    assert_int_equal(parse(&request, target), -EINVAL);
}

TEST(test_flags_are_read)
{
    struct colony__request request;
    bool flag;

    assert_int_equal(parse(&request, "/x?a=true&b=0&c&d=maybe"), 0);
    assert_int_equal(colony__request_query_bool(&request, "a", &flag, NULL), 0);
    assert_true(flag);
    assert_int_equal(colony__request_query_bool(&request, "b", &flag, NULL), 0);
    assert_false(flag);
    assert_int_equal(colony__request_query_bool(&request, "c", &flag, NULL), 0);
    assert_true(flag);
    assert_int_equal(colony__request_query_bool(&request, "d", &flag, NULL), -EINVAL);
    assert_int_equal(colony__request_query_bool(&request, "e", &flag, NULL), 0);
    assert_false(flag);
}

TEST(test_an_absolute_target_has_an_authority)
{
    struct colony__request request;

    assert_int_equal(parse(&request, "http://Host:80/ping?a=b"), 0);
    assert_string_equal(request.authority, "Host:80");
    assert_int_equal(request.segment_count, 1);
    assert_string_equal(request.segments[0], "ping");
    assert_string_equal(colony__request_query(&request, "a"), "b");
    assert_int_equal(parse(&request, "http://h"), 0);
    assert_string_equal(request.authority, "h");
    assert_int_equal(request.segment_count, 0);
    assert_int_equal(parse(&request, "http://"), 0);
    assert_string_equal(request.authority, "");
}

TEST(test_headers_are_found_in_any_case)
{
    static const char headers[] = "Host\0a\0X-Empty\0\0host\0b";
    struct colony__request request = {.headers = headers, .headers_size = sizeof headers};
    size_t count;

    assert_string_equal(colony__request_header(&request, "HOST", &count), "a");
    assert_int_equal(count, 2);
    assert_string_equal(colony__request_header(&request, "x-empty", NULL), "");
    assert_null(colony__request_header(&request, "a", &count));
    assert_int_equal(count, 0);
}

TEST(test_numbers_have_digits_and_a_limit)
{
    unsigned long long number;

    assert_int_equal(colony__parse_number("0", 5, &number), 0);
    assert_int_equal(number, 0);
    assert_int_equal(colony__parse_number("5", 5, &number), 0);
    assert_int_equal(colony__parse_number("6", 5, &number), -EINVAL);
    assert_int_equal(colony__parse_number("50", 5, &number), -EINVAL);
    assert_int_equal(colony__parse_number("18446744073709551615", UINT64_MAX, &number), 0);
    assert_int_equal(colony__parse_number("18446744073709551616", UINT64_MAX, &number), -EINVAL);
    assert_int_equal(colony__parse_number("", 5, &number), -EINVAL);
    assert_int_equal(colony__parse_number("-1", 5, &number), -EINVAL);
    assert_int_equal(colony__parse_number("1x", 5, &number), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_is_split_and_decoded),
        cmocka_unit_test(test_a_path_that_is_not_text_is_refused),
        cmocka_unit_test(test_a_query_is_split_and_decoded),
        cmocka_unit_test(test_the_number_of_parameters_is_bounded),
        cmocka_unit_test(test_flags_are_read),
        cmocka_unit_test(test_an_absolute_target_has_an_authority),
        cmocka_unit_test(test_headers_are_found_in_any_case),
        cmocka_unit_test(test_numbers_have_digits_and_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
