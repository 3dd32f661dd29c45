/* SPDX-License-Identifier: Apache-2.0 */
#include "core/adopt.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/notify.h"
#include "core/sweep.h"

enum {
    SPAWN_SECONDS_MAX = 6, /* between the claim of a record and the start of its process */
};

/* linux/pidfd.h of 6.15; Debian 12's is older. */
struct pidfd_info_exit {
    uint64_t mask;
    uint64_t cgroup_id;
    uint32_t ids[11];
    int32_t exit_code;
};

#define PIDFD_GET_INFO_EXIT _IOWR(0xFF, 11, struct pidfd_info_exit)
#define PIDFD_INFO_MASK_EXIT (1ULL << 3)

struct colony_own_pipe {
    uint64_t inode;
    int fd; /* -1: taken */
    bool is_socket;
};

int colony_pipe_reopen(int fd, int flags)
{
    char path[32];
    int reopened;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    reopened = open(path, flags | O_CLOEXEC);
    return reopened < 0 ? -errno : reopened;
}

/* An end of a pair as the keeper makes them: connected, and neither end has a name. */
static bool is_pair_end(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof name;
    socklen_t peer_size = sizeof name;
    int type = 0;
    socklen_t type_size = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM &&
           getsockname(fd, (struct sockaddr *)&name, &size) == 0 && name.ss_family == AF_UNIX &&
           size == sizeof(sa_family_t) &&
           getpeername(fd, (struct sockaddr *)&name, &peer_size) == 0 &&
           peer_size == sizeof(sa_family_t);
}

bool colony_may_be_stream(int fd)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return false;
    if (S_ISSOCK(info.st_mode))
        return colony_notify_is_socket(fd) || is_pair_end(fd);
    return S_ISFIFO(info.st_mode);
}

int colony_own_pipes_read(struct colony_own_pipes *pipes, int except_fd)
{
    struct dirent *entry;
    size_t capacity = 0;
    DIR *folder = opendir("/proc/self/fd");

    memset(pipes, 0, sizeof *pipes);
    if (!folder)
        return -errno;
    while ((entry = readdir(folder))) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        struct stat info;

        if (fd <= STDERR_FILENO || fd == except_fd || !colony_may_be_stream(fd) ||
            fstat(fd, &info) < 0)
            continue;
        if (pipes->count == capacity) {
            struct colony_own_pipe *grown;

            capacity = capacity * 2 + 64;
            grown = realloc(pipes->items, capacity * sizeof *grown);
            if (!grown)
                break;
            pipes->items = grown;
        }
        pipes->items[pipes->count++] =
            (struct colony_own_pipe){info.st_ino, fd, S_ISSOCK(info.st_mode)};
    }
    (void)closedir(folder);
    return 0;
}

void colony_own_pipes_clear(struct colony_own_pipes *pipes)
{
    for (size_t i = 0; i < pipes->count; i++)
        if (pipes->items[i].fd >= 0)
            (void)close(pipes->items[i].fd);
    free(pipes->items);
    memset(pipes, 0, sizeof *pipes);
}

static bool is_started_when_claimed(const struct colony_record *record,
                                    const struct colony_boot *boot, uint64_t start_ticks)
{
    uint64_t claimed = record->claimed_boot_ns / (1000000000ULL / boot->ticks_per_second);

    return start_ticks + 1 >= claimed &&
           start_ticks <= claimed + SPAWN_SECONDS_MAX * boot->ticks_per_second;
}

/* Before exec it still is a copy of the keeper; after it, a session leader. */
static bool looks_spawned(pid_t pid)
{
    char path[32];
    struct stat its;
    struct stat ours;

    if (getsid(pid) == pid)
        return true;
    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat(path, &its) == 0 && stat("/proc/self/exe", &ours) == 0 &&
           its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

int colony_adopt_process(const struct colony_record *record, const struct colony_boot *boot)
{
    uint64_t start_ticks;
    bool is_ours;
    int pidfd;

    if (record->pid <= 0 || memcmp(record->boot_id, boot->boot_id, sizeof boot->boot_id) != 0 ||
        record->pid_namespace != boot->pid_namespace)
        return -ESRCH;
    pidfd = (int)syscall(SYS_pidfd_open, record->pid, 0);
    if (pidfd < 0)
        return -ESRCH;
    start_ticks = colony_proc_start_ticks(record->pid);
    if (record->start_ticks != 0)
        is_ours = start_ticks == record->start_ticks;
    else /* its keeper died before it could note the start time */
        is_ours = is_started_when_claimed(record, boot, start_ticks) && looks_spawned(record->pid);
    /* The number was read before the pidfd was known to be good: it must still be alive now. */
    if (is_ours && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0)
        return pidfd;
    (void)close(pidfd);
    return -ESRCH;
}

static int open_flags(enum colony_stream_kind kind)
{
    /* Opening a pipe to write blocks while it has no reader; opening it for both never does. */
    return kind == STREAM_INPUT ? O_WRONLY | O_NONBLOCK : O_RDWR;
}

static int find_in_process(const struct colony_record *record, size_t stream)
{
    char path[300];
    char wanted[64];
    char link[64];
    struct dirent *entry;
    int found = -ENOENT;
    DIR *folder;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)record->pid);
    (void)snprintf(wanted, sizeof wanted, "pipe:[%llu]",
                   (unsigned long long)record->stream_inode[stream]);
    folder = opendir(path);
    if (!folder)
        return -errno;
    while (found < 0 && (entry = readdir(folder))) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);

        if (length <= 0)
            continue;
        link[length] = '\0';
        if (strcmp(link, wanted) == 0)
            found = openat(dirfd(folder), entry->d_name,
                           open_flags(colony_stream_kind_of(record, stream)) | O_CLOEXEC);
    }
    (void)closedir(folder);
    return found;
}

