/* SPDX-License-Identifier: Apache-2.0 */
/* engine_link.c - what the keeper says, and how an engine carries on where another ended. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine_internal.h"
#include "core/forward.h"
#include "core/log.h"
#include "core/value.h"

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

/* Something lives that no settings know: a place for it, until it is stopped. */
static struct template_entry *make_leaving_entry(struct colony_engine *engine,
                                                 const struct colony_record *record)
{
    const char *settings = record->flags & RECORD_DETACHED
                               ? "{\"cmd\": \"-\", \"start\": false, \"detach\": true}"
                               : "{\"cmd\": \"-\", \"start\": false}";
    struct colony_template *template = NULL;
    struct colony_value *source = NULL;
    struct template_entry *entry = NULL;
    struct colony_error err;

    if (colony_value_parse_json(&source, settings, strlen(settings), &err) == 0 &&
        colony_template_new(&template, record->name, source, NULL, false, &err) == 0 &&
        engine_add_entry(engine, template, true, &entry) < 0)
        colony_template_free(template);
    colony_value_free(source);
    return entry;
}

/* The slot of a record; one that no settings know is made for as long as it lives. */
static struct slot *slot_for(struct colony_engine *engine, const struct colony_record *record)
{
    struct template_entry *entry = engine_find_entry(engine, record->name);
    struct slot *slot = entry ? engine_entry_slot(entry, record->slot) : NULL;

    if (slot)
        return slot;
    if (!entry)
        entry = make_leaving_entry(engine, record);
    if (!entry || engine_slot_new(&slot, entry, record->slot) < 0) {
        colony_log(SEVERITY_ERROR, "cannot look after %s.%u: out of memory", record->name,
                   record->slot);
        return NULL;
    }
    slot->is_leaving = true;
    return slot;
}

static struct slot *slot_of(const struct inbox *in)
{
    const struct colony_record *record = record_of(in);
    struct template_entry *entry = record ? engine_find_entry(in->engine, record->name) : NULL;

    return entry ? engine_entry_slot(entry, record->slot) : NULL;
}

/* Opens the log of a slot on the pipe @fd, which it takes over. */
static int open_log(struct slot *slot, int fd)
{
    const struct colony_template *template = slot->entry->template;
    struct colony_log_settings settings = template->log;
    char path[COLONY_LOG_PATH_MAX];
    struct colony_log_options options = {
        .path = path, .settings = &settings, .pipe_fd = fd, .owner = slot};
    int rc = colony_engine_log_path(slot->entry->engine, template->name, slot->number, path,
                                    sizeof path);

    settings.mode = LOG_CAPTURE; /* also of one that no settings know any more */
    if (rc == 0 && settings.forward)
        rc = colony_forward_init(&options, template->name, slot->number);
    if (rc == 0)
        rc = colony_log_open(&slot->log, slot->entry->engine->logs, &options);
    if (rc < 0)
        colony_forward_clear(&options);
    return rc;
}

/* The pipe of a slot has come: its log begins, or goes on with another pipe. */
static void take_output(struct inbox *in, struct slot *slot)
{
    for (uint32_t stream = 0; stream < COLONY_STREAMS_MAX; stream++) {
        int fd;
        int rc;

        if (!(in->message->flags & 1U << stream))
            continue;
        fd = take_fd(in);
        if (fd < 0 || stream != OUTPUT_STREAM)
            continue;
        if (slot->log)
            colony_log_close(slot->log);
        slot->log = NULL;
        rc = open_log(slot, fd);
        if (rc < 0) {
            colony_log(SEVERITY_ERROR, "cannot log %s.%u: %s", slot->entry->template->name,
                       slot->number, strerror(-rc));
            (void)close(fd);
        }
    }
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

    in->engine->hello = in->message->u.hello;
    in->engine->is_stopping = in->engine->hello.is_ending;
    if (fd >= 0 && colony_table_map(&in->engine->table, fd, &err) == 0)
        return;
    colony_log(SEVERITY_ERROR, "cannot work with this keeper: no table of version %d",
               COLONY_TABLE_VERSION);
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
    take_output(in, slot);
}

