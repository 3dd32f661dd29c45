/* SPDX-License-Identifier: Apache-2.0 */
#include "../scratch.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/message.h"

struct pair {
    int ends[2];
};

static void pair_init(struct pair *pair)
{
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair->ends), 0);
}

static void pair_clear(struct pair *pair)
{
    (void)close(pair->ends[0]);
    (void)close(pair->ends[1]);
}

static struct colony_message plain_message(void)
{
    return (struct colony_message){.version = COLONY_PROTOCOL_VERSION, .type = MESSAGE_HOLD};
}

/* Sends @size raw bytes with @count descriptors. */
static void send_raw(int socket, const void *bytes, size_t size, const int *fds, size_t count)
{
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(32 * sizeof(int))];
    } control;

    if (count > 0) {
        memset(&control, 0, sizeof control);
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
        CMSG_FIRSTHDR(&packet)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&packet)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&packet)->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&packet)), fds, count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &packet, MSG_NOSIGNAL), size);
}

/* What receiving a packet of these bytes says; no descriptor may be left behind. */
static int receive_raw(const void *bytes, size_t size, size_t count)
{
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t fd_count = 99;
    struct pair pair;
    int sent[32];
    unsigned before;
    int rc;

    pair_init(&pair);
    for (size_t i = 0; i < count; i++)
        sent[i] = pair.ends[0];
    send_raw(pair.ends[0], bytes, size, sent, count);
    before = count_fds();
    rc = colony_message_receive(pair.ends[1], &message, fds, &fd_count);
    if (rc < 0)
        assert_int_equal(fd_count, 0);
    for (size_t i = 0; i < fd_count; i++)
        (void)close(fds[i]);
    assert_int_equal(count_fds(), before);
    pair_clear(&pair);
    return rc;
}

TEST(test_a_message_arrives_as_it_was_sent)
{
    struct colony_message sent = plain_message();
    struct colony_message got;
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct pair pair;
    size_t fd_count;

    sent.index = 7;
    sent.id = 1ULL << 60;
    sent.signo = -3;
    memset(sent.u.name, 0xab, sizeof sent.u.name);
    pair_init(&pair);
    assert_int_equal(colony_message_send(pair.ends[0], &sent, NULL, 0), 0);
    assert_int_equal(colony_message_receive(pair.ends[1], &got, fds, &fd_count), 0);
    assert_int_equal(fd_count, 0);
    assert_memory_equal(&got, &sent, colony_message_size(&sent));
    pair_clear(&pair);
}

TEST(test_descriptors_arrive_in_order_and_close_on_exec)
{
    struct colony_message message = plain_message();
    int sent[COLONY_MESSAGE_FDS_MAX];
    int got[COLONY_MESSAGE_FDS_MAX];
    struct stat info[2];
    struct pair pair;
    size_t fd_count;

    pair_init(&pair);
    for (size_t i = 0; i < COLONY_MESSAGE_FDS_MAX; i++) {
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        (void)close(ends[1]);
        sent[i] = ends[0];
    }
    assert_int_equal(colony_message_send(pair.ends[0], &message, sent, COLONY_MESSAGE_FDS_MAX), 0);
    assert_int_equal(colony_message_receive(pair.ends[1], &message, got, &fd_count), 0);
    assert_int_equal(fd_count, COLONY_MESSAGE_FDS_MAX);
    for (size_t i = 0; i < fd_count; i++) {
        assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        assert_int_equal(fstat(sent[i], &info[0]), 0); /* they stay the caller's */
        assert_int_equal(fstat(got[i], &info[1]), 0);
        assert_int_equal(info[0].st_ino, info[1].st_ino);
        (void)close(sent[i]);
        (void)close(got[i]);
    }
    pair_clear(&pair);
}

TEST(test_more_descriptors_than_may_be_are_not_sent)
{
    struct colony_message message = plain_message();
    int fds[COLONY_MESSAGE_FDS_MAX + 1] = {0};

    assert_int_equal(colony_message_send(0, &message, fds, COLONY_MESSAGE_FDS_MAX + 1), -EINVAL);
}

TEST(test_more_descriptors_than_may_be_are_refused_and_closed)
{
    struct colony_message message = plain_message();
    size_t size = colony_message_size(&message);

    assert_int_equal(receive_raw(&message, size, COLONY_MESSAGE_FDS_MAX), 0);
    assert_int_equal(receive_raw(&message, size, COLONY_MESSAGE_FDS_MAX + 1), -EMFILE);
    assert_int_equal(receive_raw(&message, size, 32), -EMFILE);
}

