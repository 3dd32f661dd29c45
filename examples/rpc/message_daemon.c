/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MessageDaemon in C:
 *
 *     cc -o message_daemon examples/rpc/message_daemon.c $(pkg-config --cflags --libs libcjson)
 *     colony rpc serve --name MessageDaemon -- ./message_daemon
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

static double counter; /* pst_counter */

/* Each is given its params and answers with a result, or with NULL and *error. */
static cJSON *insert_message(const cJSON *params, const char **error)
{
    const cJSON *message =
        cJSON_IsObject(params) ? cJSON_GetObjectItem(params, "msg") : cJSON_GetArrayItem(params, 0);

    if (!cJSON_IsString(message)) {
        *error = "insert_message(msg): msg must be a text";
        return NULL;
    }
    counter++;
    fprintf(stderr, "Found a new message: %s\n", message->valuestring);
    return cJSON_CreateString("Message received!");
}

static cJSON *get_attribute(const cJSON *params, const char **error)
{
    (void)params, (void)error; /* colony asks for what the hello says only */
    return cJSON_CreateNumber(counter);
}

static cJSON *set_attribute(const cJSON *params, const char **error)
{
    const cJSON *value = cJSON_GetArrayItem(params, 1);

    if (!cJSON_IsNumber(value)) {
        *error = "pst_counter must be a number";
        return NULL;
    }
    counter = value->valuedouble;
    return cJSON_CreateTrue();
}

static const struct {
    const char *name;
    cJSON *(*call)(const cJSON *params, const char **error);
} methods[] = {
    {"getattr", get_attribute},
    {"setattr", set_attribute},
    {"insert_message", insert_message},
};

static void answer(const cJSON *request)
{
    const char *method = cJSON_GetStringValue(cJSON_GetObjectItem(request, "method"));
    const char *error = "there is no such method";
    cJSON *reply = cJSON_CreateObject();
    cJSON *result = NULL;
    char *text;

    for (size_t i = 0; method && i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, method) == 0)
            result = methods[i].call(cJSON_GetObjectItem(request, "params"), &error);
    cJSON_AddItemToObject(reply, "id", cJSON_Duplicate(cJSON_GetObjectItem(request, "id"), 1));
    if (result)
        cJSON_AddItemToObject(reply, "result", result);
    else
        cJSON_AddStringToObject(reply, "error", error);
    text = cJSON_PrintUnformatted(reply);
    if (text)
        puts(text);
    free(text);
    cJSON_Delete(reply);
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("{\"id\": 0, \"method\": \"hello\", \"params\": {"
         "\"methods\": {\"insert_message\": \"Prints a message, and counts it.\"},"
         "\"attributes\": {\"pst_counter\": \"messages so far\"}}}");
    while (getline(&line, &size, stdin) > 0) {
        cJSON *request = cJSON_Parse(line);

        if (cJSON_HasObjectItem(request, "method"))
            answer(request); /* everything else is the answer to our hello */
        cJSON_Delete(request);
    }
    free(line);
    return 0;
}
