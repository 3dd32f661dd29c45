/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper_notify.c - the socket of a slot: who gets it, who may send to it, how long it stays.
 */
#include "kept.h"

#include "core/notify.h"

enum {
    OTHER_USER = 1234,
    OUTPUT = 0,
    NOTIFY = 1, /* streams */
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

/* The test's own program as a process that notifies: exits with the errno of its try. */
static int be_sender(const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path ? path : "");
    if (sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&address, sizeof address) < 0)
        return errno;
    return 0;
}

static uid_t a_user(void)
{
    return geteuid() == 0 ? NOBODY : geteuid();
}

static const char *path_of(uint32_t slot)
{
    static char path[COLONY_NOTIFY_PATH_SIZE];

    assert_int_equal(colony_notify_path(path, sizeof path, kept.scratch.path, "web", slot), 0);
    return path;
}

static struct colony_message notify_order(uint32_t slot)
{
    struct colony_message order = spawn_order("web", slot);

    order.u.spawn.stream_kind[NOTIFY] = STREAM_NOTIFY;
    order.u.spawn.plan[4] = FD_PASSED | 0; /* the sender: another user may not reach its folder */
    return order;
}

/*
 * Orders @script as @uid, with NOTIFY_SOCKET of slot @of. `$SEND TEXT` sends; @extra (-1: none) is
 * its descriptor 5.
 */
static void order_script(struct colony_message *order, const char *script, uid_t uid, uint32_t of,
                         int extra)
{
    const char *const paths[] = {"/bin/sh", NULL};
    const char *const argv[] = {"sh", "-c", script, NULL};
    char variable[COLONY_NOTIFY_PATH_SIZE + 16];
    char mark[64];
    const char *const env[] = {variable, mark, "SEND=/proc/self/fd/4 send", NULL};
    struct made_payload made;
    int fds[3] = {-1, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), extra};

    (void)snprintf(variable, sizeof variable, "NOTIFY_SOCKET=%s", path_of(of));
    (void)snprintf(mark, sizeof mark, "COLONY_ID=%s/web/%u", kept.table.header->instance,
                   order->u.spawn.slot);
    made_init(&made, paths, argv, env);
    if (geteuid() == 0)
        made_set_identity(&made, uid, uid);
    fds[0] = made_file(&made, ALL_SEALS);
    assert_true(fds[0] >= 0 && fds[1] >= 0);
    if (extra >= 0)
        order->u.spawn.plan[5] = FD_PASSED | 1;
    say(&kept, order, fds, extra >= 0 ? 3 : 2);
    (void)close(fds[0]);
    (void)close(fds[1]);
    made_clear(&made);
}

/* web.1 as a user; its socket in *notify. */
static struct told spawn_with(const char *script, int *notify, int extra)
{
    struct colony_message order = notify_order(1);
    struct told told;

    order_script(&order, script, a_user(), 1, extra);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(told.fd_count, 2);
    assert_int_equal(told.message.flags, 1 << OUTPUT | 1 << NOTIFY);
    (void)close(told.fds[OUTPUT]);
    *notify = told.fds[NOTIFY];
    return told;
}

static struct told spawn_notifying(const char *script, int *notify)
{
    return spawn_with(script, notify, -1);
}

static void expect_end(uint32_t index, int code)
{
    struct told told = expect(&kept, MESSAGE_EXITED);

    assert_int_equal(told.message.index, index);
    if (kept.table.records[index].wait_status != code << 8)
        fail_msg("wait status %#x", (unsigned)kept.table.records[index].wait_status);
}

/* @wanted is the next that comes, of @uid. */
static void expect_notice(int notify, const char *wanted, uid_t uid)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    char text[64] = "";
    struct iovec part = {text, sizeof text - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct ucred sender = {0};

    await(notify);
    assert_true(recvmsg(notify, &message, MSG_DONTWAIT) > 0);
    assert_string_equal(text, wanted);
    assert_non_null(CMSG_FIRSTHDR(&message));
    assert_int_equal(CMSG_FIRSTHDR(&message)->cmsg_type, SCM_CREDENTIALS);
    memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
    assert_int_equal(sender.uid, uid);
    assert_true(sender.pid > 0);
}

