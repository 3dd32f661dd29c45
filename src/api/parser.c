/* SPDX-License-Identifier: Apache-2.0 */
#include "api/parser_internal.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    HEADERS_MAX = 100,
};

static const struct colony__failure head_too_large = {431, "too_large",
                                                      "cannot read the request: its head is over "
                                                      "the limit"};
static const struct colony__failure body_too_large = {413, "too_large",
                                                      "cannot read the request: its body is over "
                                                      "the limit"};
static const struct colony__failure no_memory = {503, "unavailable",
                                                 "cannot read the request: out of memory"};
static const struct colony__failure bad_version = {505, "bad_value",
                                                   "cannot read the request: only HTTP/1.0 and 1.1 "
                                                   "are spoken here"};
static const struct colony__failure bad_request = {400, "bad_value",
                                                   "cannot read the request: it is not HTTP/1.1"};

static const struct colony__failure no_length = {411, "length_required",
                                                 "cannot read the request: a POST needs a "
                                                 "Content-Length header here"};

static const struct colony__failure bad_coding = {501, "bad_value",
                                                  "cannot read the request: no transfer coding but "
                                                  "chunked is known here"};

/* Callbacks return this to end the parsing; 0 goes on. */
static int fail(struct colony__parser *parser, const struct colony__failure *failure)
{
    parser->failure = *failure;
    return HPE_USER;
}

static int append(struct colony__parser *parser, const char *data, size_t size)
{
    int rc = colony__buffer_append(&parser->head, data, size, parser->head_max);

    if (rc == -EMSGSIZE)
        return fail(parser, &head_too_large);
    return rc < 0 ? fail(parser, &no_memory) : 0;
}

static int on_head_bytes(llhttp_t *http, const char *at, size_t size)
{
    struct colony__parser *parser = http->data;

    return parser->has_head ? 0 : append(parser, at, size); /* trailers are dropped */
}

static int on_target_complete(llhttp_t *http)
{
    struct colony__parser *parser = http->data;
    int rc = append(parser, "", 1);

    parser->target_size = parser->head.size;
    return rc;
}

/* llhttp lets blanks pass in a name, and one of nothing; RFC 9112 5.1 wants them refused. */
static bool is_bad_name(const struct colony__buffer *head)
{
    const char *end = head->data + head->size;
    const char *name = end;

    while (name > head->data && name[-1] != '\0')
        name--;
    return name == end || memchr(name, ' ', (size_t)(end - name)) ||
           memchr(name, '\t', (size_t)(end - name));
}

static int on_field_complete(llhttp_t *http)
{
    struct colony__parser *parser = http->data;

    if (parser->has_head)
        return 0;
    if (is_bad_name(&parser->head))
        return fail(parser, &bad_request);
    if (++parser->header_count > HEADERS_MAX)
        return fail(parser, &head_too_large);
    return append(parser, "", 1);
}

static int on_value_complete(llhttp_t *http)
{
    struct colony__parser *parser = http->data;
    struct colony__buffer *head = &parser->head;

    if (parser->has_head)
        return 0;
    while (head->size > 0 &&
           (head->data[head->size - 1] == ' ' || head->data[head->size - 1] == '\t'))
        head->size--;
    return append(parser, "", 1);
}

/*
 * Lines of the head end with CR LF, have neither of them elsewhere, and none goes on in the next
 * (RFC 9112 2.2 and 5.2). Versions of llhttp let this or that pass: who reads it otherwise sees
 * another end of the request.
 */
static bool is_badly_lined(struct colony__parser *parser, const char *data, size_t size)
{
    for (size_t i = 0; i < size && parser->line != LINE_OF_BODY; i++) {
        bool has_cr = parser->has_cr;

        parser->has_cr = data[i] == '\r';
        if (has_cr != (data[i] == '\n'))
            return true;
        if (parser->line == LINE_BEGINS && (data[i] == ' ' || data[i] == '\t'))
            return true;
        if (data[i] == '\n' && parser->line != LINE_BEFORE)
            parser->line = parser->line == LINE_BEGINS ? LINE_OF_BODY : LINE_BEGINS;
        else if (!has_cr && !parser->has_cr)
            parser->line = LINE_GOES_ON;
    }
    return false;
}

/* RFC 9112 6.1. What a coding before `chunked` did to the body would be taken for the body. */
static const struct colony__failure *find_coding_fault(const struct colony__request *request)
{
    size_t count;
    const char *coding = colony__request_header(request, "Transfer-Encoding", &count);

    if (count == 0)
        return NULL;
    if (request->is_http10)
        return &bad_request;
    return count > 1 || strcasecmp(coding, "chunked") != 0 ? &bad_coding : NULL;
}

