/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of RPC: an input is messages, each a byte that says whose it is and of what form, two
 * bytes of size and the text; calls that are answered later are so at the end. What is answered is
 * JSON-RPC, nobody hears of another's request, and nothing is left.
 */
#include "fuzz.h"

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/value.h"
#include "rpc/dispatch_internal.h"

#include "../rpc/served.h"

struct heard {
    unsigned count;
    unsigned clients; /* those who have said something */
};

/* One answer: a result or an error, never both. */
static void check_reply(const cJSON *reply)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(reply, "jsonrpc");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(reply, "id");
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(reply, "error");
    const cJSON *type =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(error, "data"), "type");

    CHECK(cJSON_IsString(version) && strcmp(version->valuestring, "2.0") == 0);
    CHECK(cJSON_IsString(id) || cJSON_IsNumber(id) || cJSON_IsNull(id));
    CHECK(!error != !cJSON_GetObjectItemCaseSensitive(reply, "result"));
    CHECK(!error || (cJSON_IsString(type) && strlen(type->valuestring) > 0));
    CHECK(!error || cJSON_IsString(cJSON_GetObjectItemCaseSensitive(error, "message")));
    CHECK(cJSON_GetArraySize(reply) == 3);
}

static void on_send(const struct colony__rpc_sender *to, const char *text, size_t size, void *data)
{
    struct heard *heard = data;
    struct colony_value *value = NULL;
    cJSON *json;

    CHECK(to->client.size == 1 && (heard->clients & 1U << to->client.bytes[0]));
    heard->count++;
    CHECK(size > 0 || to->has_delimiter);
    if (size == 0)
        return;
    CHECK(strlen(text) == size);
    CHECK(colony_value_parse_json(&value, text, size, NULL) == 0);
    colony_value_free(value);
    json = cJSON_Parse(text);
    CHECK(json);
    if (cJSON_IsArray(json)) {
        CHECK(json->child);
        for (const cJSON *at = json->child; at; at = at->next)
            check_reply(at);
    } else {
        check_reply(json);
    }
    cJSON_Delete(json);
}

static void answer_later(struct served *served)
{
    for (size_t i = 0; i < served->later_count; i++)
        colony_rpc_answer_text(served->later[i], "[1]");
    served->later_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct served served = {0};
    struct heard heard = {0};
    struct colony_rpc_counters counters = {0};
    const struct colony__rpc_dispatch_options options = {.object = &served_object,
                                                         .object_data = &served,
                                                         .send = on_send,
                                                         .send_data = &heard,
                                                         .counters = &counters};
    struct colony__rpc_dispatch *dispatch = NULL;

    CHECK(colony__rpc_dispatch_new(&dispatch, &options) == 0);
    while (input.left > 0) {
        struct colony__rpc_sender from = {.client = {.size = 1}};
        uint8_t form = fuzz_byte(&input);
        size_t length = (size_t)fuzz_byte(&input) << 8;
        char *text;

        length |= fuzz_byte(&input);
        length = length < input.left ? length : input.left;
        from.client.bytes[0] = form & 3;
        from.has_delimiter = form & 4;
        from.may_control = form & 8;
        heard.clients |= 1U << (form & 3);
        text = fuzz_text(input.at, length);
        colony__rpc_dispatch_receive(dispatch, &from, text, length);
        free(text);
        input.at += length;
        input.left -= length;
        if ((form & 16) || served.later_count > 32)
            answer_later(&served);
    }
    if (size % 2)
        answer_later(&served);
    colony__rpc_dispatch_free(dispatch);
    answer_later(&served);
    return 0;
}
