/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper_orders.c - what an engine may order, and what the keeper makes of nonsense. */
#include "kept.h"

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
    kept_clear(&kept);
    return 0;
}

static const struct colony_record *record(uint32_t index)
{
    return &kept.table.records[index];
}

/* Hears that web.1 has ended and how. */
static int32_t expect_exit(uint32_t index)
{
    struct told told = expect(&kept, MESSAGE_EXITED);

    assert_int_equal(told.message.index, index);
    assert_int_equal(told.message.id, record(index)->id);
    assert_int_equal(colony_record_state(record(index)), RECORD_EXITED);
    assert_true(record(index)->flags & RECORD_STATUS_KNOWN);
    return record(index)->wait_status;
}

static void say_about(enum colony_message_type type, uint32_t index)
{
    struct colony_message message = about(&kept, type, index);

    say(&kept, &message, NULL, 0);
}

static void signal_it(uint32_t index, uint64_t id, int signo, uint32_t flags)
{
    struct colony_message message = {
        .type = MESSAGE_SIGNAL, .index = index, .id = id, .signo = signo, .flags = flags};

    say(&kept, &message, NULL, 0);
}

/* Spawns something, and hears whatever was caused before it until that runs. */
static void hear_out(void)
{
    struct colony_message order = spawn_order("last", 1);
    struct made_payload made;
    struct told told;

    made_init_shell(&made, ":");
    order_spawn(&kept, &order, &made);
    do {
        told = hear(&kept);
        close_told(&told);
    } while (told.message.type != MESSAGE_SPAWNED);
    (void)expect_exit(told.message.index);
    say_about(MESSAGE_FORGET, told.message.index);
}

/* A spawn that works: all that was said before it has been heard. */
static void assert_keeper_serves(void)
{
    struct told told = spawn_script(&kept, ":", NULL);

    (void)expect_exit(told.message.index);
    say_about(MESSAGE_FORGET, told.message.index);
}

