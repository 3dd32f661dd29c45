/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>

#include "api/plugins_internal.h"

#include "../test.h"

TEST(test_types_go_by_the_end_of_the_name)
{
    assert_string_equal(colony__plugin_type("a/b.html"), "text/html; charset=utf-8");
    assert_string_equal(colony__plugin_type("A.MJS"), "text/javascript; charset=utf-8");
    assert_string_equal(colony__plugin_type("a.min.css"), "text/css; charset=utf-8");
    assert_string_equal(colony__plugin_type("a.html/b"), "application/octet-stream");
    assert_string_equal(colony__plugin_type("html"), "application/octet-stream");
    assert_string_equal(colony__plugin_type("a."), "application/octet-stream");
    assert_string_equal(colony__plugin_type(""), "application/octet-stream");
}

TEST(test_what_changes_has_another_etag)
{
    struct stat info = {.st_size = 5, .st_ino = 7};
    char first[COLONY__ETAG_MAX];
    char other[COLONY__ETAG_MAX];

    colony__plugin_etag(first, &info);
    info.st_mtim.tv_nsec = 1;
    colony__plugin_etag(other, &info);
    assert_string_not_equal(first, other);
    info = (struct stat){.st_size = 6, .st_ino = 7};
    colony__plugin_etag(other, &info);
    assert_string_not_equal(first, other);
    info = (struct stat){.st_size = 5, .st_ino = 8};
    colony__plugin_etag(other, &info);
    assert_string_not_equal(first, other);
}

TEST(test_an_etag_is_found_in_lists)
{
    static const char *const known[] = {
        "\"a\"", "W/\"a\"", "*", "\"b\", \"a\"", "\"b\",W/\"a\" , \"c\"", "\"x, \\\"a\" , \"a\""};
    static const char *const unknown[] = {"",   "\"b\"", "a",  "\"aa\"", "\"a", "\"b, \"a\"\"",
                                          ",,", "W/",    "\"", "x\"a\""};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        assert_true(colony__plugin_is_known(known[i], "\"a\""));
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (colony__plugin_is_known(unknown[i], "\"a\""))
            fail_msg("%s", unknown[i]);
    assert_false(colony__plugin_is_known(NULL, "\"a\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_go_by_the_end_of_the_name),
        cmocka_unit_test(test_what_changes_has_another_etag),
        cmocka_unit_test(test_an_etag_is_found_in_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
