/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_record.c - what must survive colony itself: templates added while it ran, and what users
 * scaled and stopped (store.h). Templates of the settings file follow the file, those of a session
 * its workspace, those of a program each of its runs.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/history.h"
#include "core/log.h"
#include "core/store.h"

enum {
    RECORD_AGAIN_MS = 1000,
};

/* Writing. */

/* False: its settings are those of the file, which are saved elsewhere. */
static bool has_own_settings(const struct template_entry *entry)
{
    return entry->template->hash != entry->file_hash;
}

static int put(const struct template_entry *entry)
{
    const struct colony_engine *engine = entry->engine;
    const struct colony_store_template row = {
        .name = entry->template->name,
        .origin = entry->origin,
        .settings = has_own_settings(entry) ? entry->template->source : NULL,
        .file_numprocesses = entry->file_numprocesses,
        .load_id = engine->settings->load_id,
        .numprocesses = entry->scaled,
        .is_stopped = !entry->is_wanted,
    };

    if (!engine->store || engine_is_of_session(entry))
        return 0;
    return colony_store_put_template(engine->store, &row);
}

static void on_record_again(struct colony_timer *timer)
{
    struct colony_engine *engine =
        (struct colony_engine *)((char *)timer - offsetof(struct colony_engine, record_timer));

    (void)engine_record_rest(engine);
}

void engine_record_later(struct colony_engine *engine)
{
    if (!engine->has_unrecorded)
        colony_timer_start(engine->timers, &engine->record_timer, on_record_again, RECORD_AGAIN_MS);
    engine->has_unrecorded = true;
}

/* -ENOMEM. */
static int record_rest_of(struct template_entry *entry)
{
    const struct colony_engine *engine = entry->engine;
    bool is_going_on = !engine->is_lost && !engine->is_closing;
    int rc = 0;

    for (uint32_t i = 0; is_going_on && i < entry->slot_count; i++)
        if (entry->slots[i]->is_unnoted)
            engine_save_note(entry->slots[i]);
    if (entry->is_unrecorded)
        rc = entry->is_removed ? 0 : put(entry);
    entry->is_unrecorded = colony_is_shortage(rc);
    if (entry->is_unlinked && is_going_on && rc == 0)
        rc = engine_link_rest(entry);
    return colony_is_shortage(rc) ? -ENOMEM : 0;
}

/* What was done is never undone for want of memory: it is recorded as soon as there is some. */
int engine_record_rest(struct colony_engine *engine)
{
    struct template_entry *next;
    int rc = 0;

    if (!engine->has_unrecorded)
        return 0;
    engine->has_unrecorded = false;
    for (struct template_entry *entry = engine->entries; entry; entry = next) {
        next = entry->hh.next;
        if (record_rest_of(entry) < 0)
            rc = -ENOMEM;
    }
    if (rc < 0)
        engine_record_later(engine);
    return rc;
}

void engine_record(struct template_entry *entry)
{
    struct colony_engine *engine = entry->engine;
    int rc = put(entry);

    entry->is_unrecorded = colony_is_shortage(rc);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot record %s: %s", entry->template->name, strerror(-rc));
    if (entry->is_unrecorded)
        engine_record_later(engine);
}

int engine_record_removed(const struct template_entry *entry)
{
    struct colony_engine *engine = entry->engine;
    const struct colony_store_template row = {
        .name = entry->template->name,
        .origin = entry->origin,
        .file_numprocesses = entry->file_numprocesses,
        .load_id = engine->settings->load_id,
        .numprocesses = -1,
        .is_deleted = true,
    };
    int rc = 0;

    if (engine_is_of_session(entry))
        return 0; /* which records it itself */
    if (engine->store && entry->file_hash != 0)
        rc = colony_store_put_template(engine->store, &row);
    else if (engine->store)
        rc = colony_store_remove_template(engine->store, entry->template->name);
    return rc;
}

