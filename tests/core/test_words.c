/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/words_internal.h"

/* Splits and joins again with `|` after each word. */
static void assert_split(enum colony__word_style style, const char *text, const char *expected)
{
    struct colony__words words = {0};
    struct colony_error reason;
    char joined[256] = "";

    assert_int_equal(colony__words_split(&words, text, style, &reason), 0);
    for (size_t i = 0; i < words.count; i++) {
        assert_true(strlen(joined) + strlen(words.items[i]) + 2 < sizeof joined);
        memcpy(joined + strlen(joined), words.items[i], strlen(words.items[i]) + 1);
        memcpy(joined + strlen(joined), "|", 2);
    }
    assert_null(words.items[words.count]);
    assert_string_equal(joined, expected);
    colony__words_free(words.items);
}

static void assert_split_fails(enum colony__word_style style, const char *text, const char *why)
{
    struct colony__words words = {0};
    struct colony_error reason;

    assert_int_equal(colony__words_split(&words, text, style, &reason), -EINVAL);
    assert_non_null(strstr(reason.message, why));
    colony__words_free(words.items);
}

TEST(test_both_styles_split_alike)
{
    for (enum colony__word_style style = WORDS_SHELL; style <= WORDS_SHLEX; style++) {
        assert_split(style, "", "");
        assert_split(style, "  \t\n ", "");
        assert_split(style, "a", "a|");
        assert_split(style, " a  b\tc\n", "a|b|c|");
        assert_split(style, "'a b' c", "a b|c|");
        assert_split(style, "\"a b\"c", "a bc|");
        assert_split(style, "'' \"\"", "||");
        assert_split(style, "a''b", "ab|");
        assert_split(style, "a\\ b", "a b|");
        assert_split(style, "\\'", "'|");
        assert_split(style, "'\\n'", "\\n|");
        assert_split(style, "\"\\n\"", "\\n|");
        assert_split(style, "\"\\\"\\\\\"", "\"\\|");
        assert_split(style, "$HOME *.c #x ;", "$HOME|*.c|#x|;|");
        assert_split(style, "caf\xc3\xa9 x", "caf\xc3\xa9|x|");
    }
}

/* Python 3: shlex.split('"\\$a"') == ['\\$a'], and the shell says $a. */
TEST(test_styles_differ_as_their_models_do)
{
    assert_split(WORDS_SHELL, "\"\\$a\\`\"", "$a`|");
    assert_split(WORDS_SHLEX, "\"\\$a\\`\"", "\\$a\\`|");
    assert_split(WORDS_SHELL, "a\\\nb", "ab|");
    assert_split(WORDS_SHLEX, "a\\\nb", "a\nb|");
    assert_split(WORDS_SHELL, "\"a\\\nb\"", "ab|");
    assert_split(WORDS_SHLEX, "\"a\\\nb\"", "a\\\nb|");
    assert_split(WORDS_SHELL, "a\rb", "a\rb|");
    assert_split(WORDS_SHLEX, "a\rb", "a|b|");
}

TEST(test_what_is_not_ended_is_refused)
{
    for (enum colony__word_style style = WORDS_SHELL; style <= WORDS_SHLEX; style++) {
        assert_split_fails(style, "'a", "quote");
        assert_split_fails(style, "a \"b", "quote");
        assert_split_fails(style, "\"a\\\"", "quote");
        assert_split_fails(style, "\"a\\", "quote");
        assert_split_fails(style, "a\\", "backslash");
        assert_split_fails(style, "\\", "backslash");
    }
}

static int expand(struct colony__words *out, const char *text, struct colony_error *reason)
{
    struct colony__words env = {0};
    static const char *const pairs[] = {"B=b", "A=a", "AB=ab", "EMPTY=", "Z=$A", "_x1=u", "A.=no"};
    int rc = 0;

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        rc |= colony__words_add(&env, pairs[i], strlen(pairs[i]), reason);
    assert_int_equal(rc, 0);
    colony__words_sort_env(&env);
    rc = colony__words_expand(out, text, &env, reason);
    colony__words_free(env.items);
    return rc;
}

static void assert_expands(const char *text, const char *expected)
{
    struct colony__words words = {0};
    struct colony_error reason;

    assert_int_equal(expand(&words, text, &reason), 0);
    assert_int_equal(words.count, 1);
    assert_string_equal(words.items[0], expected);
    colony__words_free(words.items);
}

