/* SPDX-License-Identifier: Apache-2.0 */
/* How much history is kept, and what is found of it from some moment on. */
#include "stored.h"

#include "core/table.h"

enum {
    HOUR_MS = 3600000,
};

static void add_at(struct stored *stored, uint64_t at_ms, const char *cause)
{
    const struct colony_store_event row = {
        .name = "web", .slot = 1, .event = "start", .cause = cause, .at_ms = at_ms};

    CHECK(colony_store_add_event(stored->store, &row) != 0);
}

static void keep(struct stored *stored, uint64_t rows, uint64_t age_ms)
{
    colony_store_set_keep(stored->store, &(const struct colony_store_keep){rows, age_ms});
}

static const char *find(struct stored *stored, const struct colony_store_query *query)
{
    unsigned answers = stored->answers;

    CHECK(colony_store_history(stored->store, query, on_history, stored) == 0);
    TURN_UNTIL(stored, stored->answers == answers + 1);
    CHECK(stored->rc == 0);
    return stored->summary;
}

FOLDER_TEST(test_since_counts_in_the_file_and_in_the_queue)
{
    const struct colony_store_query after = {.limit = 10, .after = 2};
    const struct colony_store_query between = {.limit = 10, .after = 1, .before = 4};
    const struct colony_store_query since = {.limit = 10, .since_ms = 3000, .name = "web"};
    const struct colony_store_query on = {
        .limit = 10, .after = 1, .since_ms = 3000, .goes_on = true};
    struct stored stored;

    stored_open(&stored, data);
    add_at(&stored, 1000, "a");
    add_at(&stored, 2000, "b");
    add_at(&stored, 3000, "c");
    CHECK(sync_now(&stored) == 0);
    add_at(&stored, 4000, "d"); /* still queued */
    CHECK(strcmp(find(&stored, &after), "d c ") == 0);
    CHECK(strcmp(find(&stored, &between), "c b ") == 0);
    CHECK(strcmp(find(&stored, &since), "d c ") == 0);
    CHECK(strcmp(find(&stored, &on), "c d ") == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_only_so_many_are_kept)
{
    struct stored stored;

    stored_open(&stored, data);
    keep(&stored, 100, 0);
    for (int i = 0; i < 1000; i++) {
        add_at(&stored, 1000, "x");
        if (i % 7 == 0)
            CHECK(sync_now(&stored) == 0);
    }
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") <= 101);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") >= 100);
    CHECK(ask_file(stored.path, "SELECT max(seq) FROM history") == 1000);
    stored_close(&stored);
}

FOLDER_TEST(test_what_is_too_old_is_not_found_and_goes_with_the_next_write)
{
    const struct colony_store_query all = {.limit = 10};
    uint64_t now_ms = colony_wall_now_ms();
    struct stored stored;

    stored_open(&stored, data);
    add_at(&stored, now_ms - 3 * HOUR_MS, "a");
    add_at(&stored, now_ms - 2 * HOUR_MS, "b");
    add_at(&stored, now_ms - HOUR_MS / 2, "c");
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(find(&stored, &all), "c b a ") == 0);
    keep(&stored, 1000, HOUR_MS);
    CHECK(strcmp(find(&stored, &all), "c ") == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 3);
    add_at(&stored, now_ms, "d");
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 2);
    keep(&stored, 1000, 0);
    CHECK(strcmp(find(&stored, &all), "d c ") == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_all_may_be_too_old)
{
    const struct colony_store_query all = {.limit = 10};
    struct stored stored;

    stored_open(&stored, data);
    keep(&stored, 1000, HOUR_MS);
    add_at(&stored, 1000, "a");
    add_at(&stored, 2000, "b");
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 0);
    CHECK(strcmp(find(&stored, &all), "") == 0);
    add_at(&stored, colony_wall_now_ms(), "c");
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT max(seq) FROM history") == 3);
    CHECK(strcmp(find(&stored, &all), "c ") == 0);
    stored_close(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_since_counts_in_the_file_and_in_the_queue),
        cmocka_unit_test(test_only_so_many_are_kept),
        cmocka_unit_test(test_what_is_too_old_is_not_found_and_goes_with_the_next_write),
        cmocka_unit_test(test_all_may_be_too_old),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
