/* SPDX-License-Identifier: Apache-2.0 */
/* engine_control.c - what front-ends may ask of the engine and see of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/engine_internal.h"

/* A template that no settings know was there for its slots alone. */
static bool is_gone(const struct template_entry *entry)
{
    return entry->owns_template && entry->slot_count == 0;
}

static struct template_entry *find_entry(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry = engine_find_entry(engine, name);

    return entry && !is_gone(entry) ? entry : NULL;
}

struct colony_events *colony_engine_events(struct colony_engine *engine)
{
    return engine->events;
}

struct uv_loop_s *colony_engine_loop(struct colony_engine *engine)
{
    return engine->loop;
}

const struct colony_settings *colony_engine_settings(const struct colony_engine *engine)
{
    return engine->settings;
}

uid_t colony_engine_owner(const struct colony_engine *engine)
{
    return engine->hello.owner_uid;
}

void colony_engine_each_socket(struct colony_engine *engine, colony_socket_cb cb, void *data)
{
    for (size_t i = 0; i < engine->socket_count; i++)
        cb(engine->sockets[i].name, engine->sockets[i].fd, data);
}

void colony_engine_each_template(struct colony_engine *engine, colony_template_cb cb, void *data)
{
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        if (!is_gone(entry))
            cb(entry->template, data);
}

const struct colony_template *colony_engine_find_template(struct colony_engine *engine,
                                                          const char *name)
{
    struct template_entry *entry = find_entry(engine, name);

    return entry ? entry->template : NULL;
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

    if (slot->output_lost && slot->os_pid)
        return "lost";
    if (slot->log && slot->entry->template->log.mode == LOG_CAPTURE)
        return statuses[colony_log_status(slot->log)];
    return modes[slot->entry->template->log.mode];
}

static void describe_slot(const struct slot *slot, struct colony_slot_info *info)
{
    uint64_t now = engine_boot_ms();

    *info = (struct colony_slot_info){
        .name = slot->entry->template->name,
        .slot = slot->number,
        .state = slot->state,
        .restarts = slot->restarts,
        .has_exit = slot->has_exit,
        .exit_known = slot->exit_known,
        .failure = slot->failure ? slot->failure : "",
        .output = describe_output(slot),
    };
    if (slot->os_pid) {
        info->id = slot->id;
        info->os_pid = slot->os_pid;
        info->started_at_ms = slot->started_at_ms;
        info->uptime_ms = now - slot->started_boot_ms;
    }
    if (slot->state == SLOT_BACKOFF && slot->retry_boot_ms > now)
        info->retry_in_ms = slot->retry_boot_ms - now;
    if (slot->exit_known && WIFSIGNALED(slot->wait_status))
        info->term_signal = WTERMSIG(slot->wait_status);
    else if (slot->exit_known)
        info->exit_status = WEXITSTATUS(slot->wait_status);
    if (slot->log)
        colony_log_dropped(slot->log, &info->dropped_bytes, &info->dropped_lines);
}

