/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>

#include "core/error.h"
#include "session/condition_internal.h"
#include "session/fingerprint_internal.h"

enum {
    BOMB_MS = 10000, /* what takes milliseconds, under sanitizers on a busy machine */
};

static const char fp_text[] = "cmdline: [/opt/tws, username=me, 'caf\xc3\xa9']\n"
                              "files: [/var/log/tws.log, /opt/tws.jar]\n"
                              "listen: ['0.0.0.0:7496', '::1:7497']\n";

static struct colony_fingerprint fp;

static int set_up(void **state)
{
    (void)state;
    return colony__fingerprint_parse(&fp, fp_text, strlen(fp_text), "fp", NULL);
}

static int tear_down(void **state)
{
    (void)state;
    colony_fingerprint_clear(&fp);
    return 0;
}

static const struct colony_subject living = {
    .fp = &fp,
    .state = "operative",
    .pid = 42,
    .alive = true,
    .uptime_seconds = 61.5,
    .cpu_percent = 12.5,
    .mem_bytes = 1 << 20,
};
static const struct colony_subject dead = {.state = "stopped"};

static int evaluate(const char *text, const struct colony_subject *subject,
                    struct colony_error *err)
{
    struct colony_condition_tree *tree = NULL;
    int rc = colony_condition_parse(&tree, text, err);

    if (rc < 0)
        return rc;
    rc = colony_condition_evaluate(tree, subject, err);
    colony_condition_free(tree);
    return rc;
}

static void assert_is(const char *text, const struct colony_subject *subject, int expected)
{
    struct colony_error err = {0};
    int rc = evaluate(text, subject, &err);

    if (rc != expected)
        fail_msg("%s is %d, not %d: %s", text, rc, expected, err.message);
}

TEST(test_the_condition_of_the_seed)
{
    assert_is("len(fp['listen'])>0", &living, 1);
    assert_is("len(fp['listen'])>0", &dead, 0);
    assert_is("len(fp[\"established\"]) > 0", &living, 0);
}

