/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/pids_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/error.h"
#include "core/fresh.h"
#include "core/template.h"

enum {
    FRESH_NAME_SIZE = 32,
    FILE_NAME_SIZE = COLONY_NAME_MAX + 16,
};

struct colony__pid_file {
    char name[FILE_NAME_SIZE]; /* NAME of the first process, NAME.2 of the second, … */
    pid_t os_pid;              /* 0: no file */
    UT_hash_handle hh;
};

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

static void write_name(char text[FILE_NAME_SIZE], const char *name, uint32_t slot)
{
    if (slot == 1)
        (void)snprintf(text, FILE_NAME_SIZE, "%.200s", name);
    else
        (void)snprintf(text, FILE_NAME_SIZE, "%.200s.%u", name, slot);
}

int colony__pids_note(struct colony__pid_list *list, const char *name, uint32_t slot, pid_t os_pid)
{
    struct colony__pid_file *file;
    char text[FILE_NAME_SIZE];

    write_name(text, name, slot);
    HASH_FIND_STR(list->files, text, file);
    if (!file) {
        file = calloc(1, sizeof *file);
        if (!file)
            return -ENOMEM;
        memcpy(file->name, text, sizeof text);
        HASH_ADD_STR(list->files, name, file);
        if (!file->hh.tbl) {
            free(file);
            return -ENOMEM;
        }
    }
    file->os_pid = os_pid;
    return 0;
}

static void forget(struct colony__pid_list *list, struct colony__pid_file *file)
{
    HASH_DEL(list->files, file);
    free(file);
}

bool colony__pids_drop(struct colony__pid_list *list, const char *name, uint32_t slot)
{
    struct colony__pid_file *file;
    char text[FILE_NAME_SIZE];

    write_name(text, name, slot);
    HASH_FIND_STR(list->files, text, file);
    if (file)
        forget(list, file);
    return file != NULL;
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */

bool colony__pids_has_any(const struct colony__pid_list *list)
{
    return list->files != NULL;
}

void colony__pids_clear(struct colony__pid_list *list)
{
    struct colony__pid_file *next;

    for (struct colony__pid_file *file = list->files; file; file = next) {
        next = file->hh.next;
        forget(list, file);
    }
}

static int write_file(int folder, const struct colony__pid_file *file)
{
    char fresh[FRESH_NAME_SIZE];
    int rc = 0;
    int fd = colony_fresh_open(folder, "", 0644, fresh, sizeof fresh); /* for all of them */

    if (fd < 0)
        return fd;
    if (dprintf(fd, "%d\n", (int)file->os_pid) < 0)
        rc = -errno;
    if (rc == 0 && renameat(folder, fresh, folder, file->name) < 0)
        rc = -errno;
    if (rc < 0)
        (void)unlinkat(folder, fresh, 0);
    (void)close(fd);
    return rc;
}

static int settle(int folder, const struct colony__pid_file *file)
{
    if (file->os_pid > 0)
        return write_file(folder, file);
    return unlinkat(folder, file->name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int colony__pids_write(struct colony__pid_list *list, const char *path, struct colony_error *err)
{
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = folder < 0 ? colony_fail_os(err, -errno, "cannot write pid files into %s", path) : 0;

    for (const struct colony__pid_file *file = list->files; file && folder >= 0;
         file = file->hh.next) {
        int reason = settle(folder, file);

        if (reason < 0 && rc == 0)
            rc = colony_fail_os(err, reason, "cannot write the pid file %s/%s", path, file->name);
    }
    colony__pids_clear(list);
    if (folder >= 0)
        (void)close(folder);
    return rc;
}
