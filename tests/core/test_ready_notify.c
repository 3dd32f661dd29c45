/* SPDX-License-Identifier: Apache-2.0 */
#include "readied.h"

#include <sys/socket.h>
#include <sys/un.h>

enum {
    FLOOD = 10000,
    RIGHTS_MAX = 253, /* SCM_MAX_FD */
};

static const struct colony_ready_settings by_notify = {.kind = READY_NOTIFY};

/* A socket as the keeper makes it; what is sent to @sender is the child's. */
static int make_socket(int *sender)
{
    const int yes = 1;
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0);
    *sender = ends[1];
    return ends[0];
}

static void say(int fd, const char *text)
{
    CHECK(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
}

/* Sends @count times @passed along. */
static void say_with_fds(int fd, const char *text, int passed, size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(rights) + i * sizeof(int), &passed, sizeof(int));
    CHECK(sendmsg(fd, &message, 0) == (ssize_t)strlen(text));
}

static void init(struct readied *readied, struct colony_ready_settings settings, int *sender)
{
    readied_init(readied, settings);
    CHECK(colony_ready_take_fd(readied->ready, make_socket(sender)) == 0);
}

static void begin(struct readied *readied)
{
    CHECK(colony_ready_expect(readied->ready, NULL) == 0);
    CHECK(colony_ready_begin(readied->ready, getuid(), NULL, 0) == 0);
}

FORKED_TEST(test_what_a_process_says_is_told)
{
    struct readied readied = {0};
    int sender;

    init(&readied, by_notify, &sender);
    begin(&readied);
    say(sender, "STATUS=half way\nEXTEND_TIMEOUT_USEC=1500000");
    TURN_UNTIL(&readied, has_told(&readied, "SE"));
    CHECK(strcmp(readied.text, "half way") == 0 && readied.ms == 1500);
    say(sender, "READY=1\nSTATUS=up\nWATCHDOG=1");
    say(sender, "READY=1"); /* told once */
    say(sender, "WATCHDOG=1\nWATCHDOG=trigger");
    TURN_UNTIL(&readied, has_told(&readied, "SESRAAG"));
    CHECK(strcmp(readied.text, "up") == 0);
    readied_close(&readied);
}

FORKED_TEST(test_another_kind_hears_all_but_readiness)
{
    struct readied readied = {0};
    int sender;

    init(&readied, (struct colony_ready_settings){.kind = READY_NONE}, &sender);
    begin(&readied);
    say(sender, "READY=1\nWATCHDOG=1\nSTATUS=x");
    say(sender, "WATCHDOG=trigger");
    TURN_UNTIL(&readied, has_told(&readied, "SAG"));
    readied_close(&readied);
}

FORKED_TEST(test_nobody_is_heard_but_the_user_of_the_process)
{
    struct readied readied = {0};
    int sender;
    pid_t pid;

    init(&readied, by_notify, &sender);
    CHECK(colony_ready_begin(readied.ready, getuid() + 1, NULL, 0) == 0);
    say(sender, "READY=1\nSTATUS=stranger");
    turn_some(&readied);
    CHECK(has_told(&readied, ""));
    begin(&readied);
    if (getuid() == 0) { /* root is served, and somebody else is a stranger */
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            drop_rights();
            say(sender, "READY=1\nSTATUS=stranger");
            _exit(0);
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
    }
    say(sender, "STATUS=friend");
    TURN_UNTIL(&readied, has_told(&readied, "S"));
    CHECK(strcmp(readied.text, "friend") == 0);
    readied_close(&readied);
}

FORKED_TEST(test_who_does_not_show_a_user_is_not_heard)
{
    struct readied readied = {0};
    int ends[2];

    readied_init(&readied, by_notify);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) == 0); /* no SO_PASSCRED */
    CHECK(colony_ready_take_fd(readied.ready, ends[0]) == 0);
    begin(&readied);
    say(ends[1], "READY=1");
    turn_some(&readied);
    CHECK(has_told(&readied, ""));
    readied_close(&readied);
}

FORKED_TEST(test_descriptors_in_messages_are_closed)
{
    struct readied readied = {0};
    int sender;
    int ends[2];
    char byte;
    unsigned before;

    init(&readied, by_notify, &sender);
    begin(&readied);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    before = count_fds();
    say_with_fds(sender, "READY=1", ends[1], RIGHTS_MAX);
    say_with_fds(sender, "BARRIER=1", ends[1], 1);
    say_with_fds(sender, "STATUS=x", ends[1], 2);
    CHECK(close(ends[1]) == 0);
    CHECK(read(ends[0], &byte, 1) < 0); /* those in the messages are open */
    TURN_UNTIL(&readied, read(ends[0], &byte, 1) == 0);
    CHECK(has_told(&readied, "RS"));
    CHECK(count_fds() == before - 1);
    readied_close(&readied);
}

