/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/parser_internal.h"

#include "../test.h"

enum {
    HEAD_MAX = 2048,
    BODY_MAX = 1024,
};

static enum colony__parse feed(struct colony__parser *parser, const char *text, size_t *used)
{
    size_t unused;

    return colony__parser_feed(parser, text, strlen(text), used ? used : &unused);
}

TEST(test_a_request_ends_where_the_next_begins)
{
    static const char first[] = "POST /a?b HTTP/1.1\r\nHost: x \t\r\nX-Empty:\r\nContent-Length: "
                                "3\r\n\r\nabc";
    static const char second[] = "GET /c HTTP/1.0\r\n\r\n";
    struct colony__parser parser;
    char both[256];
    size_t used;

    colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
    (void)snprintf(both, sizeof both, "%s%s", first, second);
    assert_int_equal(feed(&parser, both, &used), PARSE_DONE);
    assert_int_equal(used, sizeof first - 1);
    assert_int_equal(parser.request.method, METHOD_POST);
    assert_string_equal(colony__parser_target(&parser), "/a?b");
    assert_string_equal(colony__request_header(&parser.request, "host", NULL), "x");
    assert_string_equal(colony__request_header(&parser.request, "x-empty", NULL), "");
    assert_int_equal(parser.request.body_size, 3);
    assert_memory_equal(parser.request.body, "abc", 3);
    assert_true(parser.keeps_alive);
    colony__parser_next(&parser);
    assert_int_equal(feed(&parser, both + used, &used), PARSE_DONE);
    assert_int_equal(used, sizeof second - 1);
    assert_int_equal(parser.request.method, METHOD_GET);
    assert_true(parser.request.is_http10);
    assert_false(parser.keeps_alive);
    assert_int_equal(parser.request.body_size, 0);
    colony__parser_clear(&parser);
}

