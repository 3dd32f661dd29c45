/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/payload.h"
#include "core/sweep.h"
#include "core/table.h"
#include "core/utf8.h"
#include "session/fingerprint_internal.h"
#include "session/origin.h"
#include "session/owner_internal.h"
#include "session/process.h"

enum {
    FOLDER_SIZE = 32, /* /proc/PID */
    STATUS_SIZE = 4096,
    EXEC_TURNS = 200, /* of 1 ms, for a program that is being loaded */
};

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* One process while it is read. */
struct reading {
    pid_t pid;
    int folder; /* /proc/PID: this process, whoever gets its number */
    struct colony__items cmdline;
    struct colony__items env;
    char cwd[PATH_MAX];
    char program[PATH_MAX]; /* its file; "": it has none any more */
    struct colony_error *err;
};

/* --- who it is -------------------------------------------------------------------------------- */

static int fail_gone(const struct reading *reading)
{
    return colony_fail(reading->err, -ESRCH, "cannot attach process %d: there is no such process",
                       (int)reading->pid);
}

/* Threads have folders in /proc, too, which no list shows: the number of their process is there. */
static pid_t leader_of(int folder)
{
    char text[STATUS_SIZE];
    int fd = openat(folder, "status", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const char *line;

    if (fd >= 0)
        (void)close(fd);
    if (count < 0)
        return 0;
    text[count] = '\0';
    line = strstr(text, "\nTgid:");
    return line ? (pid_t)strtol(line + sizeof "\nTgid:" - 1, NULL, 10) : 0;
}

static int check(const struct reading *reading)
{
    struct stat info;
    pid_t leader;

    if (fstat(reading->folder, &info) < 0 || !colony_proc_is_running(reading->pid))
        return fail_gone(reading);
    leader = leader_of(reading->folder);
    if (leader != 0 && leader != reading->pid)
        return colony_fail(reading->err, -EINVAL,
                           "cannot attach %d: it is a thread; attach its process, %d",
                           (int)reading->pid, (int)leader);
    /* one that may not be looked at (setuid) belongs to root in /proc */
    if (geteuid() != 0 && info.st_uid != geteuid())
        return colony_fail(reading->err, -EPERM,
                           "cannot attach process %d: it is not ours but of user %u",
                           (int)reading->pid, (unsigned)info.st_uid);
    if (reading->pid == getpid())
        return colony_fail(reading->err, -EINVAL,
                           "cannot attach process %d: that is this program itself",
                           (int)reading->pid);
    return 0;
}

/* --- what it was started with ----------------------------------------------------------------- */

static int read_link(int folder, const char *name, char path[PATH_MAX])
{
    ssize_t size = readlinkat(folder, name, path, PATH_MAX - 1);

    path[size < 0 ? 0 : size] = '\0';
    return size < 0 ? -errno : 0;
}

static bool is_utf8(const char *text)
{
    return colony_utf8_length(text, strlen(text)) == strlen(text);
}

/* Root, too, may be kept from it: by a container, a security module or another user namespace. */
static int read_strings(struct reading *reading, struct colony__items *out, const char *name)
{
    int rc = colony__strings_read(out, reading->folder, name);

    if (rc != -EACCES && rc != -EPERM)
        return rc;
    return colony_fail(reading->err, -EPERM,
                       "cannot attach process %d: cannot read /proc/%d/%s: %s (it takes the right "
                       "to trace the process: CAP_SYS_PTRACE where that runs)",
                       (int)reading->pid, (int)reading->pid, name, strerror(-rc));
}

/* The kernel's have none. */
static bool has_program(const struct reading *reading)
{
    struct stat info;

    return fstatat(reading->folder, "exe", &info, 0) == 0;
}

static int read_cmdline(struct reading *reading)
{
    const struct timespec turn = {.tv_nsec = 1000000};
    int rc = read_strings(reading, &reading->cmdline, "cmdline");

    /* There is none for a moment within execve(2). */
    for (int i = 0; rc == 0 && reading->cmdline.count == 0 && i < EXEC_TURNS; i++) {
        if (!has_program(reading))
            break;
        (void)nanosleep(&turn, NULL);
        rc = read_strings(reading, &reading->cmdline, "cmdline");
    }
    if (rc < 0)
        return rc;
    if (reading->cmdline.count == 0)
        return colony_fail(reading->err, -EINVAL,
                           has_program(reading)
                               ? "cannot attach process %d: it has emptied its command line"
                               : "cannot attach process %d: it has no command line: it is the "
                                 "kernel's",
                           (int)reading->pid);
    for (size_t i = 0; i < reading->cmdline.count; i++)
        if (!is_utf8(reading->cmdline.items[i]))
            return colony_fail(reading->err, -EINVAL,
                               "cannot attach process %d: its argument %zu is not UTF-8, which no "
                               "YAML file can hold",
                               (int)reading->pid, i);
    return 0;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* What it was told by others who started it is not what it needs. */
static int read_environment(struct reading *reading, size_t *left_out)
{
    int rc = read_strings(reading, &reading->env, "environ");
    size_t kept = 0;

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < reading->env.count; i++) {
        char *entry = reading->env.items[i];
        bool is_legible = is_utf8(entry);

        *left_out += !is_legible;
        if (is_legible && strchr(entry, '=') && entry[0] != '=' && strncmp(entry, "_=", 2) != 0 &&
            !colony_payload_withholds(entry))
            reading->env.items[kept++] = entry;
        else
            free(entry);
    }
    reading->env.count = kept;
    if (kept > 1)
        qsort(reading->env.items, kept, sizeof *reading->env.items, compare_texts);
    return 0;
}

/* --- which program it is ---------------------------------------------------------------------- */

static const char *variable(const struct reading *reading, const char *key)
{
    size_t length = strlen(key);

    for (size_t i = 0; i < reading->env.count; i++)
        if (strncmp(reading->env.items[i], key, length) == 0 &&
            reading->env.items[i][length] == '=')
            return reading->env.items[i] + length + 1;
    return NULL;
}

static bool leads_to(const char *path, const struct stat *program)
{
    struct stat info;

    return stat(path, &info) == 0 && info.st_dev == program->st_dev &&
           info.st_ino == program->st_ino;
}

/* As execvp(3) finds it. */
static bool leads_by_path(const struct reading *reading, const struct stat *program)
{
    const char *folders = variable(reading, "PATH");
    const char *name = reading->cmdline.items[0];
    char path[PATH_MAX];

    if (!folders)
        folders = default_path;
    for (const char *at = folders;; at++) {
        size_t length = strcspn(at, ":");

        if (length > 0 &&
            (size_t)snprintf(path, sizeof path, "%.*s/%s", (int)length, at, name) < sizeof path) {
            if (access(path, X_OK) == 0)
                return leads_to(path, program);
        }
        at += length;
        if (*at == '\0')
            return false;
    }
}

/* argv[0] is what its parent wrote there: `-bash`, or `nginx: master process`. */
static bool is_found_by_name(const struct reading *reading)
{
    const char *name = reading->cmdline.items[0];
    char path[2 * PATH_MAX];
    struct stat program;

    if (fstatat(reading->folder, "exe", &program, 0) < 0)
        return true; /* nothing better is known */
    if (!strchr(name, '/'))
        return leads_by_path(reading, &program);
    (void)snprintf(path, sizeof path, "%s/%s", name[0] == '/' ? "" : reading->cwd, name);
    return leads_to(path, &program);
}

static int settle_program(struct reading *reading)
{
    char *program;

    if (is_found_by_name(reading) || read_link(reading->folder, "exe", reading->program) < 0 ||
        access(reading->program, X_OK) < 0 || !is_utf8(reading->program))
        return 0;
    program = strdup(reading->program);
    if (!program)
        return -ENOMEM;
    free(reading->cmdline.items[0]);
    reading->cmdline.items[0] = program;
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static char *join(const struct colony__items *items)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    (void)fputs(COLONY_ATTACHED_SCHEME, out);
    for (size_t i = 0; i < items->count; i++)
        (void)fprintf(out, "%s%s", i > 0 ? " " : "", items->items[i]);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* NULL-terminated, and the caller's. */
static char **release(struct colony__items *items)
{
    char **out = realloc(items->items, (items->count + 1) * sizeof *out);

    if (!out)
        return NULL;
    out[items->count] = NULL;
    *items = (struct colony__items){0};
    return out;
}

static int fill(struct reading *reading, struct colony_session_process *out)
{
    char boot[COLONY_SESSION_BOOT_SIZE];
    int rc = colony_session_boot_id(boot);

    if (rc < 0)
        return rc;
    out->uri = join(&reading->cmdline);
    out->cmdline = release(&reading->cmdline);
    out->env = release(&reading->env);
    out->boot = strdup(boot);
    if (reading->cwd[0] == '/')
        out->cwd = strdup(reading->cwd);
    out->pid = reading->pid;
    return out->uri && out->cmdline && out->env && out->boot && (out->cwd || !reading->cwd[0])
               ? 0
               : -ENOMEM;
}

static int read_all(struct reading *reading, struct colony_session_process *out, size_t *left_out)
{
    struct stat info;
    int rc = check(reading);

    if (rc < 0)
        return rc;
    out->start_ticks = colony_proc_start_ticks(reading->pid);
    rc = read_cmdline(reading);
    if (rc == 0)
        rc = read_environment(reading, left_out);
    if (rc == 0 && (read_link(reading->folder, "cwd", reading->cwd) < 0 || !is_utf8(reading->cwd) ||
                    stat(reading->cwd, &info) < 0))
        reading->cwd[0] = '\0'; /* it was removed: the workspace stands in */
    if (rc == 0)
        rc = settle_program(reading);
    if (rc == 0)
        rc = colony__owner_read(out, reading->folder);
    if (rc == 0)
        rc = fill(reading, out);
    return rc;
}

int colony_origin_read(struct colony_session_process *out, pid_t pid, size_t *left_out,
                       struct colony_error *err)
{
    struct colony_error reason = {0};
    struct reading reading = {.pid = pid, .err = &reason};
    char path[FOLDER_SIZE];
    int rc;

    *left_out = 0;
    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    reading.folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    rc = reading.folder < 0 ? fail_gone(&reading) : read_all(&reading, out, left_out);
    if (reading.folder >= 0)
        (void)close(reading.folder);
    colony__items_clear(&reading.cmdline);
    colony__items_clear(&reading.env);
    if (rc == -ESRCH && reason.code == 0)
        rc = fail_gone(&reading);
    else if (rc < 0 && reason.code == 0)
        (void)colony_fail_os(&reason, rc == -EACCES ? -EPERM : rc, "cannot attach process %d",
                             (int)pid);
    if (rc < 0 && err)
        *err = reason;
    return rc < 0 ? reason.code : 0;
}
