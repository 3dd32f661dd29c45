/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/log.h"

int colony__get_welcome(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony__json json = {0};

    (void)request;
    (void)err;
    colony__json_open(&json, NULL, '{');
    colony__json_add_text(&json, "welcome", "Welcome to colony");
    colony__json_add_text(&json, "version", COLONY_VERSION);
    colony__json_close(&json, '}');
    return colony__respond_json(connection, 200, &json);
}

int colony__get_ping(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err)
{
    (void)request;
    (void)err;
    colony__respond_text(connection, 200, "text/plain", "OK", 2);
    return 0;
}

/*
 * What ends this engine is done once the answer is with the kernel: a connection needs its source
 * no more when all is written, or when there is nobody left to write to.
 */
static void on_shutdown_answered(void *data)
{
    struct colony__connection *connection = data;

    colony_engine_shutdown(colony__connection_engine(connection),
                           colony__connection_why(connection));
}

static const struct colony__source shutdown_source = {.closed = on_shutdown_answered};

int colony__post_shutdown(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err)
{
    (void)request;
    (void)err;
    colony__connection_set_source(connection, &shutdown_source, connection);
    return colony__respond_ok(connection);
}

static void on_left(void *data)
{
    colony_engine_upgrade(data);
}

static void on_upgrade_answered(void *data)
{
    struct colony__connection *connection = data;

    colony_log(SEVERITY_INFO, "is going to be upgraded: asked by %s",
               colony__connection_why(connection));
    colony__server_leave(connection->server, on_left, colony__connection_engine(connection));
}

static const struct colony__source upgrade_source = {.closed = on_upgrade_answered};

/* A check under way. It belongs to the engine's callback; the connection only knows it. */
struct check {
    struct colony__connection *connection; /* NULL: it has gone, and nobody wants it any more */
};

static void on_check_closed(void *data)
{
    struct check *check = data;

    check->connection = NULL;
}

static const struct colony__source check_source = {.closed = on_check_closed};

static void on_checked(int rc, const struct colony_error *err, void *data)
{
    struct check *check = data;
    struct colony__connection *connection = check->connection;

    free(check);
    if (!connection)
        return;
    colony__connection_set_source(connection, NULL, NULL);
    if (rc < 0) {
        colony__respond_error(connection, err);
        return;
    }
    colony__connection_set_source(connection, &upgrade_source, connection);
    (void)colony__respond_ok(connection);
}

int colony__post_upgrade(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err)
{
    struct check *check = calloc(1, sizeof *check);
    int rc;

    (void)request;
    if (!check)
        return colony_fail_os(err, -ENOMEM, "cannot upgrade");
    check->connection = connection;
    colony__connection_set_source(connection, &check_source, check);
    rc = colony_engine_check_upgrade(colony__connection_engine(connection), on_checked, check, err);
    if (rc == 0)
        return 0;
    colony__connection_set_source(connection, NULL, NULL);
    free(check);
    return rc;
}
