/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper.c - the keeper and its engine: hello, engines that die, endings, takeovers. */
#include "kept.h"

enum {
    MANY = 200,
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

struct seen {
    uint64_t ids[MANY];
    unsigned exited;
    int output; /* of the last one that had a pipe; -1 */
    uint32_t index;
    int32_t value;
};

static void on_record(struct told *told, void *data)
{
    struct seen *seen = data;

    assert_true(told->message.index < MANY);
    assert_int_equal(seen->ids[told->message.index], 0); /* each once */
    seen->ids[told->message.index] = told->message.id;
    seen->exited += told->message.value == RECORD_EXITED;
    seen->index = told->message.index;
    seen->value = told->message.value;
    if (told->fd_count == 1)
        seen->output = fcntl(told->fds[0], F_DUPFD_CLOEXEC, 0);
}

static struct seen meet_next_engine(void)
{
    struct seen seen = {.output = -1};

    meet_engine(&kept);
    hear_hello(&kept, on_record, &seen);
    return seen;
}

TEST(test_hello_comes_first_with_the_table_read_only)
{
    kept_begin(&kept);
    assert_int_equal(kept.hello.keeper_pid, kept.keeper);
    assert_int_equal(kept.hello.owner_uid, getuid());
    assert_int_equal(kept.hello.record_count, 0);
    assert_true(kept.hello.capacity > 0);
    assert_true(kept.hello.nofile_hard >= kept.hello.nofile_soft);
    assert_int_equal(kept.records, 0);
    assert_int_equal(fcntl(kept.table.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, kept.table.fd, 0),
                     MAP_FAILED);
}

/* MANY processes that exit at once, of which nobody has been told yet but this engine. */
static void spawn_many(void)
{
    const char *const paths[] = {"/bin/sh", NULL};
    const char *const argv[] = {"sh", "-c", "exit 9", NULL};
    unsigned exited = 0;

    for (uint32_t i = 1; i <= MANY; i++) {
        struct colony_message order = spawn_order("web", i);
        struct made_payload made;

        made_init(&made, paths, argv, NULL);
        order.u.spawn.plan[1] = order.u.spawn.plan[2] = FD_NULL;
        order.u.spawn.stream_kind[0] = STREAM_NONE;
        order_spawn(&kept, &order, &made);
        while (!is_quiet(&kept))
            exited += hear(&kept).message.type == MESSAGE_EXITED;
    }
    while (exited < MANY)
        exited += hear(&kept).message.type == MESSAGE_EXITED;
}

TEST(test_a_hello_of_many_records_waits_for_an_answer_every_64)
{
    struct seen seen;

    kept_begin(&kept);
    spawn_many();
    kill_engine(&kept);
    seen = meet_next_engine();
    assert_int_equal(kept.hello.record_count, MANY);
    assert_int_equal(kept.records, MANY);
    assert_int_equal(seen.exited, MANY);
    assert_int_equal(kept.pauses, MANY / COLONY_HELLO_BATCH);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(seen.ids[i], kept.table.records[i].id);
        assert_int_equal(kept.table.records[i].wait_status, 9 << 8);
    }
}

TEST(test_until_continue_nothing_more_is_told)
{
    unsigned told = 0;

    kept_begin(&kept);
    spawn_many();
    kill_engine(&kept);
    meet_engine(&kept);
    (void)expect(&kept, MESSAGE_HELLO);
    while (hear(&kept).message.type == MESSAGE_RECORD)
        told++;
    assert_int_equal(told, COLONY_HELLO_BATCH);
    say_simple(&kept, MESSAGE_READY, 0); /* an answer, but not the one */
    assert_int_equal(poll(NULL, 0, 20), 0);
    assert_true(is_quiet(&kept));
    say_simple(&kept, MESSAGE_CONTINUE, 0);
    (void)expect(&kept, MESSAGE_RECORD);
}

TEST(test_before_welcome_nothing_is_spawned)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;

    kept_begin(&kept);
    spawn_many();
    kill_engine(&kept);
    meet_engine(&kept);
    made_init_shell(&made, ":");
    order_spawn(&kept, &order, &made);
    hear_hello(&kept, NULL, NULL);
    assert_int_equal(kept.table.used, 0);
    assert_int_equal(kept.table.header->high_water, MANY);
}

