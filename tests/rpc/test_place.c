/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "rpc/place.h"

TEST(test_a_daemon_is_said_in_five_ways)
{
    static const struct {
        const char *text;
        const char *name;
        const char *host;
        unsigned port;
    } cases[] = {
        {"MessageDaemon", "MessageDaemon", "", 0},
        {"MessageDaemon:51007", "MessageDaemon", "", 51007},
        {"MessageDaemon:web1", "MessageDaemon", "web1", 0},
        {"MessageDaemon:web1:51007", "MessageDaemon", "web1", 51007},
        {"MessageDaemon:me@web1", "MessageDaemon", "me@web1", 0},
        {"MessageDaemon:[fe80::1]", "MessageDaemon", "[fe80::1]", 0},
        {"MessageDaemon:[::1]:51007", "MessageDaemon", "[::1]", 51007},
        {"MessageDaemon:10.0.0.1", "MessageDaemon", "10.0.0.1", 0},
        {"web1.example:51007", "web1.example", "", 51007}, /* the registry tells that it is none */
        {"[::1]:51007", "", "[::1]", 51007},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct colony_rpc_place place = {.name = "old", .port = 1};

        assert_int_equal(colony_rpc_place_parse(&place, cases[i].text, NULL), 0);
        assert_string_equal(place.name, cases[i].name);
        assert_string_equal(place.host, cases[i].host);
        assert_int_equal(place.port, cases[i].port);
    }
}

TEST(test_what_says_nothing_is_refused_and_changes_nothing)
{
    static const char *const texts[] = {
        "",       ":",      ":51007",    "a:",      "a:0",   "a:65536",        "a:999999999",
        "a:h:",   "a:h:x",  "a:h:0",     "a:h:1:2", "a::1",  "a:-oProxy",      "a:h h",
        "a:-o:1", "a/b",    "../a",      "a\nb",    "[::1]", "[::1]:",         "[::1]:x",
        "[::1",   "a:[::1", "[::1]:h:1", "123",     "a:h/x", "a:\xc3\x28\x7f",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct colony_rpc_place place = {.name = "old"};
        struct colony_error err = {0};

        assert_int_equal(colony_rpc_place_parse(&place, texts[i], &err), -EINVAL);
        assert_true(err.message[0] != '\0');
        assert_string_equal(place.name, "old");
    }
}

TEST(test_a_place_for_a_client_has_no_user)
{
    char text[64];

    assert_int_equal(colony_rpc_place_format(text, sizeof text, "me@web1", 51007), 0);
    assert_string_equal(text, "web1:51007");
    assert_int_equal(colony_rpc_place_format(text, sizeof text, "[::1]", 51007), 0);
    assert_string_equal(text, "[::1]:51007");
    assert_int_equal(colony_rpc_place_format(text, 8, "web1", 51007), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_daemon_is_said_in_five_ways),
        cmocka_unit_test(test_what_says_nothing_is_refused_and_changes_nothing),
        cmocka_unit_test(test_a_place_for_a_client_has_no_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
