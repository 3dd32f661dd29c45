/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a ROUTER of libzmq's on a thread of its own. */
#include "../test.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/zmq.h"
#include "rpc/client.h"

enum {
    PART_MAX = 4096,
    FOREVER_MS = 20000, /* before a test has failed */
};

/* What the server says to "METHOD", with the number of the question as `%s`. */
struct script {
    const char *method;
    const char *answers[3];
};

struct server {
    pthread_t thread;
    const struct colony_zmq *zmq;
    void *context;
    void *socket;
    char endpoint[128];
    unsigned lost; /* how often it went away and came back */
    char first_identity[64];
    char first_id[32];
    _Atomic bool was_same; /* the question that came again had the same two */
};

static const struct script scripts[] = {
    {"echo", {"{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":[1,\"two\",9007199254740993]}"}},
    {"nothing", {"{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":null}"}},
    {"silent", {NULL}},
    {"late",
     {"{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":\"somebody else's\"}",
      "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":\"mine\"}"}},
    {"fails",
     {"{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"no such\","
      "\"data\":{\"type\":\"AttributeError\"}}}"}},
    {"refuses",
     {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"m\"}}"}},
    {"positive", {"{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":7,\"message\":\"m\"}}"}},
    {"zero", {"{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":0,\"message\":\"m\"}}"}},
    {"odd_error", {"{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":\"boom\"}"}},
    {"junk", {"\x01\x02 no json"}},
    {"list", {"[]"}},
    {"empty", {""}},
    {"deep", {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}},
};

static size_t receive(struct server *server, char part[PART_MAX], bool *has_more)
{
    zmq_msg_t message;
    size_t size = 0;

    (void)server->zmq->zmq_msg_init(&message);
    part[0] = '\0';
    *has_more = false;
    if (server->zmq->zmq_msg_recv(&message, server->socket, 0) >= 0) {
        size = server->zmq->zmq_msg_size(&message);
        assert_true(size < PART_MAX);
        memcpy(part, server->zmq->zmq_msg_data(&message), size);
        part[size] = '\0';
        *has_more = server->zmq->zmq_msg_more(&message) != 0;
    }
    (void)server->zmq->zmq_msg_close(&message);
    return size;
}

static void open_socket(struct server *server, const char *endpoint)
{
    size_t size = sizeof server->endpoint;
    const int linger = 100;

    server->socket = server->zmq->zmq_socket(server->context, ZMQ_ROUTER);
    assert_non_null(server->socket);
    (void)server->zmq->zmq_setsockopt(server->socket, ZMQ_LINGER, &linger, sizeof linger);
    while (server->zmq->zmq_bind(server->socket, endpoint) < 0) /* until the old one is closed */
        assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(
        server->zmq->zmq_getsockopt(server->socket, ZMQ_LAST_ENDPOINT, server->endpoint, &size), 0);
}

static void answer(struct server *server, const char *identity, const char *format, const char *id)
{
    char text[PART_MAX];
    const char *place = strstr(format, "%s");

    if (place)
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(place - format), format, id, place + 2);
    else
        (void)snprintf(text, sizeof text, "%s", format);
    (void)server->zmq->zmq_send(server->socket, identity, strlen(identity), ZMQ_SNDMORE);
    (void)server->zmq->zmq_send(server->socket, text, strlen(text), 0);
}

/* Goes away with the first question, and answers when that comes again. */
static void lose(struct server *server, const char *identity, const char *id)
{
    char endpoint[sizeof server->endpoint];

    if (server->lost++ == 0) {
        (void)snprintf(server->first_identity, sizeof server->first_identity, "%.60s", identity);
        (void)snprintf(server->first_id, sizeof server->first_id, "%s", id);
        (void)snprintf(endpoint, sizeof endpoint, "%s", server->endpoint);
        (void)server->zmq->zmq_close(server->socket);
        open_socket(server, endpoint);
        return;
    }
    server->was_same =
        strcmp(server->first_identity, identity) == 0 && strcmp(server->first_id, id) == 0;
    answer(server, identity, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":\"again\"}", id);
}

static void *serve(void *data)
{
    struct server *server = data;
    char identity[PART_MAX];
    char body[PART_MAX];
    bool has_more;

    for (;;) {
        cJSON *question;
        const char *method;
        char id[32];

        (void)receive(server, identity, &has_more);
        if (!has_more)
            return NULL;
        (void)receive(server, body, &has_more);
        question = cJSON_Parse(body);
        method = cJSON_GetStringValue(cJSON_GetObjectItem(question, "method"));
        assert_non_null(method);
        (void)snprintf(id, sizeof id, "%d", cJSON_GetObjectItem(question, "id")->valueint);
        if (strcmp(method, "end") == 0) {
            answer(server, identity, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":0}", id);
            cJSON_Delete(question);
            return NULL;
        }
        if (strcmp(method, "lose") == 0)
            lose(server, identity, id);
        for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
            for (size_t j = 0; strcmp(scripts[i].method, method) == 0 && scripts[i].answers[j]; j++)
                answer(server, identity, scripts[i].answers[j], id);
        cJSON_Delete(question);
    }
}

static struct server *start_server(void)
{
    struct server *server = calloc(1, sizeof *server);

    assert_non_null(server);
    assert_int_equal(colony_zmq_get(&server->zmq, NULL), 0);
    server->context = server->zmq->zmq_ctx_new();
    open_socket(server, "tcp://127.0.0.1:*");
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return server;
}

static struct colony_rpc_client *connect_to(const struct server *server)
{
    const struct colony_rpc_target peer = {.place = server->endpoint + strlen("tcp://")};
    struct colony_rpc_client *client = NULL;

    assert_int_equal(colony_rpc_client_new(&client, &peer, NULL), 0);
    return client;
}

static int call(struct colony_rpc_client *client, const char *method, uint64_t timeout_ms,
                struct colony_rpc_answer *answer, struct colony_error *err)
{
    const struct colony_rpc_question question = {.method = method, .timeout_ms = timeout_ms};

    return colony_rpc_client_call(client, &question, answer, err);
}

static void stop_server(struct server *server)
{
    struct colony_rpc_client *client = connect_to(server);
    struct colony_rpc_answer answer;

    assert_int_equal(call(client, "end", FOREVER_MS, &answer, NULL), 0);
    colony_rpc_answer_clear(&answer);
    colony_rpc_client_free(client);
    (void)pthread_join(server->thread, NULL);
    (void)server->zmq->zmq_close(server->socket);
    (void)server->zmq->zmq_ctx_term(server->context);
    free(server);
}

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

TEST(test_an_answer_is_given_as_it_was_written)
{
    struct server *server = start_server();
    struct colony_rpc_client *client = connect_to(server);
    struct colony_rpc_answer answer;
    char *text;

    assert_int_equal(call(client, "echo", FOREVER_MS, &answer, NULL), 0);
    text = cJSON_PrintUnformatted(answer.result);
    assert_string_equal(text, "[1,\"two\",9007199254740993]");
    cJSON_free(text);
    colony_rpc_answer_clear(&answer);
    assert_int_equal(call(client, "nothing", FOREVER_MS, &answer, NULL), 0);
    assert_true(cJSON_IsNull(answer.result));
    colony_rpc_answer_clear(&answer);
    colony_rpc_client_free(client);
    stop_server(server);
}

TEST(test_an_error_has_its_code_type_and_message)
{
    static const struct {
        const char *method;
        int code;
        const char *type;
        const char *message;
    } cases[] = {
        {"fails", -32601, "AttributeError", "no such"},
        {"refuses", -32700, "", "m"},
        {"positive", 7, "", "m"},
        {"zero", -32603, "", "m"},
        {"odd_error", -32603, "", ""},
    };
    struct server *server = start_server();
    struct colony_rpc_client *client = connect_to(server);
    struct colony_rpc_answer answer;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(call(client, cases[i].method, FOREVER_MS, &answer, NULL), 0);
        assert_null(answer.result);
        assert_int_equal(answer.code, cases[i].code);
        assert_string_equal(answer.type, cases[i].type);
        assert_string_equal(answer.message, cases[i].message);
        colony_rpc_answer_clear(&answer);
    }
    colony_rpc_client_free(client);
    stop_server(server);
}

