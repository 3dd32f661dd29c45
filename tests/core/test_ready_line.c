/* SPDX-License-Identifier: Apache-2.0 */
#include "readied.h"

enum {
    FIRST_BYTES = 64 << 10, /* of a line that are looked at */
};

/* Readiness by a log's lines, both on one loop. */
struct lined {
    struct logged logged;
    struct readied readied;
};

static void init(struct lined *lined, const char *folder, char *regex)
{
    const struct colony_ready_options options = {.loop = &lined->logged.loop,
                                                 .template = &lined->readied.template,
                                                 .cb = on_news,
                                                 .data = &lined->readied};

    lined->readied.settings = (struct colony_ready_settings){.kind = READY_LINE, .text = regex};
    lined->readied.template =
        (struct colony_template){.name = "web", .ready = &lined->readied.settings};
    logged_init(&lined->logged, folder);
    CHECK(colony_ready_new(&lined->readied.ready, &options) == 0);
}

static void begin(struct lined *lined)
{
    CHECK(colony_ready_expect(lined->readied.ready, lined->logged.log) == 0);
    CHECK(colony_ready_begin(lined->readied.ready, getuid(), lined->logged.log, 0) == 0);
}

static void close_both(struct lined *lined)
{
    colony_ready_close(lined->readied.ready, on_ready_closed, &lined->readied);
    TURN_UNTIL(&lined->logged, lined->readied.is_closed);
    logged_close(&lined->logged);
}

/* Writes, and waits until the log has it and those who tap were told. */
static void write_lines(struct lined *lined, const char *bytes, size_t size)
{
    off_t before = size_of(lined->logged.path) > 0 ? size_of(lined->logged.path) : 0;

    write_out(&lined->logged, lined->logged.write_fd, bytes, size);
    TURN_UNTIL(&lined->logged, size_of(lined->logged.path) == before + (off_t)size);
    for (int i = 0; i < 5; i++)
        (void)uv_run(&lined->logged.loop, UV_RUN_NOWAIT);
}

static void write_text(struct lined *lined, const char *text)
{
    write_lines(lined, text, strlen(text));
}

FOLDER_TEST(test_a_line_that_matches_is_readiness)
{
    struct lined lined = {0};

    init(&lined, data, "^(server|worker) ready in [0-9]+ ms$");
    begin(&lined);
    write_text(&lined, "starting\nserver ready in x ms\nnot: server ready in 1 ms\n\n");
    CHECK(has_told(&lined.readied, ""));
    write_text(&lined, "worker ready in 12 ms\nworker ready in 13 ms\n");
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    write_text(&lined, "worker ready in 14 ms\n");
    CHECK(has_told(&lined.readied, "R"));
    close_both(&lined);
}

FOLDER_TEST(test_a_line_may_come_in_pieces)
{
    static const char text[] = "server ready";
    struct lined lined = {0};

    init(&lined, data, "^server ready$");
    begin(&lined);
    write_text(&lined, "x\n");
    for (size_t i = 0; i < sizeof text - 1; i++)
        write_lines(&lined, text + i, 1);
    CHECK(has_told(&lined.readied, "")); /* a line ends with a newline */
    write_text(&lined, "\nnext");
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    close_both(&lined);
}

FOLDER_TEST(test_bytes_that_are_no_text_do_no_harm)
{
    static const char bytes[] = "\0\0\n\xff\xfe\0 up \0\xc3\n";
    struct lined lined = {0};

    init(&lined, data, " up ");
    begin(&lined);
    write_lines(&lined, bytes, sizeof bytes - 1);
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    close_both(&lined);
}

FOLDER_TEST(test_of_a_long_line_the_first_64_kib_are_looked_at)
{
    static char line[FIRST_BYTES * 2];
    struct lined lined = {0};

    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    init(&lined, data, "ready");
    begin(&lined);
    memcpy(line + FIRST_BYTES - 4, "ready", 5); /* the y is beyond */
    write_lines(&lined, line, sizeof line);
    CHECK(has_told(&lined.readied, ""));
    memcpy(line + FIRST_BYTES - 5, "ready", 5);
    write_lines(&lined, line, sizeof line);
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    close_both(&lined);
}

FOLDER_TEST(test_a_line_from_before_the_news_that_it_runs_counts)
{
    struct lined lined = {0};

    init(&lined, data, "^ready$");
    CHECK(colony_ready_expect(lined.readied.ready, lined.logged.log) == 0);
    write_text(&lined, "ready\n");
    CHECK(has_told(&lined.readied, ""));
    CHECK(colony_ready_begin(lined.readied.ready, getuid(), lined.logged.log, 0) == 0);
    CHECK(has_told(&lined.readied, "")); /* never from inside begin */
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    close_both(&lined);
}

