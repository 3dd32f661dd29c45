/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "core/address.h"
#include "core/error.h"

#include "../test.h"

static struct sockaddr_storage address_of(const char *text, unsigned short port)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&address, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&address, &v6, sizeof v6);
    return address;
}

TEST(test_texts_are_split)
{
    static const struct {
        const char *text;
        const char *host;
        const char *port;
    } cases[] = {
        {"127.0.0.1:5000", "127.0.0.1", "5000"}, {"localhost:0", "localhost", "0"},
        {"[::1]:65535", "::1", "65535"},         {"[fe80::1%eth0]:80", "fe80::1%eth0", "80"},
        {"5000", "127.0.0.1", "5000"},
    };
    struct colony_bind bind;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(colony_bind_parse(&bind, cases[i].text, NULL), 0);
        assert_false(bind.is_unix);
        assert_string_equal(bind.host, cases[i].host);
        assert_string_equal(bind.port, cases[i].port);
    }
    assert_int_equal(colony_bind_parse(&bind, "unix:/run/x.sock", NULL), 0);
    assert_true(bind.is_unix);
    assert_string_equal(bind.path, "/run/x.sock");
}

TEST(test_what_is_no_address_is_refused)
{
    static const char *const texts[] = {
        "",          ":",        ":5000",       "localhost", "localhost:", "localhost:65536",
        "a:b",       "::1",      "::1:5000",    "[::1]",     "[::1:5000",  "[]:5000",
        "unix:",     "unix:/x/", "http://a:80", "a:-1",      "a:123456",   "a b:80",
        "user@h:80",
    };
    struct colony_bind bind;
    struct colony_error err;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(colony_bind_parse(&bind, texts[i], &err), -EINVAL);
        assert_non_null(strstr(err.message, "cannot listen on"));
    }
}

TEST(test_loopback_is_told_from_the_rest)
{
    static const struct {
        const char *text;
        bool is_loopback;
    } cases[] = {
        {"127.0.0.1", true},        {"127.255.0.9", true},  {"::1", true},
        {"::ffff:127.0.0.1", true}, {"0.0.0.0", false},     {"::", false},
        {"128.0.0.1", false},       {"10.0.0.1", false},    {"::ffff:10.0.0.1", false},
        {"fe80::1", false},         {"::127.0.0.1", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage address = address_of(cases[i].text, 80);

        assert_int_equal(colony_address_is_loopback(&address), cases[i].is_loopback);
    }
}

TEST(test_addresses_are_written_as_they_are_read)
{
    struct sockaddr_storage v4 = address_of("127.0.0.1", 5000);
    struct sockaddr_storage v6 = address_of("::1", 5000);
    struct sockaddr_storage mapped = address_of("::ffff:10.1.2.3", 80);
    char text[COLONY_ADDRESS_TEXT_MAX];

    colony_address_format(&v4, text);
    assert_string_equal(text, "127.0.0.1:5000");
    colony_address_format(&v6, text);
    assert_string_equal(text, "[::1]:5000");
    colony_address_format(&mapped, text);
    assert_string_equal(text, "10.1.2.3:80");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_split),
        cmocka_unit_test(test_what_is_no_address_is_refused),
        cmocka_unit_test(test_loopback_is_told_from_the_rest),
        cmocka_unit_test(test_addresses_are_written_as_they_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