TEST(test_a_spawned_process_is_alive_with_a_pipe_to_read)
{
    struct told told;
    int output;

    kept_begin(&kept);
    told = spawn_script(&kept, "echo hello; exec sleep 60", &output);
    assert_int_equal(colony_record_state(record(told.message.index)), RECORD_ALIVE);
    assert_true(record(told.message.index)->pid > 0);
    assert_string_equal(record(told.message.index)->name, "web");
    assert_int_equal(fcntl(output, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
    expect_output(output, "hello\n");
    (void)close(output);
}

TEST(test_the_true_status_of_an_exit_is_told)
{
    struct told told;

    kept_begin(&kept);
    told = spawn_script(&kept, "exit 7", NULL);
    assert_int_equal(expect_exit(told.message.index), 7 << 8);
    assert_true(record(told.message.index)->rss_max_bytes > 0);
    told = spawn_script(&kept, "kill -USR1 $$", NULL);
    assert_int_equal(expect_exit(told.message.index), SIGUSR1);
}

TEST(test_a_spawn_that_fails_names_step_and_reason)
{
    const char *const nowhere[] = {"/nonexistent", NULL};
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;

    kept_begin(&kept);
    made_init(&made, nowhere, nowhere, NULL);
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    assert_int_equal(colony_record_state(record(told.message.index)), RECORD_FAILED);
    assert_int_equal(record(told.message.index)->failed_step, STEP_EXEC);
    assert_int_equal(record(told.message.index)->failed_errno, ENOENT);
    close_told(&told);
    say_about(MESSAGE_FORGET, told.message.index);
    assert_keeper_serves();
}

TEST(test_a_payload_that_lies_fails_before_it_is_used)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;
    int payload;

    kept_begin(&kept);
    made_init_shell(&made, ":");
    payload = made_file(&made, 0); /* not sealed */
    say(&kept, &order, &payload, 1);
    (void)close(payload);
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    assert_int_equal(record(told.message.index)->failed_step, STEP_PREPARE);
    assert_int_equal(record(told.message.index)->failed_errno, EPERM);
    made.header.argc = 1000;
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    assert_int_equal(record(told.message.index)->failed_step, STEP_PREPARE);
    assert_int_equal(record(told.message.index)->failed_errno, EBADMSG);
}

TEST(test_what_lives_is_never_forgotten)
{
    struct told told;
    uint32_t index;
    uint64_t id;

    kept_begin(&kept);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    index = told.message.index;
    id = record(index)->id;
    say_about(MESSAGE_FORGET, index);
    signal_it(index, id, SIGKILL, 0); /* still known by its id */
    assert_int_equal(expect_exit(index), SIGKILL);
    say_about(MESSAGE_FORGET, index);
    assert_keeper_serves();
    assert_true(record(index)->id > id); /* its place was given away, its id was not */
}

TEST(test_a_signal_for_another_id_is_not_sent)
{
    struct told told;
    uint32_t index;
    uint64_t id;

    kept_begin(&kept);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    index = told.message.index;
    id = record(index)->id;
    signal_it(index, id + 1, SIGKILL, 0);
    signal_it(index, id - 1, SIGKILL, 0);
    signal_it(index + 1, id, SIGKILL, 0);
    signal_it(UINT32_MAX, id, SIGKILL, 0);
    signal_it(index, id, 0, 0);
    signal_it(index, id, 65, 0);
    signal_it(index, id, -9, 0);
    signal_it(index, id, SIGUSR2, 0); /* the one that arrives */
    assert_int_equal(expect_exit(index), SIGUSR2);
}

TEST(test_a_signal_to_the_group_reaches_all_of_it)
{
    struct told told;
    struct pollfd child;
    int output;
    char text[32] = "";

    kept_begin(&kept);
    told = spawn_script(&kept, "sleep 60 & echo $!; wait", &output);
    await(output);
    assert_true(read(output, text, sizeof text - 1) > 0);
    child = (struct pollfd){.fd = pidfd_of((pid_t)strtol(text, NULL, 10)), .events = POLLIN};
    signal_it(told.message.index, told.message.id, SIGKILL, SIGNAL_GROUP);
    assert_int_equal(expect_exit(told.message.index), SIGKILL);
    assert_int_equal(poll(&child, 1, DEADLINE_MS), 1);
    (void)close(child.fd);
    (void)close(output);
}

TEST(test_a_sweep_finds_what_was_left_behind)
{
    struct colony_message sweep;
    uint64_t until_ms = clock_ms() + DEADLINE_MS;
    struct told told;
    uint32_t index;

    kept_begin(&kept);
    {
        const char *const paths[] = {"/bin/sh", NULL};
        const char *const argv[] = {"sh", "-c", "setsid sleep 60 & setsid sleep 60 & sleep 0.1",
                                    NULL};
        struct colony_message order = spawn_order("web", 1);
        struct made_payload made;
        char mark[64];
        const char *const env[] = {mark, NULL};

        (void)snprintf(mark, sizeof mark, "COLONY_ID=%s/web/1", kept.table.header->instance);
        made_init(&made, paths, argv, env);
        order_spawn(&kept, &order, &made);
    }
    told = expect(&kept, MESSAGE_SPAWNED);
    close_told(&told);
    index = told.message.index;
    (void)expect_exit(index);
    sweep = about(&kept, MESSAGE_SWEEP, index);
    say(&kept, &sweep, NULL, 0);
    told = expect(&kept, MESSAGE_SWEPT);
    assert_int_equal(told.message.u.swept.found, 2);
    assert_int_equal(told.message.u.swept.unclaimed, 0);
    do {
        sweep.signo = SIGKILL;
        say(&kept, &sweep, NULL, 0);
        told = expect(&kept, MESSAGE_SWEPT);
        assert_true(clock_ms() < until_ms);
    } while (told.message.u.swept.found > 0);
}

TEST(test_an_input_ends_when_both_let_go_of_it)
{
    const char *const paths[] = {"/bin/cat", NULL};
    const char *const argv[] = {"cat", NULL};
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;

    kept_begin(&kept);
    order.u.spawn.plan[0] = FD_STREAM | 1;
    order.u.spawn.stream_kind[1] = STREAM_INPUT;
    made_init(&made, paths, argv, NULL);
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.fd_count, 2);
    assert_int_equal(told.message.flags, 3);
    assert_int_equal(write(told.fds[1], "through\n", 8), 8);
    expect_output(told.fds[0], "through\n");
    order = about(&kept, MESSAGE_CLOSE, told.message.index);
    order.flags = 0; /* the output: no input, so nothing is closed */
    say(&kept, &order, NULL, 0);
    order.flags = 1;
    say(&kept, &order, NULL, 0);
    close_told(&told);
    assert_int_equal(expect_exit(told.message.index), 0);
}

