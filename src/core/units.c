/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/setting_internal.h"
#include "core/settings.h"

enum {
    FRACTION_DIGITS_MAX = 6, /* what follows them is too small to matter */
};

struct unit {
    const char *name;
    uint64_t factor;
};

/* clang-format off */
static const struct unit durations[] = {
    {"ms", 1},        {"", 1000},       {"s", 1000},
    {"m", 60000},     {"h", 3600000},   {"d", 86400000}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"",  1},         {"b",  1},
    {"k", 1ULL << 10}, {"kb", 1ULL << 10}, {"kib", 1ULL << 10},
    {"m", 1ULL << 20}, {"mb", 1ULL << 20}, {"mib", 1ULL << 20},
    {"g", 1ULL << 30}, {"gb", 1ULL << 30}, {"gib", 1ULL << 30},
    {"t", 1ULL << 40}, {"tb", 1ULL << 40}, {"tib", 1ULL << 40}, {NULL, 0},
};
/* clang-format on */

struct decimal {
    uint64_t whole;
    uint64_t fraction; /* in parts of @scale */
    uint64_t scale;
};

static int is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Reads "1.5" of "1.5h" and returns what follows, or NULL. */
static const char *parse_decimal(const char *text, struct decimal *out)
{
    const char *at = text;

    *out = (struct decimal){.scale = 1};
    for (; is_digit(*at); at++)
        if (__builtin_mul_overflow(out->whole, 10U, &out->whole) ||
            __builtin_add_overflow(out->whole, (unsigned)(*at - '0'), &out->whole))
            return NULL;
    if (*at == '.') {
        at++;
        for (unsigned count = 0; is_digit(*at); at++, count++) {
            if (count >= FRACTION_DIGITS_MAX)
                continue;
            out->fraction = out->fraction * 10 + (unsigned)(*at - '0');
            out->scale *= 10;
        }
    }
    /* "" and "." are no numbers */
    return at != text && (is_digit(text[0]) || is_digit(text[1])) ? at : NULL;
}

static int parse(const char *text, const struct unit *units, uint64_t *out)
{
    struct decimal decimal;
    const char *suffix = parse_decimal(text, &decimal);
    uint64_t result;

    if (!suffix)
        return -EINVAL;
    while (units->name && strcasecmp(units->name, suffix) != 0)
        units++;
    if (!units->name || (units->factor == 1 && decimal.fraction != 0))
        return -EINVAL;
    if (__builtin_mul_overflow(decimal.whole, units->factor, &result) ||
        __builtin_add_overflow(result, decimal.fraction * units->factor / decimal.scale, &result))
        return -EINVAL;
    *out = result;
    return 0;
}

int colony_settings_parse_duration(const char *text, uint64_t *ms)
{
    uint64_t parsed;

    if (parse(text, durations, &parsed) < 0 || parsed > COLONY__DURATION_MS_MAX)
        return -EINVAL;
    *ms = parsed;
    return 0;
}

int colony_settings_parse_size(const char *text, uint64_t *bytes)
{
    return parse(text, sizes, bytes);
}