TEST(test_a_message_that_is_too_short_is_refused)
{
    struct colony_message message = plain_message();

    assert_int_equal(receive_raw(&message, 1, 1), -EBADMSG);
    assert_int_equal(receive_raw(&message, offsetof(struct colony_message, u) - 1, 2), -EBADMSG);
}

TEST(test_a_shorter_message_of_an_older_version_has_zeros)
{
    struct colony_message sent = plain_message();
    struct colony_message got;
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct pair pair;
    size_t fd_count;

    memset(&sent.u, 0xff, sizeof sent.u);
    pair_init(&pair);
    send_raw(pair.ends[0], &sent, offsetof(struct colony_message, u) + 2, NULL, 0);
    memset(&got, 0x55, sizeof got);
    assert_int_equal(colony_message_receive(pair.ends[1], &got, fds, &fd_count), 0);
    assert_int_equal((unsigned char)got.u.name[1], 0xff);
    assert_int_equal(got.u.name[2], 0);
    pair_clear(&pair);
}

TEST(test_a_message_that_is_too_long_is_refused)
{
    struct {
        struct colony_message message;
        char more[64];
    } sent = {.message = plain_message()};

    assert_int_equal(receive_raw(&sent, sizeof sent, 3), -EBADMSG);
}

TEST(test_a_payload_arrives_with_its_message)
{
    struct colony_message sent = plain_message();
    struct colony_message got;
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct pair pair;
    size_t fd_count;

    memset(sent.payload, 0xa5, sizeof sent.payload);
    pair_init(&pair);
    for (sent.payload_size = 0; sent.payload_size <= sizeof sent.payload;
         sent.payload_size += 512) {
        assert_int_equal(colony_message_send(pair.ends[0], &sent, NULL, 0), 0);
        assert_int_equal(colony_message_receive(pair.ends[1], &got, fds, &fd_count), 0);
        assert_memory_equal(&got, &sent, colony_message_size(&sent));
    }
    sent.payload_size = sizeof sent.payload + 1;
    assert_int_equal(colony_message_send(pair.ends[0], &sent, NULL, 0), -EINVAL);
    pair_clear(&pair);
}

TEST(test_a_payload_of_another_size_than_it_says_is_refused)
{
    static const uint32_t lies[] = {
        1, 99, 101, sizeof((struct colony_message *)0)->payload + 1, UINT32_MAX, UINT32_MAX - 400};
    struct colony_message message = plain_message();
    size_t size = colony_message_size(&message) + 100;

    memset(message.payload, 1, sizeof message.payload);
    assert_int_equal(receive_raw(&message, size, 1), -EBADMSG); /* says that it has none */
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        message.payload_size = lies[i];
        assert_int_equal(receive_raw(&message, size, 1), -EBADMSG);
    }
    message.payload_size = 100;
    assert_int_equal(receive_raw(&message, size, 1), 0);
}

TEST(test_a_message_of_no_version_is_refused)
{
    struct colony_message message = plain_message();

    message.version = 0;
    assert_int_equal(receive_raw(&message, colony_message_size(&message), 1), -EBADMSG);
}

TEST(test_a_message_of_no_known_type_is_refused)
{
    static const uint16_t types[] = {MESSAGE_NONE, MESSAGE_TYPE_COUNT, 0x7fff, 0xffff};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct colony_message message = plain_message();

        message.type = types[i];
        assert_int_equal(receive_raw(&message, colony_message_size(&message), 1), -EBADMSG);
    }
}

TEST(test_random_bytes_are_refused)
{
    unsigned char bytes[sizeof(struct colony_message)];
    uint32_t seed = 9;

    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)((seed = seed * 1664525U + 1013904223U) >> 24);
        bytes[3] |= 0x80; /* else it could be a type by chance */
        assert_int_equal(receive_raw(bytes, 1 + seed % (sizeof bytes - 1), 1), -EBADMSG);
    }
}

