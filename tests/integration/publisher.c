/* SPDX-License-Identifier: Apache-2.0 */
/* publisher.c - a controller of test_topics.py: POST /publish/TOPIC publishes its body there. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <colony.h>

static void on_post(struct colony_http_request *request, void *data)
{
    struct colony_error err = {0};
    size_t size;
    const char *body = colony_http_request_body(request, &size);
    cJSON *message = cJSON_ParseWithLength(body, size);
    int rc = colony_publish(data, colony_http_request_argument(request, 0), message, &err);

    cJSON_Delete(message);
    colony_http_request_answer(request, rc < 0 ? 400 : 200, "text/plain", err.message,
                               strlen(err.message));
}

static int create(void **out, struct colony *colony, void *data, struct colony_error *err)
{
    (void)data;
    *out = colony;
    return colony_http_add_route(colony, "POST", "/publish/TOPIC", on_post, colony, err);
}

static void close_it(void *controller, void (*cb)(void *data), void *data)
{
    (void)colony_http_remove_route(controller, "POST", "/publish/TOPIC", NULL);
    cb(data);
}

const struct colony_controller colony_controller_main = {
    .interface = COLONY_INTERFACE,
    .name = "publisher",
    .create = create,
    .close = close_it,
};
