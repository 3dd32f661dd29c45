/* SPDX-License-Identifier: Apache-2.0 */
#include "stored.h"

#include "core/template.h"

enum {
    MANY = 10000,
    QUEUED_MORE = 10, /* than the queue takes */
    SETTINGS_MAX = 16 << 20,
};

FOLDER_TEST(test_a_new_file_is_for_its_owner_alone)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    struct stored stored;
    struct stat info;
    char path[300];

    (void)umask(0);
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    put(&stored, "web", NULL);
    CHECK(sync_now(&stored) == 0);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s%s", stored.path, endings[i]);
        CHECK(stat(path, &info) == 0);
        CHECK((info.st_mode & 07777) == 0600);
    }
    stored_close(&stored);
}

FOLDER_TEST(test_one_that_others_could_read_is_made_private)
{
    struct stored stored;
    struct stat info;

    stored_open(&stored, data);
    stored_close(&stored);
    CHECK(chmod(stored.path, 0644) == 0);
    stored_open(&stored, data);
    CHECK(stat(stored.path, &info) == 0 && (info.st_mode & 07777) == 0600);
    stored_close(&stored);
}

static void check_rows(const struct colony_store_template *row, void *data)
{
    struct stored *stored = data;

    if (stored->count++ == 0) {
        CHECK(strcmp(row->name, "web") == 0 && strcmp(row->origin, "http") == 0);
        CHECK(strcmp(row->settings, "{\"cmd\": \"x\"}") == 0);
        CHECK(row->file_numprocesses == 4 && row->load_id == (1ULL << 63));
        CHECK(row->numprocesses == 3 && row->is_stopped && !row->is_deleted);
        return;
    }
    CHECK(strcmp(row->name, "file") == 0 && strcmp(row->origin, "file") == 0);
    CHECK(row->settings == NULL && row->file_numprocesses == -1 && row->load_id == 0);
    CHECK(row->numprocesses == -1 && !row->is_stopped && row->is_deleted);
}

FOLDER_TEST(test_all_of_a_template_is_there_after_reopening)
{
    const struct colony_store_template first = {"web", "http", "{\"cmd\": \"x\"}", 4, 1ULL << 63, 3,
                                                true,  false};
    const struct colony_store_template second = {"file", "file", NULL, -1, 0, -1, false, true};
    struct stored stored;

    stored_open(&stored, data);
    CHECK(colony_store_put_template(stored.store, &first) == 0);
    CHECK(colony_store_put_template(stored.store, &second) == 0);
    CHECK(sync_now(&stored) == 0);
    stored_close(&stored);
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    CHECK(colony_store_each_template(stored.store, check_rows, &stored, NULL) == 0);
    CHECK(stored.count == 2);
    stored_close(&stored);
}

FOLDER_TEST(test_templates_come_in_the_order_they_were_first_put)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "c", "1");
    put(&stored, "a", "1");
    put(&stored, "b", "1");
    put(&stored, "d", "1");
    put(&stored, "c", "2");
    CHECK(colony_store_remove_template(stored.store, "a") == 0);
    CHECK(colony_store_remove_template(stored.store, "unknown") == 0);
    CHECK(sync_now(&stored) == 0);
    put(&stored, "a", "2"); /* anew: now it is the last */
    put(&stored, "b", "2");
    CHECK(colony_store_remove_template(stored.store, "d") == 0);
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(list_templates(&stored), "c b a ") == 0);
    stored_close(&stored);
    stored_open(&stored, data);
    CHECK(strcmp(list_templates(&stored), "c b a ") == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template WHERE settings = '2'") == 3);
    stored_close(&stored);
}

