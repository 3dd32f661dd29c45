/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_reload.c - goes over to what the settings file says now, and tells what that means.
 *
 * The file is read and the result is saved on a thread of libuv's; the plan and the change are made
 * on the loop in one go, so that nobody sees half of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/gates.h"
#include "core/limits.h"
#include "core/log.h"
#include "core/state_dir.h"

enum {
    STEP_TEXT_SIZE = 200,
};

struct step {
    struct colony_reload_step told;
    char name[COLONY_NAME_MAX + 1];
    char text[STEP_TEXT_SIZE];
};

struct reload {
    uv_work_t work;
    struct colony_engine *engine;
    bool is_dry;
    char why[WHY_SIZE];
    colony_reload_cb cb;
    void *data;
    struct colony_settings *settings; /* as read now */
    struct colony_settings saved;     /* those of them that a reload applies, and the others as they
                                         are; owns nothing */
    const struct colony_reload_part *parts[RELOAD_PARTS_MAX]; /* NULL: none */
    void *loaded[RELOAD_PARTS_MAX];                           /* of these */
    int rc;
    struct colony_error err;
    struct step *steps;
    size_t step_count;
    size_t step_room;
};

const char *colony_reload_action_name(enum colony_reload_action action)
{
    static const char *const names[RELOAD_ACTION_COUNT] = {
        [RELOAD_START] = "start",   [RELOAD_STOP] = "stop",     [RELOAD_RESTART] = "restart",
        [RELOAD_UPDATE] = "update", [RELOAD_IGNORE] = "ignore",
    };

    return names[action];
}

/* The plan. */

static void add_step(struct reload *reload, enum colony_reload_action action, const char *name,
                     const char *text)
{
    struct step *step;

    if (reload->step_count == reload->step_room) {
        size_t room = reload->step_room ? reload->step_room * 2 : 64;
        struct step *grown = realloc(reload->steps, room * sizeof *grown);

        if (!grown) {
            reload->rc = colony_fail(&reload->err, -ENOMEM, "cannot reload: out of memory");
            return;
        }
        reload->steps = grown;
        reload->step_room = room;
    }
    step = &reload->steps[reload->step_count++];
    step->told.action = action;
    (void)snprintf(step->name, sizeof step->name, "%s", name);
    (void)snprintf(step->text, sizeof step->text, "%s", text);
}

static void plan_template(struct reload *reload, const struct colony_template *template)
{
    const struct template_entry *entry = engine_visible_entry(reload->engine, template->name);
    char changed[STEP_TEXT_SIZE - 16];
    char text[STEP_TEXT_SIZE];

    if (!entry) {
        add_step(reload, RELOAD_START, template->name, "is new");
        return;
    }
    if (entry->template->hash == template->hash)
        return;
    colony_template_difference(entry->template, template, changed, sizeof changed);
    (void)snprintf(text, sizeof text, "changed: %s", changed);
    add_step(reload,
             entry->template->process_hash == template->process_hash ? RELOAD_UPDATE
                                                                     : RELOAD_RESTART,
             template->name, text);
}

static bool is_of_file(const struct template_entry *entry)
{
    return !entry->is_removed && entry->file_hash != 0;
}

static void mark_seen(struct reload *reload)
{
    const struct colony_settings *settings = reload->settings;

    for (size_t i = 0; i < settings->template_count; i++) {
        struct template_entry *entry =
            engine_find_entry(reload->engine, settings->templates[i]->name);

        if (entry)
            entry->seen_load_id = settings->load_id;
    }
}

static void plan_section(const char *section, void *data)
{
    add_step(data, RELOAD_IGNORE, section, "has changed: that takes a restart of colony");
}

static void plan(struct reload *reload)
{
    const struct colony_settings *settings = reload->settings;
    const struct template_entry *entry;

    for (size_t i = 0; i < RELOAD_PARTS_MAX; i++)
        if (reload->loaded[i])
            add_step(reload, RELOAD_UPDATE, reload->parts[i]->name, reload->parts[i]->text);
    if (!settings)
        return; /* colony was started without a file */
    mark_seen(reload);
    for (size_t i = 0; i < settings->template_count; i++)
        plan_template(reload, settings->templates[i]);
    for (entry = reload->engine->entries; entry; entry = entry->hh.next)
        if (is_of_file(entry) && entry->seen_load_id != settings->load_id)
            add_step(reload, RELOAD_STOP, entry->template->name, "is gone from the file");
    colony_settings_each_fixed(reload->engine->settings, settings, plan_section, reload);
}

