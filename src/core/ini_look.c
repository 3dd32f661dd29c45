/* SPDX-License-Identifier: Apache-2.0 */
/* ini_look.c - what INI looks like; also where it cannot be read (WITHOUT=ini). */
#include <ctype.h>
#include <string.h>

#include "core/ini.h"
#include "core/ini_internal.h"

static bool is_blank(char byte)
{
    return byte != '\0' && strchr(" \t\r\n\v\f", byte) != NULL;
}

void colony__ini_trim(const char **text, size_t *length)
{
    while (*length > 0 && is_blank(**text)) {
        (*text)++;
        (*length)--;
    }
    while (*length > 0 && is_blank((*text)[*length - 1]))
        (*length)--;
}

bool colony_value_looks_like_ini(const char *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of the byte order */
    const char *end = text + size;

    if (size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
        text += strlen(mark);
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line = text;
        size_t length = (size_t)((newline ? newline : end) - text);

        text = newline ? newline + 1 : end;
        colony__ini_trim(&line, &length);
        if (length > 0 && line[0] != '#' && line[0] != ';')
            return length > 2 && line[0] == '[' && isalnum((unsigned char)line[1]) &&
                   memchr(line, ']', length) == line + length - 1;
    }
    return false;
}