FOLDER_TEST(test_rows_that_cannot_be_are_refused)
{
    char long_name[COLONY_NAME_MAX + 2];
    struct colony_store_template row = {.name = NULL};
    struct stored stored;
    char *huge = malloc(SETTINGS_MAX + 2);

    CHECK(huge);
    memset(huge, 'x', SETTINGS_MAX + 1);
    huge[SETTINGS_MAX + 1] = '\0';
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    stored_open(&stored, data);
    CHECK(colony_store_put_template(stored.store, &row) == -EINVAL);
    row.name = "";
    CHECK(colony_store_put_template(stored.store, &row) == -EINVAL);
    CHECK(colony_store_remove_template(stored.store, "") == -EINVAL);
    row.name = long_name;
    CHECK(colony_store_put_template(stored.store, &row) == -EINVAL);
    row.name = long_name + 1;
    row.settings = huge;
    CHECK(colony_store_put_template(stored.store, &row) == -EMSGSIZE);
    row.settings = huge + 1; /* just what it takes */
    CHECK(colony_store_put_template(stored.store, &row) == 0);
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT length(settings) FROM template") == SETTINGS_MAX);
    free(huge);
    stored_close(&stored);
}

FOLDER_TEST(test_a_sync_answers_for_all_that_was_put_before)
{
    struct stored stored;
    char name[32];

    stored_open(&stored, data);
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        put(&stored, name, "{}");
        add_event(&stored, name, 1, "put");
    }
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == MANY);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == MANY);
    CHECK(ask_file(stored.path, "SELECT max(place) FROM template WHERE name = 't9999'") == MANY);
    stored_close(&stored);
}

FOLDER_TEST(test_a_put_is_written_without_a_sync_and_events_along_with_it)
{
    struct stored stored;

    stored_open(&stored, data);
    add_event(&stored, "web", 1, "first");
    put(&stored, "web", NULL);
    EVENTUALLY(ask_file(stored.path, "SELECT count(*) FROM template") == 1);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 1);
    stored_close(&stored);
}

FOLDER_TEST(test_an_event_alone_is_written_by_and_by)
{
    struct stored stored;

    stored_open(&stored, data);
    add_event(&stored, "web", 1, "alone");
    EVENTUALLY(ask_file(stored.path, "SELECT count(*) FROM history") == 1);
    stored_close(&stored);
}

FOLDER_TEST(test_a_flush_writes_without_a_turn_of_the_loop)
{
    struct stored stored;

    stored_open(&stored, data);
    colony_store_flush(stored.store); /* there is nothing */
    add_event(&stored, "web", 1, "first");
    put(&stored, "web", NULL);
    add_event(&stored, "web", 1, "second");
    colony_store_flush(stored.store);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 1);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 2);
    stored_close(&stored);
}

static void check_events(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct stored *stored = data;

    CHECK(rc == 0 && count == 2);
    CHECK(rows[0].seq == 2 && rows[0].at_ms == 0 && rows[0].slot == 0 && rows[0].id == 0);
    CHECK(rows[0].os_pid == 0 && !rows[0].exit_known);
    CHECK(strcmp(rows[0].name, "") == 0 && strcmp(rows[0].event, "") == 0);
    CHECK(strcmp(rows[0].from, "") == 0 && strcmp(rows[0].to, "") == 0);
    CHECK(strcmp(rows[0].cause, "") == 0);
    CHECK(rows[1].seq == 1 && rows[1].at_ms == 1700000000123 && rows[1].slot == UINT32_MAX);
    CHECK(rows[1].id == 1ULL << 62 && rows[1].os_pid == 4194304 && rows[1].exit_known);
    CHECK(rows[1].exit_status == 255 && rows[1].term_signal == 64);
    CHECK(strcmp(rows[1].name, "web") == 0 && strcmp(rows[1].event, "state") == 0);
    CHECK(strcmp(rows[1].from, "running") == 0 && strcmp(rows[1].to, "exited") == 0);
    CHECK(strcmp(rows[1].cause, "http uid 0: 'quoted'; -- \n") == 0);
    stored->answers++;
}

