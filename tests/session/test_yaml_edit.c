/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a YAML text is changed, and nothing else. */
#include "../test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/yaml_edit_internal.h"

struct sample {
    const char *before;
    struct colony__yaml_edit edit;
    const char *after;
};

static const struct sample samples[] = {
    /* a new text */
    {"", {NULL, "a", " 1\n"}, "a: 1\n"},
    {"# only a comment\n", {NULL, "a", " 1\n"}, "# only a comment\na: 1\n"},
    /* changed, added, removed at the top */
    {"a: 1\nb: 2\n", {NULL, "a", " 9\n"}, "a: 9\nb: 2\n"},
    {"a: 1\n# of b\nb: 2\n", {NULL, "a", "\n  - x\n"}, "a:\n  - x\n# of b\nb: 2\n"},
    {"a: 1\nb: 2", {NULL, "c", " 3\n"}, "a: 1\nb: 2\nc: 3\n"},
    {"a: 1\n\n# of b\nb:\n  - 1\n  # one\n  - 2\n", {NULL, "b", NULL}, "a: 1\n\n# of b\n"},
    {"a: |\n  # text\n\n  more\n# end\n", {NULL, "a", " 1\n"}, "a: 1\n# end\n"},
    {"---\na: 1\n", {NULL, "b", " 2\n"}, "---\na: 1\nb: 2\n"},
    /* one below */
    {"a: 1\n", {"d", "x", " [\"y\"]\n"}, "a: 1\nd:\n  x: [\"y\"]\n"},
    {"d:\n  # none yet\na: 1\n",
     {"d", "x", " [\"y\"]\n"},
     "d:\n  x: [\"y\"]\n  # none yet\na: 1\n"},
    {"d:\n    x: [a] # why\n    # of z\n    z: [b]\na: 1\n",
     {"d", "x", " [\"y\"]\n"},
     "d:\n    x: [\"y\"]\n    # of z\n    z: [b]\na: 1\n"},
    {"d:\n  x: [a]\n# end\n", {"d", "z", " [\"y\"]\n"}, "d:\n  x: [a]\n  z: [\"y\"]\n# end\n"},
    {"d:\n  x: [a]\n  z: [b]\n", {"d", "x", NULL}, "d:\n  z: [b]\n"},
    {"d:\n  x: [a]\na: 1\n", {"d", "x", NULL}, "d:\na: 1\n"},
    /* laid out so that it is written anew */
    {"{a: 1, b: [x, 'y']}\n", {NULL, "a", " 9\n"}, "b: [\"x\", \"y\"]\na: 9\n"},
    {"d: {x: [a]}\n", {"d", "z", " [\"y\"]\n"}, "d:\n  x: [\"a\"]\n  z: [\"y\"]\n"},
    {"d: {x: {b: yes, n: 0x1F}}\n",
     {"d", "z", " 1\n"},
     "d:\n  x: {\"b\": yes, \"n\": 0x1F}\n  z: 1\n"},
    {"a: 1\n...\n", {NULL, "b", " 2\n"}, "a: 1\nb: 2\n"},
    {"d:\r\n  x: [a]\r\na: 1\r\n",
     {"d", "z", " [\"y\"]\n"},
     "d:\r\n  x: [a]\r\n  z: [\"y\"]\r\na: 1\r\n"},
    {"a: 1\r\nb: 2\n", {NULL, "c", " 3\n"}, "a: 1\r\nb: 2\nc: 3\n"},
    {"a: 1\rb: 2\r", {NULL, "a", " 9\n"}, "b: 2\na: 9\n"},
};

TEST(test_lines_that_are_not_meant_stay)
{
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char *text = strdup(samples[i].before);
        struct colony_error err = {0};

        assert_non_null(text);
        if (colony__yaml_edit(&text, "x.yaml", &samples[i].edit, &err) < 0)
            fail_msg("%s: %s", samples[i].before, err.message);
        assert_string_equal(text, samples[i].after);
        free(text);
    }
}

TEST(test_what_is_no_map_stays_as_it_is)
{
    const struct colony__yaml_edit edit = {NULL, "a", " 1\n"};
    char *text = strdup("- a\n- b\n");
    struct colony_error err = {0};

    assert_int_equal(colony__yaml_edit(&text, "x.yaml", &edit, &err), -EINVAL);
    assert_string_equal(err.message, "x.yaml:1:1: cannot change this: it must be a map");
    assert_string_equal(text, "- a\n- b\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_are_not_meant_stay),
        cmocka_unit_test(test_what_is_no_map_stays_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