TEST(test_the_process_that_replaces_another_gets_its_output_pipe)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;
    int output;

    kept_begin(&kept);
    told = spawn_script(&kept, "echo first", &output);
    (void)expect_exit(told.message.index);
    order.index = told.message.index;
    order.id = told.message.id;
    order.u.spawn.flags = SPAWN_REPLACES;
    made_init_shell(&made, "echo second");
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.fd_count, 0); /* the engine has it already */
    (void)expect_exit(told.message.index);
    assert_int_equal(kept.table.header->high_water, 2);
    assert_int_equal(colony_record_state(record(1 - told.message.index)), RECORD_FREE);
    expect_output(output, "first\nsecond\n");
    (void)close(output);
}

/* web.1 with @count files passed, as descriptors 3 and up. */
static void order_with_files(struct colony_message *order, size_t count, const char *script)
{
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct made_payload made;

    made_init_shell(&made, script);
    fds[0] = made_file(&made, ALL_SEALS);
    made_clear(&made);
    for (size_t i = 1; i <= count; i++)
        fds[i] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    say(&kept, order, fds, count + 1);
    for (size_t i = 0; i <= count; i++)
        (void)close(fds[i]);
}

TEST(test_a_file_that_was_passed_is_the_planned_descriptor)
{
    struct colony_message order = spawn_order("web", 1);
    struct told told;

    kept_begin(&kept);
    order.u.spawn.plan[4] = FD_PASSED | 1;
    order_with_files(&order, 2, "ls /proc/$$/fd; readlink /proc/$$/fd/4");
    told = expect(&kept, MESSAGE_SPAWNED);
    expect_output(told.fds[0], "0\n1\n2\n4\n/dev/zero\n");
    close_told(&told);
}

TEST(test_a_plan_that_names_what_there_is_not_is_refused)
{
    static const uint8_t plans[] = {FD_PASSED | 2,  FD_PASSED | 7, FD_PASSED | 15, FD_STREAM | 2,
                                    FD_STREAM | 15, 0x40,          0xff,           1};
    struct told told;

    kept_begin(&kept);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct colony_message order = spawn_order("web", 1);

        order.u.spawn.stream_kind[1] = STREAM_INPUT; /* its ends are nobody's to name */
        order.u.spawn.plan[3] = plans[i];
        order_with_files(&order, 2, ":");
        told = expect(&kept, MESSAGE_SPAWN_FAILED);
        assert_int_equal(record(told.message.index)->failed_step, STEP_PREPARE);
        assert_int_equal(record(told.message.index)->failed_errno, EBADMSG);
        close_told(&told);
        say_about(MESSAGE_FORGET, told.message.index);
    }
    assert_keeper_serves();
}

TEST(test_no_descriptor_is_left_in_the_keeper)
{
    struct colony_message order = spawn_order("web", 1);
    unsigned before = 0;
    struct told told;

    kept_begin(&kept);
    order.u.spawn.stream_kind[1] = order.u.spawn.stream_kind[2] = STREAM_INPUT;
    order.u.spawn.plan[0] = FD_STREAM | 1;
    order.u.spawn.plan[3] = FD_STREAM | 2;
    order.u.spawn.plan[4] = FD_PASSED | 6;
    for (int round = 0; round < 10; round++) {
        order_with_files(&order, 7, "exit 0");
        told = expect(&kept, MESSAGE_SPAWNED);
        close_told(&told);
        (void)expect_exit(told.message.index);
        say_about(MESSAGE_FORGET, told.message.index);
        assert_keeper_serves();
        before = round == 0 ? count_keeper_fds(&kept) : before;
    }
    EVENTUALLY(count_keeper_fds(&kept) <= before);
}

TEST(test_signals_are_clean_whatever_the_keeper_was_started_with)
{
    static const char *const keys[] = {"SigBlk:", "SigIgn:", "SigCgt:"};
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGUSR1, 32, 33, 40};
    unsigned long action[8] = {(unsigned long)SIG_IGN};
    char text[4096] = "";
    struct told told;
    int output;

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) /* nohup(1) and worse */
        (void)syscall(SYS_rt_sigaction, ignored[i], action, NULL, sizeof(uint64_t));
    kept_begin(&kept);
    action[0] = (unsigned long)SIG_DFL;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)syscall(SYS_rt_sigaction, ignored[i], action, NULL, sizeof(uint64_t));
    told = spawn_script(&kept, "exec cat /proc/self/status", &output);
    (void)expect_exit(told.message.index);
    assert_true(read(output, text, sizeof text - 1) > 0);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_non_null(strstr(text, keys[i]));
        assert_int_equal(strtoull(strstr(text, keys[i]) + 7, NULL, 16), 0);
    }
    (void)close(output);
}