FOLDER_TEST(test_all_of_an_event_is_kept)
{
    const struct colony_store_event full = {
        .at_ms = 1700000000123,
        .name = "web",
        .slot = UINT32_MAX,
        .id = 1ULL << 62,
        .os_pid = 4194304,
        .event = "state",
        .from = "running",
        .to = "exited",
        .exit_known = true,
        .exit_status = 255,
        .term_signal = 64,
        .cause = "http uid 0: 'quoted'; -- \n",
    };
    const struct colony_store_event empty = {.at_ms = 0};
    const struct colony_store_query all = {.limit = 10};
    struct stored stored;

    stored_open(&stored, data);
    colony_store_add_event(stored.store, &full);
    colony_store_add_event(stored.store, &empty);
    for (unsigned i = 0; i < 3; i++) { /* queued, written, read back */
        CHECK(colony_store_history(stored.store, &all, check_events, &stored) == 0);
        TURN_UNTIL(&stored, stored.answers == i * 2 + 1);
        CHECK(sync_now(&stored) == 0);
        if (i != 1)
            continue;
        stored_close(&stored);
        stored_open(&stored, data);
        stored.answers = 4;
    }
    stored_close(&stored);
}

FOLDER_TEST(test_history_is_found_newest_first_by_name_slot_and_page)
{
    struct stored stored;
    sqlite3 *other;

    stored_open(&stored, data);
    CHECK(strcmp(find_history(&stored, NULL, 0, 0, 100), "") == 0);
    add_event(&stored, "web", 1, "1");
    add_event(&stored, "db", 1, "2");
    add_event(&stored, "web", 2, "3");
    CHECK(sync_now(&stored) == 0);
    other = lock_file(stored.path);
    add_event(&stored, "web", 1, "4"); /* these two stay queued */
    add_event(&stored, "db", 2, "5");
    for (int i = 0; i < 2; i++) {
        CHECK(strcmp(find_history(&stored, NULL, 0, 0, 100), "5 4 3 2 1 ") == 0);
        CHECK(strcmp(find_history(&stored, "web", 0, 0, 100), "4 3 1 ") == 0);
        CHECK(strcmp(find_history(&stored, "web", 1, 0, 100), "4 1 ") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 2, 0, 100), "5 3 ") == 0);
        CHECK(strcmp(find_history(&stored, "none", 0, 0, 100), "") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 0, 0), "") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 0, 1), "5 ") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 0, 2), "5 4 ") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 4, 2), "3 2 ") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 5, 2), "4 3 ") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 2, 2), "1 ") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, 1, 2), "") == 0);
        CHECK(strcmp(find_history(&stored, NULL, 0, UINT64_MAX, UINT32_MAX), "5 4 3 2 1 ") == 0);
        CHECK(strcmp(find_history_on(&stored, NULL, 0, 100), "1 2 3 4 5 ") == 0);
        CHECK(strcmp(find_history_on(&stored, NULL, 2, 2), "3 4 ") == 0);
        CHECK(strcmp(find_history_on(&stored, "web", 1, 100), "3 4 ") == 0);
        CHECK(strcmp(find_history_on(&stored, "db", 2, 1), "5 ") == 0);
        CHECK(strcmp(find_history_on(&stored, NULL, 5, 100), "") == 0);
        CHECK(strcmp(find_history_on(&stored, NULL, UINT64_MAX, 100), "") == 0);
        CHECK(colony_store_last_seq(stored.store) == 5);
        CHECK(colony_store_opened_seq(stored.store) == 0);
        if (i == 0) {
            CHECK(sqlite3_close(other) == SQLITE_OK); /* and once more, all of it written */
            CHECK(sync_now(&stored) == 0);
        }
    }
    stored_close(&stored);
    stored_open(&stored, data);
    add_event(&stored, "web", 1, "6"); /* numbers go on */
    CHECK(strcmp(find_history(&stored, NULL, 0, 7, 2), "6 5 ") == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_names_too_long_to_be_are_no_query)
{
    char long_name[COLONY_NAME_MAX + 2];
    const struct colony_store_query query = {.name = long_name, .limit = 10};
    struct stored stored;

    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    stored_open(&stored, data);
    CHECK(colony_store_history(stored.store, &query, on_history, &stored) == -EINVAL);
    stored_close(&stored);
}

