/* SPDX-License-Identifier: Apache-2.0 */
/* The server on a loop, and clients of libzmq's beside it. */
#include "../test.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "core/zmq.h"
#include "rpc/curve.h"
#include "rpc/listen.h"
#include "rpc/server.h"
#include "served.h"

enum {
    TURNS_MAX = 5000, /* of 1 ms, before a test has failed */
};

struct fixture {
    uv_loop_t loop;
    struct served served;
    struct colony_rpc_server *server;
    struct colony_rpc_listening listening;
    struct colony_rpc_curve *curve;
    const struct colony_zmq *zmq;
    void *context;
    bool is_closed;
    char folder[64];
    char endpoint[128];
    char got[65536];
};

static void fixture_init(struct fixture *f, struct colony_rpc_curve *curve)
{
    struct colony_rpc_server_options options = {.object = &served_object, .curve = curve};
    const uid_t me = geteuid();
    struct colony_error err = {0};

    memset(f, 0, sizeof *f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/colony-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(uv_loop_init(&f->loop), 0);
    options.loop = &f->loop;
    options.data = &f->served;
    options.folder = f->folder;
    options.uids = &me;
    options.uid_count = 1;
    assert_int_equal(colony_zmq_get(&f->zmq, NULL), 0);
    f->context = f->zmq->zmq_ctx_new();
    if (colony_rpc_server_new(&f->server, &options, &err) < 0)
        fail_msg("%s", err.message);
    if (colony_rpc_listen(&f->listening, "127.0.0.1:0", false, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(colony_rpc_server_listen(f->server, f->listening.fd, NULL), 0);
    (void)snprintf(f->endpoint, sizeof f->endpoint, "tcp://%s", f->listening.address);
    assert_int_equal(rmdir(f->folder), 0); /* nothing is left of it in there */
}

static void on_closed(void *data)
{
    ((struct fixture *)data)->is_closed = true;
}

static void fixture_clear(struct fixture *f)
{
    colony_rpc_server_close(f->server, on_closed, f);
    assert_false(f->is_closed);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_true(f->is_closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(close(f->listening.fd), 0);
    assert_int_equal(f->zmq->zmq_ctx_term(f->context), 0);
}

static void *client(struct fixture *f, int type, const char *name)
{
    const int linger = 0;
    void *socket = f->zmq->zmq_socket(f->context, type);

    assert_non_null(socket);
    (void)f->zmq->zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    if (name)
        (void)f->zmq->zmq_setsockopt(socket, ZMQ_ROUTING_ID, name, strlen(name));
    return socket;
}

static void *connected(struct fixture *f, int type, const char *name)
{
    void *socket = client(f, type, name);

    assert_int_equal(f->zmq->zmq_connect(socket, f->endpoint), 0);
    return socket;
}

static void say(struct fixture *f, void *socket, const char *text)
{
    assert_int_equal(f->zmq->zmq_send(socket, text, strlen(text), 0), strlen(text));
}

/* Turns the loop until @socket has a message of one part; false: none came in @turns. */
static bool hears(struct fixture *f, void *socket, int turns)
{
    zmq_msg_t message;
    size_t size;

    for (int i = 0; i < turns; i++) {
        zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};

        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        if (f->zmq->zmq_poll(&item, 1, 1) > 0)
            break;
        if (i + 1 == turns)
            return false;
    }
    (void)f->zmq->zmq_msg_init(&message);
    assert_true(f->zmq->zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) >= 0);
    size = f->zmq->zmq_msg_size(&message);
    assert_true(size < sizeof f->got);
    memcpy(f->got, f->zmq->zmq_msg_data(&message), size);
    f->got[size] = '\0';
    (void)f->zmq->zmq_msg_close(&message);
    return true;
}

static const char *hear(struct fixture *f, void *socket)
{
    if (!hears(f, socket, TURNS_MAX))
        fail_msg("no answer came");
    return f->got;
}

TEST(test_req_and_dealer_are_answered_in_their_form)
{
    struct fixture f;
    void *req;
    void *dealer;

    fixture_init(&f, NULL);
    req = connected(&f, ZMQ_REQ, NULL);
    dealer = connected(&f, ZMQ_DEALER, NULL);
    say(&f, req, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}");
    assert_string_equal(hear(&f, req), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    say(&f, req, "{\"jsonrpc\":\"2.0\",\"method\":\"add\"}");
    assert_string_equal(hear(&f, req), "");
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}");
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":3}");
    assert_int_equal(f.zmq->zmq_send(dealer, "", 0, ZMQ_SNDMORE), 0);
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"add\"}");
    assert_string_equal(hear(&f, dealer), ""); /* the delimiter, as it came */
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":4}");
    (void)f.zmq->zmq_close(req);
    (void)f.zmq->zmq_close(dealer);
    fixture_clear(&f);
}

