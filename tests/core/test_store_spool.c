/* SPDX-License-Identifier: Apache-2.0 */
/* Events that wait in the store until they are handled. */
#include "stored.h"

static void spool(struct stored *stored, uint64_t id, const char *json)
{
    const struct colony_store_spooled row = {.id = id,
                                             .at_ms = 1700000000000 + id,
                                             .via = "http",
                                             .peer = "[::1]:4321",
                                             .json = json,
                                             .size = strlen(json)};
    unsigned before = stored->answers;

    CHECK(colony_store_spool(stored->store, &row, on_synced, stored) == 0);
    CHECK(stored->answers == before); /* never from inside */
}

static int spool_now(struct stored *stored, uint64_t id, const char *json)
{
    unsigned before = stored->answers;

    spool(stored, id, json);
    TURN_UNTIL(stored, stored->answers == before + 1);
    return stored->rc;
}

static void on_spooled(const struct colony_store_spooled *row, void *data)
{
    char text[64];

    CHECK(strcmp(row->via, "http") == 0 && strcmp(row->peer, "[::1]:4321") == 0);
    CHECK(row->at_ms == 1700000000000 + row->id && row->size == strlen(row->json));
    (void)snprintf(text, sizeof text, "%llu=%s", (unsigned long long)row->id, row->json);
    append(data, text);
}

/* "1=a 2=b " */
static const char *list_spool(struct stored *stored)
{
    stored->count = 0;
    stored->summary[0] = '\0';
    CHECK(colony_store_each_spooled(stored->store, on_spooled, stored) == 0);
    return stored->summary;
}

FOLDER_TEST(test_what_is_put_is_there_until_it_is_removed)
{
    struct stored stored;

    stored_open(&stored, data);
    CHECK(strcmp(list_spool(&stored), "") == 0);
    CHECK(spool_now(&stored, 7, "[1]") == 0);
    CHECK(spool_now(&stored, 3, "{\"a\":\"\xc3\xa4\"}") == 0);
    CHECK(spool_now(&stored, 5, "\"x\"") == 0);
    CHECK(colony_store_unspool(stored.store, 5) == 0);
    CHECK(colony_store_unspool(stored.store, 99) == 0); /* which was never there */
    stored_close(&stored);
    stored_open(&stored, data);
    CHECK(strcmp(list_spool(&stored), "3={\"a\":\"\xc3\xa4\"} 7=[1] ") == 0);
    CHECK(colony_store_unspool(stored.store, 3) == 0);
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(list_spool(&stored), "7=[1] ") == 0);
    stored_close(&stored);
}

/* A removal alone is written within a second, whoever waits for it or not. */
FOLDER_TEST(test_what_is_removed_goes_by_itself)
{
    struct stored stored;

    stored_open(&stored, data);
    CHECK(spool_now(&stored, 1, "1") == 0);
    CHECK(colony_store_unspool(stored.store, 1) == 0);
    TURN_UNTIL(&stored, ask_file(stored.path, "SELECT count(*) FROM spool") == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_what_could_not_be_written_is_told_and_not_tried_again_but_removals_are)
{
    struct stored stored;
    sqlite3 *other;

    stored_open(&stored, data);
    CHECK(spool_now(&stored, 1, "1") == 0);
    other = lock_file(stored.path);
    CHECK(colony_store_unspool(stored.store, 1) == 0);
    CHECK(spool_now(&stored, 2, "2") == -EBUSY);
    CHECK(colony_store_trouble(stored.store)[0] != '\0');
    CHECK(sqlite3_close(other) == SQLITE_OK);
    CHECK(spool_now(&stored, 3, "3") == 0);
    CHECK(strcmp(list_spool(&stored), "3=3 ") == 0); /* 2 was told to be lost, 1 is handled */
    stored_close(&stored);
}

/* A store of an older colony has no spool, and gets one. */
FOLDER_TEST(test_the_store_of_an_older_colony_is_taken_over)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "web", "{}");
    CHECK(sync_now(&stored) == 0);
    stored_close(&stored);
    (void)ask_file(stored.path, "DROP TABLE spool");
    (void)ask_file(stored.path, "PRAGMA user_version = 1");
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    CHECK(strcmp(list_templates(&stored), "web ") == 0);
    CHECK(spool_now(&stored, 1, "1") == 0);
    stored_close(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_there_until_it_is_removed),
        cmocka_unit_test(test_what_is_removed_goes_by_itself),
        cmocka_unit_test(
            test_what_could_not_be_written_is_told_and_not_tried_again_but_removals_are),
        cmocka_unit_test(test_the_store_of_an_older_colony_is_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
