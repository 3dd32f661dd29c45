/* SPDX-License-Identifier: Apache-2.0 */
/* engine_http.c - the client that checks ask by; who has none of them needs no libcurl. */
#include "core/engine_internal.h"
#include "core/http_client.h"

struct colony_http_client *engine_http(void *slot, struct colony_error *err)
{
    struct colony_engine *engine = ((struct slot *)slot)->entry->engine;

    if (!engine->http && colony_http_client_new(&engine->http, engine->loop, err) < 0)
        return NULL;
    return engine->http;
}

static void on_closed(void *data)
{
    engine_on_part_closed(data);
}

/* Once nobody checks any more. */
void engine_http_close(struct colony_engine *engine)
{
    if (!engine->http)
        return;
    engine->open_handles++;
    colony_http_client_close(engine->http, on_closed, engine);
    engine->http = NULL;
}
