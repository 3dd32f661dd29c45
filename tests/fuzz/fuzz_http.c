/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: the parser, the target, the judges of Host and Origin, and the table of routes.
 *
 * Where a request ends must not depend on how its bytes arrive, and must be where a strict reader
 * of RFC 9112 sees its end: else two programs on one connection disagree on what is a request.
 */
#include <ctype.h>

#include "api/access_internal.h"
#include "api/daemon_internal.h"
#include "api/parser_internal.h"
#include "api/route_internal.h"
#include "core/error.h"
#include "core/settings.h"

#include "fuzz.h"

enum {
    HEAD_MAX = 1024,
    BODY_MAX = 256,
    TOO_LARGE_HEAD = 431,
};

/* What a connection made of its bytes. */
struct reading {
    struct colony__parser parser;
    uint64_t digest;
    size_t requests;
    size_t used;
    int failure; /* its HTTP status; 0: none */
};

static void digest(struct reading *reading, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++)
        reading->digest = (reading->digest ^ at[i]) * 0x100000001b3U;
    reading->digest = (reading->digest ^ size) * 0x100000001b3U;
}

/* --- a strict reader -------------------------------------------------------------------------- */

/* One that knows only what RFC 9112 has a client send: CRLF, no folded lines, no blanks but one. */
struct strict {
    const char *at;
    const char *end;
    size_t lengths; /* headers Content-Length */
    size_t codings; /* headers Transfer-Encoding */
    unsigned long long length;
    bool is_chunked;
};

static bool is_token_byte(char byte)
{
    return isalnum((unsigned char)byte) || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte));
}

/* The next line without its end; false when no CRLF ends it. */
static bool take_line(struct strict *strict, const char **line, size_t *size)
{
    const char *end = memchr(strict->at, '\n', (size_t)(strict->end - strict->at));

    if (!end || end == strict->at || end[-1] != '\r')
        return false;
    *line = strict->at;
    *size = (size_t)(end - 1 - strict->at);
    strict->at = end + 1;
    return true;
}

/* A trailer, which we drop, may end with LF alone (RFC 9112 2.2): llhttp 8 allows it there. */
static bool skip_trailer(struct strict *strict, size_t *size)
{
    const char *end = memchr(strict->at, '\n', (size_t)(strict->end - strict->at));

    if (!end)
        return false;
    *size = (size_t)(end - strict->at);
    if (*size > 0 && end[-1] == '\r')
        --*size;
    strict->at = end + 1;
    return true;
}

static bool is_word(const char *text, size_t size, const char *word)
{
    return size == strlen(word) && strncasecmp(text, word, size) == 0;
}

static void take_header(struct strict *strict, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    size_t name_size = colon ? (size_t)(colon - line) : 0;
    const char *value = line + name_size + 1;
    const char *end = line + size;

    CHECK(name_size > 0);
    for (size_t i = 0; i < name_size; i++)
        CHECK(is_token_byte(line[i]));
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    for (const char *at = value; at < end; at++)
        CHECK((unsigned char)*at >= 0x20 || *at == '\t');
    if (is_word(line, name_size, "Content-Length")) {
        char *digits = fuzz_text(value, (size_t)(end - value));

        strict->lengths++;
        CHECK(colony__parse_number(digits, BODY_MAX, &strict->length) == 0);
        free(digits);
    } else if (is_word(line, name_size, "Transfer-Encoding")) {
        strict->codings++;
        strict->is_chunked = is_word(value, (size_t)(end - value), "chunked");
    }
}

static size_t take_size(const char *line, size_t size)
{
    size_t digits = 0;
    size_t number = 0;

    for (; digits < size && isxdigit((unsigned char)line[digits]); digits++) {
        number = number * 16 + (size_t)(isdigit((unsigned char)line[digits])
                                            ? line[digits] - '0'
                                            : (line[digits] | 32) - 'a' + 10);
        CHECK(number <= BODY_MAX);
    }
    CHECK(digits > 0 && (digits == size || strchr("; \t", line[digits])));
    return number;
}

static void take_chunks(struct strict *strict, const struct colony__request *request)
{
    const char *line;
    size_t line_size;
    size_t body = 0;
    size_t size;

    do {
        CHECK(take_line(strict, &line, &line_size));
        size = take_size(line, line_size);
        if (size == 0)
            break;
        CHECK(size <= (size_t)(strict->end - strict->at) && body + size <= request->body_size);
        CHECK(memcmp(strict->at, request->body + body, size) == 0);
        strict->at += size;
        body += size;
        CHECK(take_line(strict, &line, &line_size) && line_size == 0);
    } while (size > 0);
    CHECK(body == request->body_size);
    do {
        CHECK(skip_trailer(strict, &line_size));
    } while (line_size > 0);
}

