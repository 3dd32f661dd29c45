/* SPDX-License-Identifier: Apache-2.0 */
#include "logged.h"

#include <sys/resource.h>

enum {
    LOGS = 60,
    BYTES_MAX = 4 << 20,
};

static char given[BYTES_MAX];
static char found[BYTES_MAX];

static void check_file(const char *path, const char *bytes, size_t size)
{
    CHECK(read_file(path, found, sizeof found) == (ssize_t)size);
    CHECK(memcmp(found, bytes, size) == 0);
}

LOG_TEST(test_closing_a_log_moves_what_its_pipe_holds)
{
    struct logged logged = {0};
    size_t size;

    make_lines(given, sizeof given / 64, 64);
    logged_init(&logged, data);
    (void)fcntl(logged.write_fd, F_SETPIPE_SZ, 1 << 20);
    size = fill_pipe(logged.write_fd, given, sizeof given);
    colony_log_close(logged.log);
    TURN_UNTIL(&logged, size_of(logged.path) == (off_t)size);
    check_file(logged.path, given, size);
    logged_close(&logged);
}

LOG_TEST(test_closing_all_moves_what_all_pipes_hold)
{
    struct logged logged = {0};
    struct colony_log *log;
    char path[LOGS][300];
    size_t sizes[LOGS];
    int fds[LOGS];

    make_lines(given, sizeof given / 64, 64);
    logged_init(&logged, data);
    for (size_t i = 0; i < LOGS; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%zu.log", (const char *)data, i);
        fds[i] = open_log(&logged, path[i], &log);
        sizes[i] = fill_pipe(fds[i], given + 64 * i, sizeof given / 2);
    }
    logged_close(&logged);
    for (size_t i = 0; i < LOGS; i++) {
        check_file(path[i], given + 64 * i, sizes[i]);
        (void)close(fds[i]);
    }
}

LOG_TEST(test_many_logs_are_moved_side_by_side)
{
    struct logged logged = {.settings = {.size_bytes = 1 << 20, .count = 5}};
    struct colony_log *logs[LOGS];
    char path[LOGS][300];
    int fds[LOGS];

    make_lines(given, sizeof given / 64, 64);
    logged_init(&logged, data);
    for (size_t i = 0; i < LOGS; i++) {
        (void)snprintf(path[i], sizeof path[i], "%s/%zu.log", (const char *)data, i);
        fds[i] = open_log(&logged, path[i], &logs[i]);
    }
    for (size_t part = 0; part < 10; part++)
        for (size_t i = 0; i < LOGS; i++)
            write_out(&logged, fds[i], given + 64 * i + part * 6400, 6400);
    for (size_t i = 0; i < LOGS; i++) {
        TURN_UNTIL(&logged, size_of(path[i]) == 64000);
        check_file(path[i], given + 64 * i, 64000);
        CHECK(colony_log_status(logs[i]) == LOG_OK);
        (void)close(fds[i]);
    }
    logged_close(&logged);
}

LOG_TEST(test_nothing_stays_open_or_allocated)
{
    struct logged logged = {0};
    unsigned before = 0;

    for (int round = 0; round < 3; round++) {
        logged = (struct logged){0};
        logged_init(&logged, data);
        write_out(&logged, logged.write_fd, "x\n", 2);
        if (round == 1)
            colony_log_close(logged.log);
        logged_close(&logged);
        CHECK(round == 0 || count_fds() == before); /* libuv keeps some of its own */
        before = count_fds();
    }
    CHECK(size_of(logged.path) == 6);
}

LOG_TEST(test_one_that_is_closed_is_not_told_any_more)
{
    struct rlimit limit = {0, RLIM_INFINITY};
    struct logged logged = {.settings = {.on_full = LOG_FULL_DROP}};

    make_lines(given, 100, 100);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 10;
    (void)signal(SIGXFSZ, SIG_IGN);
    logged_init(&logged, data);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(write(logged.write_fd, given, 1000) == 1000);
    while (colony_log_status(logged.log) == LOG_OK)
        (void)poll(NULL, 0, 1); /* the change waits to be told; the loop is not turned */
    colony_log_close(logged.log);
    for (int i = 0; i < 20; i++)
        (void)uv_run(&logged.loop, UV_RUN_NOWAIT);
    CHECK(logged.status_count == 0);
    logged_close(&logged);
}