struct paging {
    struct stored *stored;
    size_t seen;
    bool is_over;
};

static void on_page(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct paging *paging = data;
    struct colony_store_query next = {.limit = 7};

    CHECK(rc == 0);
    paging->seen += count;
    paging->is_over = count == 0;
    if (count == 0)
        return;
    next.before = rows[count - 1].seq;
    CHECK(colony_store_history(paging->stored->store, &next, on_page, paging) == 0);
}

FOLDER_TEST(test_pages_can_be_turned_from_inside_the_callback)
{
    const struct colony_store_query first = {.limit = 7};
    struct stored stored;
    struct paging paging = {.stored = &stored};

    stored_open(&stored, data);
    for (int i = 0; i < 100; i++)
        add_event(&stored, "web", 1, "x");
    CHECK(colony_store_history(stored.store, &first, on_page, &paging) == 0);
    TURN_UNTIL(&stored, paging.is_over);
    CHECK(paging.seen == 100);
    stored_close(&stored);
}

static void check_bytes(const struct colony_store_template *row, void *data)
{
    CHECK(strcmp(row->settings, "{\"args\": [\"\xff\xfe\"]}") == 0);
    CHECK(strcmp(row->name, "w\xc3") == 0);
    ((struct stored *)data)->count++;
}

FOLDER_TEST(test_bytes_that_are_no_text_survive_in_templates_and_not_in_history)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "w\xc3", "{\"args\": [\"\xff\xfe\"]}");
    add_event(&stored, "w\xc3", 1, "a\xff\xc3\xa4\xed\xa0\x80z");
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(find_history(&stored, "w?", 0, 0, 10), "a?\xc3\xa4???z ") == 0);
    stored_close(&stored);
    stored_open(&stored, data);
    CHECK(strcmp(find_history(&stored, "w?", 0, 0, 10), "a?\xc3\xa4???z ") == 0);
    stored.count = 0;
    CHECK(colony_store_each_template(stored.store, check_bytes, &stored, NULL) == 0);
    CHECK(stored.count == 1);
    stored_close(&stored);
}

FOLDER_TEST(test_a_long_cause_is_cut_between_two_characters)
{
    char cause[4000];
    const char *found;
    struct stored stored;

    for (size_t i = 0; i < sizeof cause - 3; i += 3)
        memcpy(cause + i, "\xe2\x82\xac", 4);
    stored_open(&stored, data);
    add_event(&stored, "web", 1, cause);
    found = find_history(&stored, "web", 0, 0, 10);
    CHECK(strlen(found) == 1023 + 1); /* and the blank of the summary */
    CHECK(strncmp(found, cause, 1023) == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_the_oldest_history_goes)
{
    struct stored stored;
    long long rows;

    stored_open(&stored, data);
    for (int i = 1; i <= COLONY_STORE_HISTORY_MAX + 5500; i++) {
        add_event(&stored, "web", 1, "x");
        if (i % 500 == 0)
            CHECK(sync_now(&stored) == 0);
    }
    rows = ask_file(stored.path, "SELECT count(*) FROM history");
    CHECK(rows >= COLONY_STORE_HISTORY_MAX && rows < COLONY_STORE_HISTORY_MAX + 1000);
    CHECK(ask_file(stored.path, "SELECT max(seq) FROM history") == COLONY_STORE_HISTORY_MAX + 5500);
    CHECK(colony_store_dropped(stored.store) == 0);
    stored_close(&stored);
    stored_open(&stored, data);
    for (int i = 0; i < 2000; i++)
        add_event(&stored, "web", 1, "x");
    CHECK(sync_now(&stored) == 0);
    rows = ask_file(stored.path, "SELECT count(*) FROM history");
    CHECK(rows >= COLONY_STORE_HISTORY_MAX && rows < COLONY_STORE_HISTORY_MAX + 1000);
    stored_close(&stored);
}

FOLDER_TEST(test_history_beyond_the_queue_is_dropped_and_counted)
{
    struct stored stored;
    sqlite3 *other;

    stored_open(&stored, data);
    other = lock_file(stored.path);
    for (int i = 0; i < COLONY_STORE_QUEUE_MAX + QUEUED_MORE; i++)
        add_event(&stored, "web", 1, "x");
    CHECK(colony_store_dropped(stored.store) == QUEUED_MORE);
    CHECK(colony_store_last_seq(stored.store) == COLONY_STORE_QUEUE_MAX + QUEUED_MORE);
    CHECK(sync_now(&stored) == -EBUSY);
    CHECK(strstr(colony_store_trouble(stored.store), "another program has it locked"));
    add_event(&stored, "web", 1, "x"); /* what could not be written still counts */
    CHECK(colony_store_dropped(stored.store) == QUEUED_MORE + 1);
    (void)find_history(&stored, NULL, 0, 0, 3);
    CHECK(stored.count == 3);
    CHECK(sqlite3_close(other) == SQLITE_OK);
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(colony_store_trouble(stored.store), "") == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == COLONY_STORE_QUEUE_MAX);
    add_event(&stored, "web", 1, "x");
    CHECK(colony_store_dropped(stored.store) == QUEUED_MORE + 1);
    stored_close(&stored);
}

