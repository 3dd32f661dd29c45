/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /_plugin/NAME/…: files of site plugins.
 *
 * A worker thread opens the file and reads a block at a time; the next one is read when the last
 * was sent. So a file of any size takes one block of memory, and no disk holds up the loop.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/plugins_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/error.h"
#include "core/template.h"

enum {
    BLOCK_SIZE = 65536,
    PATH_BYTES_MAX = 4096,
    LINES_MAX = 1024,
    FIRST_SEGMENT = 2, /* of the path in the site, after _plugin and its name */
};

/* What its pages may do: speak to this colony, with scripts that are files of theirs. */
#define SECURITY_LINES                                                                             \
    "X-Content-Type-Options: nosniff\r\n"                                                          \
    "Content-Security-Policy: default-src 'self'; style-src 'self' 'unsafe-inline'; "              \
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "               \
    "frame-ancestors 'none'\r\n"                                                                   \
    "Referrer-Policy: no-referrer\r\n"

/* One request. Lives until the connection and the worker have both let go. */
struct sending {
    struct colony__server *server;
    struct colony__connection *connection; /* NULL: it has gone */
    uv_work_t work;
    bool is_working;
    bool is_sending;
    bool is_open;
    bool is_folder;
    bool has_slash;
    int fd; /* or why there is none */
    struct stat info;
    uint64_t offset;
    ssize_t got; /* bytes in the block, or a negative errno */
    char name[COLONY_NAME_MAX + 1];
    char path[PATH_BYTES_MAX];
    char block[BLOCK_SIZE];
};

static void release(struct sending *sending)
{
    struct colony__server *server = sending->server;

    if (sending->connection || sending->is_working)
        return;
    if (sending->fd >= 0)
        (void)close(sending->fd);
    free(sending);
    colony__server_release(server);
}

/* The worker. */

static void on_work(uv_work_t *work)
{
    struct sending *sending = work->data;

    if (!sending->is_open) {
        sending->is_open = true;
        sending->fd = colony__plugin_open(sending->server->plugins, sending->name, sending->path,
                                          &sending->info, &sending->is_folder);
    }
    sending->got = 0;
    if (sending->fd < 0)
        return;
    sending->got = pread(sending->fd, sending->block, BLOCK_SIZE, (off_t)sending->offset);
    if (sending->got < 0)
        sending->got = -errno;
}

/* The loop. */

static void on_worked(uv_work_t *work, int status);

static int read_on(struct sending *sending)
{
    int rc = uv_queue_work(sending->server->loop, &sending->work, on_work, on_worked);

    sending->is_working = rc == 0;
    return rc;
}

/* The next block, once the last one is sent and there is one. May be the end of it. */
static void go_on(struct sending *sending)
{
    if (sending->is_working || sending->is_sending || !sending->connection->is_begun ||
        sending->offset == (uint64_t)sending->info.st_size)
        return;
    if (read_on(sending) < 0)
        colony__connection_close(sending->connection);
}

static void on_writable(struct colony__connection *connection, void *data)
{
    struct sending *sending = data;

    (void)connection;
    sending->is_sending = false;
    go_on(sending);
}

static void on_closed(void *data)
{
    struct sending *sending = data;

    sending->connection = NULL;
    release(sending);
}

static const struct colony__source file_source = {.writable = on_writable, .closed = on_closed};

/* Needs no escape in an URL. */
static bool is_plain(int byte)
{
    return isalnum(byte) || byte == '-' || byte == '_' || byte == '.';
}

/* To the same with a slash at its end, from where links in its index lead to its files. */
static void redirect(struct sending *sending)
{
    const char *last = strrchr(sending->path, '/');
    char lines[LINES_MAX] = "Location: ./";
    size_t used = strlen(lines);

    last = last ? last + 1 : sending->path;
    if (*sending->path == '\0')
        last = sending->name;
    for (; *last != '\0' && used + sizeof "%XX/\r\n" < sizeof lines; last++)
        used += (size_t)snprintf(lines + used, sizeof lines - used,
                                 is_plain((unsigned char)*last) ? "%c" : "%%%02X",
                                 (unsigned char)*last);
    (void)snprintf(lines + used, sizeof lines - used, "/\r\n");
    (void)colony__stream_begin_sized(
        sending->connection, &(const struct colony__sized_head){.status = 301, .lines = lines},
        &file_source, sending);
}

