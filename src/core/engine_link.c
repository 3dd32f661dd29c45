/* SPDX-License-Identifier: Apache-2.0 */
/* engine_link.c - what the keeper says, and how an engine carries on where another ended. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/forward.h"
#include "core/log.h"

struct inbox {
    struct colony_engine *engine;
    const struct colony_message *message;
    const int *fds;
    size_t fd_count;
    size_t fds_taken;
};

/* The next descriptor that came along, now the caller's; -1: no more. */
static int take_fd(struct inbox *in)
{
    return in->fds_taken < in->fd_count ? in->fds[in->fds_taken++] : -1;
}

/* The record a message is about, if the engine's table agrees. */
static const struct colony_record *record_of(const struct inbox *in)
{
    const struct colony_table *table = &in->engine->table;
    uint32_t index = in->message->index;

    if (!table->header || index >= table->header->capacity ||
        table->records[index].id != in->message->id)
        return NULL;
    return &table->records[index];
}

/* Of something that lives and that no settings know. NULL: out of memory. */
static struct colony_template *make_leaving_template(const struct colony_record *record)
{
    const char *settings = record->flags & RECORD_DETACHED
                               ? "{\"name\": \"unknown\", \"cmd\": \"-\", \"start\": false,"
                                 " \"detach\": true}"
                               : "{\"name\": \"unknown\", \"cmd\": \"-\", \"start\": false}";
    char name[COLONY_RECORD_NAME_SIZE]; /* which need not be one that templates may have */
    struct colony_template *plain = NULL;
    struct colony_template *template = NULL;
    struct colony_template changed;

    if (colony_template_restore(&plain, settings, NULL) < 0)
        return NULL;
    (void)snprintf(name, sizeof name, "%s", record->name);
    changed = *plain;
    changed.name = name;
    if (*name == *ENGINE_CHECK_MARK) /* whoever asked for it is gone */
        changed.grace_ms = 0;
    (void)colony_template_copy(&template, &changed);
    colony_template_free(plain);
    return template;
}

/* A place for it, until it is stopped. */
static struct template_entry *make_leaving_entry(struct colony_engine *engine,
                                                 const struct colony_record *record)
{
    struct colony_template *template = make_leaving_template(record);
    struct template_entry *entry = NULL;

    if (!template || engine_add_entry(engine, template, "", &entry) < 0) {
        colony_template_free(template);
        return NULL;
    }
    entry->is_removed = true;
    entry->is_check = *record->name == *ENGINE_CHECK_MARK;
    return entry;
}

/* The slot of a record; one that no settings know is made for as long as it lives. NULL: out of
 * memory. */
static struct slot *slot_for(struct colony_engine *engine, const struct colony_record *record)
{
    struct template_entry *entry = engine_find_entry(engine, record->name);
    struct slot *slot = entry ? engine_entry_slot(entry, record->slot) : NULL;

    if (slot)
        return slot;
    if (!entry)
        entry = make_leaving_entry(engine, record);
    if (!entry || engine_slot_new(&slot, entry, record->slot) < 0) {
        engine_give_up(engine, "cannot look after all processes: out of memory");
        return NULL;
    }
    entry->counts[SLOT_STOPPED]--;
    slot->is_leaving = true;
    return slot;
}

static struct slot *slot_of(const struct inbox *in)
{
    const struct colony_record *record = record_of(in);
    struct template_entry *entry = record ? engine_find_entry(in->engine, record->name) : NULL;

    return entry ? engine_entry_slot(entry, record->slot) : NULL;
}

/* Opens a log of a slot on the pipe @fd, which it takes over. */
static int open_log(struct slot *slot, bool is_error, int fd)
{
    struct colony_log **log = is_error ? &slot->error_log : &slot->log;
    const struct colony_template *template = slot->entry->template;
    struct colony_log_settings settings = template->log;
    char path[COLONY_LOG_PATH_MAX];
    struct colony_log_options options = {
        .path = path, .settings = &settings, .pipe_fd = fd, .owner = slot, .is_held = true};
    int rc = engine_slot_log_path(slot, is_error, path, sizeof path);

    settings.mode = LOG_CAPTURE; /* also of one that no settings know any more */
    if (rc == 0 && engine_is_forwarded(slot->entry))
        rc = colony_forward_init(&options, template->name,
                                 template->numprocesses == 1 ? 0 : slot->number);
    if (rc == 0)
        rc = colony_log_open(log, slot->entry->engine->logs, &options);
    if (rc < 0) {
        colony_forward_clear(&options);
        return rc;
    }
    rc = is_error ? 0 : engine_run_take_log(slot);
    if (slot->entry->engine->is_welcomed) /* else who follows it comes first */
        colony_log_release(*log);
    return rc;
}

