/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session_log.c - `colony session log`: what processes have written, from their files.
 *
 * Nothing is between a process and its file, so the files are followed: inotify tells when one has
 * grown. Several are told apart as tail(1) does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"
#include "ctl_internal.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_internal.h"

enum {
    LINES = 100, /* unless -n says another number */
    BLOCK_BYTES = 64 << 10,
    PATH_BYTES = 512,
    NOTES_BYTES = 16 << 10, /* of inotify, at once */
};

/* clang-format off */
const struct colony_option session_log_options[] = {
    SESSION_PLACE,
    {"follow", 'f', NULL, "go on with what is written from now on",                      OPTION_FLAG,   SESSION_AT(follows), NULL},
    {"lines",  'n', "N",  "begin N lines before the end; default 100",                   OPTION_NUMBER, SESSION_AT(lines), NULL},
    {"err",    0,   NULL, "standard error instead of standard output",                   OPTION_FLAG,   SESSION_AT(is_err), NULL},
    SESSION_END,
};
/* clang-format on */

struct file {
    const char *title; /* of its process */
    char path[PATH_BYTES];
    ino_t inode;  /* 0: it is not there */
    off_t offset; /* read so far */
};

struct logs {
    struct session *session;
    struct colony_session_list list;
    struct file *files;
    size_t count;
    const struct file *last; /* whose lines came last: another one gets a header */
    char block[BLOCK_BYTES];
    struct colony_error err;
};

static const char *folder_of(const struct session *session)
{
    return session->is_err ? "err" : "out";
}

/* What a FIFO or a link could be made to be is not opened. -ENOENT: it is not there yet. */
static int open_file(struct logs *logs, const struct file *file, struct stat *info)
{
    int fd = openat(colony_workspace_fd(logs->session->open.workspace), file->path,
                    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : fd;

    if (fd >= 0 && (fstat(fd, info) < 0 || !S_ISREG(info->st_mode))) {
        (void)close(fd);
        rc = -EINVAL;
    }
    if (rc < 0 && rc != -ENOENT)
        return colony_fail_os(&logs->err, rc, "cannot read %s/%s",
                              colony_workspace_path(logs->session->open.workspace), file->path);
    return rc;
}

static int write_header(struct logs *logs, const struct file *file)
{
    char header[PATH_BYTES];
    int length;

    if (logs->count < 2 || logs->last == file)
        return 0;
    length = snprintf(header, sizeof header, "%s==> %s <==\n", logs->last ? "\n" : "", file->title);
    logs->last = file;
    return colony__ctl_write_output(header, (size_t)length, NULL);
}

/* Prints what stands in @fd after file->offset. */
static int print_rest(struct logs *logs, struct file *file, int fd)
{
    for (;;) {
        ssize_t count = pread(fd, logs->block, sizeof logs->block, file->offset);
        int rc;

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return colony_fail_os(&logs->err, -errno, "cannot read %s", file->path);
        if (count == 0)
            return 0;
        rc = write_header(logs, file);
        if (rc == 0)
            rc = colony__ctl_write_output(logs->block, (size_t)count, NULL);
        if (rc < 0)
            return rc;
        file->offset += count;
    }
}

/* Where the last @lines lines of a file of @size bytes begin. */
static off_t find_lines(struct logs *logs, int fd, off_t size, uint64_t lines)
{
    off_t end = size;
    bool is_first = true; /* the newline at the very end ends the last line */

    if (lines == 0)
        return size;
    while (end > 0) {
        off_t start = end > BLOCK_BYTES ? end - BLOCK_BYTES : 0;
        ssize_t count = pread(fd, logs->block, (size_t)(end - start), start);

        for (ssize_t i = count - 1; i >= 0; i--) {
            if (logs->block[i] == '\n' && !is_first && lines-- == 1)
                return start + i + 1;
            is_first = false;
        }
        if (count < end - start)
            return 0; /* it was cut short meanwhile */
        end = start;
    }
    return 0;
}

static int begin(struct logs *logs, struct file *file)
{
    uint64_t lines = logs->session->lines == UINT64_MAX ? LINES : logs->session->lines;
    struct stat info = {0}; /* for the analyzer: open_file() has filled it */
    int fd = open_file(logs, file, &info);
    int rc;

    if (fd == -ENOENT)
        return 0; /* it has never been started */
    if (fd < 0)
        return fd;
    file->inode = info.st_ino;
    file->offset = find_lines(logs, fd, info.st_size, lines);
    rc = print_rest(logs, file, fd);
    (void)close(fd);
    return rc;
}

/* It has grown, was cut short, or another stands in its place: that is read from its beginning. */
static int go_on(struct logs *logs, struct file *file)
{
    struct stat info = {0}; /* for the analyzer: open_file() has filled it */
    int fd = open_file(logs, file, &info);
    int rc;

    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    if (info.st_ino != file->inode || info.st_size < file->offset)
        file->offset = 0;
    file->inode = info.st_ino;
    rc = print_rest(logs, file, fd);
    (void)close(fd);
    return rc;
}

/* Whoever reads us may be gone while nothing is written: that ends it, too. */
static int wait_for_notes(int notes)
{
    struct pollfd fds[] = {{.fd = notes, .events = POLLIN}, {.fd = STDOUT_FILENO}};

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -errno;
        if (fds[1].revents & (POLLERR | POLLHUP))
            return -EPIPE;
        if (fds[0].revents & POLLIN)
            return 0;
    }
}

