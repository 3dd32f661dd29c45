/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - POST /_reload: reads the settings again, or only tells what that would do. */
#include <errno.h>
#include <stdlib.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "core/engine.h"
#include "core/error.h"

/* A request under way. It belongs to the engine's callback; the connection only knows it. */
struct reload {
    struct colony__connection *connection; /* NULL: it has gone */
    bool is_dry;
};

static void put_steps(struct colony__json *json, bool is_dry,
                      const struct colony_reload_step *steps, size_t count)
{
    colony__json_open_ok(json);
    colony__json_add_bool(json, "dry_run", is_dry);
    colony__json_open(json, "steps", '[');
    for (size_t i = 0; i < count; i++) {
        colony__json_open(json, NULL, '{');
        colony__json_add_text(json, "action", colony_reload_action_name(steps[i].action));
        colony__json_add_text(json, "name", steps[i].name);
        colony__json_add_text(json, "why", steps[i].text);
        colony__json_close(json, '}');
    }
    colony__json_close(json, ']');
    colony__json_close(json, '}');
}

/* Else the settings are at fault, and the file is named in the message. */
static bool is_our_fault(int code)
{
    static const int codes[] = {-ENOMEM, -ESHUTDOWN, -EIO, -ENOSPC, -EDQUOT, -EROFS};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static void on_reloaded(int rc, const struct colony_error *err,
                        const struct colony_reload_step *steps, size_t count, void *data)
{
    struct reload *reload = data;
    struct colony__connection *connection = reload->connection;
    bool is_dry = reload->is_dry;
    struct colony__json json = {0};

    free(reload);
    if (!connection)
        return;
    colony__connection_set_source(connection, NULL, NULL);
    if (rc < 0 && is_our_fault(rc)) {
        colony__respond_error(connection, err);
        return;
    }
    if (rc < 0) {
        colony__respond_failure(connection, 400, "bad_config", err->message);
        return;
    }
    put_steps(&json, is_dry, steps, count);
    if (is_dry)
        (void)colony__respond_json(connection, 200, &json);
    else
        (void)colony__respond_recorded(connection, 200, &json);
}

static void on_closed(void *data)
{
    struct reload *reload = data;

    reload->connection = NULL;
}

static const struct colony__source reload_source = {.closed = on_closed};

int colony__post_reload(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct reload *reload;
    bool is_dry;
    int rc = colony__request_query_bool(request, "dry_run", &is_dry, err);

    if (rc < 0)
        return rc;
    reload = calloc(1, sizeof *reload);
    if (!reload)
        return colony_fail_os(err, -ENOMEM, "cannot reload");
    reload->connection = connection;
    reload->is_dry = is_dry;
    colony__connection_set_source(connection, &reload_source, reload);
    rc = colony_engine_reload_settings(engine, is_dry, colony__connection_why(connection),
                                       on_reloaded, reload, err);
    if (rc == 0)
        return 0;
    colony__connection_set_source(connection, NULL, NULL);
    free(reload);
    return rc;
}
