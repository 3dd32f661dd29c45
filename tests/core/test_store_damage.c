/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does about a file that is damaged, or not its own. */
#include "stored.h"

#include <sched.h>
#include <sys/mount.h>

enum {
    PAGE = 4096,
};

/* Overwrites the pages @first and following (from 0) of a file with noise. */
static void damage_pages(const char *path, int first, int count)
{
    unsigned char noise[PAGE];
    unsigned seed = 1;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    for (int page = first; page < first + count; page++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (unsigned char)rand_r(&seed);
        CHECK(pwrite(fd, noise, sizeof noise, (off_t)page * PAGE) == PAGE);
    }
    CHECK(close(fd) == 0);
}

static int pages_of(const char *path)
{
    struct stat info;

    CHECK(stat(path, &info) == 0);
    return (int)(info.st_size / PAGE);
}

/* The store that stands there is moved aside, told, and the fresh one works. */
static void check_begun_anew(const char *folder)
{
    struct stored stored;
    struct stat before;
    struct stat after;

    (void)snprintf(stored.path, sizeof stored.path, "%s/state.db", folder);
    CHECK(stat(stored.path, &before) == 0);
    stored_open(&stored, folder);
    CHECK(stored.aside);
    CHECK(strncmp(stored.aside, stored.path, strlen(stored.path)) == 0);
    CHECK(strncmp(stored.aside + strlen(stored.path), ".damaged-", 9) == 0);
    CHECK(stat(stored.aside, &after) == 0);
    CHECK(after.st_ino == before.st_ino && after.st_size == before.st_size);
    CHECK(strcmp(list_templates(&stored), "") == 0);
    put(&stored, "new", NULL);
    CHECK(sync_now(&stored) == 0);
    stored_close(&stored);
    stored_open(&stored, folder);
    CHECK(stored.aside == NULL);
    CHECK(strcmp(list_templates(&stored), "new ") == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_a_text_file_is_moved_aside)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    write_file(path, "processes:\n  web:\n", 18);
    check_begun_anew(data);
}

FOLDER_TEST(test_noise_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    damage_pages(stored.path, 0, pages_of(stored.path));
    check_begun_anew(data);
}

FOLDER_TEST(test_noise_behind_a_sound_head_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    damage_pages(stored.path, 1, pages_of(stored.path) - 1);
    check_begun_anew(data);
}

FOLDER_TEST(test_a_truncated_file_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(truncate(stored.path, PAGE) == 0);
    check_begun_anew(data);
}

FOLDER_TEST(test_a_file_cut_in_its_first_page_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(truncate(stored.path, 50) == 0);
    check_begun_anew(data);
}

FOLDER_TEST(test_an_empty_file_is_a_new_one)
{
    struct stored stored;
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    write_file(path, "", 0);
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    put(&stored, "web", NULL);
    CHECK(sync_now(&stored) == 0);
    stored_close(&stored);
}

FOLDER_TEST(test_somebody_else_s_database_is_moved_aside_unchanged)
{
    char path[256];
    char aside[512];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    write_file(path, "", 0);
    CHECK(ask_file(path, "CREATE TABLE template (place, name, theirs)") == -1);
    CHECK(ask_file(path, "INSERT INTO template VALUES (1, 'web', 'x')") == -1);
    check_begun_anew(data);
    CHECK(find_files(data, "state.db.damaged-", aside, sizeof aside) == 1);
    CHECK(ask_file(aside, "SELECT place FROM template WHERE theirs = 'x'") == 1);
    CHECK(ask_file(aside, "PRAGMA application_id") == 0);
}

FOLDER_TEST(test_one_of_ours_without_our_tables_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(ask_file(stored.path, "DROP TABLE history") == -1);
    check_begun_anew(data);
}

FOLDER_TEST(test_a_folder_in_its_place_is_moved_aside)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    CHECK(mkdir(path, 0700) == 0);
    check_begun_anew(data);
}

FOLDER_TEST(test_a_fifo_in_its_place_is_moved_aside)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    CHECK(mkfifo(path, 0600) == 0);
    check_begun_anew(data);
}

FOLDER_TEST(test_each_damaged_file_gets_a_name_of_its_own)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    for (int i = 0; i < 5; i++) {
        write_file(path, "no database", 11);
        check_begun_anew(data);
    }
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) == 5);
}

FOLDER_TEST(test_where_nothing_can_be_the_reason_is_told)
{
    struct stored stored;
    char folder[128];

    (void)snprintf(folder, sizeof folder, "%s/none", (const char *)data);
    CHECK(stored_try(&stored, folder) == -ENOENT);
    CHECK(strstr(stored.err.message, "cannot open ") == stored.err.message);
    CHECK(strstr(stored.err.message, "No such file or directory"));
    CHECK(uv_loop_close(&stored.loop) == 0);
}

FOLDER_TEST(test_one_that_may_not_be_read_is_left_alone)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(chmod(stored.path, 0) == 0);
    CHECK(chmod(data, 0755) == 0);
    drop_rights();
    CHECK(stored_try(&stored, data) == -EACCES);
    CHECK(strstr(stored.err.message, "permission denied: let colony's user read and write"));
    CHECK(stored.aside == NULL);
    CHECK(uv_loop_close(&stored.loop) == 0);
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) == 0);
}

/* While it is used. */

/* Makes an open store read what is in the file, not what it remembers of it. */
static void forget_pages(const char *path)
{
    CHECK(ask_file(path, "PRAGMA wal_checkpoint(TRUNCATE)") >= 0);
    CHECK(ask_file(path, "PRAGMA user_version = 1") == -1);
}

