/* SPDX-License-Identifier: Apache-2.0 */
/* event_text.c - what the text of an event looks like, and what it has. */
#include <string.h>

#include "api/inbox_internal.h"
#include "core/value.h"

static const char *const via_names[INBOX_VIA_COUNT] = {
    [INBOX_VIA_HTTP] = "http",
    [INBOX_VIA_UDP] = "udp",
};

const char *colony__inbox_via_name(enum colony_inbox_via via)
{
    return via_names[via];
}

enum colony_inbox_via colony__inbox_via_parse(const char *name)
{
    return strcmp(name, via_names[INBOX_VIA_UDP]) == 0 ? INBOX_VIA_UDP : INBOX_VIA_HTTP;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* (cJSON_Minify takes the quote of "\\" for one that goes on.) */
size_t colony__event_squeeze(char *json, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of the byte order; the parser passes over it */
    size_t begin = size >= strlen(mark) && memcmp(json, mark, strlen(mark)) == 0 ? strlen(mark) : 0;
    bool is_string = false;
    size_t used = 0;

    for (size_t i = begin; i < size; i++) {
        char byte = json[i];

        if (!is_string && is_blank(byte))
            continue;
        json[used++] = byte;
        if (byte == '"')
            is_string = !is_string;
        else if (byte == '\\' && i + 1 < size) /* only a string has these */
            json[used++] = json[++i];
    }
    json[used] = '\0';
    return used;
}

static bool has_map(const struct colony_value *event, const struct colony_value *when)
{
    for (const struct colony_value *want = when->child; want; want = want->next) {
        const struct colony_value *has = colony_value_get(event, want->key);

        if (!has || !colony__event_has(has, want))
            return false;
    }
    return true;
}

static bool has_list(const struct colony_value *event, const struct colony_value *when)
{
    const struct colony_value *has = event->child;
    const struct colony_value *want = when->child;

    for (; has && want; has = has->next, want = want->next)
        if (!colony__event_has(has, want))
            return false;
    return !has && !want;
}

bool colony__event_has(const struct colony_value *event, const struct colony_value *when)
{
    if (!when)
        return true;
    if (event->type != when->type)
        return false;
    switch (when->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return event->boolean == when->boolean;
    case VALUE_NUMBER:
        return event->number == when->number;
    case VALUE_STRING:
        return strcmp(event->text, when->text) == 0;
    case VALUE_LIST:
        return has_list(event, when);
    case VALUE_MAP:
        return has_map(event, when);
    }
    return false;
}