TEST(test_what_is_true)
{
    static const char *const texts[] = {
        "state == 'operative'",
        "alive and pid == 42 and not pid == 43",
        "uptime > 60 and uptime <= 61.5",
        "cpu >= 12.5 and mem == 1048576 and mem / 1024 == 1024",
        "1 < 2 < 3 and not 1 < 3 < 2",
        "1 + 2 * 3 == 7 and (1 + 2) * 3 == 9",
        "7 // 2 == 3 and -7 // 2 == -4 and 7 % 3 == 1 and -7 % 3 == 2 and 7 % -3 == -2",
        "1 / 2 == .5 and 1e3 == 1000 and --1 == 1 and +1 == 1",
        "2 - 1 - 1 == 0 and 8 / 2 / 2 == 2",
        "True and not False and True == 1 and None == None",
        "'tws' in fp['cmdline'][0] and '/opt/tws' in fp['cmdline']",
        "'nothing' not in fp['cmdline'] and not 'x' in state",
        "'listen' in fp and 'nothing' not in fp and 3 not in fp",
        "fp['cmdline'][-1] == 'caf\xc3\xa9' and len(fp['cmdline'][2]) == 4",
        "fp['listen'] == ['0.0.0.0:7496', '::1:7497']",
        "fp['listen'] != ['0.0.0.0:7496'] and [] == [] and [1, [2]] == [1, [2]]",
        "state in ['starting', 'operative']",
        "fp['listen'] matches ':7496$' and state matches '^op' and state matches r'^\\w+$'",
        "not fp['listen'] matches ':80$'",
        "any(fp['listen']) and not any([]) and all([]) and all([1, 'a']) and not all([1, 0])",
        "any(x matches ':7496$' for x in fp['listen'])",
        "all(':' in x for x in fp['listen'])",
        "any(x == 'a' for x in ['b', 'a'] if x != 'b')",
        "not any(x == 'b' for x in ['b', 'a'] if x != 'b')",
        "any(any(x < y for y in [2]) for x in [3, 1])",
        "all(any(x == y for y in [x]) for x in [1, 2])",
        "fp['listen'] and fp['listen'][0]",
        "len(fp) == 5 and len('abc') == 3 and len([1, 2]) == 2",
        "'a' < 'b' and 'B' < 'a'",
        "'\\x41\\t\\'' == \"A\t'\" and r'\\x41' != 'A' and '\\d' == r'\\d'",
        "3 == '3' or 3 != '3'",
        "(((((1)))))",
        "  pid\t==\n42 ",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_is(texts[i], &living, 1);
}

TEST(test_what_is_not_there_is_none)
{
    assert_is("fp['listen'][2] == None", &living, 1);
    assert_is("fp['listen'][7] < 3 or fp['listen'][7] > 3", &living, 0);
    assert_is("fp['listen'][0] matches 'x' or 'x' in fp['listen'][0]", &dead, 0);
    assert_is("fp['established'][0][1] + 1", &living, 0);
    assert_is("any(x for x in fp['established'][0])", &living, 0);
}

TEST(test_a_dead_process_has_nothing)
{
    assert_is("not alive and pid == 0 and state == 'stopped' and uptime == 0", &dead, 1);
    assert_is("len(fp['listen']) == 0", &dead, 1);
}

TEST(test_what_decides_is_the_value_as_in_python)
{
    assert_is("(0 or 'a') == 'a' and (1 and 'b') == 'b' and ('' or 0) == 0", &living, 1);
    assert_is("False and fp[1]", &living, 0); /* not looked at */
}

TEST(test_mistakes_are_told_with_their_column)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "column 1: cannot end here: a value is missing"},
        {"len(fp['listen'])>", "column 19: cannot end here: a value is missing"},
        {"len(fp['listen']>0", "column 19: cannot end here: a `)` is missing"},
        {"fp['listne']", "column 4: cannot find 'listne' in fp"},
        {"fp['listne']", "did you mean 'listen'?"},
        {"stat == 'x'", "column 1: cannot use `stat`: there are fp, state"},
        {"stat == 'x'", "did you mean `state`?"},
        {"state == operative", "put '' around a text"},
        {"state = 'x'", "column 7: cannot use `=`: write `==` to compare"},
        {"alive && pid", "column 7: cannot use `&&`: write `and`"},
        {"alive || pid", "write `or`"},
        {"!alive", "column 1: cannot use `!`: write `not`"},
        {"fp.listen", "column 3: cannot use `.`: a part of the fingerprint is fp['listen']"},
        {"state == 'x", "column 10: cannot find the end of this text: ' is missing"},
        {"pid == 4x", "column 8: cannot read this number"},
        {"pid 42", "column 5: cannot use `42` here: an operator is missing before it"},
        {"'\xc3\xa9' == $", "column 8: cannot use `$`"},
        {"state matches '('", "column 15: cannot use this regular expression: "},
        {"state matches state", "column 15: cannot use this: behind `matches` comes a text"},
        {"any(x for x fp)", "column 13: cannot use `fp` here: write `for NAME in LIST`"},
        {"any(x for in fp)", "column 11: cannot use `in` here: a `for` takes a name"},
        {"x for x in fp", "column 1: cannot use `x`"},
        {"not", "column 4: cannot end here"},
        {"pid not 3", "column 9: cannot use `3` here: between two values it is `not in`"},
        {"[1, 2", "column 6: cannot end here: a `,` or a `]` is missing"},
        {"\xff", "column 1: cannot read this: it is not UTF-8"},
        /* when it is looked at */
        {"state + 1 == 2", "column 7: cannot calculate with a text and a number"},
        {"state < 3", "column 7: cannot compare a text with a number"},
        {"1 / 0", "column 3: cannot divide by zero"},
        {"1 // (2 - 2)", "column 3: cannot divide by zero"},
        {"len(3)", "column 1: cannot take the length of a number"},
        {"3 in 3", "column 3: cannot look into a number: it is no list"},
        {"3 in state", "column 3: cannot look for a number in a text"},
        {"pid matches 'x'", "column 5: cannot match a number"},
        {"fp[0]", "column 3: cannot take the item a number of fp"},
        {"fp['listen'][0.5]", "column 14: cannot use this as an index"},
        {"any(3)", "column 5: cannot look into a number"},
        {"-state", "column 1: cannot calculate with a text"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct colony_error err = {0};
        int rc = evaluate(cases[i].text, &living, &err);

        if (rc != -EINVAL || !strstr(err.message, cases[i].message))
            fail_msg("%s: %d, %s", cases[i].text, rc, err.message);
    }
}

