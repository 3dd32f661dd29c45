/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/access_internal.h"
#include "api/credentials_internal.h"
#include "api/endpoint.h"
#include "api/route_internal.h"
#include "api/server_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/front.h"
#include "core/settings.h"

struct http {
    struct colony_engine *engine;
    struct colony__server *server;
    struct colony_error *err; /* of the start under way */
    int rc;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

int colony_http_check(const struct colony_http_settings *settings, struct colony_error *err)
{
    struct colony__credentials credentials = {0};
    int rc = colony__credentials_load(&credentials, settings, err);

    colony__credentials_clear(&credentials);
    return rc;
}

int colony_http_create(void **out, struct colony_engine *engine,
                       const struct colony_settings *settings, const struct colony_extras *extras,
                       struct colony_error *err)
{
    struct colony__server_options options = {.loop = colony_engine_uv_loop(engine),
                                             .engine = engine,
                                             .routes = &colony__control_routes,
                                             .extras = extras,
                                             .settings = &settings->http};
    struct colony__credentials credentials = {0};
    struct http *http = calloc(1, sizeof *http);
    int rc;

    if (!http)
        return colony_fail_os(err, -ENOMEM, "cannot open the control endpoint");
    http->engine = engine;
    rc = colony__access_new(&options.access, &settings->http, err);
    if (rc == 0)
        rc = colony__credentials_load(&credentials, &settings->http, err);
    if (rc == 0)
        rc = colony__server_new(&http->server, &options, err);
    if (rc < 0) {
        colony__credentials_clear(&credentials);
        colony__access_free(options.access);
        free(http);
        return rc;
    }
    colony__server_set_credentials(http->server, &credentials);
    *out = http;
    return 0;
}

static int create(void **out, struct colony_engine *engine, const struct colony_settings *settings,
                  struct colony_error *err)
{
    return colony_http_create(out, engine, settings, NULL, err);
}

static void listen_on(const char *name, int fd, void *data)
{
    struct http *http = data;
    int tls = COLONY__NO_TLS;

    if (http->rc < 0)
        return;
    if (strncmp(name, COLONY_ENDPOINT_TLS_PREFIX, strlen(COLONY_ENDPOINT_TLS_PREFIX)) == 0)
        tls = (int)strtol(name + strlen(COLONY_ENDPOINT_TLS_PREFIX), NULL, 10);
    else if (strncmp(name, COLONY_ENDPOINT_PREFIX, strlen(COLONY_ENDPOINT_PREFIX)) != 0)
        return;
    http->rc = colony__server_listen(http->server, fd, tls, http->err);
}

static int load_files(void **out, const struct colony_settings *next,
                      const struct colony_settings *now, struct colony_error *err)
{
    struct colony__credentials *credentials = calloc(1, sizeof *credentials);
    int rc;

    (void)now;
    if (!credentials)
        return colony_fail(err, -ENOMEM, "cannot reload: out of memory");
    rc = colony__credentials_load(credentials, &next->http, err);
    if (rc < 0)
        free(credentials);
    else
        *out = credentials;
    return rc;
}

static void drop_files(void *loaded)
{
    colony__credentials_clear(loaded);
    free(loaded);
}

static void apply_files(void *loaded, void *data)
{
    struct http *http = data;

    colony__server_set_credentials(http->server, loaded);
    drop_files(loaded);
}

static const struct colony_reload_part files = {
    .name = "http",
    .text = "certificates and tokens are read again",
    .load = load_files,
    .apply = apply_files,
    .drop = drop_files,
};

static int start(void *controller, struct colony_error *err)
{
    struct http *http = controller;
    const struct colony_settings *settings = colony_engine_settings(http->engine);

    if (colony__credentials_are_wanted(&settings->http))
        colony_engine_add_reload_part(http->engine, &files, http);
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

    colony_engine_remove_reload_part(http->engine, &files);
    colony__server_stop(http->server);
}

static void on_server_closed(void *data)
{
    struct http *http = data;
    colony_front_closed_cb cb = http->closed_cb;
    void *closed_data = http->closed_data;

    free(http);
    if (cb)
        cb(closed_data);
}

static void close_controller(void *controller, colony_front_closed_cb cb, void *data)
{
    struct http *http = controller;

    http->closed_cb = cb;
    http->closed_data = data;
    colony__server_close(http->server, on_server_closed, http);
}

const struct colony_front colony_http_front = {
    .name = "http",
    .create = create,
    .start = start,
    .stop = stop,
    .close = close_controller,
};
