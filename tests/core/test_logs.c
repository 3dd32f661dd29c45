/* SPDX-License-Identifier: Apache-2.0 */
#include "logged.h"

#include <sched.h>
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

FOLDER_TEST(test_closing_a_log_moves_what_its_pipe_holds)
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

FOLDER_TEST(test_closing_all_moves_what_all_pipes_hold)
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

FOLDER_TEST(test_many_logs_are_moved_side_by_side)
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

FOLDER_TEST(test_nothing_stays_open_or_allocated)
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

FOLDER_TEST(test_one_that_is_closed_is_not_told_any_more)
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

FOLDER_TEST(test_a_log_that_waits_is_tried_again_also_while_others_are_busy)
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
    struct colony_log_tap *tap;
    struct colony_log *log;
    struct tapped *other;
    void (*act)(struct tapped *tapped); /* once, with the first output */
    size_t size;
    int ends;
    char bytes[BYTES_MAX];
};

static void on_tapped(const char *bytes, size_t size, void *data)
{
    struct tapped *tapped = data;
    void (*act)(struct tapped * tapped) = tapped->act;

    CHECK(tapped->ends == 0);
    CHECK(tapped->size + size <= sizeof tapped->bytes);
    memcpy(tapped->bytes + tapped->size, bytes, size);
    tapped->size += size;
    tapped->ends += size == 0;
    tapped->act = NULL;
    if (act)
        act(tapped);
}

static void tap(struct tapped *tapped, struct colony_log *log)
{
    tapped->log = log;
    CHECK(colony_log_tap(log, on_tapped, tapped, &tapped->tap) == 0);
}

static void untap(struct tapped *tapped)
{
    colony_log_untap(tapped->tap);
    tapped->tap = NULL;
}

static bool has_text(const struct tapped *tapped, const char *text)
{
    return tapped->size == strlen(text) && memcmp(tapped->bytes, text, tapped->size) == 0;
}