TEST(test_it_says_what_it_wants)
{
    static const struct {
        const char *text;
        unsigned wants;
    } cases[] = {
        {"len(fp['listen'])", SUBJECT_FP},
        {"state == 'x'", SUBJECT_STATE},
        {"cpu > 1 or mem", SUBJECT_STATS},
        {"alive", SUBJECT_LIFE},
        {"pid", SUBJECT_LIFE},
        {"uptime > 3", 0},
        {"fp and state", SUBJECT_FP | SUBJECT_STATE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct colony_condition_tree *tree = NULL;

        assert_int_equal(colony_condition_parse(&tree, cases[i].text, NULL), 0);
        assert_int_equal(colony_condition_wants(tree), cases[i].wants);
        colony_condition_free(tree);
    }
}

/* @count times @text, then @end. */
static char *repeat(const char *text, size_t count, const char *end)
{
    char *out = malloc(strlen(text) * count + strlen(end) + 1);

    assert_non_null(out);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * strlen(text), text, strlen(text));
    memcpy(out + count * strlen(text), end, strlen(end) + 1);
    return out;
}

TEST(test_bombs_are_refused)
{
    static const struct {
        const char *text;
        size_t count;
        const char *end;
        const char *message;
    } cases[] = {
        {"(", 1000, "1", "it is nested too deeply"},
        {"[", 1000, "1", "it is nested too deeply"},
        {"not ", 1000, "1", "it is nested too deeply"},
        {"-", 1000, "1", "it is nested too deeply"},
        {"len(", 1000, "1", "it is nested too deeply"},
        {"fp[", 1000, "1", "it is nested too deeply"},
        {"any(x for x in ", 200, "fp", "nested too deeply"},
        {"1+", 1000, "1", "it has more than 1000 parts"},
        {"1,", 2000, "1", "column 2: "},
        {"1 ", 3000, "1", "it has more than 4096 bytes"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeat(cases[i].text, cases[i].count, cases[i].end);
        struct colony_error err = {0};

        assert_int_equal(evaluate(text, &living, &err), -EINVAL);
        if (!strstr(err.message, cases[i].message))
            fail_msg("%.20s: %s", text, err.message);
        free(text);
    }
}

TEST(test_what_takes_too_long_is_given_up)
{
    static const char list[] = "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]";
    uint64_t before_ms = clock_ms();
    struct colony_error err = {0};
    char text[1024];

    (void)snprintf(text, sizeof text,
                   "all(all(all(all(all(all(a for f in %s) for e in %s) for d in %s) for c in %s) "
                   "for b in %s) for a in %s)",
                   list, list, list, list, list, list);
    assert_int_equal(evaluate(text, &living, &err), -E2BIG);
    assert_non_null(strstr(err.message, "make it smaller"));
    assert_true(clock_ms() - before_ms < BOMB_MS);
}

TEST(test_a_long_condition_that_is_fine_is_read)
{
    char *text = repeat("1+", 400, "1 == 401");

    assert_is(text, &living, 1);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_condition_of_the_seed),
        cmocka_unit_test(test_what_is_true),
        cmocka_unit_test(test_what_is_not_there_is_none),
        cmocka_unit_test(test_a_dead_process_has_nothing),
        cmocka_unit_test(test_what_decides_is_the_value_as_in_python),
        cmocka_unit_test(test_mistakes_are_told_with_their_column),
        cmocka_unit_test(test_it_says_what_it_wants),
        cmocka_unit_test(test_bombs_are_refused),
        cmocka_unit_test(test_what_takes_too_long_is_given_up),
        cmocka_unit_test(test_a_long_condition_that_is_fine_is_read),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
