/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper_streams.c - custom streams: whose they are, how long they stay, what they take. */
#include "kept.h"

enum {
    FIRST = CUSTOM_STREAM_FIRST,
};

static struct kept kept;

static int set_up(void **state)
{
    (void)state;
    kept_init(&kept);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_fd_of(&kept.log);
    kept_clear(&kept);
    return 0;
}

/* web.1 with @count custom streams, from descriptor 3 on. */
static struct colony_message custom_order(uint8_t count)
{
    struct colony_message order = spawn_order("web", 1);

    order.u.spawn.custom_count = count;
    for (uint8_t i = 0; i < count && i < COLONY_STREAMS_CUSTOM; i++)
        order.u.spawn.plan[3 + i] = (uint8_t)(FD_STREAM | (FIRST + i));
    return order;
}

static void order_script(struct colony_message *order, const char *script)
{
    struct made_payload made;

    made_init_shell(&made, script);
    order_spawn(&kept, order, &made);
}

/* Its custom stream in *fd; its output is closed. */
static struct told spawn_custom(const char *script, int *fd)
{
    struct colony_message order = custom_order(1);
    struct told told;

    order_script(&order, script);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.message.flags, 1 << OUTPUT_STREAM | 1 << FIRST);
    assert_int_equal(told.fd_count, 2);
    (void)close(told.fds[0]);
    *fd = told.fds[1];
    return told;
}

static const struct colony_record *record(uint32_t index)
{
    return &kept.table.records[index];
}

/* The end that a new engine is given; -1: none. */
static void on_record(struct told *told, void *data)
{
    int *fd = data;

    if (told->message.flags & 1U << FIRST)
        *fd = fcntl(told->fds[told->fd_count - 1], F_DUPFD_CLOEXEC, 0);
}

static int meet_next_engine(void)
{
    int fd = -1;

    meet_engine(&kept);
    hear_hello(&kept, on_record, &fd);
    return fd;
}

static void end(const struct told *told)
{
    assert_int_equal(kill(record(told->message.index)->pid, SIGKILL), 0);
}

TEST(test_a_custom_stream_is_read_and_written_on_both_sides)
{
    struct told told;
    char byte;
    int fd;

    kept_begin(&kept);
    told = spawn_custom("read x <&3; echo got $x >&3", &fd);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(read(fd, &byte, 1), -1); /* ours does not block, the process's does */
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write(fd, "it\n", 3), 3);
    expect_output(fd, "got it\n");
    (void)expect(&kept, MESSAGE_EXITED);
    assert_int_equal(record(told.message.index)->wait_status, 0);
    await(fd);
    assert_int_equal(read(fd, &byte, 1), 0); /* the keeper keeps nothing open of it */
    (void)close(fd);
}

TEST(test_what_it_wrote_before_it_ended_can_still_be_read)
{
    int fd;

    kept_begin(&kept);
    (void)spawn_custom("echo last >&3", &fd);
    (void)expect(&kept, MESSAGE_EXITED);
    expect_output(fd, "last\n");
    (void)close(fd);
}

TEST(test_the_next_process_gets_new_ones_and_the_output_of_the_slot)
{
    struct colony_message order = custom_order(1);
    struct told told;
    int first;

    kept_begin(&kept);
    told = spawn_custom("exit 0", &first);
    (void)expect(&kept, MESSAGE_EXITED);
    order.index = told.message.index;
    order.id = told.message.id;
    order.u.spawn.flags = SPAWN_REPLACES;
    order_script(&order, "echo second >&3; exec sleep 60");
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.message.flags, 1 << FIRST);
    expect_output(told.fds[0], "second\n");
    close_told(&told);
    (void)close(first);
    end(&told);
    (void)expect(&kept, MESSAGE_EXITED);
}

TEST(test_a_new_engine_gets_what_the_one_before_did_not_read)
{
    struct told told;
    int fd;

    kept_begin(&kept);
    told = spawn_custom("echo one >&3; read x <&3; echo two >&3; exec sleep 60", &fd);
    await(fd);
    (void)close(fd);
    kill_engine(&kept);
    fd = meet_next_engine();
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "\n", 1), 1);
    expect_output(fd, "one\ntwo\n");
    (void)close(fd);
    end(&told);
    (void)expect(&kept, MESSAGE_EXITED);
}

TEST(test_an_upgrade_keeps_them)
{
    struct told told;
    unsigned fds;
    int fd;

    kept_begin(&kept);
    told = spawn_custom("echo one >&3; read x <&3; echo two >&3; exec sleep 60", &fd);
    await(fd);
    (void)close(fd);
    fds = count_keeper_fds(&kept);
    say_simple(&kept, MESSAGE_UPGRADE, 0);
    leave_engine(&kept);
    fd = meet_next_engine();
    assert_true(fd >= 0);
    EVENTUALLY(count_keeper_fds(&kept) <= fds); /* what came over was taken, not doubled */
    assert_false(record(told.message.index)->flags & RECORD_STREAMS_LOST);
    assert_int_equal(write(fd, "\n", 1), 1);
    expect_output(fd, "one\ntwo\n");
    (void)close(fd);
    end(&told);
    (void)expect(&kept, MESSAGE_EXITED);
}

