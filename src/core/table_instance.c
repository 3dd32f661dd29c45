/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table_instance.c - the name that tells a state folder's processes from those of every other.
 *
 * Living processes are marked with it, so it must outlive damage: it stands both in the file
 * `instance` and in the table.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/error.h"
#include "core/fresh.h"
#include "core/table_internal.h"

enum {
    FRESH_NAME_SIZE = 64,
};

static int new_instance(char *out)
{
    unsigned char bytes[(COLONY_INSTANCE_SIZE - 1) / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return -EIO;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static bool is_instance(const char *text)
{
    return strnlen(text, COLONY_INSTANCE_SIZE) == COLONY_INSTANCE_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == COLONY_INSTANCE_SIZE - 1;
}

void colony__instance_read(int state_fd, char out[COLONY_INSTANCE_SIZE])
{
    int fd = openat(state_fd, "instance", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    memset(out, 0, COLONY_INSTANCE_SIZE);
    if (fd < 0)
        return;
    if (read(fd, out, COLONY_INSTANCE_SIZE - 1) < 0 || !is_instance(out))
        memset(out, 0, COLONY_INSTANCE_SIZE);
    (void)close(fd);
}

/* Whole or not at all: of two who make one at the same time the first is right. -EEXIST: there is
 * one, unless @replaces. */
static int put_instance(int state_fd, const char *instance, bool replaces)
{
    char fresh[FRESH_NAME_SIZE];
    int fd = colony_fresh_open(state_fd, "instance", 0600, fresh, sizeof fresh);
    int rc = 0;

    if (fd < 0)
        return fd;
    if (write(fd, instance, COLONY_INSTANCE_SIZE - 1) != COLONY_INSTANCE_SIZE - 1)
        rc = -ENOSPC;
    else if (replaces)
        rc = renameat(state_fd, fresh, state_fd, "instance") < 0 ? -errno : 0;
    else
        rc = linkat(state_fd, fresh, state_fd, "instance", 0) < 0 ? -errno : 0;
    if (rc < 0 || !replaces)
        (void)unlinkat(state_fd, fresh, 0);
    (void)close(fd);
    return rc;
}

/* A sound table is to be believed more than the file. */
int colony__instance_settle(int state_fd, const char *known, char out[COLONY_INSTANCE_SIZE],
                            struct colony_error *err)
{
    char in_file[COLONY_INSTANCE_SIZE];
    int rc;

    colony__instance_read(state_fd, in_file);
    (void)snprintf(out, COLONY_INSTANCE_SIZE, "%s", is_instance(known) ? known : in_file);
    if (out[0] == '\0' && new_instance(out) < 0)
        return colony_fail(err, -EIO, "cannot make an instance name: no random bytes");
    if (strcmp(out, in_file) == 0)
        return 0;
    rc = put_instance(state_fd, out, in_file[0] != '\0');
    if (rc == -EEXIST) { /* made in this moment, or nothing to be believed */
        colony__instance_read(state_fd, in_file);
        if (!is_instance(known) && in_file[0] != '\0') {
            (void)snprintf(out, COLONY_INSTANCE_SIZE, "%s", in_file);
            return 0;
        }
        rc = put_instance(state_fd, out, true);
    }
    return rc < 0 ? colony_fail_os(err, rc, "cannot write `instance` in the state folder") : 0;
}

/* False: there is no table, or none that can be believed. */
static bool read_known(int state_fd, char *out)
{
    struct colony_table table;
    int fd = openat(state_fd, "table", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    out[0] = '\0';
    if (fd < 0)
        return errno != ENOENT;
    if (colony_table_map(&table, fd, NULL) < 0)
        return true; /* the next keeper moves it aside */
    (void)snprintf(out, COLONY_INSTANCE_SIZE, "%.*s", COLONY_INSTANCE_SIZE - 1,
                   table.header->instance);
    colony_table_close(&table);
    return true;
}

/* With an instance and no table a keeper would think that one was lost, and look for processes by
 * their marks: there shall be one, of which it makes one of its own size. */
static int make_empty_table(int state_fd, const char *instance, struct colony_error *err)
{
    char fresh[FRESH_NAME_SIZE];
    struct colony_table table;
    int fd = colony_fresh_open(state_fd, "table", 0600, fresh, sizeof fresh);
    int rc;

    if (fd < 0)
        return colony_fail_os(err, fd, "cannot make `table` in the state folder");
    memset(&table, 0, sizeof table);
    rc = colony__table_fill(&table, fd, 1, err);
    if (rc < 0) {
        (void)unlinkat(state_fd, fresh, 0);
        return rc;
    }
    colony__table_set_instance(&table, instance);
    rc = linkat(state_fd, fresh, state_fd, "table", 0) < 0 ? -errno : 0;
    (void)unlinkat(state_fd, fresh, 0);
    colony_table_close(&table);
    if (rc < 0 && rc != -EEXIST) /* a keeper has begun */
        return colony_fail_os(err, rc, "cannot make `table` in the state folder");
    return 0;
}

int colony_instance_settle(int state_fd, char out[COLONY_INSTANCE_SIZE], struct colony_error *err)
{
    char instance[COLONY_INSTANCE_SIZE];
    char known[COLONY_INSTANCE_SIZE];
    bool has_table = read_known(state_fd, known);
    int rc;

    colony__instance_read(state_fd, instance);
    /* The table first: without it a keeper that starts after a kill here would be misled. */
    if (!has_table && instance[0] == '\0') {
        if (new_instance(instance) < 0)
            return colony_fail(err, -EIO, "cannot make an instance name: no random bytes");
        rc = make_empty_table(state_fd, instance, err);
        if (rc < 0)
            return rc;
        (void)read_known(state_fd, known);
    }
    return colony__instance_settle(state_fd, known, out, err);
}
