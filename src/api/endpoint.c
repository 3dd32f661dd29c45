/* SPDX-License-Identifier: Apache-2.0 */
#include "api/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/address.h"
#include "core/error.h"
#include "core/listen.h"
#include "core/passed.h"
#include "core/settings.h"
#include "core/users.h"

enum {
    FOLDER_MODE = 0751, /* the socket says who gets in; names of others are nobody's business */
};

/* What the caller gets. */
struct result {
    int fd;
    char *name;
    size_t name_size;
    char prefix[32];
    bool may_be_remote; /* it is safe beyond this machine, or was said to be */
    struct colony_passed *passed;
    mode_t mode; /* of a unix socket: open to all where users are allowed, each peer is looked at */
};

/* A unix socket to be made: its folder, opened, and its name there. */
struct place {
    const char *path; /* as it was given, for messages */
    char folder[PATH_MAX];
    char base[NAME_MAX + 1];
    int folder_fd;
};

static int find_passed(const struct result *out, const struct sockaddr *address)
{
    return out->passed ? colony_passed_find(out->passed, address) : -1;
}

static bool may_be_remote(int tls, const struct colony_http_settings *settings)
{
    return settings->insecure || (tls != COLONY_ENDPOINT_PLAIN && settings->tokens);
}

static int check_remote(const struct colony_address *address, bool may_be, struct colony_error *err)
{
    if (may_be || colony_address_is_loopback(&address->of))
        return 0;
    return colony_fail(err, -EACCES,
                       "cannot listen on %s: an endpoint beyond this machine needs TLS "
                       "(`certfile`) and a file of tokens (`tokens`), or `insecure: true`",
                       address->text);
}

static int listen_tcp(struct result *out, const struct colony_bind *bind, struct colony_error *err)
{
    struct colony_address address;
    int fd;
    int rc = colony_listen_resolve(bind, &address, err);

    if (rc == 0)
        rc = check_remote(&address, out->may_be_remote, err);
    if (rc < 0)
        return rc;
    fd = find_passed(out, (const struct sockaddr *)&address.of);
    if (fd < 0)
        fd = colony_listen_open(&address, SOCK_STREAM);
    if (fd == -EADDRINUSE)
        return colony_listen_fail_in_use(err, address.text);
    if (fd < 0)
        return colony_fail_os(err, fd, "cannot listen on %s", address.text);
    rc = snprintf(out->name, out->name_size, "%s%s", out->prefix, address.text);
    if (rc < 0 || (size_t)rc >= out->name_size) {
        (void)close(fd);
        return colony_fail_os(err, -ENAMETOOLONG, "cannot listen on %s", address.text);
    }
    out->fd = fd;
    return 0;
}

static int make_folder(const char *folder, const char *path, struct colony_error *err)
{
    int fd;
    int rc = 0;

    if (mkdir(folder, FOLDER_MODE) < 0) {
        if (errno == EEXIST)
            return 0;
        return colony_fail_os(err, -errno, "cannot listen on %s: cannot make %s", path, folder);
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot listen on %s: cannot open %s", path, folder);
    /* Who is not in the group keeps his own: the peer is looked at anyway. */
    if (fchown(fd, (uid_t)-1, colony_group_of_colony()) < 0 && errno != EPERM)
        rc = -errno;
    if (rc == 0 && fchmod(fd, FOLDER_MODE) < 0) /* the umask may have taken more away */
        rc = -errno;
    (void)close(fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot give %s its group and mode", folder) : 0;
}

static int place_open(struct place *place, const char *path, struct colony_error *err)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    char folder[PATH_MAX] = ".";
    int rc;

    place->path = path;
    place->folder_fd = -1;
    if (strlen(base) >= sizeof place->base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return colony_fail(err, -EINVAL, "cannot listen on %s: not a path of a socket", path);
    memcpy(place->base, base, strlen(base) + 1);
    if (slash)
        (void)snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path),
                       path);
    rc = make_folder(folder, path, err);
    if (rc < 0)
        return rc;
    if (!realpath(folder, place->folder))
        return colony_fail_os(err, -errno, "cannot listen on %s", path);
    place->folder_fd = open(place->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place->folder_fd < 0)
        return colony_fail_os(err, -errno, "cannot listen on %s", path);
    return 0;
}

/* A path that does not fit is reached through the descriptor of its folder. */
static int place_address(const struct place *place, struct sockaddr_un *address)
{
    const char *separator = strcmp(place->folder, "/") == 0 ? "" : "/";
    int used;

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(place->folder) + strlen(separator) + strlen(place->base) < sizeof address->sun_path)
        used = snprintf(address->sun_path, sizeof address->sun_path, "%s%s%s", place->folder,
                        separator, place->base);
    else
        used = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                        place->folder_fd, place->base);
    return used > 0 && (size_t)used < sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

