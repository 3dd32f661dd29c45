/* SPDX-License-Identifier: Apache-2.0 */
/* files_pids.c - which pid files there should be, by what the bus tells. */
#include <errno.h>
#include <string.h>

#include "core/events.h"
#include "core/log.h"
#include "fsctl/files_internal.h"

static bool is_ours(const struct files *files, const char *name)
{
    const char *origin = colony_engine_origin(files->engine, name);

    return origin && strcmp(origin, COLONY_ORIGIN_FILE) == 0;
}

static void note(struct files *files, const char *name, uint32_t slot, pid_t os_pid)
{
    int rc = colony__pids_note(&files->noted, name, slot, os_pid);

    if (rc == 0 && os_pid > 0)
        rc = colony__pids_note(&files->written, name, slot, os_pid);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot note the pid of %s.%u: out of memory", name, slot);
    files_look_soon(files);
}

static void on_spawn(const struct colony_event *event, void *data)
{
    if (event->name && event->slot > 0 && is_ours(data, event->name))
        note(data, event->name, event->slot, event->os_pid);
}

/* Its template may be gone already. */
static void on_exit_of(const struct colony_event *event, void *data)
{
    struct files *files = data;

    if (event->name && event->slot > 0 &&
        colony__pids_drop(&files->written, event->name, event->slot))
        note(files, event->name, event->slot, 0);
}

/* What an engine before this one has left. */
static void note_slot(const struct colony_slot_info *info, void *data)
{
    note(data, info->name, info->slot, info->os_pid);
}

static void note_template(const struct colony_template *template, void *data)
{
    struct files *files = data;

    if (is_ours(files, template->name))
        (void)colony_engine_each_slot(files->engine, template->name, note_slot, files);
}

int files_watch_pids(struct files *files)
{
    struct colony_events *events = colony_engine_events(files->engine);
    int rc;

    if (!files->job->settings.pid)
        return 0;
    rc = colony_events_subscribe(events, "spawn", on_spawn, files, &files->subscriptions[0]);
    if (rc == 0)
        rc = colony_events_subscribe(events, "exit", on_exit_of, files, &files->subscriptions[1]);
    if (rc == 0)
        colony_engine_each_template(files->engine, note_template, files);
    return rc;
}

void files_forget_pids(struct files *files)
{
    for (size_t i = 0; i < sizeof files->subscriptions / sizeof files->subscriptions[0]; i++) {
        colony_events_unsubscribe(colony_engine_events(files->engine), files->subscriptions[i]);
        files->subscriptions[i] = NULL;
    }
}