static void say_forget(uint32_t index)
{
    struct colony_message message = about(&kept, MESSAGE_FORGET, index);

    say(&kept, &message, NULL, 0);
}

static ino_t inode_of(int fd)
{
    struct stat info;

    assert_int_equal(fstat(fd, &info), 0);
    return info.st_ino;
}

TEST(test_what_a_process_says_comes_with_its_credentials)
{
    struct told told;
    struct stat info;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying("exec $SEND READY=1", &notify);
    expect_notice(notify, "READY=1", a_user());
    assert_int_equal(lstat(path_of(1), &info), 0);
    assert_int_equal(info.st_mode, S_IFSOCK | 0600);
    assert_int_equal(info.st_uid, a_user());
    assert_int_equal(kept.table.records[told.message.index].stream_inode[NOTIFY], inode_of(notify));
    expect_end(told.message.index, 0);
    (void)close(notify);
}

TEST(test_another_user_may_not_send)
{
    struct colony_message order = notify_order(2);
    struct told told;
    int notify;

    if (geteuid() != 0) {
        skip_aloud("needs root");
        return;
    }
    kept_begin(&kept);
    told = spawn_notifying(":", &notify);
    expect_end(told.message.index, 0);
    order_script(&order, "exec $SEND READY=1", OTHER_USER, 1, -1);
    told = expect(&kept, MESSAGE_SPAWNED);
    close_told(&told);
    expect_end(told.message.index, EACCES);
    (void)close(notify);
}

/* Replaces the ended @index by @script as @uid; what is told of it. */
static struct told replace(uint32_t index, const char *script, uid_t uid)
{
    struct colony_message order = notify_order(1);
    struct told told;

    order.index = index;
    order.id = kept.table.records[index].id;
    order.u.spawn.flags = SPAWN_REPLACES;
    order_script(&order, script, uid, 1, -1);
    told = expect(&kept, MESSAGE_SPAWNED);
    return told;
}

TEST(test_the_next_process_of_the_slot_has_the_same_socket)
{
    uid_t other = geteuid() == 0 ? OTHER_USER : geteuid();
    struct told told;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying("exec $SEND one", &notify);
    expect_end(told.message.index, 0);
    told = replace(told.message.index, "exec $SEND two", other);
    assert_int_equal(told.fd_count, 0); /* the engine has it already */
    expect_end(told.message.index, 0);
    expect_notice(notify, "one", a_user());
    expect_notice(notify, "two", other);
    (void)close(notify);
}

TEST(test_one_whose_file_is_gone_is_made_anew)
{
    struct told told;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying(":", &notify);
    expect_end(told.message.index, 0);
    assert_int_equal(unlink(path_of(1)), 0);
    told = replace(told.message.index, "exec $SEND again", a_user());
    assert_int_equal(told.message.flags, 1 << NOTIFY);
    assert_int_not_equal(inode_of(told.fds[0]), inode_of(notify));
    expect_notice(told.fds[0], "again", a_user());
    close_told(&told);
    (void)close(notify);
    expect_end(told.message.index, 0);
    assert_int_equal(unlink(path_of(1)), 0);
    assert_int_equal(unlinkat(kept.scratch.fd, "notify", AT_REMOVEDIR), 0); /* all of it */
    told = replace(told.message.index, "exec $SEND anew", a_user());
    assert_int_equal(told.message.flags, 1 << NOTIFY);
    expect_notice(told.fds[0], "anew", a_user());
    close_told(&told);
}

TEST(test_a_slot_that_is_forgotten_takes_its_socket_along)
{
    struct told told;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying(":", &notify);
    expect_end(told.message.index, 0);
    say_forget(told.message.index);
    EVENTUALLY(access(path_of(1), F_OK) < 0);
    told = spawn_notifying("exec $SEND new", &notify); /* and begins with another */
    expect_notice(notify, "new", a_user());
    (void)close(notify);
}

