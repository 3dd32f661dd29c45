/* SPDX-License-Identifier: Apache-2.0 */
/* GET /streams/ID/LABEL: what a process writes, as it comes. POST: what it reads. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/channel_internal.h"
#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/response_internal.h"
#include "api/streams_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/template.h"

enum {
    CARRY_MAX = 4, /* bytes of a character of UTF-8 */
};

/* One channel's subject. */
struct stream {
    struct colony_output *output;
    struct colony__channel *channel;
    bool is_text;          /* characters are not torn */
    char carry[CARRY_MAX]; /* the begin of a character whose rest is still to come */
    size_t carried;
    char carry_label[COLONY_LABEL_MAX + 1];
};

/* Bytes at the end of @text that may be the begin of a character. */
static size_t torn_size(const char *text, size_t size)
{
    for (size_t back = 1; back < CARRY_MAX && back <= size; back++) {
        unsigned char byte = (unsigned char)text[size - back];

        if (byte >= 0xc0)
            return back < (byte >= 0xf0 ? 4U : byte >= 0xe0 ? 3U : 2U) ? back : 0;
        if (byte < 0x80)
            return 0;
    }
    return 0;
}

/* False: it is gone. */
static bool tell(const struct stream *stream, const char *label, const char *bytes, size_t size)
{
    return size == 0 ||
           colony__channel_tell(stream->channel,
                                &(struct colony__tidings){
                                    .event = label, .text = bytes, .size = size, .weight = size});
}

/* What was carried, as it is. False: the stream is gone. */
static bool tell_carried(struct stream *stream)
{
    size_t size = stream->carried;

    stream->carried = 0;
    return tell(stream, stream->carry_label, stream->carry, size);
}

/* With what was carried before it, and without what is to be carried on. */
static void tell_text(struct stream *stream, const struct colony_output_part *part)
{
    size_t torn = torn_size(part->bytes, part->size);
    size_t carried;
    char *joined;

    if (strcmp(stream->carry_label, part->label) != 0 && !tell_carried(stream))
        return;
    carried = stream->carried;
    joined = malloc(carried + part->size);
    if (!joined) {
        (void)colony__channel_tell_dropped(stream->channel, part->size);
        return;
    }
    memcpy(joined, stream->carry, carried);
    memcpy(joined + carried, part->bytes, part->size);
    stream->carried = torn;
    memcpy(stream->carry, part->bytes + part->size - torn, torn);
    (void)snprintf(stream->carry_label, sizeof stream->carry_label, "%s", part->label);
    (void)tell(stream, part->label, joined, carried + part->size - torn);
    free(joined);
}

static void on_output(const struct colony_output_part *part, void *data)
{
    struct stream *stream = data;

    if (part->lost > 0 && !colony__channel_tell_dropped(stream->channel, part->lost))
        return;
    if (!part->label) {
        if (tell_carried(stream))
            colony__channel_end(stream->channel);
        return;
    }
    if (stream->is_text && part->size > 0)
        tell_text(stream, part);
    else
        (void)tell(stream, part->label, part->bytes, part->size);
}

static void on_unfollowed(void *data)
{
    struct stream *stream = data;

    colony_engine_unfollow_output(stream->output);
    free(stream);
}

static int open_channel(struct colony__channel **out, struct colony__connection *connection,
                        const struct colony__stream_wish *wish)
{
    char subject[COLONY_LABEL_MAX + 64];
    struct stream *stream;
    int rc;

    (void)snprintf(subject, sizeof subject, "stream %" PRIu64 " %s", wish->id,
                   wish->label ? wish->label : "");
    *out = colony__channel_find(connection->server, subject, wish->feed);
    if (*out)
        return 0;
    stream = calloc(1, sizeof *stream);
    if (!stream)
        return -ENOMEM;
    stream->is_text = wish->feed == FEED_EVENTSOURCE || wish->feed == FEED_TEXT;
    rc = colony__channel_new(&stream->channel, connection->server,
                             &(struct colony__channel_options){.subject = subject,
                                                               .feed = wish->feed,
                                                               .is_raw = true,
                                                               .unit = "bytes",
                                                               .closed = on_unfollowed,
                                                               .data = stream});
    if (rc == 0)
        rc = colony_engine_follow_output(colony__connection_engine(connection),
                                         &(struct colony_output_wish){wish->id, wish->label,
                                                                      on_output, stream,
                                                                      wish->may_be_silent},
                                         &stream->output);
    if (rc == 0) {
        *out = stream->channel;
        return 0;
    }
    if (stream->channel)
        colony__channel_free(stream->channel);
    free(stream);
    return rc;
}

int colony__stream_parse_id(const struct colony__request *request, uint64_t *id,
                            struct colony_error *err)
{
    unsigned long long number;

    if (colony__parse_number(request->args[0], UINT64_MAX, &number) == 0) {
        *id = number;
        return 0;
    }
    return colony_fail(err, -EINVAL, "cannot use '%.64s' as the id of a process: a number",
                       request->args[0]);
}

