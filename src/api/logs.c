/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /logs/NAME: the last lines of the slots' logs, slot by slot, then what is appended.
 *
 * A feed reads a block in a worker thread, sends it, and reads on when it was sent: whoever reads
 * slowly lags behind in the files, and nothing is kept for him. While a worker has a slot, the
 * loop does not touch it, nor `out`.
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/log_place_internal.h"
#include "api/logfile_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/template.h"

enum {
    LINES_DEFAULT = 100,
    LINES_MAX = 100000,
    FOLLOWED_MAX = 64, /* slots; each keeps a file open */
    BLOCK_SIZE = 65536,
    PREFIXED_BLOCK_SIZE = 8192, /* short lines grow by their prefix */
    POLL_MS = 500,              /* where the folder cannot be watched */
    PREFIX_MAX = COLONY_NAME_MAX + 16,
    OUT_MAX = 16 * 1024 * 1024,
    FOLDERS_MAX = 2,
};

struct log_slot {
    struct colony__logfile file;
    const char *base; /* of the path */
    struct colony__log_place place;
    bool is_resumed; /* from there, not from its last lines */
    bool is_sought;
    bool is_dirty; /* there may be more to read */
    struct colony__buffer carry;
};

struct feed {
    struct colony__server *server;
    struct colony__connection *connection; /* NULL: it has gone */
    uv_work_t work;
    uv_fs_event_t watches[FOLDERS_MAX];
    struct log_slot *slots;
    size_t slot_count;
    size_t current; /* the slot being read */
    uint64_t lines;
    bool follows;
    bool has_prefix;
    bool has_places; /* each piece is told with where it ends */
    bool is_tail;    /* still showing what was there when it was asked for */
    bool is_working; /* a worker has the current slot */
    bool is_sending;
    bool is_begun; /* the head of the answer is sent */
    bool is_watching;
    unsigned watch_count; /* of `watches`, handles of the loop */
    int rc;               /* of the worker */
    struct colony__buffer out;
    char name[COLONY_NAME_MAX + 1];
};

/* What a request asks for. */
struct wish {
    uint64_t lines;
    unsigned long long slot; /* 0: all */
    const char *from;        /* places where another answer ended, or NULL */
    bool follows;
    bool has_places;
};

/* Slot numbers of a template. */
struct numbers {
    uint32_t *list;
    size_t count;
    size_t capacity;
};

static void feed_free(struct feed *feed)
{
    for (size_t i = 0; feed->slots && i < feed->slot_count; i++) {
        colony__logfile_clear(&feed->slots[i].file);
        colony__buffer_clear(&feed->slots[i].carry);
    }
    free(feed->slots);
    colony__buffer_clear(&feed->out);
    free(feed);
}

/* Once the connection, the worker and the loop have all let go. */
static void feed_release(struct feed *feed)
{
    struct colony__server *server = feed->server;

    if (feed->connection || feed->is_working || feed->watch_count > 0)
        return;
    feed_free(feed);
    colony__server_release(server);
}

static int tell_gap(struct feed *feed, struct log_slot *slot, const char *prefix)
{
    static const char gap[] =
        "[colony: lines are missing here: this log was rotated away before it was read]\n";
    int rc = colony__lines_flush(&feed->out, &slot->carry, prefix);

    slot->file.has_gap = false;
    if (rc == 0)
        rc = colony__buffer_append(&feed->out, prefix, strlen(prefix), OUT_MAX);
    return rc < 0 ? rc : colony__buffer_append(&feed->out, gap, sizeof gap - 1, OUT_MAX);
}

