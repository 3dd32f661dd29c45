/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "fsctl/definition.h"
#include "fsctl/places.h"

static char folder[64];

static int set_up(void **state __attribute__((unused)))
{
    (void)snprintf(folder, sizeof folder, "/tmp/colony-places-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int tear_down(void **state __attribute__((unused)))
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a fixed text */
    return 0;
}

static const char *const none[] = {NULL};

static int write_definition(char **text, const char *extras, struct colony_error *err)
{
    const struct colony_definition definition = {
        .cmd = "cmd",
        .args = none,
        .env = none,
        .env_inherit = none,
        .uid = UINT64_MAX,
        .gid = UINT64_MAX,
        .extras = extras,
    };

    return colony_definition_write(text, &definition, err);
}

TEST(test_names_are_names_of_files_that_are_read)
{
    static const char *const good[] = {"web", "shop:web", "8080", "a b", "x.newer", "é", "new"};
    static const char *const bad[] = {"",     ".",    "..",   "a/b", "x.new",
                                      ".new", ".web", "a\nb", "\xff"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(colony_places_check_name(good[i], NULL), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(colony_places_check_name(bad[i], NULL), -EINVAL);
}

TEST(test_a_put_says_whether_it_changed_anything)
{
    char *text = NULL;
    size_t size = 0;

    assert_int_equal(colony_places_put(folder, "web", "{}", NULL), 1);
    assert_int_equal(colony_places_put(folder, "web", "{}", NULL), 0);
    assert_int_equal(colony_places_put(folder, "web", "{ }", NULL), 1);
    assert_int_equal(colony_places_read(folder, "web", &text, &size, NULL), 0);
    assert_int_equal(size, 3);
    assert_string_equal(text, "{ }");
    free(text);
    assert_int_equal(colony_places_remove(folder, "web", NULL), 0);
    assert_int_equal(colony_places_remove(folder, "web", NULL), -ENOENT);
}

TEST(test_messages_of_one_process_are_in_the_order_they_were_sent)
{
    char **names = NULL;
    size_t count = 0;

    for (int i = 0; i < 50; i++) {
        char number[8];

        (void)snprintf(number, sizeof number, "%d", i);
        assert_int_equal(colony_places_send(folder, number, NULL), 0);
    }
    assert_int_equal(colony_places_list(folder, true, &names, &count, NULL), 0);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++) {
        char *text = NULL;
        size_t size;

        assert_int_equal(colony_places_read(folder, names[i], &text, &size, NULL), 0);
        assert_int_equal(atoi(text), i); /* NOLINT(cert-err34-c): written above */
        free(text);
    }
    colony_places_free(names);
}

TEST(test_control_bytes_are_escaped_in_json)
{
    char *text = NULL;

    assert_int_equal(
        colony_places_message(&text, "RESTART-GROUP", "group", "a\"\\\n\x01\x7f\xc3\xa9", NULL), 0);
    assert_string_equal(text, "{\"type\": \"RESTART-GROUP\", \"group\": "
                              "\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\"}");
    free(text);
}

TEST(test_extras_stand_last_as_they_were_written)
{
    struct colony_error err = {0};
    char *text = NULL;

    assert_int_equal(
        write_definition(&text, " {\"n\":1.0e3,\"a\":[true,null,{}],\"z\":{\"b\":[]}}", &err), 0);
    assert_string_equal(
        text, "{\"args\": [\"cmd\"], \"n\": 1.0e3, \"a\": [true, null, {}], \"z\": {\"b\": []}}");
    free(text);
    assert_int_equal(write_definition(&text, "{\"n\": 1, \"args\": [\"other\"]}", &err), 0);
    assert_string_equal(text, "{\"args\": [\"other\"], \"n\": 1}"); /* ncolony's dict.update */
    free(text);
    assert_int_equal(write_definition(&text, "{\"a\": 1, \"a\": 1}", &err), -EINVAL);
    assert_int_equal(write_definition(&text, "[]", &err), -EINVAL);
    assert_int_equal(write_definition(&text, "{", &err), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_names_of_files_that_are_read),
        cmocka_unit_test_setup_teardown(test_a_put_says_whether_it_changed_anything, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_messages_of_one_process_are_in_the_order_they_were_sent, set_up, tear_down),
        cmocka_unit_test(test_control_bytes_are_escaped_in_json),
        cmocka_unit_test(test_extras_stand_last_as_they_were_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