int colony__stream_open(struct colony__channel **out, struct colony__connection *connection,
                        const struct colony__stream_wish *wish, struct colony_error *err)
{
    int rc = wish->label && strlen(wish->label) > COLONY_LABEL_MAX
                 ? -EINVAL
                 : open_channel(out, connection, wish);

    if (rc == 0)
        return 0;
    if (rc == -ENOENT)
        return colony_fail(err, rc, "cannot find the process %" PRIu64 ": no such id runs",
                           wish->id);
    if (rc == -ESRCH)
        return colony_fail(err, rc, "cannot follow the process %" PRIu64 ": its '%s' is closed",
                           wish->id, wish->label);
    if (rc != -ENOTSUP && rc != -EINVAL)
        return colony_fail_os(err, rc, "cannot follow the process %" PRIu64, wish->id);
    if (rc == -ENOTSUP)
        colony__respond_failure(connection, 400, "io_not_redirected",
                                "cannot follow its output: set redirect_output, and no log: none "
                                "or direct, or custom_streams");
    else
        colony__respond_failure(connection, 404, "io_not_found",
                                "cannot follow this output: neither redirect_output nor "
                                "custom_streams has such a label");
    return 1;
}

int colony__get_stream(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    static const struct colony__feed_defaults defaults = {.feed = FEED_LONGPOLL, .is_silent = true};
    /* curl and browsers make `/streams/ID/` of `/streams/ID/.` */
    const char *label = request->args[1] ? request->args[1] : ".";
    struct colony__channel *channel = NULL;
    struct colony__feed_wish wish = {0};
    uint64_t id = 0;
    int rc = colony__stream_parse_id(request, &id, err);

    if (rc == 0)
        rc = colony__feed_parse(request, &defaults, &wish, err);
    if (rc == 0)
        rc = colony__stream_open(&channel, connection,
                                 &(struct colony__stream_wish){id, label, wish.feed, false}, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = colony__channel_follow(channel, connection, &wish, NULL, NULL);
    return rc < 0 ? colony_fail_os(err, rc, "cannot follow the process %" PRIu64, id) : 0;
}

/* Input. One body that waits for room in the pipe. */
struct writing {
    struct colony__connection *connection;
    struct colony_input_write *job; /* NULL: it is over */
};

static void on_written(int rc, const char *why, void *data)
{
    struct writing *writing = data;
    struct colony_error err;

    writing->job = NULL;
    if (rc == 0) {
        (void)colony__respond_ok(writing->connection);
        return;
    }
    (void)colony_fail(&err, rc, "cannot write to it: %s; some of it may be read", why);
    colony__respond_error(writing->connection, &err);
}

static void on_closed(void *data)
{
    struct writing *writing = data;

    if (writing->job)
        colony_input_write_forget(writing->job);
    free(writing);
}

static const struct colony__source writing_source = {.closed = on_closed};

static int refuse_write(struct colony__connection *connection, int rc,
                        const struct colony_input_wish *wish, struct colony_error *err)
{
    const uint64_t id = wish->id;

    switch (rc) {
    case -EINVAL:
        return colony_fail(
            err, -ENOENT, "cannot write to '%.64s': only to stdin and custom_streams", wish->label);
    case -EPERM:
        colony__respond_failure(connection, 403, "forbidden_write",
                                "cannot write to its stdin: its template does not say "
                                "redirect_input: true");
        return 0;
    case -EAGAIN:
        connection->retry_after_s = 1;
        return colony_fail(err, rc,
                           "cannot write to the process %" PRIu64 ": too much waits already "
                           "until it reads: try again",
                           id);
    case -ENOENT:
        return colony_fail(err, rc, "cannot find the process %" PRIu64 ": no such id runs", id);
    case -ESRCH:
        return colony_fail(err, rc, "cannot write to the process %" PRIu64 ": its %.64s is closed",
                           id, wish->label);
    default:
        return colony_fail_os(err, rc, "cannot write to the process %" PRIu64, id);
    }
}

int colony__post_stream(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err)
{
    struct colony_input_wish wish = {.label = request->args[1],
                                     .bytes = request->body ? request->body : "",
                                     .size = request->body_size,
                                     .cb = on_written};
    struct writing *writing;
    int rc = colony__stream_parse_id(request, &wish.id, err);

    if (rc < 0)
        return rc;
    writing = calloc(1, sizeof *writing);
    if (!writing)
        return colony_fail_os(err, -ENOMEM, "cannot write to the process %" PRIu64, wish.id);
    writing->connection = connection;
    wish.data = writing;
    rc = colony_engine_write_input(colony__connection_engine(connection), &wish, &writing->job);
    if (rc == 0) {
        colony__connection_set_source(connection, &writing_source, writing);
        return 0;
    }
    free(writing);
    return rc > 0 ? colony__respond_ok(connection) : refuse_write(connection, rc, &wish, err);
}