FOLDER_TEST(test_closing_writes_what_is_queued_and_answers_who_waits)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "web", NULL);
    CHECK(colony_store_sync(stored.store, on_synced, &stored) == 0);
    put(&stored, "db", NULL);
    add_event(&stored, "db", 1, "last");
    stored.rc = -1;
    stored_close(&stored);
    CHECK(stored.answers == 1 && stored.rc == 0);
    stored_open(&stored, data);
    CHECK(strcmp(list_templates(&stored), "web db ") == 0);
    CHECK(strcmp(find_history(&stored, NULL, 0, 0, 10), "last ") == 0);
    stored_close(&stored);
}

static void close_in_callback(int rc, void *data)
{
    struct stored *stored = data;

    CHECK(rc == 0);
    colony_store_close(stored->store, on_store_closed, stored);
}

FOLDER_TEST(test_closing_inside_a_callback_is_safe)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "web", NULL);
    CHECK(colony_store_sync(stored.store, close_in_callback, &stored) == 0);
    CHECK(colony_store_sync(stored.store, on_synced, &stored) == 0);
    CHECK(uv_run(&stored.loop, UV_RUN_DEFAULT) == 0);
    CHECK(stored.is_closed && stored.answers == 1);
    CHECK(uv_loop_close(&stored.loop) == 0);
}

FOLDER_TEST(test_the_loop_is_kept_only_while_somebody_waits)
{
    struct stored stored;

    stored_open(&stored, data);
    CHECK(uv_run(&stored.loop, UV_RUN_DEFAULT) == 0);
    add_event(&stored, "web", 1, "x");
    put(&stored, "web", NULL);
    CHECK(uv_run(&stored.loop, UV_RUN_DEFAULT) == 0);
    CHECK(colony_store_sync(stored.store, on_synced, &stored) == 0);
    CHECK(uv_run(&stored.loop, UV_RUN_DEFAULT) == 0);
    CHECK(stored.answers == 1);
    colony_store_close(stored.store, NULL, NULL);
    CHECK(uv_run(&stored.loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&stored.loop) == 0);
}

static void put_again(const struct colony_store_template *row, void *data)
{
    struct stored *stored = data;

    put(stored, row->name, "again");
    CHECK(colony_store_remove_template(stored->store, "b") == 0);
    CHECK(colony_store_sync(stored->store, on_synced, stored) == 0);
    stored->count++;
}

