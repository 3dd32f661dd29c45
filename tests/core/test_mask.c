/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"

#include "../test.h"

static void check(const char *name, const char *value, const char *shown)
{
    char *masked = colony_mask(name, value);

    assert_string_equal(masked, shown);
    free(masked);
}

TEST(test_names_that_speak_of_secrets_hide_their_value)
{
    static const char *const names[] = {"PASSWORD",
                                        "db_passwd",
                                        "MYSQL_PWD",
                                        "CLIENT_SECRET",
                                        "GITHUB_TOKEN",
                                        "api_key",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "CREDENTIALS",
                                        "BASIC_AUTH",
                                        "ApiKey"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        check(names[i], "hunter2", "***");
}

TEST(test_the_shells_folders_are_no_passwords)
{
    check("PWD", "/srv", "/srv");
    check("OLDPWD", "/", "/");
    check("XPWD", "/", "***");
}

TEST(test_other_values_are_shown_as_they_are)
{
    check("PATH", "/usr/bin:/bin", "/usr/bin:/bin");
    check("EMPTY", "", "");
    check("PASSWORD", "", "");
    check("MAIL", "a:b@c", "a:b@c");
}

TEST(test_a_password_in_a_url_is_hidden_and_nothing_else)
{
    check("URL", "postgres://me:hunter2@db:5432/x?a=b", "postgres://me:***@db:5432/x?a=b");
    check("URL", "redis://:hunter2@db", "redis://:***@db");
    check("URL", "http://me@host:80/", "http://me@host:80/");
    check("URL", "http://host:80/", "http://host:80/");
    check("URL", "see http://a:b@c and http://d:e@f.", "see http://a:***@c and http://d:***@f.");
    check("URL", "://:@", "://:***@");
    check("URL", "://", "://");
    check("URL", "x://://:@://:@", "x://:***@");
}

TEST(test_a_password_with_signs_in_it_is_hidden_whole)
{
    check("URL", "amqp://u:a@b/c,d:e@host/", "amqp://u:***@host/");
    check("URL", "amqp://u:a://b@host", "amqp://u:***@host");
    check("URL", "amqp://a:b@h1,amqp://c:d@h2", "amqp://a:***@h2");
}

TEST(test_many_urls_fit)
{
    enum { COUNT = 1000 };
    char value[COUNT * 6 + 1] = "";
    char shown[COUNT * 9 + 1] = "";

    for (size_t i = 0; i < COUNT; i++) {
        memcpy(value + i * 6, "://:@ ", 7);
        memcpy(shown + i * 9, "://:***@ ", 10);
    }
    check("URLS", value, shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_speak_of_secrets_hide_their_value),
        cmocka_unit_test(test_the_shells_folders_are_no_passwords),
        cmocka_unit_test(test_other_values_are_shown_as_they_are),
        cmocka_unit_test(test_a_password_in_a_url_is_hidden_and_nothing_else),
        cmocka_unit_test(test_a_password_with_signs_in_it_is_hidden_whole),
        cmocka_unit_test(test_many_urls_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
