/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper_adopt.c - processes that somebody else started: taken, and let go of again. */
#include "kept.h"

#include "core/adopt.h"

enum {
    OTHER_USER = 1234,
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
    kept_clear(&kept);
    return 0;
}

static const struct colony_record *record(uint32_t index)
{
    return &kept.table.records[index];
}

/* A process of the test's: of no keeper's. With @uids: real, effective and saved. */
static pid_t start_stranger_as(const uid_t *uids)
{
    int ends[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (uids && setresuid(uids[0], uids[1], uids[2]) < 0)
            _exit(1);
        (void)signal(SIGTERM, SIG_DFL);
        (void)!write(ends[1], "", 1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ends[0], &byte, 1), 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return pid;
}

static pid_t start_stranger(void)
{
    return start_stranger_as(NULL);
}

static void end_stranger(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    (void)wait_for_child(pid);
}

static struct colony_message adopt_order(pid_t pid)
{
    struct colony_message message = {.type = MESSAGE_ADOPT};

    (void)snprintf(message.u.adopt.name, sizeof message.u.adopt.name, "guest");
    message.u.adopt.slot = 1;
    message.u.adopt.pid = pid;
    message.u.adopt.start_ticks = colony_proc_start_ticks(pid);
    message.u.adopt.note[0] = 77;
    return message;
}

static uint32_t adopt(pid_t pid)
{
    struct colony_message order = adopt_order(pid);
    struct told told;

    say(&kept, &order, NULL, 0);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.fd_count, 0);
    assert_int_equal(told.message.flags, 0);
    assert_int_equal(record(told.message.index)->pid, pid);
    assert_int_equal(colony_record_state(record(told.message.index)), RECORD_ALIVE);
    return told.message.index;
}

static void assert_refused(struct colony_message *order, int error)
{
    uint32_t used = kept.table.header->high_water;
    struct told told;

    say(&kept, order, NULL, 0);
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    assert_int_equal(told.message.index, UINT32_MAX);
    assert_string_equal(told.message.u.spawn.name, "guest");
    assert_int_equal(told.message.u.spawn.slot, 1);
    assert_int_equal(told.message.value, -error);
    assert_int_equal(kept.table.header->high_water, used);
}

static void assert_pid_refused(pid_t pid, int error)
{
    struct colony_message order = adopt_order(pid);

    assert_refused(&order, error);
}

static void say_about(enum colony_message_type type, uint32_t index)
{
    struct colony_message message = about(&kept, type, index);

    say(&kept, &message, NULL, 0);
}

static void expect_exit(uint32_t index, uint64_t id)
{
    struct told told = expect(&kept, MESSAGE_EXITED);

    assert_int_equal(told.message.index, index);
    assert_int_equal(told.message.id, id);
    assert_int_equal(colony_record_state(record(index)), RECORD_EXITED);
}

TEST(test_an_adopted_process_has_a_record_as_one_of_our_own)
{
    uint32_t index;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    index = adopt(pid);
    assert_string_equal(record(index)->name, "guest");
    assert_int_equal(record(index)->slot, 1);
    assert_int_equal(record(index)->start_ticks, colony_proc_start_ticks(pid));
    assert_true(record(index)->flags & RECORD_ADOPTED);
    assert_int_equal(record(index)->note[0], 77);
    assert_true(record(index)->claimed_boot_ns <= colony_boot_now_ns());
    assert_true(record(index)->claimed_boot_ns + 60000000000ULL > colony_boot_now_ns());
    assert_true(colony_record_is_sound(record(index)));
    end_stranger(pid);
}

TEST(test_its_end_is_told_with_its_status_where_the_kernel_can_tell)
{
    uint32_t index;
    int32_t status;
    int pidfd;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    index = adopt(pid);
    pidfd = pidfd_of(pid);
    end_stranger(pid);
    expect_exit(index, record(index)->id);
    if (colony_exit_status(pidfd, &status) == 0) {
        assert_true(record(index)->flags & RECORD_STATUS_KNOWN);
        assert_int_equal(record(index)->wait_status, SIGKILL);
    } else {
        assert_false(record(index)->flags & RECORD_STATUS_KNOWN);
    }
    (void)close(pidfd);
}

TEST(test_it_is_signalled_by_its_id)
{
    struct colony_message order;
    uint32_t index;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    index = adopt(pid);
    order = about(&kept, MESSAGE_SIGNAL, index);
    order.signo = SIGTERM;
    order.flags = SIGNAL_STOP | SIGNAL_GROUP; /* its group is the test's, which goes on */
    say(&kept, &order, NULL, 0);
    assert_int_equal(wait_for_child(pid), SIGTERM);
    expect_exit(index, record(index)->id);
}

