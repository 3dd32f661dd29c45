/* SPDX-License-Identifier: Apache-2.0 */
/* Controllers that are added while others are made. */
#include "../test.h"

#include <errno.h>

#include <colony.h>

#include "lib/controllers_internal.h"

static struct colony__controllers *controllers;
static int closed;

static int create_inner(void **out, struct colony *colony, void *data, struct colony_error *err)
{
    (void)out, (void)colony, (void)err;
    return *(int *)data;
}

static void close_inner(void *controller, void (*cb)(void *data), void *data)
{
    (void)controller;
    closed++;
    cb(data);
}

static const struct colony_controller inner = {
    .interface = COLONY_INTERFACE, .name = "inner", .create = create_inner, .close = close_inner};

/* What the inner one and it itself are to return. */
static int create_outer(void **out, struct colony *colony, void *data, struct colony_error *err)
{
    int *results = data;

    (void)out, (void)colony, (void)err;
    assert_int_equal(colony__controllers_add(controllers, &inner, &results[0], NULL), 0);
    assert_int_equal(colony__controllers_start_last(controllers, NULL), results[0]);
    return results[1];
}

static const struct colony_controller outer = {
    .interface = COLONY_INTERFACE, .name = "outer", .create = create_outer};

static void count(void *data)
{
    ++*(int *)data;
}

static void add_both(int results[2], bool has_inner, bool has_outer)
{
    int ended = 0;

    closed = 0;
    assert_int_equal(colony__controllers_new(&controllers, NULL), 0);
    assert_int_equal(colony__controllers_add(controllers, &outer, results, NULL), 0);
    assert_int_equal(colony__controllers_start_last(controllers, NULL), results[1]);
    assert_int_equal(colony__controllers_has(controllers, &inner), has_inner);
    assert_int_equal(colony__controllers_has(controllers, &outer), has_outer);
    colony__controllers_close(controllers, true, count, &ended);
    assert_int_equal(ended, 1);
    assert_int_equal(closed, has_inner);
    colony__controllers_free(controllers);
}

TEST(test_one_that_fails_takes_only_itself_off_the_list)
{
    add_both((int[]){0, 0}, true, true);
    add_both((int[]){0, -EIO}, true, false);
    add_both((int[]){-EIO, 0}, false, true);
    add_both((int[]){-EIO, -EIO}, false, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_fails_takes_only_itself_off_the_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
