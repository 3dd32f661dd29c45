/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_logs.c - `colony ctl logs`. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "ctl_internal.h"
#include "log_reader.h"

#define DOING "print the logs of"

enum {
    QUERY_MAX = 128,
};

int colony__ctl_write_output(const char *bytes, size_t size, void *data)
{
    (void)data;
    while (size > 0) {
        ssize_t count = write(STDOUT_FILENO, bytes, size);

        if (count >= 0) {
            bytes += count;
            size -= (size_t)count;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};

            (void)poll(&wait, 1, -1);
        } else if (errno == EPIPE) {
            return -EPIPE;
        } else if (errno != EINTR) {
            (void)colony__ctl_fail(EXIT_FAILED, "cannot write to standard output: %s",
                                   strerror(errno));
            return -ECANCELED;
        }
    }
    return 0;
}

int colony__ctl_read_lines(void *target, const char *value, struct colony_error *err)
{
    struct ctl *ctl = target;

    if (strcmp(value, "all") == 0) {
        ctl->lines = CTL_LINES_ALL;
        return 0;
    }
    if (value[0] != '\0' && value[strspn(value, "0123456789")] == '\0') {
        errno = 0;
        ctl->lines = strtoull(value, NULL, 10);
        if (errno == 0 && ctl->lines < CTL_LINES_ALL)
            return 0;
    }
    return colony_fail(err, -EINVAL, "--lines: neither a number nor all: %s", value);
}

/* "?lines=20&slot=2", of what was given. */
static void write_query(const struct ctl *ctl, char query[QUERY_MAX])
{
    char lines[40] = "";
    char slot[40] = "";

    if (ctl->lines == CTL_LINES_ALL)
        (void)snprintf(lines, sizeof lines, "&lines=all");
    else if (ctl->lines != UINT64_MAX)
        (void)snprintf(lines, sizeof lines, "&lines=%" PRIu64, ctl->lines);
    if (ctl->slot > 0)
        (void)snprintf(slot, sizeof slot, "&slot=%" PRIu64, ctl->slot);
    (void)snprintf(query, QUERY_MAX, "?follow=%s%s%s", ctl->follows ? "true&places=true" : "false",
                   lines, slot);
}

/* `logs -f` under way, perhaps from one engine to the next. */
struct following {
    struct colony_log_reader reader;
    char first[CTL_PATH_MAX];                       /* what was asked for at first */
    char path[CTL_PATH_MAX + COLONY_LOG_QUERY_MAX]; /* what is asked for now */
};

static int on_bytes(const char *bytes, size_t size, void *data)
{
    struct following *following = data;
    int rc = colony_log_reader_feed(&following->reader, bytes, size);

    if (rc != -ENOMEM && rc != -EPROTO)
        return rc;
    (void)colony__ctl_fail(EXIT_FAILED, "cannot follow the logs: %s",
                           rc == -ENOMEM ? "out of memory" : "this colony tells no places");
    return -ECANCELED;
}

static void on_again(void *data)
{
    struct following *following = data;
    char from[COLONY_LOG_QUERY_MAX];

    colony_log_reader_restart(&following->reader, from, sizeof from);
    (void)snprintf(following->path, sizeof following->path, "%s%s", following->first, from);
}

static int follow_logs(const struct ctl *ctl, const char *name, const char *path)
{
    struct following *following = calloc(1, sizeof *following);
    struct ctl_follow follow;
    int exit_code;

    if (!following)
        return colony__ctl_fail(EXIT_FAILED, "cannot follow the logs: out of memory");
    following->reader.cb = colony__ctl_write_output;
    (void)snprintf(following->first, sizeof following->first, "%s", path);
    (void)snprintf(following->path, sizeof following->path, "%s", path);
    follow = (struct ctl_follow){
        .question = {.method = "GET",
                     .path = following->path,
                     .doing = DOING,
                     .name = name,
                     .on_body = on_bytes},
        .again = on_again,
        .data = following,
    };
    exit_code = colony__ctl_follow(ctl, &follow);
    colony_log_reader_clear(&following->reader);
    free(following);
    return exit_code;
}

static int print_logs(const struct ctl *ctl, const char *name)
{
    char path[CTL_PATH_MAX];
    char query[QUERY_MAX];
    const struct ctl_question question = {
        .method = "GET",
        .path = path,
        .doing = DOING,
        .name = name,
        .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
        .on_body = colony__ctl_write_output,
    };
    struct colony_reply reply;
    int exit_code;

    write_query(ctl, query);
    exit_code = colony__ctl_path(path, "/logs/", name, query);
    if (exit_code != EXIT_OK)
        return exit_code;
    if (ctl->follows)
        return follow_logs(ctl, name, path);
    exit_code = colony__ctl_ask(ctl, &question, &reply);
    colony_client_clear(&reply);
    return exit_code;
}

/* One of several, below its name, as tail(1) does it. */
static int print_titled(const struct ctl *ctl, const char *name, void *data)
{
    bool *has_begun = data;

    printf("%s==> ", *has_begun ? "\n" : "");
    colony__ctl_print_text(name);
    printf(" <==\n");
    (void)fflush(stdout);
    *has_begun = true;
    return print_logs(ctl, name);
}

int colony__ctl_logs(struct ctl *ctl, int argc, char **argv)
{
    bool has_begun = false;
    const struct ctl_deed deed = {DOING, print_titled, &has_begun};

    if (argc == 2 && !colony__ctl_is_many(argv[1]))
        return print_logs(ctl, argv[1]);
    if (ctl->follows)
        return colony__ctl_fail(EXIT_USAGE, "cannot follow the logs of more than one: name one");
    return colony__ctl_each_name(ctl, argc, argv, &deed);
}
