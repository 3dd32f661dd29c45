/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_ask.c - one question to one daemon, and its answer on the terminal. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/target.h"
#include "core/value.h"
#include "rpc/client.h"
#include "rpc/look.h"
#include "rpc/registry.h"
#include "rpc_internal.h"

/* --- words and JSON --------------------------------------------------------------------------- */

/* @text is JSON, with its numbers as they are written, or else a word. NULL: no memory. */
static cJSON *read_argument(const char *text)
{
    struct colony_value *value = NULL;
    cJSON *json;
    int rc = colony_value_parse_json(&value, text, strlen(text), NULL);

    if (rc == -ENOMEM)
        return NULL;
    if (rc < 0)
        return cJSON_CreateString(text);
    json = colony_value_to_json(value);
    colony_value_free(value);
    return json;
}

/* Takes ownership of @item. */
static int add_to(cJSON *list, const char *key, cJSON *item)
{
    if (item && (key ? cJSON_AddItemToObject(list, key, item) : cJSON_AddItemToArray(list, item)))
        return 0;
    cJSON_Delete(item);
    return -ENOMEM;
}

static cJSON *list_words(int argc, char **argv, int first)
{
    cJSON *list = cJSON_CreateArray();
    int rc = list ? 0 : -ENOMEM;

    for (int i = first; i < argc && rc == 0; i++)
        rc = add_to(list, NULL, read_argument(argv[i]));
    if (rc == 0)
        return list;
    cJSON_Delete(list);
    return NULL;
}

/* `K=V` of --param. */
static cJSON *map_params(const struct rpc *rpc)
{
    cJSON *map = cJSON_CreateObject();
    int rc = map ? 0 : -ENOMEM;

    for (size_t i = 0; i < rpc->params.count && rc == 0; i++) {
        const char *text = rpc->params.items[i];
        size_t length = strcspn(text, "=");
        char key[128];

        (void)snprintf(key, sizeof key, "%.*s", (int)length, text);
        rc = add_to(map, key, read_argument(text + length + (text[length] == '=')));
    }
    if (rc == 0)
        return map;
    cJSON_Delete(map);
    return NULL;
}

static cJSON *one_text(const char *text)
{
    cJSON *list = cJSON_CreateArray();

    if (list && add_to(list, NULL, cJSON_CreateString(text)) == 0)
        return list;
    cJSON_Delete(list);
    return NULL;
}

/* As it is, but that a terminal is not told what to do. */
static void print_text(char *text)
{
    bool is_seen = isatty(STDOUT_FILENO) == 1;

    for (char *at = text; is_seen && *at != '\0'; at++)
        if (((unsigned char)*at < ' ' && *at != '\n' && *at != '\t') || *at == 0x7f)
            *at = '?';
    printf("%s\n", text);
}

/* A text as it is, nothing for null, everything else as JSON. */
static int print_value(const struct rpc *rpc, const cJSON *value)
{
    char *text;

    if (!rpc->is_json && cJSON_IsNull(value))
        return EXIT_OK;
    if (!rpc->is_json && cJSON_IsString(value)) {
        print_text(value->valuestring);
        return EXIT_OK;
    }
    text = cJSON_PrintUnformatted(value);
    if (!text)
        return rpc_fail(EXIT_FAILED, "cannot print the answer: out of memory");
    printf("%s\n", text);
    cJSON_free(text);
    return EXIT_OK;
}

/* --- asking ----------------------------------------------------------------------------------- */

/* Milliseconds until the deadline, for poll(2); -1: there is none. */
static int left_ms(const struct rpc *rpc)
{
    return rpc->deadline_ms == UINT64_MAX ? -1 : colony_target_until_ms(rpc->deadline_ms);
}

static int exit_code_of(const struct colony_rpc_answer *answer)
{
    static const struct {
        int code;
        int exit_code;
    } exits[] = {
        {-32601, EXIT_NO_SUCH_NAME}, {-32602, EXIT_USAGE},       {-32001, EXIT_NO_SUCH_NAME},
        {-32002, EXIT_NOT_RUNNING},  {-32003, EXIT_CONFLICT},    {-32004, EXIT_NOT_ALLOWED},
        {-32005, EXIT_TIMED_OUT},    {-32006, EXIT_UNREACHABLE},
    };

    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++)
        if (exits[i].code == answer->code)
            return exits[i].exit_code;
    return EXIT_FAILED;
}

static int tell_error(const struct colony_rpc_answer *answer)
{
    return rpc_fail(exit_code_of(answer), "%s%s%s", answer->type, answer->type[0] ? ": " : "",
                    answer->message[0] ? answer->message : "it failed");
}