/* State that a slot rests in; what it did before its engine died is done. */
static enum colony_slot_event resting_event(enum colony_slot_state state)
{
    switch (state) {
    case SLOT_BACKOFF:
        return SLOT_EVENT_DELAY;
    case SLOT_FAILED:
        return SLOT_EVENT_GIVE_UP;
    case SLOT_COMPLETED:
        return SLOT_EVENT_COMPLETE;
    case SLOT_NONE:
    case SLOT_STOPPED:
    case SLOT_WAITING:
    case SLOT_STARTING:
    case SLOT_RUNNING:
    case SLOT_READY:
    case SLOT_STOPPING:
    case SLOT_EXITED:
    case SLOT_STATE_COUNT:
        break;
    }
    return SLOT_EVENT_COUNT;
}

static void adopt_living(struct slot *slot, const struct colony_record *record)
{
    slot->os_pid = record->pid;
    slot->started_boot_ms = record->claimed_boot_ns / 1000000;
    slot->started_at_ms = record->spawned_at_ms;
    engine_add_living(slot);
    engine_slot_handle(slot,
                       slot->entry->template->detach ? SLOT_EVENT_COMPLETE : SLOT_EVENT_SPAWNED);
}

static void adopt_ended(struct slot *slot, const struct colony_record *record,
                        const struct slot_note *note)
{
    enum colony_slot_event event = resting_event((enum colony_slot_state)note->state);

    if (colony_record_state(record) == RECORD_EXITED) {
        slot->has_exit = true;
        slot->exit_known = record->flags & RECORD_STATUS_KNOWN;
        slot->wait_status = record->wait_status;
    } else {
        engine_describe_failure(slot, record->failed_step, record->failed_errno);
    }
    if (event != SLOT_EVENT_COUNT) {
        engine_slot_handle(slot, event);
        return;
    }
    if (note->state == SLOT_STOPPED) {
        if (slot->is_wanted && !slot->entry->engine->is_stopping)
            engine_slot_start(slot);
        return;
    }
    if (colony_record_state(record) == RECORD_FAILED) {
        slot->is_spawning = true;
        engine_slot_handle(slot, SLOT_EVENT_START);
        engine_slot_on_failed(slot, record->failed_step, record->failed_errno);
    } else if (note->exit_is_told) { /* what it left behind was being stopped */
        slot->exit_is_told = true;
        engine_slot_handle(slot, SLOT_EVENT_SPAWNED);
        engine_slot_handle(slot, SLOT_EVENT_STOP);
    } else { /* it ended while no engine looked: that is told and decided now */
        adopt_living(slot, record);
        engine_remove_living(slot);
        engine_slot_on_exited(slot);
    }
}

static bool settings_changed(const struct slot *slot, const struct slot_note *note)
{
    return slot->entry->template->hash != note->template_hash;
}

static void adopt(struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);
    enum colony_record_state state = (enum colony_record_state)slot->adopted_state;
    struct slot_note note;

    memcpy(&note, record->note, sizeof note);
    if (note.version != 2) /* found by its mark: all that is known is that it runs */
        note = (struct slot_note){
            .is_wanted = 1, .state = SLOT_RUNNING, .template_hash = slot->entry->template->hash};
    slot->is_wanted = note.is_wanted && !slot->is_leaving;
    slot->restart.attempt = note.attempt;
    slot->restarts = note.restarts;
    slot->retry_boot_ms = note.retry_boot_ms;
    if (state == RECORD_CLAIMED) {
        slot->is_spawning = true;
        engine_slot_handle(slot, SLOT_EVENT_START);
    } else if (state == RECORD_ALIVE) {
        adopt_living(slot, record);
    } else {
        adopt_ended(slot, record, &note);
    }
    if (!slot->is_wanted) {
        engine_set_why(slot->entry, slot->is_leaving ? "no settings know it any more" : "");
        if (slot->state == SLOT_STOPPED && slot->is_leaving)
            engine_slot_retire(slot);
        else
            engine_slot_handle(slot, SLOT_EVENT_STOP); /* and retire it, perhaps at once */
    } else if (settings_changed(slot, &note)) {
        engine_set_why(slot->entry, "its settings have changed");
        engine_slot_handle(slot, SLOT_EVENT_STOP);
    }
}

