/* SPDX-License-Identifier: Apache-2.0 */
#include "event_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_SIZE = 512,
};

/* Appends with a NUL after it. */
static int append(char **buffer, size_t *used, size_t *capacity, const char *bytes, size_t size)
{
    size_t needed = *used + size + 1;

    if (needed > COLONY_EVENT_SOURCE_MAX)
        return -EMSGSIZE;
    if (needed > *capacity) {
        size_t wanted = needed * 2 > FIRST_SIZE ? needed * 2 : FIRST_SIZE;
        char *grown = realloc(*buffer, wanted);

        if (!grown)
            return -ENOMEM;
        *buffer = grown;
        *capacity = wanted;
    }
    if (size > 0)
        memcpy(*buffer + *used, bytes, size);
    *used += size;
    (*buffer)[*used] = '\0';
    return 0;
}

static int add_text(struct colony_event_source *source, const char *value)
{
    int rc = 0;

    if (source->has_text)
        rc = append(&source->text, &source->text_size, &source->text_capacity, "\n", 1);
    source->has_text = true;
    if (rc == 0)
        rc =
            append(&source->text, &source->text_size, &source->text_capacity, value, strlen(value));
    return rc;
}

/* An event without data is none, but its id counts. */
static int hand_on(struct colony_event_source *source)
{
    int rc = 0;

    if (source->has_text)
        rc = source->cb(source->event[0] != '\0' ? source->event : "message", source->text,
                        source->data);
    if (rc == 0)
        memcpy(source->id, source->next_id, sizeof source->id);
    source->event[0] = '\0';
    source->has_text = false;
    source->text_size = 0;
    return rc;
}

static int take_line(struct colony_event_source *source, char *line)
{
    char *value = strchr(line, ':');

    if (line[0] == '\0')
        return hand_on(source);
    if (value == line)
        return 0; /* a comment */
    if (value)
        *value++ = '\0';
    else
        value = line + strlen(line);
    value += *value == ' ';
    if (strcmp(line, "data") == 0)
        return add_text(source, value);
    if (strcmp(line, "event") == 0)
        (void)snprintf(source->event, sizeof source->event, "%s", value);
    else if (strcmp(line, "id") == 0)
        (void)snprintf(source->next_id, sizeof source->next_id, "%s", value);
    return 0; /* retry: we come back at once, and whatever else there may be */
}

static int end_line(struct colony_event_source *source)
{
    int rc = append(&source->line, &source->line_size, &source->line_capacity, "", 0);

    if (rc == 0)
        rc = take_line(source, source->line);
    source->line_size = 0;
    return rc;
}

int colony_event_source_feed(struct colony_event_source *source, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    int rc = 0;

    while (bytes < end && rc == 0) {
        const char *stop = bytes;

        if (source->after_cr && *bytes == '\n')
            stop = ++bytes;
        source->after_cr = false;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        rc = append(&source->line, &source->line_size, &source->line_capacity, bytes,
                    (size_t)(stop - bytes));
        if (rc < 0 || stop == end)
            return rc;
        source->after_cr = *stop == '\r';
        rc = end_line(source);
        bytes = stop + 1;
    }
    return rc;
}

void colony_event_source_restart(struct colony_event_source *source)
{
    memcpy(source->next_id, source->id, sizeof source->next_id);
    source->event[0] = '\0';
    source->line_size = 0;
    source->text_size = 0;
    source->has_text = false;
    source->after_cr = false;
}

void colony_event_source_clear(struct colony_event_source *source)
{
    free(source->line);
    free(source->text);
    memset(source, 0, sizeof *source);
}