TEST(test_more_than_can_live_at_once_are_refused)
{
    uint32_t refused = 0;

    kept.nofile = 80;
    kept_begin(&kept);
    assert_true(kept.hello.capacity > 0 && kept.hello.capacity < 20);
    for (uint32_t i = 0; i < kept.hello.capacity; i++) {
        struct told told = spawn_script(&kept, "exec sleep 60", NULL);

        assert_int_equal(told.message.type, MESSAGE_SPAWNED);
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct colony_message order = spawn_order("one more", 5);
        struct told told;

        order_with_files(&order, 0, ":");
        told = expect(&kept, MESSAGE_SPAWN_FAILED);
        refused += told.message.index == UINT32_MAX && told.message.value == -EMFILE &&
                   strcmp(told.message.u.spawn.name, "one more") == 0;
    }
    assert_int_equal(refused, 3);
}

TEST(test_garbage_does_not_end_the_keeper)
{
    static unsigned char bytes[4096];
    uint32_t seed = 11;

    kept_begin(&kept);
    for (int round = 0; round < 200; round++) {
        size_t size = 1 + (seed >> 8) % sizeof bytes;

        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)((seed = seed * 1664525U + 1013904223U) >> 24);
        bytes[3] |= 0x80;
        EVENTUALLY(send(kept.link, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size);
    }
    assert_keeper_serves();
}

TEST(test_orders_of_nonsense_do_not_end_the_keeper)
{
    uint32_t seed = 12;

    kept_begin(&kept);
    for (int round = 0; round < 2000; round++) {
        struct colony_message message;
        unsigned char *bytes = (unsigned char *)&message;

        for (size_t i = 0; i < sizeof message; i++)
            bytes[i] = (unsigned char)((seed = seed * 1664525U + 1013904223U) >> 24);
        message.type = (uint16_t)(1 + seed % (MESSAGE_TYPE_COUNT - 1));
        message.index %= 4;
        message.id %= 4;
        message.payload_size %= sizeof message.payload + 1;
        if (message.type == MESSAGE_SHUTDOWN || message.type == MESSAGE_UPGRADE)
            message.type = MESSAGE_HELLO;
        say(&kept, &message, NULL, 0);
    }
    hear_out(); /* spawns and adoptions of nonsense have failed */
    assert_keeper_serves();
}

TEST(test_names_that_are_none_are_refused)
{
    struct colony_message order = spawn_order("", 1);

    kept_begin(&kept);
    order_with_files(&order, 0, ":");
    order = spawn_order("a/b", 1);
    order_with_files(&order, 0, ":");
    order = spawn_order("web", 0); /* slots are numbered from 1 */
    order_with_files(&order, 0, ":");
    memset(order.u.spawn.name, 'n', sizeof order.u.spawn.name);
    order.u.spawn.slot = 1;
    order_with_files(&order, 0, ":");
    order = spawn_order("web", 1);
    order.u.spawn.stream_kind[3] = 9;
    order_with_files(&order, 0, ":");
    order = spawn_order("web", 1);
    say(&kept, &order, NULL, 0); /* without a payload */
    assert_keeper_serves();
    assert_int_equal(kept.table.header->high_water, 1); /* none of them got a record */
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_a_spawned_process_is_alive_with_a_pipe_to_read),
        KEEPER_TEST(test_the_true_status_of_an_exit_is_told),
        KEEPER_TEST(test_a_spawn_that_fails_names_step_and_reason),
        KEEPER_TEST(test_a_payload_that_lies_fails_before_it_is_used),
        KEEPER_TEST(test_what_lives_is_never_forgotten),
        KEEPER_TEST(test_a_signal_for_another_id_is_not_sent),
        KEEPER_TEST(test_a_signal_to_the_group_reaches_all_of_it),
        KEEPER_TEST(test_a_sweep_finds_what_was_left_behind),
        KEEPER_TEST(test_an_input_ends_when_both_let_go_of_it),
        KEEPER_TEST(test_the_process_that_replaces_another_gets_its_output_pipe),
        KEEPER_TEST(test_a_file_that_was_passed_is_the_planned_descriptor),
        KEEPER_TEST(test_a_plan_that_names_what_there_is_not_is_refused),
        KEEPER_TEST(test_no_descriptor_is_left_in_the_keeper),
        KEEPER_TEST(test_signals_are_clean_whatever_the_keeper_was_started_with),
        KEEPER_TEST(test_more_than_can_live_at_once_are_refused),
        KEEPER_TEST(test_garbage_does_not_end_the_keeper),
        KEEPER_TEST(test_orders_of_nonsense_do_not_end_the_keeper),
        KEEPER_TEST(test_names_that_are_none_are_refused),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
