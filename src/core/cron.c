/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cron.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/calendar.h"
#include "core/error.h"
#include "core/zone.h"

enum {
    MINUTE = 60,
    DAY = COLONY_DAY_SECONDS,
    TEXT_MAX = 255,
    FIELD_COUNT = 5,
    EVERY_HOUR = 0xffffff,
    YEARS_MAX = 41, /* from one 29 February that is a Monday to the next, over 2100 */
    DAYS_MAX = YEARS_MAX * 366,
};

/* A time beyond this is a mistake of the caller's, and could overflow. */
#define TIME_MAX (INT64_C(1) << 40)

/* --- reading ---------------------------------------------------------------------------------- */

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

static bool next_minute(const struct colony_cron *cron, int64_t *local);

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
    if (!next_minute(&read, &local))
        return colony_fail(err, -EINVAL,
                           "cannot use the cron expression `%s`: it never comes: the day of the "
                           "month is in none of its months",
                           text);
    *cron = read;
    return 0;
}

/* --- times on a clock --------------------------------------------------------------------------
 */

static bool is_day(const struct colony_cron *cron, int64_t day)
{
    struct colony_date date = colony_calendar_date(day);
    bool has_day = cron->days >> date.day & 1;
    bool has_weekday = cron->weekdays >> date.weekday & 1;

    if (!(cron->months >> date.month & 1))
        return false;
    return cron->has_any_day || cron->has_any_weekday ? has_day && has_weekday
                                                      : has_day || has_weekday;
}

/* The first minute of a day that is not before @from; -1: none. */
static int minute_of_day(const struct colony_cron *cron, unsigned from)
{
    for (unsigned hour = from / 60; hour < 24; hour++) {
        uint64_t minutes = cron->minutes;

        if (!(cron->hours >> hour & 1))
            continue;
        if (hour == from / 60)
            minutes &= ~UINT64_C(0) << from % 60;
        if (minutes)
            return (int)(hour * 60) + __builtin_ctzll(minutes);
    }
    return -1;
}

/* Moves @local, seconds as a clock shows them, on to the first time that is meant, or leaves it. */
static bool next_minute(const struct colony_cron *cron, int64_t *local)
{
    int64_t minute = colony_calendar_divide(*local + MINUTE - 1, MINUTE);
    int64_t day = colony_calendar_divide(minute, DAY / MINUTE);
    unsigned from = (unsigned)(minute - day * (DAY / MINUTE));

    for (int64_t last = day + DAYS_MAX; day <= last; day++) {
        int found = is_day(cron, day) ? minute_of_day(cron, from) : -1;

        if (found >= 0) {
            *local = day * DAY + (int64_t)found * MINUTE;
            return true;
        }
        from = 0;
    }
    return false;
}

/* --- clocks that are changed -------------------------------------------------------------------
 */

/* The first moment after @from and not after @to at which clocks are changed, or 0 with false. */
static bool find_change(const struct colony_zone *zone, int64_t from, int64_t to, int64_t *change)
{
    int64_t before = colony_zone_offset(zone, from);

    while (from < to) {
        int64_t until = to - from > DAY ? from + DAY : to;

        if (colony_zone_offset(zone, until) != before) {
            while (until - from > 1) {
                int64_t middle = from + (until - from) / 2;

                if (colony_zone_offset(zone, middle) == before)
                    from = middle;
                else
                    until = middle;
            }
            *change = until;
            return true;
        }
        from = until;
    }
    return false;
}

/* From when on, on the clock, a time after the change from @before to @offset counts. */
static int64_t floor_after(const struct colony_cron *cron, int64_t change, int64_t before,
                           int64_t offset)
{
    bool repeats = offset < before && cron->hours != EVERY_HOUR;

    return change + (repeats ? before : offset);
}

/* The same right after @after, which may be in the hour that comes again. */
static int64_t floor_at(const struct colony_cron *cron, const struct colony_zone *zone,
                        int64_t after)
{
    int64_t offset = colony_zone_offset(zone, after);
    int64_t local = after + 1 + offset;
    int64_t change = 0;
    int64_t least;

    if (!find_change(zone, after - DAY, after, &change))
        return local;
    least = floor_after(cron, change, colony_zone_offset(zone, change - 1), offset);
    return least > local ? least : local;
}

int64_t colony_cron_next(const struct colony_cron *cron, const struct colony_zone *zone,
                         int64_t after)
{
    int64_t local;
    int64_t offset;

    if (after > TIME_MAX || after < -TIME_MAX)
        return COLONY_CRON_NEVER;
    offset = colony_zone_offset(zone, after);
    local = floor_at(cron, zone, after);
    while (next_minute(cron, &local)) {
        int64_t change = 0;
        int64_t before = offset;

        if (!find_change(zone, after, local - offset, &change))
            return local - offset;
        offset = colony_zone_offset(zone, change);
        if (local < change + offset)
            return change; /* skipped */
        local = floor_after(cron, change, before, offset);
        after = change;
    }
    return COLONY_CRON_NEVER;
}
