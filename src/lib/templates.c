/* SPDX-License-Identifier: Apache-2.0 */
/* templates.c - what a program has its engine run. */
#include "core/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/json_print.h"
#include "core/value.h"
#include "lib/colony_internal.h"

/* The engine reads what it has filled, so there is always an error to fill. */
static struct colony_error *some(struct colony_error *err, struct colony_error *unread)
{
    return err ? err : unread;
}

struct colony_engine *colony__running(const struct colony *colony, struct colony_error *err)
{
    struct colony_engine *engine = colony__engine(colony);

    if (!engine)
        (void)colony_fail(err, -EAGAIN,
                          "cannot ask the engine: it does not run; it does once it is ready");
    return engine;
}

static int no_such(struct colony_error *err, const char *name)
{
    return colony_fail(err, -ENOENT, "no such process: %s", name);
}

/* Coming and changing. */

typedef int (*put_fn)(struct colony_engine *engine, struct colony_template *template,
                      struct colony_error *err);

static int add(struct colony_engine *engine, struct colony_template *template,
               struct colony_error *err)
{
    return colony_engine_add_template(engine, template, COLONY_ORIGIN_PROGRAM, COLONY__WHO, err);
}

static int update(struct colony_engine *engine, struct colony_template *template,
                  struct colony_error *err)
{
    return colony_engine_update_template(engine, template, COLONY__WHO, err);
}

static int put_value(struct colony_engine *engine, const struct colony_value *value, put_fn put,
                     struct colony_error *err)
{
    struct colony_template *template;
    int rc = colony_template_new(&template, NULL, value, "settings", true, err);

    return rc < 0 ? rc : put(engine, template, err);
}

static int put_text(struct colony *colony, const char *text, put_fn put, struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct colony_error unread;
    struct colony_value *value;
    int rc;

    if (!engine)
        return -EAGAIN;
    rc = colony_value_parse_yaml(&value, text, strlen(text), "settings", err);
    if (rc < 0)
        return rc;
    rc = put_value(engine, value, put, some(err, &unread));
    colony_value_free(value);
    return rc;
}

static int put_json(struct colony *colony, const cJSON *settings, put_fn put,
                    struct colony_error *err)
{
    char *text;
    int rc;

    if (!settings)
        return colony_fail(err, -EINVAL, "cannot read the settings: there are none");
    text = colony_json_print(settings);
    rc = text ? put_text(colony, text, put, err)
              : colony_fail_os(err, -ENOMEM, "cannot read the settings");

    free(text);
    return rc;
}

int colony_template_add(struct colony *colony, const char *settings, struct colony_error *err)
{
    return put_text(colony, settings, add, err);
}

int colony_template_add_json(struct colony *colony, const cJSON *settings, struct colony_error *err)
{
    return put_json(colony, settings, add, err);
}

int colony_template_update(struct colony *colony, const char *settings, struct colony_error *err)
{
    return put_text(colony, settings, update, err);
}

int colony_template_update_json(struct colony *colony, const cJSON *settings,
                                struct colony_error *err)
{
    return put_json(colony, settings, update, err);
}

/* What is done to one by its name. */

static int change(struct colony *colony, const char *name,
                  int (*fn)(struct colony_engine *engine, const char *name, const char *why,
                            struct colony_error *err),
                  struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct colony_error unread;

    return engine ? fn(engine, name, COLONY__WHO, some(err, &unread)) : -EAGAIN;
}

int colony_template_remove(struct colony *colony, const char *name, struct colony_error *err)
{
    return change(colony, name, colony_engine_remove_template, err);
}

int colony_template_start(struct colony *colony, const char *name, struct colony_error *err)
{
    return change(colony, name, colony_engine_start_template, err);
}

int colony_template_stop(struct colony *colony, const char *name, struct colony_error *err)
{
    return change(colony, name, colony_engine_stop_template, err);
}

int colony_template_restart(struct colony *colony, const char *name, struct colony_error *err)
{
    return change(colony, name, colony_engine_restart_template, err);
}

static int scale(struct colony *colony, const char *name, int change_by, uint32_t count,
                 struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct colony_error unread;
    int rc;

    if (!engine)
        return -EAGAIN;
    rc = colony_engine_scale_template(engine, name, change_by, &count, COLONY__WHO,
                                      some(err, &unread));
    return rc < 0 ? rc : (int)count;
}

int colony_template_scale(struct colony *colony, const char *name, uint32_t count,
                          struct colony_error *err)
{
    return scale(colony, name, 0, count, err);
}

int colony_template_signal(struct colony *colony, const char *name, int signal,
                           struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);

    return engine ? colony_engine_signal_template(engine, name, signal, err) : -EAGAIN;
}

/* Looks. */

struct counting {
    uint32_t slots;
    uint32_t running;
};

static void count_slot(const struct colony_slot_info *info, void *data)
{
    struct counting *counting = data;

    counting->slots += !info->is_leaving;
    counting->running += info->id != 0;
}

int colony_template_state(struct colony *colony, const char *name,
                          struct colony_template_state *out, struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct counting counting = {0};

    if (!engine)
        return -EAGAIN;
    if (colony_engine_each_slot(engine, name, count_slot, &counting) < 0)
        return no_such(err, name);
    *out = (struct colony_template_state){
        .origin = colony_engine_origin(engine, name),
        .numprocesses = counting.slots,
        .running = counting.running,
        .is_active = colony_engine_is_active(engine, name),
    };
    return 0;
}

int colony_template_scale_by(struct colony *colony, const char *name, int change_by,
                             struct colony_error *err)
{
    struct colony_template_state now = {0};
    int rc;

    if (change_by != 0)
        return scale(colony, name, change_by, 0, err);
    rc = colony_template_state(colony, name, &now, err);
    return rc < 0 ? rc : (int)now.numprocesses;
}

int colony_template_get(struct colony *colony, const char *name, cJSON **out,
                        struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    const struct colony_template *template;
    cJSON *json;

    if (!engine)
        return -EAGAIN;
    template = colony_engine_find_template(engine, name);
    if (!template)
        return no_such(err, name);
    json = colony_template_to_json(template);
    if (!json)
        return colony_fail_os(err, -ENOMEM, "cannot show %s", name);
    *out = json;
    return 0;
}

struct naming {
    void (*each)(const char *name, void *data);
    void *data;
};

static void tell_name(const struct colony_template *template, void *data)
{
    const struct naming *naming = data;

    naming->each(template->name, naming->data);
}

int colony_template_each(struct colony *colony, void (*each)(const char *name, void *data),
                         void *data, struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct naming naming = {each, data};

    if (!engine)
        return -EAGAIN;
    colony_engine_each_template(engine, tell_name, &naming);
    return 0;
}
