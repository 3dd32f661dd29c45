/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/setting_internal.h"
#include "core/settings.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

enum {
    PORT_MAX = 65535,
};

static int read_text(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    char **text = field;

    if (value->type == VALUE_NUMBER || value->type == VALUE_BOOL)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: it must be a text, put it in quotes",
                                    row->name);
    if (value->type != VALUE_STRING)
        return colony__setting_fail_type(reading, row, value);
    if (value->text[0] == '\0')
        return colony__setting_fail(reading, value, -EINVAL, "cannot use `%s`: it is empty",
                                    row->name);
    free(*text);
    *text = strdup(value->text);
    return *text ? 0 : -ENOMEM;
}

static cJSON *write_text(const struct colony__setting *row, const void *field)
{
    const char *text = *(const char *const *)field;

    (void)row;
    return text ? cJSON_CreateString(text) : cJSON_CreateNull();
}

static int read_flag(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    if (value->type != VALUE_BOOL)
        return colony__setting_fail_type(reading, row, value);
    *(bool *)field = value->boolean;
    return 0;
}

static cJSON *write_flag(const struct colony__setting *row, const void *field)
{
    (void)row;
    return cJSON_CreateBool(*(const bool *)field);
}

int colony__setting_integer(const struct colony__reading *reading, const struct colony_value *value,
                            const struct colony__setting_range *range, int64_t *out)
{
    bool is_whole = value->type == VALUE_NUMBER && value->number == floor(value->number);

    if (!is_whole || value->number < (double)range->min || value->number > (double)range->max)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use %s: it must be a whole number from %" PRId64
                                    " to %" PRId64,
                                    colony__setting_label(value).text, range->min, range->max);
    *out = (int64_t)value->number;
    return 0;
}

static int read_count(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    int64_t number = 0;
    int rc = colony__setting_integer(reading, value, row->detail, &number);

    if (rc == 0)
        *(uint32_t *)field = (uint32_t)number;
    return rc;
}

static cJSON *write_count(const struct colony__setting *row, const void *field)
{
    (void)row;
    return cJSON_CreateNumber(*(const uint32_t *)field);
}

static int read_seconds(const struct colony__reading *reading, const struct colony__setting *row,
                        const struct colony_value *value, void *field)
{
    const struct colony__setting_range *range = row->detail;
    uint64_t ms = 0;

    if (value->type == VALUE_NUMBER && value->number >= 0 &&
        value->number <= (double)COLONY__DURATION_MS_MAX / 1000)
        ms = (uint64_t)(value->number * 1000 + 0.5);
    else if (value->type != VALUE_STRING || colony_settings_parse_duration(value->text, &ms) < 0)
        return colony__setting_fail_type(reading, row, value);
    if (range && ms < (uint64_t)range->min)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: it must be %" PRId64 "ms or more", row->name,
                                    range->min);
    *(uint64_t *)field = ms;
    return 0;
}

static cJSON *write_seconds(const struct colony__setting *row, const void *field)
{
    char text[32];

    (void)row;
    (void)snprintf(text, sizeof text, "%" PRIu64 "ms", *(const uint64_t *)field);
    return cJSON_CreateString(text);
}

static bool is_port(const char *text)
{
    size_t length = strspn(text, "0123456789");

    return length > 0 && length <= 5 && text[length] == '\0' && strtol(text, NULL, 10) <= PORT_MAX;
}

bool colony__is_host_port(const char *text)
{
    const char *colon = strrchr(text, ':');

    if (!colon || colon == text || !is_port(colon + 1))
        return false;
    if (text[0] == '[')
        return colon[-1] == ']' && colon > text + 2;
    return memchr(text, ':', (size_t)(colon - text)) == NULL;
}

