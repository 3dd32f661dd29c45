/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine says to its keeper, which trusts it with little.
 *
 * An input is packets: how the payload is sealed and how many descriptors follow it (a byte), the
 * payload's size (2 bytes) and bytes, the packet's size (2 bytes) and bytes.
 */
#include <sys/mman.h>
#include <sys/uio.h>

#include "keeper.h"

enum {
    PACKETS_MAX = 24,
    PACKET_MAX = sizeof(struct colony_message) + 16,
    WITH_PAYLOAD = 0x10,
    UNSEALED = 0x20,
    FDS_MASK = 0x0f,
    FDS_MAX = FDS_MASK + 1,
};

static size_t take_size(struct fuzz_input *input, size_t max)
{
    uint16_t size;

    fuzz_take(input, &size, sizeof size);
    return size < max ? size : max;
}

static int make_payload(const char *bytes, size_t size, bool is_sealed)
{
    int fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    if (is_sealed)
        CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return fd;
}

/* False: the keeper takes no more. */
static bool send_packet(int socket, void *bytes, size_t size, const int *fds, size_t count)
{
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control = {0};

    if (count > 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(count * sizeof(int));
        CMSG_FIRSTHDR(&packet)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&packet)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&packet)->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&packet)), fds, count * sizeof(int));
    }
    return sendmsg(socket, &packet, MSG_NOSIGNAL) >= 0;
}

static bool send_next(struct fuzz_keeper *fixture, struct fuzz_input *input)
{
    uint8_t how = fuzz_byte(input);
    size_t payload_size = take_size(input, sizeof(struct colony_payload) + 4096);
    char *payload = fuzz_text("", 0);
    char packet[PACKET_MAX];
    int fds[FDS_MAX];
    size_t count = 0;
    size_t size;
    bool is_sent;

    payload = realloc(payload, payload_size + 1);
    CHECK(payload);
    fuzz_take(input, payload, payload_size);
    size = take_size(input, sizeof packet);
    fuzz_take(input, packet, size);
    if (how & WITH_PAYLOAD)
        fds[count++] = make_payload(payload, payload_size, !(how & UNSEALED));
    for (size_t i = 0; i < (how & FDS_MASK); i++)
        fds[count++] = fcntl(fixture->keeper.state_fd, F_DUPFD_CLOEXEC, 0);
    is_sent = send_packet(fixture->engine, packet, size, fds, count);
    while (count > 0)
        fuzz_close(&fds[--count]);
    free(payload);
    return is_sent;
}

/* What the keeper answers is of the protocol, and of its table. */
static void hear(const struct fuzz_keeper *fixture)
{
    const struct colony_table *table = &fixture->keeper.table;
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t count;

    while (colony_message_receive(fixture->engine, &message, fds, &count) == 0) {
        CHECK(message.type >= MESSAGE_HELLO);
        if (message.type == MESSAGE_SPAWNED || message.type == MESSAGE_EXITED)
            CHECK(message.index < table->header->high_water);
        while (count > 0)
            fuzz_close(&fds[--count]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct fuzz_keeper *fixture = fuzz_keeper_begin();
    struct keeper *keeper = &fixture->keeper;

    CHECK(fuzz_keeper_open(fixture) == 0);
    for (uint32_t i = 0; i < keeper->table.header->capacity; i++)
        keeper_init_process(&keeper->processes[i]);
    fuzz_keeper_connect(fixture);
    for (int i = 0; i < PACKETS_MAX && input.left > 0 && keeper->link_fd >= 0; i++) {
        hear(fixture);
        if (!send_next(fixture, &input))
            break;
        keeper_on_link(keeper, EPOLLIN);
        fuzz_keeper_settle(keeper);
    }
    fuzz_keeper_end(fixture);
    return 0;
}