FORKED_TEST(test_descriptors_of_strangers_are_closed_too)
{
    struct readied readied = {0};
    int sender;
    int ends[2];
    char byte;

    init(&readied, by_notify, &sender);
    CHECK(colony_ready_begin(readied.ready, getuid() + 1, NULL, 0) == 0);
    CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    say_with_fds(sender, "BARRIER=1", ends[1], 1);
    CHECK(close(ends[1]) == 0);
    TURN_UNTIL(&readied, read(ends[0], &byte, 1) == 0);
    readied_close(&readied);
}

FORKED_TEST(test_empty_oversized_and_torn_messages_do_no_harm)
{
    static char large[5000];
    struct readied readied = {0};
    int sender;

    init(&readied, by_notify, &sender);
    begin(&readied);
    memset(large, 'x', sizeof large);
    memcpy(large, "READY=1\n", 8);
    CHECK(send(sender, "", 0, 0) == 0);
    CHECK(send(sender, large, sizeof large, 0) == sizeof large);
    CHECK(send(sender, "READY=1\0\nSTATUS=x", 17, 0) == 17);
    CHECK(send(sender, "REA", 3, 0) == 3);
    CHECK(send(sender, "DY=1", 4, 0) == 4);
    say(sender, "STATUS=after");
    TURN_UNTIL(&readied, has_told(&readied, "S"));
    CHECK(send(sender, large, 4096, 0) == 4096); /* as long as may be */
    TURN_UNTIL(&readied, has_told(&readied, "SR"));
    readied_close(&readied);
}

FORKED_TEST(test_a_flood_does_not_hold_up_the_loop)
{
    struct readied readied = {0};
    uint64_t until_ms = clock_ms() + DEADLINE_MS;
    int sender;
    pid_t pid;

    init(&readied, by_notify, &sender);
    begin(&readied);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < FLOOD; i++)
            say(sender, i % 2 == 0 ? "WATCHDOG=1" : "");
        say(sender, "READY=1");
        _exit(0);
    }
    while (readied.count[READY_NEWS_READY] == 0) {
        int before = readied.count[READY_NEWS_ALIVE];

        CHECK(clock_ms() < until_ms);
        (void)uv_run(&readied.loop, UV_RUN_NOWAIT);
        CHECK(readied.count[READY_NEWS_ALIVE] - before <= 64);
    }
    CHECK(readied.count[READY_NEWS_ALIVE] == FLOOD / 2);
    CHECK(waitpid(pid, NULL, 0) == pid);
    readied_close(&readied);
}

FORKED_TEST(test_what_an_earlier_process_left_is_thrown_away)
{
    struct readied readied = {0};
    int sender;

    init(&readied, by_notify, &sender);
    say(sender, "READY=1\nSTATUS=old");
    say(sender, "");
    say(sender, "READY=1");
    CHECK(colony_ready_expect(readied.ready, NULL) == 0);
    say(sender, "STATUS=new"); /* before the news that it runs */
    turn_some(&readied);
    CHECK(has_told(&readied, "")); /* not listened to yet */
    CHECK(colony_ready_begin(readied.ready, getuid(), NULL, 0) == 0);
    TURN_UNTIL(&readied, has_told(&readied, "S"));
    CHECK(strcmp(readied.text, "new") == 0);
    colony_ready_end(readied.ready);
    say(sender, "STATUS=old");
    turn_some(&readied);
    CHECK(has_told(&readied, "S"));
    CHECK(colony_ready_begin(readied.ready, getuid(), NULL, 0) == 0); /* without expect */
    say(sender, "READY=1");
    TURN_UNTIL(&readied, has_told(&readied, "SR"));
    readied_close(&readied);
}

FORKED_TEST(test_what_an_adopted_process_has_said_is_heard)
{
    struct readied readied = {0};
    int sender;

    init(&readied, by_notify, &sender);
    say(sender, "READY=1");
    CHECK(colony_ready_begin(readied.ready, getuid(), NULL, 1) == 0);
    TURN_UNTIL(&readied, has_told(&readied, "R"));
    readied_close(&readied);
}

static void end(struct readied *readied)
{
    colony_ready_end(readied->ready);
}

static void begin_anew(struct readied *readied)
{
    colony_ready_end(readied->ready);
    begin(readied);
}

static void close_all(struct readied *readied)
{
    colony_ready_close(readied->ready, on_ready_closed, readied);
    readied->ready = NULL;
}

FORKED_TEST(test_one_may_end_it_in_its_callback)
{
    struct readied readied = {.act = end};
    int sender;

    init(&readied, by_notify, &sender);
    begin(&readied);
    say(sender, "STATUS=x\nREADY=1\nWATCHDOG=1");
    say(sender, "WATCHDOG=1");
    turn_some(&readied);
    CHECK(has_told(&readied, "S"));
    begin(&readied); /* what was left is an earlier process's */
    readied.act = begin_anew;
    say(sender, "STATUS=x\nREADY=1\nWATCHDOG=1\nWATCHDOG=trigger");
    TURN_UNTIL(&readied, has_told(&readied, "SS"));
    say(sender, "READY=1");
    TURN_UNTIL(&readied, has_told(&readied, "SSR"));
    readied_close(&readied);
}