TEST(test_a_slow_method_holds_up_no_other)
{
    struct fixture f;
    void *dealer;

    fixture_init(&f, NULL);
    dealer = connected(&f, ZMQ_DEALER, NULL);
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}");
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"add\"}");
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}");
    colony_rpc_answer_text(f.served.later[0], "\"slow\"");
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"slow\"}");
    (void)f.zmq->zmq_close(dealer);
    fixture_clear(&f);
}

TEST(test_many_at_once_are_all_answered)
{
    enum { COUNT = 2000 };
    struct fixture f;
    void *dealer;
    char text[80];

    fixture_init(&f, NULL);
    dealer = connected(&f, ZMQ_DEALER, NULL);
    for (int sent = 0, heard = 0; heard < COUNT;) {
        for (; sent < COUNT && sent - heard < 500; sent++) {
            (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"add\"}",
                           sent);
            say(&f, dealer, text);
        }
        (void)hear(&f, dealer);
        heard++;
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%d}",
                       heard - 1, heard);
        assert_string_equal(f.got, text);
    }
    assert_int_equal(colony_rpc_server_counters(f.server)->requests, COUNT);
    (void)f.zmq->zmq_close(dealer);
    fixture_clear(&f);
}

TEST(test_who_connects_anew_under_its_name_is_answered_from_the_first_result)
{
    struct fixture f;
    void *dealer;

    fixture_init(&f, NULL);
    for (int i = 0; i < 3; i++) {
        dealer = connected(&f, ZMQ_DEALER, "me");
        say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}");
        assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
        (void)f.zmq->zmq_close(dealer);
    }
    assert_int_equal(f.served.calls, 1);
    fixture_clear(&f);
}

TEST(test_several_parts_are_told_and_do_no_harm)
{
    struct fixture f;
    void *dealer;

    fixture_init(&f, NULL);
    dealer = connected(&f, ZMQ_DEALER, NULL);
    for (int i = 0; i < 50; i++)
        assert_int_equal(f.zmq->zmq_send(dealer, "part", 4, ZMQ_SNDMORE), 4);
    say(&f, dealer, "last");
    assert_non_null(strstr(hear(&f, dealer), "\"code\":-32600,"));
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"add\"}");
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}");
    (void)f.zmq->zmq_close(dealer);
    fixture_clear(&f);
}

/* A connection whose other end speaks ZMTP by hand, which libzmq's would not do as badly. */
static int open_raw(struct fixture *f)
{
    static const char greeting[64] = {
        [0] = (char)0xff, [8] = 1, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
    static const char ready[] = "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06"
                                "DEALER";
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t heard = 0;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)f->listening.port);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL), sizeof greeting);
    assert_int_equal(send(fd, ready, sizeof ready - 1, MSG_NOSIGNAL), sizeof ready - 1);
    for (int i = 0; heard < sizeof greeting + 2 && i < TURNS_MAX; i++) { /* it is ready, too */
        char bytes[256];
        ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

        heard += count > 0 ? (size_t)count : 0;
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    assert_true(heard > sizeof greeting + 2);
    return fd;
}