/* Itself: a second descriptor of each would need room where all is in use. */
static int take_socket(struct colony_own_pipe *socket)
{
    int fd = socket->fd;

    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    socket->fd = -1;
    return fd;
}

/* A socket cannot be opened again, and is never one of the process's own descriptors. */
int colony_adopt_stream(const struct colony_record *record, size_t stream,
                        const struct colony_own_pipes *pipes)
{
    enum colony_stream_kind kind = colony_stream_kind_of(record, stream);
    bool is_socket = kind == STREAM_NOTIFY || kind == STREAM_SOCKET;
    struct stat info;
    int fd = -ENOENT;

    for (size_t i = 0; i < pipes->count && fd < 0; i++)
        if (pipes->items[i].inode == record->stream_inode[stream] &&
            pipes->items[i].is_socket == is_socket && pipes->items[i].fd >= 0)
            fd = is_socket ? take_socket(&pipes->items[i])
                           : colony_pipe_reopen(pipes->items[i].fd, open_flags(kind));
    if (fd < 0 && record->pid > 0 && !is_socket)
        fd = find_in_process(record, stream);
    if (fd < 0)
        return fd;
    if (fstat(fd, &info) == 0 && info.st_ino == record->stream_inode[stream])
        return fd;
    (void)close(fd);
    return -ENOENT;
}

/* INSTANCE/TEMPLATE/SLOT */
static bool parse_mark(const char *mark, const char *instance, struct colony_marked *out)
{
    size_t length = strlen(instance);
    const char *slot = strrchr(mark, '/');
    size_t name_length;

    if (!slot || strncmp(mark, instance, length) != 0 || mark[length] != '/' ||
        slot <= mark + length)
        return false;
    name_length = (size_t)(slot - (mark + length + 1));
    if (name_length == 0 || name_length >= sizeof out->name)
        return false;
    memcpy(out->name, mark + length + 1, name_length);
    out->name[name_length] = '\0';
    out->slot = (uint32_t)strtoul(slot + 1, NULL, 10);
    return out->slot > 0;
}

/* The inode of the pipe that @fd of @pid is; 0: it is none. */
static uint64_t pipe_of(pid_t pid, int fd)
{
    char path[48];
    struct stat info;

    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    return stat(path, &info) == 0 && S_ISFIFO(info.st_mode) ? info.st_ino : 0;
}

static bool read_mark(pid_t pid, const char *instance, struct colony_marked *out)
{
    char mark[COLONY_INSTANCE_SIZE + COLONY_RECORD_NAME_SIZE + 16];

    if (getsid(pid) != pid || !colony_proc_get_env(pid, "COLONY_ID", mark, sizeof mark))
        return false;
    memset(out, 0, sizeof *out);
    out->pid = pid;
    out->output_inode = pipe_of(pid, STDOUT_FILENO);
    out->error_inode = pipe_of(pid, STDERR_FILENO);
    if (out->error_inode == out->output_inode)
        out->error_inode = 0;
    return parse_mark(mark, instance, out);
}

void colony_find_marked(const char *instance, colony_marked_cb cb, void *data)
{
    struct colony_marked marked;
    struct dirent *entry;
    DIR *folder = opendir("/proc");

    if (!folder)
        return;
    while ((entry = readdir(folder)))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_mark((pid_t)strtol(entry->d_name, NULL, 10), instance, &marked))
            cb(&marked, data);
    (void)closedir(folder);
}

bool colony_is_our_child(int pidfd)
{
    siginfo_t info;

    return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int colony_exit_status(int pidfd, int32_t *wait_status)
{
    struct pidfd_info_exit info = {.mask = PIDFD_INFO_MASK_EXIT};

    if (ioctl(pidfd, PIDFD_GET_INFO_EXIT, &info) < 0)
        return errno == ESRCH ? -EAGAIN : -ENOTSUP;
    if (!(info.mask & PIDFD_INFO_MASK_EXIT))
        return -EAGAIN;
    *wait_status = info.exit_code;
    return 0;
}

/* readlink(2) of its program asks the same question; a zombie that we may trace has none. */
static bool may_trace(pid_t pid)
{
    char path[32];
    char link[8];

    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return readlink(path, link, sizeof link) >= 0 || errno == ENOENT;
}

static int read_stat(pid_t pid, char *text, size_t size)
{
    char path[32];
    ssize_t count;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -ESRCH;
    count = read(fd, text, size - 1);
    (void)close(fd);
    if (count <= 0)
        return -ESRCH;
    text[count] = '\0';
    return 0;
}

int colony_zombie_status(pid_t pid, uint64_t start_ticks, int32_t *wait_status)
{
    char text[1024];
    const char *state;
    const char *code;

    if (!may_trace(pid))
        return -EACCES;
    if (read_stat(pid, text, sizeof text) < 0 || colony_proc_start_ticks(pid) != start_ticks)
        return -ESRCH;
    state = strrchr(text, ')');
    code = strrchr(text, ' ');
    if (!state || !code || strncmp(state, ") Z", 3) != 0)
        return -ESRCH;
    *wait_status = (int32_t)strtol(code, NULL, 10);
    return 0;
}
