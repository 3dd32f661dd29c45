/* SPDX-License-Identifier: Apache-2.0 */
/* messages_out.c - messages for whoever reads the folder: what they say and what they are called.
 */
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
#include "core/utf8.h"
#include "fsctl/places.h"
#include "fsctl/places_internal.h"

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

/*
 * Readers go by names: within this process the number keeps the order. The time keeps apart what
 * another process of the same number has left there.
 */
static void write_name(char name[NAME_MAX], unsigned number)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(name, NAME_MAX, "%03uMessage.%d.%lld%09ld", number, (int)getpid(),
                   (long long)now.tv_sec, now.tv_nsec);
}

/* Never over another message. */
static int send_at(int folder, const char *text)
{
    static unsigned number; /* of the next message of this process */
    char new_name[NAME_MAX];
    char name[NAME_MAX];
    int rc = -EEXIST;

    for (unsigned i = 0; rc == -EEXIST && i < TRIES_MAX; i++) {
        write_name(name, __atomic_fetch_add(&number, 1, __ATOMIC_RELAXED));
        rc = colony__places_write_new(folder, name, text, NULL, new_name);
        if (rc < 0)
            return rc;
        if (linkat(folder, new_name, folder, name, 0) < 0)
            rc = -errno;
        if (rc == -EPERM || rc == -EOPNOTSUPP) /* a file system without links */
            rc = renameat(folder, new_name, folder, name) < 0 ? -errno : 0;
        (void)unlinkat(folder, new_name, 0);
    }
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
