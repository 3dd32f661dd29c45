/* SPDX-License-Identifier: Apache-2.0 */
/* stats_proc.c - what /proc and the kernel's clocks say of one process. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/stats_internal.h"
#include "core/sweep.h"
#include "core/utf8.h"

enum {
    STAT_SIZE = 1024, /* the fields we read are well within it */
    PASSWD_SIZE = 16384,
};

/* Numbers of proc_pid_stat(5). */
enum field {
    FIELD_PARENT = 4,
    FIELD_NICE = 19,
    FIELD_THREADS = 20,
    FIELD_START = 22,
    FIELD_VMS = 23,
    FIELD_RSS = 24,
    FIELD_STACK = 28,
    FIELD_COUNT,
};

const struct colony__proc_files colony__proc_files_none = {-1, -1, -1};

/* A number after a blank, faster than strtoull(3), which is a tenth of a sample. -EPROTO. */
static int take_number(const char **cursor, uint64_t *out)
{
    const char *at = *cursor + (**cursor == ' ');
    bool is_negative = *at == '-';
    const char *digits = at + is_negative;
    uint64_t number = 0;

    for (at = digits; *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    if (at == digits)
        return -EPROTO;
    *out = is_negative ? -number : number;
    *cursor = at;
    return 0;
}

static uint64_t page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE); /* no system call */
}

int colony__proc_stat_parse(struct colony__proc_stat *out, const char *text)
{
    uint64_t fields[FIELD_COUNT] = {0};
    const char *comm = strchr(text, '(');
    const char *cursor = strrchr(text, ')'); /* a name may be anything, ") S 1 (" too */
    size_t length;

    if (!comm || !cursor || cursor < comm || cursor[1] != ' ' || cursor[2] == '\0')
        return -EPROTO;
    length = (size_t)(cursor - comm - 1) < sizeof out->comm - 1 ? (size_t)(cursor - comm - 1)
                                                                : sizeof out->comm - 1;
    memcpy(out->comm, comm + 1, length);
    out->comm[length] = '\0';
    out->state = cursor[2];
    cursor += 3;
    for (int field = FIELD_PARENT; field < FIELD_COUNT; field++)
        if (take_number(&cursor, &fields[field]) < 0)
            return -EPROTO;
    out->parent = (pid_t)fields[FIELD_PARENT];
    out->nice = (int)fields[FIELD_NICE];
    out->thread_count = fields[FIELD_THREADS];
    out->start_ticks = fields[FIELD_START];
    out->vms_bytes = fields[FIELD_VMS];
    out->rss_bytes = fields[FIELD_RSS] * page_bytes();
    out->stack = fields[FIELD_STACK];
    return 0;
}

int colony__proc_open_file(pid_t pid, const char *file)
{
    char path[48];
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/%.16s", (int)pid, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    return errno == ENOENT ? -ESRCH : -errno;
}

int colony__proc_read_stat(struct colony__proc_stat *out, int fd)
{
    char text[STAT_SIZE];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    int rc;

    if (size < 0)
        return -errno;
    text[size] = '\0';
    rc = colony__proc_stat_parse(out, text);
    if (rc < 0)
        return rc;
    /* A first thread that has ended looks like a zombie while others go on. */
    if (out->state == 'X' || (out->state == 'Z' && out->thread_count <= 1))
        return -ESRCH;
    return 0;
}

int colony__proc_read_memory(struct colony__proc_stat *out, int fd)
{
    char text[STAT_SIZE];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    const char *cursor = text;
    uint64_t vms_pages;
    uint64_t rss_pages;

    if (size < 0)
        return -errno;
    text[size] = '\0';
    if (take_number(&cursor, &vms_pages) < 0 || take_number(&cursor, &rss_pages) < 0)
        return -EPROTO;
    out->vms_bytes = vms_pages * page_bytes();
    out->rss_bytes = rss_pages * page_bytes();
    return 0;
}

static int open_children(pid_t pid)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

int colony__proc_open(struct colony__proc_files *out, pid_t pid)
{
    struct colony__proc_files files = {.stat_fd = colony__proc_open_file(pid, "stat")};

    if (files.stat_fd < 0)
        return files.stat_fd;
    files.memory_fd = colony__proc_open_file(pid, "statm");
    if (files.memory_fd < 0) {
        (void)close(files.stat_fd);
        return files.memory_fd;
    }
    files.children_fd = open_children(pid);
    *out = files;
    return 0;
}

static void close_if(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void colony__proc_close(struct colony__proc_files *files)
{
    close_if(files->stat_fd);
    close_if(files->memory_fd);
    close_if(files->children_fd);
    *files = colony__proc_files_none;
}

size_t colony__proc_children(const struct colony__proc_files *files, pid_t pid, pid_t *pids,
                             size_t max)
{
    int fd = files->children_fd >= 0 ? files->children_fd : open_children(pid);
    size_t count;

    if (fd < 0)
        return 0;
    count = colony_proc_pread_pids(fd, pids, max);
    if (fd != files->children_fd)
        (void)close(fd);
    return count;
}

int colony__proc_read(struct colony__proc_stat *out, const struct colony__proc_files *files)
{
    int rc = colony__proc_read_stat(out, files->stat_fd);

    return rc < 0 ? rc : colony__proc_read_memory(out, files->memory_fd);
}

/* What clock_getcpuclockid(3) makes of a pid, without its look whether there is such a process. */
static clockid_t cpu_clock_of(pid_t pid)
{
    return (clockid_t)(~(unsigned)pid << 3 | 2);
}

int colony__proc_cpu_ns(pid_t pid, uint64_t *out)
{
    struct timespec used;

    if (clock_gettime(cpu_clock_of(pid), &used) < 0)
        return -ESRCH;
    *out = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
    return 0;
}

static void make_safe(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0')
            text[i] = ' ';
        else if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    colony_utf8_repair(text, size);
}

/* How much of it there is; 0 also for what cannot be read. */
static size_t read_arguments(pid_t pid, char text[STATS_CMDLINE_MAX])
{
    int fd = colony__proc_open_file(pid, "cmdline");
    ssize_t size;

    if (fd < 0)
        return 0;
    size = read(fd, text, STATS_CMDLINE_MAX);
    (void)close(fd);
    while (size > 0 && text[size - 1] == '\0')
        size--;
    return size > 0 ? (size_t)size : 0;
}

char *colony__proc_cmdline(pid_t pid, const char *comm)
{
    char text[STATS_CMDLINE_MAX];
    size_t size = read_arguments(pid, text);

    if (size == 0)
        size = (size_t)snprintf(text, sizeof text, "[%.*s]", STATS_COMM_SIZE, comm);
    make_safe(text, size);
    return strndup(text, size);
}

const char *colony__user_name(struct colony__users *users, uid_t uid)
{
    struct colony__user *user = &users->items[uid % STATS_USERS_MAX];
    char buffer[PASSWD_SIZE];
    struct passwd passwd;
    struct passwd *found = NULL;

    if (user->is_known && user->uid == uid)
        return user->name;
    user->is_known = true;
    user->uid = uid;
    if (getpwuid_r(uid, &passwd, buffer, sizeof buffer, &found) == 0 && found)
        (void)snprintf(user->name, sizeof user->name, "%s", found->pw_name);
    else
        (void)snprintf(user->name, sizeof user->name, "%u", (unsigned)uid);
    make_safe(user->name, strlen(user->name));
    return user->name;
}
