/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"

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

int colony__post_shutdown(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err)
{
    (void)request;
    (void)err;
    (void)colony__respond_ok(connection); /* while there is somebody to send it */
    colony_engine_shutdown(colony__connection_engine(connection),
                           colony__connection_why(connection));
    return 0;
}

int colony__post_upgrade(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err)
{
    int rc = colony_engine_upgrade(colony__connection_engine(connection),
                                   colony__connection_why(connection), err);

    (void)request;
    return rc < 0 ? rc : colony__respond_ok(connection);
}
