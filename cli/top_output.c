/* SPDX-License-Identifier: Apache-2.0 */
/* top_output.c - the last lines that the selected template's processes have written. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "top_internal.h"

static char *last_line(struct top_output *output)
{
    return output->lines[(output->count - 1) % TOP_LINES];
}

static void begin_line(struct top_output *output)
{
    output->count++;
    output->used = 0;
    last_line(output)[0] = '\0';
}

/* Lines are kept as they came; drawing makes them fit for a terminal. */
static int on_piece(const char *bytes, size_t size, void *data)
{
    struct top_output *output = data;

    for (size_t i = 0; i < size; i++) {
        if (output->count == 0)
            begin_line(output);
        if (bytes[i] == '\n') {
            begin_line(output);
        } else if (output->used + 1 < TOP_LINE_MAX) {
            char *line = last_line(output);

            line[output->used] = bytes[i];
            if (bytes[i] == '\t' || bytes[i] == '\0')
                line[output->used] = ' ';
            output->used++;
            line[output->used] = '\0';
        }
    }
    return 0;
}

static int on_bytes(const char *bytes, size_t size, void *data)
{
    struct top_output *output = data;

    return colony_log_reader_feed(&output->reader, bytes, size);
}

static void on_again(void *data)
{
    struct top_output *output = data;
    char from[COLONY_LOG_QUERY_MAX];

    colony_log_reader_restart(&output->reader, from, sizeof from);
    (void)snprintf(output->again, sizeof output->again, "%s%s", output->path, from);
}

void colony__top_clear_output(struct top_output *output)
{
    colony_followed_clear(&output->followed);
    colony_log_reader_clear(&output->reader);
    output->is_followed = false;
    output->name[0] = '\0';
    output->problem[0] = '\0';
    output->count = 0;
}

static void begin(struct top *top, const char *name)
{
    struct top_output *output = &top->output;
    char query[64];

    (void)snprintf(output->name, sizeof output->name, "%s", name);
    (void)snprintf(query, sizeof query, "?follow=true&places=true&lines=%d", TOP_LINES / 2);
    if (colony__ctl_path(output->path, "/logs/", name, query) != EXIT_OK)
        return;
    (void)snprintf(output->again, sizeof output->again, "%s", output->path);
    output->reader = (struct colony_log_reader){.cb = on_piece, .data = output};
    output->followed = (struct colony_followed){
        .target = &top->ctl.target,
        .request = {.method = "GET", .path = output->again, .on_body = on_bytes, .data = output},
        .again = on_again,
        .is_endless = true,
    };
    output->is_followed = true;
}

void colony__top_follow(struct top *top)
{
    const struct top_row *row = top->shows_output ? colony__top_selected(&top->model) : NULL;
    const char *name = row ? row->name : "";

    if (strcmp(name, top->output.name) == 0)
        return;
    colony__top_clear_output(&top->output);
    if (row)
        begin(top, name);
}

void colony__top_step_output(struct top *top, bool is_readable)
{
    struct top_output *output = &top->output;
    const struct colony_reply *reply;
    struct colony_error err = {0};
    struct cJSON *json;
    int rc;

    if (!output->is_followed)
        return;
    rc = colony_followed_step(&output->followed, is_readable, &reply, &err);
    if (rc == 0)
        return;
    if (rc < 0) {
        (void)snprintf(output->problem, sizeof output->problem, "%.200s",
                       err.message[0] != '\0' ? err.message : "cannot read it");
    } else if (reply->status / 100 != 2) {
        json = cJSON_ParseWithLength(reply->body, reply->size);
        (void)snprintf(output->problem, sizeof output->problem, "%.200s",
                       colony__ctl_text(json, "reason"));
        cJSON_Delete(json);
    }
    output->is_followed = false; /* until another one is selected */
    colony_followed_clear(&output->followed);
}
