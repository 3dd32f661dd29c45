/* SPDX-License-Identifier: Apache-2.0 */
/* Procfiles: what their lines mean, and the place of what is wrong. */
#include "../scratch.h"

#include <errno.h>

#include "core/error.h"
#include "core/procfile.h"

/* Each type as NAME=COMMAND| */
static void assert_parsed(const char *text, const char *expected)
{
    struct colony_procfile procfile;
    struct colony_error err = {0};
    char told[4096] = "";

    if (colony_procfile_parse(&procfile, text, strlen(text), "Procfile", &err) < 0)
        fail_msg("%s is refused: %s", text, err.message);
    for (size_t i = 0; i < procfile.count; i++) {
        size_t used = strlen(told);

        (void)snprintf(told + used, sizeof told - used, "%s=%s|", procfile.types[i].name,
                       procfile.types[i].command);
    }
    assert_string_equal(told, expected);
    colony_procfile_clear(&procfile);
    assert_int_equal(procfile.count, 0);
}

static void assert_bad_bytes(const char *text, size_t size, const char *why)
{
    struct colony_procfile procfile;
    struct colony_error err = {0};

    assert_int_equal(colony_procfile_parse(&procfile, text, size, "Procfile", &err), -EINVAL);
    if (strncmp(err.message, why, strlen(why)) != 0)
        fail_msg("`%s` does not begin with `%s`", err.message, why);
    assert_int_equal(procfile.count, 0);
    assert_null(procfile.types);
}

static void assert_bad(const char *text, const char *why)
{
    assert_bad_bytes(text, strlen(text), why);
}

TEST(test_types_and_commands)
{
    assert_parsed("web: ./web --port $PORT\n", "web=./web --port $PORT|");
    assert_parsed("web: a\nworker-2: b | c\nx_1:d", "web=a|worker-2=b | c|x_1=d|");
    assert_parsed("  web:\t  a b \t\n", "web=a b|");
    assert_parsed("web: a # b: c\n", "web=a # b: c|");
    assert_parsed("web: caf\xc3\xa9\n", "web=caf\xc3\xa9|");
}

TEST(test_blank_lines_and_comments_are_left_out)
{
    assert_parsed("# web: no\n\n  # worker: no\n \t \nweb: a\n\n", "web=a|");
}

TEST(test_crlf_and_a_byte_order_mark_are_fine)
{
    assert_parsed("\xef\xbb\xbfweb: a\r\n\r\nworker: b\r\n", "web=a|worker=b|");
}

TEST(test_a_line_that_is_none_is_told_with_its_place)
{
    static const char why[] = ": cannot use this line: write TYPE: COMMAND";
    char text[200];
    const struct {
        const char *text;
        const char *place;
    } lines[] = {
        {"web", "1:4"},
        {"web ./web\n", "1:4"},
        {"web: a\n: b\n", "2:1"},
        {"a: b\n we b: c", "2:4"},
        {"w\xc3\xa9: b\n", "1:2"},
        {"\n\n\"web\": a", "3:1"},
        {"web : a\n", "1:4"},
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        (void)snprintf(text, sizeof text, "Procfile:%s%s", lines[i].place, why);
        assert_bad(lines[i].text, text);
    }
}

TEST(test_a_missing_command_is_told)
{
    assert_bad("web:\n", "Procfile:1:5: cannot use this line: the command is missing");
    assert_bad("a: b\nweb:   \r\n", "Procfile:2:5: cannot use this line: the command is missing");
}

TEST(test_a_type_twice_is_told_with_both_places)
{
    assert_bad("web: a\n#\n web: b\n",
               "Procfile:3:2: cannot use the type `web` twice: it is on line 1 already");
}

TEST(test_digits_alone_are_no_type)
{
    assert_bad("8080: a\n", "Procfile:1:1: cannot use this line: a type of digits alone");
    assert_parsed("8080a: a\n", "8080a=a|");
}

TEST(test_a_file_without_a_type_is_refused)
{
    assert_bad("", "Procfile:1:1: cannot use it: it has no line TYPE: COMMAND");
    assert_bad("# nothing\n", "Procfile:1:1: cannot use it");
}

TEST(test_what_is_no_text_is_refused)
{
    assert_bad_bytes("web: a\0b\n", 9, "Procfile:1:7: cannot read this Procfile: it has a NUL");
    assert_bad("web: \xff\n", "Procfile:1:6: cannot read this Procfile: it is not UTF-8");
}

TEST(test_limits)
{
    char *text = malloc(COLONY_PROCFILE_BYTES_MAX + 2);
    struct colony_procfile procfile;
    struct colony_error err = {0};
    size_t used = 0;

    assert_non_null(text);
    for (int i = 0; i <= COLONY_PROCFILE_TYPES_MAX; i++)
        used += (size_t)snprintf(text + used, 20, "t%d: a\n", i);
    assert_bad(text, "Procfile:601:1: cannot use this line: there are more than 600 types");
    memset(text, 'x', 120);
    (void)snprintf(text + 120, 20, ": a\n");
    assert_bad(text, "Procfile:1:1: cannot use this line: a type has 100 bytes at most");
    memset(text, '#', COLONY_PROCFILE_BYTES_MAX + 1);
    text[COLONY_PROCFILE_BYTES_MAX + 1] = '\0';
    assert_int_equal(
        colony_procfile_parse(&procfile, text, COLONY_PROCFILE_BYTES_MAX + 1, "Procfile", &err),
        -EFBIG);
    free(text);
}

TEST(test_a_file_that_is_missing_is_told)
{
    struct colony_procfile procfile;
    struct colony_error err = {0};

    assert_int_equal(colony_procfile_load(&procfile, "/nowhere/Procfile", &err), -ENOENT);
    assert_string_equal(err.message, "cannot open /nowhere/Procfile: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_commands),
        cmocka_unit_test(test_blank_lines_and_comments_are_left_out),
        cmocka_unit_test(test_crlf_and_a_byte_order_mark_are_fine),
        cmocka_unit_test(test_a_line_that_is_none_is_told_with_its_place),
        cmocka_unit_test(test_a_missing_command_is_told),
        cmocka_unit_test(test_a_type_twice_is_told_with_both_places),
        cmocka_unit_test(test_digits_alone_are_no_type),
        cmocka_unit_test(test_a_file_without_a_type_is_refused),
        cmocka_unit_test(test_what_is_no_text_is_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_file_that_is_missing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