FOLDER_TEST(test_templates_may_be_put_and_removed_while_they_are_listed)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "a", "1");
    put(&stored, "b", "1");
    put(&stored, "c", "1");
    stored_close(&stored);
    stored_open(&stored, data);
    CHECK(colony_store_each_template(stored.store, put_again, &stored, NULL) == 0);
    CHECK(stored.count == 3);
    TURN_UNTIL(&stored, stored.answers == 3);
    CHECK(strcmp(list_templates(&stored), "a c ") == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template WHERE settings = 'again'") == 2);
    stored_close(&stored);
}

FOLDER_TEST(test_two_stores_in_one_process_do_not_meet)
{
    struct stored first;
    struct stored second;
    char folder[128];

    (void)snprintf(folder, sizeof folder, "%s/other", (const char *)data);
    CHECK(mkdir(folder, 0700) == 0);
    stored_open(&first, data);
    stored_open(&second, folder);
    put(&first, "one", NULL);
    put(&second, "two", NULL);
    CHECK(sync_now(&first) == 0 && sync_now(&second) == 0);
    CHECK(strcmp(list_templates(&first), "one ") == 0);
    CHECK(strcmp(list_templates(&second), "two ") == 0);
    colony_store_close(first.store, on_store_closed, &first);
    TURN_UNTIL(&first, first.is_closed);
    CHECK(uv_loop_close(&first.loop) == 0);
    put(&second, "three", NULL);
    CHECK(sync_now(&second) == 0);
    stored_close(&second);
}

FOLDER_TEST(test_a_newer_colony_s_file_is_used_as_it_is)
{
    struct stored stored;

    stored_open(&stored, data);
    put(&stored, "web", "x");
    stored_close(&stored);
    CHECK(ask_file(stored.path, "ALTER TABLE template ADD COLUMN more TEXT DEFAULT 'm'") == -1);
    CHECK(ask_file(stored.path, "PRAGMA user_version = 7") == -1);
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    put(&stored, "db", "x");
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(list_templates(&stored), "web db ") == 0);
    stored_close(&stored);
    CHECK(ask_file(stored.path, "PRAGMA user_version") == 7);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template WHERE more = 'm'") == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_file_is_for_its_owner_alone),
        cmocka_unit_test(test_one_that_others_could_read_is_made_private),
        cmocka_unit_test(test_all_of_a_template_is_there_after_reopening),
        cmocka_unit_test(test_templates_come_in_the_order_they_were_first_put),
        cmocka_unit_test(test_rows_that_cannot_be_are_refused),
        cmocka_unit_test(test_a_sync_answers_for_all_that_was_put_before),
        cmocka_unit_test(test_a_put_is_written_without_a_sync_and_events_along_with_it),
        cmocka_unit_test(test_an_event_alone_is_written_by_and_by),
        cmocka_unit_test(test_a_flush_writes_without_a_turn_of_the_loop),
        cmocka_unit_test(test_all_of_an_event_is_kept),
        cmocka_unit_test(test_history_is_found_newest_first_by_name_slot_and_page),
        cmocka_unit_test(test_names_too_long_to_be_are_no_query),
        cmocka_unit_test(test_pages_can_be_turned_from_inside_the_callback),
        cmocka_unit_test(test_bytes_that_are_no_text_survive_in_templates_and_not_in_history),
        cmocka_unit_test(test_a_long_cause_is_cut_between_two_characters),
        cmocka_unit_test(test_the_oldest_history_goes),
        cmocka_unit_test(test_history_beyond_the_queue_is_dropped_and_counted),
        cmocka_unit_test(test_closing_writes_what_is_queued_and_answers_who_waits),
        cmocka_unit_test(test_closing_inside_a_callback_is_safe),
        cmocka_unit_test(test_the_loop_is_kept_only_while_somebody_waits),
        cmocka_unit_test(test_templates_may_be_put_and_removed_while_they_are_listed),
        cmocka_unit_test(test_two_stores_in_one_process_do_not_meet),
        cmocka_unit_test(test_a_newer_colony_s_file_is_used_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
