/* SPDX-License-Identifier: Apache-2.0 */
#include "api/json_internal.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "core/utf8.h"

enum {
    DIGITS_MAX = 20, /* of UINT64_MAX */
};

static void put(struct colony__json *json, const char *bytes, size_t size)
{
    if (json->failed || colony__buffer_append(&json->text, bytes, size, COLONY__ANSWER_MAX) < 0)
        json->failed = true;
}

/*
 * Writes the comma and the key that stand before a value, and @size bytes that begin it. No value
 * ends in an opening bracket: a text ends in a quote.
 */
static void begin_value(struct colony__json *json, const char *key, const char *bytes, size_t size)
{
    struct colony__buffer *text = &json->text;
    size_t length = key ? strlen(key) : 0;
    char *at;

    if (json->failed ||
        colony__buffer_reserve(text, length + sizeof ",\"\":" + size, COLONY__ANSWER_MAX) < 0) {
        json->failed = true;
        return;
    }
    at = text->data + text->size;
    if (text->size > 0 && at[-1] != '[' && at[-1] != '{')
        *at++ = ',';
    if (key) {
        *at++ = '"';
        at = mempcpy(at, key, length);
        *at++ = '"';
        *at++ = ':';
    }
    at = mempcpy(at, bytes, size);
    text->size = (size_t)(at - text->data);
}

void colony__json_clear(struct colony__json *json)
{
    colony__buffer_clear(&json->text);
    json->failed = false;
}

void colony__json_open(struct colony__json *json, const char *key, char bracket)
{
    begin_value(json, key, &bracket, 1);
}

void colony__json_close(struct colony__json *json, char bracket)
{
    put(json, &bracket, 1);
}

void colony__json_add_raw(struct colony__json *json, const char *key, const char *text, size_t size)
{
    if (text)
        begin_value(json, key, text, size);
    else
        json->failed = true;
}

void colony__json_add_null(struct colony__json *json, const char *key)
{
    colony__json_add_raw(json, key, "null", 4);
}

void colony__json_add_bool(struct colony__json *json, const char *key, bool value)
{
    colony__json_add_raw(json, key, value ? "true" : "false", value ? 4 : 5);
}

/* Writes @number before @end, in as many digits as it has but @least at least. Returns its begin.
 */
static char *write_digits(char *end, uint64_t number, int least)
{
    for (; number > 0 || least > 0; number /= 10, least--)
        *--end = (char)('0' + number % 10);
    return end;
}

void colony__json_add_number(struct colony__json *json, const char *key, uint64_t number)
{
    char digits[DIGITS_MAX];
    char *end = digits + sizeof digits;
    const char *begin = write_digits(end, number, 1);

    colony__json_add_raw(json, key, begin, (size_t)(end - begin));
}

void colony__json_add_signed(struct colony__json *json, const char *key, int64_t number)
{
    char digits[1 + DIGITS_MAX];
    char *end = digits + sizeof digits;
    char *begin = write_digits(end, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 1);

    if (number < 0)
        *--begin = '-';
    colony__json_add_raw(json, key, begin, (size_t)(end - begin));
}

void colony__json_add_rounded(struct colony__json *json, const char *key, double number)
{
    char digits[2 + DIGITS_MAX];
    char *end = digits + sizeof digits;
    uint64_t hundredths;
    char *begin;

    if (!(fabs(number) < 1e15)) {
        colony__json_add_null(json, key);
        return;
    }
    hundredths = (uint64_t)llround(fabs(number) * 100);
    begin = write_digits(end, hundredths % 100, 2);
    while (end > begin && end[-1] == '0')
        end--;
    if (end > begin)
        *--begin = '.';
    else
        begin = end = digits + sizeof digits;
    begin = write_digits(begin, hundredths / 100, 1);
    if (number < 0 && hundredths > 0)
        *--begin = '-';
    colony__json_add_raw(json, key, begin, (size_t)(end - begin));
}

void colony__json_add_seconds(struct colony__json *json, const char *key, uint64_t ms)
{
    char digits[1 + DIGITS_MAX];
    char *end = digits + sizeof digits;
    char *begin = write_digits(end, ms % 1000, 3);

    *--begin = '.';
    begin = write_digits(begin, ms / 1000, 1);
    colony__json_add_raw(json, key, begin, (size_t)(end - begin));
}

void colony__json_add_time(struct colony__json *json, const char *key, uint64_t wall_ms)
{
    char text[] = "\"0000-00-00T00:00:00.000Z\"";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (wall_ms == 0 || !gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900) {
        colony__json_add_null(json, key);
        return;
    }
    (void)write_digits(text + 5, (uint64_t)tm.tm_year + 1900, 4);
    (void)write_digits(text + 8, (uint64_t)tm.tm_mon + 1, 2);
    (void)write_digits(text + 11, (uint64_t)tm.tm_mday, 2);
    (void)write_digits(text + 14, (uint64_t)tm.tm_hour, 2);
    (void)write_digits(text + 17, (uint64_t)tm.tm_min, 2);
    (void)write_digits(text + 20, (uint64_t)tm.tm_sec, 2);
    (void)write_digits(text + 24, wall_ms % 1000, 3);
    colony__json_add_raw(json, key, text, sizeof text - 1);
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

static void put_escape(struct colony__json *json, char byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = strchr(plain, byte);
    unsigned code = (unsigned char)byte;

    if (found)
        put(json, (const char[]){'\\', letters[found - plain]}, 2);
    else
        put(json, (const char[]){'\\', 'u', '0', '0', hex[code >> 4], hex[code & 15]}, 6);
}

/* @size bytes that are UTF-8. */
static void put_escaped(struct colony__json *json, const char *text, size_t size)
{
    size_t from = 0;

    for (size_t i = 0; i < size; i++) {
        if (is_plain((unsigned char)text[i]))
            continue;
        put(json, text + from, i - from);
        put_escape(json, text[i]);
        from = i + 1;
    }
    put(json, text + from, size - from);
}

void colony__json_add_text(struct colony__json *json, const char *key, const char *text)
{
    size_t size = text ? strlen(text) : 0;

    begin_value(json, key, "\"", 1);
    while (size > 0) {
        size_t good = colony_utf8_length(text, size);

        put_escaped(json, text, good);
        if (good == size)
            break;
        put(json, "?", 1);
        text += good + 1;
        size -= good + 1;
    }
    put(json, "\"", 1);
}
