/* SPDX-License-Identifier: Apache-2.0 */
/* app_send.c - gives one type of an application to a colony, as a template. */
#include <cjson/cJSON.h>
#include <string.h>

#include "app_internal.h"
#include "core/error.h"

static int exit_code_of(int status)
{
    switch (status) {
    case 400:
        return EXIT_BAD_CONFIG;
    case 401:
    case 403:
        return EXIT_NOT_ALLOWED;
    case 409:
        return EXIT_CONFLICT;
    default:
        return EXIT_FAILED;
    }
}

static int tell(const struct colony_reply *reply, const char *doing, const char *name)
{
    struct cJSON *json = cJSON_ParseWithLength(reply->body, reply->size);
    const char *reason = colony__ctl_text(json, "reason");
    int exit_code = colony__app_fail(exit_code_of(reply->status), "cannot %s %s: %s", doing, name,
                                     reason[0] != '\0' ? reason : "colony does not say why");

    cJSON_Delete(json);
    return exit_code;
}

static int send_text(const struct colony_target *target, const char *body, const char *doing,
                     const char *name)
{
    const struct colony_request request = {.method = "POST",
                                           .path = "/processes",
                                           .body = body,
                                           .timeout_ms = COLONY_CLIENT_TIMEOUT_MS};
    struct colony_error err = {0};
    struct colony_reply reply;
    int exit_code = EXIT_OK;
    int rc = colony_client_request(target, &request, &reply, &err);

    if (rc < 0)
        exit_code = colony__app_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
    else if (reply.status / 100 != 2)
        exit_code = tell(&reply, doing, name);
    colony_client_clear(&reply);
    return exit_code;
}

int colony__app_send(const struct colony_target *target, const struct cJSON *json,
                     const char *doing)
{
    const char *name = colony__ctl_text(json, "name");
    char *body = json ? cJSON_PrintUnformatted(json) : NULL;
    int exit_code = EXIT_OK;

    if (body)
        exit_code = send_text(target, body, doing, name);
    else
        exit_code = colony__app_fail(EXIT_FAILED, "cannot %s %s: out of memory", doing, name);
    cJSON_free(body);
    return exit_code;
}