struct recorded {
    colony_recorded_cb cb;
    void *data;
    uv_timer_t timer; /* without a store: the answer still comes later */
};

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_no_store(uv_timer_t *timer)
{
    struct recorded *recorded = timer->data;

    recorded->cb(-EIO, recorded->data);
    uv_close((uv_handle_t *)timer, on_timer_closed);
}

int colony_engine_when_recorded(struct colony_engine *engine, colony_recorded_cb cb, void *data)
{
    struct recorded *recorded;

    if (engine_record_rest(engine) < 0)
        return -ENOMEM;
    if (engine->store)
        return colony_store_sync(engine->store, cb, data);
    recorded = calloc(1, sizeof *recorded);
    if (!recorded)
        return -ENOMEM;
    recorded->cb = cb;
    recorded->data = data;
    (void)uv_timer_init(engine->loop, &recorded->timer);
    recorded->timer.data = recorded;
    (void)uv_timer_start(&recorded->timer, on_no_store, 0, 0);
    return 0;
}

/* Reading. */

void engine_keep_history(struct colony_engine *engine)
{
    const struct colony_history_settings *settings = &engine->settings->history;
    const struct colony_store_keep keep = {settings->events_max, settings->age_ms_max};

    if (engine->store)
        colony_store_set_keep(engine->store, &keep);
}

/* Where memory or descriptors are short, another engine begins anew rather than to forget things.
 */
static int open_store(struct colony_engine *engine, struct colony_error *err)
{
    char path[4200];
    char *aside = NULL;
    int rc;

    (void)snprintf(path, sizeof path, "%s/engine/colony.db", engine->keeper->state_dir);
    rc = colony_store_open(&engine->store, engine->loop, path, &aside, err);
    if (rc < 0) {
        engine->store = NULL;
        engine->has_forgotten = true;
        if (colony_is_shortage(rc))
            return rc;
        colony_log(SEVERITY_ERROR, "goes on without its database, nothing is recorded: %s",
                   err->message);
        return 0;
    }
    engine_keep_history(engine);
    if (colony_store_dropped(engine->store) > 0)
        colony_log(SEVERITY_ERROR,
                   "the history lacks %llu events: they were told, and colony's engine ended "
                   "before they were written",
                   (unsigned long long)colony_store_dropped(engine->store));
    engine->has_forgotten = aside != NULL;
    if (aside)
        colony_log(SEVERITY_ERROR,
                   "the database %s is damaged: it is kept as %s and a new one begins; templates "
                   "added while colony ran and what was scaled or stopped must be given again",
                   path, aside);
    free(aside);
    return 0;
}

static void apply_wishes(struct template_entry *entry, const struct colony_store_template *row)
{
    entry->is_wanted = !row->is_stopped;
    if (row->numprocesses < 0 || row->numprocesses > COLONY_SLOTS_MAX)
        return;
    entry->scaled = row->numprocesses;
    if (engine_set_slots(entry, (uint32_t)entry->scaled) < 0)
        entry->engine->load_rc = -ENOMEM;
}

static int restore_template(struct colony_template **out, const struct colony_store_template *row)
{
    struct colony_error err;
    int rc = colony_template_restore(out, row->settings, &err);

    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot go on with %s as it was recorded: %s", row->name,
                   err.message);
    return rc;
}

static bool is_of(const struct colony_store_template *row, const char *origin)
{
    return strcmp(row->origin, origin) == 0;
}

/* The file has the last word, but for changes made since it was read. */
static void apply_to_file(struct template_entry *entry, const struct colony_store_template *row)
{
    bool is_current = row->load_id == entry->engine->settings->load_id;
    struct colony_template *template = NULL;
    int rc = 0;

    if (row->is_deleted) {
        if (is_current)
            engine_remove_entry(entry);
        return;
    }
    if (row->settings && is_current && !is_of(row, COLONY_ORIGIN_FILE)) {
        rc = restore_template(&template, row);
        if (rc == 0)
            rc = engine_exchange_template(entry, template);
        if (colony_is_shortage(rc))
            entry->engine->load_rc = rc;
    }
    entry->is_wanted = !row->is_stopped;
    if (row->file_numprocesses == entry->file_numprocesses)
        apply_wishes(entry, row);
}