/* What the file says now together with what was added while colony ran. */
static int check(struct reload *reload)
{
    const struct colony_settings *settings = reload->settings;
    struct colony_engine *engine = reload->engine;
    size_t count = 0;
    const struct colony_template **all;
    int rc;

    if (!settings)
        return 0;
    for (size_t i = 0; i < settings->template_count; i++) {
        const struct template_entry *entry =
            engine_visible_entry(engine, settings->templates[i]->name);

        if (entry && engine_check_free(entry, &reload->err) < 0)
            return reload->err.code;
    }
    all = calloc(settings->template_count + HASH_COUNT(engine->entries) + 1,
                 sizeof(const struct colony_template *));
    if (!all)
        return colony_fail(&reload->err, -ENOMEM, "cannot reload: out of memory");
    for (size_t i = 0; i < settings->template_count; i++)
        all[count++] = settings->templates[i];
    for (struct template_entry *entry = engine->entries; entry; entry = entry->hh.next)
        if (!entry->is_removed && entry->file_hash == 0 && entry->seen_load_id != settings->load_id)
            all[count++] = entry->template;
    rc = colony_gates_check_new(all, count, settings->template_count, NULL, &reload->err);
    free(all);
    return rc;
}

/* The change. */

static void apply_template(struct reload *reload, struct colony_template *template)
{
    struct colony_engine *engine = reload->engine;
    struct template_entry *entry = engine_visible_entry(engine, template->name);
    uint64_t hash = template->hash;
    uint32_t numprocesses = template->numprocesses;
    int rc = 0;

    if (entry && entry->template->hash == hash) {
        colony_template_free(template);
    } else if (entry) {
        engine_set_why(entry, reload->why);
        entry->file_hash = hash;
        if (engine_renew_template(entry, template) < 0)
            colony_log(SEVERITY_ERROR, "cannot change all of %s: out of memory",
                       entry->template->name);
    } else {
        rc = engine_make_entry(engine, template, ENGINE_ORIGIN_CONFIG, &entry);
        if (rc == 0) {
            engine_set_why(entry, reload->why);
            engine_publish(entry, EVENT_CREATE);
            engine_want_again(entry);
            if (entry->is_wanted)
                engine_publish(entry, EVENT_START);
        }
    }
    if (rc < 0)
        reload->rc = colony_fail(&reload->err, -ENOMEM,
                                 "cannot apply all of the settings: out of memory, reload again");
    if (!entry || entry->is_removed)
        return;
    entry->origin = ENGINE_ORIGIN_CONFIG;
    entry->file_hash = hash;
    entry->file_numprocesses = numprocesses;
    entry->seen_load_id = reload->settings->load_id;
    engine_record(entry);
}

/* Keys that come to be hidden are, whatever else of `master:` takes a restart. */
static void apply_daemon(struct colony_settings *now, struct colony_settings *next)
{
    const struct colony_ping_settings ping = now->ping;
    const struct colony_status_settings status = now->status;
    char **hidden_opts = now->master.hidden_opts;

    now->ping = next->ping;
    next->ping = ping;
    now->status = next->status;
    next->status = status;
    now->master.hidden_opts = next->master.hidden_opts;
    next->master.hidden_opts = hidden_opts;
}

/* What is not templates and can change while colony runs. */
static void apply_rest(struct reload *reload)
{
    struct colony_settings *now = reload->engine->settings;
    struct colony_settings *next = reload->settings;
    struct colony_value *source = now->source;
    struct colony_webhooks_settings webhooks = now->webhooks;
    char *exit_with = now->exit_with;

    now->load_id = next->load_id;
    now->source = next->source;
    next->source = source; /* freed with it */
    now->history = next->history;
    engine_keep_history(reload->engine);
    now->webhooks = next->webhooks;
    next->webhooks = webhooks;
    apply_daemon(now, next);
    now->exit_with = next->exit_with;
    next->exit_with = exit_with;
}

