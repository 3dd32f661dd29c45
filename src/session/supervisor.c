/* SPDX-License-Identifier: Apache-2.0 */
#include "session/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/client.h"
#include "core/error.h"
#include "core/exchange.h"
#include "core/sweep.h"
#include "core/target.h"
#include "core/template.h"
#include "session/workspace.h"

enum {
    ASK_MS = 60000,   /* for an answer that is due at once, on a slow disk */
    PEEK_MS = 2000,   /* for one that can be done without */
    PAUSE_MS = 20,    /* between tries */
    READY_MS = 10000, /* for one that is just being started or replaced */
    END_MS = 30000,
    AT_ONCE = 200, /* connections */
    PATH_SIZE = 3 * COLONY_NAME_MAX + 128,
};

/* --- is there one ------------------------------------------------------------------------------
 */

/* The pid in the lock; -1: it is held, and nobody who runs is in it yet; 0: it is free. */
static pid_t read_lock(const char *path)
{
    char text[32] = "";
    pid_t pid = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        if (read(fd, text, sizeof text - 1) > 0)
            pid = (pid_t)strtol(text, NULL, 10);
        if (pid <= 0 || !colony_proc_is_running(pid))
            pid = -1;
    }
    (void)close(fd);
    return pid;
}

/* Its lock is held exactly while keeper or engine lives, and says which keeper: a moment later. */
pid_t colony_supervisor_pid(const struct colony_workspace *workspace)
{
    uint64_t end_ms = colony_target_now_ms() + READY_MS;
    char path[4096];
    pid_t pid;

    (void)snprintf(path, sizeof path, "%s/lock", colony_workspace_state_dir(workspace));
    while ((pid = read_lock(path)) < 0 && colony_target_now_ms() < end_ms)
        (void)poll(NULL, 0, PAUSE_MS);
    return pid < 0 ? 1 : pid; /* whoever has it does not say */
}

/* --- what it is asked --------------------------------------------------------------------------
 */

static int place(struct colony_target *target, const struct colony_workspace *workspace,
                 struct colony_error *err)
{
    char text[PATH_MAX + 8];

    if ((size_t)snprintf(text, sizeof text, "unix:%s/colony.sock",
                         colony_workspace_state_dir(workspace)) >= sizeof text)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot reach the session's supervisor");
    return colony_target_parse(target, text, err);
}

static int fail_answer(const struct colony_reply *reply, const char *doing,
                       struct colony_error *err)
{
    static const struct {
        int status;
        int code;
    } codes[] = {{400, -EINVAL}, {403, -EPERM},     {404, -ENOENT},    {408, -ETIMEDOUT},
                 {409, -EBUSY},  {503, -ESHUTDOWN}, {504, -ETIMEDOUT}, {0, -EIO}};
    cJSON *json = cJSON_ParseWithLength(reply->body ? reply->body : "", reply->size);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "reason"));
    size_t i = 0;

    while (codes[i].status != 0 && codes[i].status != reply->status)
        i++;
    if (text)
        (void)colony_fail(err, codes[i].code, "%s", text);
    else
        (void)colony_fail(err, codes[i].code, "cannot %s: the supervisor answers with status %d",
                          doing, reply->status);
    cJSON_Delete(json);
    return codes[i].code;
}

struct wish {
    const char *method;
    const char *path;
    const char *doing; /* "stop yellow-panda" */
    uint64_t timeout_ms;
};

/* Again while nobody answers yet, or somebody else's reload is under way: each may be asked twice.
 */
static bool is_passing(int rc, const struct colony_reply *reply)
{
    return rc == -ECONNREFUSED || rc == -ECONNRESET ||
           (rc == 0 && (reply->status == 503 || (reply->status == 409 && reply->body &&
                                                 strstr(reply->body, "a reload is under way"))));
}

/* The caller clears the reply, also after an error. */
static int ask(const struct colony_workspace *workspace, const struct wish *wish,
               struct colony_reply *reply, struct colony_error *err)
{
    const struct colony_request request = {
        .method = wish->method, .path = wish->path, .timeout_ms = wish->timeout_ms};
    uint64_t end_ms = colony_target_now_ms() + READY_MS;
    struct colony_target target;
    int rc;

