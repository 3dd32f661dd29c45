/* SPDX-License-Identifier: Apache-2.0 */
#include "core/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/secret.h"

enum {
    CONNECT_MS = 5000,
    RETRY_MS = 10,
};

#define DEFAULT_PORT "5000"

static int set_unix(struct colony_target *target, const char *path, struct colony_error *err)
{
    if (path[0] == '\0' || strlen(path) >= sizeof target->path)
        return colony_fail(err, -EINVAL, "cannot use unix:%.80s: not a path", path);
    target->is_unix = true;
    (void)snprintf(target->path, sizeof target->path, "%s", path);
    (void)snprintf(target->text, sizeof target->text, "unix:%s", path);
    return 0;
}

/* 1…65535 in decimal digits, ended by @end. */
static bool is_port(const char *text, const char *end)
{
    unsigned port = 0;

    if (text == end || end - text > 5)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (unsigned)(*text - '0');
    }
    return port >= 1 && port <= 65535;
}

/* @text is HOST[:PORT] and ends at @end. */
static int set_tcp(struct colony_target *target, const char *text, const char *end)
{
    const char *host = text;
    const char *host_end = memchr(text, text[0] == '[' ? ']' : ':', (size_t)(end - text));
    const char *rest = host_end ? host_end : end; /* ":PORT" or nothing */

    if (text[0] == '[') {
        if (!host_end)
            return -EINVAL;
        host = text + 1;
        rest = host_end + 1;
    } else if (!host_end) {
        host_end = end;
    }
    if (host_end == host || (size_t)(host_end - host) >= sizeof target->host)
        return -EINVAL;
    if (rest < end && (*rest != ':' || !is_port(rest + 1, end)))
        return -EINVAL;
    for (const char *byte = host; byte < host_end; byte++)
        if ((unsigned char)*byte <= ' ' || strchr("/?#@\\\x7f", *byte))
            return -EINVAL;
    (void)snprintf(target->host, sizeof target->host, "%.*s", (int)(host_end - host), host);
    (void)snprintf(target->port, sizeof target->port, "%.*s",
                   rest < end ? (int)(end - rest - 1) : 4, rest < end ? rest + 1 : DEFAULT_PORT);
    (void)snprintf(target->text, sizeof target->text,
                   strchr(target->host, ':') ? "%s://[%s]:%s" : "%s://%s:%s",
                   target->is_tls ? "https" : "http", target->host, target->port);
    return 0;
}

int colony_target_parse(struct colony_target *target, const char *text, struct colony_error *err)
{
    const char *rest = text;
    const char *end = text + strlen(text);
    char local[32];

    *target = (struct colony_target){.is_unix = false};
    if (strncmp(text, "unix:", 5) == 0)
        return set_unix(target, strncmp(text, "unix://", 7) == 0 ? text + 7 : text + 5, err);
    if (strncmp(text, "http://", 7) == 0)
        rest = text + 7;
    target->is_tls = strncmp(text, "https://", 8) == 0;
    if (target->is_tls)
        rest = text + 8;
    if (end > rest && end[-1] == '/')
        end--;
    if (is_port(text, end)) { /* as in `serve --bind 5000` */
        (void)snprintf(local, sizeof local, "127.0.0.1:%.5s", text);
        rest = local;
        end = local + strlen(local);
    }
    if (strstr(rest, "://") || set_tcp(target, rest, end) < 0)
        return colony_fail(err, -EINVAL,
                           "cannot use the endpoint %.80s: write unix:PATH, http://HOST:PORT or "
                           "https://HOST:PORT",
                           text);
    return 0;
}

/* What goes there does not leave this machine. */
static bool is_near(const struct colony_target *target)
{
    return target->is_unix || strcmp(target->host, "localhost") == 0 ||
           strncmp(target->host, "127.", 4) == 0 || strcmp(target->host, "::1") == 0;
}

int colony_target_set_token(struct colony_target *target, const char *path, const char *text,
                            struct colony_error *err)
{
    static const char blanks[] = " \t\r\n";
    char *content = NULL;
    size_t size = 0;
    size_t length;
    int rc = path ? colony_secret_read(&content, &size, path, err) : 0;

    if (rc < 0)
        return rc;
    if (content)
        text = content;
    if (!text)
        return 0;
    text += strspn(text, blanks);
    length = strcspn(text, blanks);
    if (length == 0 || length > COLONY_TARGET_TOKEN_MAX ||
        text[length + strspn(text + length, blanks)] != '\0')
        rc = colony_fail(err, -EINVAL, "cannot use the token in %s: it must be one word",
                         path ? path : "$COLONY_TOKEN");
    else if (!target->is_tls && !is_near(target))
        rc = colony_fail(err, -EINVAL, "cannot send the token to %s in clear: use https://",
                         target->text);
    else
        memcpy(target->token, text, length); /* the rest is NUL */
    colony_secret_free(content, size);
    return rc;
}

uint64_t colony_target_now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int colony_target_until_ms(uint64_t at_ms)
{
    uint64_t now = colony_target_now_ms();

    if (at_ms <= now)
        return 0;
    return at_ms - now < INT_MAX ? (int)(at_ms - now) : INT_MAX;
}

