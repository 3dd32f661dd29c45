/* SPDX-License-Identifier: Apache-2.0 */
/* preload_calls.c - files, descriptors, sockets, mappings and threads: calls that may fail. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* Files. */

#define MODE_OF(flags, last)                                                                       \
    ({                                                                                             \
        mode_t given = 0;                                                                          \
        if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                   \
            va_list list;                                                                          \
            va_start(list, last);                                                                  \
            given = va_arg(list, mode_t);                                                          \
            va_end(list);                                                                          \
        }                                                                                          \
        given;                                                                                     \
    })

EXPORTED int open(const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags, flags);

    return fails(KIND_OPEN, "open") ? -1 : REAL(open)(path, flags, mode);
}

EXPORTED int open64(const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags, flags);

    return fails(KIND_OPEN, "open") ? -1 : REAL(open)(path, flags, mode);
}

EXPORTED int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = MODE_OF(flags, flags);

    return fails(KIND_OPEN, "openat") ? -1 : REAL(openat)(folder, path, flags, mode);
}

/* What fortified builds call. */
EXPORTED int __open_2(const char *path, int flags);
EXPORTED int __open64_2(const char *path, int flags);
EXPORTED int __openat_2(int folder, const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open(path, flags);
}

int __open64_2(const char *path, int flags)
{
    return open(path, flags);
}

int __openat_2(int folder, const char *path, int flags)
{
    return openat(folder, path, flags);
}

EXPORTED FILE *fopen(const char *path, const char *how)
{
    return fails(KIND_OPEN, "fopen") ? NULL : REAL(fopen)(path, how);
}

EXPORTED DIR *opendir(const char *path)
{
    return fails(KIND_OPEN, "opendir") ? NULL : REAL(opendir)(path);
}

static bool is_of_type(int fd, mode_t type)
{
    struct stat info;

    return is_watched() && fd > STDERR_FILENO && fstat(fd, &info) == 0 &&
           (info.st_mode & S_IFMT) == type;
}

/* A disk is full for files alone; a pipe or an eventfd never is. */
static bool fails_to_write(int fd, const char *call)
{
    return (is_of_type(fd, S_IFREG) && fails(KIND_WRITE, call)) ||
           (is_of_type(fd, S_IFSOCK) && fails(KIND_SEND, call));
}

static bool fails_to_read(int fd, const char *call)
{
    return is_of_type(fd, S_IFREG) && fails(KIND_READ, call);
}

EXPORTED ssize_t write(int fd, const void *data, size_t size)
{
    return fails_to_write(fd, "write") ? -1 : REAL(write)(fd, data, size);
}

EXPORTED ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return fails_to_write(fd, "pwrite") ? -1 : REAL(pwrite)(fd, data, size, offset);
}

EXPORTED ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return fails_to_write(fd, "pwrite") ? -1 : REAL(pwrite64)(fd, data, size, offset);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return fails_to_write(fd, "writev") ? -1 : REAL(writev)(fd, parts, count);
}

EXPORTED ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t size,
                        unsigned flags)
{
    return fails_to_write(to, "splice") ? -1 : REAL(splice)(from, from_at, to, to_at, size, flags);
}

EXPORTED int ftruncate(int fd, off_t size)
{
    return fails_to_write(fd, "ftruncate") ? -1 : REAL(ftruncate)(fd, size);
}

EXPORTED int ftruncate64(int fd, off64_t size)
{
    return fails_to_write(fd, "ftruncate") ? -1 : REAL(ftruncate64)(fd, size);
}

EXPORTED int posix_fallocate(int fd, off_t offset, off_t size)
{
    return fails_to_write(fd, "posix_fallocate") ? ENOSPC : REAL(posix_fallocate)(fd, offset, size);
}

EXPORTED int fsync(int fd)
{
    return fails_to_write(fd, "fsync") ? -1 : REAL(fsync)(fd);
}

EXPORTED int fdatasync(int fd)
{
    return fails_to_write(fd, "fdatasync") ? -1 : REAL(fdatasync)(fd);
}

EXPORTED ssize_t read(int fd, void *data, size_t size)
{
    return fails_to_read(fd, "read") ? -1 : REAL(read)(fd, data, size);
}

EXPORTED ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return fails_to_read(fd, "pread") ? -1 : REAL(pread)(fd, data, size, offset);
}

EXPORTED ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    return fails_to_read(fd, "pread") ? -1 : REAL(pread64)(fd, data, size, offset);
}

EXPORTED int rename(const char *from, const char *to)
{
    return fails(KIND_FOLDER, "rename") ? -1 : REAL(rename)(from, to);
}