TEST(test_one_that_has_ended_is_refused)
{
    struct colony_message order;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    order = adopt_order(pid);
    assert_int_equal(kill(pid, SIGKILL), 0);
    EVENTUALLY(!colony_proc_is_running(pid));
    assert_refused(&order, ESRCH); /* a zombie */
    (void)wait_for_child(pid);
    assert_refused(&order, ESRCH);
}

TEST(test_a_number_that_is_another_process_by_now_is_refused)
{
    struct colony_message order;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    order = adopt_order(pid);
    order.u.adopt.start_ticks--;
    assert_refused(&order, ESRCH);
    order.u.adopt.start_ticks = 0;
    assert_refused(&order, ESRCH);
    end_stranger(pid);
}

TEST(test_what_is_ours_is_refused)
{
    struct told told;
    uint32_t index;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    index = adopt(pid);
    assert_pid_refused(pid, EEXIST);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    assert_pid_refused(record(told.message.index)->pid, EEXIST);
    assert_pid_refused(kept.keeper, EPERM);
    assert_pid_refused(kept.engine, EPERM);
    assert_pid_refused(1, EPERM);
    end_stranger(pid);
    expect_exit(index, record(index)->id);
}

TEST(test_nonsense_is_refused_without_an_answer)
{
    struct colony_message order;
    pid_t pid;

    kept.log = open("/dev/null", O_WRONLY | O_CLOEXEC);
    kept_begin(&kept);
    pid = start_stranger();
    order = adopt_order(pid);
    order.u.adopt.slot = 0;
    say(&kept, &order, NULL, 0);
    order = adopt_order(pid);
    memcpy(order.u.adopt.name, "a/b", 4);
    say(&kept, &order, NULL, 0);
    order = adopt_order(pid);
    memset(order.u.adopt.name, 'a', sizeof order.u.adopt.name);
    say(&kept, &order, NULL, 0);
    order = adopt_order(pid);
    order.u.adopt.pid = -1;
    say(&kept, &order, NULL, 0);
    order = (struct colony_message){.type = MESSAGE_LET_GO, .index = 77, .id = 1};
    say(&kept, &order, NULL, 0);
    (void)adopt(pid);
    assert_true(is_quiet(&kept));
    end_stranger(pid);
    close_fd_of(&kept.log);
}

TEST(test_it_outlives_engine_and_keeper_and_is_taken_over_with_its_id)
{
    uint32_t index;
    uint64_t id;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    index = adopt(pid);
    id = record(index)->id;
    next_engine(&kept);
    assert_int_equal(kept.records, 1);
    assert_int_equal(record(index)->id, id);
    assert_int_equal(kill(kept.keeper, SIGKILL), 0);
    (void)wait_for_child(kept.keeper);
    kill_engine(&kept);
    kept_begin(&kept);
    assert_int_equal(kept.records, 1);
    assert_int_equal(record(index)->id, id);
    assert_int_equal(record(index)->pid, pid);
    assert_int_equal(colony_record_state(record(index)), RECORD_ALIVE);
    end_stranger(pid);
    expect_exit(index, id);
}

TEST(test_one_that_ended_while_there_was_no_keeper_is_told_as_ended)
{
    uint32_t index;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    index = adopt(pid);
    assert_int_equal(kill(kept.keeper, SIGKILL), 0);
    (void)wait_for_child(kept.keeper);
    kill_engine(&kept);
    end_stranger(pid);
    kept_begin(&kept);
    assert_int_equal(colony_record_state(record(index)), RECORD_EXITED);
    assert_false(record(index)->flags & RECORD_STATUS_KNOWN);
}

TEST(test_what_is_let_go_lives_on_and_nobody_is_told_of_its_end)
{
    unsigned fds;
    pid_t pid;

    kept_begin(&kept);
    pid = start_stranger();
    fds = count_keeper_fds(&kept);
    say_about(MESSAGE_LET_GO, adopt(pid));
    EVENTUALLY(count_keeper_fds(&kept) == fds);
    assert_int_equal(kill(pid, 0), 0);
    say_about(MESSAGE_LET_GO, adopt(pid)); /* it may be taken again */
    end_stranger(pid);
    pid = start_stranger();
    (void)adopt(pid);
    assert_true(is_quiet(&kept));
    end_stranger(pid);
}

