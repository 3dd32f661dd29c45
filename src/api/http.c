/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/access_internal.h"
#include "api/endpoint.h"
#include "api/route_internal.h"
#include "api/server_internal.h"
#include "api/tokens_internal.h"
#include "core/controller.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/settings.h"

struct http {
    struct colony_engine *engine;
    struct colony__server *server;
    struct colony_error *err; /* of the start under way */
    int rc;
    colony_controller_closed_cb closed_cb;
    void *closed_data;
};

static int open_access(struct colony__access **out, const struct colony_http_settings *settings,
                       struct colony_error *err)
{
    struct colony__access *access = NULL;
    struct colony__tokens *tokens = NULL;
    int rc = colony__access_new(&access, settings, err);

    if (rc == 0 && settings->tokens)
        rc = colony__tokens_load(&tokens, settings->tokens, err);
    if (rc < 0) {
        colony__access_free(access);
        return rc;
    }
    colony__access_set_tokens(access, tokens);
    *out = access;
    return 0;
}

int colony_http_check(const struct colony_http_settings *settings, struct colony_error *err)
{
    struct colony__access *access = NULL;
    int rc = open_access(&access, settings, err);

    colony__access_free(access);
    return rc;
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    struct colony__server_options options = {.loop = colony_engine_loop(engine),
                                             .engine = engine,
                                             .routes = &colony__control_routes,
                                             .settings = &settings->http};
    struct http *http = calloc(1, sizeof *http);
    int rc;

    if (!http)
        return colony_fail_os(err, -ENOMEM, "cannot open the control endpoint");
    http->engine = engine;
    rc = open_access(&options.access, &settings->http, err);
    if (rc == 0)
        rc = colony__server_new(&http->server, &options, err);
    if (rc < 0) {
        colony__access_free(options.access);
        free(http);
        return rc;
    }
    *out = http;
    return 0;
}

static void listen_on(const char *name, int fd, void *data)
{
    struct http *http = data;

    if (strncmp(name, COLONY_ENDPOINT_PREFIX, strlen(COLONY_ENDPOINT_PREFIX)) == 0 && http->rc == 0)
        http->rc = colony__server_listen(http->server, fd, http->err);
}

static int start(void *controller, struct colony_error *err)
{
    struct http *http = controller;

    colony__access_set_owner(http->server->access, colony_engine_owner(http->engine));
    http->err = err;
    http->rc = 0;
    colony_engine_each_socket(http->engine, listen_on, http);
    http->err = NULL;
    if (http->rc < 0)
        colony__server_stop(http->server);
    return http->rc;
}

static void stop(void *controller)
{
    struct http *http = controller;

    colony__server_stop(http->server);
}

static void on_server_closed(void *data)
{
    struct http *http = data;
    colony_controller_closed_cb cb = http->closed_cb;
    void *closed_data = http->closed_data;

    free(http);
    if (cb)
        cb(closed_data);
}

static void close_controller(void *controller, colony_controller_closed_cb cb, void *data)
{
    struct http *http = controller;

    http->closed_cb = cb;
    http->closed_data = data;
    colony__server_close(http->server, on_server_closed, http);
}

const struct colony_controller colony_http_controller = {
    .name = "http",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