TEST(test_the_answer_of_another_question_is_passed_over)
{
    struct server *server = start_server();
    struct colony_rpc_client *client = connect_to(server);
    struct colony_rpc_answer answer;

    assert_int_equal(call(client, "late", FOREVER_MS, &answer, NULL), 0);
    assert_string_equal(cJSON_GetStringValue(answer.result), "mine");
    colony_rpc_answer_clear(&answer);
    colony_rpc_client_free(client);
    stop_server(server);
}

TEST(test_a_timeout_comes_in_time_and_the_next_question_is_answered)
{
    struct server *server = start_server();
    struct colony_rpc_client *client = connect_to(server);
    struct colony_rpc_answer answer;
    struct colony_error err = {0};
    double start = seconds();
    double took;

    assert_int_equal(call(client, "silent", 300, &answer, &err), -ETIMEDOUT);
    took = seconds() - start;
    assert_true(took >= 0.299 && took < 0.4);
    assert_non_null(strstr(err.message, "no answer in 0.3 seconds"));
    assert_int_equal(call(client, "echo", FOREVER_MS, &answer, NULL), 0);
    colony_rpc_answer_clear(&answer);
    colony_rpc_client_free(client);
    stop_server(server);
}

TEST(test_what_is_no_answer_is_an_error)
{
    static const char *const methods[] = {"junk", "list", "empty", "deep"};
    struct server *server = start_server();

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct colony_rpc_client *client = connect_to(server);
        struct colony_rpc_answer answer;
        struct colony_error err = {0};

        assert_int_equal(call(client, methods[i], FOREVER_MS, &answer, &err), -EPROTO);
        assert_non_null(strstr(err.message, "it is no JSON-RPC"));
        colony_rpc_client_free(client);
    }
    stop_server(server);
}

