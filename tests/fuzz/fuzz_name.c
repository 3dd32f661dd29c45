/* SPDX-License-Identifier: Apache-2.0 */
/* Names and targets of requests: a good name, escaped in a path, arrives as it was. */
#include "api/request_internal.h"
#include "core/error.h"
#include "core/name_internal.h"
#include "core/template.h"
#include "core/utf8.h"

#include "fuzz.h"

static char *escape(char *out, const char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (; *text != '\0'; text++) {
        *out++ = '%';
        *out++ = digits[(unsigned char)*text >> 4];
        *out++ = digits[*text & 15];
    }
    *out = '\0';
    return out;
}

static void check_name(const char *name)
{
    struct colony__request request = {.method = METHOD_GET};
    char target[sizeof "/processes/" + 3 * COLONY_NAME_MAX] = "/processes/";
    struct colony_error err = {0};

    if (colony_name_check(name, &err) < 0) {
        CHECK(err.code < 0 && colony__utf8_is_valid(err.message));
        return;
    }
    (void)escape(target + strlen(target), name);
    CHECK(colony__request_parse_target(&request, target, &err) == 0);
    CHECK(request.segment_count == 2 && strcmp(request.segments[1], name) == 0);
}

static void check_text(const char *text, bool is_query)
{
    CHECK(colony__utf8_is_valid(text));
    for (; *text != '\0' && !is_query; text++)
        CHECK((unsigned char)*text >= 0x20 && *text != 0x7f);
}

/* What came out of a target, escaped, comes out again. */
static void check_again(const struct colony__request *request, size_t size)
{
    struct colony__request again = {.method = METHOD_GET};
    char *target = malloc(3 * size + 2 * COLONY__QUERY_MAX + 16);
    char *end = target;

    CHECK(target);
    for (size_t i = 0; i < request->segment_count; i++) {
        *end++ = '/';
        end = escape(end, request->segments[i]);
    }
    *end++ = '/';
    *end++ = '?';
    for (size_t i = 0; i < request->query_count; i++) {
        end = escape(end, request->query[i].name);
        *end++ = '=';
        end = escape(end, request->query[i].value);
        *end++ = '&';
    }
    *end = '\0';
    CHECK(colony__request_parse_target(&again, target, NULL) == 0);
    CHECK(again.segment_count == request->segment_count);
    CHECK(again.query_count == request->query_count);
    for (size_t i = 0; i < again.segment_count; i++)
        CHECK(strcmp(again.segments[i], request->segments[i]) == 0);
    for (size_t i = 0; i < again.query_count; i++)
        CHECK(strcmp(again.query[i].name, request->query[i].name) == 0 &&
              strcmp(again.query[i].value, request->query[i].value) == 0);
    free(target);
}

static void check_target(const char *text, size_t size)
{
    struct colony__request request = {.method = METHOD_GET};
    char *target = fuzz_text(text, size);

    if (colony__request_parse_target(&request, target, NULL) == 0) {
        for (size_t i = 0; i < request.segment_count; i++)
            check_text(request.segments[i], false);
        for (size_t i = 0; i < request.query_count; i++) {
            check_text(request.query[i].name, true);
            check_text(request.query[i].value, true);
        }
        check_again(&request, size);
    }
    free(target);
}

static void check_distance(const char *left, const char *right)
{
    const char *const names[] = {left, right, "processes", NULL};
    unsigned distance = colony__name_distance(left, right);
    const char *nearest = colony_name_nearest(left, names);

    CHECK(distance == colony__name_distance(right, left));
    if (strlen(left) <= COLONY_NAME_MAX && strlen(right) <= COLONY_NAME_MAX)
        CHECK((distance == 0) == (strcmp(left, right) == 0));
    if (*left == '\0')
        CHECK(!nearest);
    else if (strlen(left) <= COLONY_NAME_MAX)
        CHECK(nearest && strcmp(nearest, left) == 0);
    (void)colony__name_is_near(left, right);
}

static void check_utf8(char *text, size_t size)
{
    struct colony_utf8_place place;
    size_t good = colony_utf8_length(text, size);

    CHECK(good <= size && colony_utf8_length(text, good) == good);
    colony_utf8_locate(text, good, &place);
    CHECK(place.offset == good && place.line >= 1 && place.column >= 1);
    colony_utf8_repair(text, strlen(text));
    CHECK(colony__utf8_is_valid(text) && strlen(text) == size);
}

/* Two lines: two names, of which the first is a target too. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *right = text + strcspn(text, "\n");

    check_name(text);
    check_target(text, strlen(text));
    if (*right != '\0')
        *right++ = '\0';
    check_name(text);
    check_target(text, strlen(text));
    check_distance(text, right);
    check_utf8(text, strlen(text));
    free(text);
    return 0;
}
