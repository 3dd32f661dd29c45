/* SPDX-License-Identifier: Apache-2.0 */
#include "core/passed.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/address.h"
#include "core/log.h"

enum {
    FIRST_FD = 3, /* SD_LISTEN_FDS_START */
};

void colony_passed_take(struct colony_passed *passed)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count = getenv("LISTEN_FDS");
    long fds = count ? strtol(count, NULL, 10) : 0;

    passed->count = 0;
    if (pid && strtol(pid, NULL, 10) == (long)getpid())
        for (long i = 0; i < fds && passed->count < COLONY_PASSED_MAX; i++) {
            int fd = FIRST_FD + (int)i;

            if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                continue;
            passed->is_used[passed->count] = false;
            passed->fds[passed->count++] = fd;
        }
    (void)unsetenv("LISTEN_PID");
    (void)unsetenv("LISTEN_FDS");
    (void)unsetenv("LISTEN_FDNAMES");
}

static bool get_option(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t size = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

static bool is_same(const struct sockaddr_storage *one, const struct sockaddr *other)
{
    struct sockaddr_storage copy;
    char texts[2][COLONY_ADDRESS_TEXT_MAX];

    if (one->ss_family != other->sa_family)
        return false;
    if (other->sa_family == AF_UNIX) {
        const struct sockaddr_un *a = (const struct sockaddr_un *)one;
        const struct sockaddr_un *b = (const struct sockaddr_un *)other;

        return a->sun_path[0] != '\0' && strncmp(a->sun_path, b->sun_path, sizeof a->sun_path) == 0;
    }
    memset(&copy, 0, sizeof copy);
    memcpy(&copy, other,
           other->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    colony_address_format(one, texts[0]);
    colony_address_format(&copy, texts[1]);
    return strcmp(texts[0], texts[1]) == 0;
}

int colony_passed_find(struct colony_passed *passed, const struct sockaddr *address)
{
    for (size_t i = 0; i < passed->count; i++) {
        struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
        socklen_t bound_size = sizeof bound;
        int fd = passed->fds[i];

        if (passed->is_used[i] || getsockname(fd, (struct sockaddr *)&bound, &bound_size) < 0 ||
            !is_same(&bound, address) || !get_option(fd, SO_TYPE, SOCK_STREAM) ||
            !get_option(fd, SO_ACCEPTCONN, 1))
            continue;
        passed->is_used[i] = true;
        return fd;
    }
    return -1;
}

bool colony_passed_has(const struct colony_passed *passed, int fd)
{
    for (size_t i = 0; i < passed->count; i++)
        if (passed->fds[i] == fd && passed->is_used[i])
            return true;
    return false;
}

void colony_passed_drop(struct colony_passed *passed)
{
    for (size_t i = 0; i < passed->count; i++) {
        if (passed->is_used[i])
            continue;
        colony_log(SEVERITY_WARNING,
                   "does not use descriptor %d of the service manager: colony serves control at no "
                   "such address, say it with --bind or `http: bind`",
                   passed->fds[i]);
        (void)close(passed->fds[i]);
    }
}
