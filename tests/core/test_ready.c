/* SPDX-License-Identifier: Apache-2.0 */
#include "readied.h"

enum {
    DELAY_MS = 60,
};

static const struct colony_ready_settings by_fd = {.kind = READY_FD, .fd = 3};

static void begin(struct readied *readied)
{
    CHECK(colony_ready_expect(readied->ready, NULL) == 0);
    CHECK(colony_ready_begin(readied->ready, getuid(), NULL, 0) == 0);
}

/* Nothing runs, and nothing is polled. */
static bool is_idle(struct readied *readied)
{
    (void)uv_run(&readied->loop, UV_RUN_NOWAIT);
    return !uv_loop_alive(&readied->loop);
}

static int make_pipe(struct readied *readied)
{
    int ends[2];

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(colony_ready_take_fd(readied->ready, ends[0]) == 0);
    return ends[1];
}

static void say(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* A descriptor. */

FORKED_TEST(test_a_line_on_the_descriptor_is_readiness)
{
    struct readied readied = {0};
    int fd;

    readied_init(&readied, by_fd);
    fd = make_pipe(&readied);
    CHECK(is_idle(&readied));
    begin(&readied);
    CHECK(!is_idle(&readied));
    say(fd, "half a ");
    turn_some(&readied);
    CHECK(has_told(&readied, ""));
    say(fd, "line\nand more\n");
    TURN_UNTIL(&readied, has_told(&readied, "R"));
    CHECK(is_idle(&readied)); /* polled only while it is waited for */
    say(fd, "\n");
    turn_some(&readied);
    CHECK(has_told(&readied, "R"));
    begin(&readied); /* the next process, on the same pipe */
    turn_some(&readied);
    CHECK(has_told(&readied, "R"));
    say(fd, "\n"); /* as s6 does */
    TURN_UNTIL(&readied, has_told(&readied, "RR"));
    readied_close(&readied);
}

FORKED_TEST(test_a_descriptor_may_come_while_the_process_runs)
{
    struct readied readied = {0};
    int fds[2];

    readied_init(&readied, by_fd);
    begin(&readied);
    fds[0] = make_pipe(&readied);
    say(fds[0], "half");
    turn_some(&readied);
    fds[1] = make_pipe(&readied);
    say(fds[1], "\n");
    TURN_UNTIL(&readied, has_told(&readied, "R"));
    readied_close(&readied);
}

FORKED_TEST(test_a_descriptor_that_is_closed_without_a_line_is_told_once)
{
    struct readied readied = {0};
    int fd;

    readied_init(&readied, by_fd);
    fd = make_pipe(&readied);
    begin(&readied);
    say(fd, "no line");
    CHECK(close(fd) == 0);
    TURN_UNTIL(&readied, has_told(&readied, "X"));
    CHECK(strstr(readied.text, "the descriptor was closed"));
    CHECK(is_idle(&readied));
    readied_close(&readied);
}

FORKED_TEST(test_a_flood_on_the_descriptor_does_not_hold_up_the_loop)
{
    static char bytes[32768]; /* what one turn of the loop takes */
    struct readied readied = {0};
    int fd;

    readied_init(&readied, by_fd);
    fd = make_pipe(&readied);
    begin(&readied);
    memset(bytes, 'x', sizeof bytes);
    CHECK(write(fd, bytes, sizeof bytes) == sizeof bytes);
    say(fd, "\n");
    (void)uv_run(&readied.loop, UV_RUN_NOWAIT);
    CHECK(has_told(&readied, ""));
    TURN_UNTIL(&readied, has_told(&readied, "R"));
    readied_close(&readied);
}

/* A delay. */

FORKED_TEST(test_a_delay_passes_and_is_readiness)
{
    struct readied readied = {0};
    uint64_t start_ms;

    readied_init(&readied,
                 (struct colony_ready_settings){.kind = READY_DELAY, .delay_ms = DELAY_MS});
    uv_update_time(&readied.loop);
    start_ms = clock_ms();
    begin(&readied);
    colony_ready_end(readied.ready);
    CHECK(is_idle(&readied));
    begin(&readied);
    TURN_UNTIL(&readied, has_told(&readied, "R"));
    CHECK(clock_ms() - start_ms >= DELAY_MS - 1); /* clocks of whole milliseconds */
    CHECK(is_idle(&readied));
    readied_close(&readied);
}

FORKED_TEST(test_without_anything_to_wait_for_nothing_runs)
{
    struct readied readied = {0};

    readied_init(&readied, (struct colony_ready_settings){.kind = READY_NONE});
    begin(&readied);
    CHECK(is_idle(&readied));
    colony_ready_end(readied.ready);
    colony_ready_end(readied.ready);
    readied_close(&readied);
    CHECK(has_told(&readied, ""));
}

/* A command: run as a child of the test. */

struct runner {
    uv_process_t process;
    uv_timer_t timer;
    colony_check_cb cb; /* NULL: nobody waits */
    void *data;
    int open;
    int started;
    int canceled;
    bool is_late;
    int error; /* what _run is to fail with */
};

static void on_runner_closed(uv_handle_t *handle)
{
    ((struct runner *)handle->data)->open--;
}

static void on_exit_of_check(uv_process_t *process, int64_t status, int signo)
{
    struct runner *runner = process->data;
    colony_check_cb cb = runner->cb;

    uv_close((uv_handle_t *)process, on_runner_closed);
    uv_close((uv_handle_t *)&runner->timer, on_runner_closed);
    runner->cb = NULL;
    if (cb && runner->is_late)
        cb(-1, "it took too long", runner->data);
    else if (cb)
        cb(signo > 0 ? 128 + signo : (int)status, NULL, runner->data);
}

static void on_check_late(uv_timer_t *timer)
{
    struct runner *runner = timer->data;

    runner->is_late = true;
    CHECK(uv_process_kill(&runner->process, SIGKILL) == 0);
}

static uv_loop_t *runner_loop;

static int run_check(void *slot, char *const *argv, uint64_t timeout_ms, colony_check_cb cb,
                     void *data)
{
    struct runner *runner = slot;
    const uv_process_options_t options = {
        .file = argv[0], .args = (char **)argv, .exit_cb = on_exit_of_check};

    if (runner->error < 0)
        return runner->error;
    CHECK(runner->open == 0); /* one at a time */
    runner->cb = cb;
    runner->data = data;
    runner->is_late = false;
    runner->started++;
    CHECK(uv_timer_init(runner_loop, &runner->timer) == 0);
    CHECK(uv_spawn(runner_loop, &runner->process, &options) == 0);
    runner->process.data = runner->timer.data = runner;
    runner->open = 2;
    CHECK(uv_timer_start(&runner->timer, on_check_late, timeout_ms, 0) == 0);
    return 0;
}

static void cancel_check(void *slot)
{
    struct runner *runner = slot;

    CHECK(runner->cb);
    runner->cb = NULL;
    runner->canceled++;
    CHECK(uv_process_kill(&runner->process, SIGKILL) == 0);
}

static void init_check(struct readied *readied, struct runner *runner, char *command,
                       uint64_t try_ms)
{
    const struct colony_ready_runner run = {
        .run = run_check, .cancel = cancel_check, .slot = runner};

    CHECK(uv_loop_init(&readied->loop) == 0);
    runner_loop = &readied->loop;
    CHECK(readied_try(readied,
                      (struct colony_ready_settings){
                          .kind = READY_EXEC, .text = command, .interval_ms = 5, .try_ms = try_ms},
                      &run) == 0);
}

FOLDER_TEST(test_a_command_that_succeeds_is_readiness)
{
    struct runner runner = {0};
    struct readied readied = {0};
    char command[256];
    char path[128];

    (void)snprintf(path, sizeof path, "%s/it is ready", (const char *)data);
    (void)snprintf(command, sizeof command, "sh -c 'test -e \"$1\" || exit 3' x \"%s\"", path);
    init_check(&readied, &runner, command, DEADLINE_MS);
    begin(&readied);
    CHECK(runner.started == 0); /* never from inside begin */
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 3);
    CHECK(strstr(readied.text, "' ended with 3") && strstr(readied.text, "sh -c"));
    CHECK(readied.count[READY_NEWS_READY] == 0);
    CHECK(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_READY] == 1);
    readied.told[0] = '\0';
    turn_some(&readied);
    CHECK(has_told(&readied, ""));
    CHECK(is_idle(&readied));
    readied_close(&readied);
}

