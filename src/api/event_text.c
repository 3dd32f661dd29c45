/* SPDX-License-Identifier: Apache-2.0 */
/* event_text.c - what the text of an event looks like. */
#include <string.h>

#include "api/inbox_internal.h"

const char *colony__inbox_via_name(enum colony_inbox_via via)
{
    static const char *const names[INBOX_VIA_COUNT] = {
        [INBOX_VIA_HTTP] = "http",
        [INBOX_VIA_UDP] = "udp",
    };

    return names[via];
}

/* (cJSON_Minify takes the quote of "\\" for one that goes on.) */
size_t colony__event_squeeze(char *json, size_t size)
{
    bool is_string = false;
    size_t used = 0;

    for (size_t i = 0; i < size; i++) {
        char byte = json[i];

        if (!is_string && memchr(" \t\r\n", byte, 4))
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