TEST(test_they_are_lost_with_keeper_and_engine_and_the_process_goes_on)
{
    struct told told;
    pid_t pid;
    int status;
    int fd;

    kept.log = openat(kept.scratch.fd, "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    kept_begin(&kept);
    told = spawn_custom("exec sleep 60", &fd);
    (void)close(fd);
    pid = record(told.message.index)->pid;
    assert_int_equal(kill(kept.keeper, SIGKILL), 0);
    assert_int_equal(waitpid(kept.keeper, NULL, 0), kept.keeper);
    leave_engine(&kept);
    kept_start(&kept);
    assert_int_equal(meet_next_engine(), -1);
    assert_int_equal(colony_record_state(record(0)), RECORD_ALIVE);
    assert_true(record(0)->flags & RECORD_STREAMS_LOST);
    assert_false(record(0)->flags & RECORD_OUTPUT_LOST);
    kill_engine(&kept); /* it is told once */
    assert_int_equal(meet_next_engine(), -1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)expect(&kept, MESSAGE_EXITED);
}

TEST(test_all_of_one_process_come_in_one_message)
{
    struct colony_message order = custom_order(COLONY_STREAMS_CUSTOM);
    struct told told;

    kept_begin(&kept);
    order.u.spawn.plan[0] = FD_STREAM | INPUT_STREAM;
    order.u.spawn.stream_kind[INPUT_STREAM] = STREAM_INPUT;
    order.u.spawn.plan[2] = FD_STREAM | ERROR_STREAM;
    order.u.spawn.stream_kind[ERROR_STREAM] = STREAM_OUTPUT;
    order.u.spawn.stream_kind[NOTIFY_STREAM] = STREAM_NOTIFY;
    order_script(&order, "for fd in 3 4 5 6 7; do eval \"echo $fd >&$fd\"; done; exec sleep 60");
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.fd_count, 9);
    for (size_t i = 0; i < COLONY_STREAMS_CUSTOM; i++) {
        char wanted[] = {(char)('3' + i), '\n', '\0'};

        expect_output(told.fds[4 + i], wanted);
    }
    close_told(&told);
    end(&told);
    (void)expect(&kept, MESSAGE_EXITED);
}

TEST(test_too_many_or_one_that_is_not_there_is_refused)
{
    struct colony_message order = custom_order(COLONY_STREAMS_CUSTOM + 1);
    struct told told;

    kept.log = openat(kept.scratch.fd, "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    kept_begin(&kept);
    order_script(&order, "exit 0"); /* refused: nothing is told */
    order = custom_order(1);
    order.u.spawn.plan[4] = (uint8_t)(FD_STREAM | (FIRST + 1));
    order_script(&order, "exit 0");
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    assert_int_equal(told.message.index, 0);
    assert_int_equal(told.fd_count, 1); /* the slot's output alone */
    close_told(&told);
    order = custom_order(1);
    order.u.spawn.stream_kind[READY_STREAM] = STREAM_SOCKET;
    order_script(&order, "exit 0");
    assert_true(is_quiet(&kept));
    assert_int_equal(record(0)->failed_errno, EBADMSG);
}

TEST(test_nothing_is_left_open_of_those_that_ended_or_failed)
{
    struct colony_message order;
    unsigned fds = 0;
    struct told told;
    int fd;

    kept_begin(&kept);
    for (size_t i = 0; i < 6; i++) {
        told = spawn_custom("exit 0", &fd);
        (void)close(fd);
        (void)expect(&kept, MESSAGE_EXITED);
        order = about(&kept, MESSAGE_FORGET, told.message.index);
        say(&kept, &order, NULL, 0);
        order = custom_order(2);
        order.u.spawn.plan[5] = FD_PASSED; /* nothing was passed */
        order_script(&order, "exit 0");
        told = expect(&kept, MESSAGE_SPAWN_FAILED);
        close_told(&told);
        if (i == 1)
            fds = count_keeper_fds(&kept);
        else if (i == 5) /* what it passed to us it closes in a moment */
            EVENTUALLY(count_keeper_fds(&kept) <= fds);
        order = about(&kept, MESSAGE_FORGET, told.message.index);
        say(&kept, &order, NULL, 0);
    }
}

/* What custom streams take is no other process's: some are refused, none fails half way. */
TEST(test_what_they_take_counts_as_descriptors)
{
    unsigned spawned = 0;
    struct told told;

    kept.nofile = 120;
    kept_begin(&kept);
    for (uint32_t i = 0; i < kept.hello.capacity; i++) {
        struct colony_message order = custom_order(COLONY_STREAMS_CUSTOM);

        order.u.spawn.slot = i + 1;
        order_script(&order, "exec sleep 60");
        told = hear(&kept);
        close_told(&told);
        if (told.message.type == MESSAGE_SPAWN_FAILED) {
            assert_int_equal(told.message.index, UINT32_MAX);
            assert_int_equal(told.message.value, -EMFILE);
            continue;
        }
        assert_int_equal(told.message.type, MESSAGE_SPAWNED);
        assert_int_equal(told.fd_count, 1 + COLONY_STREAMS_CUSTOM);
        spawned++;
    }
    assert_true(spawned > 0 && spawned < kept.hello.capacity);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_a_custom_stream_is_read_and_written_on_both_sides),
        KEEPER_TEST(test_what_it_wrote_before_it_ended_can_still_be_read),
        KEEPER_TEST(test_the_next_process_gets_new_ones_and_the_output_of_the_slot),
        KEEPER_TEST(test_a_new_engine_gets_what_the_one_before_did_not_read),
        KEEPER_TEST(test_an_upgrade_keeps_them),
        KEEPER_TEST(test_they_are_lost_with_keeper_and_engine_and_the_process_goes_on),
        KEEPER_TEST(test_all_of_one_process_come_in_one_message),
        KEEPER_TEST(test_too_many_or_one_that_is_not_there_is_refused),
        KEEPER_TEST(test_nothing_is_left_open_of_those_that_ended_or_failed),
        KEEPER_TEST(test_what_they_take_counts_as_descriptors),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
