/* SPDX-License-Identifier: Apache-2.0 */
#include "readied.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/ready_internal.h"

/* A listener of its own on @address (v4 or v6); -1: the machine has no such address. */
static int bind_any(const char *address, uint16_t *port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
    bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
    struct sockaddr *name = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t size = is_v6 ? sizeof v6 : sizeof v4;
    const int yes = 1;
    int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(is_v6 || inet_pton(AF_INET, address, &v4.sin_addr) == 1);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, name, size) < 0) {
        (void)close(fd);
        return -1;
    }
    CHECK(getsockname(fd, name, &size) == 0);
    *port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
    return fd;
}

static void init(struct readied *readied, char *address, uint64_t try_ms)
{
    readied_init(readied,
                 (struct colony_ready_settings){
                     .kind = READY_TCP, .text = address, .interval_ms = 5, .try_ms = try_ms});
}

static void begin(struct readied *readied)
{
    CHECK(colony_ready_expect(readied->ready, NULL) == 0);
    CHECK(colony_ready_begin(readied->ready, getuid(), NULL, 0) == 0);
}

/* The port is bound, so that nobody else takes it, and listened to later. */
static void check_late_listener(const char *bound, const char *host)
{
    struct readied readied = {0};
    char address[64];
    char refused[160];
    uint16_t port = 0;
    int fd = bind_any(bound, &port);

    if (fd < 0)
        skip_in_child("needs an address of that kind");
    (void)snprintf(address, sizeof address, "%s:%u", host, port);
    init(&readied, address, DEADLINE_MS);
    begin(&readied);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 3);
    (void)snprintf(refused, sizeof refused, "cannot connect to %s: connection refused", address);
    CHECK(strcmp(readied.text, refused) == 0);
    CHECK(readied.count[READY_NEWS_READY] == 0);
    CHECK(listen(fd, 8) == 0);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_READY] == 1);
    turn_some(&readied);
    CHECK(readied.count[READY_NEWS_READY] == 1);
    CHECK(!uv_loop_alive(&readied.loop));
    readied_close(&readied);
    (void)close(fd);
}

FORKED_TEST(test_a_port_that_opens_later_is_readiness)
{
    check_late_listener("127.0.0.1", "127.0.0.1");
}

FORKED_TEST(test_a_port_of_ipv6_is_found)
{
    check_late_listener("::1", "[::1]");
}

FORKED_TEST(test_a_name_is_looked_up_and_all_its_addresses_are_tried)
{
    check_late_listener("127.0.0.1", "localhost");
}

FORKED_TEST(test_the_connection_is_closed_at_once)
{
    struct readied readied = {0};
    char address[64];
    char byte;
    uint16_t port = 0;
    int fd = bind_any("127.0.0.1", &port);
    int peer;

    CHECK(fd >= 0 && listen(fd, 8) == 0);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    init(&readied, address, DEADLINE_MS);
    begin(&readied);
    TURN_UNTIL(&readied, has_told(&readied, "R"));
    (void)uv_run(&readied.loop, UV_RUN_NOWAIT);
    peer = accept(fd, NULL, NULL);
    CHECK(peer >= 0);
    CHECK(read(peer, &byte, 1) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && accept(fd, NULL, NULL) < 0); /* just one */
    (void)close(peer);
    (void)close(fd);
    readied_close(&readied);
}

FORKED_TEST(test_a_name_that_nobody_knows_is_told)
{
    struct readied readied = {0};
    char address[] = "no-such-host.invalid:80";

    init(&readied, address, 200); /* a resolver without a net may take longer than that */
    begin(&readied);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 2);
    CHECK(strncmp(readied.text, "cannot look up no-such-host.invalid:80: ", 40) == 0);
    CHECK(readied.count[READY_NEWS_READY] == 0);
    readied_close(&readied);
}

/* Fills the queue of a listener that accepts nobody: a further connection waits. */
static int open_deaf(uint16_t *port, int fds[8])
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = bind_any("127.0.0.1", port);

    CHECK(fd >= 0 && listen(fd, 0) == 0);
    name.sin_port = htons(*port);
    for (int i = 0; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (const struct sockaddr *)&name, sizeof name);
    }
    return fd;
}

FORKED_TEST(test_a_port_that_does_not_answer_is_tried_again)
{
    struct readied readied = {0};
    uint16_t port = 0;
    char address[64];
    int fds[8];
    int fd = open_deaf(&port, fds);

    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    init(&readied, address, 30);
    begin(&readied);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 3);
    CHECK(strstr(readied.text, ": no answer within 30 ms"));
    CHECK(readied.count[READY_NEWS_READY] == 0);
    readied_close(&readied);
    (void)close(fd);
}

static void end(struct readied *readied)
{
    colony_ready_end(readied->ready);
}

static void begin_anew(struct readied *readied)
{
    colony_ready_end(readied->ready);
    begin(readied);
}

static void close_all(struct readied *readied)
{
    colony_ready_close(readied->ready, on_ready_closed, readied);
    readied->ready = NULL;
}

static void check_act(char *address, void (*act)(struct readied *readied), const char *told)
{
    struct readied readied = {.act = act};

    init(&readied, address, 100);
    begin(&readied);
    TURN_UNTIL(&readied, has_told(&readied, told));
    turn_some(&readied);
    CHECK(strncmp(readied.told, told, strlen(told)) == 0);
    CHECK(act == begin_anew || has_told(&readied, told));
    readied_close(&readied);
}