/* Reads until there is something to send. Returns 0 with nothing at the end of what there is. */
static int fill(struct feed *feed, struct log_slot *slot)
{
    char block[BLOCK_SIZE];
    char prefix[PREFIX_MAX] = "";
    size_t size = feed->has_prefix ? PREFIXED_BLOCK_SIZE : BLOCK_SIZE;
    ssize_t got = 1;
    int rc = 0;

    if (feed->has_prefix)
        (void)snprintf(prefix, sizeof prefix, "%s.%u: ", feed->name, slot->place.slot);
    while (rc == 0 && got > 0 && feed->out.size == 0) {
        got = colony__logfile_read(&slot->file, block, size);
        if (got < 0)
            return (int)got;
        if (slot->file.has_gap)
            rc = tell_gap(feed, slot, prefix);
        if (rc == 0 && feed->has_prefix)
            rc = colony__lines_prefix(&feed->out, &slot->carry, prefix, block, (size_t)got);
        else if (rc == 0)
            rc = colony__buffer_append(&feed->out, block, (size_t)got, OUT_MAX);
    }
    if (rc == 0 && feed->out.size == 0 && !feed->follows)
        rc = colony__lines_flush(&feed->out, &slot->carry, prefix);
    return rc;
}

/* Puts the place where it ends before what was read; of no bytes: the place alone. */
static int tell_place(struct feed *feed, struct log_slot *slot)
{
    char text[COLONY__LOG_PLACE_MAX];
    struct colony__buffer framed = {0};
    size_t size;
    int rc;

    colony__log_place_set(&slot->place, &slot->file, slot->carry.size);
    size = colony__log_place_write(&slot->place, feed->out.size, text);
    rc = colony__buffer_append(&framed, text, size, OUT_MAX);
    if (rc == 0 && feed->out.size > 0)
        rc = colony__buffer_append(&framed, feed->out.data, feed->out.size, OUT_MAX + sizeof text);
    if (rc < 0) {
        colony__buffer_clear(&framed);
        return rc;
    }
    colony__buffer_clear(&feed->out);
    feed->out = framed;
    return 0;
}

/* To where it is to be read from. What was there is known to the client from now on, even if
 * nothing comes of it. */
static int seek(struct feed *feed, struct log_slot *slot)
{
    const struct colony__log_place *place = &slot->place;
    int rc;

    slot->is_sought = true;
    if (slot->is_resumed)
        rc = colony__logfile_resume(&slot->file, (dev_t)place->device, (ino_t)place->inode,
                                    place->offset);
    else
        rc = colony__logfile_seek(&slot->file, feed->lines);
    return rc == 0 && feed->has_places ? tell_place(feed, slot) : rc;
}

static const struct colony__source log_source;
static const struct colony__source follow_source;

/* An answer of which nothing was sent is one that says why; one that has begun is cut off. */
static void fail(struct feed *feed, int rc)
{
    struct colony_error err;

    if (feed->is_begun) {
        colony__connection_close(feed->connection);
        return;
    }
    (void)colony_fail_os(&err, rc, "cannot read %s", feed->slots[feed->current].file.path);
    feed->is_sending = true; /* no more is read */
    colony__respond_error(feed->connection, &err);
}

/* The head of the answer. False: that is all of it. */
static bool begin(struct feed *feed)
{
    if (feed->is_begun)
        return true;
    feed->is_begun = true;
    feed->is_sending = true; /* then it is told that it is writable */
    return colony__stream_begin(feed->connection, "text/plain; charset=utf-8",
                                feed->follows ? &follow_source : &log_source, feed);
}

static void on_work(uv_work_t *work)
{
    struct feed *feed = work->data;
    struct log_slot *slot = &feed->slots[feed->current];

    feed->rc = 0;
    if (!slot->is_sought)
        feed->rc = seek(feed, slot);
    if (feed->rc < 0 || feed->out.size > 0)
        return;
    feed->rc = fill(feed, slot);
    if (feed->rc == 0 && feed->has_places && feed->out.size > 0)
        feed->rc = tell_place(feed, slot);
}

static void on_worked(uv_work_t *work, int status);

static void read_current(struct feed *feed)
{
    feed->slots[feed->current].is_dirty = false; /* from here on a change counts again */
    feed->is_working = true;
    if (uv_queue_work(feed->server->loop, &feed->work, on_work, on_worked) < 0) {
        feed->is_working = false;
        colony__connection_close(feed->connection);
    }
}