TEST(test_a_slot_that_wants_none_any_more_loses_it)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying(":", &notify);
    expect_end(told.message.index, 0);
    order.index = told.message.index;
    order.id = told.message.id;
    order.u.spawn.flags = SPAWN_REPLACES;
    made_init_shell(&made, "exec sleep 60");
    order_spawn(&kept, &order, &made);
    told = expect(&kept, MESSAGE_SPAWNED);
    assert_int_equal(access(path_of(1), F_OK), -1);
    (void)close(notify);
}

/* The RECORD of a new engine. */
static void take_notify(struct told *told, void *data)
{
    int *notify = data;

    for (size_t i = 0, next = 0; i < COLONY_STREAMS_MAX; i++) {
        if (!(told->message.flags & 1U << i))
            continue;
        if (kept.table.records[told->message.index].stream_kind[i] == STREAM_NOTIFY)
            *notify = fcntl(told->fds[next], F_DUPFD_CLOEXEC, 0);
        next++;
    }
}

static int meet_next_engine(void)
{
    int notify = -1;

    meet_engine(&kept);
    hear_hello(&kept, take_notify, &notify);
    assert_true(notify >= 0);
    return notify;
}

TEST(test_the_next_engine_gets_what_was_said_meanwhile)
{
    struct told told;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying("$SEND READY=1; exec sleep 60", &notify);
    await(notify);
    (void)close(notify);
    kill_engine(&kept);
    notify = meet_next_engine();
    expect_notice(notify, "READY=1", a_user());
    assert_int_equal(colony_record_state(&kept.table.records[told.message.index]), RECORD_ALIVE);
    (void)close(notify);
}

/* A process that sends "one", and "two" when it reads a line from the other end of *go. */
static int spawn_of_two(int *go)
{
    int ends[2];
    int notify;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)spawn_with("$SEND one; read x <&5; $SEND two; exec sleep 60", &notify, ends[0]);
    (void)close(ends[0]);
    *go = ends[1];
    return notify;
}

/* The keeper and its engine are gone at once; another keeper begins where they were. */
static void lose_both(void)
{
    assert_int_equal(kill(kept.keeper, SIGKILL), 0);
    assert_int_equal(waitpid(kept.keeper, NULL, 0), kept.keeper);
    leave_engine(&kept);
}

static void expect_another_for_its_user(int go)
{
    struct stat info;
    int notify;

    kept_start(&kept);
    notify = meet_next_engine();
    assert_int_equal(lstat(path_of(1), &info), 0);
    assert_int_equal(info.st_uid, a_user());
    assert_int_equal(write(go, "\n", 1), 1);
    expect_notice(notify, "two", a_user());
    (void)close(notify);
    (void)close(go);
}

TEST(test_a_new_keeper_makes_it_again_for_what_lives)
{
    int notify;
    int go;

    kept_begin(&kept);
    notify = spawn_of_two(&go);
    expect_notice(notify, "one", a_user());
    (void)close(notify);
    lose_both();
    expect_another_for_its_user(go);
}

TEST(test_one_whose_file_is_gone_too_is_made_again_for_its_user)
{
    int notify;
    int go;

    kept_begin(&kept);
    notify = spawn_of_two(&go);
    expect_notice(notify, "one", a_user());
    (void)close(notify);
    lose_both();
    assert_int_equal(unlink(path_of(1)), 0);
    expect_another_for_its_user(go);
}

/* Its record is gone with the table; its mark and the file say what it was. */
TEST(test_one_that_is_found_by_its_mark_gets_it_again)
{
    int notify;
    int go;

    kept_begin(&kept);
    notify = spawn_of_two(&go);
    expect_notice(notify, "one", a_user());
    (void)close(notify);
    lose_both();
    assert_int_equal(unlinkat(kept.scratch.fd, "table", 0), 0);
    expect_another_for_its_user(go);
}

TEST(test_an_upgrade_keeps_the_socket_and_what_is_in_it)
{
    ino_t inode;
    int notify;
    int go;

    kept_begin(&kept);
    notify = spawn_of_two(&go);
    await(notify);
    inode = inode_of(notify);
    (void)close(notify);
    say_simple(&kept, MESSAGE_UPGRADE, 0);
    leave_engine(&kept);
    notify = meet_next_engine();
    assert_int_equal(inode_of(notify), inode);
    assert_int_equal(write(go, "\n", 1), 1);
    expect_notice(notify, "one", a_user());
    expect_notice(notify, "two", a_user());
    (void)close(notify);
    (void)close(go);
}

