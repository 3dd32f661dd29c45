/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_control.c - actions of `colony ctl` that change what runs. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/error.h"
#include "core/signals.h"
#include "ctl_internal.h"

enum {
    MARGIN_MS = 5000, /* that the server may answer later than it was asked to */
    POLL_MS = 50,
};

/* A verb of the API and what is printed when it is done. */
struct verb {
    const char *doing;   /* "stop"; the route is _stop */
    const char *done;    /* "stopped" */
    const char *started; /* "stopping": not waited for */
    bool can_wait;
};

static const struct verb start_verb = {"start", "started", "starting", false};
static const struct verb stop_verb = {"stop", "stopped", "stopping", true};
static const struct verb restart_verb = {"restart", "restarted", "restarting", true};

static bool waits(const struct ctl *ctl)
{
    return !ctl->no_wait && ctl->timeout_ms != 0;
}

/* How long the client waits for an answer that is asked for with ?wait. */
static uint64_t patience_ms(const struct ctl *ctl)
{
    if (!waits(ctl))
        return COLONY_CLIENT_TIMEOUT_MS;
    if (ctl->timeout_ms >= UINT64_MAX - MARGIN_MS)
        return 0;
    return ctl->timeout_ms + MARGIN_MS;
}

static void print_count(double count, const char *one, const char *many)
{
    if (count >= 1)
        printf(", %.0f %s", count, count < 2 ? one : many);
}

/* "web: stopped, 1 process had to be killed" */
static void print_outcome(const char *name, const char *state, const struct cJSON *json)
{
    colony__ctl_print_text(name);
    printf(": %s", state);
    print_count(colony__ctl_number(json, "killed"), "process had to be killed",
                "processes had to be killed");
    print_count(colony__ctl_number(json, "unclaimed"),
                "process may be left over: colony cannot tell whose it is",
                "processes may be left over: colony cannot tell whose they are");
    if (colony__ctl_is_true(json, "partial"))
        printf(", its children may be left over: it ran before colony and has no cgroup");
    printf("\n");
}

static int change_one(const struct ctl *ctl, const struct verb *verb, const char *name)
{
    bool is_waiting = verb->can_wait && waits(ctl);
    char path[CTL_PATH_MAX];
    char after[64];
    struct ctl_question question = {
        .method = "POST",
        .path = path,
        .doing = verb->doing,
        .name = name,
        .timeout_ms = verb->can_wait ? patience_ms(ctl) : COLONY_CLIENT_TIMEOUT_MS,
    };
    struct cJSON *json;
    int exit_code;

    (void)snprintf(after, sizeof after, "/_%s%s", verb->doing, is_waiting ? "?wait=true" : "");
    if (is_waiting && ctl->timeout_ms != UINT64_MAX)
        (void)snprintf(after, sizeof after, "/_%s?wait=%" PRIu64 ".%03u", verb->doing,
                       ctl->timeout_ms / 1000, (unsigned)(ctl->timeout_ms % 1000));
    exit_code = colony__ctl_path(path, "/processes/", name, after);
    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = colony__ctl_ask_json(ctl, &question, &json);
    if (exit_code == EXIT_OK)
        print_outcome(name, is_waiting ? verb->done : verb->started, json);
    cJSON_Delete(json);
    return exit_code;
}

/* All are tried; the first that failed gives the exit code. */
static int change_all(const struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
    int first_failure = EXIT_OK;

    for (int i = 1; i < argc; i++) {
        int exit_code = change_one(ctl, verb, argv[i]);

        (void)fflush(stdout); /* in order with errors */
        if (first_failure == EXIT_OK)
            first_failure = exit_code;
    }
    return first_failure;
}

int colony__ctl_start(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &start_verb, argc, argv);
}

int colony__ctl_stop(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &stop_verb, argc, argv);
}

int colony__ctl_restart(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &restart_verb, argc, argv);
}

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
    int exit_code = colony__ctl_ask(ctl, &question, &reply);

    (void)argc;
    (void)argv;
    if (exit_code == EXIT_OK && waits(ctl))
        exit_code = wait_until_gone(ctl, &reply);
    if (exit_code == EXIT_OK)
        printf("colony at %s: %s\n", ctl->target.text,
               waits(ctl) ? "has shut down" : "shutting down");
    colony_client_clear(&reply);
    return exit_code;
}

int colony__ctl_upgrade(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_question question = {.method = "POST",
                                    .path = "/_upgrade",
                                    .doing = "upgrade colony",
                                    .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct cJSON *json;
    int exit_code = colony__ctl_ask_json(ctl, &question, &json);

    (void)argc;
    (void)argv;
    cJSON_Delete(json);
    if (exit_code == EXIT_OK)
        printf("colony at %s: upgrading\n", ctl->target.text);
    return exit_code;
}
