/* SPDX-License-Identifier: Apache-2.0 */
/* Query strings: each parameter is what a plain reader makes of it, and what routes ask of them. */
#include "api/channel_internal.h"
#include "api/handlers_internal.h"
#include "api/request_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/store.h"

#include "fuzz.h"

static int digit_of(char c)
{
    const char *digits = "0123456789abcdefABCDEF";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* @text up to @end, decoded; NULL: it cannot be. */
static char *decode(const char *text, const char *end)
{
    char *out = fuzz_text(text, (size_t)(end - text));
    size_t size = 0;

    for (const char *at = text; at < end; at++) {
        char byte = *at == '+' ? ' ' : *at;

        if (*at == '%') {
            int high = end - at > 2 ? digit_of(at[1]) : -1;
            int low = high >= 0 ? digit_of(at[2]) : -1;

            byte = low < 0 ? '\0' : (char)(unsigned char)(high * 16 + low);
            at += 2;
        }
        if (byte == '\0') {
            free(out);
            return NULL;
        }
        out[size++] = byte;
    }
    out[size] = '\0';
    return out;
}

/* The parameters stand in @text as @request has them; none is left out or made up. */
static void check_parameters(const struct colony__request *request, const char *text)
{
    size_t count = 0;

    for (const char *next, *at = text; at; at = next) {
        const char *end = strchr(at, '&');
        const char *equals;
        char *name;
        char *value;

        next = end ? end + 1 : NULL;
        end = end ? end : at + strlen(at);
        equals = memchr(at, '=', (size_t)(end - at));
        if (at == end)
            continue;
        CHECK(count < request->query_count);
        name = decode(at, equals ? equals : end);
        value = equals ? decode(equals + 1, end) : fuzz_text("", 0);
        CHECK(name && strcmp(name, request->query[count].name) == 0);
        CHECK(value && strcmp(value, request->query[count].value) == 0);
        CHECK(colony__utf8_is_valid(name) && colony__utf8_is_valid(value));
        free(name);
        free(value);
        count++;
    }
    CHECK(count == request->query_count && count <= COLONY__QUERY_MAX);
}

/* What is accepted is in its range, and what is not is told. */
static void ask(const struct colony__request *request)
{
    static const struct colony__feed_defaults defaults = {.feed = FEED_LONGPOLL, .resumes = true};
    static const char *const flags[] = {"running", "stats", "follow", "dry_run", "binary", ""};
    struct colony_store_query query = {0};
    struct colony__feed_wish wish;
    bool flag;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        struct colony_error err = {0};

        if (colony__request_query_bool(request, flags[i], &flag, &err) < 0)
            CHECK(err.code < 0 && err.message[0] != '\0' && !flag);
        else
            CHECK(!flag || colony__request_query(request, flags[i]));
    }
    if (colony__feed_parse(request, &defaults, &wish, NULL) == 0) {
        CHECK(wish.feed >= FEED_LONGPOLL && wish.feed <= FEED_EVENTSOURCE);
        CHECK(wish.heartbeat_ms <= 86400 * 1000 && wish.heartbeat_ms % 1000 == 0);
        CHECK(wish.last_id <= INT64_MAX && (wish.has_last_id || wish.last_id == 0));
    }
    if (colony__history_parse(request, &query, NULL) == 0)
        CHECK(query.limit >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony__request request = {.method = METHOD_GET, .headers = ""};
    struct colony_error err = {0};
    char *text = fuzz_text(data, size);
    size_t length = strcspn(text, "#");
    char *target = malloc(length + 4);

    CHECK(target);
    text[length] = '\0';
    memcpy(target, "/x?", 3);
    memcpy(target + 3, text, length + 1);
    if (colony__request_parse_target(&request, target, &err) < 0) {
        CHECK(err.code < 0 && err.message[0] != '\0');
    } else {
        CHECK(request.segment_count == 1 && strcmp(request.segments[0], "x") == 0);
        check_parameters(&request, text);
        ask(&request);
    }
    free(target);
    free(text);
    return 0;
}
