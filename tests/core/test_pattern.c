/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <regex.h>

#include "core/error.h"
#include "core/pattern.h"

enum {
    LONG_LINE = 64 << 10,
    LONG_LINE_MS = 10000, /* what takes milliseconds, under sanitizers on a busy machine */
};

static bool matches(const char *text, const char *line, size_t size)
{
    struct colony_pattern *pattern = NULL;
    struct colony_error reason = {0};
    bool is_match;

    if (colony_pattern_new(&pattern, text, &reason) < 0)
        fail_msg("%s: %s", text, reason.message);
    is_match = colony_pattern_matches(pattern, line, size);
    assert_true(is_match == colony_pattern_matches(pattern, line, size)); /* it may be used again */
    colony_pattern_free(pattern);
    return is_match;
}

static bool libc_matches(const char *text, const char *line)
{
    regex_t regex;
    bool is_match;

    assert_int_equal(regcomp(&regex, text, REG_EXTENDED | REG_NOSUB), 0);
    is_match = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return is_match;
}

TEST(test_it_matches_what_libc_does)
{
    static const char *const patterns[] = {
        "",
        "ready",
        "^ready",
        "ready$",
        "^$",
        "a*b+c?",
        "(ab|cd)+e",
        "x(a|)y",
        "[0-9]{2,3}:",
        "^[^a-z ]+$",
        "[]a-]",
        "[^]]]",
        "[[:digit:]x]$",
        "[[:upper:]][^ ]",
        "a{0}b",
        "(a{2}){2}c",
        "a{,2}b",
        "ba{,}$",
        "a{2,}$",
        "\\<on\\>",
        "\\bo",
        "\\Bn\\b",
        "\\w+\\W\\w+",
        "\\s\\S$",
        "\\.\\*\\(",
        "a.c",
        "(a*)*b",
        "((a|b)*c){2}d",
        "a|b|",
        "()b",
        "a^b",
        "`|'",
        "\\`on|on\\'",
        "a)",
    };
    static const char *const lines[] = {
        "",      "ready", "is ready", "ready!", "aabbc", "ababcde", "xy",   "xay",
        "12:",   "1234:", "ABC",      "A b",    "]",     "-",       "5",    "b",
        "aaaac", "aaab",  "aa",       "is on",  "on it", "won",     "one_", "a.*(c",
        "abc",   "a\nc",  "aacbcd",   "a^b",    "a)",    "x1",      "\tz",  "\xc3\xa9",
    };

    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        for (size_t j = 0; j < sizeof lines / sizeof lines[0]; j++)
            if (matches(patterns[i], lines[j], strlen(lines[j])) !=
                libc_matches(patterns[i], lines[j]))
                fail_msg("`%s` and `%s`", patterns[i], lines[j]);
}

TEST(test_a_nul_is_a_byte_but_no_dot)
{
    assert_true(matches("b$", "a\0b", 3));
    assert_true(matches("[^x]b", "\0b", 2));
    assert_false(matches("a.b", "a\0b", 3));
}

TEST(test_what_is_no_pattern_is_refused_with_a_reason)
{
    static const struct {
        const char *text;
        const char *reason;
    } wrong[] = {
        {"a(b", "a `(` is not closed"},
        {"[a", "a `[` is not closed"},
        {"[[:digit]", "a class that is unknown"},
        {"[[.a.]]", "[. and [= are not known"},
        {"[z-a]", "ends before it begins"},
        {"a\\", "nothing follows the backslash"},
        {"\\d", "for a digit write [0-9]"},
        {"(a)\\1", "may follow a backslash"},
        {"*a", "nothing to repeat"},
        {"a|+", "nothing to repeat"},
        {"a{", "must be followed by"},
        {"a{x}", "must be followed by"},
        {"a{2,1}", "must be followed by"},
        {"a{256}", "must be followed by"},
        {"a{99999999999}", "must be followed by"},
        {"((a{99}){99}){99}", "longer than 1000"},
        {"(((a{1,99}){1,99}){1,99})", "longer than 1000"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct colony_pattern *pattern = NULL;
        struct colony_error reason = {0};

        assert_int_equal(colony_pattern_new(&pattern, wrong[i].text, &reason), -EINVAL);
        assert_null(pattern);
        if (!strstr(reason.message, wrong[i].reason))
            fail_msg("`%s`: %s", wrong[i].text, reason.message);
    }
}

TEST(test_groups_in_each_other_are_bounded)
{
    struct colony_pattern *pattern = NULL;
    char text[2048] = "";

    memset(text, '(', 1000);
    assert_int_equal(colony_pattern_new(&pattern, text, NULL), -EINVAL);
    memset(text, '+', 1000);
    text[0] = 'a';
    assert_int_equal(colony_pattern_new(&pattern, text, NULL), -EINVAL);
}

/* With regexec each of these takes minutes, gigabytes or both. */
TEST(test_no_line_takes_long)
{
    static const char *const patterns[] = {".*a(.{250}){3}x", "(a|aa){1,150}$", "(.?){1,100}x",
                                           "((a*)*b*)*x", "a+++++++++++++++++++++x"};
    static char line[LONG_LINE];
    unsigned random = 1;
    uint64_t began = clock_ms();

    for (size_t i = 0; i < sizeof line; i++) {
        random = random * 1103515245 + 12345;
        line[i] = "ab"[random >> 16 & 1];
    }
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        (void)matches(patterns[i], line, sizeof line);
    assert_true(clock_ms() - began < LONG_LINE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_matches_what_libc_does),
        cmocka_unit_test(test_a_nul_is_a_byte_but_no_dot),
        cmocka_unit_test(test_what_is_no_pattern_is_refused_with_a_reason),
        cmocka_unit_test(test_groups_in_each_other_are_bounded),
        cmocka_unit_test(test_no_line_takes_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