TEST(test_a_lost_question_is_asked_again_under_its_own_number)
{
    struct server *server = start_server();
    struct colony_rpc_client *client = connect_to(server);
    struct colony_rpc_answer answer;

    assert_int_equal(call(client, "echo", FOREVER_MS, &answer, NULL), 0);
    colony_rpc_answer_clear(&answer);
    assert_int_equal(call(client, "lose", FOREVER_MS, &answer, NULL), 0);
    assert_string_equal(cJSON_GetStringValue(answer.result), "again");
    assert_true(server->was_same);
    colony_rpc_answer_clear(&answer);
    colony_rpc_client_free(client);
    stop_server(server);
}

TEST(test_where_nothing_listens_it_is_told_at_once)
{
    struct server *server = start_server();
    char place[128];
    struct colony_rpc_client *client = NULL;
    struct colony_rpc_answer answer;
    struct colony_error err = {0};

    (void)snprintf(place, sizeof place, "%s", server->endpoint + strlen("tcp://"));
    stop_server(server);
    assert_int_equal(
        colony_rpc_client_new(&client, &(struct colony_rpc_target){.place = place}, NULL), 0);
    assert_int_equal(call(client, "echo", UINT64_MAX, &answer, &err), -ECONNREFUSED);
    assert_non_null(strstr(err.message, "nothing listens there"));
    colony_rpc_client_free(client);
}

TEST(test_what_is_no_place_is_refused)
{
    static const char *const places[] = {"", "nowhere", "localhost:", "localhost:x", "*:1:2:3"};
    struct colony_rpc_client *client = NULL;

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct colony_error err = {0};

        assert_int_equal(
            colony_rpc_client_new(&client, &(struct colony_rpc_target){.place = places[i]}, &err),
            -EINVAL);
        assert_non_null(strstr(err.message, "it must be HOST:PORT"));
    }
    assert_int_equal(colony_rpc_client_new(
                         &client,
                         &(struct colony_rpc_target){.place = "127.0.0.1:1", .server_key = "short"},
                         NULL),
                     -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_is_given_as_it_was_written),
        cmocka_unit_test(test_an_error_has_its_code_type_and_message),
        cmocka_unit_test(test_the_answer_of_another_question_is_passed_over),
        cmocka_unit_test(test_a_timeout_comes_in_time_and_the_next_question_is_answered),
        cmocka_unit_test(test_what_is_no_answer_is_an_error),
        cmocka_unit_test(test_a_lost_question_is_asked_again_under_its_own_number),
        cmocka_unit_test(test_where_nothing_listens_it_is_told_at_once),
        cmocka_unit_test(test_what_is_no_place_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