/* The request that was read from these @size bytes is the one that stands there, and all of it. */
static void check_strictly(const struct colony__request *request, const char *bytes, size_t size)
{
    struct strict strict = {.at = bytes, .end = bytes + size};
    const char *line;
    size_t line_size;

    do { /* blank lines before a request are to be passed over */
        CHECK(take_line(&strict, &line, &line_size));
    } while (line_size == 0);
    for (;;) {
        CHECK(take_line(&strict, &line, &line_size));
        if (line_size == 0)
            break;
        take_header(&strict, line, line_size);
    }
    CHECK(strict.lengths <= 1 && strict.codings <= 1 && strict.lengths + strict.codings <= 1);
    if (strict.codings > 0) {
        CHECK(strict.is_chunked);
        take_chunks(&strict, request);
    } else {
        CHECK(request->body_size == strict.length);
        CHECK(strict.length <= (size_t)(strict.end - strict.at));
        CHECK(memcmp(strict.at, request->body, strict.length) == 0);
        strict.at += strict.length;
    }
    CHECK(strict.at == strict.end);
}

/* --- the path of a request -------------------------------------------------------------------- */

static void check_headers(const struct colony__request *request)
{
    const char *end = request->headers + request->headers_size;

    for (const char *at = request->headers; at < end;) {
        const char *value = at + strlen(at) + 1;

        CHECK(value < end && colony__request_header(request, at, NULL));
        at = value + strlen(value) + 1;
        CHECK(at <= end);
    }
}

static void dispatch(struct colony__parser *parser)
{
    static struct colony__access *access;
    static struct colony__peer peers[2] = {{.is_unix = true}, {.own = "127.0.0.1:5000"}};
    static char *hosts[] = {"example.com", NULL};
    static char *origins[] = {"http://friend.example", NULL};
    struct colony_http_settings settings = {.hosts = hosts, .cors_origins = origins};
    struct colony__request *request = &parser->request;
    struct colony_error err = {0};
    const char *origin;
    unsigned allowed;

    if (!access)
        CHECK(colony__access_new(&access, &settings, &err) == 0);
    if (colony__request_parse_target(request, colony__parser_target(parser), &err) < 0)
        return;
    for (size_t i = 0; i < 2; i++)
        if (colony__access_check_request(access, &peers[i], request, &origin, &err) == 0)
            CHECK(!origin || strcasecmp(origin, origins[0]) == 0);
    (void)colony__route_find(&colony__control_routes, request, &allowed);
    (void)colony__route_find(&colony__daemon_routes, request, &allowed);
}

static void take_request(struct reading *reading, const char *bytes)
{
    struct colony__parser *parser = &reading->parser;
    const struct colony__request *request = &parser->request;

    check_strictly(request, bytes, reading->used);
    check_headers(request);
    CHECK(!parser->needs_length || request->method != METHOD_POST ||
          colony__request_header(request, "Content-Length", NULL));
    digest(reading, request->headers, request->headers_size);
    digest(reading, request->body, request->body_size);
    digest(reading, colony__parser_target(parser), strlen(colony__parser_target(parser)));
    digest(reading, &request->method, sizeof request->method);
    digest(reading, &parser->keeps_alive, sizeof parser->keeps_alive);
    dispatch(parser);
    reading->requests++;
    colony__parser_next(parser);
}

/* Reads @size bytes that arrive @step at a time; @is_daemon: as the endpoint of events does. */
static void read_all(struct reading *reading, const char *bytes, size_t size, size_t step,
                     bool is_daemon)
{
    const char *begin = bytes; /* of the request */

    memset(reading, 0, sizeof *reading);
    colony__parser_init(&reading->parser, HEAD_MAX, BODY_MAX);
    reading->parser.needs_length = is_daemon;
    for (const char *end = bytes + size; bytes < end && reading->failure == 0;) {
        size_t left = (size_t)(end - bytes);
        size_t given = step < left ? step : left;
        char *piece = malloc(given); /* just so large, so that nobody looks beyond */
        enum colony__parse result;
        size_t used;

        CHECK(piece);
        memcpy(piece, bytes, given);
        result = colony__parser_feed(&reading->parser, piece, given, &used);
        free(piece);
        CHECK(used <= given && (result != PARSE_MORE || used == given));
        bytes += used;
        if (result == PARSE_FAILED) {
            CHECK(reading->parser.failure.word && reading->parser.failure.reason);
            reading->failure = reading->parser.failure.status;
        } else if (result == PARSE_DONE) {
            reading->used = (size_t)(bytes - begin);
            take_request(reading, begin);
            begin = bytes;
        }
    }
    colony__parser_clear(&reading->parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading whole; /* too large for the stack */
    static struct reading cut;
    static struct reading daemon;
    const char *bytes = (const char *)data;

    read_all(&whole, bytes, size, size > 0 ? size : 1, false);
    read_all(&cut, bytes, size, 1, false);
    read_all(&daemon, bytes, size, size > 0 ? size : 1, true);
    CHECK(daemon.requests <= whole.requests);
    if (whole.failure == TOO_LARGE_HEAD || cut.failure == TOO_LARGE_HEAD)
        return 0; /* a head that came at once may have more blanks */
    CHECK((whole.failure != 0) ==
          (cut.failure != 0)); /* which of two faults comes first may differ */
    CHECK(whole.requests == cut.requests && whole.digest == cut.digest);
    return 0;
}
