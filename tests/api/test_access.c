/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/access_internal.h"
#include "api/request_internal.h"
#include "core/error.h"
#include "core/settings.h"

#include "../test.h"

static char *hosts[] = {(char[]){"panel.example"}, NULL};
static char *origins[] = {(char[]){"https://panel.example"}, (char[]){"null"}, NULL};
static char *binds[] = {(char[]){"box.lan:5000"}, (char[]){"none"}, NULL};

static struct colony__access *new_access(void)
{
    struct colony_http_settings settings = {.hosts = hosts, .cors_origins = origins, .bind = binds};
    struct colony__access *access = NULL;

    assert_int_equal(colony__access_new(&access, &settings, NULL), 0);
    return access;
}

/* Judges a request with these headers ("Host\0x\0…") on a TCP or a unix endpoint. */
static int check(const char *headers, size_t size, bool is_unix, const char **cors_origin)
{
    struct colony__access *access = new_access();
    struct colony__peer peer = {.is_unix = is_unix, .own = "127.0.0.2:5000"};
    struct colony__request request = {
        .method = METHOD_GET, .headers = headers, .headers_size = size};
    const char *unused;
    int rc = colony__access_check_request(access, &peer, &request,
                                          cors_origin ? cors_origin : &unused, NULL);

    if (is_unix)
        peer.own[0] = '\0';
    colony__access_free(access);
    return rc;
}

#define CHECK(text) check(text, sizeof text, false, NULL)
#define CHECK_UNIX(text) check(text, sizeof text, true, NULL)

TEST(test_known_hosts_are_served)
{
    assert_int_equal(CHECK("Host\0localhost"), 0);
    assert_int_equal(CHECK("host\0LocalHost:1"), 0);
    assert_int_equal(CHECK("Host\000127.0.0.1:5000"), 0);
    assert_int_equal(CHECK("Host\0[::1]:5000"), 0);
    assert_int_equal(CHECK("Host\000127.0.0.2:5000"), 0); /* that it came to */
    assert_int_equal(CHECK("Host\0panel.example"), 0);
    assert_int_equal(CHECK("Host\0box.lan"), 0);
}

TEST(test_foreign_hosts_are_refused)
{
    assert_int_equal(CHECK("Host\0evil.example"), -EACCES);
    assert_int_equal(CHECK("Host\0localhost.evil.example"), -EACCES);
    assert_int_equal(CHECK("Host\0evil.example:5000"), -EACCES);
    assert_int_equal(CHECK("Host\0localhos"), -EACCES);
    assert_int_equal(CHECK("Host\0localhost1"), -EACCES);
    assert_int_equal(CHECK("Host\000127.0.0.3"), -EACCES);
}

TEST(test_a_host_that_cannot_be_read_is_a_bad_request)
{
    assert_int_equal(CHECK("Host\0"), -EINVAL);
    assert_int_equal(CHECK("Host\0localhost:"), -EINVAL);
    assert_int_equal(CHECK("Host\0localhost:99999"), -EINVAL);
    assert_int_equal(CHECK("Host\0[::1"), -EINVAL);
    assert_int_equal(CHECK("Host\0[::1]x"), -EINVAL);
    assert_int_equal(CHECK("Accept\0x"), -EINVAL);
    assert_int_equal(CHECK("Host\0localhost\0Host\0localhost"), -EINVAL);
}

TEST(test_the_host_means_nothing_on_a_unix_socket)
{
    assert_int_equal(CHECK_UNIX("Host\0whatever"), 0);
    assert_int_equal(CHECK_UNIX("Accept\0x"), 0);
}

TEST(test_the_own_origin_is_served)
{
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0http://localhost:5000"), 0);
    assert_int_equal(CHECK("Host\0localhost\0Origin\0http://localhost:80"), 0);
    assert_int_equal(CHECK("Host\0[::1]:5000\0Origin\0http://[::1]:5000"), 0);
}

TEST(test_a_foreign_origin_is_refused)
{
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0http://localhost"), -EACCES);
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0https://localhost:5000"), -EACCES);
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0http://evil.example"), -EACCES);
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0http://localhost:5000/x"), -EACCES);
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0null"), -EACCES); /* though listed */
    assert_int_equal(CHECK("Host\0localhost:5000\0Origin\0"), -EACCES);
    assert_int_equal(CHECK_UNIX("Host\0evil.example\0Origin\0http://evil.example"), -EACCES);
    assert_int_equal(CHECK_UNIX("Accept\0x\0Origin\0http://"), -EACCES);
}

