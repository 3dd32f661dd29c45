/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "session/names.h"
#include "session/process.h"
#include "session/words_internal.h"

#include "../test.h"

static const char uri[] = "exec://localhost/bin/sleep?60";

struct takers {
    const char *names[32];
    size_t count;
    size_t asked;
    bool all;
};

static bool is_taken(const char *name, void *data)
{
    struct takers *takers = data;

    takers->asked++;
    for (size_t i = 0; i < takers->count; i++)
        if (strcmp(takers->names[i], name) == 0)
            return true;
    return takers->all;
}

TEST(test_an_uri_has_the_same_name_for_ever)
{
    static const struct {
        const char *uri;
        const char *name;
    } known[] = {
        {"exec://localhost/bin/sleep?60", "limber-delta"},
        {"exec:///bin/true", "quirky-glade"},
        {"ib://localhost:9090/master-trader?account=0&tws=master.tws", "cordial-kitten"},
        {"ib://localhost/sync?uid=master&account=0&tws=master.tws", "exotic-elephant"},
        {"exec://localhost/home/agp/Jts/tws?username=myuser&password=mypassword", "daring-pebble"},
        {"", "sincere-lamp"},
    };
    char name[COLONY_WORDS_MAX];

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        colony_session_name(name, known[i].uri, NULL, NULL);
        assert_string_equal(name, known[i].name);
    }
}

TEST(test_a_name_that_is_taken_leads_to_the_next_of_the_same_uri)
{
    char first[COLONY_WORDS_MAX];
    char second[COLONY_WORDS_MAX];
    char again[COLONY_WORDS_MAX];
    struct takers takers = {.names = {first}, .count = 1};

    colony_session_name(first, uri, NULL, NULL);
    colony_session_name(second, uri, is_taken, &takers);
    colony_session_name(again, uri, is_taken, &takers);
    assert_string_not_equal(first, second);
    assert_string_equal(second, again);
    assert_null(strpbrk(second, "0123456789"));
}

TEST(test_when_all_its_words_are_taken_a_name_gets_a_number)
{
    char names[17][COLONY_WORDS_MAX];
    char first[COLONY_WORDS_MAX + 4];
    struct takers takers = {.count = 0};

    for (size_t i = 0; i < 17; i++) {
        colony_session_name(names[i], uri, is_taken, &takers);
        takers.names[takers.count++] = names[i];
    }
    (void)snprintf(first, sizeof first, "%s-2", names[0]);
    assert_string_equal(names[16], first);
}

TEST(test_a_search_for_a_name_ends)
{
    char name[COLONY_WORDS_MAX];
    struct takers takers = {.all = true};

    colony_session_name(name, uri, is_taken, &takers);
    assert_in_range(takers.asked, 1, COLONY_SESSION_PROCESSES_MAX + 32);
}

static void check_words(const char *const *words)
{
    for (size_t i = 0; i < COLONY__WORDS; i++) {
        size_t length = strlen(words[i]);

        assert_in_range(length, 2, 12);
        assert_int_equal(strspn(words[i], "abcdefghijklmnopqrstuvwxyz"), length);
        assert_true(i == 0 || strcmp(words[i - 1], words[i]) < 0); /* sorted: none stands twice */
    }
}

TEST(test_no_word_stands_twice)
{
    check_words(colony__adjectives);
    check_words(colony__nouns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_uri_has_the_same_name_for_ever),
        cmocka_unit_test(test_a_name_that_is_taken_leads_to_the_next_of_the_same_uri),
        cmocka_unit_test(test_when_all_its_words_are_taken_a_name_gets_a_number),
        cmocka_unit_test(test_a_search_for_a_name_ends),
        cmocka_unit_test(test_no_word_stands_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
