/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_logs.c - `colony ctl logs`. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "ctl_internal.h"

/* Written at once, so that who follows sees each line as it comes. */
static int on_output(const char *bytes, size_t size, void *data)
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

/* "?lines=20&slot=2&follow=true", of what was given. */
static void write_query(const struct ctl *ctl, char *query, size_t size)
{
    char lines[40] = "";
    char slot[40] = "";

    if (ctl->lines != UINT64_MAX)
        (void)snprintf(lines, sizeof lines, "&lines=%" PRIu64, ctl->lines);
    if (ctl->slot > 0)
        (void)snprintf(slot, sizeof slot, "&slot=%" PRIu64, ctl->slot);
    (void)snprintf(query, size, "?follow=%s%s%s", ctl->follows ? "true" : "false", lines, slot);
}

int colony__ctl_logs(struct ctl *ctl, int argc, char **argv)
{
    char path[CTL_PATH_MAX];
    char query[128];
    const struct ctl_question question = {
        .method = "GET",
        .path = path,
        .doing = "print the logs of",
        .name = argv[1],
        .timeout_ms = ctl->follows ? 0 : COLONY_CLIENT_TIMEOUT_MS,
        .on_body = on_output,
    };
    struct colony_reply reply;
    int exit_code;

    (void)argc;
    write_query(ctl, query, sizeof query);
    exit_code = colony__ctl_path(path, "/logs/", argv[1], query);
    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = colony__ctl_ask(ctl, &question, &reply);
    colony_client_clear(&reply);
    return exit_code;
}