static const char *origin_of(const struct colony_store_template *row)
{
    if (is_of(row, COLONY_ORIGIN_PROGRAM))
        return COLONY_ORIGIN_PROGRAM;
    return is_of(row, COLONY_ORIGIN_FILE) ? COLONY_ORIGIN_FILE : ENGINE_ORIGIN_HTTP;
}

/* Not what the settings file has no more, nor what was in a directory nobody looks at any more, nor
 * what a program had before it began anew. */
static bool is_to_be_restored(const struct colony_engine *engine,
                              const struct colony_store_template *row)
{
    if (!row->settings || is_of(row, ENGINE_ORIGIN_CONFIG))
        return false;
    if (is_of(row, COLONY_ORIGIN_PROGRAM))
        return row->load_id == engine->settings->load_id;
    return !is_of(row, COLONY_ORIGIN_FILE) || engine->settings->directories.config;
}

static void apply_row(const struct colony_store_template *row, void *data)
{
    struct colony_engine *engine = data;
    struct template_entry *entry = engine_find_entry(engine, row->name);
    struct colony_template *template = NULL;
    int rc;

    if (entry) {
        apply_to_file(entry, row);
        return;
    }
    if (!is_to_be_restored(engine, row)) {
        (void)colony_store_remove_template(engine->store, row->name);
        return;
    }
    rc = restore_template(&template, row);
    if (rc == 0)
        rc = engine_make_entry(engine, template, origin_of(row), &entry);
    if (rc == 0) {
        entry->is_unconfirmed = engine_is_of_directory(entry);
        apply_wishes(entry, row);
    } else if (colony_is_shortage(rc))
        engine->load_rc = rc;
    else
        engine->has_forgotten = true; /* the row stays: another version may know what it says */
}

static int add_file_templates(struct colony_engine *engine, struct colony_error *err)
{
    struct colony_settings *settings = engine->settings;
    struct template_entry *entry;
    int rc = 0;

    for (size_t i = 0; i < settings->template_count && rc == 0; i++) {
        struct colony_template *template = settings->templates[i];

        settings->templates[i] = NULL;
        rc = engine_add_entry(engine, template, ENGINE_ORIGIN_CONFIG, &entry);
        if (rc < 0) {
            colony_template_free(template);
            break;
        }
        entry->file_hash = template->hash;
        entry->file_numprocesses = template->numprocesses;
        rc = engine_schedule_link(entry);
        if (rc == 0)
            rc = engine_set_slots(entry, template->numprocesses);
    }
    settings->template_count = 0;
    for (entry = engine->entries; entry && rc == 0; entry = entry->hh.next)
        rc = engine_gates_link(entry);
    return rc < 0 ? colony_fail(err, rc, "cannot add templates: out of memory") : 0;
}

int engine_load_templates(struct colony_engine *engine, struct colony_error *err)
{
    struct colony_error reason;
    int rc = add_file_templates(engine, err);

    if (rc == 0)
        rc = open_store(engine, err);
    if (rc < 0 || !engine->store)
        return rc;
    rc = colony_store_each_template(engine->store, apply_row, engine, &reason);
    if (rc == 0)
        rc = engine->load_rc;
    else
        colony_log(SEVERITY_ERROR, "cannot read what was recorded: %s", reason.message);
    if (colony_is_shortage(rc))
        return colony_fail_os(err, rc, "cannot go on with what was recorded");
    engine_gates_break_circles(engine);
    rc = colony_history_new(&engine->history, engine->events, engine->store);
    return rc < 0 ? colony_fail_os(err, rc, "cannot keep a history") : 0;
}
