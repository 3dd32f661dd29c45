/* SPDX-License-Identifier: Apache-2.0 */
#include "core/utf8.h"

#include <string.h>

/* Lengths, and what the second byte may be, by the first one: table 3-7 of the Unicode standard. */
static const struct sequence {
    unsigned char first_min;
    unsigned char first_max;
    unsigned char second_min;
    unsigned char second_max;
    unsigned char length;
} sequences[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

static bool is_sequence(const struct sequence *sequence, const unsigned char *bytes, size_t size)
{
    if (bytes[0] < sequence->first_min || bytes[0] > sequence->first_max || size < sequence->length)
        return false;
    if (bytes[1] < sequence->second_min || bytes[1] > sequence->second_max)
        return false;
    for (size_t i = 2; i < sequence->length; i++)
        if (!is_continuation(bytes[i]))
            return false;
    return true;
}

/* Bytes of the character at @bytes, 0 when there is none. */
static size_t character_length(const unsigned char *bytes, size_t size)
{
    if (bytes[0] < 0x80)
        return bytes[0] == 0 ? 0 : 1;
    for (size_t i = 0; i < sizeof sequences / sizeof sequences[0]; i++)
        if (is_sequence(&sequences[i], bytes, size))
            return sequences[i].length;
    return 0;
}

size_t colony_utf8_length(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t used = 0;

    while (used < size) {
        size_t length;

        if (bytes[used] - 1U < 0x7f) { /* nearly all there is */
            used++;
            continue;
        }
        length = character_length(bytes + used, size - used);
        if (length == 0)
            break;
        used += length;
    }
    return used;
}

void colony_utf8_repair(char *text, size_t size)
{
    for (size_t good = colony_utf8_length(text, size); good < size;
         good += colony_utf8_length(text + good, size - good))
        text[good] = '?';
}

bool colony_utf8_is_line(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return colony_utf8_length(text, size) == size;
}

void colony_utf8_locate(const char *text, size_t offset, struct colony_utf8_place *out)
{
    *out = (struct colony_utf8_place){.offset = offset, .line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            out->line++;
            out->column = 1;
        } else if (!is_continuation((unsigned char)text[i])) {
            out->column++;
        }
    }
}