FOLDER_TEST(test_each_process_needs_a_line_of_its_own)
{
    struct lined lined = {0};

    init(&lined, data, "^ready$");
    begin(&lined);
    write_text(&lined, "ready\nhalf a");
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    write_text(&lined, "ready\nready\n");
    begin(&lined);
    write_text(&lined, "x\n");
    CHECK(has_told(&lined.readied, "R"));
    write_text(&lined, "half a ");
    colony_ready_end(lined.readied.ready);
    write_text(&lined, "ready\nready\n"); /* its end: nobody looks */
    begin(&lined);
    write_text(&lined, "ready\n"); /* not "half a ready" */
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "RR"));
    close_both(&lined);
}

FOLDER_TEST(test_the_log_is_tapped_only_while_the_line_is_waited_for)
{
    struct lined lined = {0};
    unsigned before;

    init(&lined, data, "^ready$");
    write_text(&lined, "x\n");
    before = count_fds();
    begin(&lined);
    CHECK(count_fds() == before + 2);
    write_text(&lined, "ready\n");
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    TURN_UNTIL(&lined.logged, count_fds() == before);
    CHECK(colony_ready_take_log(lined.readied.ready, lined.logged.log) == 0);
    CHECK(count_fds() == before); /* nobody waits */
    begin(&lined);
    colony_ready_end(lined.readied.ready);
    TURN_UNTIL(&lined.logged, count_fds() == before);
    close_both(&lined);
}

/* As at the first start of a slot: the log comes with the news that the process runs. */
FOLDER_TEST(test_a_log_that_is_held_until_it_was_taken_misses_nothing)
{
    struct lined lined = {0};
    struct colony_log_options options = {
        .settings = &lined.logged.settings, .owner = &lined.logged, .is_held = true};
    struct colony_log *log;
    char path[300];
    int ends[2];

    init(&lined, data, "^ready$");
    CHECK(colony_ready_expect(lined.readied.ready, NULL) == 0);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK(write(ends[1], "ready\n", 6) == 6);
    (void)snprintf(path, sizeof path, "%s/held.log", (const char *)data);
    options.path = path;
    options.pipe_fd = ends[0];
    CHECK(colony_log_open(&log, lined.logged.logs, &options) == 0);
    CHECK(colony_ready_take_log(lined.readied.ready, log) == 0);
    colony_log_release(log);
    CHECK(colony_ready_begin(lined.readied.ready, getuid(), log, 0) == 0);
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    colony_log_close(log);
    close_both(&lined);
    (void)close(ends[1]);
}

FOLDER_TEST(test_a_log_may_be_closed_while_its_line_is_waited_for)
{
    struct lined lined = {0};

    init(&lined, data, "^ready$");
    begin(&lined);
    colony_log_close(lined.logged.log);
    for (int i = 0; i < 5; i++) /* also after it has heard that the log is gone */
        (void)uv_run(&lined.logged.loop, UV_RUN_NOWAIT);
    close_both(&lined);
    CHECK(has_told(&lined.readied, ""));
}

static void end(struct readied *readied)
{
    colony_ready_end(readied->ready);
}

FOLDER_TEST(test_one_may_end_it_in_its_callback)
{
    struct lined lined = {.readied = {.act = end}};

    init(&lined, data, "^ready$");
    begin(&lined);
    write_text(&lined, "ready\nready\n");
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "R"));
    begin(&lined);
    write_text(&lined, "ready\n");
    TURN_UNTIL(&lined.logged, has_told(&lined.readied, "RR"));
    close_both(&lined);
}

FOLDER_TEST(test_without_a_log_or_with_a_bad_expression_it_is_refused)
{
    struct lined lined = {0};
    struct readied other = {0};

    init(&lined, data, "^ready$");
    CHECK(colony_ready_begin(lined.readied.ready, getuid(), NULL, 0) == -EINVAL);
    close_both(&lined);
    CHECK(uv_loop_init(&other.loop) == 0);
    CHECK(readied_try(&other, (struct colony_ready_settings){.kind = READY_LINE, .text = "a(b"},
                      NULL) == -EINVAL);
    readied_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_that_matches_is_readiness),
        cmocka_unit_test(test_a_line_may_come_in_pieces),
        cmocka_unit_test(test_bytes_that_are_no_text_do_no_harm),
        cmocka_unit_test(test_of_a_long_line_the_first_64_kib_are_looked_at),
        cmocka_unit_test(test_a_line_from_before_the_news_that_it_runs_counts),
        cmocka_unit_test(test_each_process_needs_a_line_of_its_own),
        cmocka_unit_test(test_the_log_is_tapped_only_while_the_line_is_waited_for),
        cmocka_unit_test(test_a_log_that_is_held_until_it_was_taken_misses_nothing),
        cmocka_unit_test(test_a_log_may_be_closed_while_its_line_is_waited_for),
        cmocka_unit_test(test_one_may_end_it_in_its_callback),
        cmocka_unit_test(test_without_a_log_or_with_a_bad_expression_it_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