EXPORTED int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return fails(KIND_FOLDER, "renameat") ? -1 : REAL(renameat)(from_folder, from, to_folder, to);
}

EXPORTED int unlink(const char *path)
{
    return fails(KIND_FOLDER, "unlink") ? -1 : REAL(unlink)(path);
}

EXPORTED int unlinkat(int folder, const char *path, int flags)
{
    return fails(KIND_FOLDER, "unlinkat") ? -1 : REAL(unlinkat)(folder, path, flags);
}

EXPORTED int mkdir(const char *path, mode_t mode)
{
    return fails(KIND_FOLDER, "mkdir") ? -1 : REAL(mkdir)(path, mode);
}

EXPORTED int mkdirat(int folder, const char *path, mode_t mode)
{
    return fails(KIND_FOLDER, "mkdirat") ? -1 : REAL(mkdirat)(folder, path, mode);
}

EXPORTED int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return fails(KIND_FOLDER, "bind") ? -1 : REAL(bind)(fd, address, size);
}

/* Descriptors. */

EXPORTED int pipe(int ends[2])
{
    return fails(KIND_FD, "pipe") ? -1 : REAL(pipe)(ends);
}

EXPORTED int pipe2(int ends[2], int flags)
{
    return fails(KIND_FD, "pipe2") ? -1 : REAL(pipe2)(ends, flags);
}

EXPORTED int socket(int domain, int type, int protocol)
{
    return fails(KIND_FD, "socket") ? -1 : REAL(socket)(domain, type, protocol);
}

EXPORTED int socketpair(int domain, int type, int protocol, int ends[2])
{
    return fails(KIND_FD, "socketpair") ? -1 : REAL(socketpair)(domain, type, protocol, ends);
}

EXPORTED int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return fails(KIND_FD, "accept4") ? -1 : REAL(accept4)(fd, address, size, flags);
}

EXPORTED int memfd_create(const char *name, unsigned flags)
{
    return fails(KIND_FD, "memfd_create") ? -1 : REAL(memfd_create)(name, flags);
}

EXPORTED int eventfd(unsigned value, int flags)
{
    return fails(KIND_FD, "eventfd") ? -1 : REAL(eventfd)(value, flags);
}

EXPORTED int timerfd_create(int clock, int flags)
{
    return fails(KIND_FD, "timerfd_create") ? -1 : REAL(timerfd_create)(clock, flags);
}

EXPORTED int epoll_create1(int flags)
{
    return fails(KIND_FD, "epoll_create1") ? -1 : REAL(epoll_create1)(flags);
}

EXPORTED int signalfd(int fd, const sigset_t *set, int flags)
{
    return fails(KIND_FD, "signalfd") ? -1 : REAL(signalfd)(fd, set, flags);
}

EXPORTED int inotify_init1(int flags)
{
    return fails(KIND_FD, "inotify_init1") ? -1 : REAL(inotify_init1)(flags);
}

EXPORTED int fcntl(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && fails(KIND_FD, "fcntl"))
        return -1;
    return REAL(fcntl)(fd, command, argument);
}

EXPORTED int fcntl64(int fd, int command, ...)
{
    va_list list;
    long argument;

    va_start(list, command);
    argument = va_arg(list, long);
    va_end(list);
    return fcntl(fd, command, argument);
}

EXPORTED long syscall(long number, ...)
{
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_pidfd_open && fails(KIND_FD, "pidfd_open"))
        return -1;
    return REAL(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3],
                         arguments[4], arguments[5]);
}

/* The rest. */

EXPORTED ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return fails(KIND_SEND, "sendmsg") ? -1 : REAL(sendmsg)(fd, message, flags);
}

EXPORTED ssize_t send(int fd, const void *data, size_t size, int flags)
{
    return fails(KIND_SEND, "send") ? -1 : REAL(send)(fd, data, size, flags);
}

EXPORTED void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fails(KIND_MAP, "mmap") ? MAP_FAILED
                                   : REAL(mmap)(at, size, protection, flags, fd, offset);
}

EXPORTED void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return fails(KIND_MAP, "mmap") ? MAP_FAILED
                                   : REAL(mmap64)(at, size, protection, flags, fd, offset);
}

EXPORTED int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    return operation == EPOLL_CTL_ADD && fails(KIND_WATCH, "epoll_ctl")
               ? -1
               : REAL(epoll_ctl)(epoll, operation, fd, event);
}

EXPORTED pid_t fork(void)
{
    return fails(KIND_SPAWN, "fork") ? -1 : REAL(fork)();
}

EXPORTED int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                            void *(*run)(void *), void *data)
{
    return fails(KIND_SPAWN, "pthread_create")
               ? EAGAIN
               : REAL(pthread_create)(thread, attributes, run, data);
}