/* The pipe of a slot has come: its log begins, or goes on with another pipe. */
static int take_log(struct slot *slot, bool is_error, int fd)
{
    struct colony_log **log = is_error ? &slot->error_log : &slot->log;
    int rc;

    if (*log)
        colony_log_close(*log);
    *log = NULL;
    rc = open_log(slot, is_error, fd);
    if (rc < 0 && !*log)
        (void)close(fd);
    return rc;
}

static int take_output(struct slot *slot, int fd)
{
    return take_log(slot, false, fd);
}

static int take_error(struct slot *slot, int fd)
{
    return take_log(slot, true, fd);
}

/* By the stream's number: who takes its descriptor over, also when it fails. */
static int (*const takers[COLONY_STREAMS_FIXED])(struct slot *slot, int fd) = {
    [OUTPUT_STREAM] = take_output,        [INPUT_STREAM] = engine_input_take,
    [NOTIFY_STREAM] = engine_run_take_fd, [READY_STREAM] = engine_run_take_fd,
    [ERROR_STREAM] = take_error,
};

static int take_stream(struct slot *slot, uint32_t stream, int fd)
{
    return stream < COLONY_STREAMS_FIXED
               ? takers[stream](slot, fd)
               : engine_custom_take(slot, stream - CUSTOM_STREAM_FIRST, fd);
}

static int take_streams(struct inbox *in, struct slot *slot)
{
    int failure = 0;

    for (uint32_t stream = 0; stream < COLONY_STREAMS_MAX; stream++) {
        int fd;
        int rc;

        if (!(in->message->flags & 1U << stream))
            continue;
        fd = take_fd(in);
        if (fd < 0)
            continue;
        rc = take_stream(slot, stream, fd);
        if (rc == 0)
            continue;
        failure = rc;
        colony_log(SEVERITY_ERROR, "cannot listen to %s.%u: %s", slot->entry->template->name,
                   slot->number, strerror(-rc));
    }
    return failure;
}

static void bind_record(const struct inbox *in, struct slot *slot)
{
    const struct colony_record *record = record_of(in);

    slot->has_record = true;
    slot->index = in->message->index;
    slot->id = in->message->id;
    slot->output_lost = record->flags & RECORD_OUTPUT_LOST;
}

/* What was there before us. */

static void on_hello(struct inbox *in)
{
    struct colony_error err;
    int fd = take_fd(in);
    int notes_fd = take_fd(in);

    in->engine->hello = in->message->u.hello;
    in->engine->keeper_version = in->message->version;
    if (in->engine->hello.is_ending) { /* it may have been asked before */
        in->engine->is_stopping = true;
        in->engine->exit_code = in->engine->hello.exit_code;
    }
    if (colony_table_map(&in->engine->table, fd, &err) == 0 &&
        colony_notes_map(&in->engine->notes, notes_fd, &err) == 0)
        return;
    colony_log(SEVERITY_ERROR, "cannot work with this keeper: %s", err.message);
    in->engine->lost_why = err;
    engine_lose(in->engine);
}

static void on_held(struct inbox *in)
{
    struct colony_engine *engine = in->engine;
    struct colony_held_socket *held = &engine->sockets[engine->socket_count];
    int fd = take_fd(in);

    if (fd < 0)
        return;
    if (engine->socket_count == KEEPER_SOCKETS_MAX ||
        !memchr(in->message->u.name, '\0', sizeof in->message->u.name)) {
        (void)close(fd);
        return;
    }
    memcpy(held->name, in->message->u.name, sizeof held->name);
    held->fd = fd;
    engine->socket_count++;
}

static void on_more(struct inbox *in)
{
    struct colony_message message = {.type = MESSAGE_CONTINUE};

    (void)colony_link_send(in->engine->link, &message, NULL, 0);
}

/* Noted now, taken up at WELCOME: before it nothing may be ordered. */
static void on_record(struct inbox *in)
{
    const struct colony_record *record = record_of(in);
    struct slot *slot = record ? slot_for(in->engine, record) : NULL;

    if (!slot)
        return;
    if (slot->has_record && slot->id > in->message->id) {
        engine_order_forget(in->engine, in->message->index, in->message->id);
        return; /* its slot has gone on */
    }
    if (slot->has_record)
        engine_order_forget(in->engine, slot->index, slot->id);
    bind_record(in, slot);
    slot->adopted_state = (uint8_t)in->message->value;
    if (colony_is_shortage(take_streams(in, slot)))
        engine_give_up(in->engine, "cannot listen to all processes: out of memory or descriptors");
}

/* What happens now. */

