/* SPDX-License-Identifier: Apache-2.0 */
/* test_manager_scope.c - the one call to systemd, as bytes; test_systemd.py makes it for real. */
#include "../test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/manager.h"

static int ends[2]; /* ours, and the manager's */

static int set_up(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return 0;
}

static uint32_t u32(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static const unsigned char *hear_call(size_t *size)
{
    static unsigned char call[2048];
    ssize_t count = recv(ends[1], call, sizeof call, 0);

    assert_true(count > 16);
    *size = (size_t)count;
    return call;
}

TEST(test_a_call_is_as_long_as_it_says)
{
    const unsigned char *call;
    size_t size;
    char name[300];

    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(colony_manager_ask_scope(ends[0], name, UINT64_MAX, 4711), 0);
    call = hear_call(&size);
    assert_memory_equal(call, "l\1\0\1", 4);
    assert_int_equal(((16 + u32(call + 12) + 7) & ~7U) + u32(call + 4), size);
}

TEST(test_a_unit_has_no_name_that_units_cannot_have)
{
    const unsigned char *call;
    size_t size;

    assert_int_equal(colony_manager_ask_scope(ends[0], "a b/c@\xc3\xa4", 7, 4711), 0);
    call = hear_call(&size);
    assert_non_null(memmem(call, size, "colony-a_b_c___-7.scope", 24));
    assert_non_null(memmem(call, size, "\2au\0", 4));
    assert_non_null(memmem(call, size, "\4\0\0\0\x67\x12\0\0", 8)); /* one pid */
}

/* An answer of @type without fields whose body is @text. */
static void answer(unsigned char type, const char *text)
{
    unsigned char bytes[256] = {'l', type, 0, 1};
    size_t length = strlen(text);

    bytes[4] = (unsigned char)(length + 5);
    bytes[8] = 1;
    bytes[16] = (unsigned char)length;
    memcpy(bytes + 20, text, length);
    assert_int_equal(send(ends[1], bytes, 16 + length + 5, 0), 16 + length + 5);
}

TEST(test_answers_are_counted_behind_the_lines_that_let_us_in)
{
    static const char lines[] = "DATA\r\nOK 0123456789abcdef\r\n";
    char why[64] = "x";

    assert_int_equal(colony_manager_read(ends[0], why, sizeof why), 0);
    assert_int_equal(send(ends[1], lines, strlen(lines), 0), strlen(lines));
    assert_int_equal(colony_manager_read(ends[0], why, sizeof why), 0);
    answer(2, "/job/1");
    answer(4, "a unit is new"); /* a signal is no answer */
    answer(2, "/job/2");
    assert_int_equal(colony_manager_read(ends[0], why, sizeof why), 2);
    assert_string_equal(why, "");
}

TEST(test_a_refusal_comes_with_its_reason_in_one_line)
{
    char why[16];

    answer(3, "no\nsuch process, I am afraid");
    assert_int_equal(colony_manager_read(ends[0], why, sizeof why), 1);
    assert_string_equal(why, "no such process");
}

TEST(test_what_cannot_be_read_on_is_over)
{
    char why[64];

    assert_int_equal(send(ends[1], "l\2\0\1\xff\xff\xff\xff\1\0\0\0\0\0\0\0", 16, 0), 16);
    assert_int_equal(colony_manager_read(ends[0], why, sizeof why), -ECONNRESET);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    assert_int_equal(colony_manager_read(ends[0], why, sizeof why), -ECONNRESET);
}

#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTED(test_a_call_is_as_long_as_it_says),
        CONNECTED(test_a_unit_has_no_name_that_units_cannot_have),
        CONNECTED(test_answers_are_counted_behind_the_lines_that_let_us_in),
        CONNECTED(test_a_refusal_comes_with_its_reason_in_one_line),
        CONNECTED(test_what_cannot_be_read_on_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