static int by_priority(const void *left, const void *right)
{
    const struct template_entry *a = *(struct template_entry *const *)left;
    const struct template_entry *b = *(struct template_entry *const *)right;

    if (a->template->priority != b->template->priority)
        return a->template->priority < b->template->priority ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

/* Calls @fn for all slots, templates in the order of their priority, then as they were added. */
static void in_order(struct colony_engine *engine, void (*fn)(struct slot *slot))
{
    size_t count = HASH_COUNT(engine->entries);
    struct template_entry **order = calloc(count + 1, sizeof(struct template_entry *));
    size_t used = 0;

    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        if (order)
            order[used++] = entry;
    if (order)
        qsort(order, used, sizeof(struct template_entry *), by_priority);
    for (size_t i = 0; i < used; i++)
        for (uint32_t j = 0; j < order[i]->slot_count;) {
            struct slot *slot = order[i]->slots[j];

            fn(slot);
            if (j < order[i]->slot_count && order[i]->slots[j] == slot)
                j++; /* it has not been retired */
        }
    free(order);
}

static void adopt_if_recorded(struct slot *slot)
{
    if (slot->has_record)
        adopt(slot);
}

static void start_if_wanted(struct slot *slot)
{
    if (!slot->has_record && !slot->is_spawning && slot->state == SLOT_STOPPED &&
        slot->entry->template->start && !slot->entry->engine->is_stopping)
        engine_slot_start(slot);
}

/* What lives comes first, then those who may ask about it, then what is new. */
static void on_welcome(struct inbox *in)
{
    struct colony_engine *engine = in->engine;

    engine->is_welcomed = true;
    in_order(engine, adopt_if_recorded);
    if (engine->callbacks.welcome)
        engine->callbacks.welcome(engine->callbacks.data);
    in_order(engine, start_if_wanted);
    if (engine->is_stopping) /* the engine before this one did not get to the end of it */
        engine_stop_all(engine, "colony was asked to end");
    engine_check_stopped(engine);
}

/* What happens now. */

static void on_spawned(struct inbox *in)
{
    struct slot *slot = slot_of(in);

    if (!slot || !slot->is_spawning)
        return;
    bind_record(in, slot);
    take_output(in, slot);
    engine_add_living(slot);
    engine_slot_on_spawned(slot);
}

static void on_spawn_failed(struct inbox *in)
{
    const struct colony_message *message = in->message;
    struct template_entry *entry;
    struct slot *slot;

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
    take_output(in, slot);
    engine_slot_on_failed(slot, record_of(in)->failed_step, record_of(in)->failed_errno);
}

static void on_exited(struct inbox *in)
{
    struct slot *slot = slot_of(in);

    if (!slot || slot->id != in->message->id || !slot->os_pid)
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

static void (*const handlers[MESSAGE_TYPE_COUNT])(struct inbox *in) = {
    [MESSAGE_HELLO] = on_hello,     [MESSAGE_HELD] = on_held,
    [MESSAGE_RECORD] = on_record,   [MESSAGE_MORE] = on_more,
    [MESSAGE_WELCOME] = on_welcome, [MESSAGE_SPAWNED] = on_spawned,
    [MESSAGE_EXITED] = on_exited,   [MESSAGE_SPAWN_FAILED] = on_spawn_failed,
    [MESSAGE_STRAY] = on_stray,     [MESSAGE_SWEPT] = on_swept,
    [MESSAGE_REQUEST] = on_request,
};

void engine_on_message(const struct colony_message *message, const int *fds, size_t fd_count,
                       void *data)
{
    struct inbox in = {.engine = data, .message = message, .fds = fds, .fd_count = fd_count};

    if (!message) {
        engine_lose(data);
        return;
    }
    if (handlers[message->type])
        handlers[message->type](&in);
    while (in.fds_taken < in.fd_count)
        (void)close(fds[in.fds_taken++]);
}