FOLDER_TEST(test_a_tap_gets_what_the_log_gets)
{
    static struct tapped tapped;
    struct logged logged = {0};
    const size_t size = 20000 * 64;

    make_lines(given, 20000, 64);
    logged_init(&logged, data);
    tap(&tapped, logged.log);
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

FOLDER_TEST(test_many_taps_each_get_what_comes_after_them)
{
    static struct tapped tapped[20];
    struct logged logged = {0};
    char line[16];

    logged_init(&logged, data);
    for (size_t i = 0; i < 20; i++) {
        tap(&tapped[i], logged.log);
        (void)snprintf(line, sizeof line, "%zu\n", i % 10);
        write_out(&logged, logged.write_fd, line, 2);
        if (i % 2 == 0) /* else the next begins while that still waits for the loop */
            TURN_UNTIL(&logged, tapped[0].size == 2 * (i + 1));
        while (size_of(logged.path) < (off_t)(2 * (i + 1)))
            (void)poll(NULL, 0, 1);
    }
    logged_close(&logged);
    for (size_t i = 0; i < 20; i++) {
        CHECK(tapped[i].ends == 1);
        CHECK(tapped[i].size == 2 * (20 - i));
        CHECK(tapped[i].bytes[0] == (char)('0' + i % 10));
        CHECK(memcmp(tapped[i].bytes, tapped[0].bytes + 2 * i, tapped[i].size) == 0);
    }
}

static void untap_both(struct tapped *tapped)
{
    untap(tapped);
    untap(tapped->other);
}

static void tap_other(struct tapped *tapped)
{
    tap(tapped->other, tapped->log);
}

FOLDER_TEST(test_taps_may_be_taken_off_and_made_inside_a_callback)
{
    static struct tapped tapped[6];
    struct logged logged = {0};

    logged_init(&logged, data);
    for (size_t i = 0; i < 4; i++)
        tap(&tapped[i], logged.log);
    tapped[0].act = untap_both; /* told last: the other has had it */
    tapped[0].other = &tapped[1];
    tapped[3].act = untap_both; /* told first: the other is not told any more */
    tapped[3].other = &tapped[2];
    write_out(&logged, logged.write_fd, "a\n", 2);
    TURN_UNTIL(&logged, tapped[0].size == 2);
    CHECK(has_text(&tapped[1], "a\n") && has_text(&tapped[2], "") && has_text(&tapped[3], "a\n"));
    tap(&tapped[4], logged.log);
    tapped[4].act = tap_other;
    tapped[4].other = &tapped[5];
    write_out(&logged, logged.write_fd, "b\n", 2);
    TURN_UNTIL(&logged, tapped[4].size == 2);
    write_out(&logged, logged.write_fd, "c\n", 2);
    TURN_UNTIL(&logged, tapped[5].size == 2);
    CHECK(has_text(&tapped[4], "b\nc\n") && has_text(&tapped[5], "c\n"));
    CHECK(has_text(&tapped[0], "a\n") && has_text(&tapped[2], ""));
    logged_close(&logged);
    CHECK(tapped[0].ends == 0 && tapped[4].ends == 1 && tapped[5].ends == 1);
}

FOLDER_TEST(test_a_tap_that_is_ended_gets_what_is_written_and_the_end_and_others_go_on)
{
    static struct tapped tapped[3];
    struct logged logged = {0};

    logged_init(&logged, data);
    for (size_t i = 0; i < 3; i++)
        tap(&tapped[i], logged.log);
    colony_log_end_tap(tapped[0].tap); /* nothing is written yet */
    CHECK(tapped[0].ends == 0);        /* never from inside */
    TURN_UNTIL(&logged, tapped[0].ends == 1);
    write_out(&logged, logged.write_fd, "a\n", 2);
    colony_log_end_tap(tapped[1].tap);
    colony_log_end_tap(tapped[1].tap);
    TURN_UNTIL(&logged, tapped[1].ends == 1 && tapped[2].size == 2);
    write_out(&logged, logged.write_fd, "b\n", 2);
    TURN_UNTIL(&logged, tapped[2].size == 4);
    CHECK(has_text(&tapped[0], "") && has_text(&tapped[1], "a\n"));
    CHECK(has_text(&tapped[2], "a\nb\n") && colony_log_tap_lost(tapped[2].tap) == 0);
    colony_log_end_tap(tapped[2].tap); /* the log is closed before it is drained */
    colony_log_close(logged.log);
    TURN_UNTIL(&logged, tapped[2].ends == 1);
    CHECK(tapped[0].ends == 1 && tapped[1].ends == 1);
    logged_close(&logged);
}

FOLDER_TEST(test_a_tap_ends_after_all_of_a_flood)
{
    static struct tapped tapped;
    static char flood[300000];
    struct logged logged = {0};
    size_t done;

    memset(flood, 'x', sizeof flood);
    logged_init(&logged, data);
    tap(&tapped, logged.log);
    done = fill_pipe(logged.write_fd, flood, 40000);
    colony_log_end_tap(tapped.tap);
    TURN_UNTIL(&logged, tapped.ends == 1);
    CHECK(tapped.size == done);
    logged_close(&logged);
}

FOLDER_TEST(test_without_taps_there_is_no_pipe_for_them)
{
    static struct tapped tapped[2];
    struct logged logged = {0};
    unsigned before;

    logged_init(&logged, data);
    write_out(&logged, logged.write_fd, "a\n", 2);
    TURN_UNTIL(&logged, size_of(logged.path) == 2);
    before = count_fds();
    for (int round = 0; round < 3; round++) {
        tap(&tapped[0], logged.log);
        tap(&tapped[1], logged.log);
        CHECK(count_fds() == before + 2);
        untap(&tapped[0]);
        CHECK(count_fds() == before + 2);
        if (round > 0) {
            write_out(&logged, logged.write_fd, "b\n", 2);
            TURN_UNTIL(&logged, tapped[1].size == (size_t)(2 * round));
        }
        untap(&tapped[1]);
        TURN_UNTIL(&logged, count_fds() == before);
    }
    colony_log_untap(NULL);
    write_out(&logged, logged.write_fd, "c\n", 2);
    logged_close(&logged);
    CHECK(has_text(&tapped[0], "") && has_text(&tapped[1], "b\nb\n"));
    check_file(logged.path, "a\nb\nb\nc\n", 8);
}

FOLDER_TEST(test_a_tap_may_be_taken_off_after_its_log_was_closed)
{
    static struct tapped tapped;
    struct logged logged = {0};

    logged_init(&logged, data);
    tap(&tapped, logged.log);
    colony_log_close(logged.log);
    untap(&tapped);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&logged.loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1);
    }
    CHECK(tapped.ends == 0);
    logged_close(&logged);
}