TEST(test_a_post_may_have_to_tell_its_length)
{
    static const struct {
        const char *text;
        int status; /* 0: it is taken */
    } cases[] = {
        {"POST / HTTP/1.1\r\n\r\n", 411},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
        {"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 0},
        {"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 0},
        {"GET / HTTP/1.1\r\n\r\n", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct colony__parser parser;
        enum colony__parse result;

        colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
        parser.needs_length = true;
        result = feed(&parser, cases[i].text, NULL);
        assert_int_equal(result, cases[i].status ? PARSE_FAILED : PARSE_DONE);
        assert_int_equal(parser.failure.status, cases[i].status);
        colony__parser_clear(&parser);
    }
}

TEST(test_a_request_may_be_cut_anywhere)
{
    static const char text[] = "PUT /path HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                               "chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: z\r\n\r\n";
    struct colony__parser parser;

    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        size_t used;

        colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
        assert_int_equal(colony__parser_feed(&parser, text, cut, &used), PARSE_MORE);
        assert_int_equal(feed(&parser, text + cut, &used), PARSE_DONE);
        assert_int_equal(used, sizeof text - 1 - cut);
        assert_string_equal(colony__parser_target(&parser), "/path");
        assert_string_equal(colony__request_header(&parser.request, "Host", NULL), "localhost");
        assert_null(colony__request_header(&parser.request, "Trailer", NULL));
        assert_int_equal(parser.request.body_size, 5);
        assert_memory_equal(parser.request.body, "abcde", 5);
        colony__parser_clear(&parser);
    }
}

static int failure_of(const char *text)
{
    struct colony__parser parser;
    int status;

    colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
    assert_int_equal(feed(&parser, text, NULL), PARSE_FAILED);
    status = parser.failure.status;
    assert_non_null(parser.failure.word);
    assert_non_null(parser.failure.reason);
    colony__parser_clear(&parser);
    return status;
}

TEST(test_what_is_not_http_fails)
{
    assert_int_equal(failure_of("\x16\x03\x01"), 400);
    assert_int_equal(failure_of("GET\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA b: c\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA : c\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\n: c\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA: b\r\n: c\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), 400);
    assert_int_equal(failure_of("POST / HTTP/1.1\r\nContent-Length: 1\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"),
                     400);
    assert_int_equal(failure_of("GET / HTTP/2.0\r\n\r\n"), 505);
    assert_int_equal(failure_of("GET / HTTP/0.9\r\n\r\n"), 505);
}

/* On a connection that a proxy shares out, each of these could hide a request in another. */
TEST(test_what_others_could_read_otherwise_fails)
{
    assert_int_equal(failure_of("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA: b\r\n\tContent-Length: 1\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA: b\nContent-Length: 1\n\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA: \r\r\nB: c\r\n\r\n"), 400);
    assert_int_equal(failure_of("\nGET / HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(failure_of("GET / HTTP/1.1\r\nA: b\rContent-Length: 1\r\n\r\n"), 400);
    assert_int_equal(failure_of("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
                     501);
    assert_int_equal(failure_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n"),
                     400);
    assert_int_equal(failure_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
}

TEST(test_lines_of_chunks_end_as_those_of_the_head)
{
    static const char *const bodies[] = {"0\rC\n\r\n", "0\n\r\n", "1\r\nab\n0\r\n\r\n", "-1\r\n",
                                         "0x1\r\n"};
    char text[128];

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        (void)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%s",
                       bodies[i]);
        assert_int_equal(failure_of(text), 400);
    }
}

TEST(test_a_chunk_that_goes_on_after_its_end_fails)
{
    static const char text[] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nabc\n0\r\n\r\n";
    struct colony__parser parser;

    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        enum colony__parse result;
        size_t used;

        colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
        result = colony__parser_feed(&parser, text, cut, &used);
        if (result == PARSE_MORE)
            result = feed(&parser, text + cut, NULL);
        assert_int_equal(result, PARSE_FAILED);
        assert_int_equal(parser.failure.status, 400);
        colony__parser_clear(&parser);
    }
}

TEST(test_a_body_may_begin_with_a_blank)
{
    struct colony__parser parser;

    colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
    assert_int_equal(feed(&parser, "\r\nPOST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n \n\t", NULL),
                     PARSE_DONE);
    assert_memory_equal(parser.request.body, " \n\t", 3);
    colony__parser_clear(&parser);
}

TEST(test_limits_are_kept)
{
    char text[3 * HEAD_MAX];
    struct colony__parser parser;

    (void)snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\n", HEAD_MAX, 1);
    assert_int_equal(failure_of(text), 431);
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nX: %0*d\r\n", HEAD_MAX, 1);
    assert_int_equal(failure_of(text), 431);
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nX: %*s", HEAD_MAX, "");
    assert_int_equal(failure_of(text), 431);
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 101; i++)
        strcat(text, "A: b\r\n");
    assert_int_equal(failure_of(text), 431);
    assert_int_equal(failure_of("POST / HTTP/1.1\r\nContent-Length: 1025\r\n\r\n"), 413);
    (void)snprintf(text, sizeof text,
                   "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n%0*d", 1025, 1);
    assert_int_equal(failure_of(text), 413);
    colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
    (void)snprintf(text, sizeof text, "POST / HTTP/1.1\r\nContent-Length: 1024\r\n\r\n%01024d", 1);
    assert_int_equal(feed(&parser, text, NULL), PARSE_DONE);
    colony__parser_clear(&parser);
}

TEST(test_continue_is_wanted_only_with_a_body)
{
    struct colony__parser parser;

    colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
    assert_int_equal(feed(&parser,
                          "POST / HTTP/1.1\r\nExpect: 100-continue\r\n"
                          "Content-Length: 1\r\n\r\n",
                          NULL),
                     PARSE_MORE);
    assert_true(parser.wants_continue);
    colony__parser_next(&parser);
    assert_int_equal(feed(&parser, "POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", NULL),
                     PARSE_DONE);
    assert_false(parser.wants_continue);
    colony__parser_clear(&parser);
}

TEST(test_an_upgrade_is_ignored)
{
    struct colony__parser parser;

    colony__parser_init(&parser, HEAD_MAX, BODY_MAX);
    assert_int_equal(
        feed(&parser, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", NULL),
        PARSE_DONE);
    assert_true(parser.keeps_alive);
    colony__parser_clear(&parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_ends_where_the_next_begins),
        cmocka_unit_test(test_a_post_may_have_to_tell_its_length),
        cmocka_unit_test(test_a_request_may_be_cut_anywhere),
        cmocka_unit_test(test_what_is_not_http_fails),
        cmocka_unit_test(test_what_others_could_read_otherwise_fails),
        cmocka_unit_test(test_lines_of_chunks_end_as_those_of_the_head),
        cmocka_unit_test(test_a_chunk_that_goes_on_after_its_end_fails),
        cmocka_unit_test(test_a_body_may_begin_with_a_blank),
        cmocka_unit_test(test_limits_are_kept),
        cmocka_unit_test(test_continue_is_wanted_only_with_a_body),
        cmocka_unit_test(test_an_upgrade_is_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
