/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <string.h>

#include "rpc/zmtp_internal.h"

enum {
    GREETING = 64,
    SIZE_MAX_HERE = 1000,
};

static size_t greet(unsigned char *bytes, unsigned char version)
{
    memset(bytes, 0, GREETING);
    bytes[0] = 0xff;
    bytes[9] = 0x7f;
    bytes[10] = version;
    return GREETING;
}

static size_t add_short(unsigned char *bytes, unsigned char size)
{
    bytes[0] = 0;
    bytes[1] = size;
    memset(bytes + 2, 0xff, size);
    return 2 + (size_t)size;
}

static size_t add_long(unsigned char *bytes, uint64_t size)
{
    bytes[0] = 2;
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (unsigned char)(size >> (56 - 8 * i));
    return 9;
}

/* As a whole and byte for byte: the same. */
static uint64_t read_all(const unsigned char *bytes, size_t size)
{
    struct colony__zmtp whole = {0};
    struct colony__zmtp pieces = {0};
    uint64_t found = colony__zmtp_read(&whole, bytes, size, SIZE_MAX_HERE);
    uint64_t piece = 0;

    for (size_t i = 0; i < size && piece == 0; i++)
        piece = colony__zmtp_read(&pieces, bytes + i, 1, SIZE_MAX_HERE);
    assert_int_equal(found, piece);
    return found;
}

TEST(test_a_frame_that_is_too_large_is_told_by_its_head)
{
    unsigned char bytes[4096];
    size_t size = greet(bytes, 3);

    size += add_short(bytes + size, 255);
    size += add_long(bytes + size, SIZE_MAX_HERE);
    memset(bytes + size, 0xff, SIZE_MAX_HERE);
    size += SIZE_MAX_HERE;
    assert_int_equal(read_all(bytes, size), 0);
    size += add_long(bytes + size, SIZE_MAX_HERE + 1);
    assert_int_equal(read_all(bytes, size), SIZE_MAX_HERE + 1);
    assert_int_equal(read_all(bytes, size - 1), 0);
}

TEST(test_the_largest_size_there_is_is_told)
{
    unsigned char bytes[GREETING + 9];
    size_t size = greet(bytes, 3);

    size += add_long(bytes + size, UINT64_MAX);
    assert_true(read_all(bytes, size) == UINT64_MAX);
}

TEST(test_of_other_protocols_nothing_is_said)
{
    unsigned char bytes[GREETING + 9];
    size_t size = greet(bytes, 2);

    size += add_long(bytes + size, UINT64_MAX);
    assert_int_equal(read_all(bytes, size), 0);
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(read_all(bytes, sizeof bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_that_is_too_large_is_told_by_its_head),
        cmocka_unit_test(test_the_largest_size_there_is_is_told),
        cmocka_unit_test(test_of_other_protocols_nothing_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
