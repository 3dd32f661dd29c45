/* SPDX-License-Identifier: Apache-2.0 */
/* built_in.c - colony's own front-ends as controllers. One more is one more row. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/daemon.h"
#include "api/events.h"
#include "api/http.h"
#include "api/juggler.h"
#include "api/webhooks.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/front.h"
#include "core/settings.h"
#include "fsctl/files.h"
#include "lib/built_in_internal.h"
#include "lib/controllers_internal.h"
#include "lib/life_internal.h"
#include "rpc/rpc.h"
#include "session/session.h"

struct running {
    const struct colony_front *front;
    void *controller;
};

static int create(void **out, struct colony *colony, void *data, struct colony_error *err)
{
    const struct colony_front *front = data;
    struct running *running = calloc(1, sizeof *running);
    int rc;

    if (!running)
        return colony_fail(err, -ENOMEM, "cannot start: out of memory");
    running->front = front;
    if (front == &colony_http_front)
        rc = colony_http_create(&running->controller, colony->engine, colony->settings,
                                colony->extras, err);
    else
        rc = front->create(&running->controller, colony->engine, colony->settings, err);
    if (rc < 0)
        free(running);
    else
        *out = running;
    return rc;
}

static int start(void *controller, struct colony_error *err)
{
    struct running *running = controller;

    return running->front->start(running->controller, err);
}

static void stop(void *controller)
{
    struct running *running = controller;

    running->front->stop(running->controller);
}

static void close_controller(void *controller, void (*cb)(void *data), void *data)
{
    struct running running = *(struct running *)controller;

    free(controller);
    running.front->close(running.controller, cb, data);
}

#define CONTROLLER(its_name)                                                                       \
    {                                                                                              \
        .interface = COLONY_INTERFACE, .name = (its_name), .create = create, .start = start,       \
        .stop = stop, .close = close_controller                                                    \
    }

enum { HTTP, FILES, DAEMON, WEBHOOKS, JUGGLER, RPC, SESSION, BUILT_IN_COUNT };

enum {
    FILES_MAX = COLONY__CONTROLLERS_MAX - BUILT_IN_COUNT, /* which settings may name */
};

static const struct {
    const struct colony_front *front;
    const char *section; /* of the settings, which asks for it */
    struct colony_controller controller;
    bool has_sockets; /* which are opened at the start, before the keeper that holds them */
} rows[BUILT_IN_COUNT] = {
    [HTTP] = {&colony_http_front, "http", CONTROLLER("http"), true},
    [FILES] = {&colony_files_front, "files", CONTROLLER("files"), false},
    [DAEMON] = {&colony_daemon_front, "master", CONTROLLER("daemon"), true},
    [WEBHOOKS] = {&colony_webhooks_front, "webhooks", CONTROLLER("webhooks"), false},
    [JUGGLER] = {&colony_juggler_front, "juggler", CONTROLLER("juggler"), false},
    [RPC] = {&colony_rpc_front, "rpc", CONTROLLER("rpc"), true},
    [SESSION] = {&colony_session_front, "session", CONTROLLER("session"), false},
};

const struct colony_controller *colony_http_controller(void)
{
    return &rows[HTTP].controller;
}

const struct colony_controller *colony_files_controller(void)
{
    return &rows[FILES].controller;
}

const struct colony_controller *colony_daemon_controller(void)
{
    return &rows[DAEMON].controller;
}

const struct colony_controller *colony_webhooks_controller(void)
{
    return &rows[WEBHOOKS].controller;
}

const struct colony_controller *colony_juggler_controller(void)
{
    return &rows[JUGGLER].controller;
}

const struct colony_controller *colony_rpc_controller(void)
{
    return &rows[RPC].controller;
}

const struct colony_controller *colony_session_controller(void)
{
    return &rows[SESSION].controller;
}

const struct colony_front *colony__built_in_front(const struct colony_controller *controller)
{
    for (size_t i = 0; i < BUILT_IN_COUNT; i++)
        if (controller == &rows[i].controller)
            return rows[i].front;
    return NULL;
}

bool colony__built_in_has_sockets(const struct colony_controller *controller)
{
    for (size_t i = 0; i < BUILT_IN_COUNT; i++)
        if (controller == &rows[i].controller)
            return rows[i].has_sockets;
    return false;
}

int colony__built_in_add_all(struct colony__controllers *controllers, struct colony_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < BUILT_IN_COUNT && rc == 0; i++)
        rc = colony__controllers_add(controllers, &rows[i].controller, NULL, err);
    return rc;
}

int colony__built_in_check_added(const struct colony__controllers *controllers,
                                 const struct colony_settings *settings, struct colony_error *err)
{
    for (size_t i = 0; i < BUILT_IN_COUNT; i++)
        if (colony_settings_has(settings, rows[i].section) &&
            !colony__controllers_has(controllers, &rows[i].controller))
            return colony_fail(err, -ENOTSUP,
                               "cannot use section `%s`: add colony_%s_controller() to the engine, "
                               "which has it",
                               rows[i].section, rows[i].controller.name);
    return 0;
}

static bool is_built_in(const char *name)
{
    for (size_t i = 0; i < BUILT_IN_COUNT; i++)
        if (strcmp(rows[i].controller.name, name) == 0)
            return true;
    return false;
}

/* The last of @names is its own. */
static int check_name(const char *path, char *const *names, size_t count, struct colony_error *err)
{
    bool is_taken = is_built_in(names[count]);

    for (size_t i = 0; i < count; i++)
        is_taken |= strcmp(names[i], names[count]) == 0;
    return is_taken ? colony_fail(err, -EINVAL,
                                  "cannot load the controller %.300s: there is one called %.100s",
                                  path, names[count])
                    : 0;
}

/* Whether it can be loaded, and what it is called. */
static int look_at(const char *path, char **name, struct colony_error *err)
{
    const struct colony_controller *controller;
    void *library;
    int rc = colony__object_open(&library, &controller, path, err);

    if (rc < 0)
        return rc;
    *name = strdup(controller->name);
    colony__object_close(library);
    return *name ? 0 : colony_fail(err, -ENOMEM, "cannot load controllers: out of memory");
}

static int check_files(const struct colony_settings *settings, struct colony_error *err)
{
    char *names[FILES_MAX] = {NULL};
    size_t count = 0;
    int rc = 0;

    for (char **path = settings->controllers; path && *path && rc == 0; path++) {
        if (count == FILES_MAX)
            rc = colony_fail(err, -EINVAL, "cannot load controllers: %d at most", FILES_MAX);
        if (rc == 0)
            rc = look_at(*path, &names[count], err);
        if (rc == 0)
            rc = check_name(*path, names, count++, err);
    }
    for (size_t i = 0; i < FILES_MAX; i++)
        free(names[i]);
    return rc;
}

int colony__built_in_check(const struct colony_settings *settings, struct colony_error *err)
{
    int rc = colony_http_check(&settings->http, err);

    if (rc == 0)
        rc = colony_daemon_check(settings, err);
    if (rc == 0)
        rc = colony_inbox_check(settings, err);
    if (rc == 0)
        rc = colony_webhooks_check(settings, err);
    if (rc == 0)
        rc = colony_juggler_check(settings, err);
    if (rc == 0)
        rc = colony_session_check(&settings->session, err);
    if (rc == 0)
        rc = colony_rpc_check(&settings->rpc, err);
    return rc < 0 ? rc : check_files(settings, err);
}
