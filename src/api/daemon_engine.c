/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_engine.c - what the engine has to say at its daemon endpoint: its templates and store. */
#include <errno.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include "api/daemon_engine_internal.h"
#include "core/error.h"
#include "core/store.h"
#include "core/template.h"

static struct colony_engine *engine_of(const struct colony__daemon *daemon)
{
    return ((const struct colony__daemon_controller *)daemon->owner)->engine;
}

static const struct colony_settings *settings_of(const struct colony__daemon *daemon)
{
    return colony_engine_settings(engine_of(daemon));
}

/* --- /status ---------------------------------------------------------------------------------- */

struct slaves {
    struct colony_engine *engine;
    cJSON *list;
    bool has_several; /* of the template at hand */
    bool failed;      /* out of memory */
};

static void add_slave(const struct colony_slot_info *info, void *data)
{
    struct slaves *slaves = data;
    char name[COLONY_NAME_MAX + 16];
    cJSON *slave;

    if (info->id == 0)
        return;
    (void)snprintf(name, sizeof name, slaves->has_several ? "%s-%u" : "%s", info->name, info->slot);
    slave = cJSON_CreateObject();
    if (slave && colony__daemon_add(slave, "name", cJSON_CreateString(name)) &&
        colony__daemon_add(slave, "started",
                           colony__daemon_make_time(info->started_at_ms * 1000)) &&
        cJSON_AddItemToArray(slaves->list, slave))
        return;
    cJSON_Delete(slave);
    slaves->failed = true;
}

static void count_slot(const struct colony_slot_info *info, void *data)
{
    *(size_t *)data += !info->is_leaving || info->id != 0;
}

static void add_slaves(const struct colony_template *template, void *data)
{
    struct slaves *slaves = data;
    size_t count = 0;

    (void)colony_engine_each_slot(slaves->engine, template->name, count_slot, &count);
    slaves->has_several = count > 1;
    (void)colony_engine_each_slot(slaves->engine, template->name, add_slave, slaves);
}

static int add_all_slaves(const struct colony__daemon *daemon, cJSON *list)
{
    struct slaves slaves = {.engine = engine_of(daemon), .list = list};

    colony_engine_each_template(slaves.engine, add_slaves, &slaves);
    return slaves.failed ? -ENOMEM : 0;
}

/* --- /ping ------------------------------------------------------------------------------------ */

struct check {
    struct colony_engine *engine;
    struct colony_error *err;
    int rc; /* of what was looked at so far */
};

static void check_slot(const struct colony_slot_info *info, void *data)
{
    struct check *check = data;
    bool is_up = info->state == SLOT_RUNNING || info->state == SLOT_READY;
    const char *reason = *info->failure ? info->failure : info->cause;

    if (is_up || info->is_leaving || check->rc < 0)
        return;
    check->rc = colony_fail(check->err, -EIO, "%s.%u is critical and does not run: it is %s%s%s",
                            info->name, info->slot, colony_slot_state_name(info->state),
                            *reason ? ": " : "", reason);
}

static void check_template(const struct colony_template *template, void *data)
{
    struct check *check = data;

    if (!template->critical || check->rc < 0)
        return;
    if (template->numprocesses == 0)
        check->rc =
            colony_fail(check->err, -EIO, "%s is critical and has no process", template->name);
    else
        (void)colony_engine_each_slot(check->engine, template->name, check_slot, check);
}

static int check_store(struct colony_engine *engine, struct colony_error *err)
{
    const struct colony_store *store = colony_engine_store(engine);

    if (!store)
        return colony_fail(err, -EIO, "the store could not be opened");
    if (*colony_store_trouble(store) != '\0')
        return colony_fail(err, -EIO, "the store has trouble: %s", colony_store_trouble(store));
    return 0;
}

static int check_all(const struct colony__daemon *daemon, struct colony_error *err)
{
    struct check check = {.engine = engine_of(daemon), .err = err};

    colony_engine_each_template(check.engine, check_template, &check);
    return check.rc < 0 ? check.rc : check_store(check.engine, err);
}

const struct colony__daemon_host colony__daemon_engine = {
    .settings = settings_of,
    .add_slaves = add_all_slaves,
    .check = check_all,
    .ask_status = colony__daemon_ask_status,
    .ask_ping = colony__daemon_ask_ping,
};