void colony__setting_write_size(char *text, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;

    for (; unit < 4 && bytes > 0 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    (void)snprintf(text, size, "%" PRIu64 "%s", bytes, units[unit]);
}

static int read_bytes(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    const struct colony__setting_range *range = row->detail;
    uint64_t bytes = UINT64_MAX; /* what is no whole number is in no range */
    char least[32];
    char most[32];

    if (value->type == VALUE_NUMBER && value->number >= 0 && value->number < 0x1p63 &&
        value->number == floor(value->number))
        bytes = (uint64_t)value->number;
    else if (value->type != VALUE_NUMBER &&
             (value->type != VALUE_STRING || colony_settings_parse_size(value->text, &bytes) < 0))
        return colony__setting_fail_type(reading, row, value);
    if (bytes >= (uint64_t)range->min && bytes <= (uint64_t)range->max) {
        *(uint64_t *)field = bytes;
        return 0;
    }
    colony__setting_write_size(least, sizeof least, (uint64_t)range->min);
    colony__setting_write_size(most, sizeof most, (uint64_t)range->max);
    return colony__setting_fail(reading, value, -EINVAL,
                                "cannot use `%s`: it must be from %s to %s, as a number of bytes "
                                "or as such a text",
                                row->name, least, most);
}

static cJSON *write_bytes(const struct colony__setting *row, const void *field)
{
    (void)row;
    return cJSON_CreateNumber((double)*(const uint64_t *)field);
}

static int add_text(const struct colony__reading *reading, const struct colony__setting *row,
                    const struct colony_value *value, struct colony__words *words)
{
    struct colony_error reason;
    int rc;

    if ((value->type != VALUE_STRING && value->type != VALUE_NUMBER) || value->text[0] == '\0')
        return colony__setting_fail_type(reading, row, value);
    rc = colony__words_add(words, value->text, strlen(value->text), &reason);
    if (rc == -EINVAL)
        return colony__setting_fail(reading, value, rc, "cannot use `%s`: %s", row->name,
                                    reason.message);
    return rc;
}

static int read_texts(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    struct colony__words words = {0};
    char ***list = field;
    int rc = colony__words_init(&words);

    if (rc == 0 && value->type != VALUE_LIST)
        rc = add_text(reading, row, value, &words);
    else if (rc == 0)
        for (const struct colony_value *child = value->child; child && rc == 0; child = child->next)
            rc = add_text(reading, row, child, &words);
    if (rc == 0) {
        colony__words_free(*list);
        *list = words.items;
    } else {
        colony__words_free(words.items);
    }
    return rc;
}

static cJSON *write_texts(const struct colony__setting *row, const void *field)
{
    char *const *list = *(char *const *const *)field;
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    (void)row;
    for (; list && *list && rc == 0; list++)
        rc = colony__json_add(json, NULL, cJSON_CreateString(*list));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static int read_choice(const struct colony__reading *reading, const struct colony__setting *row,
                       const struct colony_value *value, void *field)
{
    const char *const *choices = row->detail;
    char known[128] = "";
    size_t used = 0;

    for (unsigned i = 0; choices[i]; i++) {
        if (value->type == VALUE_STRING && strcmp(choices[i], value->text) == 0) {
            *(unsigned *)field = i; /* what an enum without negative values is */
            return 0;
        }
        (void)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", choices[i]);
        used = strlen(known);
    }
    return colony__setting_fail(reading, value, -EINVAL, "cannot use `%s`: it must be one of %s",
                                row->name, known);
}

static cJSON *write_choice(const struct colony__setting *row, const void *field)
{
    const char *const *choices = row->detail;

    return cJSON_CreateString(choices[*(const unsigned *)field]);
}

static int read_table(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    return colony__settings_read(reading, row->detail, value, field);
}

static cJSON *write_table(const struct colony__setting *row, const void *field)
{
    return colony__settings_write(row->detail, field);
}

/* clang-format off */
const struct colony__setting_type colony__setting_text =
    {"a text",                                       false, read_text,    write_text};
const struct colony__setting_type colony__setting_flag =
    {"true or false",                                false, read_flag,    write_flag};
const struct colony__setting_type colony__setting_count =
    {"a whole number",                               false, read_count,   write_count};
const struct colony__setting_type colony__setting_seconds =
    {"a number of seconds, or a text such as 500ms, 5s or 1h", false, read_seconds, write_seconds};
const struct colony__setting_type colony__setting_bytes =
    {"a number of bytes, or a text such as 64MiB",   false, read_bytes,   write_bytes};
const struct colony__setting_type colony__setting_texts =
    {"a text or a list of texts, none of them empty", false, read_texts,  write_texts};
const struct colony__setting_type colony__setting_choice =
    {"one of a few words",                           false, read_choice,  write_choice};
const struct colony__setting_type colony__setting_table =
    {"a map of settings",                            true,  read_table,   write_table};
/* clang-format on */
