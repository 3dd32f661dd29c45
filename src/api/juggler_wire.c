/* SPDX-License-Identifier: Apache-2.0 */
/* juggler_wire.c - what is sent to Juggler, and what it answers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/json_internal.h"
#include "api/juggler.h"
#include "core/error.h"
#include "core/value.h"

static const char *const status_names[JUGGLER_STATUS_COUNT] = {
    [JUGGLER_OK] = "OK",
    [JUGGLER_WARN] = "WARN",
    [JUGGLER_CRIT] = "CRIT",
    [JUGGLER_INFO] = "INFO",
};

const char *colony_juggler_status_name(enum colony_juggler_status status)
{
    return status_names[status];
}

int colony_juggler_status_parse(const char *name)
{
    for (int i = 0; i < JUGGLER_STATUS_COUNT; i++)
        if (strcmp(status_names[i], name) == 0)
            return i;
    return -EINVAL;
}

int colony_juggler_url(char *out, size_t size, const char *url)
{
    size_t length = strlen(url);
    int written;

    while (length > 0 && url[length - 1] == '/')
        length--;
    written = snprintf(out, size, "%.*s/events", (int)length, url);
    return written < 0 || (size_t)written >= size ? -ENAMETOOLONG : 0;
}

static void add_event(struct colony__json *json, const struct colony_juggler_event *event)
{
    colony__json_open(json, NULL, '{');
    colony__json_add_text(json, "host", event->host);
    colony__json_add_text(json, "service", event->service);
    colony__json_add_text(json, "status", status_names[event->status]);
    colony__json_add_text(json, "description", event->description);
    colony__json_open(json, "tags", '[');
    for (char *const *tag = event->tags; tag && *tag; tag++)
        colony__json_add_text(json, NULL, *tag);
    colony__json_close(json, ']');
    colony__json_close(json, '}');
}

char *colony_juggler_body(const char *source, const struct colony_juggler_event *events,
                          size_t count, size_t *size)
{
    struct colony__json json = {0};

    colony__json_open(&json, NULL, '{');
    colony__json_add_text(&json, "source", source);
    colony__json_open(&json, "events", '[');
    for (size_t i = 0; i < count; i++)
        add_event(&json, &events[i]);
    colony__json_close(&json, ']');
    colony__json_close(&json, '}');
    if (json.failed) {
        colony__json_clear(&json);
        return NULL;
    }
    *size = json.text.size;
    return json.text.data;
}

static int read_codes(const struct colony_value *answer, int *codes, size_t count,
                      struct colony_error *err)
{
    const struct colony_value *events = colony_value_get(answer, "events");
    const struct colony_value *event = events && events->type == VALUE_LIST ? events->child : NULL;

    for (size_t i = 0; i < count; i++) {
        const struct colony_value *code = event ? colony_value_get(event, "code") : NULL;

        if (!code || code->type != VALUE_NUMBER || code->number < 0 || code->number > 999)
            return colony_fail(err, -EBADMSG, "its answer has no code for each event");
        codes[i] = (int)code->number;
        event = event->next;
    }
    return 0;
}

int colony_juggler_read_answer(const char *body, size_t size, int *codes, size_t count,
                               struct colony_error *err)
{
    struct colony_value *answer = NULL;
    int rc = colony_value_parse_json(&answer, body, size, NULL);

    if (rc == -ENOMEM)
        return colony_fail(err, rc, "out of memory");
    if (rc < 0)
        return colony_fail(err, -EBADMSG, "its answer is no JSON that can be read");
    rc = read_codes(answer, codes, count, err);
    colony_value_free(answer);
    return rc;
}
