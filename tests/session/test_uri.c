/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/uri.h"

#include "../test.h"

static void refuse(const char *text, const char *why)
{
    struct colony_uri uri = {0};
    struct colony_error err = {0};

    assert_int_equal(colony_uri_parse(&uri, text, &err), -EINVAL);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not told in: %s", why, err.message);
    assert_null(uri.scheme);
}

static void parse(struct colony_uri *uri, const char *text)
{
    struct colony_error err = {0};

    if (colony_uri_parse(uri, text, &err) < 0)
        fail_msg("%s", err.message);
}

TEST(test_an_uri_is_taken_apart)
{
    struct colony_uri uri;

    parse(&uri, "IB://Localhost:9090/master-trader?account=0&tws=master.tws");
    assert_string_equal(uri.scheme, "ib");
    assert_string_equal(uri.host, "Localhost");
    assert_string_equal(uri.port, "9090");
    assert_string_equal(uri.path, "/master-trader");
    assert_string_equal(uri.query, "account=0&tws=master.tws");
    assert_int_equal(uri.parameter_count, 2);
    assert_string_equal(uri.parameters[0].key, "account");
    assert_string_equal(uri.parameters[0].value, "0");
    assert_string_equal(uri.parameters[1].key, "tws");
    assert_string_equal(uri.parameters[1].value, "master.tws");
    colony_uri_clear(&uri);
    colony_uri_clear(&uri); /* like new */
}

TEST(test_what_is_not_there_is_empty)
{
    struct colony_uri uri;

    parse(&uri, "x://");
    assert_string_equal(uri.host, "");
    assert_string_equal(uri.port, "");
    assert_string_equal(uri.path, "");
    assert_string_equal(uri.query, "");
    assert_int_equal(uri.parameter_count, 0);
    colony_uri_clear(&uri);
    parse(&uri, "exec:///bin/true?&&");
    assert_int_equal(uri.parameter_count, 0);
    colony_uri_clear(&uri);
}

TEST(test_parts_are_decoded_after_they_were_told_apart)
{
    struct colony_uri uri;

    parse(&uri, "exec://local%68ost/a%20b%2fc%3F?k%3d=%26v+%C3%A4&flag&e=&=v&a=b=c");
    assert_string_equal(uri.host, "localhost");
    assert_string_equal(uri.path, "/a b/c?");
    assert_int_equal(uri.parameter_count, 5);
    assert_string_equal(uri.parameters[0].key, "k=");
    assert_string_equal(uri.parameters[0].value, "&v+\xc3\xa4"); /* `+` is itself */
    assert_string_equal(uri.parameters[1].key, "flag");
    assert_null(uri.parameters[1].value);
    assert_string_equal(uri.parameters[2].value, "");
    assert_string_equal(uri.parameters[3].key, "");
    assert_string_equal(uri.parameters[4].value, "b=c");
    colony_uri_clear(&uri);
}

TEST(test_an_address_of_ipv6_stands_in_brackets)
{
    struct colony_uri uri;

    parse(&uri, "ib://[::1]:80/x");
    assert_string_equal(uri.host, "::1");
    assert_string_equal(uri.port, "80");
    colony_uri_clear(&uri);
    parse(&uri, "ib://[::1]");
    assert_string_equal(uri.host, "::1");
    colony_uri_clear(&uri);
    refuse("ib://[::1/x", "column 6");
    refuse("ib://[::1]80/x", "column 6");
}

TEST(test_what_is_wrong_is_told_with_its_column)
{
    refuse("", "column 1: it must begin with a scheme");
    refuse("/bin/true", "column 1");
    refuse("exec:/bin/true", "column 5");
    refuse("1x://h/p", "scheme");
    refuse("exec:///bin/%zz", "column 13: `%` must be followed");
    refuse("exec:///bin/%4", "column 13");
    refuse("exec:///bin/true?a=%", "column 20");
    refuse("exec:///bin/true?a=\xc3\xa4%x1", "column 21");
    refuse("exec:///bin/true%00.sh", "NUL");
    refuse("exec:///bin/true?a=%00", "NUL");
    refuse("exec:///bin/true?a=%ff", "UTF-8");
    refuse("exec:///bin/\xff", "column 13: it is not UTF-8");
    refuse("exec:///bin/a\nb", "column 14: a control byte");
    refuse("exec:///bin/a#b", "%23");
    refuse("ib://me:secret@h/x", "a user");
    refuse("ib://h:99999/x", "port");
    refuse("ib://h:0x1/x", "column 9");
    refuse("ib://h:123456/x", "port");
}

TEST(test_a_huge_uri_is_refused)
{
    char *text = malloc(COLONY_URI_MAX + 2);
    struct colony_uri uri;

    assert_non_null(text);
    memset(text, 'a', COLONY_URI_MAX + 1);
    memcpy(text, "x:///", 5);
    text[COLONY_URI_MAX + 1] = '\0';
    refuse(text, "65536 bytes");
    text[COLONY_URI_MAX] = '\0';
    parse(&uri, text);
    colony_uri_clear(&uri);
    free(text);
}

