/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/ready_internal.h"

#define TEXT(text) text, sizeof(text) - 1
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define ALMOST FIFTY FIFTY FIFTY FIFTY FIFTY "01234" /* 255 bytes */

static const struct {
    const char *bytes;
    size_t size;
    struct colony__notify said;
} rows[] = {
    {TEXT(""), {0}},
    {TEXT("READY=1"), {.is_ready = true}},
    {TEXT("READY=1\n"), {.is_ready = true}},
    {TEXT("READY=1\n\0"), {.is_ready = true}},
    {TEXT("\n\n\nREADY=1"), {.is_ready = true}},
    {TEXT("READY=0"), {0}},
    {TEXT("READY="), {0}},
    {TEXT("READY"), {0}},
    {TEXT("READY=10"), {0}},
    {TEXT("READY=1\r\n"), {0}},
    {TEXT(" READY=1"), {0}},
    {TEXT("ready=1"), {0}},
    {TEXT("XREADY=1"), {0}},
    {TEXT("=1"), {0}},
    {TEXT("="), {0}},
    {TEXT("MAINPID=77\nRELOADING=1\nSTOPPING=1\nBARRIER=1\nERRNO=2\nX_MINE=x"), {0}},
    {TEXT("WATCHDOG=1"), {.is_alive = true}},
    {TEXT("WATCHDOG=trigger"), {.is_trigger = true}},
    {TEXT("WATCHDOG=1\nWATCHDOG=trigger"), {.is_alive = true, .is_trigger = true}},
    {TEXT("WATCHDOG=TRIGGER\nWATCHDOG_USEC=5"), {0}},
    {TEXT("EXTEND_TIMEOUT_USEC=5000000"), {.has_extend = true, .extend_ms = 5000}},
    {TEXT("EXTEND_TIMEOUT_USEC=0"), {.has_extend = true}},
    {TEXT("EXTEND_TIMEOUT_USEC=1"), {.has_extend = true, .extend_ms = 1}},
    {TEXT("EXTEND_TIMEOUT_USEC=1001"), {.has_extend = true, .extend_ms = 2}},
    {TEXT("EXTEND_TIMEOUT_USEC=18446744073709551615"),
     {.has_extend = true, .extend_ms = 18446744073709552}},
    {TEXT("EXTEND_TIMEOUT_USEC=18446744073709551616"), {0}},
    {TEXT("EXTEND_TIMEOUT_USEC=99999999999999999999999"), {0}},
    {TEXT("EXTEND_TIMEOUT_USEC=-1\nEXTEND_TIMEOUT_USEC= 1\nEXTEND_TIMEOUT_USEC="), {0}},
    {TEXT("EXTEND_TIMEOUT_USEC=5s\nEXTEND_TIMEOUT_USEC=1000"),
     {.has_extend = true, .extend_ms = 1}},
    {TEXT("STATUS=at work = yes"), {.has_status = true, .status = "at work = yes"}},
    {TEXT("STATUS="), {.has_status = true}},
    {TEXT("STATUS=one\nSTATUS=two"), {.has_status = true, .status = "two"}},
    {TEXT("STATUS=a\tb\033[31mc\177d\r"), {.has_status = true, .status = "a?b?[31mc?d?"}},
    {TEXT("STATUS=gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9c"),
     {.has_status = true, .status = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9c"}},
    {TEXT("STATUS=\xc2\x9b"
          "31m\xc2\xa0."),
     {.has_status = true, .status = "?31m\xc2\xa0."}},
    {TEXT("STATUS=\xff\xc3(\xed\xa0\x80\xc0\x80\xe2\x82"),
     {.has_status = true, .status = "?\?(???????"}},
    {TEXT("STATUS=" ALMOST "x"), {.has_status = true, .status = ALMOST "x"}},
    {TEXT("STATUS=" ALMOST "xy\nREADY=1"),
     {.has_status = true, .is_ready = true, .status = ALMOST "x"}},
    {TEXT("STATUS=" ALMOST "\xc3\xbc"), {.has_status = true, .status = ALMOST}},
    {TEXT("READY=1\nSTATUS=up\nWATCHDOG=1\nEXTEND_TIMEOUT_USEC=2000"),
     {.is_ready = true,
      .is_alive = true,
      .has_status = true,
      .has_extend = true,
      .extend_ms = 2,
      .status = "up"}},
};

TEST(test_a_message_says_what_its_fields_say)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct colony__notify *want = &rows[i].said;
        struct colony__notify said;

        memset(&said, 0xff, sizeof said);
        assert_int_equal(colony__notify_parse(&said, rows[i].bytes, rows[i].size), 0);
        if (said.is_ready != want->is_ready || said.is_alive != want->is_alive ||
            said.is_trigger != want->is_trigger || said.has_status != want->has_status ||
            said.has_extend != want->has_extend || said.extend_ms != want->extend_ms ||
            strcmp(said.status, want->status) != 0)
            fail_msg("row %zu: %.*s: status '%s'", i, (int)rows[i].size, rows[i].bytes,
                     said.status);
    }
}

TEST(test_a_message_with_a_nul_inside_is_refused)
{
    struct colony__notify said = {.extend_ms = 7};

    assert_int_equal(colony__notify_parse(&said, TEXT("READY=1\0\nSTATUS=x")), -EINVAL);
    assert_int_equal(colony__notify_parse(&said, TEXT("\0READY=1")), -EINVAL);
    assert_int_equal(colony__notify_parse(&said, TEXT("READY=1\0\0")), -EINVAL);
    assert_int_equal(said.extend_ms, 7);
}

/* Any bytes: what comes out is text, and nothing is read or written beside what was given. */
TEST(test_any_bytes_are_read_without_harm)
{
    static const char pieces[] = "READY=1\nSTATUS=\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\x9c\x80\xff\n="
                                 "WATCHDOG=trigger\nEXTEND_TIMEOUT_USEC=9";
    uint32_t seed = 1;

    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)round % 400;
        char *bytes = malloc(size > 0 ? size : 1); /* just so much: the sanitizer sees more */
        struct colony__notify said;

        assert_non_null(bytes);
        memcpy(bytes, "STATUS=", size < 7 ? size : 7);
        for (size_t i = 7; i < size; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = seed >> 31 ? pieces[(seed >> 16) % (sizeof pieces - 1)] : (char)(seed >> 8);
        }
        if (colony__notify_parse(&said, bytes, size) == 0) {
            assert_true(strlen(said.status) <= COLONY__NOTIFY_STATUS_MAX);
            for (const char *at = said.status; *at; at++)
                assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_says_what_its_fields_say),
        cmocka_unit_test(test_a_message_with_a_nul_inside_is_refused),
        cmocka_unit_test(test_any_bytes_are_read_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