TEST(test_a_colony_that_ends_removes_all_of_them)
{
    struct told told;
    int notify;

    kept_begin(&kept);
    told = spawn_notifying(":", &notify);
    expect_end(told.message.index, 0);
    say_simple(&kept, MESSAGE_SHUTDOWN, 0);
    leave_engine(&kept);
    assert_int_equal(keeper_code(&kept), 0);
    assert_int_equal(faccessat(kept.scratch.fd, "notify", F_OK, 0), -1);
    (void)close(notify);
}

TEST(test_what_an_earlier_boot_left_is_removed)
{
    assert_int_equal(mkdirat(kept.scratch.fd, "notify", 0700), 0);
    (void)close(
        openat(kept.scratch.fd, "notify/0123456789abcdef", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    kept_begin(&kept);
    assert_int_equal(faccessat(kept.scratch.fd, "notify", F_OK, 0), -1);
}

TEST(test_a_state_folder_with_a_long_path_fails_at_notify)
{
    struct colony_message order = notify_order(1);
    struct told told;

    for (int i = 0; i < 40; i++) /* the same folder, by a path that no socket can have */
        (void)strncat(kept.options->state_dir, "/.",
                      sizeof kept.options->state_dir - strlen(kept.options->state_dir) - 1);
    kept_begin(&kept);
    order_script(&order, ":", a_user(), 1, -1);
    told = expect(&kept, MESSAGE_SPAWN_FAILED);
    close_told(&told);
    assert_int_equal(kept.table.records[told.message.index].failed_step, STEP_NOTIFY);
    assert_string_equal(colony_spawn_step_name(STEP_NOTIFY), "notify");
    assert_int_equal(kept.table.records[told.message.index].failed_errno, ENAMETOOLONG);
    say_forget(told.message.index);
    told = spawn_script(&kept, "exec sleep 60", NULL); /* others go on */
}

TEST(test_two_sockets_for_one_slot_are_refused)
{
    struct colony_message order = notify_order(1);
    int notify;

    kept_begin(&kept);
    order.u.spawn.stream_kind[2] = STREAM_NOTIFY;
    order_script(&order, ":", a_user(), 1, -1);
    order.u.spawn.stream_kind[2] = STREAM_NOTIFY + 1;
    order_script(&order, ":", a_user(), 1, -1);
    (void)spawn_notifying("exec sleep 60", &notify);
    assert_int_equal(kept.table.header->high_water, 1);
    (void)close(notify);
}

#define KEEPER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(test_what_a_process_says_comes_with_its_credentials),
        KEEPER_TEST(test_another_user_may_not_send),
        KEEPER_TEST(test_the_next_process_of_the_slot_has_the_same_socket),
        KEEPER_TEST(test_one_whose_file_is_gone_is_made_anew),
        KEEPER_TEST(test_a_slot_that_is_forgotten_takes_its_socket_along),
        KEEPER_TEST(test_a_slot_that_wants_none_any_more_loses_it),
        KEEPER_TEST(test_the_next_engine_gets_what_was_said_meanwhile),
        KEEPER_TEST(test_a_new_keeper_makes_it_again_for_what_lives),
        KEEPER_TEST(test_one_whose_file_is_gone_too_is_made_again_for_its_user),
        KEEPER_TEST(test_one_that_is_found_by_its_mark_gets_it_again),
        KEEPER_TEST(test_an_upgrade_keeps_the_socket_and_what_is_in_it),
        KEEPER_TEST(test_a_colony_that_ends_removes_all_of_them),
        KEEPER_TEST(test_what_an_earlier_boot_left_is_removed),
        KEEPER_TEST(test_a_state_folder_with_a_long_path_fails_at_notify),
        KEEPER_TEST(test_two_sockets_for_one_slot_are_refused),
    };

    if (argc == 3 && strcmp(argv[1], "send") == 0)
        return be_sender(argv[2]);
    if (argc > 1)
        return kept_role(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