/* The head; then what has been read already. */
static void begin(struct sending *sending)
{
    const char *known =
        colony__request_header(&sending->connection->parser.request, "If-None-Match", NULL);
    const char *type =
        sending->is_folder ? "text/html; charset=utf-8" : colony__plugin_type(sending->path);
    char etag[COLONY__ETAG_MAX];
    char lines[LINES_MAX];
    bool is_known;

    colony__plugin_etag(etag, &sending->info);
    is_known = colony__plugin_is_known(known, etag);
    (void)snprintf(lines, sizeof lines, "ETag: %s\r\nCache-Control: no-cache\r\n" SECURITY_LINES,
                   etag);
    if (!colony__stream_begin_sized(sending->connection,
                                    &(const struct colony__sized_head){
                                        .status = is_known ? 304 : 200,
                                        .type = is_known ? NULL : type,
                                        .lines = lines,
                                        .size = is_known ? 0 : (uint64_t)sending->info.st_size},
                                    &file_source, sending))
        sending->offset = (uint64_t)sending->info.st_size; /* nothing more is read */
}

/* No more than was promised, and not less: one that was cut short meanwhile ends the connection. */
static void send_block(struct sending *sending)
{
    struct colony__connection *connection = sending->connection;
    uint64_t left = (uint64_t)sending->info.st_size - sending->offset;
    size_t size = (size_t)sending->got;

    if (left == 0)
        return;
    if (sending->got <= 0) {
        colony__connection_close(connection);
        return;
    }
    if (size > left)
        size = (size_t)left;
    sending->offset += size;
    sending->is_sending = true; /* then it is told that it is writable */
    colony__stream_write(connection, sending->block, size);
    if (size == left && sending->connection)
        colony__stream_end(connection);
}

static void answer(struct sending *sending, int rc)
{
    struct colony_error err;

    if (rc < 0) {
        (void)colony_fail_os(&err, rc, "cannot show this file");
        colony__connection_set_source(sending->connection, &file_source, sending);
        colony__respond_error(sending->connection, &err);
    } else if (sending->is_folder && !sending->has_slash) {
        redirect(sending);
    } else {
        begin(sending);
        if (sending->connection)
            send_block(sending);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct sending *sending = work->data;
    int rc = status < 0 ? status : sending->fd < 0 ? sending->fd : 0;

    /* is_working stays set until the end, so that this outlives what is called here. */
    if (sending->connection && sending->connection->is_begun)
        send_block(sending);
    else if (sending->connection && rc == 0 && sending->got < 0)
        answer(sending, (int)sending->got);
    else if (sending->connection && rc == 0 && !sending->is_folder && sending->has_slash)
        answer(sending, -ENOENT);
    else if (sending->connection)
        answer(sending, rc);
    sending->is_working = false;
    if (sending->connection)
        go_on(sending);
    else
        release(sending);
}

/* The path in the site. False: there can be no such file; what begins with a dot is nobody's. */
static bool join_path(struct sending *sending, const struct colony__request *request)
{
    size_t used = 0;

    for (size_t i = FIRST_SEGMENT; i < request->segment_count; i++) {
        const char *segment = request->segments[i];
        size_t length = strlen(segment);

        if (*segment == '.' || strchr(segment, '/') || used + length + 2 > PATH_BYTES_MAX)
            return false;
        if (used > 0)
            sending->path[used++] = '/';
        memcpy(sending->path + used, segment, length + 1);
        used += length;
    }
    return true;
}

int colony__get_plugin(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err)
{
    struct colony__server *server = connection->server;
    const char *name = request->args[0];
    struct sending *sending;
    int rc;

    if (!server->plugins || *name == '.' || colony_name_check(name, NULL) < 0)
        return colony_fail(err, -ENOENT, "cannot find this path: there is no such plugin");
    sending = calloc(1, sizeof *sending);
    if (!sending)
        return colony_fail_os(err, -ENOMEM, "cannot show this file");
    sending->server = server;
    sending->fd = -1;
    sending->work.data = sending;
    sending->has_slash = request->has_slash;
    /* A site is a folder: it may be asked for without its slash. */
    (void)snprintf(sending->name, sizeof sending->name, "%s", name);
    rc = join_path(sending, request) ? read_on(sending) : -ENOENT;
    if (rc < 0) {
        free(sending);
        return colony_fail_os(err, rc, "cannot show this file");
    }
    sending->connection = connection;
    colony__server_hold(server);
    colony__connection_set_source(connection, &file_source, sending);
    return 0;
}