TEST(test_the_next_engine_gets_the_same_process_and_its_pipe)
{
    struct told told;
    struct seen seen;

    kept_begin(&kept);
    told = spawn_script(&kept, "echo kept; exec sleep 60", NULL);
    for (int round = 0; round < 3; round++) {
        kill_engine(&kept);
        seen = meet_next_engine();
        assert_int_equal(kept.records, 1);
        assert_int_equal(seen.value, RECORD_ALIVE);
        assert_int_equal(seen.ids[0], told.message.id);
        assert_true(seen.output >= 0);
        if (round == 1)
            expect_output(seen.output, "kept\n");
        (void)close(seen.output);
    }
}

TEST(test_what_is_written_while_there_is_no_engine_is_kept)
{
    struct seen seen;
    int go[2];
    char path[64];

    kept_begin(&kept);
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    (void)snprintf(path, sizeof path, "read x < /proc/%d/fd/%d; echo alone; exec sleep 60",
                   (int)getpid(), go[0]);
    (void)spawn_script(&kept, path, NULL);
    kill_engine(&kept);
    assert_int_equal(write(go[1], "\n", 1), 1);
    seen = meet_next_engine();
    assert_int_equal(seen.value, RECORD_ALIVE);
    expect_output(seen.output, "alone\n");
    (void)close(seen.output);
    (void)close(go[0]);
    (void)close(go[1]);
}

TEST(test_an_exit_while_there_is_no_engine_is_told_to_the_next)
{
    struct told told;
    struct seen seen;
    int pidfd;

    kept_begin(&kept);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    pidfd = pidfd_of(kept.table.records[told.message.index].pid);
    leave_engine(&kept); /* the keeper sees that and starts another */
    assert_int_equal(syscall(SYS_pidfd_send_signal, pidfd, SIGUSR1, NULL, 0), 0);
    await(pidfd);
    (void)close(pidfd);
    seen = meet_next_engine();
    if (seen.value == RECORD_ALIVE)
        (void)expect(&kept, MESSAGE_EXITED);
    assert_int_equal(colony_record_state(&kept.table.records[0]), RECORD_EXITED);
    assert_int_equal(kept.table.records[0].wait_status, SIGUSR1);
    assert_true(kept.table.records[0].flags & RECORD_STATUS_KNOWN);
}

TEST(test_a_note_is_there_for_the_next_engine)
{
    const struct colony_record *record;
    uint8_t note[COLONY_NOTE_SIZE];
    uint8_t found[COLONY_NOTE_SIZE];

    memset(note, 0xa5, sizeof note);
    kept_begin(&kept);
    (void)spawn_script(&kept, "exec sleep 60", NULL);
    record = &kept.table.records[0];
    assert_int_equal(colony_notes_get(&kept.notes, 0, record, found), -ENOENT);
    assert_int_equal(colony_notes_put(&kept.notes, 0, record, note), 0);
    next_engine(&kept);
    assert_int_equal(colony_notes_get(&kept.notes, 0, &kept.table.records[0], found), 0);
    assert_memory_equal(found, note, sizeof note);
}

TEST(test_shutdown_ends_with_the_code_and_leaves_the_living_alone)
{
    struct told told;
    pid_t pid;

    (void)snprintf(kept.options->pidfile, sizeof kept.options->pidfile, "%s/pid",
                   kept.scratch.path);
    kept_begin(&kept);
    assert_int_equal(access(kept.options->pidfile, F_OK), 0);
    told = spawn_script(&kept, "exec sleep 60", NULL);
    pid = kept.table.records[told.message.index].pid;
    say_simple(&kept, MESSAGE_SHUTDOWN, 42);
    leave_engine(&kept);
    assert_int_equal(keeper_code(&kept), 42);
    assert_int_equal(access(kept.options->pidfile, F_OK), -1);
    assert_int_equal(kill(pid, 0), 0); /* stopping is the engine's business */
}

TEST(test_a_request_to_end_is_told_to_the_engine_and_to_the_next)
{
    kept_begin(&kept);
    assert_int_equal(kill(kept.keeper, SIGHUP), 0);
    assert_int_equal(expect(&kept, MESSAGE_REQUEST).message.value, SIGHUP);
    assert_int_equal(kill(kept.keeper, SIGTERM), 0);
    assert_int_equal(expect(&kept, MESSAGE_REQUEST).message.value, SIGTERM);
    assert_false(kept.hello.is_ending);
    next_engine(&kept);
    assert_true(kept.hello.is_ending);
}