TEST(test_a_child_that_is_let_go_is_reaped_as_a_stray)
{
    struct told told;
    pid_t pid;

    kept_begin(&kept);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    pid = record(told.message.index)->pid;
    say_about(MESSAGE_LET_GO, told.message.index);
    EVENTUALLY(colony_record_state(record(told.message.index)) == RECORD_FREE);
    assert_int_equal(kill(pid, SIGKILL), 0);
    told = expect(&kept, MESSAGE_STRAY);
    assert_int_equal(told.message.value, 1);
}

TEST(test_one_of_our_children_that_was_let_go_can_be_taken_again)
{
    struct told told;
    uint32_t index;
    pid_t pid;

    kept_begin(&kept);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    pid = record(told.message.index)->pid;
    say_about(MESSAGE_LET_GO, told.message.index);
    index = adopt(pid);
    assert_false(record(index)->flags & RECORD_ADOPTED);
    assert_int_equal(kill(pid, SIGKILL), 0);
    expect_exit(index, record(index)->id);
    assert_true(record(index)->flags & RECORD_STATUS_KNOWN);
    assert_int_equal(record(index)->wait_status, SIGKILL);
}

TEST(test_what_ends_as_it_is_let_go_is_told_once)
{
    struct told told;

    kept_begin(&kept);
    told = spawn_script(&kept, "exit 3", NULL);
    (void)expect(&kept, MESSAGE_EXITED);
    say_about(MESSAGE_LET_GO, told.message.index);
    say_about(MESSAGE_FORGET, told.message.index);
    EVENTUALLY(colony_record_state(record(told.message.index)) == RECORD_FREE);
    assert_true(is_quiet(&kept));
}

/* Under `user:` the keeper is root, and lends its rights to nobody. */
TEST(test_an_engine_without_rights_gets_no_stranger)
{
    const uid_t nobody[] = {NOBODY, NOBODY, NOBODY};
    const uid_t other[] = {OTHER_USER, OTHER_USER, OTHER_USER};
    const uid_t third[] = {OTHER_USER + 1, OTHER_USER + 1, OTHER_USER + 1};
    const uid_t mixed[] = {NOBODY, NOBODY, OTHER_USER};
    pid_t pid;

    if (geteuid() != 0) {
        skip_aloud("needs root");
        return;
    }
    kept.options->has_user = true;
    kept.options->identity_count = 2;
    kept.options->identities[0] = (struct colony_keeper_identity){.uid = NOBODY, .gid = NOBODY};
    kept.options->identities[1] =
        (struct colony_keeper_identity){.uid = OTHER_USER, .gid = OTHER_USER};
    kept_begin(&kept);
    pid = start_stranger();
    assert_pid_refused(pid, EPERM); /* root's */
    end_stranger(pid);
    pid = start_stranger_as(third);
    assert_pid_refused(pid, EPERM);
    end_stranger(pid);
    pid = start_stranger_as(mixed);
    assert_pid_refused(pid, EPERM);
    end_stranger(pid);
    pid = start_stranger_as(nobody);
    (void)adopt(pid);
    end_stranger(pid);
    (void)expect(&kept, MESSAGE_EXITED);
    pid = start_stranger_as(other);
    (void)adopt(pid);
    end_stranger(pid);
    (void)expect(&kept, MESSAGE_EXITED);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_an_adopted_process_has_a_record_as_one_of_our_own),
        KEEPER_TEST(test_its_end_is_told_with_its_status_where_the_kernel_can_tell),
        KEEPER_TEST(test_it_is_signalled_by_its_id),
        KEEPER_TEST(test_one_that_has_ended_is_refused),
        KEEPER_TEST(test_a_number_that_is_another_process_by_now_is_refused),
        KEEPER_TEST(test_what_is_ours_is_refused),
        KEEPER_TEST(test_nonsense_is_refused_without_an_answer),
        KEEPER_TEST(test_it_outlives_engine_and_keeper_and_is_taken_over_with_its_id),
        KEEPER_TEST(test_one_that_ended_while_there_was_no_keeper_is_told_as_ended),
        KEEPER_TEST(test_what_is_let_go_lives_on_and_nobody_is_told_of_its_end),
        KEEPER_TEST(test_a_child_that_is_let_go_is_reaped_as_a_stray),
        KEEPER_TEST(test_one_of_our_children_that_was_let_go_can_be_taken_again),
        KEEPER_TEST(test_what_ends_as_it_is_let_go_is_told_once),
        KEEPER_TEST(test_an_engine_without_rights_gets_no_stranger),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
