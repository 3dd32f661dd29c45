/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_control.c - kill, shutdown and upgrade of `colony ctl`. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "core/signals.h"
#include "ctl_internal.h"

enum {
    POLL_MS = 50,
    UPGRADE_WAIT_MS = 15000,
};

/* From `-s SIG NAME`, `NAME SIG` and, where only that makes sense, `SIG NAME`. */
static int pick_signal(const struct ctl *ctl, int argc, char **argv, const char **name, int *signo)
{
    const char *text = ctl->signal ? ctl->signal : "TERM";

    *name = argv[1];
    if (argc == 3 && ctl->signal)
        return colony__ctl_fail(EXIT_USAGE, "cannot send two signals: %s and %s", ctl->signal,
                                argv[2]);
    if (argc == 3) {
        bool is_swapped = colony_signal_parse(argv[2]) < 0 && colony_signal_parse(argv[1]) > 0;

        *name = argv[is_swapped ? 2 : 1];
        text = argv[is_swapped ? 1 : 2];
    }
    *signo = colony_signal_parse(text);
    if (*signo < 0)
        return colony__ctl_fail(EXIT_USAGE, "cannot send %s: no such signal: see `kill -l`", text);
    return EXIT_OK;
}

int colony__ctl_kill(struct ctl *ctl, int argc, char **argv)
{
    char path[CTL_PATH_MAX];
    char after[32];
    struct ctl_question question = {.method = "POST",
                                    .path = path,
                                    .doing = "send a signal to",
                                    .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct cJSON *json;
    int signo = 0;
    int exit_code = pick_signal(ctl, argc, argv, &question.name, &signo);

    if (exit_code != EXIT_OK)
        return exit_code;
    (void)snprintf(after, sizeof after, "/_signal/%d", signo);
    exit_code = colony__ctl_path(path, "/processes/", question.name, after);
    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = colony__ctl_ask_json(ctl, &question, &json);
    cJSON_Delete(json);
    if (exit_code != EXIT_OK)
        return exit_code;
    colony__ctl_print_text(question.name);
    printf(": sent %s\n", colony_signal_name(signo));
    return EXIT_OK;
}

/* Reads @fd until its end, for at most @wait_ms. True at the end. */
static bool reaches_end(int fd, int wait_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char scrap[512];

    if (poll(&wait, 1, wait_ms) <= 0)
        return false;
    return recv(fd, scrap, sizeof scrap, MSG_DONTWAIT) <= 0;
}

/*
 * Follows our connection to its end, then tries new ones until nobody takes them. One at a time:
 * those that wait to be accepted count, too, as long as the keeper has the socket.
 */
static int wait_until_gone(const struct ctl *ctl, struct colony_reply *reply)
{
    uint64_t start = colony_target_now_ms();

    for (;;) {
        if (reply->connection < 0)
            reply->connection = colony_target_connect(&ctl->target, NULL);
        if (reply->connection < 0)
            return EXIT_OK;
        if (reaches_end(reply->connection, POLL_MS)) {
            (void)close(reply->connection);
            reply->connection = -1;
            (void)poll(NULL, 0, POLL_MS);
        }
        if (ctl->timeout_ms != UINT64_MAX && colony_target_now_ms() - start >= ctl->timeout_ms)
            return colony__ctl_fail(EXIT_TIMED_OUT,
                                    "cannot wait longer for colony at %s to end: it is still "
                                    "stopping its processes",
                                    ctl->target.text);
    }
}

int colony__ctl_shutdown(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_question question = {.method = "POST",
                                    .path = "/_shutdown",
                                    .doing = "shut down colony",
                                    .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
                                    .keeps_connection = true};
    struct colony_reply reply;
    bool is_waiting = !ctl->no_wait && ctl->timeout_ms != 0;
    int exit_code = colony__ctl_ask(ctl, &question, &reply);

    (void)argc;
    (void)argv;
    if (exit_code == EXIT_OK && is_waiting)
        exit_code = wait_until_gone(ctl, &reply);
    if (exit_code == EXIT_OK)
        printf("colony at %s: %s\n", ctl->target.text,
               is_waiting ? "has shut down" : "shutting down");
    colony_client_clear(&reply);
    return exit_code;
}

/* The engine that answered is gone with its connection; the next one answers, or there is none. */
static int wait_until_back(const struct ctl *ctl, int connection)
{
    const struct colony_request ping = {
        .method = "GET", .path = "/ping", .timeout_ms = UPGRADE_WAIT_MS};
    uint64_t until_ms = colony_target_now_ms() + UPGRADE_WAIT_MS;
    struct colony_reply reply;
    struct colony_error err = {0};
    int rc;

    while (!reaches_end(connection, POLL_MS) && colony_target_now_ms() < until_ms)
        ;
    do {
        rc = colony_client_request(&ctl->target, &ping, &reply, &err);
        if (rc == 0 && reply.status / 100 != 2)
            rc = colony_fail(&err, -EIO, "it answers with status %d", reply.status);
        colony_client_clear(&reply);
        if (rc == 0)
            return EXIT_OK;
        (void)poll(NULL, 0, POLL_MS);
    } while (colony_target_now_ms() < until_ms);
    return colony__ctl_fail(EXIT_FAILED,
                            "cannot tell that colony at %s goes on: %s: its processes run; see its "
                            "log, then install a colony that works and start it",
                            ctl->target.text, err.message);
}

int colony__ctl_upgrade(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_question question = {.method = "POST",
                                    .path = "/_upgrade",
                                    .doing = "upgrade colony",
                                    .timeout_ms = COLONY_CLIENT_TIMEOUT_MS,
                                    .keeps_connection = true};
    struct colony_reply reply;
    int exit_code = colony__ctl_ask(ctl, &question, &reply);

    (void)argc;
    (void)argv;
    if (exit_code == EXIT_OK)
        exit_code = wait_until_back(ctl, reply.connection);
    if (exit_code == EXIT_OK)
        printf("colony at %s: upgraded\n", ctl->target.text);
    colony_client_clear(&reply);
    return exit_code;
}
