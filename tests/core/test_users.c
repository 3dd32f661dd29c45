/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "core/users.h"

#include "../test.h"

TEST(test_a_user_is_found_by_name_and_by_number)
{
    struct colony_user user = {.uid = 1};

    assert_int_equal(colony_user_find(&user, "root"), 0);
    assert_int_equal(user.uid, 0);
    assert_int_equal(user.gid, 0);
    memset(&user, 1, sizeof user);
    assert_int_equal(colony_user_find_id(&user, 0), 0);
    assert_string_equal(user.name, "root");
}

TEST(test_a_group_is_found_by_name_and_by_number)
{
    struct colony_group group = {.gid = 1};

    assert_int_equal(colony_group_find(&group, "root", NULL, NULL), 0);
    assert_int_equal(group.gid, 0);
    memset(&group, 1, sizeof group);
    assert_int_equal(colony_group_find_id(&group, 0), 0);
    assert_string_equal(group.name, "root");
}

TEST(test_what_is_not_there_is_told_and_changes_nothing)
{
    struct colony_user user = {.uid = 7};
    struct colony_group group = {.gid = 7};

    assert_int_equal(colony_user_find(&user, "nobody of this name"), -ENOENT);
    assert_int_equal(colony_user_find_id(&user, 4242424), -ENOENT);
    assert_int_equal(colony_group_find(&group, "no group of this name", NULL, NULL), -ENOENT);
    assert_int_equal(colony_group_find_id(&group, 4242424), -ENOENT);
    assert_int_equal(user.uid, 7);
    assert_int_equal(group.gid, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_user_is_found_by_name_and_by_number),
        cmocka_unit_test(test_a_group_is_found_by_name_and_by_number),
        cmocka_unit_test(test_what_is_not_there_is_told_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