/* True when a slot is left to be read; it is then the current one. */
static bool pick_slot(struct feed *feed)
{
    for (size_t i = 1; i <= feed->slot_count; i++) {
        size_t index = (feed->current + i) % feed->slot_count;

        if (feed->slots[index].is_dirty) {
            feed->current = index;
            return true;
        }
    }
    return false;
}

/* The current slot has been shown to its end: on with the next, or with what is appended. */
static void end_slot(struct feed *feed)
{
    if (!feed->follows)
        colony__logfile_clear(&feed->slots[feed->current].file);
    if (++feed->current < feed->slot_count)
        return;
    feed->current = 0;
    feed->is_tail = false;
    for (size_t i = 0; i < feed->slot_count; i++) {
        feed->slots[i].file.has_end = false;
        feed->slots[i].is_dirty = true;
    }
}

static void end(struct feed *feed)
{
    if (begin(feed))
        colony__stream_end(feed->connection);
}

static void read_on(struct feed *feed)
{
    if (!feed->connection || feed->is_working || feed->is_sending)
        return;
    if (feed->is_tail || (feed->follows && pick_slot(feed)))
        read_current(feed);
    else if (!feed->follows)
        end(feed);
    else if (!feed->is_watching)
        colony__connection_set_timeout(feed->connection, POLL_MS);
}

static void on_worked(uv_work_t *work, int status)
{
    struct feed *feed = work->data;

    /* is_working stays set until the end, so that the feed outlives what is called here. */
    if (feed->connection && (status < 0 || feed->rc < 0)) {
        fail(feed, status < 0 ? status : feed->rc);
    } else if (feed->connection && feed->out.size > 0) {
        feed->slots[feed->current].is_dirty = true; /* there may be more */
        feed->is_sending = true;
        if (begin(feed))
            colony__stream_write(feed->connection, feed->out.data, feed->out.size);
        colony__buffer_reset(&feed->out);
    } else if (feed->connection && feed->is_tail) {
        end_slot(feed);
    }
    feed->is_working = false;
    if (feed->connection)
        read_on(feed);
    else
        feed_release(feed);
}

static void on_changed(uv_fs_event_t *watch, const char *base, int events, int status)
{
    struct feed *feed = watch->data;

    (void)events;
    for (size_t i = 0; i < feed->slot_count; i++)
        if (status < 0 || !base || strcmp(base, feed->slots[i].base) == 0)
            feed->slots[i].is_dirty = true;
    read_on(feed);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct feed *feed = handle->data;

    feed->watch_count--;
    feed_release(feed);
}

static void on_writable(struct colony__connection *connection, void *data)
{
    struct feed *feed = data;

    (void)connection;
    feed->is_sending = false;
    read_on(feed);
}

static void on_poll(struct colony__connection *connection, void *data)
{
    struct feed *feed = data;

    (void)connection;
    for (size_t i = 0; i < feed->slot_count; i++)
        feed->slots[i].is_dirty = true;
    read_on(feed);
}

static void on_closed(void *data)
{
    struct feed *feed = data;

    feed->connection = NULL;
    for (unsigned i = 0; i < feed->watch_count; i++)
        uv_close((uv_handle_t *)&feed->watches[i], on_watch_closed);
    feed_release(feed);
}

static const struct colony__source log_source = {
    .writable = on_writable,
    .closed = on_closed,
};

static const struct colony__source follow_source = {
    .writable = on_writable,
    .timed_out = on_poll,
    .closed = on_closed,
    .is_patient = true,
};

static bool watch_folder_of(struct feed *feed, const char *path)
{
    uv_fs_event_t *watch = &feed->watches[feed->watch_count];
    char *folder = path ? strdup(path) : NULL;
    bool is_watching = false;

    if (!folder)
        return false;
    if (uv_fs_event_init(feed->server->loop, watch) == 0) {
        feed->watch_count++;
        watch->data = feed;
        is_watching = uv_fs_event_start(watch, on_changed, dirname(folder), 0) == 0;
    }
    free(folder);
    return is_watching;
}

