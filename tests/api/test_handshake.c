/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "api/handshake_internal.h"
#include "api/request_internal.h"
#include "core/error.h"

#include "../test.h"

#define UPGRADE "Upgrade\0websocket\0"
#define CONNECTION "Connection\0Upgrade\0"
#define KEY "Sec-WebSocket-Key\0dGhlIHNhbXBsZSBub25jZQ==\0"
#define VERSION                                                                                    \
    "Sec-WebSocket-Version\0"                                                                      \
    "13\0"
#define ASK(lines)                                                                                 \
    (&(struct colony__request){                                                                    \
        .method = METHOD_GET, .headers = (lines), .headers_size = sizeof(lines) - 1})

TEST(test_the_key_of_the_rfc_is_answered_as_the_rfc_has_it)
{
    char accept[COLONY__ACCEPT_SIZE];
    struct colony_error err = {0};

    assert_int_equal(colony__handshake_check(ASK(UPGRADE CONNECTION KEY VERSION), &err), 0);
    colony__handshake_accept(ASK(KEY), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(test_upgrade_and_connection_are_lists_in_any_number_of_headers)
{
    assert_int_equal(colony__handshake_check(
                         ASK("uPGRADE\0h2c,\tWebSocket\0"
                             "Connection\0keep-alive\0connection\0x , upgrade\0" KEY VERSION),
                         NULL),
                     0);
    assert_int_equal(
        colony__handshake_check(ASK("Upgrade\0websockets\0" CONNECTION KEY VERSION), NULL),
        -EPROTONOSUPPORT);
    assert_int_equal(colony__handshake_check(
                         ASK(UPGRADE "Connection\0upgrades,not-upgrade\0" KEY VERSION), NULL),
                     -EINVAL);
}

TEST(test_what_is_missing_or_wrong_is_told_as_what_it_is)
{
    struct colony__request old = *ASK(UPGRADE CONNECTION KEY VERSION);
    struct colony__request head = *ASK(UPGRADE CONNECTION KEY VERSION);

    old.is_http10 = true;
    head.method = METHOD_HEAD;
    assert_int_equal(colony__handshake_check(&old, NULL), -EINVAL);
    assert_int_equal(colony__handshake_check(&head, NULL), -EINVAL);
    assert_int_equal(colony__handshake_check(ASK(CONNECTION KEY VERSION), NULL), -EPROTONOSUPPORT);
    assert_int_equal(colony__handshake_check(ASK(UPGRADE CONNECTION KEY), NULL), -EPROTONOSUPPORT);
    assert_int_equal(colony__handshake_check(ASK(UPGRADE CONNECTION KEY "Sec-WebSocket-Version\0"
                                                                        "8\0"),
                                             NULL),
                     -EPROTONOSUPPORT);
    assert_int_equal(colony__handshake_check(ASK(UPGRADE KEY VERSION), NULL), -EINVAL);
    assert_int_equal(colony__handshake_check(ASK(UPGRADE CONNECTION VERSION), NULL), -EINVAL);
    assert_int_equal(colony__handshake_check(ASK(UPGRADE CONNECTION KEY KEY VERSION), NULL),
                     -EINVAL);
    assert_int_equal(
        colony__handshake_check(
            ASK(UPGRADE CONNECTION "Sec-WebSocket-Key\0dGhlIHNhbXBsZSBub25jZ===\0" VERSION), NULL),
        -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_key_of_the_rfc_is_answered_as_the_rfc_has_it),
        cmocka_unit_test(test_upgrade_and_connection_are_lists_in_any_number_of_headers),
        cmocka_unit_test(test_what_is_missing_or_wrong_is_told_as_what_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
