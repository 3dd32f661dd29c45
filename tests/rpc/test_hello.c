/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"
#include "rpc/hello_internal.h"

static int read_text(struct colony__hello *hello, const char *text, struct colony_error *err)
{
    struct colony_value *value = NULL;
    int rc;

    assert_int_equal(colony_value_parse_json(&value, text, strlen(text), NULL), 0);
    rc = colony__hello_read(hello, value, err);
    colony_value_free(value);
    return rc;
}

TEST(test_methods_and_attributes_have_docs_and_are_found)
{
    struct colony__hello hello = {0};
    const struct colony__hello_name *name;

    assert_int_equal(read_text(&hello,
                               "{\"methods\": {\"stir\": \"turn it\", \"add\": null},"
                               " \"attributes\": [\"pst_count\", \"heat\"], \"doc\": \"a pot\"}",
                               NULL),
                     0);
    assert_int_equal(hello.count, 4);
    assert_string_equal(hello.doc, "a pot");
    name = colony__hello_find(&hello, "stir");
    assert_non_null(name);
    assert_true(name->is_method);
    assert_string_equal(name->doc, "turn it");
    assert_string_equal(colony__hello_find(&hello, "add")->doc, "");
    assert_false(colony__hello_find(&hello, "heat")->is_method);
    assert_false(colony__hello_is_saved(colony__hello_find(&hello, "heat")));
    assert_true(colony__hello_is_saved(colony__hello_find(&hello, "pst_count")));
    assert_null(colony__hello_find(&hello, "nope"));
    for (size_t i = 1; i < hello.count; i++)
        assert_true(strcmp(hello.names[i - 1].name, hello.names[i].name) < 0);
    colony__hello_clear(&hello);
    assert_null(colony__hello_find(&hello, "stir"));
}

TEST(test_an_empty_one_is_fine)
{
    struct colony__hello hello = {0};

    assert_int_equal(read_text(&hello, "{}", NULL), 0);
    assert_int_equal(hello.count, 0);
    colony__hello_clear(&hello);
}

TEST(test_what_cannot_be_used_says_why_and_changes_nothing)
{
    static const struct {
        const char *text;
        const char *reason;
    } cases[] = {
        {"[]", "its params must be an object"},
        {"42", "its params must be an object"},
        {"{\"methods\": \"stir\"}", "cannot use `methods`"},
        {"{\"attributes\": 1}", "cannot use `attributes`"},
        {"{\"methods\": [1]}", "a name that is no text"},
        {"{\"methods\": {\"stir\": 1}}", "the doc of `stir`"},
        {"{\"methods\": [\"_hidden\"]}", "cannot use the name `_hidden`"},
        {"{\"methods\": [\"9lives\"]}", "cannot use the name `9lives`"},
        {"{\"methods\": [\"a-b\"]}", "cannot use the name `a-b`"},
        {"{\"methods\": [\"\"]}", "cannot use the name ``"},
        {"{\"methods\": [\"getattr\"]}", "it is colony's own"},
        {"{\"methods\": [\"stir\"], \"attributes\": [\"stir\"]}", "the name `stir` twice"},
        {"{\"doc\": []}", "cannot use `doc`"},
    };
    struct colony__hello hello = {0};

    assert_int_equal(read_text(&hello, "{\"methods\": [\"stir\"]}", NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct colony_error err = {0};

        assert_int_equal(read_text(&hello, cases[i].text, &err), -EINVAL);
        assert_non_null(strstr(err.message, cases[i].reason));
        assert_non_null(colony__hello_find(&hello, "stir"));
    }
    colony__hello_clear(&hello);
}

TEST(test_there_is_a_limit_to_the_names)
{
    enum {
        NAME_BYTES = 12,
    };
    size_t size = (COLONY__HELLO_NAMES_MAX + 1) * NAME_BYTES + 32;
    char *text = malloc(size);
    struct colony__hello hello = {0};
    struct colony_error err = {0};
    size_t used;

    assert_non_null(text);
    used = (size_t)snprintf(text, size, "{\"methods\": [\"a\"");
    for (int i = 0; i < COLONY__HELLO_NAMES_MAX; i++)
        used += (size_t)snprintf(text + used, size - used, ", \"a%d\"", i);
    (void)snprintf(text + used, size - used, "]}");
    assert_int_equal(read_text(&hello, text, &err), -EINVAL);
    assert_non_null(strstr(err.message, "more than 1000 names"));
    free(text);
    colony__hello_clear(&hello);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods_and_attributes_have_docs_and_are_found),
        cmocka_unit_test(test_an_empty_one_is_fine),
        cmocka_unit_test(test_what_cannot_be_used_says_why_and_changes_nothing),
        cmocka_unit_test(test_there_is_a_limit_to_the_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
