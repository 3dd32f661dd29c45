/* SPDX-License-Identifier: Apache-2.0 */
/* messages_out.c - messages for whoever reads the folder: what they say and what they are called.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/utf8.h"
#include "fsctl/places.h"
#include "fsctl/places_internal.h"

#define MESSAGE "000Message"

enum {
    TRIES_MAX = 1000,
};

int colony_places_message(char **text, const char *type, const char *key, const char *value,
                          struct colony_error *err)
{
    size_t size = 0;
    FILE *file;

    if (value && colony_utf8_length(value, strlen(value)) < strlen(value))
        return colony_fail(err, -EINVAL, "cannot send a message: this %s is not UTF-8", key);
    file = open_memstream(text, &size);
    if (!file)
        return colony_fail(err, -ENOMEM, "cannot send a message: out of memory");
    (void)fputs("{\"type\": ", file);
    colony__json_print_text(file, type);
    if (key && value) {
        (void)fprintf(file, ", \"%s\": ", key);
        colony__json_print_text(file, value);
    }
    (void)fputs("}", file);
    if (fclose(file) == 0)
        return 0;
    free(*text);
    return colony_fail(err, -ENOMEM, "cannot send a message: out of memory");
}

/* The time in nanoseconds, of 19 digits until 2286; never the same twice, nor one before the last
 * one, for all that the clock may be set back. */
static uint64_t next_time(void)
{
    static uint64_t last;
    uint64_t before = __atomic_load_n(&last, __ATOMIC_RELAXED);
    struct timespec now = {0};
    uint64_t time;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    do {
        time = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
        time = time > before ? time : before + 1;
    } while (!__atomic_compare_exchange_n(&last, &before, time, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return time;
}

/* ncolony's, and the time, as readers go by the order of names. */
static void write_name(char name[NAME_MAX])
{
    (void)snprintf(name, NAME_MAX, MESSAGE ".%d.%019" PRIu64, (int)getpid(), next_time());
}

/*
 * Never over another message, and in one step: a link that loses its other name changes once more,
 * and a reader that came between would take it for another message that has to be acted on.
 */
static int put(int folder, const char *new_name, const char *name)
{
    int rc = renameat2(folder, new_name, folder, name, RENAME_NOREPLACE) < 0 ? -errno : 0;

    if (rc != -EINVAL && rc != -ENOSYS)
        return rc;
    rc = linkat(folder, new_name, folder, name, 0) < 0 ? -errno : 0;
    if (rc == 0)
        (void)unlinkat(folder, new_name, 0);
    else if (rc == -EPERM || rc == -EOPNOTSUPP) /* a file system without links, too */
        rc = renameat(folder, new_name, folder, name) < 0 ? -errno : 0;
    return rc;
}

static int send_at(int folder, const char *text)
{
    char new_name[NAME_MAX];
    char name[NAME_MAX];
    int fd = colony__places_write_new(folder, MESSAGE, text, NULL, new_name);
    int rc = -EEXIST;

    if (fd < 0)
        return fd;
    for (unsigned i = 0; rc == -EEXIST && i < TRIES_MAX; i++) {
        write_name(name);
        rc = put(folder, new_name, name);
    }
    if (rc < 0)
        (void)unlinkat(folder, new_name, 0);
    (void)close(fd);
    return rc == 0 && fsync(folder) < 0 ? -errno : rc;
}

int colony_places_send(const char *folder, const char *text, struct colony_error *err)
{
    int fd = colony__places_open(folder, err);
    int rc;

    if (fd < 0)
        return fd;
    rc = send_at(fd, text);
    (void)close(fd);
    return rc < 0 ? colony_fail_os(err, rc, "cannot write a message into %s", folder) : 0;
}