    *reply = (struct colony_reply){.connection = -1};
    rc = place(&target, workspace, err);
    if (rc < 0)
        return rc;
    for (;;) {
        rc = colony_client_request(&target, &request, reply, err);
        if (!is_passing(rc, reply) || colony_target_now_ms() >= end_ms ||
            colony_supervisor_pid(workspace) == 0)
            break;
        colony_client_clear(reply);
        (void)poll(NULL, 0, PAUSE_MS);
    }
    if (rc == 0 && reply->status / 100 != 2)
        rc = fail_answer(reply, wish->doing, err);
    return rc;
}

static int ask_alone(const struct colony_workspace *workspace, const struct wish *wish,
                     struct colony_error *err)
{
    struct colony_reply reply;
    int rc = ask(workspace, wish, &reply, err);

    colony_client_clear(&reply);
    return rc;
}

int colony_supervisor_reload(const struct colony_workspace *workspace, struct colony_error *err)
{
    const struct wish wish = {"POST", "/_reload", "have the supervisor look at the workspace",
                              ASK_MS};

    return ask_alone(workspace, &wish, err);
}

/* "/processes/NAME/_start" and so on. */
static int name_path(char path[PATH_SIZE], const char *before, const char *name, const char *after)
{
    char encoded[3 * COLONY_NAME_MAX + 1];

    if (colony_client_encode(encoded, sizeof encoded, name) < 0)
        return -ENAMETOOLONG;
    return snprintf(path, PATH_SIZE, "%s%s%s", before, encoded, after) < PATH_SIZE ? 0
                                                                                   : -ENAMETOOLONG;
}

int colony_supervisor_start(const struct colony_workspace *workspace, const char *name,
                            struct colony_error *err)
{
    char path[PATH_SIZE];
    char doing[COLONY_NAME_MAX + sizeof "start "];
    const struct wish wish = {"POST", path, doing, ASK_MS};

    (void)snprintf(doing, sizeof doing, "start %.*s", COLONY_NAME_MAX, name);
    if (name_path(path, "/processes/", name, "/_start") < 0)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot start %.40s", name);
    return ask_alone(workspace, &wish, err);
}

/* --- many stops at once -------------------------------------------------------------------------
 */

static int fail_stop(struct colony_stopping *stop, const struct colony_reply *reply,
                     struct colony_error *err)
{
    const cJSON *killed;
    char doing[COLONY_NAME_MAX + sizeof "stop "];
    cJSON *json;

    if (reply->status == 404)
        return 0; /* it has never run */
    (void)snprintf(doing, sizeof doing, "stop %.*s", COLONY_NAME_MAX, stop->name);
    if (reply->status / 100 != 2)
        return fail_answer(reply, doing, err);
    json = cJSON_ParseWithLength(reply->body ? reply->body : "", reply->size);
    killed = cJSON_GetObjectItemCaseSensitive(json, "killed");
    if (cJSON_IsNumber(killed) && killed->valuedouble > 0)
        stop->killed = (size_t)killed->valuedouble;
    cJSON_Delete(json);
    return 0;
}

/* Reads the whole answer, until @end_ms. */
static int finish_stop(struct colony_stopping *stop, struct colony_exchange *exchange,
                       uint64_t end_ms, struct colony_error *err)
{
    struct pollfd wait = {.fd = colony_exchange_fd(exchange), .events = POLLIN};
    int rc = 0;

    while (rc == 0) {
        if (poll(&wait, 1, colony_target_until_ms(end_ms)) == 0)
            return colony_fail(err, -ETIMEDOUT, "cannot wait longer for %s to stop", stop->name);
        rc = colony_exchange_read(exchange, err);
    }
    return rc < 0 ? rc : fail_stop(stop, colony_exchange_reply(exchange), err);
}

/* A question under way, which borrows its request. */
struct asking {
    char path[PATH_SIZE];
    struct colony_request request;
    struct colony_exchange *exchange; /* NULL: it could not be asked */
};

static int begin_stop(struct asking *asking, const struct colony_stopping *stop,
                      const struct colony_target *target, uint64_t wait_ms,
                      struct colony_error *err)
{
    char action[64];

