/* SPDX-License-Identifier: Apache-2.0 */
#include "logged.h"

#include <sched.h>

enum {
    FLOOD_BYTES = 300 << 10,
};

/* What the tap of a log has heard; `|` stands for a mark. */
struct heard {
    char text[2 * FLOOD_BYTES];
    size_t size;
    int ends;
};

static void on_heard(const char *bytes, size_t size, void *data)
{
    struct heard *heard = data;

    CHECK(heard->ends == 0);
    CHECK(heard->size + size + 2 < sizeof heard->text);
    if (!bytes) {
        CHECK(size == 0);
        heard->text[heard->size++] = '|';
        return;
    }
    memcpy(heard->text + heard->size, bytes, size);
    heard->size += size;
    heard->ends += size == 0;
}

/* A log with a tap of its own; its write end is returned. */
static int open_heard(struct logged *logged, struct heard *heard, struct colony_log **log)
{
    char path[sizeof logged->path + 8];
    struct colony_log_options options = {
        .path = path, .settings = &logged->settings, .owner = logged};
    int ends[2];

    (void)snprintf(path, sizeof path, "%s.heard", logged->path);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    options.pipe_fd = ends[0];
    options.tap = on_heard;
    options.tap_data = heard;
    CHECK(colony_log_open(log, logged->logs, &options) == 0);
    return ends[1];
}

static bool has_heard(const struct heard *heard, const char *text)
{
    return heard->size == strlen(text) && memcmp(heard->text, text, heard->size) == 0;
}

FOLDER_TEST(test_a_mark_is_told_behind_what_was_written_before_it)
{
    static struct heard heard;
    struct logged logged = {0};
    struct colony_log *log;
    int fd;

    logged_init(&logged, data);
    fd = open_heard(&logged, &heard, &log);
    colony_log_mark(log);   /* nothing is written yet */
    CHECK(heard.size == 0); /* never from inside */
    TURN_UNTIL(&logged, has_heard(&heard, "|"));
    CHECK(write(fd, "a", 1) == 1);
    colony_log_mark(log);
    TURN_UNTIL(&logged, has_heard(&heard, "|a|"));
    CHECK(write(fd, "b\n", 2) == 2);
    TURN_UNTIL(&logged, has_heard(&heard, "|a|b\n"));
    colony_log_mark(log); /* one for both */
    colony_log_mark(log);
    TURN_UNTIL(&logged, has_heard(&heard, "|a|b\n|"));
    CHECK(heard.ends == 0);
    colony_log_close(log);
    TURN_UNTIL(&logged, heard.ends == 1);
    logged_close(&logged);
    (void)close(fd);
}

FOLDER_TEST(test_a_mark_stands_where_it_was_made_though_more_follows_at_once)
{
    static struct heard heard;
    struct logged logged = {0};
    struct colony_log *log;
    char path[sizeof logged.path + 8];
    int fd;

    logged_init(&logged, data);
    fd = open_heard(&logged, &heard, &log);
    (void)snprintf(path, sizeof path, "%s.heard", logged.path);
    for (int i = 0; i < 50; i++) {
        heard.size = 0;
        CHECK(write(fd, "old", 3) == 3);
        while (size_of(path) < 6 * i + 3)
            (void)sched_yield(); /* moved already, though the loop has not been turned */
        colony_log_mark(log);
        CHECK(write(fd, "new", 3) == 3);
        TURN_UNTIL(&logged, has_heard(&heard, "old|new"));
    }
    logged_close(&logged);
    CHECK(heard.ends == 1);
    (void)close(fd);
}

FOLDER_TEST(test_a_mark_is_told_behind_a_flood_and_at_most_once)
{
    static struct heard heard;
    static char flood[FLOOD_BYTES];
    struct logged logged = {0};
    struct colony_log *log;
    int fd;

    memset(flood, 'x', sizeof flood);
    logged_init(&logged, data);
    fd = open_heard(&logged, &heard, &log);
    write_out(&logged, fd, flood, sizeof flood);
    colony_log_mark(log);
    TURN_UNTIL(&logged, heard.size == sizeof flood + 1);
    CHECK(heard.text[sizeof flood] == '|');
    logged_close(&logged);
    CHECK(heard.size == sizeof flood + 1 && heard.ends == 1);
    (void)close(fd);
}

FOLDER_TEST(test_a_log_without_a_tap_of_its_own_takes_marks)
{
    struct logged logged = {0};

    logged_init(&logged, data);
    colony_log_mark(logged.log);
    CHECK(write(logged.write_fd, "a", 1) == 1);
    colony_log_mark(logged.log);
    logged_close(&logged);
    CHECK(size_of(logged.path) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mark_is_told_behind_what_was_written_before_it),
        cmocka_unit_test(test_a_mark_stands_where_it_was_made_though_more_follows_at_once),
        cmocka_unit_test(test_a_mark_is_told_behind_a_flood_and_at_most_once),
        cmocka_unit_test(test_a_log_without_a_tap_of_its_own_takes_marks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