FORKED_TEST(test_a_command_that_fails_otherwise_says_how)
{
    struct runner runner = {0};
    struct readied readied = {0};
    char command[] = "sh -c 'kill -9 $$'";

    init_check(&readied, &runner, command, DEADLINE_MS);
    begin(&readied);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 1);
    CHECK(strstr(readied.text, "ended with 137"));
    runner.error = -EAGAIN;
    TURN_UNTIL(&readied, strstr(readied.text, "cannot run 'sh -c 'kill -9 $$'': "));
    runner.error = 0;
    TURN_UNTIL(&readied, strstr(readied.text, "ended with 137"));
    readied_close(&readied);
}

FORKED_TEST(test_a_command_that_takes_too_long_is_tried_again)
{
    struct runner runner = {0};
    struct readied readied = {0};
    char command[] = "sleep 1000";

    init_check(&readied, &runner, command, 20);
    begin(&readied);
    TURN_UNTIL(&readied, readied.count[READY_NEWS_TRIED] == 2);
    CHECK(strcmp(readied.text, "cannot run 'sleep 1000': it took too long") == 0);
    readied_close(&readied);
}

static void end(struct readied *readied)
{
    colony_ready_end(readied->ready);
}

FORKED_TEST(test_the_end_of_the_process_ends_its_command)
{
    struct runner runner = {0};
    struct readied readied = {0};
    char command[] = "sleep 1000";

    init_check(&readied, &runner, command, DEADLINE_MS);
    begin(&readied);
    TURN_UNTIL(&readied, runner.started == 1);
    colony_ready_end(readied.ready);
    CHECK(runner.canceled == 1);
    TURN_UNTIL(&readied, runner.open == 0);
    runner.error = -EAGAIN;
    readied.act = end; /* in its callback */
    begin(&readied);
    TURN_UNTIL(&readied, has_told(&readied, "X"));
    CHECK(is_idle(&readied));
    readied_close(&readied);
    CHECK(runner.canceled == 1);
}

