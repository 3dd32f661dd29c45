/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does about damage, full and hung disks, and its own sudden end. */
#include "stored.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum {
    TEXT_MAX = 3000, /* of what is put to fill a file */
    PAGE = 4096,
    KILLS = 200,
    NAMES = 20, /* of templates that are put again and again */
    SMALL_DISK = 1 << 20,
};

static char filler[TEXT_MAX];

static void fill_with(struct stored *stored, const char *prefix, int count)
{
    char name[32];

    memset(filler, 'x', sizeof filler - 1);
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%s%d", prefix, i);
        put(stored, name, filler);
    }
}

static void add_history(struct stored *stored, int count)
{
    memset(filler, 'x', sizeof filler - 1);
    for (int i = 0; i < count; i++)
        add_event(stored, "web", 1, filler);
}

/* How many entries of @folder begin with @prefix; the last of them in @path. */
static int find_files(const char *folder, const char *prefix, char *path, size_t size)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int found = 0;

    CHECK(dir);
    while ((entry = readdir(dir))) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        found++;
        if (path)
            (void)snprintf(path, size, "%s/%s", folder, entry->d_name);
    }
    (void)closedir(dir);
    return found;
}

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

/* A sound store with something in it, closed. */
static void make_store(struct stored *stored, const char *folder)
{
    stored_open(stored, folder);
    fill_with(stored, "old", 20);
    add_history(stored, 200);
    CHECK(sync_now(stored) == 0);
    stored_close(stored);
}

STORE_TEST(test_a_text_file_is_moved_aside)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    write_file(path, "processes:\n  web:\n", 18);
    check_begun_anew(data);
}

STORE_TEST(test_noise_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    damage_pages(stored.path, 0, pages_of(stored.path));
    check_begun_anew(data);
}

STORE_TEST(test_noise_behind_a_sound_head_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    damage_pages(stored.path, 1, pages_of(stored.path) - 1);
    check_begun_anew(data);
}

STORE_TEST(test_a_truncated_file_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(truncate(stored.path, PAGE) == 0);
    check_begun_anew(data);
}

STORE_TEST(test_a_file_cut_in_its_first_page_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(truncate(stored.path, 50) == 0);
    check_begun_anew(data);
}

STORE_TEST(test_an_empty_file_is_a_new_one)
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

STORE_TEST(test_somebody_else_s_database_is_moved_aside_unchanged)
{
    char path[256];
    char aside[300];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    write_file(path, "", 0);
    CHECK(ask_file(path, "CREATE TABLE template (place, name, theirs)") == -1);
    CHECK(ask_file(path, "INSERT INTO template VALUES (1, 'web', 'x')") == -1);
    check_begun_anew(data);
    CHECK(find_files(data, "state.db.damaged-", aside, sizeof aside) == 1);
    CHECK(ask_file(aside, "SELECT place FROM template WHERE theirs = 'x'") == 1);
    CHECK(ask_file(aside, "PRAGMA application_id") == 0);
}

STORE_TEST(test_one_of_ours_without_our_tables_is_moved_aside)
{
    struct stored stored;

    make_store(&stored, data);
    CHECK(ask_file(stored.path, "DROP TABLE history") == -1);
    check_begun_anew(data);
}

STORE_TEST(test_a_folder_in_its_place_is_moved_aside)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    CHECK(mkdir(path, 0700) == 0);
    check_begun_anew(data);
}

STORE_TEST(test_a_fifo_in_its_place_is_moved_aside)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    CHECK(mkfifo(path, 0600) == 0);
    check_begun_anew(data);
}

STORE_TEST(test_each_damaged_file_gets_a_name_of_its_own)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/state.db", (const char *)data);
    for (int i = 0; i < 5; i++) {
        write_file(path, "no database", 11);
        check_begun_anew(data);
    }
    CHECK(find_files(data, "state.db.damaged-", NULL, 0) == 5);
}

STORE_TEST(test_where_nothing_can_be_the_reason_is_told)
{
    struct stored stored;
    char folder[128];

    (void)snprintf(folder, sizeof folder, "%s/none", (const char *)data);
    CHECK(stored_try(&stored, folder) == -ENOENT);
    CHECK(strstr(stored.err.message, "cannot open ") == stored.err.message);
    CHECK(strstr(stored.err.message, "No such file or directory"));
    CHECK(uv_loop_close(&stored.loop) == 0);
}

STORE_TEST(test_one_that_may_not_be_read_is_left_alone)
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

STORE_TEST(test_damage_found_by_a_write_costs_no_template)
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

STORE_TEST(test_damage_found_by_a_query_costs_no_template)
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

STORE_TEST(test_a_disk_that_damages_everything_is_not_filled_with_copies)
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

STORE_TEST(test_damage_that_nobody_reads_is_found_after_a_sudden_end)
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

STORE_TEST(test_a_sound_file_stays_after_a_sudden_end)
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

STORE_TEST(test_a_file_that_was_removed_is_made_again)
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

/* Full. */

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

STORE_TEST(test_what_could_not_grow_is_written_later)
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

STORE_TEST(test_what_a_full_disk_did_not_take_is_written_later)
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

STORE_TEST(test_what_was_not_taken_is_written_later_by_itself)
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

STORE_TEST(test_on_a_read_only_disk_the_reason_is_told)
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
    if (rand_r(seed) % 4 != 0) /* else while it opens */
        CHECK(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, DEADLINE_MS) == 1);
    for (int wait = rand_r(seed) % 4000; wait > 0; wait--)
        (void)sched_yield();
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
        CHECK(number == first++);
        values[number % NAMES] = value_of(number);
    }
    (void)close(ends[0]);
    return first;
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

STORE_TEST(test_nothing_acknowledged_is_lost_by_a_kill)
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
    CHECK(acknowledged > KILLS);
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

STORE_TEST(test_a_thousand_events_are_one_write)
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

STORE_TEST(test_a_failing_disk_is_told_and_tried_again)
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

STORE_TEST(test_a_slow_disk_holds_up_neither_the_loop_nor_the_order)
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

STORE_TEST(test_a_disk_that_hangs_does_not_hold_up_the_end)
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
        cmocka_unit_test(test_what_could_not_grow_is_written_later),
        cmocka_unit_test(test_what_a_full_disk_did_not_take_is_written_later),
        cmocka_unit_test(test_what_was_not_taken_is_written_later_by_itself),
        cmocka_unit_test(test_on_a_read_only_disk_the_reason_is_told),
        cmocka_unit_test(test_nothing_acknowledged_is_lost_by_a_kill),
        cmocka_unit_test(test_a_thousand_events_are_one_write),
        cmocka_unit_test(test_a_failing_disk_is_told_and_tried_again),
        cmocka_unit_test(test_a_slow_disk_holds_up_neither_the_loop_nor_the_order),
        cmocka_unit_test(test_a_disk_that_hangs_does_not_hold_up_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