static bool is_file_of(const struct file *file, const char *name)
{
    const char *slash = strchr(file->path, '/');

    return strcmp(slash + 1, name) == 0;
}

/* Each file that something is told of is looked at once for all that has been told by now. */
static int read_notes(struct logs *logs, int notes)
{
    char buffer[NOTES_BYTES] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool is_lost = false;
    ssize_t size = read(notes, buffer, sizeof buffer);
    int rc = 0;

    if (size < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    for (size_t i = 0; i < logs->count && rc == 0; i++) {
        bool is_meant = is_lost;

        for (ssize_t at = 0; at < size && !is_meant;) {
            const struct inotify_event *note = (const void *)(buffer + at);

            is_lost |= (note->mask & IN_Q_OVERFLOW) != 0;
            is_meant = is_lost || (note->len > 0 && is_file_of(&logs->files[i], note->name));
            at += (ssize_t)(sizeof *note + note->len);
        }
        if (is_meant)
            rc = go_on(logs, &logs->files[i]);
    }
    return rc;
}

static int follow(struct logs *logs, int notes)
{
    int rc = 0;

    /* What was written between the look and the watch. */
    for (size_t i = 0; i < logs->count && rc == 0; i++)
        rc = go_on(logs, &logs->files[i]);
    while (rc == 0) {
        rc = wait_for_notes(notes);
        if (rc == 0)
            rc = read_notes(logs, notes);
    }
    return rc;
}

static int print_all(struct logs *logs)
{
    char folder[PATH_MAX + sizeof "/out"];
    int notes = -1;
    int rc = 0;

    for (size_t i = 0; i < logs->count && rc == 0; i++)
        rc = begin(logs, &logs->files[i]);
    if (rc < 0 || !logs->session->follows)
        return rc;
    (void)snprintf(folder, sizeof folder, "%s/%s",
                   colony_workspace_path(logs->session->open.workspace), folder_of(logs->session));
    notes = inotify_init1(IN_CLOEXEC);
    if (notes < 0 || inotify_add_watch(notes, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        rc = colony_fail_os(&logs->err, -errno,
                            "cannot follow %s (see "
                            "/proc/sys/fs/inotify/max_user_instances)",
                            folder);
    if (rc == 0)
        rc = follow(logs, notes);
    if (notes >= 0)
        (void)close(notes);
    return rc;
}

static void add_file(struct logs *logs, const struct colony_session_process *process)
{
    struct file *file = &logs->files[logs->count++];

    file->title = colony_session_process_title(process);
    (void)snprintf(file->path, sizeof file->path, "%s/%s.out", folder_of(logs->session),
                   process->name);
}

static int choose_files(struct logs *logs, int argc, char **argv)
{
    logs->files = calloc(logs->list.count + (size_t)argc, sizeof *logs->files);
    if (!logs->files)
        return colony_fail(&logs->err, -ENOMEM, "cannot print logs: out of memory");
    for (int i = 1; i < argc; i++) {
        const struct colony_session_process *found = colony_session_list_find(&logs->list, argv[i]);

        if (!found)
            return colony_session_list_complain(&logs->list, argv[i], &logs->err);
        add_file(logs, found);
    }
    for (size_t i = 0; i < logs->list.count && argc == 1; i++)
        add_file(logs, &logs->list.items[i]);
    return 0;
}

int session_log(struct session *session, int argc, char **argv)
{
    struct logs *logs = calloc(1, sizeof *logs);
    int exit_code = EXIT_OK;
    int rc;

    if (!logs)
        return session_fail(EXIT_FAILED, "cannot print logs: out of memory");
    logs->session = session;
    rc = colony_session_list_read(&logs->list, session->open.workspace, session->open.problem, NULL,
                                  &logs->err);
    if (rc == 0)
        rc = choose_files(logs, argc, argv);
    if (rc == 0)
        rc = print_all(logs);
    if (rc == -ECANCELED) /* told by who writes the output */
        exit_code = EXIT_FAILED;
    else if (rc < 0 && rc != -EPIPE)
        exit_code = session_fail_error(&logs->err);
    free(logs->files);
    colony_session_list_clear(&logs->list);
    free(logs);
    return exit_code;
}