static bool is_in_same_folder(const struct log_slot *left, const struct log_slot *right)
{
    size_t length = (size_t)(left->base - left->file.path);

    return length == (size_t)(right->base - right->file.path) &&
           strncmp(left->file.path, right->file.path, length) == 0;
}

/* One watch on a folder tells of all its files, also of those that are still to come. All slots
 * have theirs in the same one or, of stdout and of stderr, the same two. */
static void watch_folders(struct feed *feed)
{
    feed->is_watching = watch_folder_of(feed, feed->slots[0].file.path);
    if (feed->is_watching && feed->slot_count > 1 &&
        !is_in_same_folder(&feed->slots[0], &feed->slots[1]))
        feed->is_watching = watch_folder_of(feed, feed->slots[1].file.path);
}

static int parse_wish(struct wish *wish, const struct colony__request *request,
                      struct colony_error *err)
{
    const char *lines = colony__request_query(request, "lines");
    const char *slot = colony__request_query(request, "slot");
    unsigned long long count = LINES_DEFAULT;

    wish->slot = 0;
    if (lines && strcmp(lines, "all") != 0 && colony__parse_number(lines, LINES_MAX, &count) < 0)
        return colony_fail(err, -EINVAL, "cannot show '%s' lines: a number up to %d, or all", lines,
                           LINES_MAX);
    wish->lines = lines && strcmp(lines, "all") == 0 ? COLONY__LINES_ALL : count;
    if (slot && (colony__parse_number(slot, UINT32_MAX, &wish->slot) < 0 || wish->slot == 0))
        return colony_fail(err, -EINVAL, "cannot show slot '%s': a number from 1", slot);
    wish->from = colony__request_query(request, "from");
    if (colony__request_query_bool(request, "follow", &wish->follows, err) < 0 ||
        colony__request_query_bool(request, "places", &wish->has_places, err) < 0)
        return -EINVAL;
    return 0;
}

static void add_number(const struct colony_slot_info *info, void *data)
{
    struct numbers *numbers = data;

    if (numbers->count < numbers->capacity)
        numbers->list[numbers->count] = info->slot;
    numbers->count++;
}

static int list_slots(struct numbers *numbers, struct colony_engine *engine, const char *name,
                      const struct wish *wish)
{
    if (wish->slot == 0)
        (void)colony_engine_each_slot(engine, name, add_number, numbers);
    else
        numbers->count = 1;
    numbers->capacity = numbers->count;
    numbers->list = calloc(numbers->count + 1, sizeof *numbers->list);
    if (!numbers->list)
        return -ENOMEM;
    numbers->count = 0;
    if (wish->slot == 0)
        (void)colony_engine_each_slot(engine, name, add_number, numbers);
    else
        numbers->list[numbers->count++] = (uint32_t)wish->slot;
    return 0;
}

static const char *base_of(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path;
}

/* Where in @from, which may be NULL, @slot goes on. */
static int resume(struct log_slot *slot, const char *from)
{
    int rc = from ? colony__log_place_find(&slot->place, from) : -ENOENT;

    slot->is_resumed = rc == 0;
    return rc == -ENOENT ? 0 : rc;
}

static int add_file(struct feed *feed, const char *path, const struct colony__log_place *place,
                    uint32_t rotated_max, const char *from)
{
    struct log_slot *slot = &feed->slots[feed->slot_count];
    int rc = colony__logfile_init(&slot->file, path, rotated_max);

    if (rc < 0)
        return rc;
    feed->slot_count++;
    slot->place = *place;
    slot->base = base_of(slot->file.path);
    return resume(slot, from);
}

/* Files that settings name are those of all slots. */
static bool is_there(const struct feed *feed, const char *path)
{
    for (size_t i = 0; i < feed->slot_count && i < FOLDERS_MAX; i++)
        if (feed->slots[i].file.path && strcmp(feed->slots[i].file.path, path) == 0)
            return true;
    return false;
}