static void apply(struct reload *reload)
{
    struct colony_engine *engine = reload->engine;
    struct colony_settings *settings = reload->settings;
    struct template_entry *next;

    apply_rest(reload);
    for (size_t i = 0; i < settings->template_count; i++) {
        struct colony_template *template = settings->templates[i];

        settings->templates[i] = NULL;
        apply_template(reload, template);
    }
    for (struct template_entry *entry = engine->entries; entry; entry = next) {
        next = entry->hh.next;
        if (engine_is_of_program(entry))
            engine_record(entry); /* it goes with these settings now */
        if (!is_of_file(entry) || entry->seen_load_id == settings->load_id)
            continue;
        engine_set_why(entry, reload->why);
        entry->file_hash = 0; /* the file has it no more: nothing is to be remembered */
        (void)engine_record_removed(entry); /* else it is not restored: the file has it no more */
        engine_remove_entry(entry);
    }
    settings->template_count = 0;
    engine_start_wanted(engine);
}

/* Who had one may have gone meanwhile. */
static void apply_parts(struct reload *reload)
{
    struct colony_engine *engine = reload->engine;

    for (size_t i = 0; i < RELOAD_PARTS_MAX; i++) {
        if (!reload->loaded[i] || engine->reload_parts[i].part != reload->parts[i])
            continue;
        reload->parts[i]->apply(reload->loaded[i], engine->reload_parts[i].data);
        reload->loaded[i] = NULL;
    }
}

/* The way through it: read, plan, save, apply, tell. */