/* Nobody would read what it writes: it goes, and its successor gets a pipe of its own. */
static void on_unheard(struct slot *slot, int rc)
{
    slot->is_stale = true;
    if (slot->state != SLOT_RUNNING)
        return;
    engine_slot_because(slot, "cannot listen to it: %s", strerror(-rc));
    engine_slot_fail(slot);
}

static void on_spawned(struct inbox *in)
{
    struct slot *slot = slot_of(in);
    int rc;

    if (!slot || !slot->is_spawning)
        return;
    bind_record(in, slot);
    rc = take_streams(in, slot);
    engine_add_living(slot);
    engine_slot_on_spawned(slot);
    if (rc < 0)
        on_unheard(slot, rc);
}

static void on_spawn_failed(struct inbox *in)
{
    const struct colony_message *message = in->message;
    struct template_entry *entry;
    struct slot *slot;
    int step;
    int error;

    if (message->index == UINT32_MAX) { /* it did not even get a record */
        entry = engine_find_entry(in->engine, message->u.spawn.name);
        slot = entry ? engine_entry_slot(entry, message->u.spawn.slot) : NULL;
        if (slot && slot->is_spawning)
            engine_slot_on_failed(slot, 0, -message->value);
        return;
    }
    slot = slot_of(in);
    if (!slot || !slot->is_spawning)
        return;
    bind_record(in, slot);
    step = record_of(in)->failed_step;
    error = record_of(in)->failed_errno;
    if (take_streams(in, slot) < 0)
        engine_slot_drop_record(slot); /* with the pipe that we have not got */
    engine_slot_on_failed(slot, step, error);
}

static void on_exited(struct inbox *in)
{
    struct slot *slot = slot_of(in);

    if (!slot || slot->id != in->message->id) {
        if (record_of(in)) /* it was detached, and its template is gone */
            engine_order_forget(in->engine, in->message->index, in->message->id);
        return;
    }
    if (!slot->os_pid)
        return;
    engine_remove_living(slot);
    engine_slot_on_exited(slot);
}

static void on_swept(struct inbox *in)
{
    struct slot *slot = slot_of(in);

    if (slot && slot->id == in->message->id)
        engine_slot_on_swept(slot, &in->message->u.swept);
}

static void on_stray(struct inbox *in)
{
    struct colony_event event = {.type = EVENT_STRAY, .text = ""};

    colony_log(SEVERITY_DEBUG, "reaped %d stray process%s", in->message->value,
               in->message->value == 1 ? "" : "es");
    colony_events_publish(in->engine->events, &event);
}

static void on_welcome(struct inbox *in)
{
    engine_on_welcome(in->engine);
}

static void on_request(struct inbox *in)
{
    struct colony_engine *engine = in->engine;

    if (in->message->value == SIGHUP) {
        if (engine->callbacks.reload)
            engine->callbacks.reload(engine->callbacks.data);
        return;
    }
    colony_engine_shutdown(engine, "a signal to colony");
}

static void on_ping(struct inbox *in)
{
    struct colony_message message = {.type = MESSAGE_ALIVE};

    (void)colony_link_send(in->engine->link, &message, NULL, 0);
}

static void (*const handlers[MESSAGE_TYPE_COUNT])(struct inbox *in) = {
    [MESSAGE_HELLO] = on_hello,     [MESSAGE_HELD] = on_held,
    [MESSAGE_RECORD] = on_record,   [MESSAGE_MORE] = on_more,
    [MESSAGE_WELCOME] = on_welcome, [MESSAGE_SPAWNED] = on_spawned,
    [MESSAGE_EXITED] = on_exited,   [MESSAGE_SPAWN_FAILED] = on_spawn_failed,
    [MESSAGE_STRAY] = on_stray,     [MESSAGE_SWEPT] = on_swept,
    [MESSAGE_REQUEST] = on_request, [MESSAGE_PING] = on_ping,
};

/* What is not its end: it may live, and does not know that we do not listen. */
static void note_why_lost(struct colony_engine *engine)
{
    int rc = colony_link_error(engine->link);

    if (rc == -EMFILE || rc == -EBADMSG)
        (void)colony_fail_os(&engine->lost_why, rc, "cannot understand the keeper");
}

void engine_on_message(const struct colony_message *message, const int *fds, size_t fd_count,
                       void *data)
{
    struct inbox in = {.engine = data, .message = message, .fds = fds, .fd_count = fd_count};

    if (!message) {
        note_why_lost(data);
        engine_lose(data);
        return;
    }
    if (handlers[message->type] && !in.engine->is_lost)
        handlers[message->type](&in);
    while (in.fds_taken < in.fd_count)
        (void)close(fds[in.fds_taken++]);
}
