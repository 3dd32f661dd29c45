/* SPDX-License-Identifier: Apache-2.0 */
#include "core/utf8.h"

#include "../scratch.h"

TEST(test_what_is_no_utf8_is_repaired)
{
    char text[] = "a\xff\xc3\xa9\0\xed\xa0\x80\xc3";

    colony_utf8_repair(text, sizeof text - 1);
    assert_string_equal(text, "a?\xc3\xa9?????");
    assert_int_equal(colony_utf8_length(text, strlen(text)), strlen(text));
    colony_utf8_repair(text, 0);
}

TEST(test_a_line_has_neither_control_bytes_nor_what_is_no_utf8)
{
    static const char *const others[] = {"a\nb", "\t", "\x7f", "\xff", "\xc3"};

    assert_true(colony_utf8_is_line(""));
    assert_true(colony_utf8_is_line("d\xc3\xa9mon 1"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(colony_utf8_is_line(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_utf8_is_repaired),
        cmocka_unit_test(test_a_line_has_neither_control_bytes_nor_what_is_no_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
