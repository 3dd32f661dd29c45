/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/name_internal.h"
#include "core/template.h"
#include "core/utf8.h"

static void assert_refused(const char *name, const char *reason)
{
    struct colony_error err = {0};

    assert_int_equal(colony_name_check(name, &err), -EINVAL);
    assert_int_equal(err.code, -EINVAL);
    assert_non_null(strstr(err.message, "cannot use"));
    assert_non_null(strstr(err.message, reason));
}

TEST(test_common_names_are_taken)
{
    static const char *const good[] = {"web",      "group:proc",  "8080a",
                                       "a.b",      "...",         "-x",
                                       "ein wort", "caf\xc3\xa9", "\xf0\x9f\x90\x9d"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(colony_name_check(good[i], NULL), 0);
}

TEST(test_a_file_may_have_a_name_of_digits)
{
    assert_int_equal(colony_name_check_file("8080", NULL), 0);
    assert_refused("8080", "only digits");
    assert_int_equal(colony_name_check_file("..", NULL), -EINVAL);
    assert_int_equal(colony_name_check_file("a/b", NULL), -EINVAL);
    assert_int_equal(colony_name_check_file("", NULL), -EINVAL);
}

TEST(test_bad_names_are_refused)
{
    assert_refused("", "empty");
    assert_refused(".", "folder");
    assert_refused("..", "folder");
    assert_refused("a/b", "`/`");
    assert_refused("/etc", "`/`");
    assert_refused("a\nb", "control byte");
    assert_refused("a\x7f", "control byte");
    assert_refused("\x01", "control byte");
    assert_refused("0", "digits");
    assert_refused("8080", "digits");
}

TEST(test_names_that_are_not_utf8_are_refused)
{
    assert_refused("\xff", "UTF-8");
    assert_refused("a\xc3", "UTF-8");
    assert_refused("\xc0\xaf", "UTF-8");         /* overlong slash */
    assert_refused("\xed\xa0\x80", "UTF-8");     /* surrogate */
    assert_refused("\xf4\x90\x80\x80", "UTF-8"); /* above U+10FFFF */
    assert_refused("\x80", "UTF-8");
}

TEST(test_names_have_at_most_200_bytes)
{
    char name[COLONY_NAME_MAX + 2];

    memset(name, 'a', sizeof name);
    name[COLONY_NAME_MAX] = '\0';
    assert_int_equal(colony_name_check(name, NULL), 0);
    name[COLONY_NAME_MAX] = 'a';
    name[COLONY_NAME_MAX + 1] = '\0';
    assert_refused(name, "200 bytes");
}

TEST(test_a_name_that_is_shown_without_its_end_ends_with_a_character)
{
    for (size_t odd = 0; odd <= 60; odd++) {
        char name[COLONY_NAME_MAX + 1] = "";
        struct colony_error err;

        memset(name, '\033', odd);
        while (strlen(name) + strlen("€/") <= COLONY_NAME_MAX)
            (void)strcat(name, "€");
        (void)strcat(name, "/");
        assert_int_equal(colony_name_check(name, &err), -EINVAL);
        assert_int_equal(colony_utf8_length(err.message, strlen(err.message)), strlen(err.message));
    }
}

TEST(test_distance_counts_slips)
{
    assert_int_equal(colony__name_distance("http", "http"), 0);
    assert_int_equal(colony__name_distance("htpp", "http"), 1);
    assert_int_equal(colony__name_distance("proceses", "processes"), 1);
    assert_int_equal(colony__name_distance("hptt", "http"), 2);
    assert_int_equal(colony__name_distance("", "abc"), 3);
    assert_int_equal(colony__name_distance("abc", ""), 3);
    assert_int_equal(colony__name_distance("ab", "ba"), 1);
    assert_int_equal(colony__name_distance("kitten", "sitting"), 3);
}

TEST(test_nearest_name_is_found)
{
    static const char *const names[] = {"cmd", "args", "graceful_timeout", "numprocesses", NULL};
    char word[1000];

    assert_string_equal(colony_name_nearest("numproceses", names), "numprocesses");
    assert_string_equal(colony_name_nearest("comd", names), "cmd");
    assert_string_equal(colony_name_nearest("argss", names), "args");
    assert_string_equal(colony_name_nearest("cmd", names), "cmd");
    assert_string_equal(colony_name_nearest("gracefultimout", names), "graceful_timeout");
    assert_null(colony_name_nearest("flapping", names));
    assert_null(colony_name_nearest("", names));
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_null(colony_name_nearest(word, names));
}

TEST(test_another_word_is_not_near)
{
    static const char *const names[] = {"stop", "quit", "scale", "rpc", "a", NULL};

    assert_null(colony_name_nearest("show", names));
    assert_null(colony_name_nearest("exit", names));
    assert_null(colony_name_nearest("enable", names));
    assert_null(colony_name_nearest("run", names));
    assert_null(colony_name_nearest("b", names));
    assert_string_equal(colony_name_nearest("sca", names), "scale");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_common_names_are_taken),
        cmocka_unit_test(test_a_file_may_have_a_name_of_digits),
        cmocka_unit_test(test_bad_names_are_refused),
        cmocka_unit_test(test_names_that_are_not_utf8_are_refused),
        cmocka_unit_test(test_names_have_at_most_200_bytes),
        cmocka_unit_test(test_a_name_that_is_shown_without_its_end_ends_with_a_character),
        cmocka_unit_test(test_distance_counts_slips),
        cmocka_unit_test(test_nearest_name_is_found),
        cmocka_unit_test(test_another_word_is_not_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