LOG_TEST(test_a_log_that_waits_is_tried_again_also_while_others_are_busy)
{
    struct logged logged = {.settings = {.on_full = LOG_FULL_BLOCK}};
    struct colony_log *busy;
    char folder[300];
    char path[400];
    int waiting_fd;
    int busy_fd;
    struct colony_log *waiting;

    (void)snprintf(folder, sizeof folder, "%s/later", (const char *)data);
    (void)snprintf(path, sizeof path, "%s/x.log", folder); /* there is no such folder yet */
    logged_init(&logged, data);
    waiting_fd = open_log(&logged, path, &waiting);
    CHECK(write(waiting_fd, "waited\n", 7) == 7);
    TURN_UNTIL(&logged, colony_log_status(waiting) == LOG_BLOCKED);
    CHECK(mkdir(folder, 0700) == 0);
    (void)snprintf(folder, sizeof folder, "%s/busy.log", (const char *)data);
    busy_fd = open_log(&logged, folder, &busy);
    TURN_UNTIL(&logged, (write_out(&logged, busy_fd, "y\n", 2), size_of(path) == 7));
    logged_close(&logged);
    (void)close(waiting_fd);
    (void)close(busy_fd);
}

struct tapped {
    char bytes[BYTES_MAX];
    size_t size;
    int ends;
};

static void on_tapped(const char *bytes, size_t size, void *data)
{
    struct tapped *tapped = data;

    CHECK(tapped->ends == 0);
    CHECK(tapped->size + size <= sizeof tapped->bytes);
    memcpy(tapped->bytes + tapped->size, bytes, size);
    tapped->size += size;
    tapped->ends += size == 0;
}

LOG_TEST(test_a_tap_gets_what_the_log_gets)
{
    static struct tapped tapped;
    struct logged logged = {0};
    const size_t size = 20000 * 64;

    make_lines(given, 20000, 64);
    logged_init(&logged, data);
    CHECK(colony_log_tap(logged.log, on_tapped, &tapped) == 0);
    CHECK(colony_log_tap(logged.log, on_tapped, &tapped) == -EBUSY);
    for (size_t done = 0; done < size; done += 6400) {
        write_out(&logged, logged.write_fd, given + done, 6400);
        TURN_UNTIL(&logged, tapped.size == done + 6400); /* a reader that keeps up */
    }
    CHECK(colony_log_tap_dropped(logged.log) == 0);
    colony_log_close(logged.log);
    TURN_UNTIL(&logged, tapped.ends == 1);
    CHECK(memcmp(tapped.bytes, given, size) == 0);
    logged_close(&logged);
    check_file(logged.path, given, size);
}

LOG_TEST(test_a_tap_that_is_too_slow_loses_bytes_that_are_counted)
{
    static struct tapped tapped;
    struct logged logged = {0};
    const size_t size = sizeof given;
    uint64_t dropped;

    make_lines(given, size / 64, 64);
    logged_init(&logged, data);
    CHECK(colony_log_tap(logged.log, on_tapped, &tapped) == 0);
    CHECK(fcntl(logged.write_fd, F_SETFL, O_NONBLOCK) == 0);
    for (size_t done = 0; done < size;) { /* the loop is not turned, the log goes on */
        size_t count = fill_pipe(logged.write_fd, given + done, size - done);

        done += count;
        (void)poll(NULL, 0, count == 0);
    }
    while (size_of(logged.path) < (off_t)size)
        (void)poll(NULL, 0, 1);
    dropped = colony_log_tap_dropped(logged.log);
    CHECK(dropped > 0 && dropped < size);
    TURN_UNTIL(&logged, tapped.size == size - dropped);
    logged_close(&logged);
    CHECK(tapped.ends == 1);
    check_file(logged.path, given, size);
}

static unsigned count_inherited(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) == 0;
    return count;
}

LOG_TEST(test_pipes_can_be_kept_over_an_exec)
{
    struct logged logged = {0};
    unsigned before;

    logged_init(&logged, data);
    before = count_inherited();
    colony_logs_keep_over_exec(logged.logs);
    CHECK(count_inherited() == before + 1);
    logged_close(&logged);
}

TEST(test_a_log_is_named_after_its_slot)
{
    char name[64];

    colony_log_file_name(name, sizeof name, "web", 3);
    assert_string_equal(name, "web.3.log");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closing_a_log_moves_what_its_pipe_holds),
        cmocka_unit_test(test_closing_all_moves_what_all_pipes_hold),
        cmocka_unit_test(test_many_logs_are_moved_side_by_side),
        cmocka_unit_test(test_nothing_stays_open_or_allocated),
        cmocka_unit_test(test_one_that_is_closed_is_not_told_any_more),
        cmocka_unit_test(test_a_log_that_waits_is_tried_again_also_while_others_are_busy),
        cmocka_unit_test(test_a_tap_gets_what_the_log_gets),
        cmocka_unit_test(test_a_tap_that_is_too_slow_loses_bytes_that_are_counted),
        cmocka_unit_test(test_pipes_can_be_kept_over_an_exec),
        cmocka_unit_test(test_a_log_is_named_after_its_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
