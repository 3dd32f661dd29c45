/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/error.h"
#include "core/gates.h"
#include "core/template.h"

enum {
    FEW = 16,
    MANY = 10000,
    NEEDS_MAX = 4,
};

/* A template as far as gates look at it. */
struct made {
    struct colony_template template;
    struct colony_dependency needs[NEEDS_MAX];
    char names[NEEDS_MAX + 1][COLONY_NAME_MAX + 1];
};

/* "a: b c?" is template a that needs b and waits for c. */
static void make(struct made *made, const char *text)
{
    char copy[3 * COLONY_NAME_MAX];
    char *rest = copy;
    char *word;

    memset(made, 0, sizeof *made);
    (void)snprintf(copy, sizeof copy, "%s", text);
    (void)snprintf(made->names[0], sizeof made->names[0], "%s", strsep(&rest, ":"));
    made->template.name = made->names[0];
    made->template.dependencies = made->needs;
    while ((word = strsep(&rest, " "))) {
        size_t length = strcspn(word, "?");
        size_t i = made->template.dependency_count;

        if (length == 0)
            continue;
        assert_true(i < NEEDS_MAX);
        (void)snprintf(made->names[i + 1], sizeof made->names[0], "%.*s", (int)length, word);
        made->needs[i].name = made->names[i + 1];
        made->needs[i].is_needed = word[length] == '\0';
        made->template.dependency_count++;
    }
}

/* Checks a NULL-terminated list of texts as above. */
static int check(const char *const *texts, size_t *culprit, struct colony_error *err)
{
    struct made *made = calloc(FEW, sizeof *made);
    const struct colony_template *templates[FEW];
    size_t count = 0;
    int rc;

    assert_non_null(made);
    for (; texts[count]; count++) {
        assert_true(count < FEW);
        make(&made[count], texts[count]);
        templates[count] = &made[count].template;
    }
    rc = colony_gates_check(templates, count, culprit, err);
    free(made);
    return rc;
}

static void assert_refused(const char *const *texts, int code, size_t culprit, const char *message)
{
    struct colony_error err = {0};
    size_t index = 99;

    assert_int_equal(check(texts, &index, &err), code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.message, message);
    assert_int_equal(index, culprit);
    assert_int_equal(check(texts, NULL, NULL), code);
}

static void assert_fine(const char *const *texts)
{
    struct colony_error err = {0};

    if (check(texts, NULL, &err) != 0)
        fail_msg("%s", err.message);
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

TEST(test_what_can_be_ordered_is_fine)
{
    assert_fine((const char *const[]){NULL});
    assert_fine(TEXTS("a:"));
    assert_fine(TEXTS("a: b", "b: c", "c:"));
    assert_fine(TEXTS("c:", "b: c", "a: b"));
    assert_fine(TEXTS("a: b c", "b: d", "c: d", "d:")); /* two ways are no cycle */
    assert_fine(TEXTS("a: b b", "b:"));
}

TEST(test_a_cycle_is_spelled_out)
{
    assert_refused(TEXTS("a: a"), -ELOOP, 0, "cannot order the starts: a → a");
    assert_refused(TEXTS("a: b", "b: a"), -ELOOP, 0, "cannot order the starts: a → b → a");
    assert_refused(TEXTS("a: b", "b: c", "c: a"), -ELOOP, 0,
                   "cannot order the starts: a → b → c → a");
    assert_refused(TEXTS("x:", "y: x a", "a: b", "b: x c", "c: x b"), -ELOOP, 3,
                   "cannot order the starts: b → c → b");
    assert_refused(TEXTS("a: b?", "b: a?"), -ELOOP, 0, "cannot order the starts: a → b → a");
}

TEST(test_a_needed_template_must_be_there)
{
    assert_refused(TEXTS("web: databse", "database:"), -ENOENT, 0,
                   "cannot start `web`: it depends on `databse`, which is not there; did you mean "
                   "`database`?");
    assert_refused(TEXTS("a:", "web: zzzzzzzz"), -ENOENT, 1,
                   "cannot start `web`: it depends on `zzzzzzzz`, which is not there");
}

TEST(test_one_that_is_only_waited_for_may_be_missing)
{
    assert_fine(TEXTS("web: metrics?"));
}

static struct made *make_chain(const struct colony_template **templates, bool is_closed)
{
    struct made *made = calloc(MANY, sizeof *made);
    char text[64];

    assert_non_null(made);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(text, sizeof text, "t%05d: t%05d", i, i + 1);
        if (i == MANY - 1)
            (void)snprintf(text, sizeof text, is_closed ? "t%05d: t00000" : "t%05d:", i);
        make(&made[i], text);
        templates[i] = &made[i].template;
    }
    return made;
}

TEST(test_a_long_chain_costs_little)
{
    static const struct colony_template *templates[MANY];
    struct made *made = make_chain(templates, false);
    clock_t begin = clock();

    assert_int_equal(colony_gates_check(templates, MANY, NULL, NULL), 0);
    assert_true(clock() - begin < CLOCKS_PER_SEC / 5); /* a few ms; sanitizers are slower */
    free(made);
}

TEST(test_a_long_cycle_is_cut_short)
{
    static const struct colony_template *templates[MANY];
    struct made *made = make_chain(templates, true);
    struct colony_error err;
    const char *message = err.message;

    assert_int_equal(colony_gates_check(templates, MANY, NULL, &err), -ELOOP);
    assert_int_equal(strncmp(message, "cannot order the starts: t00000 → t00001 → ", 45), 0);
    assert_non_null(strstr(message, " more) → t00000"));
    free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_can_be_ordered_is_fine),
        cmocka_unit_test(test_a_cycle_is_spelled_out),
        cmocka_unit_test(test_a_needed_template_must_be_there),
        cmocka_unit_test(test_one_that_is_only_waited_for_may_be_missing),
        cmocka_unit_test(test_a_long_chain_costs_little),
        cmocka_unit_test(test_a_long_cycle_is_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
