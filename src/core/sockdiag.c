/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/address.h"

enum {
    STATE_LISTEN = 10, /* TCP_LISTEN of linux/tcp_states.h */
    ANSWER_SIZE = 8192,
};

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
};

/* A connection end in the form that sock_diag uses. */
struct end {
    int family;
    uint16_t port; /* network order, as in sock_diag */
    uint32_t address[4];
};

int colony_sockdiag_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

    return fd < 0 ? -errno : fd;
}

static void end_init(struct end *end, const struct sockaddr_storage *address)
{
    struct sockaddr_storage plain = *address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memset(end, 0, sizeof *end);
    colony_address_unmap(&plain);
    end->family = plain.ss_family;
    if (plain.ss_family == AF_INET) {
        memcpy(&v4, &plain, sizeof v4);
        end->port = v4.sin_port;
        memcpy(end->address, &v4.sin_addr, sizeof v4.sin_addr);
        return;
    }
    memcpy(&v6, &plain, sizeof v6);
    end->port = v6.sin6_port;
    memcpy(end->address, &v6.sin6_addr, sizeof v6.sin6_addr);
}

/* A socket of IPv6 that talks IPv4 is shown with mapped addresses. */
static bool is_same_address(const struct end *end, int family, const uint32_t shown[4])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (end->family == AF_INET6)
        return family == AF_INET6 && memcmp(end->address, shown, 16) == 0;
    if (family == AF_INET)
        return end->address[0] == shown[0];
    return family == AF_INET6 && memcmp(shown, mapped, sizeof mapped) == 0 &&
           end->address[0] == shown[3];
}

static int ask(int fd, const struct end *peer, const struct end *own, uint32_t sequence)
{
    struct question question = {
        .header = {.nlmsg_len = sizeof question,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = sequence},
        .request = {.sdiag_family = (uint8_t)peer->family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = ~0U,
                    .id = {.idiag_sport = peer->port,
                           .idiag_dport = own->port,
                           .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    memcpy(question.request.id.idiag_src, peer->address, sizeof peer->address);
    memcpy(question.request.id.idiag_dst, own->address, sizeof own->address);
    if (sendto(fd, &question, sizeof question, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -errno;
    return 0;
}

static int read_answer(const struct nlmsghdr *header, const struct end *peer, const struct end *own,
                       uid_t *uid)
{
    struct inet_diag_msg answer;

    if (header->nlmsg_type == NLMSG_ERROR) {
        struct nlmsgerr error;

        if (header->nlmsg_len < NLMSG_LENGTH(sizeof error))
            return -EPROTO;
        memcpy(&error, NLMSG_DATA(header), sizeof error);
        return error.error < 0 ? error.error : -EPROTO;
    }
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        header->nlmsg_len < NLMSG_LENGTH(sizeof answer))
        return -EPROTO;
    memcpy(&answer, NLMSG_DATA(header), sizeof answer);
    /* With no such connection the kernel offers whoever listens on that port. */
    if (answer.idiag_state == STATE_LISTEN || answer.id.idiag_sport != peer->port ||
        answer.id.idiag_dport != own->port ||
        !is_same_address(peer, answer.idiag_family, answer.id.idiag_src) ||
        !is_same_address(own, answer.idiag_family, answer.id.idiag_dst))
        return -ENOENT;
    if (answer.idiag_inode == 0)
        return -ESTALE;
    *uid = answer.idiag_uid;
    return 0;
}

int colony_sockdiag_uid(int fd, const struct sockaddr_storage *peer,
                        const struct sockaddr_storage *own, uid_t *uid)
{
    static _Atomic uint32_t last; /* engines of one program have a thread each */
    const uint32_t sequence = atomic_fetch_add(&last, 1) + 1;
    _Alignas(struct nlmsghdr) char bytes[ANSWER_SIZE];
    struct end peer_end;
    struct end own_end;
    ssize_t size;
    int rc;

    end_init(&peer_end, peer);
    end_init(&own_end, own);
    if (peer_end.family != own_end.family)
        return -ENOENT;
    rc = ask(fd, &peer_end, &own_end, sequence);
    if (rc < 0)
        return rc;
    /* An answer that an earlier failure left behind is not ours. */
    while ((size = recv(fd, bytes, sizeof bytes, 0)) >= (ssize_t)sizeof(struct nlmsghdr)) {
        struct nlmsghdr header;

        memcpy(&header, bytes, sizeof header);
        if (header.nlmsg_seq != sequence)
            continue;
        if (header.nlmsg_len > (size_t)size)
            return -EPROTO;
        return read_answer((const struct nlmsghdr *)bytes, &peer_end, &own_end, uid);
    }
    return size < 0 ? -errno : -EPROTO;
}