/* Writes lines to @fd until it is killed. */
static pid_t flood(int fd)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (write(fd, given, 6400) != 0)
        ;
    _exit(0);
}

FOLDER_TEST(test_nothing_that_is_written_after_a_tap_was_made_goes_past_it)
{
    static struct tapped tapped;
    struct logged logged = {.settings = {.size_bytes = 1 << 20, .count = 1}};
    pid_t pid;
    char mark[64];

    make_lines(given, 100, 64);
    logged_init(&logged, data);
    pid = flood(logged.write_fd);
    for (int i = 0; i < 300; i++) {
        uint64_t dropped = colony_log_tap_dropped(logged.log);
        int length = snprintf(mark, sizeof mark, "MARK %d\n", i);

        tapped.size = 0;
        tap(&tapped, logged.log);
        CHECK(write(logged.write_fd, mark, (size_t)length) == length);
        TURN_UNTIL(&logged, tapped.size > sizeof tapped.bytes / 2 ||
                                memmem(tapped.bytes, tapped.size, mark, (size_t)length));
        CHECK(memmem(tapped.bytes, tapped.size, mark, (size_t)length) ||
              colony_log_tap_dropped(logged.log) > dropped); /* that is another matter */
        untap(&tapped);
    }
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    logged_close(&logged);
}

FOLDER_TEST(test_a_tap_made_while_output_flows_gets_all_from_there_on)
{
    static struct tapped tapped;
    struct logged logged = {0};
    const size_t size = 10000 * 64;

    make_lines(given, 10000, 64);
    logged_init(&logged, data);
    for (size_t done = 0; done < size; done += 640) {
        write_out(&logged, logged.write_fd, given + done, 640);
        if (done == size / 2)
            tap(&tapped, logged.log);
        (void)uv_run(&logged.loop, UV_RUN_NOWAIT);
    }
    logged_close(&logged);
    CHECK(tapped.ends == 1);
    CHECK(tapped.size >= size / 2 - 640 && tapped.size <= size);
    CHECK(memcmp(tapped.bytes, given + size - tapped.size, tapped.size) == 0);
    check_file(logged.path, given, size);
}

FOLDER_TEST(test_a_log_that_is_held_is_moved_once_it_is_released)
{
    static struct tapped tapped;
    struct logged logged = {0};
    struct colony_log_options options = {
        .path = logged.path, .settings = &logged.settings, .owner = &logged, .is_held = true};
    struct colony_log *held;
    int ends[2];

    logged_init(&logged, data);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK(write(ends[1], "first\n", 6) == 6);
    options.pipe_fd = ends[0];
    CHECK(colony_log_open(&held, logged.logs, &options) == 0);
    for (int i = 0; i < 20; i++) {
        (void)uv_run(&logged.loop, UV_RUN_NOWAIT);
        (void)poll(NULL, 0, 1);
    }
    CHECK(size_of(logged.path) < 0);
    tap(&tapped, held);
    colony_log_release(held);
    TURN_UNTIL(&logged, has_text(&tapped, "first\n"));
    logged_close(&logged);
    check_file(logged.path, "first\n", 6);
    (void)close(ends[1]);
}

