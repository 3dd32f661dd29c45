/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does about a disk that is full or read-only. */
#include "stored.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum {
    SMALL_DISK = 1 << 20,
};

static void check_full(struct stored *stored, int error, const char *advice)
{
    int rc;

    put(stored, "before", NULL);
    CHECK(sync_now(stored) == 0);
    fill_with(stored, "full", SMALL_DISK / TEXT_MAX * 2);
    rc = sync_now(stored);
    if (rc != error)
        (void)fprintf(stderr, "%d: %s\n", rc, colony_store_trouble(stored->store));
    CHECK(rc == error);
    CHECK(strstr(colony_store_trouble(stored->store), "cannot write "));
    CHECK(strstr(colony_store_trouble(stored->store), advice));
    add_event(stored, "web", 1, "full");
    put(stored, "while it is full", NULL);
    CHECK(sync_now(stored) == error);
    CHECK(colony_store_remove_template(stored->store, "before") == 0);
    CHECK(strcmp(find_history(stored, NULL, 0, 0, 10), "full ") == 0);
}

/* There is space again. */
static void check_written(struct stored *stored)
{
    put(stored, "after", NULL);
    CHECK(sync_now(stored) == 0);
    CHECK(strcmp(colony_store_trouble(stored->store), "") == 0);
    CHECK(ask_file(stored->path, "SELECT count(*) FROM template") == SMALL_DISK / TEXT_MAX * 2 + 2);
    CHECK(ask_file(stored->path, "SELECT count(*) FROM template WHERE name = 'before'") == 0);
    CHECK(ask_file(stored->path, "SELECT count(*) FROM template WHERE name = 'after'") == 1);
    CHECK(strcmp(find_history(stored, NULL, 0, 0, 10), "full ") == 0);
    CHECK(colony_store_dropped(stored->store) == 0);
}

FOLDER_TEST(test_what_could_not_grow_is_written_later)
{
    struct rlimit limit = {SMALL_DISK, RLIM_INFINITY};
    struct stored stored;

    (void)signal(SIGXFSZ, SIG_IGN);
    stored_open(&stored, data);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    check_full(&stored, -EFBIG, "raise the limit of file sizes");
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    check_written(&stored);
    stored_close(&stored);
}

FOLDER_TEST(test_what_a_full_disk_did_not_take_is_written_later)
{
    struct stored stored;

    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        skip_in_child("a disk to fill takes root");
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("tmpfs", data, "tmpfs", 0, "size=1m") == 0);
    stored_open(&stored, data);
    check_full(&stored, -ENOSPC, "the disk is full: free some space");
    CHECK(mount("tmpfs", data, "tmpfs", MS_REMOUNT, "size=64m") == 0);
    check_written(&stored);
    stored_close(&stored);
    CHECK(umount(data) == 0);
}

FOLDER_TEST(test_what_was_not_taken_is_written_later_by_itself)
{
    struct stored stored;
    sqlite3 *other;

    stored_open(&stored, data);
    other = lock_file(stored.path);
    put(&stored, "web", NULL);
    CHECK(sync_now(&stored) == -EBUSY);
    CHECK(sqlite3_close(other) == SQLITE_OK);
    TURN_UNTIL(&stored, (find_history(&stored, NULL, 0, 0, 1), stored.store) &&
                            *colony_store_trouble(stored.store) == '\0');
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 1);
    stored_close(&stored);
}

FOLDER_TEST(test_on_a_read_only_disk_the_reason_is_told)
{
    struct stored stored;

    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        skip_in_child("a disk that is read-only takes root");
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CHECK(mount("tmpfs", data, "tmpfs", 0, "size=1m") == 0);
    make_store(&stored, data);
    CHECK(mount("tmpfs", data, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK(stored_try(&stored, data) == -EROFS);
    CHECK(strstr(stored.err.message, "it is read-only: mount its file system for writing"));
    CHECK(uv_loop_close(&stored.loop) == 0);
    CHECK(umount(data) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_could_not_grow_is_written_later),
        cmocka_unit_test(test_what_a_full_disk_did_not_take_is_written_later),
        cmocka_unit_test(test_what_was_not_taken_is_written_later_by_itself),
        cmocka_unit_test(test_on_a_read_only_disk_the_reason_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
