/* SPDX-License-Identifier: Apache-2.0 */
/* engine_look.c - what front-ends see of the engine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/engine_internal.h"
#include "core/payload.h"

/* NULL: nobody may see one of that name. */
struct template_entry *engine_visible_entry(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry = engine_find_entry(engine, name);

    return entry && !entry->is_removed ? entry : NULL;
}

struct colony_events *colony_engine_events(struct colony_engine *engine)
{
    return engine->events;
}

struct uv_loop_s *colony_engine_uv_loop(struct colony_engine *engine)
{
    return engine->loop;
}

const struct colony_settings *colony_engine_settings(const struct colony_engine *engine)
{
    return engine->settings;
}

const char *colony_engine_state_dir(const struct colony_engine *engine)
{
    return engine->keeper->state_dir;
}

const char *colony_engine_config(const struct colony_engine *engine)
{
    return engine->keeper->config[0] != '\0' ? engine->keeper->config : NULL;
}

uid_t colony_engine_owner(const struct colony_engine *engine)
{
    return engine->hello.owner_uid;
}

pid_t colony_engine_keeper_pid(const struct colony_engine *engine)
{
    return engine->keeper->keeper_pid > 0 ? (pid_t)engine->keeper->keeper_pid : 0;
}

void colony_engine_each_socket(struct colony_engine *engine, colony_socket_cb cb, void *data)
{
    for (size_t i = 0; i < engine->socket_count; i++)
        cb(engine->sockets[i].name, engine->sockets[i].fd, data);
}

void colony_engine_each_template(struct colony_engine *engine, colony_template_cb cb, void *data)
{
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        if (!entry->is_removed)
            cb(entry->template, data);
}

const struct colony_template *colony_engine_find_template(struct colony_engine *engine,
                                                          const char *name)
{
    struct template_entry *entry = engine_visible_entry(engine, name);

    return entry ? entry->template : NULL;
}

/* It was started by somebody else, and writes where that one said. */
static bool has_foreign_output(const struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);

    return slot->entry->template->log.mode == LOG_CAPTURE && record &&
           !(record->flags & RECORD_DETACHED) && record->stream_kind[OUTPUT_STREAM] == STREAM_NONE;
}

/* What became of the output of a slot. */
static const char *describe_output(const struct slot *slot)
{
    static const char *const modes[] = {
        [LOG_CAPTURE] = "captured", [LOG_DIRECT] = "direct", [LOG_NONE] = "none"};
    static const char *const statuses[] = {[LOG_OK] = "captured",
                                           [LOG_DROPPING] = "dropping",
                                           [LOG_BLOCKED] = "blocked",
                                           [LOG_STALLED] = "stalled"};

    if (slot->os_pid && (slot->output_lost || has_foreign_output(slot)))
        return "lost";
    if (slot->log && slot->entry->template->log.mode == LOG_CAPTURE)
        return statuses[colony_log_status(slot->log)];
    return modes[slot->entry->template->log.mode];
}

static const char *describe_custom(const struct slot *slot)
{
    const struct colony_template *template = slot->entry->template;

    if (!template->custom_streams || !template->custom_streams[0])
        return "none";
    if (!slot->os_pid || slot->process_hash != template->process_hash)
        return "open"; /* of its next process */
    return engine_custom_is_held(slot) ? "open" : "lost";
}

static void describe_slot(struct slot *slot, struct colony_slot_info *info)
{
    uint64_t now = engine_boot_ms();
    char cause[CAUSE_SIZE];

    if (slot->state == SLOT_WAITING) { /* what it waits for moves on */
        if (!engine_schedule_describe(slot, cause, sizeof cause))
            engine_gates_describe(slot->entry, cause, sizeof cause);
        engine_set_text(&slot->cause, cause);
    }
    *info = (struct colony_slot_info){
        .name = slot->entry->template->name,
        .origin = slot->entry->origin,
        .slot = slot->number,
        .state = slot->state,
        .restarts = slot->restarts,
        .has_exit = slot->has_exit,
        .exit_known = slot->exit_known,
        .is_wanted = slot->is_wanted,
        .is_leaving = slot->is_leaving,
        .is_paused = slot->is_paused,
        .failure = slot->failure ? slot->failure : "",
        .cause = slot->cause,
        .status = engine_run_status(slot),
        .health = engine_health_state(slot),
        .health_note = engine_health_note(engine_run_health(slot)),
        .since_ms = slot->since_ms,
        .output = describe_output(slot),
        .streams = describe_custom(slot),
        .unread_bytes = engine_custom_unread(slot),
    };
    if (slot->os_pid) {
        info->id = slot->id;
        info->os_pid = slot->os_pid;
        info->started_at_ms = slot->started_at_ms;
        info->uptime_ms = now - slot->started_boot_ms;
    }
    if (slot->state == SLOT_BACKOFF && slot->retry_boot_ms > now)
        info->retry_in_ms = slot->retry_boot_ms - now;
    info->has_next = engine_schedule_next(slot, &info->next_in_ms);
    if (slot->exit_known && WIFSIGNALED(slot->wait_status))
        info->term_signal = WTERMSIG(slot->wait_status);
    else if (slot->exit_known)
        info->exit_status = WEXITSTATUS(slot->wait_status);
    if (slot->log)
        colony_log_dropped(slot->log, &info->dropped_bytes, &info->dropped_lines);
    if (slot->error_log) {
        uint64_t bytes;
        uint64_t lines;

        colony_log_dropped(slot->error_log, &bytes, &lines);
        info->dropped_bytes += bytes;
        info->dropped_lines += lines;
    }
}