/* -EPROTO is about what is there, not about this machine. */
static int tell_failure(const struct rpc *rpc, const struct colony_error *err)
{
    const struct colony_rpc_found *daemon = &rpc->daemon;
    bool is_unreachable = err->code == -EPROTO || err->code == -ECONNREFUSED;

    if (err->code == -ETIMEDOUT) /* some of it was taken by finding it */
        return rpc_fail(EXIT_TIMED_OUT, "cannot wait any longer for %s: no answer in %g seconds",
                        daemon->endpoint, (double)rpc->timeout_ms / 1000);
    return rpc_fail(is_unreachable ? EXIT_UNREACHABLE
                                   : (int)colony_error_info(err->code)->exit_code,
                    "%s%s", err->message,
                    daemon->is_private && is_unreachable
                        ? ": the daemon says that only its own machine reaches it"
                        : "");
}

/* As it was found, and how it is found again should the connection be lost. The exit code. */
static int aim(const struct rpc *rpc, const char *text, struct colony_rpc_look *look,
               struct colony_rpc_target *target)
{
    struct colony_error err = {0};

    *look = (struct colony_rpc_look){
        .place = text,
        .server_key = rpc->server_key,
        .key_file = rpc->key_file,
        .ssh = {.options = rpc->ssh_options.items, .option_count = rpc->ssh_options.count},
        .ssh_ms = UINT64_MAX,
        .found = rpc->daemon,
    };
    if (colony_rpc_look_aim(look, target, &err) == 0)
        return EXIT_OK;
    return rpc_fail(EXIT_NOT_ALLOWED, "%s: colony rpc keygen makes some", err.message);
}

/*
 * Asks, and leaves the connection to the end of the program: what libzmq has under way may take
 * longer than --timeout allows.
 */
static int ask(struct rpc *rpc, const char *text, const char *method, cJSON *params,
               struct colony_rpc_answer *answer)
{
    static struct colony_rpc_client *client;
    static struct colony_rpc_look look;
    struct colony_error err = {0};
    struct colony_rpc_target target;
    int exit_code = params ? EXIT_OK : rpc_fail(EXIT_FAILED, "cannot ask: out of memory");
    struct colony_rpc_question question = {method, params, UINT64_MAX};

    if (exit_code == EXIT_OK)
        exit_code = rpc_find(rpc, text);
    if (exit_code == EXIT_OK)
        exit_code = aim(rpc, text, &look, &target);
    if (exit_code == EXIT_OK && colony_rpc_client_new(&client, &target, &err) < 0)
        exit_code = tell_failure(rpc, &err);
    if (exit_code == EXIT_OK) {
        if (rpc->deadline_ms != UINT64_MAX)
            question.timeout_ms = (uint64_t)left_ms(rpc);
        if (colony_rpc_client_call(client, &question, answer, &err) < 0)
            exit_code = tell_failure(rpc, &err);
    }
    cJSON_Delete(params);
    if (exit_code != EXIT_OK)
        return exit_code;
    return answer->result ? EXIT_OK : tell_error(answer);
}

/* Asks for what is printed. */
static int ask_and_print(struct rpc *rpc, const char *text, const char *method, cJSON *params)
{
    struct colony_rpc_answer answer = {0};
    int exit_code = ask(rpc, text, method, params, &answer);

    if (exit_code == EXIT_OK)
        exit_code = print_value(rpc, answer.result);
    colony_rpc_answer_clear(&answer);
    return exit_code;
}

/* --- the actions ------------------------------------------------------------------------------ */

int rpc_get(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_answer answer = {0};
    int exit_code = ask(rpc, argv[1], "getattr", one_text(argv[2]), &answer);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(answer.result, "value");

    (void)argc;
    if (exit_code == EXIT_OK && value)
        exit_code = print_value(rpc, value);
    else if (exit_code == EXIT_OK && rpc->is_json)
        exit_code = print_value(rpc, answer.result);
    else if (exit_code == EXIT_OK)
        exit_code = rpc_fail(EXIT_USAGE, "%s is a method: colony rpc call %s %s", argv[2], argv[1],
                             argv[2]);
    colony_rpc_answer_clear(&answer);
    return exit_code;
}

int rpc_set(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_answer answer = {0};
    cJSON *params = one_text(argv[2]);
    int exit_code;

    (void)argc;
    if (params && add_to(params, NULL, read_argument(argv[3])) < 0) {
        cJSON_Delete(params);
        params = NULL;
    }
    exit_code = ask(rpc, argv[1], "setattr", params, &answer);
    colony_rpc_answer_clear(&answer);
    return exit_code;
}

