/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <cjson/cJSON.h>

#include "api/pretty_internal.h"

#include "../test.h"

static void assert_pretty(const char *text, const char *expected)
{
    struct colony__buffer out = {0};
    cJSON *json = cJSON_Parse(text);

    assert_non_null(json);
    assert_int_equal(colony__pretty_append(&out, json), 0);
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
    colony__buffer_clear(&out);
    cJSON_Delete(json);
}

TEST(test_keys_are_in_order_at_every_level)
{
    assert_pretty("{\"b\": {\"z\": 1, \"B\": 2, \"a\": 3}, \"a\": [3, 1, {\"y\": 1, \"x\": 2}]}",
                  "{\n"
                  "    \"a\": [\n"
                  "        3,\n"
                  "        1,\n"
                  "        {\n"
                  "            \"x\": 2,\n"
                  "            \"y\": 1\n"
                  "        }\n"
                  "    ],\n"
                  "    \"b\": {\n"
                  "        \"B\": 2,\n"
                  "        \"a\": 3,\n"
                  "        \"z\": 1\n"
                  "    }\n"
                  "}");
}

TEST(test_what_is_empty_stays_on_its_line)
{
    assert_pretty("{}", "{}");
    assert_pretty("[]", "[]");
    assert_pretty("{\"a\": {}, \"b\": []}", "{\n    \"a\": {},\n    \"b\": []\n}");
}

TEST(test_scalars_are_as_json_has_them)
{
    assert_pretty("null", "null");
    assert_pretty("[true, false, -1.5, \"a\\n\\\"\\u00e9\"]",
                  "[\n    true,\n    false,\n    -1.5,\n    \"a\\n\\\"\xc3\xa9\"\n]");
    assert_pretty("{\"a\\\"b\": 1}", "{\n    \"a\\\"b\": 1\n}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_in_order_at_every_level),
        cmocka_unit_test(test_what_is_empty_stays_on_its_line),
        cmocka_unit_test(test_scalars_are_as_json_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
