/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/library.h"

#include "../test.h"

struct table {
    size_t (*length)(const char *text);
    double (*root)(double number);
};

static const struct colony_library maths = {"libm.so.6", "libc6", "numbers"};

TEST(test_functions_are_found_also_in_what_it_depends_on)
{
    static const struct colony_symbol symbols[] = {{"strlen", offsetof(struct table, length)},
                                                   {"sqrt", offsetof(struct table, root)},
                                                   {NULL, 0}};
    struct table table = {0};

    assert_int_equal(colony_library_open(&maths, symbols, &table, NULL), 0);
    assert_int_equal(table.length("four"), 4);
    assert_true(table.root(9) > 2.9 && table.root(9) < 3.1);
}

TEST(test_a_library_that_is_missing_is_told_with_its_package)
{
    static const struct colony_library none = {"libnone.so.0", "libnone0", "nothing"};
    static const struct colony_symbol symbols[] = {{NULL, 0}};
    struct colony_error err;
    struct table table;

    assert_int_equal(colony_library_open(&none, symbols, &table, &err), -ENOENT);
    assert_memory_equal(err.message, "cannot use nothing: install the package libnone0 (",
                        strlen("cannot use nothing: install the package libnone0 ("));
}

TEST(test_a_function_that_is_missing_is_told)
{
    static const struct colony_symbol symbols[] = {
        {"sqrt", offsetof(struct table, root)}, {"no_such_function", 0}, {NULL, 0}};
    struct colony_error err;
    struct table table = {0};

    assert_int_equal(colony_library_open(&maths, symbols, &table, &err), -ENOTSUP);
    assert_string_equal(err.message,
                        "cannot use numbers: libm.so.6 lacks no_such_function: install "
                        "a newer package libc6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_are_found_also_in_what_it_depends_on),
        cmocka_unit_test(test_a_library_that_is_missing_is_told_with_its_package),
        cmocka_unit_test(test_a_function_that_is_missing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