FORKED_TEST(test_one_may_close_it_in_its_callback)
{
    struct readied readied = {.act = close_all};
    int sender;

    init(&readied, by_notify, &sender);
    begin(&readied);
    say(sender, "READY=1\nSTATUS=x\nWATCHDOG=1");
    say(sender, "WATCHDOG=1");
    TURN_UNTIL(&readied, readied.is_closed);
    CHECK(has_told(&readied, "S"));
    CHECK(send(sender, "x", 1, MSG_NOSIGNAL) < 0); /* nobody has the socket any more */
    readied_close(&readied);
}

FORKED_TEST(test_a_later_socket_takes_the_place_of_an_earlier)
{
    struct readied readied = {0};
    int senders[3];
    unsigned before;

    init(&readied, by_notify, &senders[0]);
    before = count_fds();
    CHECK(colony_ready_take_fd(readied.ready, make_socket(&senders[1])) == 0);
    CHECK(count_fds() == before + 1);
    begin(&readied);
    CHECK(send(senders[0], "READY=1", 7, MSG_NOSIGNAL) < 0);
    say(senders[1], "STATUS=x");
    TURN_UNTIL(&readied, has_told(&readied, "S"));
    CHECK(colony_ready_take_fd(readied.ready, make_socket(&senders[2])) == 0); /* while it runs */
    say(senders[2], "READY=1");
    TURN_UNTIL(&readied, has_told(&readied, "SR"));
    readied_close(&readied);
}

FORKED_TEST(test_what_is_no_notify_socket_is_refused_and_closed)
{
    struct readied readied = {0};
    int ends[2];
    unsigned before;

    readied_init(&readied, by_notify);
    before = count_fds();
    CHECK(colony_ready_take_fd(readied.ready, open("/dev/null", O_RDONLY | O_CLOEXEC)) == -EINVAL);
    CHECK(colony_ready_take_fd(readied.ready, -1) == -EINVAL);
    CHECK(count_fds() == before);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    CHECK(colony_ready_take_fd(readied.ready, ends[0]) == -EINVAL);
    CHECK(count_fds() == before + 1);
    readied_close(&readied);
}

/* A client that others wrote, through a socket with a path. */
FOLDER_TEST(test_systemd_notify_is_understood)
{
    struct readied readied = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int yes = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int status;
    pid_t pid;

    if (access("/usr/bin/systemd-notify", X_OK) < 0)
        skip_in_child("needs systemd-notify");
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", (const char *)data);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0);
    readied_init(&readied, by_notify);
    CHECK(colony_ready_take_fd(readied.ready, fd) == 0);
    begin(&readied);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(setenv("NOTIFY_SOCKET", address.sun_path, 1) == 0);
        (void)execl("/usr/bin/systemd-notify", "systemd-notify", "--ready", "--status=Hall\303\266",
                    "WATCHDOG=1", (char *)NULL);
        _exit(1);
    }
    /* It waits until its BARRIER is answered, and fails without. */
    TURN_UNTIL(&readied, waitpid(pid, &status, WNOHANG) == pid);
    CHECK(status == 0);
    CHECK(has_told(&readied, "SRA") && strcmp(readied.text, "Hall\303\266") == 0);
    CHECK(unlink(address.sun_path) == 0);
    readied_close(&readied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_process_says_is_told),
        cmocka_unit_test(test_another_kind_hears_all_but_readiness),
        cmocka_unit_test(test_nobody_is_heard_but_the_user_of_the_process),
        cmocka_unit_test(test_who_does_not_show_a_user_is_not_heard),
        cmocka_unit_test(test_descriptors_in_messages_are_closed),
        cmocka_unit_test(test_descriptors_of_strangers_are_closed_too),
        cmocka_unit_test(test_empty_oversized_and_torn_messages_do_no_harm),
        cmocka_unit_test(test_a_flood_does_not_hold_up_the_loop),
        cmocka_unit_test(test_what_an_earlier_process_left_is_thrown_away),
        cmocka_unit_test(test_what_an_adopted_process_has_said_is_heard),
        cmocka_unit_test(test_one_may_end_it_in_its_callback),
        cmocka_unit_test(test_one_may_close_it_in_its_callback),
        cmocka_unit_test(test_a_later_socket_takes_the_place_of_an_earlier),
        cmocka_unit_test(test_what_is_no_notify_socket_is_refused_and_closed),
        cmocka_unit_test(test_systemd_notify_is_understood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