FORKED_TEST(test_a_command_that_cannot_be_is_refused)
{
    static char *commands[] = {"", "  ", "a 'b", "a \\"};
    struct runner runner = {0};
    const struct colony_ready_runner run = {
        .run = run_check, .cancel = cancel_check, .slot = &runner};
    struct readied readied = {0};
    struct colony_ready_settings settings = {.kind = READY_EXEC};

    CHECK(uv_loop_init(&readied.loop) == 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        settings.text = commands[i];
        CHECK(readied_try(&readied, settings, &run) == -EINVAL);
    }
    settings.text = "true";
    CHECK(readied_try(&readied, settings, NULL) == -EINVAL); /* nobody could run it */
    CHECK(!readied.ready);
    readied_close(&readied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_on_the_descriptor_is_readiness),
        cmocka_unit_test(test_a_descriptor_may_come_while_the_process_runs),
        cmocka_unit_test(test_a_descriptor_that_is_closed_without_a_line_is_told_once),
        cmocka_unit_test(test_a_flood_on_the_descriptor_does_not_hold_up_the_loop),
        cmocka_unit_test(test_a_delay_passes_and_is_readiness),
        cmocka_unit_test(test_without_anything_to_wait_for_nothing_runs),
        cmocka_unit_test(test_a_command_that_succeeds_is_readiness),
        cmocka_unit_test(test_a_command_that_fails_otherwise_says_how),
        cmocka_unit_test(test_a_command_that_takes_too_long_is_tried_again),
        cmocka_unit_test(test_the_end_of_the_process_ends_its_command),
        cmocka_unit_test(test_a_command_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