int colony_target_least_ms(int one, int other)
{
    if (one < 0 || other < 0)
        return one < 0 ? other : one;
    return one < other ? one : other;
}

/* Waits for a connect under way. 0 or negative errno. */
static int finish_connect(int fd, uint64_t deadline_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int reason = 0;
    socklen_t size = sizeof reason;
    uint64_t now;
    int rc;

    do {
        now = colony_target_now_ms();
        rc = poll(&wait, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -errno;
    if (rc == 0)
        return -ETIMEDOUT;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) < 0)
        return -errno;
    return -reason;
}

/* A connected descriptor or negative errno. */
static int connect_to(const struct sockaddr *address, socklen_t size, uint64_t deadline_ms)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = connect(fd, address, size) < 0 ? -errno : 0;
    while (rc == -EAGAIN &&
           colony_target_now_ms() < deadline_ms) { /* a Unix socket whose queue is full */
        (void)poll(NULL, 0, RETRY_MS);
        rc = connect(fd, address, size) < 0 ? -errno : 0;
    }
    if (rc == -EINPROGRESS || rc == -EINTR)
        rc = finish_connect(fd, deadline_ms);
    if (rc == 0 && fcntl(fd, F_SETFL, 0) < 0)
        rc = -errno;
    if (rc == 0)
        return fd;
    (void)close(fd);
    return rc;
}

/* A path too long for a socket address is reached through its folder. */
static int connect_unix(const char *path, uint64_t deadline_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int folder_fd = -1;
    int used;
    int rc;

    if (strlen(path) < sizeof address.sun_path || !slash) {
        used = snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    } else {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path + 1), path);
        folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder_fd < 0)
            return -errno;
        used = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d%s", folder_fd,
                        slash);
    }
    rc = -ENAMETOOLONG;
    if (used >= 0 && (size_t)used < sizeof address.sun_path)
        rc = connect_to((const struct sockaddr *)&address, sizeof address, deadline_ms);
    if (folder_fd >= 0)
        (void)close(folder_fd);
    return rc;
}

static int connect_tcp(const struct colony_target *target, uint64_t deadline_ms,
                       const char **reason)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    int rc = getaddrinfo(target->host, target->port, &hints, &addresses);

    if (rc != 0) {
        *reason = gai_strerror(rc);
        return -EHOSTUNREACH;
    }
    rc = -EHOSTUNREACH;
    for (struct addrinfo *one = addresses; one && rc < 0; one = one->ai_next)
        rc = connect_to(one->ai_addr, one->ai_addrlen, deadline_ms);
    freeaddrinfo(addresses);
    return rc;
}

int colony_target_connect(const struct colony_target *target, struct colony_error *err)
{
    uint64_t deadline_ms = colony_target_now_ms() + CONNECT_MS;
    const char *reason = NULL;
    int rc = target->is_unix ? connect_unix(target->path, deadline_ms)
                             : connect_tcp(target, deadline_ms, &reason);

    if (rc >= 0)
        return rc;
    if (rc == -EACCES || rc == -EPERM)
        return colony_fail(err, -EACCES,
                           "cannot reach colony at %s: %s: be root, its owner or in its group",
                           target->text, strerror(-rc));
    if (rc == -ETIMEDOUT || rc == -EAGAIN)
        reason = "no answer within 5 seconds";
    return colony_fail(err, -ECONNREFUSED,
                       "cannot reach colony at %s: %s: is `colony serve` running?", target->text,
                       reason ? reason : strerror(-rc));
}

/* Also when it is not for us. */
static bool is_served(const char *path)
{
    int fd = connect_unix(path, colony_target_now_ms() + CONNECT_MS);

    if (fd >= 0)
        (void)close(fd);
    return fd >= 0 || fd == -EACCES;
}

/* Anybody can make a folder in /tmp and listen there. */
static int check_folder(const char *path, struct colony_error *err)
{
    char folder[PATH_MAX];
    struct stat info;

    (void)snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    if (strncmp(path, "/tmp/", 5) != 0 || lstat(folder, &info) < 0)
        return 0; /* connecting will say so */
    if (S_ISDIR(info.st_mode) && (info.st_uid == geteuid() || info.st_uid == 0))
        return 0;
    return colony_fail(err, -EACCES, "cannot trust %s: the folder is not yours", folder);
}

int colony_target_find(struct colony_target *target, struct colony_error *err)
{
    char path[PATH_MAX];
    int rc = colony_default_socket(path, sizeof path);

    if (rc < 0)
        return colony_fail_os(err, rc, "cannot find the control socket");
    *target = (struct colony_target){.is_unix = true};
    rc = check_folder(path, err);
    if (rc < 0)
        return rc;
    if (strcmp(path, COLONY_SYSTEM_SOCKET) != 0 && !is_served(path) &&
        is_served(COLONY_SYSTEM_SOCKET))
        return set_unix(target, COLONY_SYSTEM_SOCKET, err);
    return set_unix(target, path, err);
}
