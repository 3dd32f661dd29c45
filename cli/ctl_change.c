/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_change.c - start, stop, restart and del_process of `colony ctl`; what waits for an end. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "ctl_internal.h"

enum {
    MARGIN_MS = 5000, /* that the server may answer later than it was asked to */
};

/* A change, the request for it, and what is printed when it is done. */
struct verb {
    const char *method;
    const char *route; /* after the name */
    const char *doing;
    const char *done;    /* "stopped" */
    const char *started; /* "stopping": not waited for */
    bool waits;          /* unless told otherwise */
    bool wants_up;       /* something is to run then */
};

static const struct verb start_verb = {
    "POST", "/_start", "start", "started", "starting", false, true,
};
static const struct verb once_verb = {
    "POST", "/_once", "start", "started, for once", "starting, for once", false, true,
};
static const struct verb stop_verb = {
    "POST", "/_stop", "stop", "stopped", "stopping", true, false,
};
static const struct verb restart_verb = {
    "POST", "/_restart", "restart", "restarted", "restarting", true, true,
};
static const struct verb delete_verb = {
    "DELETE", "", "remove", "removed", "stopping, and removed then", true, false,
};

int colony__ctl_wait(struct ctl_wait *wait, const struct ctl *ctl, bool by_default)
{
    *wait = (struct ctl_wait){.patience_ms = COLONY_CLIENT_TIMEOUT_MS};
    if (ctl->wait && ctl->no_wait)
        return colony__ctl_fail(EXIT_USAGE, "cannot use both --wait and --no-wait");
    if (ctl->no_wait || ctl->timeout_ms == 0)
        return EXIT_OK;
    wait->is_waiting = by_default || ctl->wait || ctl->timeout_ms != UINT64_MAX;
    if (!wait->is_waiting)
        return EXIT_OK;
    if (ctl->timeout_ms >= UINT64_MAX - MARGIN_MS) {
        wait->patience_ms = 0;
        (void)snprintf(wait->query, sizeof wait->query, "?wait=true");
        return EXIT_OK;
    }
    wait->patience_ms = ctl->timeout_ms + MARGIN_MS;
    (void)snprintf(wait->query, sizeof wait->query, "?wait=%" PRIu64 ".%03u",
                   ctl->timeout_ms / 1000, (unsigned)(ctl->timeout_ms % 1000));
    return EXIT_OK;
}

static void print_count(double count, const char *one, const char *many)
{
    if (count >= 1)
        printf(", %.0f %s", count, count < 2 ? one : many);
}

/* "db: stopped, 1 process had to be killed; stopped with it, and waiting for it: web" */
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
    colony__ctl_print_texts("; stopped with it, and waiting for it: ",
                            cJSON_GetObjectItemCaseSensitive(json, "held"));
    printf("\n");
}

static int change_one(const struct ctl *ctl, const struct verb *verb, const struct ctl_wait *wait,
                      const char *operand)
{
    char path[CTL_PATH_MAX];
    char after[96];
    char group[CTL_GROUP_MAX];
    bool is_group = colony__ctl_is_group(operand, group);
    const struct ctl_question question = {
        .method = verb->method,
        .path = path,
        .doing = verb->doing,
        .name = is_group ? group : operand,
        .is_group = is_group,
        .wants_up = verb->wants_up,
        .timeout_ms = wait->patience_ms,
    };
    struct cJSON *json;
    int exit_code;

    (void)snprintf(after, sizeof after, "%s%s%s", verb->route, wait->query,
                   verb->wants_up || is_group ? ""
                   : *wait->query             ? "&stay_stopped=true"
                                              : "?stay_stopped=true");
    exit_code = colony__ctl_path(path, is_group ? "/groups/" : "/processes/", question.name, after);
    if (exit_code != EXIT_OK)
        return exit_code;
    exit_code = colony__ctl_ask_json(ctl, &question, &json);
    if (exit_code == EXIT_OK)
        print_outcome(operand, wait->is_waiting ? verb->done : verb->started, json);
    cJSON_Delete(json);
    return exit_code;
}

/* `*` is all there are, one after the other. */
static int change_many(const struct ctl *ctl, const struct verb *verb, const struct ctl_wait *wait,
                       char *operand)
{
    char *argv[] = {NULL, operand, NULL};
    char group[CTL_GROUP_MAX];
    struct cJSON *names;
    const struct cJSON *name;
    int exit_code;

    if (!colony__ctl_is_many(operand) || colony__ctl_is_group(operand, group))
        return change_one(ctl, verb, wait, operand);
    exit_code = colony__ctl_expand(ctl, verb->doing, 2, argv, &names);
    cJSON_ArrayForEach(name, names)
    {
        int one = change_one(ctl, verb, wait, name->valuestring);

        (void)fflush(stdout); /* in order with errors */
        if (exit_code == EXIT_OK)
            exit_code = one;
        if (one == EXIT_UNREACHABLE)
            break;
    }
    cJSON_Delete(names);
    return exit_code;
}

/* All are tried; the first that failed gives the exit code. */
static int change_all(const struct ctl *ctl, const struct verb *verb, int argc, char **argv)
{
    struct ctl_wait wait;
    int first_failure = EXIT_OK;

    if (colony__ctl_wait(&wait, ctl, verb->waits) != EXIT_OK)
        return EXIT_USAGE;
    for (int i = 1; i < argc; i++) {
        int exit_code = change_many(ctl, verb, &wait, argv[i]);

        (void)fflush(stdout);
        if (first_failure == EXIT_OK)
            first_failure = exit_code;
        if (exit_code == EXIT_UNREACHABLE)
            break; /* told once is enough */
    }
    return first_failure;
}

int colony__ctl_start(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &start_verb, argc, argv);
}

int colony__ctl_once(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &once_verb, argc, argv);
}

int colony__ctl_stop(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &stop_verb, argc, argv);
}

int colony__ctl_restart(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &restart_verb, argc, argv);
}

int colony__ctl_del_process(struct ctl *ctl, int argc, char **argv)
{
    return change_all(ctl, &delete_verb, argc, argv);
}