TEST(test_an_engine_that_ends_colony_is_followed_by_one_that_does_so)
{
    kept_begin(&kept);
    assert_int_equal(kept.hello.is_ending, 0);
    say_simple(&kept, MESSAGE_ENDING, 7);
    leave_engine(&kept);
    (void)meet_next_engine();
    assert_int_equal(kept.hello.is_ending, 1);
    assert_int_equal(kept.hello.exit_code, 7);
}

TEST(test_an_engine_that_cannot_begin_ends_the_keeper)
{
    (void)close(kept.listener);
    kept.listener = -1; /* so that it cannot report and exits with 1 */
    kept_start(&kept);
    assert_int_equal(keeper_code(&kept), 1);
}

static ino_t inode_of(int fd)
{
    struct stat info;

    assert_int_equal(fstat(fd, &info), 0);
    return info.st_ino;
}

static void hold(int fd, const char *name)
{
    struct colony_message message = {.type = MESSAGE_HOLD};

    (void)snprintf(message.u.name, sizeof message.u.name, "%s", name);
    say(&kept, &message, &fd, 1);
}

TEST(test_a_held_socket_is_given_back_to_the_next_engine)
{
    struct colony_message release = {.type = MESSAGE_RELEASE};
    int held = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ino_t inode = inode_of(held);

    kept_begin(&kept);
    hold(held, "http 127.0.0.1:5000");
    (void)close(held);
    hold(kept.control, "http 127.0.0.1:5000"); /* refused: the name is taken */
    next_engine(&kept);
    assert_true(kept.held_fd >= 0);
    assert_string_equal(kept.held_name, "http 127.0.0.1:5000");
    assert_int_equal(inode_of(kept.held_fd), inode);
    (void)snprintf(release.u.name, sizeof release.u.name, "http 127.0.0.1:5000");
    say(&kept, &release, NULL, 0);
    next_engine(&kept);
    assert_int_equal(kept.held_fd, -1);
}

/* A new keeper over the table of one that was killed. */
TEST(test_a_new_keeper_adopts_what_lives_and_its_output)
{
    struct told told;
    struct seen seen;
    pid_t pid;
    int status;

    kept_begin(&kept);
    told = spawn_script(&kept, "echo kept; exec sleep 60", NULL);
    pid = kept.table.records[told.message.index].pid;
    assert_int_equal(kill(kept.keeper, SIGKILL), 0);
    assert_int_equal(waitpid(kept.keeper, NULL, 0), kept.keeper);
    leave_engine(&kept);
    kept_start(&kept);
    seen = meet_next_engine();
    assert_int_equal(seen.ids[0], told.message.id);
    assert_int_equal(seen.value, RECORD_ALIVE);
    assert_int_equal(kept.table.records[0].pid, pid);
    assert_true(kept.table.records[0].flags & RECORD_ADOPTED);
    assert_false(kept.table.records[0].flags & RECORD_OUTPUT_LOST);
    expect_output(seen.output, "kept\n");
    (void)close(seen.output);
    assert_int_equal(kill(pid, SIGUSR2), 0); /* it is our child now, not the keeper's */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)expect(&kept, MESSAGE_EXITED);
    assert_int_equal(colony_record_state(&kept.table.records[0]), RECORD_EXITED);
    if (kept.table.records[0].flags & RECORD_STATUS_KNOWN)
        assert_int_equal(kept.table.records[0].wait_status, SIGUSR2);
}