/* NOLINTNEXTLINE(readability-function-size): what is followed, of whom, from where */
static int add_slots(struct feed *feed, struct colony_engine *engine,
                     const struct colony_template *template, const struct numbers *numbers,
                     const char *from, struct colony_error *err)
{
    feed->slots = calloc(2 * numbers->count + 1, sizeof *feed->slots); /* stderr may have its own */
    if (!feed->slots)
        return colony_fail_os(err, -ENOMEM, "cannot show the log of %s", template->name);
    for (size_t i = 0; i < numbers->count; i++) {
        struct colony__log_place place = {.slot = numbers->list[i]};
        char path[PATH_MAX];
        int rc =
            colony_engine_log_path(engine, template->name, numbers->list[i], path, sizeof path);

        if (rc == -ENOTSUP)
            return colony_fail(err, -EBUSY, "cannot show the log of %s: its settings say log: none",
                               template->name);
        if (rc == -ENOENT)
            return colony_fail(err, rc, "cannot show the log of %s: it has no slot %u",
                               template->name, numbers->list[i]);
        if (rc == 0 && !is_there(feed, path))
            rc = add_file(feed, path, &place, template->log.count, from);
        place.is_error = true;
        if (rc == 0 &&
            colony_engine_error_log_path(engine, template->name, numbers->list[i], path,
                                         sizeof path) == 0 &&
            !is_there(feed, path))
            rc = add_file(feed, path, &place, template->log.count, from);
        if (rc == -EINVAL)
            return colony_fail(err, rc, "cannot show the log of %s: from= is no list of places",
                               template->name);
        if (rc < 0)
            return colony_fail_os(err, rc, "cannot show the log of %s", template->name);
    }
    feed->has_prefix = numbers->count > 1;
    feed->is_tail = feed->slot_count > 0;
    if (feed->follows && feed->slot_count > FOLLOWED_MAX)
        return colony_fail(
            err, -EINVAL, "cannot follow over %d slots at once: choose one by slot=", FOLLOWED_MAX);
    return 0;
}

static int feed_new(struct feed **out, struct colony__connection *connection,
                    const struct colony_template *template, const struct wish *wish,
                    struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct numbers numbers = {0};
    struct feed *feed = calloc(1, sizeof *feed);
    int rc = feed ? list_slots(&numbers, engine, template->name, wish) : -ENOMEM;

    if (rc < 0) {
        (void)colony_fail_os(err, rc, "cannot show the log of %s", template->name);
        goto out;
    }
    feed->server = connection->server;
    feed->connection = connection;
    feed->work.data = feed;
    feed->lines = wish->lines;
    feed->follows = wish->follows;
    feed->has_places = wish->has_places;
    (void)snprintf(feed->name, sizeof feed->name, "%s", template->name);
    rc = add_slots(feed, engine, template, &numbers, wish->from, err);
    if (rc < 0)
        goto out;
    *out = feed;
    feed = NULL;
out:
    free(numbers.list);
    if (feed)
        feed_free(feed);
    return rc;
}

int colony__get_logs(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err)
{
    struct colony_engine *engine = colony__connection_engine(connection);
    struct colony__target target = {0};
    struct feed *feed = NULL;
    struct wish wish = {0};
    int rc = parse_wish(&wish, request, err);

    if (rc == 0)
        rc = colony__target_find(&target, engine, request->args[0], err);
    if (rc == 0) /* sets feed */
        rc = feed_new(&feed, connection, colony_engine_find_template(engine, target.name), &wish,
                      err);
    if (rc < 0 || !feed)
        return rc;
    colony__server_hold(feed->server);
    if (!feed->follows) {
        colony__connection_set_source(connection, &log_source, feed);
        read_on(feed);
        return 0;
    }
    if (feed->slot_count > 0)
        watch_folders(feed); /* before the first look, so that nothing is missed */
    (void)begin(feed);
    return 0;
}