/* -EADDRINUSE when somebody listens there, 0 when nobody does. */
static int probe(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        rc = -errno;
    (void)close(fd);
    if (rc == -ECONNREFUSED || rc == -ENOENT)
        return 0;
    return rc == 0 || rc == -EAGAIN ? -EADDRINUSE : rc;
}

static int remove_stale(const struct place *place, const struct sockaddr_un *address,
                        struct colony_error *err)
{
    struct stat info;
    int rc;

    if (fstatat(place->folder_fd, place->base, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0
                               : colony_fail_os(err, -errno, "cannot listen on %s", place->path);
    if (!S_ISSOCK(info.st_mode))
        return colony_fail(err, -EEXIST, "cannot listen on %s: it exists and is not a socket",
                           place->path);
    rc = probe(address);
    if (rc == -EADDRINUSE)
        return colony_listen_fail_in_use(err, place->path);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot listen on %s", place->path);
    if (unlinkat(place->folder_fd, place->base, 0) < 0 && errno != ENOENT)
        return colony_fail_os(err, -errno, "cannot replace the old socket %s", place->path);
    return 0;
}

static int open_unix(const struct place *place, const struct sockaddr_un *address, mode_t mode)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = 0;

    if (fd < 0)
        return -errno;
    /* Of the socket, then of its name: nobody else gets in before it has its group. The umask,
     * which could say the same, is the whole process's. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        rc = -errno;
    if (rc == 0 &&
        fchownat(place->folder_fd, place->base, (uid_t)-1, colony_group_of_colony(),
                 AT_SYMLINK_NOFOLLOW) < 0 &&
        errno != EPERM)
        rc = -errno;
    if (rc == 0 && fchmodat(place->folder_fd, place->base, mode, 0) < 0)
        rc = -errno;
    if (rc == 0 && listen(fd, SOMAXCONN) < 0)
        rc = -errno;
    if (rc == 0)
        return fd;
    (void)close(fd);
    return rc;
}

static int listen_unix(struct result *out, const char *path, struct colony_error *err)
{
    struct place place;
    struct sockaddr_un address;
    int fd = -1;
    int rc = place_open(&place, path, err);

    if (rc < 0)
        goto out;
    rc = snprintf(out->name, out->name_size, "%sunix:%s/%s", out->prefix,
                  strcmp(place.folder, "/") == 0 ? "" : place.folder, place.base);
    rc = rc < 0 || (size_t)rc >= out->name_size ? -ENAMETOOLONG : place_address(&place, &address);
    if (rc < 0) {
        (void)colony_fail_os(err, rc, "cannot listen on %s", path);
        goto out;
    }
    fd = find_passed(out, (const struct sockaddr *)&address);
    if (fd < 0)
        rc = remove_stale(&place, &address, err);
    if (rc < 0)
        goto out;
    if (fd < 0)
        fd = open_unix(&place, &address, out->mode);
    if (fd < 0) {
        rc = fd == -EADDRINUSE ? colony_listen_fail_in_use(err, path)
                               : colony_fail_os(err, fd, "cannot listen on %s", path);
        goto out;
    }
    out->fd = fd;
    rc = 0;
out:
    if (place.folder_fd >= 0)
        (void)close(place.folder_fd);
    return rc;
}

int colony_endpoint_check(const struct colony_endpoint *endpoint,
                          const struct colony_http_settings *settings, struct colony_error *err)
{
    struct colony_bind where;
    struct colony_address address;
    int rc = colony_bind_parse(&where, endpoint->bind, err);

    if (rc < 0 || where.is_unix)
        return rc;
    rc = colony_listen_resolve(&where, &address, err);
    return rc < 0 ? rc : check_remote(&address, may_be_remote(endpoint->tls, settings), err);
}

/* NOLINTNEXTLINE(readability-function-size): the name is a result of its own, with its size */
int colony_endpoint_listen(int *fd, char *name, size_t name_size,
                           const struct colony_endpoint *endpoint,
                           const struct colony_http_settings *settings, struct colony_error *err)
{
    bool is_tls = endpoint->tls != COLONY_ENDPOINT_PLAIN;
    struct result result = {.fd = -1,
                            .name = name,
                            .name_size = name_size,
                            .prefix = COLONY_ENDPOINT_PREFIX,
                            .may_be_remote = may_be_remote(endpoint->tls, settings),
                            .passed = endpoint->passed,
                            .mode = settings->allow && settings->allow[0] ? 0666 : 0660};
    struct colony_bind where;
    int rc = colony_bind_parse(&where, endpoint->bind, err);

    if (is_tls)
        (void)snprintf(result.prefix, sizeof result.prefix,
                       COLONY_ENDPOINT_TLS_PREFIX "%d:", endpoint->tls);
    if (rc == 0)
        rc = where.is_unix ? listen_unix(&result, where.path, err)
                           : listen_tcp(&result, &where, err);
    if (rc == 0)
        *fd = result.fd;
    return rc;
}
