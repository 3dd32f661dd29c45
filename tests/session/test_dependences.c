/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for whom: circles and ranks. */
#include "../test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/config.h"
#include "session/dependences.h"
#include "session/process.h"

static struct colony_session_process processes[] = {
    {.name = "n-a", .alias = "a"},
    {.name = "n-b", .alias = "b"},
    {.name = "n-c", .alias = "c"},
    {.name = "n-d", .alias = "d"},
    {.name = "n-e"},
};
static const struct colony_session_list list = {processes, 5};

/* "child parent", … */
static void fill(struct colony_session_config *config, const char *const (*pairs)[2])
{
    *config = (struct colony_session_config){0};
    for (; (*pairs)[0]; pairs++)
        assert_int_equal(
            colony_session_config_add(config, (*pairs)[0], (*pairs)[1], ON_LOSS_KEEP, NULL), 1);
}

TEST(test_ranks_go_up_from_who_waits_for_nobody)
{
    static const char *const pairs[][2] = {{"c", "b:up"}, {"b", "a"},    {"d", "a"},
                                           {"d", "n-c"},  {"gone", "a"}, {NULL, NULL}};
    struct colony_session_config config;
    size_t levels[5];

    fill(&config, pairs);
    assert_int_equal(colony_dependences_rank(&config, &list, levels, NULL), 0);
    assert_int_equal(levels[0], 0);
    assert_int_equal(levels[1], 1);
    assert_int_equal(levels[2], 2);
    assert_int_equal(levels[3], 3);
    assert_int_equal(levels[4], 0);
    colony_session_config_clear(&config);
}

TEST(test_a_circle_is_spelled_out)
{
    static const char *const pairs[][2] = {
        {"d", "a"}, {"a", "b"}, {"b", "n-c:up"}, {"c", "a"}, {NULL, NULL}};
    static const char *const self[][2] = {{"n-a", "a:up"}, {NULL, NULL}};
    struct colony_session_config config;
    struct colony_error err;

    fill(&config, pairs);
    assert_int_equal(colony_dependences_check(&config, &list, &err), -ELOOP);
    assert_non_null(strstr(err.message, ": a → b → c → a"));
    colony_session_config_clear(&config);
    fill(&config, self); /* two names of one process are one */
    assert_int_equal(colony_dependences_check(&config, &list, &err), -ELOOP);
    assert_non_null(strstr(err.message, ": a → a"));
    colony_session_config_clear(&config);
}

TEST(test_what_there_is_not_gets_the_nearest)
{
    static const char *const pairs[][2] = {{"a", "n-f"}, {NULL, NULL}};
    struct colony_session_config config;
    struct colony_error err;

    fill(&config, pairs);
    assert_int_equal(colony_dependences_check(&config, &list, &err), -ENOENT);
    assert_non_null(strstr(err.message, "there is no process n-f: did you mean n-"));
    colony_session_config_clear(&config);
}

TEST(test_a_long_chain_is_no_matter)
{
    enum { LENGTH = 3000 };
    static char names[LENGTH][16];
    static struct colony_session_process items[LENGTH];
    static size_t levels[LENGTH];
    const struct colony_session_list many = {items, LENGTH};
    struct colony_session_config config = {0};

    for (int i = 0; i < LENGTH; i++) {
        (void)snprintf(names[i], sizeof names[i], "p%05d", i);
        items[i].name = names[i];
        if (i > 0)
            assert_int_equal(
                colony_session_config_add(&config, names[i - 1], names[i], ON_LOSS_KEEP, NULL), 1);
    }
    assert_int_equal(colony_dependences_rank(&config, &many, levels, NULL), 0);
    assert_int_equal(levels[0], LENGTH - 1);
    assert_int_equal(
        colony_session_config_add(&config, names[LENGTH - 1], names[0], ON_LOSS_KEEP, NULL), 1);
    assert_int_equal(colony_dependences_rank(&config, &many, levels, NULL), -ELOOP);
    colony_session_config_clear(&config);
}

TEST(test_a_word_is_split_at_its_last_colon)
{
    const char *tag;
    char name[64];

    assert_int_equal(colony_dependence_split("master.tws:operative", name, sizeof name, &tag, NULL),
                     0);
    assert_string_equal(name, "master.tws");
    assert_string_equal(tag, "operative");
    assert_int_equal(colony_dependence_split("master.tws", name, sizeof name, &tag, NULL), 0);
    assert_null(tag);
    assert_int_equal(colony_dependence_split("a:", name, sizeof name, &tag, NULL), -EINVAL);
    assert_int_equal(colony_dependence_split(":b", name, sizeof name, &tag, NULL), -EINVAL);
    assert_int_equal(colony_dependence_split("a:b:c", name, sizeof name, &tag, NULL), -EINVAL);
    assert_int_equal(colony_dependence_split("a:../b", name, sizeof name, &tag, NULL), -EINVAL);
}

TEST(test_a_circle_in_the_file_is_left_out_of_the_order)
{
    static const char *const pairs[][2] = {
        {"a", "b"}, {"b", "a"}, {"c", "a"}, {"d", "d"}, {NULL, NULL}};
    struct colony_session_config config;
    struct colony_error circle;
    struct colony_error err;
    size_t levels[5];

    fill(&config, pairs);
    assert_int_equal(colony_dependences_order(&config, &list, levels, &circle, &err), 0);
    assert_int_equal(circle.code, -ELOOP);
    assert_non_null(strstr(circle.message, "etc/session.yaml:"));
    assert_non_null(strstr(circle.message, ": a → b → a "));
    assert_int_equal(levels[0], 1);
    assert_int_equal(levels[1], 0);
    assert_int_equal(levels[2], 2);
    assert_int_equal(levels[3], 0);
    assert_false(config.dependences[0].closes_circle);
    assert_true(config.dependences[1].closes_circle);
    assert_false(config.dependences[2].closes_circle);
    assert_true(config.dependences[3].closes_circle);
    assert_int_equal(colony_dependences_check_one(&config, &list, "c", &err), -ELOOP);
    assert_int_equal(colony_dependences_check_one(&config, &list, "n-e", &err), 0);
    colony_session_config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks_go_up_from_who_waits_for_nobody),
        cmocka_unit_test(test_a_circle_is_spelled_out),
        cmocka_unit_test(test_a_circle_in_the_file_is_left_out_of_the_order),
        cmocka_unit_test(test_what_there_is_not_gets_the_nearest),
        cmocka_unit_test(test_a_long_chain_is_no_matter),
        cmocka_unit_test(test_a_word_is_split_at_its_last_colon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