FOLDER_TEST(test_many_short_writes_do_not_overrun_a_tap)
{
    static struct tapped tapped;
    struct logged logged = {0};
    const size_t size = 3000 * 12;

    make_lines(given, 3000, 12);
    logged_init(&logged, data);
    tap(&tapped, logged.log);
    for (size_t done = 0; done < size; done += 12) { /* the loop is not turned meanwhile */
        CHECK(write(logged.write_fd, given + done, 12) == 12);
        while (size_of(logged.path) < (off_t)(done + 12))
            (void)sched_yield();
    }
    CHECK(colony_log_tap_dropped(logged.log) == 0);
    logged_close(&logged);
    CHECK(tapped.size == size && memcmp(tapped.bytes, given, size) == 0);
}

FOLDER_TEST(test_what_a_full_disk_does_not_take_is_told_once)
{
    static struct tapped tapped;
    struct rlimit limit = {0, RLIM_INFINITY};
    struct logged logged = {.settings = {.on_full = LOG_FULL_BLOCK}};

    make_lines(given, 1000, 64);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 10;
    (void)signal(SIGXFSZ, SIG_IGN);
    logged_init(&logged, data);
    tap(&tapped, logged.log);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK(write(logged.write_fd, given, 64000) == 64000);
    TURN_UNTIL(&logged, logged.status_count == 1 && logged.statuses[0] == LOG_BLOCKED);
    limit.rlim_cur = RLIM_INFINITY;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    TURN_UNTIL(&logged, size_of(logged.path) == 64000); /* the next try */
    logged_close(&logged);
    CHECK(tapped.size == 64000 && memcmp(tapped.bytes, given, 64000) == 0);
}

FOLDER_TEST(test_a_tap_that_is_too_slow_loses_bytes_that_are_counted)
{
    static struct tapped tapped;
    struct logged logged = {0};
    const size_t size = sizeof given;
    uint64_t dropped;

    make_lines(given, size / 64, 64);
    logged_init(&logged, data);
    tap(&tapped, logged.log);
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

static void inherit(int fd, void *data)
{
    (void)data;
    (void)fcntl(fd, F_SETFD, 0);
}

FOLDER_TEST(test_pipes_can_be_kept_over_an_exec)
{
    struct logged logged = {0};
    unsigned before;

    logged_init(&logged, data);
    before = count_inherited();
    colony_logs_each_pipe(logged.logs, inherit, NULL);
    CHECK(count_inherited() == before + 1);
    logged_close(&logged);
}

TEST(test_a_log_is_named_after_its_slot)
{
    char name[64];

    colony_log_file_name(name, sizeof name, "web", 3, false);
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
        cmocka_unit_test(test_many_taps_each_get_what_comes_after_them),
        cmocka_unit_test(test_taps_may_be_taken_off_and_made_inside_a_callback),
        cmocka_unit_test(
            test_a_tap_that_is_ended_gets_what_is_written_and_the_end_and_others_go_on),
        cmocka_unit_test(test_a_tap_ends_after_all_of_a_flood),
        cmocka_unit_test(test_without_taps_there_is_no_pipe_for_them),
        cmocka_unit_test(test_a_tap_may_be_taken_off_after_its_log_was_closed),
        cmocka_unit_test(test_nothing_that_is_written_after_a_tap_was_made_goes_past_it),
        cmocka_unit_test(test_a_tap_made_while_output_flows_gets_all_from_there_on),
        cmocka_unit_test(test_a_log_that_is_held_is_moved_once_it_is_released),
        cmocka_unit_test(test_many_short_writes_do_not_overrun_a_tap),
        cmocka_unit_test(test_what_a_full_disk_does_not_take_is_told_once),
        cmocka_unit_test(test_a_tap_that_is_too_slow_loses_bytes_that_are_counted),
        cmocka_unit_test(test_pipes_can_be_kept_over_an_exec),
        cmocka_unit_test(test_a_log_is_named_after_its_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