int rpc_call(struct rpc *rpc, int argc, char **argv)
{
    if (rpc->params.count > 0 && argc > 3)
        return rpc_fail(EXIT_USAGE, "parameters are given as ARG or by --param, not both");
    return ask_and_print(rpc, argv[1], argv[2],
                         rpc->params.count > 0 ? map_params(rpc) : list_words(argc, argv, 3));
}

static void print_names(const cJSON *result, const char *kind, const char *ending)
{
    const cJSON *name;

    cJSON_ArrayForEach(name, cJSON_GetObjectItemCaseSensitive(result, kind))
    {
        if (cJSON_IsString(name))
            printf("%s%s\n", name->valuestring, ending);
    }
}

int rpc_dir(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_answer answer = {0};
    int exit_code = ask(rpc, argv[1], "dir", list_words(argc, argv, argc), &answer);

    if (exit_code == EXIT_OK && rpc->is_json) {
        exit_code = print_value(rpc, answer.result);
    } else if (exit_code == EXIT_OK) {
        print_names(answer.result, "attributes", "");
        print_names(answer.result, "methods", "()");
    }
    colony_rpc_answer_clear(&answer);
    return exit_code;
}

int rpc_doc(struct rpc *rpc, int argc, char **argv)
{
    return ask_and_print(rpc, argv[1], "doc", list_words(argc, argv, 2));
}

/* --- the end of a daemon ---------------------------------------------------------------------- */

/* -1: it is gone already, or elsewhere. */
static int watch(pid_t pid)
{
    return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/* A daemon without a keeper may be a part of a program that goes on. -1: it has one. */
static int watch_registry(const struct rpc *rpc)
{
    char folder[PATH_MAX];
    int fd;

    if (rpc->daemon.pid == 0 || rpc->daemon.keeper != 0 ||
        colony_rpc_registry_folder(folder, sizeof folder) < 0)
        return -1;
    fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd >= 0 && inotify_add_watch(fd, folder, IN_DELETE) >= 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Reads what the watch has told. True: the daemon is not in the registry any more. */
static bool has_left(const struct rpc *rpc, int watch_fd)
{
    struct colony_rpc_entry *entries = NULL;
    size_t count = 0;
    bool is_there = false;
    char events[4096];

    while (read(watch_fd, events, sizeof events) > 0)
        ;
    if (colony_rpc_registry_list(&entries, &count, NULL) < 0)
        return false;
    for (size_t i = 0; i < count && !is_there; i++)
        is_there =
            entries[i].pid == rpc->daemon.pid &&
            strcmp(strrchr(entries[i].endpoint, ':'), strrchr(rpc->daemon.endpoint, ':')) == 0;
    free(entries);
    return !is_there;
}

/* The exit code. Both descriptors are closed; -1: there is none. */
static int wait_for_end(const struct rpc *rpc, const char *text, int pidfd, int watch_fd)
{
    struct pollfd ends[] = {{.fd = pidfd, .events = POLLIN}, {.fd = watch_fd, .events = POLLIN}};
    bool has_ended = pidfd < 0;
    int rc = 1;

    while (!has_ended && rc != 0) {
        rc = poll(ends, 2, left_ms(rpc));
        has_ended = rc > 0 && (ends[0].revents != 0 || has_left(rpc, watch_fd));
    }
    if (pidfd >= 0)
        (void)close(pidfd);
    if (watch_fd >= 0)
        (void)close(watch_fd);
    if (has_ended)
        return EXIT_OK;
    return rpc_fail(EXIT_TIMED_OUT,
                    "cannot wait any longer for the end of %s: it still runs after "
                    "%g seconds",
                    text, (double)rpc->timeout_ms / 1000);
}

int rpc_stop(struct rpc *rpc, int argc, char **argv)
{
    struct colony_rpc_answer answer = {0};
    int exit_code = rpc_find(rpc, argv[1]);
    int keeper = -1;
    int engine = -1;
    int left = -1;

    if (exit_code != EXIT_OK)
        return exit_code;
    engine = watch(rpc->daemon.pid);
    keeper = watch(rpc->daemon.keeper);
    left = watch_registry(rpc);
    exit_code = ask(rpc, argv[1], "stop", list_words(argc, argv, argc), &answer);
    colony_rpc_answer_clear(&answer);
    if (exit_code == EXIT_OK)
        exit_code = wait_for_end(rpc, argv[1], engine, left);
    return exit_code == EXIT_OK ? wait_for_end(rpc, argv[1], keeper, -1) : exit_code;
}