TEST(test_what_says_that_it_is_broken_ends_it_though_it_hangs)
{
    int status;

    kept_begin(&kept);
    assert_int_equal(kill(kept.keeper, SIGABRT), 0);
    assert_int_equal(waitpid(kept.keeper, &status, 0), kept.keeper);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* It had taken over the slot's pipe from the process before, and had not come to clone. */
TEST(test_what_was_in_the_pipe_of_a_slot_that_was_about_to_be_filled_is_told_as_lost)
{
    struct colony_table table;
    struct told told;
    struct seen seen;
    uint32_t damaged;

    kept_begin(&kept);
    told = spawn_script(&kept, "echo lost", NULL);
    (void)expect(&kept, MESSAGE_EXITED);
    assert_int_equal(kill(kept.keeper, SIGKILL), 0);
    assert_int_equal(waitpid(kept.keeper, NULL, 0), kept.keeper);
    leave_engine(&kept);
    assert_int_equal(colony_table_open(&table, kept.scratch.fd, 1, &damaged, NULL), 0);
    table.records[told.message.index].pid = 0;
    table.records[told.message.index].start_ticks = 0;
    colony_record_set_state(&table.records[told.message.index], RECORD_CLAIMED);
    colony_table_close(&table);
    kept_start(&kept);
    seen = meet_next_engine();
    assert_int_equal(seen.value, RECORD_FAILED);
    assert_true(kept.table.records[told.message.index].flags & RECORD_OUTPUT_LOST);
}

TEST(test_an_upgrade_keeps_children_and_pipes)
{
    struct told told;
    struct seen seen;
    int output;
    pid_t pid;

    kept_begin(&kept);
    told = spawn_script(&kept, "echo one; sleep 0.2; echo two; exec sleep 60", &output);
    pid = kept.table.records[told.message.index].pid;
    expect_output(output, "one\n");
    (void)close(output);
    say_simple(&kept, MESSAGE_UPGRADE, 0);
    leave_engine(&kept);
    seen = meet_next_engine();
    assert_int_equal(kept.hello.keeper_pid, kept.keeper); /* the same process, another program */
    assert_int_equal(seen.ids[0], told.message.id);
    assert_int_equal(kept.table.records[0].pid, pid);
    assert_false(kept.table.records[0].flags & RECORD_ADOPTED);
    expect_output(seen.output, "two\n");
    (void)close(seen.output);
    assert_int_equal(kill(pid, SIGUSR1), 0);
    (void)expect(&kept, MESSAGE_EXITED);
    assert_int_equal(kept.table.records[0].wait_status, SIGUSR1);
}

static bool engine_inherited(int pipe)
{
    char path[64];
    char ours[64];
    char theirs[64];
    ssize_t size;
    bool is_there = false;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", pipe);
    size = readlink(path, ours, sizeof ours);
    assert_true(size > 0);
    for (int fd = 0; fd < 256; fd++) {
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)kept.engine, fd);
        is_there |= readlink(path, theirs, sizeof theirs) == size &&
                    memcmp(ours, theirs, (size_t)size) == 0;
    }
    return is_there;
}

TEST(test_an_upgrade_that_cannot_be_run_goes_on_with_the_next_engine)
{
    struct told told;
    struct seen seen;
    int output;

    (void)snprintf(kept.options->program, sizeof kept.options->program, "/nonexistent/colony");
    kept.log = openat(kept.scratch.fd, "log", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    kept_begin(&kept);
    told = spawn_script(&kept, "echo one; sleep 0.2; echo two; exec sleep 60", &output);
    expect_output(output, "one\n");
    (void)close(output);
    say_simple(&kept, MESSAGE_UPGRADE, 0);
    leave_engine(&kept);
    seen = meet_next_engine();
    assert_int_equal(kept.hello.keeper_pid, kept.keeper);
    assert_int_equal(seen.ids[0], told.message.id);
    expect_output(seen.output, "two\n");
    assert_false(engine_inherited(seen.output));
    (void)close(seen.output);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_hello_comes_first_with_the_table_read_only),
        KEEPER_TEST(test_a_hello_of_many_records_waits_for_an_answer_every_64),
        KEEPER_TEST(test_until_continue_nothing_more_is_told),
        KEEPER_TEST(test_before_welcome_nothing_is_spawned),
        KEEPER_TEST(test_the_next_engine_gets_the_same_process_and_its_pipe),
        KEEPER_TEST(test_what_is_written_while_there_is_no_engine_is_kept),
        KEEPER_TEST(test_an_exit_while_there_is_no_engine_is_told_to_the_next),
        KEEPER_TEST(test_a_note_is_there_for_the_next_engine),
        KEEPER_TEST(test_shutdown_ends_with_the_code_and_leaves_the_living_alone),
        KEEPER_TEST(test_a_request_to_end_is_told_to_the_engine_and_to_the_next),
        KEEPER_TEST(test_an_engine_that_ends_colony_is_followed_by_one_that_does_so),
        KEEPER_TEST(test_an_engine_that_cannot_begin_ends_the_keeper),
        KEEPER_TEST(test_a_held_socket_is_given_back_to_the_next_engine),
        KEEPER_TEST(test_a_new_keeper_adopts_what_lives_and_its_output),
        KEEPER_TEST(test_what_says_that_it_is_broken_ends_it_though_it_hangs),
        KEEPER_TEST(
            test_what_was_in_the_pipe_of_a_slot_that_was_about_to_be_filled_is_told_as_lost),
        KEEPER_TEST(test_an_upgrade_keeps_children_and_pipes),
        KEEPER_TEST(test_an_upgrade_that_cannot_be_run_goes_on_with_the_next_engine),
    };

    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