static void assert_expand_fails(const char *text, const char *why)
{
    struct colony__words words = {0};
    struct colony_error reason;

    assert_int_equal(expand(&words, text, &reason), -EINVAL);
    assert_non_null(strstr(reason.message, why));
    colony__words_free(words.items);
}

TEST(test_variables_are_replaced)
{
    assert_expands("", "");
    assert_expands("plain", "plain");
    assert_expands("$A", "a");
    assert_expands("${A}B", "aB");
    assert_expands("x$AB.$B", "xab.b");
    assert_expands("[$EMPTY]", "[]");
    assert_expands("$_x1", "u");
    assert_expands("$Z", "$A"); /* once only */
    assert_expands("$$A $$$$", "$A $$");
    assert_expands("$ $5 ^a$", "$ $5 ^a$");
}

TEST(test_unknown_and_broken_variables_are_refused)
{
    assert_expand_fails("$NOPE", "$NOPE");
    assert_expand_fails("${NOPE}", "$NOPE");
    assert_expand_fails("$a", "$a");
    assert_expand_fails("${A", "`${`");
    assert_expand_fails("${}", "`${`");
    assert_expand_fails("${A-x}", "`${`");
    assert_expand_fails("${", "`${`");
}

TEST(test_words_have_limits)
{
    char *text = malloc(COLONY__WORD_BYTES_MAX + 2);
    struct colony__words words = {0};
    struct colony_error reason;
    int rc = 0;

    assert_non_null(text);
    memset(text, 'a', COLONY__WORD_BYTES_MAX + 1);
    text[COLONY__WORD_BYTES_MAX + 1] = '\0';
    assert_int_equal(colony__words_add(&words, text, COLONY__WORD_BYTES_MAX + 1, &reason), -EINVAL);
    assert_int_equal(colony__words_split(&words, text, WORDS_SHELL, &reason), -EINVAL);
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = colony__words_add(&words, text, COLONY__WORD_BYTES_MAX, &reason);
    assert_int_equal(rc, -EINVAL);
    assert_true(words.bytes <= COLONY__WORDS_BYTES_MAX);
    colony__words_free(words.items);
    free(text);
}

TEST(test_a_variable_cannot_blow_up_a_word)
{
    char *text = malloc(100003);
    struct colony__words env = {0};
    struct colony__words words = {0};
    struct colony_error reason;

    assert_non_null(text);
    memset(text, 'x', 100002);
    memcpy(text, "A=", 2);
    text[100002] = '\0';
    assert_int_equal(colony__words_add(&env, text, 100002, &reason), 0);
    assert_int_equal(colony__words_expand(&words, "$A", &env, &reason), 0);
    assert_int_equal(colony__words_expand(&words, "$A$A", &env, &reason), -EINVAL);
    colony__words_free(words.items);
    colony__words_free(env.items);
    free(text);
}

TEST(test_words_are_joined_by_spaces)
{
    char *items[] = {(char *)"echo", (char *)"", (char *)"a b", NULL};
    char *none[] = {NULL};
    char *joined = colony__words_join(items);

    assert_string_equal(joined, "echo  a b");
    free(joined);
    joined = colony__words_join(none);
    assert_string_equal(joined, "");
    free(joined);
}

TEST(test_of_variables_with_one_name_the_last_stays)
{
    const char *texts[] = {"B=1", "A=1", "B=2", "AB=1", "A=2", "C"};
    char *others[] = {(char *)"C=no matter", (char *)"AB", (char *)"D=4", NULL};
    struct colony__words env = {0};
    struct colony_error reason;

    assert_int_equal(colony__words_settle_env(&env), 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(colony__words_add(&env, texts[i], strlen(texts[i]), &reason), 0);
    assert_int_equal(colony__words_settle_env(&env), 0);
    assert_int_equal(env.count, 4);
    assert_int_equal(colony__words_remove_env(&env, others), 0);
    assert_int_equal(env.count, 2);
    assert_string_equal(env.items[0], "A=2");
    assert_string_equal(env.items[1], "B=2");
    assert_null(env.items[2]);
    colony__words_free(env.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_styles_split_alike),
        cmocka_unit_test(test_styles_differ_as_their_models_do),
        cmocka_unit_test(test_what_is_not_ended_is_refused),
        cmocka_unit_test(test_variables_are_replaced),
        cmocka_unit_test(test_unknown_and_broken_variables_are_refused),
        cmocka_unit_test(test_words_have_limits),
        cmocka_unit_test(test_a_variable_cannot_blow_up_a_word),
        cmocka_unit_test(test_words_are_joined_by_spaces),
        cmocka_unit_test(test_of_variables_with_one_name_the_last_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