TEST(test_a_listed_origin_may_read_the_answer)
{
    static const char headers[] = "Host\0localhost\0Origin\0https://panel.example";
    const char *origin = NULL;

    assert_int_equal(check(headers, sizeof headers, false, &origin), 0);
    assert_string_equal(origin, "https://panel.example");
}

TEST(test_a_unix_peer_is_judged_by_its_uid)
{
    struct colony__access *access = new_access();
    struct colony__peer peer;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    colony__access_set_owner(access, geteuid());
    assert_int_equal(colony__access_check_peer(access, pair[0], RULE_PEER, &peer), 0);
    assert_true(peer.is_unix);
    assert_int_equal(peer.rights, ACCESS_READ | ACCESS_CONTROL);
    assert_non_null(strstr(peer.why, " over the unix socket"));
    colony__access_set_owner(access, geteuid() + 1);
    assert_int_equal(colony__access_check_peer(access, pair[0], RULE_PEER, &peer),
                     geteuid() == 0 ? 0 : -EACCES);
    (void)close(pair[0]);
    (void)close(pair[1]);
    colony__access_free(access);
}

TEST(test_an_unknown_user_in_allow_is_told)
{
    char *names[] = {(char[]){"no-such-user-here"}, NULL};
    struct colony_http_settings settings = {.allow = names};
    struct colony__access *access = NULL;
    struct colony_error err;

    assert_int_equal(colony__access_new(&access, &settings, &err), -EINVAL);
    assert_non_null(strstr(err.message, "no-such-user-here"));
    assert_null(access);
}

/* A connection over loopback TCP; its accepted end. */
static int accept_one(int *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    int accepted;

    assert_int_equal(bind(listening, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*client, (struct sockaddr *)&address, size), 0);
    accepted = accept(listening, NULL, NULL);
    assert_true(accepted >= 0);
    (void)close(listening);
    return accepted;
}

TEST(test_an_open_endpoint_asks_nobody_on_this_machine_who_he_is)
{
    struct colony__access *access = new_access();
    struct colony__peer peer;
    int client;
    int accepted = accept_one(&client);

    colony__access_set_owner(access, geteuid() + 1);
    assert_int_equal(colony__access_open(access, NULL), 0);
    assert_int_equal(colony__access_rule(access, accepted), RULE_NONE);
    assert_int_equal(colony__access_check_peer(access, accepted, RULE_NONE, &peer), 0);
    assert_int_equal(peer.rule, RULE_NONE);
    assert_int_equal(peer.rights, ACCESS_READ | ACCESS_CONTROL);
    assert_memory_equal(peer.why, "http from 127.0.0.1:", strlen("http from 127.0.0.1:"));
    (void)close(client);
    (void)close(accepted);
    colony__access_free(access);
}

TEST(test_an_open_endpoint_is_known_by_its_own_name)
{
    static const char headers[] = "Host\0events.example:5151";
    const struct colony__request request = {
        .method = METHOD_GET, .headers = headers, .headers_size = sizeof headers};
    const struct colony__peer peer = {.own = "127.0.0.2:5151"};
    struct colony__access *access = new_access();
    const char *origin;

    assert_int_equal(colony__access_check_request(access, &peer, &request, &origin, NULL), -EACCES);
    assert_int_equal(colony__access_open(access, "events.example"), 0);
    assert_int_equal(colony__access_check_request(access, &peer, &request, &origin, NULL), 0);
    colony__access_free(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_hosts_are_served),
        cmocka_unit_test(test_foreign_hosts_are_refused),
        cmocka_unit_test(test_a_host_that_cannot_be_read_is_a_bad_request),
        cmocka_unit_test(test_the_host_means_nothing_on_a_unix_socket),
        cmocka_unit_test(test_the_own_origin_is_served),
        cmocka_unit_test(test_a_foreign_origin_is_refused),
        cmocka_unit_test(test_a_listed_origin_may_read_the_answer),
        cmocka_unit_test(test_a_unix_peer_is_judged_by_its_uid),
        cmocka_unit_test(test_an_unknown_user_in_allow_is_told),
        cmocka_unit_test(test_an_open_endpoint_asks_nobody_on_this_machine_who_he_is),
        cmocka_unit_test(test_an_open_endpoint_is_known_by_its_own_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