TEST(test_parameters_have_a_limit)
{
    char text[8 + (COLONY_URI_PARAMETERS_MAX + 1) * 2 + 1] = "x:///p??";
    struct colony_uri uri;

    for (size_t i = 0; i <= COLONY_URI_PARAMETERS_MAX; i++)
        memcpy(text + 7 + i * 2, "a&", 2);
    refuse(text, "more than 1024 parameters");
    text[7 + COLONY_URI_PARAMETERS_MAX * 2] = '\0';
    parse(&uri, text);
    assert_int_equal(uri.parameter_count, COLONY_URI_PARAMETERS_MAX);
    colony_uri_clear(&uri);
}

static void check_mask(const char *text, const char *shown)
{
    char *masked = colony_uri_mask(text);

    assert_non_null(masked);
    assert_string_equal(masked, shown);
    free(masked);
}

TEST(test_secrets_of_an_uri_are_hidden)
{
    check_mask("exec://localhost/tws?username=me&password=hunter2",
               "exec://localhost/tws?username=me&password=***");
    check_mask("ib://h/p?TOKEN=a&x=1&api_key=b&secret=c",
               "ib://h/p?TOKEN=***&x=1&api_key=***&secret=***");
    check_mask("ib://h/p?pass%77ord=a b&x=1", "ib://h/p?pass%77ord=***&x=1");
    check_mask("ib://h/p?a%00password=hunter2", "ib://h/p?a%00password=***");
    check_mask("ib://h/p?-%00-pass%00word hunter2", "ib://h/p?-%00-pass%00word ***");
    check_mask("ib://h/p?password=", "ib://h/p?password=");
    check_mask("ib://h/p?db=postgres://u:hunter2@h/x&y=1", "ib://h/p?db=postgres://u:***@h/x&y=1");
    check_mask("ib://me:hunter2@h/p", "ib://me:***@h/p");
    check_mask("ib://h/p?a=b;password=c", "ib://h/p?a=b;password=***");
}

TEST(test_secrets_of_arguments_are_hidden)
{
    check_mask("password=hunter2", "password=***");
    check_mask("--password=correct horse&more", "--password=***");
    check_mask("--url=http://h/?token=a&b=c", "--url=http://h/?token=***");
    check_mask("--account=0", "--account=0");
    check_mask("attached:///bin/x --token=a&b --port=80", "attached:///bin/x --token=***");
    check_mask("", "");
    check_mask("=", "=");
    check_mask("plain", "plain");
    check_mask("http://", "http://");
    check_mask("attached:///bin/x --password hunter2 --port 80",
               "attached:///bin/x --password ***");
    check_mask("mysql --password  hunter2", "mysql --password ***");
    check_mask("ls --color auto", "ls --color auto");
}

TEST(test_a_parameter_after_an_option_of_a_secret_is_hidden)
{
    check_mask("exec:///bin/sh?-c&sleep%20600&x&--password&hunter2&--port&80",
               "exec:///bin/sh?-c&sleep%20600&x&--password&***&--port&80");
    check_mask("exec:///x?-password&a&--token&b&--api-key&c&--secret&",
               "exec:///x?-password&***&--token&***&--api-key&***&--secret&");
    check_mask("exec:///x?%2D-pass%77ord&hunter2", "exec:///x?%2D-pass%77ord&***");
    check_mask("exec:///x?--password%3Dhunter2&y", "exec:///x?--password%3D***&y");
    check_mask("exec:///x?-c&y%20--token%20a%20b&z", "exec:///x?-c&y%20--token%20***&z");
    check_mask("exec:///x?--password&hunter?2&y", "exec:///x?--password&***&y");
    check_mask("exec:///x?password=hunter?2&y", "exec:///x?password=***&y");
    check_mask("exec:///x?--password&--token&a&b", "exec:///x?--password&***&***&b");
    check_mask("exec:///x?--password=a&b", "exec:///x?--password=***&b");
    check_mask("exec:///x?--password", "exec:///x?--password");
}

static void check_argument(const char *argument, const char *before, const char *shown)
{
    char *masked = colony_argument_mask(argument, before);

    assert_non_null(masked);
    assert_string_equal(masked, shown);
    free(masked);
}

TEST(test_an_argument_after_an_option_of_a_secret_is_hidden)
{
    check_argument("hunter2", "--password", "***");
    check_argument("hunter2", "-password", "***");
    check_argument("hunter2", "--TOKEN", "***");
    check_argument("hunter2", "--api-key", "***");
    check_argument("", "--api-key", "");
    check_argument("80", "--port", "80");
    check_argument("x", "--password=a", "x");
    check_argument("x", "password", "x");
    check_argument("x", "", "x");
    check_argument("x", NULL, "x");
    check_argument("--token=a", NULL, "--token=***");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_uri_is_taken_apart),
        cmocka_unit_test(test_what_is_not_there_is_empty),
        cmocka_unit_test(test_parts_are_decoded_after_they_were_told_apart),
        cmocka_unit_test(test_an_address_of_ipv6_stands_in_brackets),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_column),
        cmocka_unit_test(test_a_huge_uri_is_refused),
        cmocka_unit_test(test_parameters_have_a_limit),
        cmocka_unit_test(test_secrets_of_an_uri_are_hidden),
        cmocka_unit_test(test_secrets_of_arguments_are_hidden),
        cmocka_unit_test(test_a_parameter_after_an_option_of_a_secret_is_hidden),
        cmocka_unit_test(test_an_argument_after_an_option_of_a_secret_is_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