void colony_engine_tell_reloaded(struct colony_engine *engine, const char *problem)
{
    struct colony_message message = {.type = MESSAGE_RELOADED};

    if (!engine->keeper->is_managed)
        return;
    (void)snprintf(message.u.name, sizeof message.u.name, "%s", problem ? problem : "");
    for (char *c = message.u.name; *c != '\0'; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    (void)colony_link_send(engine->link, &message, NULL, 0);
}

static void finish(struct reload *reload)
{
    struct colony_reload_step *told = calloc(reload->step_count + 1, sizeof *told);
    struct colony_engine *engine = reload->engine;

    if (!told && reload->rc == 0)
        reload->rc = colony_fail(&reload->err, -ENOMEM, "cannot tell what was done: out of memory");
    for (size_t i = 0; told && i < reload->step_count; i++)
        told[i] = (struct colony_reload_step){.action = reload->steps[i].told.action,
                                              .name = reload->steps[i].name,
                                              .text = reload->steps[i].text};
    engine->reload = NULL;
    if (!reload->is_dry)
        colony_engine_tell_reloaded(engine, reload->rc < 0 ? reload->err.message : NULL);
    reload->cb(reload->rc, &reload->err, told, told ? reload->step_count : 0, reload->data);
    free(told);
    free(reload->steps);
    for (size_t i = 0; i < RELOAD_PARTS_MAX; i++)
        if (reload->loaded[i])
            reload->parts[i]->drop(reload->loaded[i]);
    colony_settings_free(reload->settings);
    free(reload);
    engine_stir(engine, true);
    engine_on_part_closed(engine);
}

static void save(uv_work_t *work)
{
    struct reload *reload = work->data;

    reload->rc = colony_state_dir_save_reloaded(reload->engine->keeper->state_dir, &reload->saved,
                                                &reload->err);
}

static bool is_ending(struct reload *reload)
{
    if (!reload->engine->is_stopping && !reload->engine->is_closing)
        return false;
    reload->rc = colony_fail(&reload->err, -ESHUTDOWN, "cannot reload: colony is ending");
    return true;
}

static void after_save(uv_work_t *work, int status)
{
    struct reload *reload = work->data;

    if (status < 0)
        reload->rc = colony_fail_os(&reload->err, status, "cannot reload");
    if (reload->rc == 0 && !is_ending(reload)) {
        colony_log(SEVERITY_INFO, "goes over to the settings as they are now: asked by %s",
                   reload->why);
        apply(reload);
        apply_parts(reload);
    }
    finish(reload);
}

/* Nobody changes the engine's while a reload is under way. */
static void choose_saved(struct reload *reload)
{
    const struct colony_settings *next = reload->settings;

    reload->saved = *reload->engine->settings;
    if (!next)
        return; /* colony was started without a file */
    reload->saved.load_id = next->load_id;
    reload->saved.templates = next->templates;
    reload->saved.template_count = next->template_count;
    reload->saved.source = next->source;
    reload->saved.history = next->history;
    reload->saved.webhooks = next->webhooks;
    reload->saved.ping = next->ping;
    reload->saved.status = next->status;
    reload->saved.master.hidden_opts = next->master.hidden_opts;
    reload->saved.exit_with = next->exit_with;
}

/* What colony ends with stays unless the file says otherwise: the command line may have said it. */
static int keep_exit_with(struct reload *reload)
{
    const char *exit_with = reload->engine->settings->exit_with;

    if (!exit_with || !reload->settings || reload->settings->exit_with)
        return 0;
    return colony_settings_set_exit_with(reload->settings, exit_with, &reload->err);
}

static void load(uv_work_t *work)
{
    struct reload *reload = work->data;

    const char *config = reload->engine->keeper->config;

    if (config[0] != '\0')
        reload->rc = colony_settings_load(&reload->settings, config, &reload->err);
    if (reload->rc == 0)
        reload->rc = keep_exit_with(reload);
    choose_saved(reload);
    for (size_t i = 0; i < RELOAD_PARTS_MAX && reload->rc == 0; i++)
        if (reload->parts[i])
            reload->rc = reload->parts[i]->load(&reload->loaded[i], &reload->saved,
                                                reload->engine->settings, &reload->err);
}

static void after_load(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    int rc;

    if (status < 0)
        reload->rc = colony_fail_os(&reload->err, status, "cannot reload");
    if (reload->rc == 0 && !is_ending(reload))
        plan(reload);
    if (reload->rc == 0)
        reload->rc = check(reload);
    if (reload->rc == 0 && !reload->is_dry && !reload->settings)
        apply_parts(reload);
    if (reload->rc < 0 || reload->is_dry || !reload->settings) {
        finish(reload);
        return;
    }
    rc = uv_queue_work(reload->engine->loop, &reload->work, save, after_save);
    if (rc == 0)
        return; /* what it holds is the thread's until after_save */
    reload->rc = colony_fail_os(&reload->err, rc, "cannot reload");
    finish(reload);
}

/* Those that there can be without a settings file. */
static bool has_parts(const struct colony_engine *engine)
{
    for (size_t i = 0; i < RELOAD_PARTS_MAX; i++)
        if (engine->reload_parts[i].part && !engine->reload_parts[i].part->is_of_file)
            return true;
    return false;
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_engine_reload_settings(struct colony_engine *engine, bool is_dry, const char *why,
                                  colony_reload_cb cb, void *data, struct colony_error *err)
{
    struct reload *reload;
    int rc;

    if (engine->keeper->config[0] == '\0' && !has_parts(engine))
        return colony_fail(err, -ENOENT,
                           "cannot reload: colony was started without a settings file");
    if (engine->reload)
        return colony_fail(err, -EALREADY, "cannot reload: a reload is under way, try again");
    if (engine->is_stopping)
        return colony_fail(err, -ESHUTDOWN, "cannot reload: colony is ending");
    reload = calloc(1, sizeof *reload);
    if (!reload)
        return colony_fail(err, -ENOMEM, "cannot reload: out of memory");
    reload->work.data = reload;
    reload->engine = engine;
    reload->is_dry = is_dry;
    for (size_t i = 0; i < RELOAD_PARTS_MAX; i++)
        reload->parts[i] = engine->reload_parts[i].part;
    reload->cb = cb;
    reload->data = data;
    (void)snprintf(reload->why, sizeof reload->why, "%s", why);
    rc = uv_queue_work(engine->loop, &reload->work, load, after_load);
    if (rc < 0) {
        free(reload);
        return colony_fail_os(err, rc, "cannot reload");
    }
    engine->reload = reload;
    engine->open_handles++;
    return 0;
}