TEST(test_a_message_without_end_ends_its_connection)
{
    enum { PART = 1 << 19, PARTS_MAX = 200 };
    static char part[9 + PART] = {3, 0, 0, 0, 0, 0, PART >> 16}; /* more parts follow; its size */
    struct fixture f;
    void *other;
    size_t sent = 0;
    int fd;

    fixture_init(&f, NULL);
    other = connected(&f, ZMQ_DEALER, NULL);
    say(&f, other, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}");
    (void)hear(&f, other);
    fd = open_raw(&f);
    for (int i = 0; i < TURNS_MAX && sent < sizeof part * PARTS_MAX; i++) {
        size_t at = sent % sizeof part;
        ssize_t count = send(fd, part + at, sizeof part - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (count < 0 && errno != EAGAIN)
            break;
        sent += count > 0 ? (size_t)count : 0;
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        if (count < 0)
            (void)usleep(1000);
    }
    assert_in_range(sent, 16 << 20, 32 << 20); /* it was let go on for as long as there was room */
    assert_int_equal(close(fd), 0);
    say(&f, other, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"add\"}");
    assert_string_equal(hear(&f, other), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}");
    (void)f.zmq->zmq_close(other);
    fixture_clear(&f);
}

TEST(test_a_client_that_never_reads_costs_so_much_and_no_more)
{
    enum { ASKED = 1500 };
    struct fixture f;
    struct colony_rpc_counters counters;
    void *other;
    char text[60000] = "";
    char question[sizeof text + 100];
    unsigned char head[9] = {2};
    size_t size;
    size_t sent = 0;
    int asked = 0;
    int fd;

    fixture_init(&f, NULL);
    memset(text, 'x', sizeof text - 1);
    size = (size_t)snprintf(question + 9, sizeof question - 9,
                            "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"echo\","
                            "\"params\":[\"%s\"]}",
                            text);
    head[7] = (unsigned char)(size >> 8);
    head[8] = (unsigned char)size;
    memcpy(question, head, sizeof head);
    fd = open_raw(&f);
    for (int i = 0; asked < ASKED && i < 2 * TURNS_MAX; i++) {
        ssize_t count = send(fd, question + sent, size + 9 - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        assert_true(count > 0 || errno == EAGAIN);
        sent += count > 0 ? (size_t)count : 0;
        if (sent == size + 9) {
            sent = 0;
            asked++;
        }
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        if (count < 0)
            (void)usleep(100);
    }
    assert_int_equal(asked, ASKED);
    counters = *colony_rpc_server_counters(f.server);
    assert_in_range(counters.dropped, ASKED / 2, ASKED);
    other = connected(&f, ZMQ_DEALER, NULL);
    say(&f, other, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"add\"}");
    assert_string_equal(hear(&f, other), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":1}");
    assert_int_equal(close(fd), 0);
    (void)f.zmq->zmq_close(other);
    fixture_clear(&f);
}

TEST(test_bytes_of_nobody_are_passed_over)
{
    struct fixture f;
    struct sockaddr_in address = {.sin_family = AF_INET};
    void *dealer;
    char junk[4096];
    int fd;

    fixture_init(&f, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)f.listening.port);
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)(i * 7919 >> 3);
    for (int i = 0; i < 20; i++) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_true(send(fd, junk + i, sizeof junk - 20, MSG_NOSIGNAL) > 0);
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        assert_int_equal(close(fd), 0);
    }
    dealer = connected(&f, ZMQ_DEALER, NULL);
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"add\"}");
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    (void)f.zmq->zmq_close(dealer);
    fixture_clear(&f);
}

TEST(test_the_last_answer_arrives_although_the_server_closes)
{
    struct fixture f;
    void *dealer;

    fixture_init(&f, NULL);
    dealer = connected(&f, ZMQ_DEALER, NULL);
    say(&f, dealer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}");
    for (int i = 0; f.served.later_count == 0 && i < TURNS_MAX; i++) {
        (void)uv_run(&f.loop, UV_RUN_NOWAIT);
        (void)usleep(1000);
    }
    colony_rpc_answer_text(f.served.later[0], "\"bye\"");
    colony_rpc_server_close(f.server, on_closed, &f);
    assert_string_equal(hear(&f, dealer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"bye\"}");
    assert_int_equal(uv_run(&f.loop, UV_RUN_DEFAULT), 0);
    assert_true(f.is_closed);
    assert_int_equal(uv_loop_close(&f.loop), 0);
    assert_int_equal(close(f.listening.fd), 0);
    (void)f.zmq->zmq_close(dealer);
    assert_int_equal(f.zmq->zmq_ctx_term(f.context), 0);
}

static void use_keys(struct fixture *f, void *socket, const struct colony_rpc_keys *own,
                     const char *server)
{
    (void)f->zmq->zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, COLONY_RPC_KEY_SIZE);
    (void)f->zmq->zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public, COLONY_RPC_KEY_SIZE);
    (void)f->zmq->zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret, COLONY_RPC_KEY_SIZE);
    assert_int_equal(f->zmq->zmq_connect(socket, f->endpoint), 0);
}

