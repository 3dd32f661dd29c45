/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/access_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"

#include "../test.h"

#define READER "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"
#define WRITER "AZaz09-._~+/=wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"

static struct colony__tokens *parse(const char *text)
{
    struct colony__tokens *tokens = NULL;

    assert_int_equal(colony__tokens_parse(&tokens, text, "f", NULL), 0);
    return tokens;
}

/* Refused with @expected, in which nothing of a token is. */
static void refused(const char *text, const char *expected)
{
    struct colony__tokens *tokens = NULL;
    struct colony_error err = {0};

    assert_int_equal(colony__tokens_parse(&tokens, text, "f", &err), -EINVAL);
    assert_string_equal(err.message, expected);
    assert_null(tokens);
}

TEST(test_each_token_has_its_scope_and_name)
{
    struct colony__tokens *tokens = parse("# who may\n\nmonitor read " READER "\r\n"
                                          "\t deploy\tcontrol   " WRITER);
    const char *name = NULL;

    assert_int_equal(colony__tokens_find(tokens, READER, &name), ACCESS_READ);
    assert_string_equal(name, "monitor");
    assert_int_equal(colony__tokens_find(tokens, WRITER, &name), ACCESS_READ | ACCESS_CONTROL);
    assert_string_equal(name, "deploy");
    colony__tokens_free(tokens);
}

TEST(test_what_is_almost_a_token_has_no_rights)
{
    struct colony__tokens *tokens = parse("monitor read " READER "\n");
    char text[COLONY__TOKEN_BYTES_MAX + 8];
    const char *name;

    for (size_t i = 0; i < strlen(READER); i++) {
        (void)snprintf(text, sizeof text, "%s", READER);
        text[i] ^= 1;
        assert_int_equal(colony__tokens_find(tokens, text, &name), 0);
        assert_null(name);
    }
    assert_int_equal(colony__tokens_find(tokens, "", &name), 0);
    assert_int_equal(colony__tokens_find(tokens, READER "r", &name), 0);
    (void)snprintf(text, sizeof text, "%.*s", (int)strlen(READER) - 1, READER);
    assert_int_equal(colony__tokens_find(tokens, text, &name), 0);
    memset(text, 'r', sizeof text);
    text[COLONY__TOKEN_BYTES_MAX + 1] = '\0';
    assert_int_equal(colony__tokens_find(tokens, text, &name), 0);
    colony__tokens_free(tokens);
}

TEST(test_the_longest_token_and_most_of_them)
{
    size_t room = (size_t)COLONY__TOKENS_MAX * 64 + 256;
    char *text = calloc(1, room);
    char longest[COLONY__TOKEN_BYTES_MAX + 1];
    struct colony__tokens *tokens;
    const char *name;
    size_t used;

    assert_non_null(text);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    used = (size_t)snprintf(text, room, "last control %s\n", longest);
    for (int i = 1; i < COLONY__TOKENS_MAX; i++)
        used += (size_t)snprintf(text + used, room - used, "t%d read %032d\n", i, i);
    tokens = parse(text);
    assert_int_equal(colony__tokens_find(tokens, longest, &name), ACCESS_READ | ACCESS_CONTROL);
    assert_int_equal(colony__tokens_find(tokens, "00000000000000000000000000000255", &name),
                     ACCESS_READ);
    assert_string_equal(name, "t255");
    colony__tokens_free(tokens);
    (void)snprintf(text + used, room - used, "more read %s\n", READER);
    refused(text, "f:257: cannot use this line: there are more than 256 tokens");
    free(text);
}

TEST(test_a_bad_line_is_told_without_its_token)
{
    refused("", "cannot use f: there is no token in it");
    refused("# nothing\n", "cannot use f: there is no token in it");
    refused("x read short",
            "f:1: cannot use this line: the token is shorter than 32 bytes (`openssl rand -hex 32` "
            "makes one)");
    refused("\nx write " READER,
            "f:2: cannot use this line: a line is NAME, then `read` or `control`, then the token");
    refused(READER,
            "f:1: cannot use this line: a line is NAME, then `read` or `control`, then the token");
    refused("x read " READER " y",
            "f:1: cannot use this line: a line is NAME, then `read` or `control`, then the token");
    refused("x read " READER "\"",
            "f:1: cannot use this line: a token has letters, digits and -._~+/= only");
    refused("x read " READER "\nx read " WRITER,
            "f:2: cannot use this line: its name is taken already");
    refused("x read " READER "\ny control " READER,
            "f:2: cannot use this line: its token is given already");
    refused("a\x7f read " READER,
            "f:1: cannot use this line: the name may have printable ASCII only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_token_has_its_scope_and_name),
        cmocka_unit_test(test_what_is_almost_a_token_has_no_rights),
        cmocka_unit_test(test_the_longest_token_and_most_of_them),
        cmocka_unit_test(test_a_bad_line_is_told_without_its_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