static void lose_descriptors(void *data)
{
    struct colony_message message = plain_message();
    struct rlimit limit;
    struct pair pair;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t fd_count = 99;
    unsigned before;

    (void)data;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair.ends) == 0);
    for (size_t i = 0; i < COLONY_MESSAGE_FDS_MAX; i++)
        fds[i] = 0;
    CHECK(colony_message_send(pair.ends[0], &message, fds, COLONY_MESSAGE_FDS_MAX) == 0);
    CHECK(colony_message_send(pair.ends[0], &message, NULL, 0) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)pair.ends[1] + 4; /* room for three more */
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    before = count_fds();
    CHECK(colony_message_receive(pair.ends[1], &message, fds, &fd_count) == -EMFILE);
    CHECK(fd_count == 0);
    CHECK(count_fds() == before);
    /* and the next one can be read */
    CHECK(colony_message_receive(pair.ends[1], &message, fds, &fd_count) == 0);
}

TEST(test_when_descriptors_are_lost_those_that_arrived_are_closed)
{
    run_forked(lose_descriptors, NULL);
}

TEST(test_nothing_to_receive_is_eagain)
{
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct pair pair;
    size_t fd_count;

    pair_init(&pair);
    assert_int_equal(colony_message_receive(pair.ends[0], &message, fds, &fd_count), -EAGAIN);
    pair_clear(&pair);
}

TEST(test_a_full_queue_is_eagain_and_takes_more_once_read)
{
    struct colony_message message = plain_message();
    int fds[COLONY_MESSAGE_FDS_MAX];
    unsigned before = count_fds();
    unsigned sent = 0;
    unsigned got = 0;
    size_t fd_count;
    struct pair pair;
    int rc;

    pair_init(&pair);
    fds[0] = pair.ends[0];
    while ((rc = colony_message_send(pair.ends[0], &message, fds, 1)) == 0)
        assert_true(++sent < 100000);
    assert_true(rc == -EAGAIN || rc == -ETOOMANYREFS);
    while (colony_message_receive(pair.ends[1], &message, fds, &fd_count) == 0) {
        got++;
        assert_int_equal(fd_count, 1);
        (void)close(fds[0]);
    }
    assert_int_equal(got, sent);
    assert_int_equal(colony_message_send(pair.ends[0], &message, NULL, 0), 0);
    pair_clear(&pair);
    assert_int_equal(count_fds(), before);
}

TEST(test_a_peer_that_is_gone_is_told_to_both_sides)
{
    struct colony_message message = plain_message();
    int fds[COLONY_MESSAGE_FDS_MAX];
    struct pair pair;
    size_t fd_count;
    int rc;

    pair_init(&pair);
    assert_int_equal(colony_message_send(pair.ends[1], &message, NULL, 0), 0);
    (void)close(pair.ends[1]);
    rc = colony_message_send(pair.ends[0], &message, NULL, 0); /* and no SIGPIPE */
    assert_true(rc == -EPIPE || rc == -ECONNRESET);
    /* what it said before it went is still heard */
    assert_int_equal(colony_message_receive(pair.ends[0], &message, fds, &fd_count), 0);
    assert_int_equal(colony_message_receive(pair.ends[0], &message, fds, &fd_count), -ECONNRESET);
    (void)close(pair.ends[0]);
}

TEST(test_an_empty_packet_is_an_end_that_leaves_no_descriptor_behind)
{
    assert_int_equal(receive_raw("", 0, 0), -ECONNRESET);
    assert_int_equal(receive_raw("", 0, 3), -ECONNRESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_arrives_as_it_was_sent),
        cmocka_unit_test(test_descriptors_arrive_in_order_and_close_on_exec),
        cmocka_unit_test(test_more_descriptors_than_may_be_are_not_sent),
        cmocka_unit_test(test_more_descriptors_than_may_be_are_refused_and_closed),
        cmocka_unit_test(test_a_message_that_is_too_short_is_refused),
        cmocka_unit_test(test_a_shorter_message_of_an_older_version_has_zeros),
        cmocka_unit_test(test_a_message_that_is_too_long_is_refused),
        cmocka_unit_test(test_a_payload_arrives_with_its_message),
        cmocka_unit_test(test_a_payload_of_another_size_than_it_says_is_refused),
        cmocka_unit_test(test_a_message_of_no_version_is_refused),
        cmocka_unit_test(test_a_message_of_no_known_type_is_refused),
        cmocka_unit_test(test_random_bytes_are_refused),
        cmocka_unit_test(test_when_descriptors_are_lost_those_that_arrived_are_closed),
        cmocka_unit_test(test_nothing_to_receive_is_eagain),
        cmocka_unit_test(test_a_full_queue_is_eagain_and_takes_more_once_read),
        cmocka_unit_test(test_a_peer_that_is_gone_is_told_to_both_sides),
        cmocka_unit_test(test_an_empty_packet_is_an_end_that_leaves_no_descriptor_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