FOLDER_TEST(test_damage_found_by_a_write_costs_no_template)
{
    struct stored stored;

    make_store(&stored, data);
    stored_open(&stored, data);
    put(&stored, "before", "1");
    CHECK(sync_now(&stored) == 0);
    forget_pages(stored.path);
    damage_pages(stored.path, 1, pages_of(stored.path) - 1);
    put(&stored, "after", "1");
    CHECK(colony_store_remove_template(stored.store, "old0") == 0);
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(colony_store_trouble(stored.store), "") == 0);
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) >= 1);
    stored_close(&stored);
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    (void)list_templates(&stored);
    CHECK(stored.count == 21);
    CHECK(strncmp(stored.summary, "old1 ", 5) == 0 && strstr(stored.summary, " before after "));
    stored_close(&stored);
}

FOLDER_TEST(test_damage_found_by_a_query_costs_no_template)
{
    struct stored stored;

    make_store(&stored, data);
    stored_open(&stored, data);
    forget_pages(stored.path);
    damage_pages(stored.path, 1, pages_of(stored.path) - 1);
    CHECK(strcmp(find_history(&stored, NULL, 0, 0, 10), "") == 0);
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) >= 1);
    add_event(&stored, "web", 1, "goes on");
    CHECK(sync_now(&stored) == 0);
    CHECK(strcmp(find_history(&stored, NULL, 0, 0, 10), "goes on ") == 0);
    stored_close(&stored);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 20);
}

FOLDER_TEST(test_a_disk_that_damages_everything_is_not_filled_with_copies)
{
    struct stored stored;

    make_store(&stored, data);
    stored_open(&stored, data);
    for (int i = 0; i < 4; i++) {
        forget_pages(stored.path);
        damage_pages(stored.path, 1, pages_of(stored.path) - 1);
        put(&stored, "web", "1");
        CHECK(sync_now(&stored) == (i == 0 ? 0 : -EUCLEAN));
    }
    CHECK(strstr(colony_store_trouble(stored.store), "damaged again"));
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) <= 3); /* one, its -wal and -shm */
    stored_close(&stored);
}

static void fill_until_killed(void *folder)
{
    struct stored stored;

    stored_open(&stored, folder);
    fill_with(&stored, "old", 20);
    add_history(&stored, 200);
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "PRAGMA wal_checkpoint(FULL)") == 0);
    add_history(&stored, 1); /* which stays in the -wal */
    CHECK(sync_now(&stored) == 0);
    (void)kill(getpid(), SIGKILL);
}

static void kill_one_that_fills(void *folder)
{
    pid_t pid = fork();
    int status;

    CHECK(pid >= 0);
    if (pid == 0)
        fill_until_killed(folder);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

FOLDER_TEST(test_damage_that_nobody_reads_is_found_after_a_sudden_end)
{
    struct stored stored;

    kill_one_that_fills(data);
    (void)snprintf(stored.path, sizeof stored.path, "%s/state.db", (const char *)data);
    damage_pages(stored.path, pages_of(stored.path) - 3, 2); /* oldest history is there, or so */
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    put(&stored, "new", NULL);
    CHECK(sync_now(&stored) == 0);
    EVENTUALLY(find_files(data, "state.db.damaged-", NULL, 0) > 0);
    CHECK(sync_now(&stored) == 0);
    stored_close(&stored);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 21);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 0);
}

FOLDER_TEST(test_a_sound_file_stays_after_a_sudden_end)
{
    struct stored stored;

    kill_one_that_fills(data);
    stored_open(&stored, data);
    CHECK(stored.aside == NULL);
    put(&stored, "new", NULL);
    CHECK(sync_now(&stored) == 0);
    stored_close(&stored);
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 21);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 201);
}

FOLDER_TEST(test_a_file_that_was_removed_is_made_again)
{
    struct stored stored;

    make_store(&stored, data);
    stored_open(&stored, data);
    CHECK(unlink(stored.path) == 0);
    put(&stored, "new", NULL);
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 21);
    stored_close(&stored);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_text_file_is_moved_aside),
        cmocka_unit_test(test_noise_is_moved_aside),
        cmocka_unit_test(test_noise_behind_a_sound_head_is_moved_aside),
        cmocka_unit_test(test_a_truncated_file_is_moved_aside),
        cmocka_unit_test(test_a_file_cut_in_its_first_page_is_moved_aside),
        cmocka_unit_test(test_an_empty_file_is_a_new_one),
        cmocka_unit_test(test_somebody_else_s_database_is_moved_aside_unchanged),
        cmocka_unit_test(test_one_of_ours_without_our_tables_is_moved_aside),
        cmocka_unit_test(test_a_folder_in_its_place_is_moved_aside),
        cmocka_unit_test(test_a_fifo_in_its_place_is_moved_aside),
        cmocka_unit_test(test_each_damaged_file_gets_a_name_of_its_own),
        cmocka_unit_test(test_where_nothing_can_be_the_reason_is_told),
        cmocka_unit_test(test_one_that_may_not_be_read_is_left_alone),
        cmocka_unit_test(test_damage_found_by_a_write_costs_no_template),
        cmocka_unit_test(test_damage_found_by_a_query_costs_no_template),
        cmocka_unit_test(test_a_disk_that_damages_everything_is_not_filled_with_copies),
        cmocka_unit_test(test_damage_that_nobody_reads_is_found_after_a_sudden_end),
        cmocka_unit_test(test_a_sound_file_stays_after_a_sudden_end),
        cmocka_unit_test(test_a_file_that_was_removed_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