    (void)snprintf(action, sizeof action, "/_stop?wait=%.3f", (double)wait_ms / 1000);
    if (name_path(asking->path, "/processes/", stop->name, action) < 0)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot stop %.40s", stop->name);
    asking->request = (struct colony_request){.method = "POST", .path = asking->path};
    return colony_exchange_open(&asking->exchange, target, &asking->request, err);
}

/* @askings: all empty. */
static void stop_some(struct asking *askings, const struct colony_target *target,
                      struct colony_stopping *stops, size_t count, uint64_t wait_ms)
{
    uint64_t end_ms = colony_target_now_ms() + wait_ms + ASK_MS;

    for (size_t i = 0; i < count; i++)
        stops[i].rc = begin_stop(&askings[i], &stops[i], target, wait_ms, &stops[i].err);
    for (size_t i = 0; i < count; i++) {
        if (askings[i].exchange)
            stops[i].rc = finish_stop(&stops[i], askings[i].exchange, end_ms, &stops[i].err);
        colony_exchange_close(askings[i].exchange);
        askings[i].exchange = NULL;
    }
}

int colony_supervisor_stop(const struct colony_workspace *workspace, struct colony_stopping *stops,
                           size_t count, uint64_t wait_ms, struct colony_error *err)
{
    struct asking *askings = calloc(AT_ONCE, sizeof *askings);
    struct colony_target target;
    int rc;

    if (!askings)
        return colony_fail_os(err, -ENOMEM, "cannot stop the processes");
    rc = place(&target, workspace, err);
    for (size_t i = 0; rc == 0 && i < count; i += AT_ONCE)
        stop_some(askings, &target, stops + i, count - i < AT_ONCE ? count - i : AT_ONCE, wait_ms);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = stops[i].rc;
        if (rc < 0 && err)
            *err = stops[i].err;
    }
    free(askings);
    return rc;
}

int colony_supervisor_slots(struct cJSON **out, const struct colony_workspace *workspace,
                            const char *name, struct colony_error *err)
{
    char path[PATH_SIZE] = "/slots";
    const struct wish wish = {"GET", path, "ask the supervisor what runs", ASK_MS};
    struct colony_reply reply;
    int rc;

    if (name && name_path(path, "/slots?name=", name, "") < 0)
        return colony_fail_os(err, -ENAMETOOLONG, "cannot ask for %.40s", name);
    rc = ask(workspace, &wish, &reply, err);
    if (rc == 0) {
        *out = cJSON_ParseWithLength(reply.body, reply.size);
        if (!*out)
            rc = colony_fail(err, -EPROTO, "cannot understand what the supervisor says");
    }
    colony_client_clear(&reply);
    return rc;
}

struct cJSON *colony_supervisor_peek(const struct colony_workspace *workspace)
{
    const struct colony_request request = {
        .method = "GET", .path = "/slots", .timeout_ms = PEEK_MS};
    struct colony_reply reply = {.connection = -1};
    struct colony_target target;
    cJSON *slots = NULL;

    if (place(&target, workspace, NULL) == 0 &&
        colony_client_request(&target, &request, &reply, NULL) == 0 && reply.status == 200)
        slots = cJSON_ParseWithLength(reply.body, reply.size);
    colony_client_clear(&reply);
    return slots;
}

/* --- its end -----------------------------------------------------------------------------------
 */

int colony_supervisor_end(const struct colony_workspace *workspace, struct colony_error *err)
{
    const struct wish wish = {"POST", "/_shutdown", "end the supervisor", ASK_MS};
    uint64_t end_ms = colony_target_now_ms() + END_MS;
    int rc = ask_alone(workspace, &wish, err);

    if (rc == -ECONNREFUSED || rc == -ECONNRESET || rc == -ESHUTDOWN)
        rc = 0; /* it ends already, or its lock tells */
    while (rc == 0 && colony_supervisor_pid(workspace) != 0) {
        if (colony_target_now_ms() >= end_ms)
            return colony_fail(err, -ETIMEDOUT,
                               "cannot wait longer for the supervisor (pid %d) to end",
                               (int)colony_supervisor_pid(workspace));
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return rc;
}
