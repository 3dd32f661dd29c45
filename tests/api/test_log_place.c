/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "api/log_place_internal.h"
#include "api/logfile_internal.h"

#include "../test.h"

TEST(test_a_place_is_found_in_the_list_it_was_written_to)
{
    const struct colony__logfile file = {.fd = 3, .device = 7, .inode = 99, .offset = 1000};
    struct colony__log_place place = {.slot = 2, .is_error = true};
    struct colony__log_place found = {.slot = 2, .is_error = true};
    char text[COLONY__LOG_PLACE_MAX];

    colony__log_place_set(&place, &file, 10);
    (void)colony__log_place_write(&place, 33, text);
    assert_string_equal(text, "2e.7.99.990 33\n");
    assert_int_equal(colony__log_place_find(&found, "2.1.1.1,2e.7.99.990"), 0);
    assert_true(found.device == 7 && found.inode == 99 && found.offset == 990);
}

TEST(test_no_file_is_a_place_too)
{
    const struct colony__logfile file = {.fd = -1, .device = 7, .inode = 99, .offset = 1000};
    struct colony__log_place place = {.slot = 1};
    char text[COLONY__LOG_PLACE_MAX];

    colony__log_place_set(&place, &file, 0);
    (void)colony__log_place_write(&place, 0, text);
    assert_string_equal(text, "1.0.0.0 0\n");
}

TEST(test_a_log_that_is_not_in_the_list_is_told)
{
    struct colony__log_place place = {.slot = 3};

    assert_int_equal(colony__log_place_find(&place, ""), -ENOENT);
    assert_int_equal(colony__log_place_find(&place, "3e.1.2.3,1.1.2.3"), -ENOENT);
}

TEST(test_what_is_no_list_of_places_is_refused)
{
    static const char *const lists[] = {
        "x",         "1",        "1.2.3",      "1.2.3.",         "1.2.3.x",
        "0.1.2.3",   "-1.1.2.3", "1..2.3",     "1.2.3.4;",       "1.2.3.99999999999999999999",
        "1.2.3.4,x", "1e2.3.4",  "1ee.1.2.3",  ",1.2.3.4",       "1.2.3.18446744073709551615",
        " 1.2.3.4",  "1.2.3.+4", "1.2.3.4 5",  "4294967296.1.2.3",
    };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct colony__log_place place = {.slot = 9};

        assert_int_equal(colony__log_place_find(&place, lists[i]), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_is_found_in_the_list_it_was_written_to),
        cmocka_unit_test(test_no_file_is_a_place_too),
        cmocka_unit_test(test_a_log_that_is_not_in_the_list_is_told),
        cmocka_unit_test(test_what_is_no_list_of_places_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
