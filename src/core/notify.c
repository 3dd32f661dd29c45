/* SPDX-License-Identifier: Apache-2.0 */
#include "core/notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    DIGITS_SIZE = 17,
};

static const char folder_name[] = "notify";

_Static_assert(sizeof((struct sockaddr_un *)0)->sun_path == COLONY_NOTIFY_PATH_SIZE,
               "a path that fits is one that can be reached");

static uint64_t add_to_hash(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
    return hash;
}

/* FNV-1a of NAME/SLOT: a name may be longer than any path that a socket can have. */
static void file_name(char out[DIGITS_SIZE], const char *name, uint32_t slot)
{
    uint64_t hash = add_to_hash(14695981039346656037ULL, name);
    char tail[16];

    (void)snprintf(tail, sizeof tail, "/%" PRIu32, slot);
    (void)snprintf(out, DIGITS_SIZE, "%016" PRIx64, add_to_hash(hash, tail));
}

int colony_notify_path(char *out, size_t size, const char *state_dir, const char *name,
                       uint32_t slot)
{
    char file[DIGITS_SIZE];
    int length;

    file_name(file, name, slot);
    length = snprintf(out, size, "%s/%s/%s", state_dir, folder_name, file);
    return (size_t)length < size && length < COLONY_NOTIFY_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int colony_notify_open_folder(int state_fd)
{
    int fd;

    if (mkdirat(state_fd, folder_name, 0711) < 0 && errno != EEXIST)
        return -errno;
    fd = openat(state_fd, folder_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, 0711) < 0) { /* the umask may have taken some away */
        int rc = -errno;

        (void)close(fd);
        return rc;
    }
    return fd;
}

void colony_notify_remove_folder(int state_fd)
{
    int fd = openat(state_fd, folder_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!folder) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            (void)unlinkat(fd, entry->d_name, 0);
    (void)closedir(folder);
    (void)unlinkat(state_fd, folder_name, AT_REMOVEDIR);
}

/* A socket that takes the sender's credentials and makes its file for us alone. */
static int make_socket(void)
{
    const int on = 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    /* bind(2) gives the file the mode of the socket: the umask is shared with spawning threads. */
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 || fchmod(fd, 0600) < 0) {
        int rc = -errno;

        (void)close(fd);
        return rc;
    }
    return fd;
}

int colony_notify_bind(int folder_fd, const char *name, uint32_t slot)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char file[DIGITS_SIZE];
    int rc = 0;
    int fd;

    file_name(file, name, slot);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder_fd,
                   file);
    fd = make_socket();
    if (fd < 0)
        return fd;
    if ((unlinkat(folder_fd, file, 0) < 0 && errno != ENOENT) ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        rc = -errno;
    if (rc == 0)
        return fd;
    (void)close(fd);
    return rc;
}

int colony_notify_give(int folder_fd, const char *name, uint32_t slot, uid_t uid)
{
    char file[DIGITS_SIZE];

    file_name(file, name, slot);
    return fchownat(folder_fd, file, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int colony_notify_owner(int folder_fd, const char *name, uint32_t slot, uid_t *uid)
{
    char file[DIGITS_SIZE];
    struct stat info;

    file_name(file, name, slot);
    if (fstatat(folder_fd, file, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    *uid = info.st_uid;
    return 0;
}

void colony_notify_remove(int folder_fd, const char *name, uint32_t slot)
{
    char file[DIGITS_SIZE];

    file_name(file, name, slot);
    (void)unlinkat(folder_fd, file, 0);
}

static bool has_option(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t size = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

bool colony_notify_is_socket(int fd)
{
    return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_DGRAM) &&
           has_option(fd, SO_PASSCRED, 1);
}