int colony_engine_each_slot(struct colony_engine *engine, const char *name, colony_slot_cb cb,
                            void *data)
{
    struct template_entry *entry = engine_visible_entry(engine, name);

    if (!entry)
        return -ENOENT;
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct colony_slot_info info;

        describe_slot(entry->slots[i], &info);
        cb(&info, data);
    }
    return 0;
}

int colony_engine_find_process(struct colony_engine *engine, uint64_t id,
                               struct colony_slot_info *out)
{
    struct slot *slot = engine_find_living(engine, id);

    if (!slot)
        return -ENOENT;
    describe_slot(slot, out);
    return 0;
}

bool colony_engine_is_active(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry = engine_visible_entry(engine, name);

    for (uint32_t i = 0; entry && i < entry->slot_count; i++) {
        enum colony_slot_state state = entry->slots[i]->state;

        if (engine_state_is_up(state))
            return true;
    }
    return false;
}

bool colony_engine_is_leaving(struct colony_engine *engine, const char *name)
{
    const struct template_entry *entry = engine_find_entry(engine, name);

    for (uint32_t i = 0; entry && entry->is_removed && i < entry->slot_count; i++)
        if (entry->slots[i]->state != SLOT_STOPPED)
            return true;
    return false;
}

int colony_engine_stop_report(struct colony_engine *engine, const char *name,
                              struct colony_stop_report *out)
{
    const struct template_entry *entry = engine_find_entry(engine, name);

    if (!entry)
        return -ENOENT;
    *out = entry->report;
    return 0;
}

/* Also of one that nobody sees any more: it goes on until it is stopped. */
int engine_slot_log_path(const struct slot *slot, bool is_error, char *path, size_t size)
{
    char file[COLONY_NAME_MAX + 32];
    int length;

    colony_log_file_name(file, sizeof file, slot->entry->template->name, slot->number, is_error);
    length = snprintf(path, size, "%s/log/%s", slot->entry->engine->keeper->state_dir, file);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

bool engine_has_error_log(const struct colony_template *template)
{
    char *const *labels = template->redirect_output;

    return template->log.mode == LOG_CAPTURE && !template->detach && labels && labels[0] &&
           (!labels[1] || strcmp(labels[0], labels[1]) != 0);
}

bool engine_has_error_file(const struct colony_template *template)
{
    const struct colony_log_settings *log = &template->log;

    return log->mode == LOG_DIRECT && log->err && (!log->out || strcmp(log->out, log->err) != 0);
}

int engine_direct_path(const struct slot *slot, bool is_error, char *path, size_t size)
{
    const struct colony_log_settings *log = &slot->entry->template->log;
    const char *given = is_error ? log->err : log->out;

    if (!given)
        return engine_slot_log_path(slot, is_error, path, size);
    return (size_t)snprintf(path, size, "%s", given) < size ? 0 : -ENAMETOOLONG;
}

int colony_engine_error_log_path(struct colony_engine *engine, const char *name, uint32_t slot,
                                 char *path, size_t size)
{
    struct template_entry *entry = engine_visible_entry(engine, name);
    const struct slot *found = entry ? engine_entry_slot(entry, slot) : NULL;

    if (found && engine_has_error_file(entry->template))
        return engine_direct_path(found, true, path, size);
    if (!found || !engine_has_error_log(entry->template))
        return -ENOENT;
    return engine_slot_log_path(found, true, path, size);
}

int colony_engine_log_path(struct colony_engine *engine, const char *name, uint32_t slot,
                           char *path, size_t size)
{
    struct template_entry *entry = engine_visible_entry(engine, name);
    const struct slot *found = entry ? engine_entry_slot(entry, slot) : NULL;

    if (!found)
        return -ENOENT;
    if (entry->template->log.mode == LOG_DIRECT)
        return engine_direct_path(found, false, path, size);
    return entry->template->log.mode == LOG_NONE ? -ENOTSUP
                                                 : engine_slot_log_path(found, false, path, size);
}

const char *colony_engine_origin(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry = engine_visible_entry(engine, name);

    return entry ? entry->origin : NULL;
}

struct colony_store *colony_engine_store(struct colony_engine *engine)
{
    return engine->store;
}

struct colony_stats *colony_engine_stats(struct colony_engine *engine)
{
    return engine->stats;
}

int colony_engine_ending_with(const struct colony_engine *engine)
{
    return engine->is_stopping ? engine->exit_code : -1;
}

int colony_engine_exit_code(const struct colony_engine *engine)
{
    return engine->exit_code;
}

int colony_engine_each_variable(struct colony_engine *engine, const char *name,
                                colony_variable_cb cb, void *data)
{
    struct template_entry *entry = engine_visible_entry(engine, name);
    const struct colony_payload_context context = {
        .instance = engine->table.header ? engine->table.header->instance : "",
        .state_dir = engine->keeper->state_dir,
    };

    if (!entry)
        return -ENOENT;
    colony_payload_each_variable(entry->template, 1, &context, cb, data);
    return 0;
}
