/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/route_internal.h"

#include "../test.h"

static const struct colony__route *find(enum colony__method method, const char *path,
                                        struct colony__request *request, unsigned *allowed)
{
    static char target[256];

    memset(request, 0, sizeof *request);
    request->method = method;
    assert_true(strlen(path) < sizeof target);
    memcpy(target, path, strlen(path) + 1);
    assert_int_equal(colony__request_parse_target(request, target, NULL), 0);
    return colony__route_find(&colony__control_routes, request, allowed);
}

TEST(test_every_row_is_found_by_its_own_pattern)
{
    struct colony__request request;
    unsigned allowed;

    for (size_t i = 0; i < colony__control_routes.count; i++) {
        const struct colony__route *row = &colony__control_routes.rows[i];

        assert_ptr_equal(find((enum colony__method)row->methods, row->pattern, &request, &allowed),
                         row);
        assert_non_null(row->help);
        assert_non_null(row->handler);
    }
}

TEST(test_no_get_needs_control)
{
    for (size_t i = 0; i < colony__control_routes.count; i++) {
        const struct colony__route *row = &colony__control_routes.rows[i];

        if (row->methods & (METHOD_GET | METHOD_HEAD))
            assert_int_equal(row->access, ACCESS_READ);
        else
            assert_int_equal(row->access, ACCESS_CONTROL);
    }
}

TEST(test_parameters_are_handed_on)
{
    struct colony__request request;
    unsigned allowed;

    assert_non_null(find(METHOD_POST, "/processes/a%2fb/_signal/KILL", &request, &allowed));
    assert_string_equal(request.args[0], "a/b");
    assert_string_equal(request.args[1], "KILL");
    assert_null(request.args[2]);
}

TEST(test_head_goes_where_get_goes)
{
    struct colony__request request;
    unsigned allowed;

    assert_non_null(find(METHOD_HEAD, "/processes/web", &request, &allowed));
    assert_null(find(METHOD_HEAD, "/processes/web/_stop", &request, &allowed));
}

TEST(test_a_wrong_method_tells_the_right_ones)
{
    struct colony__request request;
    unsigned allowed;
    char text[64];

    assert_null(find(METHOD_DELETE, "/processes/web/_stop", &request, &allowed));
    colony__route_format_methods(allowed, text, sizeof text);
    assert_string_equal(text, "POST, OPTIONS");
    assert_null(find(METHOD_OTHER, "/ping", &request, &allowed));
    colony__route_format_methods(allowed, text, sizeof text);
    assert_string_equal(text, "GET, HEAD, OPTIONS");
}

TEST(test_an_unknown_path_has_no_methods)
{
    static const char *const paths[] = {
        "/nope",
        "/processes/web/_nope",
        "/processes//_stop",
        "//",
        "/processes/web/_stop/x",
        "/NAME",
        "/status",
        "/logs/",
    };
    struct colony__request request;
    unsigned allowed;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_null(find(METHOD_GET, paths[i], &request, &allowed));
        assert_int_equal(allowed, METHOD_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_found_by_its_own_pattern),
        cmocka_unit_test(test_no_get_needs_control),
        cmocka_unit_test(test_parameters_are_handed_on),
        cmocka_unit_test(test_head_goes_where_get_goes),
        cmocka_unit_test(test_a_wrong_method_tells_the_right_ones),
        cmocka_unit_test(test_an_unknown_path_has_no_methods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
