/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does about its own sudden end, and a disk that fails or hangs. */
#include "stored.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    KILLS = 200,
    NAMES = 20, /* of templates that are put again and again */
};

/* Killed. */

enum {
    UNKNOWN = -2, /* put or removed by one that was killed before it was answered */
    REMOVED = -1, /* as ask_file says it */
};

/* Each seventh write is a removal. */
static int value_of(int number)
{
    return number % 7 == 0 ? REMOVED : number;
}

/* What was written last, told to @fd once it is acknowledged. */
struct teller {
    int number;
    int fd;
    bool is_told;
};

static void tell(int rc, void *data)
{
    struct teller *teller = data;

    CHECK(rc == 0);
    CHECK(write(teller->fd, &teller->number, sizeof teller->number) == sizeof teller->number);
    teller->is_told = true;
}

static void put_until_killed(const char *folder, int first, int fd)
{
    struct teller teller = {.number = first, .fd = fd};
    struct stored stored;
    char name[32];
    char settings[32];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    stored_open(&stored, folder);
    CHECK(stored.aside == NULL);
    for (;; teller.number++) {
        (void)snprintf(name, sizeof name, "t%d", teller.number % NAMES);
        (void)snprintf(settings, sizeof settings, "%d", teller.number);
        add_event(&stored, name, 1, settings);
        if (value_of(teller.number) == REMOVED)
            CHECK(colony_store_remove_template(stored.store, name) == 0);
        else
            put(&stored, name, settings);
        teller.is_told = false;
        CHECK(colony_store_sync(stored.store, tell, &teller) == 0);
        while (!teller.is_told)
            (void)uv_run(&stored.loop, UV_RUN_ONCE);
    }
}

/*
 * Kills one that writes from @first on, at a random moment. Returns the first number that was not
 * acknowledged; what was is in @values, by name.
 */
static int kill_one(const char *folder, int first, unsigned *seed, int values[NAMES])
{
    bool has_begun = rand_r(seed) % 4 != 0; /* else it may be opening */
    int next = first;
    int ends[2];
    int status;
    int number;
    pid_t pid;

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        put_until_killed(folder, first, ends[1]);
    (void)close(ends[1]);
    if (has_begun)
        CHECK(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, DEADLINE_MS) == 1);
    (void)usleep((useconds_t)(rand_r(seed) % 2000)); /* a moment of chance */
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
        CHECK(number == next++);
        values[number % NAMES] = value_of(number);
    }
    (void)close(ends[0]);
    CHECK(!has_begun || next > first);
    return next;
}

static void check_values(const char *path, const int values[NAMES])
{
    char sql[128];

    for (int name = 0; name < NAMES; name++) {
        (void)snprintf(sql, sizeof sql,
                       "SELECT CAST(settings AS INTEGER) FROM template WHERE name = 't%d'", name);
        CHECK(values[name] == UNKNOWN || ask_file(path, sql) == values[name]);
    }
}

FOLDER_TEST(test_nothing_acknowledged_is_lost_by_a_kill)
{
    unsigned seed = (unsigned)getpid();
    int values[NAMES];
    int next = 1; /* the number that is not acknowledged */
    int acknowledged = 0;
    char sql[128];
    char path[256];

    (void)printf("           seed %u\n", seed);
    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    for (int name = 0; name < NAMES; name++)
        values[name] = UNKNOWN;
    for (int i = 0; i < KILLS; i++) {
        int first = next;

        next = kill_one(data, first, &seed, values);
        acknowledged += next - first;
        values[next % NAMES] = UNKNOWN;
        check_values(path, values);
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM history WHERE CAST(cause AS INTEGER) BETWEEN %d AND "
                       "%d",
                       first, next - 1);
        CHECK(next == first || ask_file(path, sql) == next - first);
        next++;
    }
    (void)printf("           %d writes were acknowledged\n", acknowledged);
    CHECK(acknowledged > 0);
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) == 0);
    CHECK(ask_file(path, "SELECT count(*) FROM pragma_integrity_check "
                         "WHERE integrity_check = 'ok'") == 1);
}

/* A disk that fails or hangs: sqlite's own way to the files, with an fsync of ours. */

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    sqlite3_io_methods methods;
    int (*real_sync)(sqlite3_file *file, int flags);
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hangs;
    bool is_hanging;
    bool fails;
    _Atomic unsigned syncs;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int sync_on_disk(sqlite3_file *file, int flags)
{
    int (*real_sync)(sqlite3_file * file, int flags);
    bool fails;

    disk.syncs++;
    (void)pthread_mutex_lock(&disk.lock);
    while (disk.hangs) {
        disk.is_hanging = true;
        (void)pthread_cond_wait(&disk.changed, &disk.lock);
    }
    disk.is_hanging = false;
    fails = disk.fails;
    real_sync = disk.real_sync;
    (void)pthread_mutex_unlock(&disk.lock);
    return fails ? SQLITE_IOERR_FSYNC : real_sync(file, flags);
}

static int open_on_disk(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                        int *flags_out)
{
    int code = disk.real->xOpen(disk.real, path, file, flags, flags_out);

    (void)vfs;
    if (code != SQLITE_OK || !(flags & SQLITE_OPEN_WAL)) /* a commit is in the -wal */
        return code;
    (void)pthread_mutex_lock(&disk.lock);
    if (!disk.real_sync) {
        disk.methods = *file->pMethods;
        disk.real_sync = file->pMethods->xSync;
        disk.methods.xSync = sync_on_disk;
    }
    (void)pthread_mutex_unlock(&disk.lock);
    file->pMethods = &disk.methods;
    return code;
}

