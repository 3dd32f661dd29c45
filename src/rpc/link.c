/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/link_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <uv.h>

#include "rpc/zmtp_internal.h"

enum {
    READ_BYTES = 64 << 10,
    KEEPALIVE_S = 60,
};

struct end {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } wire;
    uv_write_t write;
    char *writing; /* NULL: nothing is being written to it */
    bool is_closed;
};

struct colony__rpc_link {
    struct colony__rpc_link_options options;
    struct end outer;
    struct end inner;
    struct colony__zmtp zmtp;
    uint64_t unfinished; /* bytes */
    bool is_ending;      /* once what is being written is */
    bool is_silent;      /* nobody is told of its end: it never began */
};

static void on_closed(uv_handle_t *handle)
{
    struct colony__rpc_link *link = handle->data;
    struct end *end = handle == &link->outer.wire.handle ? &link->outer : &link->inner;

    end->is_closed = true;
    if (!link->outer.is_closed || !link->inner.is_closed)
        return;
    if (!link->is_silent)
        link->options.closed(link, link->options.data);
    free(link);
}

void colony__rpc_link_close(struct colony__rpc_link *link)
{
    if (!uv_is_closing(&link->outer.wire.handle))
        uv_close(&link->outer.wire.handle, on_closed);
    if (!uv_is_closing(&link->inner.wire.handle))
        uv_close(&link->inner.wire.handle, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    buffer->base = malloc(READ_BYTES);
    buffer->len = buffer->base ? READ_BYTES : 0; /* 0: the read ends with ENOBUFS */
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer);

static void on_written(uv_write_t *write, int status)
{
    struct end *to = write->data;
    struct colony__rpc_link *link = to->wire.handle.data;
    struct end *from = to == &link->outer ? &link->inner : &link->outer;

    free(to->writing);
    to->writing = NULL;
    if (uv_is_closing(&to->wire.handle))
        return;
    if (status < 0 || link->is_ending || uv_read_start(&from->wire.stream, on_alloc, on_read) < 0)
        colony__rpc_link_close(link);
}

/* What @to does not take at once is written later, and nothing more is read before. */
static int pass_on(struct end *from, struct end *to, char *bytes, size_t size)
{
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)size);
    int taken = uv_try_write(&to->wire.stream, &buffer, 1);
    int rc;

    if (taken == (int)size || (taken < 0 && taken != UV_EAGAIN)) {
        free(bytes);
        return taken < 0 ? taken : 0;
    }
    buffer = uv_buf_init(bytes + (taken > 0 ? taken : 0),
                         (unsigned)(size - (size_t)(taken > 0 ? taken : 0)));
    to->writing = bytes;
    to->write.data = to;
    rc = uv_write(&to->write, &to->wire.stream, &buffer, 1, on_written);
    if (rc < 0) {
        free(bytes);
        to->writing = NULL;
        return rc;
    }
    return uv_read_stop(&from->wire.stream);
}

/* What is too large ends at libzmq, which hangs up, after what came before it. */
static void check_size(struct colony__rpc_link *link, const char *bytes, size_t size)
{
    const struct colony__rpc_link_options *options = &link->options;
    uint64_t found =
        colony__zmtp_read(&link->zmtp, (const unsigned char *)bytes, size, options->message_max);

    if (found == 0)
        return;
    link->zmtp.is_unknown = true;
    options->too_large(found, options->data);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct colony__rpc_link *link = stream->data;
    bool is_outer = stream == &link->outer.wire.stream;
    struct end *from = is_outer ? &link->outer : &link->inner;
    struct end *to = is_outer ? &link->inner : &link->outer;

    if (got <= 0)
        free(buffer->base);
    if (got == 0)
        return;
    if (got < 0 && to->writing) {
        (void)uv_read_stop(stream);
        link->is_ending = true;
        return;
    }
    if (is_outer && got > 0) {
        link->unfinished += (uint64_t)got;
        check_size(link, buffer->base, (size_t)got);
    }
    if (got > 0 && pass_on(from, to, buffer->base, (size_t)got) == 0) {
        if (link->unfinished <= link->options.unfinished_max)
            return;
        link->options.too_large(link->unfinished, link->options.data);
    }
    colony__rpc_link_close(link);
}

static int open_ends(struct colony__rpc_link *link)
{
    const struct colony__rpc_link_options *options = &link->options;
    int rc = uv_pipe_open(&link->inner.wire.pipe, options->inner_fd);

    if (rc == 0)
        link->options.inner_fd = -1;
    if (rc == 0)
        rc = options->is_unix ? uv_pipe_open(&link->outer.wire.pipe, options->outer_fd)
                              : uv_tcp_open(&link->outer.wire.tcp, options->outer_fd);
    if (rc == 0)
        link->options.outer_fd = -1;
    if (rc == 0 && !options->is_unix) {
        (void)uv_tcp_nodelay(&link->outer.wire.tcp, 1);
        (void)uv_tcp_keepalive(&link->outer.wire.tcp, 1, KEEPALIVE_S);
    }
    if (rc == 0)
        rc = uv_read_start(&link->outer.wire.stream, on_alloc, on_read);
    return rc < 0 ? rc : uv_read_start(&link->inner.wire.stream, on_alloc, on_read);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

int colony__rpc_link_new(struct colony__rpc_link **out,
                         const struct colony__rpc_link_options *options)
{
    struct colony__rpc_link *link = calloc(1, sizeof *link);
    int rc;

    if (!link) {
        close_fd(options->outer_fd);
        close_fd(options->inner_fd);
        return -ENOMEM;
    }
    link->options = *options;
    (void)uv_pipe_init(options->loop, &link->inner.wire.pipe, 0); /* neither can fail */
    if (options->is_unix)
        (void)uv_pipe_init(options->loop, &link->outer.wire.pipe, 0);
    else
        (void)uv_tcp_init(options->loop, &link->outer.wire.tcp);
    link->outer.wire.handle.data = link;
    link->inner.wire.handle.data = link;
    rc = open_ends(link);
    if (rc == 0) {
        *out = link;
        return 0;
    }
    close_fd(link->options.outer_fd);
    close_fd(link->options.inner_fd);
    link->is_silent = true;
    colony__rpc_link_close(link);
    return rc;
}

uint64_t colony__rpc_link_number(const struct colony__rpc_link *link)
{
    return link->options.number;
}

void colony__rpc_link_on_message(struct colony__rpc_link *link)
{
    link->unfinished = 0;
}
