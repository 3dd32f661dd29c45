/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdint.h>
#include <stdlib.h>

#include "core/array.h"

TEST(test_there_is_room_for_one_more_and_what_was_there_stays)
{
    unsigned *items = NULL;
    size_t capacity = 0;

    for (unsigned i = 0; i < 1000; i++) {
        items = colony_array_room(items, i, &capacity, sizeof *items);
        assert_non_null(items);
        assert_true(capacity > i);
        items[i] = i;
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    free(items);
}

TEST(test_an_array_with_room_stays_where_it_is)
{
    size_t capacity = 0;
    char *items = colony_array_room(NULL, 0, &capacity, 1);

    assert_non_null(items);
    assert_ptr_equal(colony_array_room(items, capacity - 1, &capacity, 1), items);
    free(items);
}

TEST(test_without_memory_all_is_as_it_was)
{
    size_t capacity = SIZE_MAX / 4;
    char item = 'x';

    assert_null(colony_array_room(&item, capacity, &capacity, 16));
    assert_int_equal(capacity, SIZE_MAX / 4);
    assert_int_equal(item, 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_room_for_one_more_and_what_was_there_stays),
        cmocka_unit_test(test_an_array_with_room_stays_where_it_is),
        cmocka_unit_test(test_without_memory_all_is_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
