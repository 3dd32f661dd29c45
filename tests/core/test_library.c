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

static struct table table;

static struct colony_library make_maths(const struct colony_symbol *symbols)
{
    return (struct colony_library){.soname = "libm.so.6",
                                   .package = "libc6",
                                   .purpose = "numbers",
                                   .symbols = symbols,
                                   .table = &table,
                                   .lock = PTHREAD_MUTEX_INITIALIZER};
}

TEST(test_functions_are_found_also_in_what_it_depends_on)
{
    static const struct colony_symbol symbols[] = {{"strlen", offsetof(struct table, length)},
                                                   {"sqrt", offsetof(struct table, root)},
                                                   {NULL, 0}};
    struct colony_library maths = make_maths(symbols);

    assert_int_equal(colony_library_open(&maths, NULL), 0);
    assert_int_equal(table.length("four"), 4);
    assert_true(table.root(9) > 2.9 && table.root(9) < 3.1);
    table.length = NULL;
    assert_int_equal(colony_library_open(&maths, NULL), 0); /* it is open */
    assert_null(table.length);
}

static int refusals;

static int refuse_once(struct colony_error *err)
{
    return refusals++ == 0 ? colony_fail(err, -ENOMEM, "not yet") : 0;
}

TEST(test_what_cannot_be_made_ready_is_tried_again)
{
    static const struct colony_symbol symbols[] = {{"sqrt", offsetof(struct table, root)},
                                                   {NULL, 0}};
    struct colony_library maths = make_maths(symbols);
    struct colony_error err;

    maths.make_ready = refuse_once;
    assert_int_equal(colony_library_open(&maths, &err), -ENOMEM);
    assert_string_equal(err.message, "not yet");
    assert_int_equal(colony_library_open(&maths, &err), 0);
    assert_int_equal(colony_library_open(&maths, &err), 0);
    assert_int_equal(refusals, 2);
}

TEST(test_a_library_that_is_missing_is_told_with_its_package)
{
    struct colony_library none = {.soname = "libnone.so.0",
                                  .package = "libnone0",
                                  .purpose = "nothing",
                                  .lock = PTHREAD_MUTEX_INITIALIZER};
    struct colony_error err;

    assert_int_equal(colony_library_open(&none, &err), -ENOENT);
    assert_memory_equal(err.message, "cannot use nothing: install the package libnone0 (",
                        strlen("cannot use nothing: install the package libnone0 ("));
}

TEST(test_a_function_that_is_missing_is_told)
{
    static const struct colony_symbol symbols[] = {
        {"sqrt", offsetof(struct table, root)}, {"no_such_function", 0}, {NULL, 0}};
    struct colony_library maths = make_maths(symbols);
    struct colony_error err;

    assert_int_equal(colony_library_open(&maths, &err), -ENOTSUP);
    assert_string_equal(err.message,
                        "cannot use numbers: libm.so.6 lacks no_such_function: install "
                        "a newer package libc6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions_are_found_also_in_what_it_depends_on),
        cmocka_unit_test(test_what_cannot_be_made_ready_is_tried_again),
        cmocka_unit_test(test_a_library_that_is_missing_is_told_with_its_package),
        cmocka_unit_test(test_a_function_that_is_missing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
