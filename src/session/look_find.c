/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look_find.c - which processes of a session live: those that the database notes, told from
 * strangers by their start time and boot; else those that resemble what was saved of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/error.h"
#include "core/table.h"
#include "core/template.h"
#include "session/fingerprint.h"
#include "session/look_internal.h"
#include "session/workspace.h"

struct finding {
    struct session_look *look;
    struct colony_workspace *workspace;
    struct colony_process_index *index; /* NULL: nobody is looked for */
    char instance[COLONY_INSTANCE_SIZE];
};

/* What was saved of it, or at least how it would be run: then its items are @process's. */
static void find(struct finding *finding, struct look_item *item)
{
    const struct colony_session_process *process = &finding->look->list.items[item->index];
    char mark[COLONY_INSTANCE_SIZE + COLONY_NAME_MAX + sizeof "//1"];
    struct colony_fingerprint saved = {0};
    bool is_saved =
        colony_fingerprint_load(&saved, finding->workspace, process->name, NULL, NULL) == 0;

    if (!is_saved) {
        saved = (struct colony_fingerprint){0};
        saved.fields[FIELD_CMDLINE].items = process->cmdline;
        while (process->cmdline && process->cmdline[saved.fields[FIELD_CMDLINE].count])
            saved.fields[FIELD_CMDLINE].count++;
    }
    (void)snprintf(mark, sizeof mark, "%s/%s/1", finding->instance, process->name);
    item->pid = colony_process_index_find(finding->index, &saved, mark);
    if (item->pid > 0)
        item->start_ticks = colony_proc_start_ticks(item->pid);
    if (is_saved)
        colony_fingerprint_clear(&saved);
}

static void note(struct session_look *look, struct look_item *item)
{
    const struct colony_session_process *process = &look->list.items[item->index];
    int fd = process->pid > 0 ? colony_session_process_pidfd(process) : -ESRCH;

    if (fd < 0)
        return;
    (void)close(fd);
    item->is_noted = true;
    item->pid = process->pid;
    item->start_ticks =
        process->start_ticks ? process->start_ticks : colony_proc_start_ticks(process->pid);
}

static void read_instance(struct finding *finding)
{
    int fd = open(colony_workspace_state_dir(finding->workspace), O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || colony_instance_settle(fd, finding->instance, NULL) < 0)
        finding->instance[0] = '\0'; /* a mark of nobody's */
    if (fd >= 0)
        (void)close(fd);
}

/* All that /proc shows, but for those that are known. */
static void open_index(struct finding *finding)
{
    struct colony_error err;

    if (colony_process_index_new(&finding->index, &err) < 0) {
        session_look_tell(finding->look, err.message);
        return;
    }
    for (size_t i = 0; i < finding->look->count; i++)
        if (finding->look->items[i].is_noted)
            colony_process_index_take(finding->index, finding->look->items[i].pid);
}

void session_look_find(struct session_look *look, struct colony_workspace *workspace, bool finds)
{
    struct finding finding = {.look = look, .workspace = workspace};
    size_t noted = 0;

    for (size_t i = 0; i < look->count; i++) {
        note(look, &look->items[i]);
        noted += look->items[i].is_noted;
    }
    if (!finds || noted == look->count)
        return;
    read_instance(&finding);
    open_index(&finding);
    for (size_t i = 0; finding.index && i < look->count; i++)
        if (!look->items[i].is_noted && look->items[i].template)
            find(&finding, &look->items[i]);
    colony_process_index_free(finding.index);
}
