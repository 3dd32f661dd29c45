/* SPDX-License-Identifier: Apache-2.0 */
/* files_tell.c - what people are told of files: in the log, as events, as figures. */
#include <stdio.h>
#include <string.h>

#include "core/events.h"
#include "core/log.h"
#include "fsctl/files_internal.h"

void files_tell(struct files *files, enum files_subject subject, const char *text)
{
    char *told = files->told[subject];

    if (!text) {
        told[0] = '\0';
        return;
    }
    if (strcmp(told, text) == 0)
        return;
    (void)snprintf(told, COLONY_ERROR_TEXT_MAX, "%s", text);
    colony_log(SEVERITY_ERROR, "%s", text);
}

void files_refuse(struct files *files, const char *name, const char *text)
{
    const struct colony_event event = {
        .type = EVENT_REFUSE,
        .name = name && colony_name_check_file(name, NULL) == 0 ? name : NULL,
        .text = text,
    };

    files->refused_total++;
    colony_log(SEVERITY_ERROR, "%s", text);
    colony_events_publish(colony_engine_events(files->engine), &event);
}

void files_tell_dropped(struct files *files)
{
    struct colony__post *post = &files->job->post;

    if (post->dropped > 0)
        colony_log(SEVERITY_WARNING,
                   "has deleted refused messages (%u), of whose names %s/.invalid has %d each: "
                   "look there",
                   post->dropped, files->job->settings.messages, COLONY__REFUSED_MAX);
    files->dropped_total += post->dropped;
    post->dropped = 0;
}

static void each_file(colony_figure_cb cb, void *to, void *data)
{
    struct files *files = data;

    /* While the directory is the thread's, what runs of it tells nearly the same. */
    if (files->job && !files->is_busy)
        cb(NULL, 0, colony__directory_count(files->job->directory), to);
}

static void each_look(colony_figure_cb cb, void *to, void *data)
{
    const struct files *files = data;

    cb(NULL, 0, files->looks_total, to);
}

static void each_message(colony_figure_cb cb, void *to, void *data)
{
    const struct files *files = data;

    cb(NULL, 0, files->messages_total, to);
}

static void each_refused(colony_figure_cb cb, void *to, void *data)
{
    const struct files *files = data;

    cb(NULL, 0, files->refused_total, to);
}

static void each_dropped(colony_figure_cb cb, void *to, void *data)
{
    const struct files *files = data;

    cb(NULL, 0, files->dropped_total, to);
}

static const struct colony_meter meters[] = {
    {"colony_files", "gauge", "Files in the configuration directory.", each_file},
    {"colony_files_looks_total", "counter", "Looks at both directories.", each_look},
    {"colony_files_messages_total", "counter", "Messages that were acted on.", each_message},
    {"colony_files_refused_total", "counter", "Files and messages that could not be used.",
     each_refused},
    {"colony_files_dropped_total", "counter",
     "Refused messages that were not kept: .invalid has enough of that name.", each_dropped},
    {0},
};

void files_add_meters(struct files *files)
{
    files->meters = (struct colony_meters){.list = meters, .data = files};
    colony_engine_add_meters(files->engine, &files->meters);
}
