/* SPDX-License-Identifier: Apache-2.0 */
/* engine_monitor.c - samples of a template's processes as they come and go. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/log.h"
#include "core/stats.h"

/* A process under watch. */
struct watched {
    struct watched *next;
    struct colony_monitor *monitor;
    struct colony_stats_watch *watch;
    uint32_t slot;
    uint64_t id;
    pid_t os_pid;
};

/* Nothing of it is touched after its callback, which may end it. */
struct colony_monitor {
    struct colony_engine *engine;
    struct colony_subscription *subscription;
    struct watched *watched;
    uint64_t only_id; /* 0: all of the template */
    uint32_t every;
    colony_monitor_cb cb;
    void *data;
    char name[COLONY_NAME_MAX + 1];
};

static void watched_remove(struct watched *watched)
{
    struct watched **link = &watched->monitor->watched;

    while (*link != watched)
        link = &(*link)->next;
    *link = watched->next;
    free(watched);
}

static void tell(const struct watched *watched, const struct colony_process_stats *stats)
{
    struct colony_monitor *monitor = watched->monitor;
    struct colony_slot_info info;

    if (colony_engine_find_process(monitor->engine, watched->id, &info) < 0)
        info = (struct colony_slot_info){.name = monitor->name, /* the engine let go of it first */
                                         .slot = watched->slot,
                                         .id = watched->id,
                                         .os_pid = watched->os_pid,
                                         .failure = "",
                                         .cause = "",
                                         .status = "",
                                         .output = ""};
    monitor->cb(&info, stats, monitor->data);
}

static void tell_end(struct watched *watched)
{
    struct watched ended = *watched;

    watched_remove(watched);
    tell(&ended, NULL);
}

/* An end is seen in /proc or told by the keeper, whichever comes first. */
static void on_stats(const struct colony_process_stats *stats, void *data)
{
    if (stats)
        tell(data, stats);
    else
        tell_end(data);
}

static int watch_process(struct colony_monitor *monitor, uint64_t id)
{
    struct slot *slot = engine_find_living(monitor->engine, id);
    const struct colony_record *record = slot ? engine_slot_record(slot) : NULL;
    struct watched *watched = calloc(1, sizeof *watched);
    struct colony_stats_wish wish = {.every = monitor->every, .cb = on_stats, .data = watched};
    int rc = -ENOMEM;

    if (watched && slot) {
        wish.pid = slot->os_pid;
        wish.start_ticks = record ? record->start_ticks : 0;
        rc = colony_stats_watch(colony_engine_stats(monitor->engine), &wish, &watched->watch);
    }
    if (rc < 0) {
        free(watched);
        return rc == -ESRCH || !slot ? 0 : rc; /* it has ended already */
    }
    watched->monitor = monitor;
    watched->slot = slot->number;
    watched->id = id;
    watched->os_pid = slot->os_pid;
    watched->next = monitor->watched;
    monitor->watched = watched;
    return 0;
}

static void on_spawn(struct colony_monitor *monitor, const struct colony_event *event)
{
    int rc = watch_process(monitor, event->id);

    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot watch what %s.%u uses: %s", event->name, event->slot,
                   strerror(-rc));
}

static void on_exit_of(struct colony_monitor *monitor, uint64_t id)
{
    for (struct watched *watched = monitor->watched; watched; watched = watched->next)
        if (watched->id == id) {
            colony_stats_unwatch(colony_engine_stats(monitor->engine), watched->watch);
            tell_end(watched);
            return;
        }
}

static void on_event(const struct colony_event *event, void *data)
{
    struct colony_monitor *monitor = data;

    /* The pattern of `web` matches an event `exit` of `web`, and any event of `web.exit` as well.
     */
    if (strcmp(event->name, monitor->name) != 0 ||
        (monitor->only_id && monitor->only_id != event->id))
        return;
    if (event->type == EVENT_SPAWN)
        on_spawn(monitor, event);
    else if (event->type == EVENT_EXIT)
        on_exit_of(monitor, event->id);
}

static int watch_template(struct colony_monitor *monitor)
{
    const struct template_entry *entry = engine_find_entry(monitor->engine, monitor->name);
    int rc = 0;

    for (uint32_t i = 0; entry && i < entry->slot_count && rc == 0; i++)
        if (entry->slots[i]->os_pid)
            rc = watch_process(monitor, entry->slots[i]->id);
    return rc;
}

/* What is wished for, by name: what runs now, and what comes. */
static int begin(struct colony_monitor *monitor)
{
    char pattern[sizeof "proc." + COLONY_NAME_MAX];
    int rc;

    (void)snprintf(pattern, sizeof pattern, "proc.%s", monitor->name);
    rc = colony_events_subscribe(colony_engine_events(monitor->engine), pattern, on_event, monitor,
                                 &monitor->subscription);
    if (rc < 0)
        return rc;
    return monitor->only_id ? watch_process(monitor, monitor->only_id) : watch_template(monitor);
}

int colony_engine_monitor(struct colony_engine *engine, const struct colony_monitor_wish *wish,
                          struct colony_monitor **out)
{
    const struct colony_template *template =
        wish->name ? colony_engine_find_template(engine, wish->name) : NULL;
    struct colony_slot_info info = {.name = template ? template->name : NULL};
    struct colony_monitor *monitor;
    int rc;

    if (!wish->name)
        (void)colony_engine_find_process(engine, wish->id, &info);
    if (!info.name)
        return -ENOENT;
    monitor = calloc(1, sizeof *monitor);
    if (!monitor)
        return -ENOMEM;
    monitor->engine = engine;
    monitor->only_id = wish->name ? 0 : wish->id;
    monitor->every = wish->every;
    monitor->cb = wish->cb;
    monitor->data = wish->data;
    (void)snprintf(monitor->name, sizeof monitor->name, "%s", info.name);
    rc = begin(monitor);
    if (rc < 0) {
        colony_engine_unmonitor(engine, monitor);
        return rc;
    }
    *out = monitor;
    return 0;
}

void colony_engine_unmonitor(struct colony_engine *engine, struct colony_monitor *monitor)
{
    if (!monitor)
        return;
    colony_events_unsubscribe(colony_engine_events(engine), monitor->subscription);
    for (struct watched *watched = monitor->watched, *next; watched; watched = next) {
        next = watched->next;
        colony_stats_unwatch(colony_engine_stats(engine), watched->watch);
        free(watched);
    }
    free(monitor);
}
