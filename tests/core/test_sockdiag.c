/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/address.h"
#include "core/sockdiag.h"

#include "../test.h"

/* A real connection over loopback. */
struct fixture {
    int diag;
    int listener;
    int client;
    int accepted;
    struct sockaddr_storage peer; /* as the accepting side sees it */
    struct sockaddr_storage own;
};

static int listen_any(int family)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    int fd = socket(family, SOCK_STREAM, 0);
    int off = 0;
    int rc;

    if (fd < 0)
        return -1;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (family == AF_INET)
        rc = bind(fd, (struct sockaddr *)&v4, sizeof v4);
    else
        rc = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) ||
             bind(fd, (struct sockaddr *)&v6, sizeof v6);
    if (rc == 0 && listen(fd, 8) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Connects a socket of @client_family, by a mapped address if it must be. */
static int connect_to(int listener, int client_family, bool is_ipv4)
{
    struct sockaddr_storage bound;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof bound;
    int fd = socket(client_family, SOCK_STREAM, 0);

    assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &size), 0);
    memcpy(&v4.sin_port, (char *)&bound + 2, 2); /* at the same place in both */
    v6.sin6_port = v4.sin_port;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (is_ipv4) {
        memset(&v6.sin6_addr, 0, sizeof v6.sin6_addr);
        memset(&v6.sin6_addr.s6_addr[10], 0xff, 2);
        memcpy(&v6.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
    }
    if (client_family == AF_INET)
        assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof v4), 0);
    else
        assert_int_equal(connect(fd, (struct sockaddr *)&v6, sizeof v6), 0);
    return fd;
}

static bool fixture_init(struct fixture *f, int listener_family, int client_family, bool is_ipv4)
{
    socklen_t size = sizeof f->peer;

    memset(f, 0, sizeof *f);
    f->listener = listen_any(listener_family);
    if (f->listener < 0)
        return false;
    f->diag = colony_sockdiag_open();
    assert_true(f->diag >= 0);
    f->client = connect_to(f->listener, client_family, is_ipv4);
    f->accepted = accept(f->listener, (struct sockaddr *)&f->peer, &size);
    assert_true(f->accepted >= 0);
    size = sizeof f->own;
    assert_int_equal(getsockname(f->accepted, (struct sockaddr *)&f->own, &size), 0);
    return true;
}

static void fixture_clear(struct fixture *f)
{
    (void)close(f->accepted);
    (void)close(f->listener);
    (void)close(f->diag);
    if (f->client >= 0)
        (void)close(f->client);
}

static int ask(const struct fixture *f, uid_t *uid)
{
    return colony_sockdiag_uid(f->diag, &f->peer, &f->own, uid);
}

static void check_families(int listener_family, int client_family, bool is_ipv4)
{
    struct fixture f;
    uid_t uid = 12345;

    if (!fixture_init(&f, listener_family, client_family, is_ipv4)) {
        print_message("skipped: there is no IPv6 here\n");
        skip();
    }
    assert_int_equal(ask(&f, &uid), 0);
    assert_int_equal(uid, geteuid());
    fixture_clear(&f);
}

TEST(test_the_uid_of_an_ipv4_peer_is_found)
{
    check_families(AF_INET, AF_INET, true);
}

TEST(test_the_uid_of_an_ipv6_peer_is_found)
{
    check_families(AF_INET6, AF_INET6, false);
}

TEST(test_the_uid_of_an_ipv4_peer_of_an_ipv6_listener_is_found)
{
    check_families(AF_INET6, AF_INET, true);
}

TEST(test_the_uid_of_an_ipv6_socket_that_talks_ipv4_is_found)
{
    check_families(AF_INET, AF_INET6, true);
    check_families(AF_INET6, AF_INET6, true);
}

TEST(test_another_user_is_told_by_his_uid)
{
    int listener = listen_any(AF_INET);
    struct fixture f = {.diag = colony_sockdiag_open(), .client = -1, .listener = listener};
    socklen_t size = sizeof f.peer;
    int ready[2];
    uid_t uid = 0;
    pid_t child;

    if (geteuid() != 0) {
        print_message("skipped: needs root, to be another user\n");
        skip();
    }
    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char byte;

        (void)close(ready[1]);
        if (setuid(65534) < 0)
            _exit(1);
        (void)connect_to(listener, AF_INET, true);
        _exit(read(ready[0], &byte, 1) == 0 ? 0 : 1);
    }
    f.accepted = accept(listener, (struct sockaddr *)&f.peer, &size);
    size = sizeof f.own;
    assert_int_equal(getsockname(f.accepted, (struct sockaddr *)&f.own, &size), 0);
    assert_int_equal(ask(&f, &uid), 0);
    assert_int_equal(uid, 65534);
    (void)close(ready[0]);
    (void)close(ready[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    fixture_clear(&f);
}

TEST(test_a_socket_closed_after_sending_is_nobodys)
{
    struct fixture f;
    uid_t uid = 12345;

    assert_true(fixture_init(&f, AF_INET, AF_INET, true));
    assert_int_equal(write(f.client, "x", 1), 1);
    (void)close(f.client);
    f.client = -1;
    assert_true(ask(&f, &uid) < 0);
    assert_int_equal(uid, 12345);
    fixture_clear(&f);
}

TEST(test_a_socket_that_was_reset_is_nobodys)
{
    struct linger now = {.l_onoff = 1};
    struct fixture f;
    uid_t uid = 12345;

    assert_true(fixture_init(&f, AF_INET, AF_INET, true));
    assert_int_equal(setsockopt(f.client, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    (void)close(f.client);
    f.client = -1;
    assert_true(ask(&f, &uid) < 0);
    fixture_clear(&f);
}

TEST(test_whoever_listens_on_the_port_is_not_taken_for_the_peer)
{
    struct fixture f;
    struct sockaddr_storage listening;
    socklen_t size = sizeof listening;
    uid_t uid = 12345;

    assert_true(fixture_init(&f, AF_INET, AF_INET, true));
    assert_int_equal(getsockname(f.listener, (struct sockaddr *)&listening, &size), 0);
    /* A connection that does not exist, from the listener's port to the client's. */
    assert_int_equal(colony_sockdiag_uid(f.diag, &listening, &f.own, &uid), -ENOENT);
    assert_int_equal(uid, 12345);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_uid_of_an_ipv4_peer_is_found),
        cmocka_unit_test(test_the_uid_of_an_ipv6_peer_is_found),
        cmocka_unit_test(test_the_uid_of_an_ipv4_peer_of_an_ipv6_listener_is_found),
        cmocka_unit_test(test_the_uid_of_an_ipv6_socket_that_talks_ipv4_is_found),
        cmocka_unit_test(test_another_user_is_told_by_his_uid),
        cmocka_unit_test(test_a_socket_closed_after_sending_is_nobodys),
        cmocka_unit_test(test_a_socket_that_was_reset_is_nobodys),
        cmocka_unit_test(test_whoever_listens_on_the_port_is_not_taken_for_the_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