int colony_engine_each_slot(struct colony_engine *engine, const char *name, colony_slot_cb cb,
                            void *data)
{
    struct template_entry *entry = find_entry(engine, name);

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

/* The template @name, ready to be changed for the reason @why; NULL with the error. */
static struct template_entry *entry_to_change(struct colony_engine *engine, const char *name,
                                              const char *why, struct colony_error *err)
{
    struct template_entry *entry = find_entry(engine, name);

    if (!entry) {
        (void)colony_fail(err, -ENOENT, "no such process: %s", name);
        return NULL;
    }
    if (engine->is_stopping) {
        (void)colony_fail(err, -ESHUTDOWN, "cannot change %s: colony is ending", name);
        return NULL;
    }
    engine_set_why(entry, why);
    return entry;
}

int colony_engine_start_template(struct colony_engine *engine, const char *name, const char *why,
                                 struct colony_error *err)
{
    struct template_entry *entry = entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    engine_publish(entry, EVENT_START);
    for (uint32_t i = 0; i < entry->slot_count; i++)
        engine_slot_start(entry->slots[i]);
    return 0;
}

int colony_engine_stop_template(struct colony_engine *engine, const char *name, const char *why,
                                struct colony_error *err)
{
    struct template_entry *entry = entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    memset(&entry->report, 0, sizeof entry->report);
    engine_publish(entry, EVENT_STOP);
    for (uint32_t i = 0; i < entry->slot_count; i++)
        engine_slot_stop(entry->slots[i]);
    return 0;
}

int colony_engine_restart_template(struct colony_engine *engine, const char *name, const char *why,
                                   struct colony_error *err)
{
    struct template_entry *entry = entry_to_change(engine, name, why, err);

    if (!entry)
        return err->code;
    memset(&entry->report, 0, sizeof entry->report);
    engine_publish(entry, EVENT_RESTART);
    for (uint32_t i = 0; i < entry->slot_count; i++) {
        struct slot *slot = entry->slots[i];

        engine_slot_stop(slot);
        engine_slot_start(slot); /* at once if it was stopped, else when it is gone */
        engine_save_note(slot);
    }
    return 0;
}

int colony_engine_stop_process(struct colony_engine *engine, uint64_t id, const char *why,
                               struct colony_error *err)
{
    struct slot *slot = engine_find_living(engine, id);

    if (!slot)
        return colony_fail(err, -ENOENT, "no such process: %llu", (unsigned long long)id);
    if (engine->is_stopping)
        return colony_fail(err, -ESHUTDOWN, "cannot change it: colony is ending");
    engine_set_why(slot->entry, why);
    memset(&slot->entry->report, 0, sizeof slot->entry->report);
    engine_slot_stop(slot);
    return 0;
}

static int check_signal(int signo, struct colony_error *err)
{
    return signo >= 1 && signo <= 64 ? 0 : colony_fail(err, -EINVAL, "no such signal: %d", signo);
}

int colony_engine_signal_template(struct colony_engine *engine, const char *name, int signo,
                                  struct colony_error *err)
{
    struct template_entry *entry = find_entry(engine, name);
    uint32_t count = 0;

    if (!entry)
        return colony_fail(err, -ENOENT, "no such process: %s", name);
    if (check_signal(signo, err) < 0)
        return -EINVAL;
    for (uint32_t i = 0; i < entry->slot_count; i++)
        if (entry->slots[i]->os_pid) {
            engine_order_signal(entry->slots[i], signo, 0);
            count++;
        }
    return count > 0 ? 0 : colony_fail(err, -ESRCH, "cannot signal %s: it does not run", name);
}

int colony_engine_signal_process(struct colony_engine *engine, uint64_t id, int signo,
                                 struct colony_error *err)
{
    struct slot *slot = engine_find_living(engine, id);

    if (!slot)
        return colony_fail(err, -ENOENT, "no such process: %llu", (unsigned long long)id);
    if (check_signal(signo, err) < 0)
        return -EINVAL;
    engine_order_signal(slot, signo, 0);
    return 0;
}

bool colony_engine_is_active(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry = find_entry(engine, name);

    for (uint32_t i = 0; entry && i < entry->slot_count; i++) {
        enum colony_slot_state state = entry->slots[i]->state;

        if (state == SLOT_STARTING || state == SLOT_RUNNING || state == SLOT_STOPPING)
            return true;
    }
    return false;
}

int colony_engine_stop_report(struct colony_engine *engine, const char *name,
                              struct colony_stop_report *out)
{
    struct template_entry *entry = find_entry(engine, name);

    if (!entry)
        return -ENOENT;
    *out = entry->report;
    return 0;
}

int colony_engine_log_path(struct colony_engine *engine, const char *name, uint32_t slot,
                           char *path, size_t size)
{
    struct template_entry *entry = find_entry(engine, name);
    char file[COLONY_NAME_MAX + 32];
    int length;

    if (!entry || !engine_entry_slot(entry, slot))
        return -ENOENT;
    if (entry->template->log.mode == LOG_NONE)
        return -ENOTSUP;
    colony_log_file_name(file, sizeof file, name, slot);
    length = snprintf(path, size, "%s/log/%s", engine->keeper->state_dir, file);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}
