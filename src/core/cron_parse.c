/* SPDX-License-Identifier: Apache-2.0 */
/* cron_parse.c - reads a cron expression, and says which field is wrong. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/cron.h"
#include "core/cron_internal.h"
#include "core/error.h"

enum {
    TEXT_MAX = 255,
    FIELD_COUNT = 5,
};

struct field {
    const char *name;
    unsigned min;
    unsigned max;
    const char *const *names; /* of the values from `min` on, or NULL */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

/* clang-format off */
static const struct field fields[FIELD_COUNT] = {
    {"minute",           0, 59, NULL},
    {"hour",             0, 23, NULL},
    {"day of the month", 1, 31, NULL},
    {"month",            1, 12, month_names},
    {"day of the week",  0, 7,  day_names}, /* 7 is Sunday, too */
};

static const struct nickname {
    const char *name;
    const char *text; /* NULL: it is refused */
} nicknames[] = {
    {"@yearly",   "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly",   "0 0 * * 0"}, {"@daily",    "0 0 * * *"}, {"@midnight", "0 0 * * *"},
    {"@hourly",   "0 * * * *"}, {NULL, NULL},
};
/* clang-format on */

/* What one call reads. */
struct reader {
    const char *text; /* all of it, for messages */
    const struct field *field;
    const char *item; /* of the field, what messages quote */
    size_t item_size;
    struct colony_error *err;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static int fail(const struct reader *reader, const char *why)
{
    return colony_fail(reader->err, -EINVAL, "cannot use the %s `%.*s` of `%s`: %s",
                       reader->field->name, (int)reader->item_size, reader->item, reader->text,
                       why);
}

static int fail_range(const struct reader *reader)
{
    return colony_fail(reader->err, -EINVAL,
                       "cannot use the %s `%.*s` of `%s`: it goes from %u to %u",
                       reader->field->name, (int)reader->item_size, reader->item, reader->text,
                       reader->field->min, reader->field->max);
}

/* A number of at most three digits: more is out of every range. */
static const char *read_number(const char *at, unsigned *out)
{
    unsigned number = 0;
    const char *end = at;

    for (; is_digit(*end); end++)
        if (number < 1000)
            number = number * 10 + (unsigned)(*end - '0');
    *out = number;
    return end == at ? NULL : end;
}

static const char *read_name(const struct field *field, const char *at, unsigned *out)
{
    for (unsigned i = 0; field->names && field->names[i]; i++) {
        if (strncasecmp(at, field->names[i], 3) != 0 || is_letter(at[3]))
            continue;
        *out = field->min + i;
        return at + 3;
    }
    return NULL;
}

/* A value, and what follows it; NULL: refused, and told. */
static const char *read_value(const struct reader *reader, const char *at, unsigned *out)
{
    const char *end = read_number(at, out);

    if (!end)
        end = read_name(reader->field, at, out);
    if (!end) {
        (void)fail(reader, reader->field->names ? "it is neither a number nor a name"
                                                : "it is not a number");
        return NULL;
    }
    if (*out >= reader->field->min && *out <= reader->field->max)
        return end;
    (void)fail_range(reader);
    return NULL;
}

static int set_bits(const struct reader *reader, const unsigned range[2], unsigned step,
                    uint64_t *bits)
{
    if (range[0] > range[1])
        return fail(reader, "the range goes backwards: write two with a comma between them");
    if (step == 0)
        return fail(reader, "a step is 1 or more");
    if (step > reader->field->max)
        return fail(reader, "the step leads out of the field");
    for (unsigned value = range[0]; value <= range[1]; value += step)
        *bits |= UINT64_C(1) << value;
    return 0;
}

/* The end of a range, if there is one, then a step, if there is one. */
static int read_rest(const struct reader *reader, const char *at, unsigned range[2], unsigned *step)
{
    bool is_single = *at != '-' && reader->item[0] != '*';

    if (*at == '-' && reader->item[0] != '*') {
        at = read_value(reader, at + 1, &range[1]);
        if (!at)
            return -EINVAL;
    }
    if (*at == '/' && is_single)
        return fail(reader, "a step stands behind `*` or a range, such as 5-59/15");
    if (*at == '/') {
        at = read_number(at + 1, step);
        if (!at)
            return fail(reader, "the step is not a number");
    }
    return at == reader->item + reader->item_size
               ? 0
               : fail(reader, "it is neither *, a value, A-B, */N nor A-B/N");
}

/* `*`, `A` or `A-B`, with or without `/N`. */
static int read_item(const struct reader *reader, uint64_t *bits)
{
    const struct field *field = reader->field;
    unsigned range[2] = {field->min, field->max};
    unsigned step = 1;
    const char *at = reader->item;
    int rc;

    if (reader->item_size == 0)
        return fail(reader, "something is missing beside a comma");
    if (*at == '*') {
        at++;
        range[1] = field->max == 7 ? 6 : field->max; /* Sunday once */
    } else {
        at = read_value(reader, at, &range[0]);
        if (!at)
            return -EINVAL;
        range[1] = range[0];
    }
    rc = read_rest(reader, at, range, &step);
    return rc < 0 ? rc : set_bits(reader, range, step, bits);
}

static int read_field(struct reader *reader, const char *text, size_t size, uint64_t *bits)
{
    const char *end = text + size;
    int rc = 0;

    while (rc == 0) {
        reader->item = text;
        reader->item_size = 0;
        while (text < end && *text != ',')
            text++;
        reader->item_size = (size_t)(text - reader->item);
        rc = read_item(reader, bits);
        if (text == end)
            break;
        text++; /* the comma */
    }
    return rc;
}

/* Splits @text at blanks. How many there are, which may be more than are in @starts. */
static size_t split(const char *text, const char *starts[FIELD_COUNT], size_t sizes[FIELD_COUNT])
{
    size_t count = 0;

    for (;;) {
        const char *start;

        while (is_blank(*text))
            text++;
        if (*text == '\0')
            return count;
        start = text;
        while (*text != '\0' && !is_blank(*text))
            text++;
        if (count < FIELD_COUNT) {
            starts[count] = start;
            sizes[count] = (size_t)(text - start);
        }
        count++;
    }
}

static int fail_count(const char *text, size_t count, struct colony_error *err)
{
    if (count == 0)
        return colony_fail(err, -EINVAL,
                           "cannot use an empty cron expression: it has five fields: "
                           "minute, hour, day of the month, month, day of the week");
    return colony_fail(err, -EINVAL,
                       "cannot use the cron expression `%s`: it has %zu field%s instead of five: "
                       "minute, hour, day of the month, month, day of the week",
                       text, count, count == 1 ? "" : "s");
}

static int find_nickname(const char *name, const char **text, struct colony_error *err)
{
    size_t size = strlen(name);

    while (size > 0 && is_blank(name[size - 1]))
        size--;
    for (const struct nickname *row = nicknames; row->name; row++) {
        if (strlen(row->name) != size || strncasecmp(row->name, name, size) != 0)
            continue;
        *text = row->text;
        return 0;
    }
    if (size == strlen("@reboot") && strncasecmp(name, "@reboot", size) == 0)
        return colony_fail(err, -EINVAL,
                           "cannot use @reboot: it is no time; what is without a schedule starts "
                           "with colony");
    return colony_fail(err, -EINVAL,
                       "cannot use the cron expression `%s`: there are @yearly, @annually, "
                       "@monthly, @weekly, @daily, @midnight and @hourly",
                       name);
}

int colony_cron_parse(struct colony_cron *cron, const char *text, struct colony_error *err)
{
    struct reader reader = {.text = text, .err = err};
    struct colony_cron read = {0};
    const char *starts[FIELD_COUNT];
    size_t sizes[FIELD_COUNT];
    uint64_t bits[FIELD_COUNT] = {0};
    int64_t local = 0;
    size_t count;

    if (strlen(text) > TEXT_MAX)
        return colony_fail(err, -EINVAL, "cannot use a cron expression of over %d bytes", TEXT_MAX);
    while (is_blank(*text))
        text++;
    if (*text == '@' && find_nickname(text, &text, err) < 0)
        return -EINVAL;
    count = split(text, starts, sizes);
    if (count != FIELD_COUNT)
        return fail_count(text, count, err);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        reader.field = &fields[i];
        if (read_field(&reader, starts[i], sizes[i], &bits[i]) < 0)
            return -EINVAL;
    }
    read.minutes = bits[0];
    read.hours = (uint32_t)bits[1];
    read.days = (uint32_t)bits[2];
    read.months = (uint16_t)bits[3];
    read.weekdays = (uint8_t)((bits[4] | bits[4] >> 7) & 0x7f);
    read.has_any_day = *starts[2] == '*';
    read.has_any_weekday = *starts[4] == '*';
    if (!colony__cron_next_local(&read, &local))
        return colony_fail(err, -EINVAL,
                           "cannot use the cron expression `%s`: it never comes: the day of the "
                           "month is in none of its months",
                           text);
    *cron = read;
    return 0;
}