static enum colony__method method_of(const llhttp_t *http)
{
    switch (http->method) {
    case HTTP_GET:
        return METHOD_GET;
    case HTTP_HEAD:
        return METHOD_HEAD;
    case HTTP_POST:
        return METHOD_POST;
    case HTTP_PUT:
        return METHOD_PUT;
    case HTTP_DELETE:
        return METHOD_DELETE;
    case HTTP_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
}

static int on_headers_complete(llhttp_t *http)
{
    struct colony__parser *parser = http->data;
    struct colony__request *request = &parser->request;
    bool has_body = (http->flags & F_CHUNKED) || http->content_length > 0;
    const struct colony__failure *fault;
    const char *expect;

    parser->has_head = true;
    http->upgrade = 0; /* other protocols are not spoken here, and may be ignored (RFC 9110 7.8) */
    if (http->http_major != 1)
        return fail(parser, &bad_version);
    request->method = method_of(http);
    request->is_http10 = http->http_minor == 0;
    request->headers = parser->head.data + parser->target_size;
    request->headers_size = parser->head.size - parser->target_size;
    fault = find_coding_fault(request);
    if (fault)
        return fail(parser, fault);
    if (parser->needs_length && request->method == METHOD_POST && !(http->flags & F_CONTENT_LENGTH))
        return fail(parser, &no_length);
    if ((http->flags & F_CONTENT_LENGTH) && http->content_length > parser->body_max)
        return fail(parser, &body_too_large);
    expect = colony__request_header(request, "Expect", NULL);
    parser->wants_continue =
        has_body && !request->is_http10 && expect && strcasecmp(expect, "100-continue") == 0;
    return 0;
}

static int on_body(llhttp_t *http, const char *at, size_t size)
{
    struct colony__parser *parser = http->data;
    int rc = colony__buffer_append(&parser->body, at, size, parser->body_max);

    if (rc == -EMSGSIZE)
        return fail(parser, &body_too_large);
    return rc < 0 ? fail(parser, &no_memory) : 0;
}

static int on_message_complete(llhttp_t *http)
{
    struct colony__parser *parser = http->data;

    parser->keeps_alive = llhttp_should_keep_alive(http);
    parser->request.body = parser->body.size ? parser->body.data : "";
    parser->request.body_size = parser->body.size;
    return HPE_PAUSED;
}

static const llhttp_settings_t callbacks = {
    .on_url = on_head_bytes,
    .on_url_complete = on_target_complete,
    .on_header_field = on_head_bytes,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_head_bytes,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void colony__parser_init(struct colony__parser *parser, size_t head_max, size_t body_max)
{
    memset(parser, 0, sizeof *parser);
    parser->head_max = head_max;
    parser->body_max = body_max;
    colony__parser_next(parser);
}

void colony__parser_next(struct colony__parser *parser)
{
    llhttp_init(&parser->http, HTTP_REQUEST, &callbacks);
    parser->http.data = parser;
    colony__buffer_reset(&parser->head);
    colony__buffer_reset(&parser->body);
    parser->target_size = 0;
    parser->header_count = 0;
    parser->head_bytes = 0;
    parser->line = LINE_BEFORE;
    parser->has_cr = false;
    parser->has_head = false;
    parser->wants_continue = false;
    parser->keeps_alive = false;
    memset(&parser->request, 0, sizeof parser->request);
    memset(&parser->failure, 0, sizeof parser->failure);
}

void colony__parser_clear(struct colony__parser *parser)
{
    colony__buffer_clear(&parser->head);
    colony__buffer_clear(&parser->body);
}

enum colony__parse colony__parser_feed(struct colony__parser *parser, const char *data, size_t size,
                                       size_t *used)
{
    enum llhttp_errno rc;

    *used = size;
    if (!parser->has_head)
        parser->head_bytes += size;
    if (is_badly_lined(parser, data, size)) {
        parser->failure = bad_request;
        return PARSE_FAILED;
    }
    rc = llhttp_execute(&parser->http, data, size);
    if (rc == HPE_PAUSED) {
        *used = (size_t)(llhttp_get_error_pos(&parser->http) - data);
        return PARSE_DONE;
    }
    if (rc == HPE_OK && !parser->has_head && parser->head_bytes > parser->head_max)
        parser->failure = head_too_large; /* blanks that are dropped count, too */
    else if (rc == HPE_OK)
        return PARSE_MORE;
    if (parser->failure.status == 0)
        parser->failure = rc == HPE_INVALID_VERSION ? bad_version : bad_request;
    return PARSE_FAILED;
}

char *colony__parser_target(struct colony__parser *parser)
{
    return parser->head.data;
}