static void use_disk(void)
{
    CHECK(sqlite3_initialize() == SQLITE_OK);
    disk.real = sqlite3_vfs_find(NULL);
    CHECK(disk.real);
    disk.vfs = *disk.real;
    disk.vfs.zName = "disk";
    disk.vfs.xOpen = open_on_disk;
    CHECK(sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK);
}

static void set_disk(bool hangs, bool fails)
{
    (void)pthread_mutex_lock(&disk.lock);
    disk.hangs = hangs;
    disk.fails = fails;
    (void)pthread_cond_broadcast(&disk.changed);
    (void)pthread_mutex_unlock(&disk.lock);
}

static bool disk_is_hanging(void)
{
    bool is_hanging;

    (void)pthread_mutex_lock(&disk.lock);
    is_hanging = disk.is_hanging;
    (void)pthread_mutex_unlock(&disk.lock);
    return is_hanging;
}

FOLDER_TEST(test_a_thousand_events_are_one_write)
{
    struct stored stored;

    use_disk();
    stored_open(&stored, data);
    add_event(&stored, "web", 1, "x");
    CHECK(sync_now(&stored) == 0);
    disk.syncs = 0;
    for (int i = 0; i < 1000; i++)
        add_event(&stored, "web", 1, "x");
    EVENTUALLY(ask_file(stored.path, "SELECT count(*) FROM history") == 1001);
    CHECK(disk.syncs == 1);
    stored_close(&stored);
}

FOLDER_TEST(test_a_failing_disk_is_told_and_tried_again)
{
    struct stored stored;

    use_disk();
    stored_open(&stored, data);
    put(&stored, "a", NULL);
    CHECK(sync_now(&stored) == 0);
    set_disk(false, true);
    put(&stored, "b", NULL);
    CHECK(sync_now(&stored) == -EIO);
    CHECK(strstr(colony_store_trouble(stored.store), "see the kernel's log"));
    set_disk(false, false);
    CHECK(sync_now(&stored) == 0); /* also without another put */
    CHECK(strcmp(colony_store_trouble(stored.store), "") == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template") == 2);
    stored_close(&stored);
}

FOLDER_TEST(test_a_slow_disk_holds_up_neither_the_loop_nor_the_order)
{
    struct stored stored;

    use_disk();
    stored_open(&stored, data);
    put(&stored, "a", "1");
    CHECK(sync_now(&stored) == 0);
    set_disk(true, false);
    put(&stored, "a", "2");
    EVENTUALLY(disk_is_hanging());
    put(&stored, "a", "3");
    CHECK(colony_store_remove_template(stored.store, "a") == 0);
    put(&stored, "a", "4");
    CHECK(colony_store_sync(stored.store, on_synced, &stored) == 0);
    for (int i = 0; i < 100; i++)
        (void)uv_run(&stored.loop, UV_RUN_NOWAIT);
    CHECK(stored.answers == 1);
    set_disk(false, false);
    TURN_UNTIL(&stored, stored.answers == 2);
    CHECK(stored.rc == 0);
    CHECK(ask_file(stored.path, "SELECT count(*) FROM template WHERE settings = '4'") == 1);
    stored_close(&stored);
}

FOLDER_TEST(test_a_disk_that_hangs_does_not_hold_up_the_end)
{
    struct stored stored;

    use_disk();
    stored_open(&stored, data);
    put(&stored, "a", NULL);
    CHECK(sync_now(&stored) == 0);
    set_disk(true, false);
    put(&stored, "b", NULL);
    CHECK(colony_store_sync(stored.store, on_synced, &stored) == 0);
    EVENTUALLY(disk_is_hanging());
    CHECK(colony_store_history(stored.store, &(struct colony_store_query){.limit = 1}, on_history,
                               &stored) == 0);
    colony_store_close(stored.store, on_store_closed, &stored);
    TURN_UNTIL(&stored, stored.is_closed);
    CHECK(stored.answers == 3 && stored.rc == -ECANCELED);
    CHECK(uv_loop_close(&stored.loop) == 0);
    set_disk(false, false); /* it comes back when nobody expects it any more */
    EVENTUALLY(ask_file(stored.path, "SELECT count(*) FROM template") == 2);
}

FOLDER_TEST(test_a_flush_does_not_wait_for_a_disk_that_fails_nor_for_ever)
{
    struct stored stored;
    uint64_t began_ms;

    use_disk();
    stored_open(&stored, data);
    set_disk(false, true);
    add_event(&stored, "web", 1, "x");
    began_ms = clock_ms();
    colony_store_flush(stored.store);
    CHECK(clock_ms() - began_ms < 4000);
    set_disk(true, false);
    began_ms = clock_ms();
    colony_store_flush(stored.store);
    CHECK(clock_ms() - began_ms >= 4000); /* and it has come back */
    set_disk(false, false);
    EVENTUALLY(ask_file(stored.path, "SELECT count(*) FROM history") == 1);
    (void)uv_run(&stored.loop, UV_RUN_NOWAIT); /* it learns what time it is */
    stored_close(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost_by_a_kill),
        cmocka_unit_test(test_a_thousand_events_are_one_write),
        cmocka_unit_test(test_a_failing_disk_is_told_and_tried_again),
        cmocka_unit_test(test_a_slow_disk_holds_up_neither_the_loop_nor_the_order),
        cmocka_unit_test(test_a_disk_that_hangs_does_not_hold_up_the_end),
        cmocka_unit_test(test_a_flush_does_not_wait_for_a_disk_that_fails_nor_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
