/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of events: each is given once, and what was told and never written is counted. */
#include "stored.h"

#include <sys/wait.h>

#include "core/table.h"

enum {
    BOOT_ID_AT = 24, /* in the file */
    IDS_BYTES = 40,
    HOUR_MS = 3600000,
};

static void ids_path(char *path, size_t size, const void *folder)
{
    (void)snprintf(path, size, "%s/state.db-ids", (const char *)folder);
}

static void *read_ids(const void *folder)
{
    static uint8_t bytes[IDS_BYTES];
    char path[256];
    int fd;

    ids_path(path, sizeof path, folder);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes);
    CHECK(close(fd) == 0);
    return bytes;
}

/* As a machine leaves it that went down while colony ran, and has another boot id now. */
static void crash_machine(const void *folder, bool was_open)
{
    uint8_t *bytes = read_ids(folder);
    char path[256];

    if (was_open)
        memset(bytes + BOOT_ID_AT, 0xee, 16);
    ids_path(path, sizeof path, folder);
    write_file(path, bytes, IDS_BYTES);
}

/* Tells @written events that come to the disk and @lost that do not, and is killed. */
static void tell_and_die(void *folder, int written, int lost, uint64_t first)
{
    struct stored stored;
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid > 0) {
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGKILL);
        return;
    }
    stored_open(&stored, folder);
    CHECK(colony_store_opened_seq(stored.store) == first - 1);
    for (int i = 0; i < written; i++)
        add_event(&stored, "web", 1, "written");
    if (written > 0)
        CHECK(sync_now(&stored) == 0);
    for (int i = 0; i < lost; i++)
        add_event(&stored, "web", 1, "lost");
    CHECK(colony_store_last_seq(stored.store) == first - 1 + (uint64_t)(written + lost));
    (void)kill(getpid(), SIGKILL);
}

static void check_opened(struct stored *stored, const void *folder, uint64_t opened, uint64_t lost)
{
    stored_open(stored, folder);
    CHECK(colony_store_opened_seq(stored->store) == opened);
    CHECK(colony_store_last_seq(stored->store) == opened);
    CHECK(colony_store_dropped(stored->store) == lost);
}

FOLDER_TEST(test_ids_go_on_over_kills_before_the_first_write)
{
    struct stored stored;

    tell_and_die(data, 0, 3, 1);
    tell_and_die(data, 0, 2, 4);
    tell_and_die(data, 0, 0, 6);
    tell_and_die(data, 2, 0, 6);
    tell_and_die(data, 0, 4, 8);
    check_opened(&stored, data, 11, 4);
    add_event(&stored, "web", 1, "next");
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT max(seq) FROM history") == 12);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 3);
    stored_close(&stored);
    check_opened(&stored, data, 12, 0);
    stored_close(&stored);
}

FOLDER_TEST(test_a_kill_takes_nothing_from_a_short_history)
{
    struct stored stored;

    tell_and_die(data, 90, 5, 1);
    check_opened(&stored, data, 95, 5);
    colony_store_set_keep(stored.store, &(const struct colony_store_keep){.rows = 100});
    add_event(&stored, "web", 1, "next");
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 91);
    stored_close(&stored);
}

FOLDER_TEST(test_ids_go_on_when_all_was_too_old)
{
    struct stored stored;

    stored_open(&stored, data);
    colony_store_set_keep(stored.store, &(const struct colony_store_keep){100, HOUR_MS});
    for (int i = 0; i < 3; i++)
        colony_store_add_event(stored.store, &(const struct colony_store_event){
                                                 .name = "web", .event = "start", .at_ms = 1000});
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM history") == 0);
    stored_close(&stored);
    check_opened(&stored, data, 3, 0);
    stored_close(&stored);
}

FOLDER_TEST(test_ids_go_on_without_the_database)
{
    struct stored stored;

    make_store(&stored, data);
    write_file(stored.path, "no database", 11);
    check_opened(&stored, data, 200, 0);
    CHECK(stored.aside);
    stored_close(&stored);
    CHECK(unlink(stored.path) == 0);
    check_opened(&stored, data, 200, 0);
    stored_close(&stored);
}

FOLDER_TEST(test_ids_that_the_machine_may_have_forgotten_are_skipped)
{
    struct stored stored;

    tell_and_die(data, 5, 0, 1);
    crash_machine(data, true);
    tell_and_die(data, 1, 0, 1006);
    check_opened(&stored, data, 1006, 0);
    stored_close(&stored);
    crash_machine(data, false);
    check_opened(&stored, data, 1006, 0);
    stored_close(&stored);
}

/* Of the database alone nobody knows what was told after it. */
FOLDER_TEST(test_without_the_file_or_with_another_s_ids_are_skipped)
{
    uint8_t bytes[IDS_BYTES];
    struct stored stored;
    char path[256];

    ids_path(path, sizeof path, data);
    make_store(&stored, data);
    CHECK(unlink(path) == 0);
    check_opened(&stored, data, 1200, 0);
    stored_close(&stored);
    write_file(path, "", 0);
    check_opened(&stored, data, 1200, 0);
    stored_close(&stored);
    memcpy(bytes, read_ids(data), sizeof bytes);
    memset(bytes + 8, 0x7f, 8); /* beyond all ids */
    write_file(path, bytes, sizeof bytes);
    check_opened(&stored, data, 1200, 0);
    stored_close(&stored);
    memset(bytes, 'x', sizeof bytes);
    write_file(path, bytes, sizeof bytes);
    check_opened(&stored, data, 1200, 0);
    add_event(&stored, "web", 1, "next");
    stored_close(&stored);
    check_opened(&stored, data, 1201, 0);
    stored_close(&stored);
}

FOLDER_TEST(test_where_ids_cannot_be_noted_it_goes_on)
{
    struct stored stored;
    char path[256];

    ids_path(path, sizeof path, data);
    make_store(&stored, data);
    CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    check_opened(&stored, data, 1200, 0);
    add_event(&stored, "web", 1, "next");
    CHECK(sync_now(&stored) == 0);
    CHECK(ask_file(stored.path, "SELECT max(seq) FROM history") == 1201);
    stored_close(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_go_on_over_kills_before_the_first_write),
        cmocka_unit_test(test_a_kill_takes_nothing_from_a_short_history),
        cmocka_unit_test(test_ids_go_on_when_all_was_too_old),
        cmocka_unit_test(test_ids_go_on_without_the_database),
        cmocka_unit_test(test_ids_that_the_machine_may_have_forgotten_are_skipped),
        cmocka_unit_test(test_without_the_file_or_with_another_s_ids_are_skipped),
        cmocka_unit_test(test_where_ids_cannot_be_noted_it_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
