/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_log.c - the log of a daemon: lines in columns, once somebody asked for them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "lib/daemon_internal.h"

enum {
    MESSAGE_SIZE = 1024,
    LINE_SIZE = MESSAGE_SIZE + 256,
};

static const enum colony_log_severity severities[] = {
    [COLONY_DAEMON_ERROR] = SEVERITY_ERROR,
    [COLONY_DAEMON_WARNING] = SEVERITY_WARNING,
    [COLONY_DAEMON_INFO] = SEVERITY_INFO,
    [COLONY_DAEMON_DEBUG] = SEVERITY_DEBUG,
};

static _Thread_local const char *thread_label;

void colony__daemon_label_thread(const char *label)
{
    char name[16]; /* the kernel's limit */

    thread_label = label;
    (void)snprintf(name, sizeof name, "%.15s", label);
    (void)pthread_setname_np(pthread_self(), name);
}

/* The program's first thread is called as Python calls it. */
static const char *label_of_thread(char name[16])
{
    if (thread_label)
        return thread_label;
    if (gettid() == getpid() || pthread_getname_np(pthread_self(), name, 16) != 0)
        return "MainThread";
    return name;
}

/* One write: lines are not torn. A log that cannot be written has nowhere to be told. */
static void write_line(const struct colony_daemon *daemon, enum colony_log_severity severity,
                       const char *message)
{
    char name[16] = "";
    char line[LINE_SIZE];
    const char *const columns[] = {label_of_thread(name), daemon->name};
    ssize_t written;

    if (daemon->log_fd < 0 || severity > severities[daemon->log_least])
        return;
    written = write(daemon->log_fd, line,
                    colony_log_format_columns(line, sizeof line, columns, severity, message));
    (void)written;
}

void colony_daemon_log(struct colony_daemon *daemon, enum colony_daemon_level level,
                       const char *format, ...)
{
    char message[MESSAGE_SIZE];
    int saved = errno;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (length >= 0 && (unsigned)level <= COLONY_DAEMON_DEBUG)
        write_line(daemon, severities[level], message);
    errno = saved;
}

static void on_line(enum colony_log_severity severity, const char *message, void *data)
{
    write_line(data, severity, message);
}

void colony__daemon_take_log(struct colony_daemon *daemon)
{
    colony_log_divert(daemon ? on_line : NULL, daemon);
}

void colony_daemon_log_to(struct colony_daemon *daemon, int fd, enum colony_daemon_level least)
{
    daemon->log_fd = fd;
    daemon->log_least = least;
}