FORKED_TEST(test_one_may_end_close_or_begin_it_in_its_callback)
{
    char unknown[] = "no-such-host.invalid:80";
    char refused[64];
    uint16_t port = 0;
    int fd = bind_any("127.0.0.1", &port);

    (void)snprintf(refused, sizeof refused, "127.0.0.1:%u", port);
    check_act(refused, end, "X");
    check_act(refused, close_all, "X");
    check_act(refused, begin_anew, "XX");
    check_act(unknown, end, "X");
    check_act(unknown, close_all, "X");
    check_act(unknown, begin_anew, "XX");
    CHECK(listen(fd, 8) == 0);
    check_act(refused, end, "R");
    check_act(refused, close_all, "R");
    check_act(refused, begin_anew, "RR");
    (void)close(fd);
}

FORKED_TEST(test_it_may_end_and_begin_in_the_midst_of_a_try)
{
    struct readied readied = {0};
    uint16_t port = 0;
    char address[64];
    int fds[8];
    int fd = open_deaf(&port, fds);

    (void)snprintf(address, sizeof address, "localhost:%u", port);
    init(&readied, address, DEADLINE_MS);
    for (int turns = 0; turns < 10; turns++) {
        begin(&readied); /* over and over, at every step of a try */
        for (int i = 0; i < turns; i++)
            (void)uv_run(&readied.loop, UV_RUN_NOWAIT);
        if (turns % 2 == 0)
            colony_ready_end(readied.ready);
    }
    CHECK(has_told(&readied, ""));
    begin(&readied);
    for (int i = 0; i < 8; i++)
        (void)close(fds[i]);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    TURN_UNTIL(&readied, (accept(fd, NULL, NULL), has_told(&readied, "R")));
    readied_close(&readied);
}

/* A net where the kernel has just one port to give: the one that is connected to. */
FORKED_TEST(test_a_connection_to_itself_is_no_readiness)
{
    static const char range[] = "40000 40000";
    struct readied readied = {0};
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = geteuid() == 0 && unshare(CLONE_NEWNET) == 0
                 ? open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY | O_CLOEXEC)
                 : -1;
    int lo = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char address[] = "127.0.0.1:40000";

    if (fd < 0 || write(fd, range, sizeof range - 1) < 0 || ioctl(lo, SIOCSIFFLAGS, &request) < 0)
        skip_in_child("needs root, to make a net of one port");
    init(&readied, address, DEADLINE_MS);
    begin(&readied);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 1);
    CHECK(strstr(readied.text, "connection refused")); /* later the port is in use, by itself */
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 3);
    CHECK(readied.count[READY_NEWS_READY] == 0);
    readied_close(&readied);
}

TEST(test_an_address_is_a_host_and_a_port)
{
    static const struct {
        const char *text;
        const char *host;
        const char *port;
    } good[] = {
        {"127.0.0.1:80", "127.0.0.1", "80"},
        {"[::1]:65535", "::1", "65535"},
        {"db.example.org:1", "db.example.org", "1"},
        {"[fe80::1%lo]:9", "fe80::1%lo", "9"},
    };
    static const char *bad[] = {
        "",          ":",         "80",         ":80",   "host",
        "host:",     "host:0",    "host:65536", "h:-1",  "h:80x",
        "h: 80",     "::1:80",    "[]:80",      "[::1]", "[::1:80",
        "::1]:80",   "a/b:1",     "a@b:1",      "a b:1", "h:99999999999999999999999",
        "[::1]]:80", "[[::1]:80",
    };
    struct colony__ready_address address;
    char text[400];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(colony__ready_split_address(&address, good[i].text), 0);
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (colony__ready_split_address(&address, bad[i]) != -EINVAL)
            fail_msg("'%s' was taken for an address", bad[i]);
    memset(text, 'h', sizeof text);
    memcpy(text + 255, ":80", 4);
    assert_int_equal(colony__ready_split_address(&address, text), 0);
    memcpy(text + 255, "h:80", 5);
    assert_int_equal(colony__ready_split_address(&address, text), -EINVAL);
}

FORKED_TEST(test_an_address_that_cannot_be_is_refused)
{
    struct readied readied = {0};
    struct colony_ready_settings settings = {.kind = READY_TCP, .text = "nowhere"};

    CHECK(uv_loop_init(&readied.loop) == 0);
    CHECK(readied_try(&readied, settings, NULL) == -EINVAL);
    readied_close(&readied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_port_that_opens_later_is_readiness),
        cmocka_unit_test(test_a_port_of_ipv6_is_found),
        cmocka_unit_test(test_a_name_is_looked_up_and_all_its_addresses_are_tried),
        cmocka_unit_test(test_the_connection_is_closed_at_once),
        cmocka_unit_test(test_a_name_that_nobody_knows_is_told),
        cmocka_unit_test(test_a_port_that_does_not_answer_is_tried_again),
        cmocka_unit_test(test_one_may_end_close_or_begin_it_in_its_callback),
        cmocka_unit_test(test_it_may_end_and_begin_in_the_midst_of_a_try),
        cmocka_unit_test(test_a_connection_to_itself_is_no_readiness),
        cmocka_unit_test(test_an_address_is_a_host_and_a_port),
        cmocka_unit_test(test_an_address_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
