/* SPDX-License-Identifier: Apache-2.0 */
#include "api/feed_form_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/frames_internal.h"
#include "core/utf8.h"

enum {
    ID_MAX = 20, /* digits of UINT64_MAX */
};

#define DROPPED_TEXT "\n[colony: %" PRIu64 " %s are missing here: they were not read in time]\n"

static const char line_end[] = "\r\n";
static const char event_begin[] = "event: ";
static const char data_begin[] = "data: ";

const char *colony__form_type(const struct colony__form *form)
{
    if (form->feed == FEED_EVENTSOURCE)
        return "text/event-stream";
    return form->is_raw ? "application/octet-stream" : "application/json";
}

const char *colony__form_begin(const struct colony__form *form, size_t *size)
{
    static const char text[] = "retry: 2000\r\n\r\n";

    _Static_assert(COLONY__RETRY_MS == 2000, "what the text says");
    *size = form->feed == FEED_EVENTSOURCE ? sizeof text - 1 : 0;
    return text;
}

bool colony__form_is_messages(const struct colony__form *form)
{
    return form->feed == FEED_TEXT || form->feed == FEED_BINARY;
}

const char *colony__form_end(const struct colony__form *form, size_t *size)
{
    static const char close_frame[] = "\x88\x02\x03\xe8";

    _Static_assert(CLOSE_NORMAL == 0x3e8, "the code in the frame");
    *size = colony__form_is_messages(form) ? sizeof close_frame - 1 : 0;
    return close_frame;
}

const char *colony__form_heartbeat(const struct colony__form *form, size_t *size)
{
    static const char comment[] = ":\r\n\r\n";
    static const char blank[] = "\n";
    static const char ping[] = "\x89\x00";

    if (colony__form_is_messages(form)) {
        *size = sizeof ping - 1;
        return ping;
    }
    *size = form->feed == FEED_EVENTSOURCE ? sizeof comment - 1 : sizeof blank - 1;
    return form->feed == FEED_EVENTSOURCE ? comment : blank;
}

/* Where the line that begins at @at ends; *next: where the one after it begins, NULL: nowhere. */
static const char *find_line_end(const char *at, const char *end, const char **next)
{
    while (at < end && *at != '\n' && *at != '\r')
        at++;
    *next = NULL;
    if (at < end)
        *next = at + (*at == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1);
    return at;
}

static size_t count_lines(const char *text, size_t size)
{
    const char *end = text + size;
    size_t lines = 0;

    for (const char *at = text; at; lines++)
        (void)find_line_end(at, end, &at);
    return lines;
}

size_t colony__form_size(const struct colony__form *form, const struct colony__tidings *tidings)
{
    size_t size = tidings->size + sizeof line_end + COLONY__FRAME_HEAD_MAX;

    if (form->feed != FEED_EVENTSOURCE)
        return size;
    return size + sizeof "id: \r\nevent: \r\n\r\n" + ID_MAX + strlen(tidings->event) +
           count_lines(tidings->text, tidings->size) * (sizeof data_begin + sizeof line_end);
}

static char *put(char *out, const char *bytes, size_t size)
{
    return (char *)memcpy(out, bytes, size) + size;
}

/* Each byte that is not UTF-8 becomes '?', and each NUL becomes @nul. */
static char *put_valid(char *out, const char *bytes, size_t size, char nul)
{
    while (size > 0) {
        size_t good = colony_utf8_length(bytes, size);

        out = put(out, bytes, good);
        if (good < size)
            out = put(out, bytes[good] == '\0' ? &nul : "?", 1);
        good += good < size;
        bytes += good;
        size -= good;
    }
    return out;
}

static char *put_event(char *out, const struct colony__tidings *tidings)
{
    const char *end = tidings->text + tidings->size;
    const char *next;
    char id[sizeof "id: \r\n" + ID_MAX];

    if (tidings->id != COLONY__NO_ID)
        out = put(out, id, (size_t)snprintf(id, sizeof id, "id: %" PRIu64 "\r\n", tidings->id));
    out = put(out, event_begin, sizeof event_begin - 1);
    out = put(out, tidings->event, strlen(tidings->event));
    out = put(out, line_end, 2);
    for (const char *at = tidings->text; at; at = next) {
        const char *stop = find_line_end(at, end, &next);

        out = put(out, data_begin, sizeof data_begin - 1);
        out = put_valid(out, at, (size_t)(stop - at), '?');
        out = put(out, line_end, 2);
    }
    return put(out, line_end, 2);
}

static char *put_message(char *out, bool is_text, const char *bytes, size_t size)
{
    out += colony__frame_head(out, is_text ? FRAME_TEXT : FRAME_BINARY, size);
    return is_text ? put_valid(out, bytes, size, '\0') : put(out, bytes, size);
}

size_t colony__form_write(const struct colony__form *form, const struct colony__tidings *tidings,
                          char *out)
{
    char *at;

    if (form->feed == FEED_EVENTSOURCE)
        return (size_t)(put_event(out, tidings) - out);
    if (colony__form_is_messages(form))
        return (size_t)(put_message(out, form->feed == FEED_TEXT, tidings->text, tidings->size) -
                        out);
    at = put(out, tidings->text, tidings->size);
    if (!form->is_raw)
        at = put(at, line_end, 2);
    return (size_t)(at - out);
}

/* Among messages of bytes it is one of text. */
static size_t put_dropped_message(const struct colony__form *form, char *out, uint64_t weight)
{
    char text[COLONY__DROPPED_MAX - COLONY__FRAME_HEAD_MAX];
    int size;

    if (form->feed == FEED_BINARY)
        size = snprintf(text, sizeof text, "{\"event\":\"dropped\",\"%s\":%" PRIu64 "}", form->unit,
                        weight);
    else
        size = snprintf(text, sizeof text, DROPPED_TEXT, weight, form->unit);
    return size < 0 ? 0 : (size_t)(put_message(out, true, text, (size_t)size) - out);
}

size_t colony__form_dropped(const struct colony__form *form, char *out, uint64_t weight)
{
    int size;

    if (colony__form_is_messages(form))
        return put_dropped_message(form, out, weight);
    if (form->feed == FEED_EVENTSOURCE)
        size = snprintf(out, COLONY__DROPPED_MAX,
                        "event: dropped\r\ndata: {\"%s\":%" PRIu64 "}\r\n\r\n", form->unit, weight);
    else if (form->is_raw)
        size = snprintf(out, COLONY__DROPPED_MAX, DROPPED_TEXT, weight, form->unit);
    else
        size = snprintf(out, COLONY__DROPPED_MAX, "{\"event\":\"dropped\",\"%s\":%" PRIu64 "}\r\n",
                        form->unit, weight);
    return size < 0 ? 0 : (size_t)size;
}
