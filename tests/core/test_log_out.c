/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the log of a program whose descriptor 2 nobody reads. */
#include "../scratch.h"

#include <pty.h>
#include <sys/socket.h>

#include "core/log.h"

enum {
    FEW = 3,
    MANY = 20000, /* above what any of them holds */
    READ_MAX = 4 * 1024 * 1024,
};

static bool is_anothers; /* nobody may open the log anew */

struct talk {
    pid_t writer;
    int log;
    int done; /* a byte for each batch of lines */
    int go;
    char *text;
    size_t size;
};

static void say(int from, int count)
{
    for (int i = from; i < from + count; i++)
        colony_log(SEVERITY_INFO, "line %d", i);
}

/* Logs MANY lines and, once it is told to, FEW more. */
static void write_log(int log, int done, int go)
{
    char byte = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    CHECK(dup2(log, STDERR_FILENO) == STDERR_FILENO);
    (void)close(log);
    if (is_anothers)
        drop_rights();
    colony_log_init("test", SEVERITY_INFO, LOG_STYLE_PIPE);
    colony_log_never_wait();
    say(0, MANY);
    CHECK(write(done, &byte, 1) == 1);
    CHECK(read(go, &byte, 1) == 1);
    say(MANY, FEW);
    exit(0); /* with what is registered for that */
}

static void begin(struct talk *talk, const int log[2])
{
    int done[2];
    int go[2];

    assert_int_equal(pipe2(done, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    talk->writer = fork();
    assert_true(talk->writer >= 0);
    if (talk->writer == 0) {
        (void)close(log[0]);
        write_log(log[1], done[1], go[0]);
    }
    (void)close(done[1]);
    (void)close(go[0]);
    (void)close(log[1]);
    talk->log = log[0];
    talk->done = done[0];
    talk->go = go[1];
    talk->text = calloc(1, READ_MAX);
    talk->size = 0;
    assert_non_null(talk->text);
}

static void wait_for_lines(const struct talk *talk)
{
    struct pollfd done = {.fd = talk->done, .events = POLLIN};
    char byte;

    assert_int_equal(poll(&done, 1, DEADLINE_MS), 1);
    assert_int_equal(read(talk->done, &byte, 1), 1); /* else it has died */
}

/* Reads until @what was read, or, if that is NULL, nobody can write any more. */
static void read_until(struct talk *talk, const char *what)
{
    struct pollfd log = {.fd = talk->log, .events = POLLIN};

    while (!what || !strstr(talk->text, what)) {
        ssize_t count;

        assert_int_equal(poll(&log, 1, DEADLINE_MS), 1);
        assert_true(talk->size < READ_MAX - 1);
        count = read(talk->log, talk->text + talk->size, READ_MAX - 1 - talk->size);
        if (count <= 0) /* EIO: a terminal that nobody has */
            break;
        talk->size += (size_t)count;
    }
}

static void end(struct talk *talk)
{
    assert_int_equal(wait_for_child(talk->writer), 0);
    (void)close(talk->log);
    (void)close(talk->done);
    (void)close(talk->go);
    free(talk->text);
}

/* All are there, in their order and whole, or counted where they are missing. */
static int check_lines(char *text)
{
    int next = 0;
    int gaps = 0;
    char *rest = NULL;

    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        int number = -1;
        int lost = -1;

        if (sscanf(line, "1%d lines of this log were lost", &lost) == 1 && strstr(line, "lost")) {
            next += lost;
            gaps++;
            continue;
        }
        assert_int_equal(sscanf(line, "2line %d", &number), 1);
        assert_int_equal(number, next);
        next++;
    }
    assert_int_equal(next, MANY + FEW);
    return gaps;
}

static void nobody_reads_at_first(const int log[2])
{
    struct talk talk;

    begin(&talk, log);
    wait_for_lines(&talk); /* that nobody read */
    read_until(&talk, "were lost");
    assert_int_equal(write(talk.go, "", 1), 1);
    read_until(&talk, NULL);
    assert_int_equal(check_lines(talk.text), 1);
    end(&talk);
}

TEST(test_nobody_waits_for_a_pipe_and_what_is_lost_is_told)
{
    int log[2];

    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    nobody_reads_at_first(log);
}

TEST(test_nobody_waits_for_a_pipe_that_may_not_be_opened_anew)
{
    int log[2];

    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    is_anothers = true;
    nobody_reads_at_first(log);
    is_anothers = false;
}

TEST(test_nobody_waits_for_a_socket_and_what_is_lost_is_told)
{
    int log[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, log), 0);
    nobody_reads_at_first(log);
}

TEST(test_nobody_waits_for_a_terminal_and_what_is_lost_is_told)
{
    int log[2];

    assert_int_equal(openpty(&log[0], &log[1], NULL, NULL, NULL), 0);
    nobody_reads_at_first(log);
}

TEST(test_the_open_file_that_others_have_blocks_as_before)
{
    struct talk talk;
    int log[2];
    int others;

    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    others = dup(log[1]);
    begin(&talk, log);
    wait_for_lines(&talk);
    assert_false(fcntl(others, F_GETFL) & O_NONBLOCK);
    (void)close(others);
    assert_int_equal(write(talk.go, "", 1), 1);
    read_until(&talk, NULL);
    assert_int_equal(check_lines(talk.text), 1);
    end(&talk);
}

TEST(test_one_that_is_read_has_every_line)
{
    struct talk talk;
    int log[2];

    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    assert_true(fcntl(log[1], F_SETPIPE_SZ, READ_MAX / 4) > 0);
    begin(&talk, log);
    wait_for_lines(&talk);
    assert_int_equal(write(talk.go, "", 1), 1);
    read_until(&talk, NULL);
    assert_int_equal(check_lines(talk.text), 0);
    end(&talk);
}

TEST(test_a_program_ends_when_its_reader_has_gone_or_never_reads)
{
    struct talk talk;
    int log[2];

    for (int reads = 0; reads < 2; reads++) {
        assert_int_equal(pipe2(log, O_CLOEXEC), 0);
        begin(&talk, log);
        wait_for_lines(&talk);
        if (reads == 0) {
            (void)close(talk.log);
            talk.log = -1;
        }
        assert_int_equal(write(talk.go, "", 1), 1);
        end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_waits_for_a_pipe_and_what_is_lost_is_told),
        cmocka_unit_test(test_nobody_waits_for_a_pipe_that_may_not_be_opened_anew),
        cmocka_unit_test(test_nobody_waits_for_a_socket_and_what_is_lost_is_told),
        cmocka_unit_test(test_nobody_waits_for_a_terminal_and_what_is_lost_is_told),
        cmocka_unit_test(test_the_open_file_that_others_have_blocks_as_before),
        cmocka_unit_test(test_one_that_is_read_has_every_line),
        cmocka_unit_test(test_a_program_ends_when_its_reader_has_gone_or_never_reads),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
