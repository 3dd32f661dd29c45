/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "api/json_internal.h"
#include "api/openapi_internal.h"
#include "api/route_internal.h"

#include "../test.h"

static bool has_word(const char *words, const char *word, size_t length)
{
    while (*words != '\0') {
        size_t span = strcspn(words, " ");

        if (span == length && memcmp(words, word, length) == 0)
            return true;
        words += span + (words[span] == ' ');
    }
    return false;
}

TEST(test_each_route_has_its_row_and_each_row_its_route)
{
    const struct colony__routes *routes = &colony__control_routes;
    size_t count = 0;

    for (size_t i = 0; i < routes->count; i++)
        if (!colony__operation_find(routes->rows[i].methods, routes->rows[i].pattern))
            fail_msg("%s is not in openapi_routes.c", routes->rows[i].pattern);
    while (colony__operations[count].pattern)
        count++;
    assert_int_equal(count, routes->count);
}

TEST(test_what_a_row_names_is_there)
{
    for (const struct colony__operation *at = colony__operations; at->pattern; at++) {
        for (const char *word = at->query; *word != '\0';) {
            size_t length = strcspn(word, " ");

            if (!colony__openapi_find(colony__openapi_parameters, word, length))
                fail_msg("%s: no parameter %s", at->pattern, word);
            word += length + (word[length] == ' ');
        }
        if (!colony__openapi_find(colony__openapi_answers, at->answer, strlen(at->answer)))
            fail_msg("%s: no answer %s", at->pattern, at->answer);
        if (at->body && !colony__openapi_find(colony__openapi_bodies, at->body, strlen(at->body)))
            fail_msg("%s: no body %s", at->pattern, at->body);
        assert_true(strlen(at->errors) % 4 == 3 || at->errors[0] == '\0');
        for (const char *part = strchr(at->pattern, '/'); part; part = strchr(part + 1, '/')) {
            size_t length = strcspn(part + 1, "/");

            if (part[1] >= 'A' && part[1] <= 'Z' &&
                !colony__openapi_find(colony__openapi_arguments, part + 1, length))
                fail_msg("%s: nothing of %s", at->pattern, part);
        }
    }
}

/* "…; ?lines=N|all &slot=K" names parameters that the row must have as well. */
TEST(test_what_the_help_of_a_route_asks_for_is_in_its_row)
{
    const struct colony__routes *routes = &colony__control_routes;

    for (size_t i = 0; i < routes->count; i++) {
        const struct colony__route *route = &routes->rows[i];
        const struct colony__operation *row =
            colony__operation_find(route->methods, route->pattern);

        assert_non_null(row);
        for (const char *at = strpbrk(route->help, "?&"); at; at = strpbrk(at + 1, "?&")) {
            size_t length = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_");

            if (length > 0 && !has_word(row->query, at + 1, length))
                fail_msg("%s: %s", route->pattern, at);
        }
    }
}

static void check_parts(const struct colony__openapi_part *part)
{
    for (; part->name; part++) {
        cJSON *json = cJSON_Parse(part->json);

        if (!json)
            fail_msg("%s is no JSON", part->name);
        cJSON_Delete(json);
    }
}

TEST(test_all_of_it_is_json)
{
    struct colony__json json = {0};
    cJSON *document;

    check_parts(colony__openapi_arguments);
    check_parts(colony__openapi_parameters);
    check_parts(colony__openapi_schemas);
    check_parts(colony__openapi_bodies);
    check_parts(colony__openapi_answers);
    colony__openapi_write(&json, &colony__control_routes);
    assert_false(json.failed);
    document = cJSON_ParseWithLength(json.text.data, json.text.size);
    assert_non_null(document);
    assert_non_null(cJSON_GetObjectItem(document, "paths"));
    cJSON_Delete(document);
    colony__json_clear(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_route_has_its_row_and_each_row_its_route),
        cmocka_unit_test(test_what_a_row_names_is_there),
        cmocka_unit_test(test_what_the_help_of_a_route_asks_for_is_in_its_row),
        cmocka_unit_test(test_all_of_it_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
