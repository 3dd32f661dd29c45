/* SPDX-License-Identifier: Apache-2.0 */
/* processes.c - what runs of templates, by internal id. */
#include <errno.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/template.h"
#include "lib/colony_internal.h"

static struct colony_process_info describe(const struct colony_slot_info *slot)
{
    return (struct colony_process_info){
        .id = slot->id,
        .os_pid = slot->os_pid,
        .slot = slot->slot,
        .name = slot->name,
        .state = colony_slot_state_name(slot->state),
        .started_at_ms = slot->started_at_ms,
        .uptime_ms = slot->uptime_ms,
        .restarts = slot->restarts,
    };
}

int colony_process_find(struct colony *colony, uint64_t id, struct colony_process_info *out,
                        struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct colony_slot_info slot;

    if (!engine)
        return -EAGAIN;
    if (colony_engine_find_process(engine, id, &slot) < 0)
        return colony_fail(err, -ENOENT, "no such process: %llu", (unsigned long long)id);
    *out = describe(&slot);
    return 0;
}

struct walk {
    struct colony_engine *engine;
    void (*each)(const struct colony_process_info *info, void *data);
    void *data;
};

static void tell_slot(const struct colony_slot_info *slot, void *data)
{
    const struct walk *walk = data;
    const struct colony_process_info info = describe(slot);

    walk->each(&info, walk->data);
}

static void tell_template(const struct colony_template *template, void *data)
{
    const struct walk *walk = data;

    (void)colony_engine_each_slot(walk->engine, template->name, tell_slot, data);
}

int colony_process_each(struct colony *colony, const char *name,
                        void (*each)(const struct colony_process_info *info, void *data),
                        void *data, struct colony_error *err)
{
    struct walk walk = {.engine = colony__running(colony, err), .each = each, .data = data};

    if (!walk.engine)
        return -EAGAIN;
    if (!name)
        colony_engine_each_template(walk.engine, tell_template, &walk);
    else if (colony_engine_each_slot(walk.engine, name, tell_slot, &walk) < 0)
        return colony_fail(err, -ENOENT, "no such process: %s", name);
    return 0;
}

int colony_process_stop(struct colony *colony, uint64_t id, struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);

    return engine ? colony_engine_stop_process(engine, id, COLONY__WHO, err) : -EAGAIN;
}

int colony_process_signal(struct colony *colony, uint64_t id, int signal, struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);

    return engine ? colony_engine_signal_process(engine, id, signal, err) : -EAGAIN;
}