TEST(test_keys_open_what_their_scope_says)
{
    static struct colony_rpc_curve curve;
    struct colony_rpc_keys reader;
    struct colony_rpc_keys controller;
    struct colony_rpc_keys stranger;
    struct fixture f;
    char list[256];
    void *sockets[4];

    memset(&curve, 0, sizeof curve);
    assert_int_equal(colony_rpc_keygen(&curve.keys, NULL), 0);
    assert_int_equal(colony_rpc_keygen(&reader, NULL), 0);
    assert_int_equal(colony_rpc_keygen(&controller, NULL), 0);
    assert_int_equal(colony_rpc_keygen(&stranger, NULL), 0);
    (void)snprintf(list, sizeof list, "# who\nann read %s\nbob control %s\n", reader.public,
                   controller.public);
    assert_int_equal(colony_rpc_peers_parse(&curve, list, "list", NULL), 0);
    fixture_init(&f, &curve);
    for (size_t i = 0; i < 3; i++)
        sockets[i] = client(&f, ZMQ_DEALER, NULL);
    use_keys(&f, sockets[0], &reader, curve.keys.public);
    use_keys(&f, sockets[1], &controller, curve.keys.public);
    use_keys(&f, sockets[2], &stranger, curve.keys.public);
    sockets[3] = connected(&f, ZMQ_DEALER, NULL);
    for (size_t i = 0; i < 4; i++)
        say(&f, sockets[i], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stop\"}");
    assert_non_null(strstr(hear(&f, sockets[0]), "PermissionError"));
    assert_string_equal(hear(&f, sockets[1]), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
    assert_false(hears(&f, sockets[2], 100));
    assert_false(hears(&f, sockets[3], 100));
    assert_int_equal(f.served.calls, 1);
    for (size_t i = 0; i < 4; i++)
        (void)f.zmq->zmq_close(sockets[i]);
    fixture_clear(&f);
}

TEST(test_an_address_beyond_this_machine_takes_keys)
{
    struct colony_rpc_listening listening;
    struct colony_error err;

    assert_int_equal(colony_rpc_listen(&listening, "0.0.0.0:0", false, &err), -EACCES);
    assert_string_equal(err.message, "cannot serve RPC on 0.0.0.0: an address beyond this machine "
                                     "needs keys (`keys` and `allow`), or `insecure: true`");
    assert_int_equal(colony_rpc_listen(&listening, "0.0.0.0:0", true, &err), 0);
    assert_int_equal(close(listening.fd), 0);
    assert_int_equal(colony_rpc_listen(&listening, "tcp://127.0.0.1:", false, &err), 0);
    assert_in_range(listening.port, COLONY_RPC_PORT_FIRST, COLONY_RPC_PORT_LAST);
    assert_int_equal(close(listening.fd), 0);
    assert_int_equal(colony_rpc_listen(&listening, "[::1]", false, &err), 0);
    assert_memory_equal(listening.address, "[::1]:51", 8);
    assert_int_equal(close(listening.fd), 0);
    assert_int_equal(colony_rpc_listen(&listening, "here:there", false, &err), -EINVAL);
    assert_int_equal(colony_rpc_listen(&listening, "", false, &err), -EINVAL);
    assert_int_equal(colony_rpc_listen(&listening, "127.0.0.1:99999", false, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_req_and_dealer_are_answered_in_their_form),
        cmocka_unit_test(test_a_slow_method_holds_up_no_other),
        cmocka_unit_test(test_many_at_once_are_all_answered),
        cmocka_unit_test(test_who_connects_anew_under_its_name_is_answered_from_the_first_result),
        cmocka_unit_test(test_several_parts_are_told_and_do_no_harm),
        cmocka_unit_test(test_a_message_without_end_ends_its_connection),
        cmocka_unit_test(test_a_client_that_never_reads_costs_so_much_and_no_more),
        cmocka_unit_test(test_bytes_of_nobody_are_passed_over),
        cmocka_unit_test(test_the_last_answer_arrives_although_the_server_closes),
        cmocka_unit_test(test_keys_open_what_their_scope_says),
        cmocka_unit_test(test_an_address_beyond_this_machine_takes_keys),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
