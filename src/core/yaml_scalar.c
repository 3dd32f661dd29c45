/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/value_internal.h"

enum {
    DIGITS_MAX = 64, /* longer numbers are texts */
};

/* Each also as Null and NULL. */
static const char *const nulls[] = {"null", "~", "", NULL};
static const char *const truths[] = {"true", "yes", "on", NULL};
static const char *const lies[] = {"false", "no", "off", NULL};

static bool is_all_upper(const char *text)
{
    for (; *text != '\0'; text++)
        if (!isupper((unsigned char)*text))
            return false;
    return true;
}

/* null, Null and NULL, but not nULL. */
static bool is_spelling(const char *text, const char *word)
{
    if (strcasecmp(text, word) != 0)
        return false;
    return text[0] == '\0' || strcmp(text + 1, word + 1) == 0 || is_all_upper(text);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (is_spelling(text, *words))
            return true;
    return false;
}

/* "1_000" → "1000". */
static bool strip_underscores(const char *text, char digits[DIGITS_MAX])
{
    size_t used = 0;

    if (text[0] == '_')
        return false;
    for (; *text != '\0'; text++) {
        if (*text == '_')
            continue;
        if (used + 1 == DIGITS_MAX)
            return false;
        digits[used++] = *text;
    }
    digits[used] = '\0';
    return used > 0;
}

static bool parse_radix(const char *digits, unsigned radix, double *out)
{
    static const char known[] = "0123456789abcdef";
    double number = 0;

    if (*digits == '\0')
        return false;
    for (; *digits != '\0'; digits++) {
        const char *digit = strchr(known, tolower((unsigned char)*digits));

        if (!digit || (size_t)(digit - known) >= radix)
            return false;
        number = number * radix + (double)(digit - known);
    }
    *out = number;
    return true;
}

static size_t span_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* 12, 1.5, 1., .5, 1e3, 1.5e+3; the leading zero of 08 is none of these. */
static bool parse_decimal(const char *text, double *out)
{
    size_t whole = span_digits(text);
    size_t fraction = 0;
    const char *rest = text + whole;

    if (*rest == '.') {
        fraction = span_digits(rest + 1);
        rest += 1 + fraction;
    } else if (whole > 1 && text[0] == '0') {
        return false;
    }
    if (whole + fraction == 0)
        return false;
    if (*rest == 'e' || *rest == 'E') {
        rest += rest[1] == '+' || rest[1] == '-' ? 2 : 1;
        if (span_digits(rest) == 0)
            return false;
        rest += span_digits(rest);
    }
    if (*rest != '\0')
        return false;
    *out = strtod(text, NULL);
    return true;
}

static bool parse_unsigned(const char *digits, double *out)
{
    if (digits[0] == '0' && digits[1] == 'x')
        return parse_radix(digits + 2, 16, out);
    if (digits[0] == '0' && digits[1] == 'b')
        return parse_radix(digits + 2, 2, out);
    if (digits[0] == '0' && parse_radix(digits, 8, out))
        return true;
    return parse_decimal(digits, out);
}

static bool parse_number(const char *text, double *out)
{
    char buffer[DIGITS_MAX];
    const char *digits = buffer;
    bool is_negative = false;

    if (strcmp(text, ".nan") == 0 || strcmp(text, ".NaN") == 0 || strcmp(text, ".NAN") == 0) {
        *out = NAN;
        return true;
    }
    if (!strip_underscores(text, buffer))
        return false;
    is_negative = *digits == '-';
    if (*digits == '-' || *digits == '+')
        digits++;
    if (strcmp(digits, ".inf") == 0 || strcmp(digits, ".Inf") == 0 || strcmp(digits, ".INF") == 0)
        *out = INFINITY;
    else if (!parse_unsigned(digits, out))
        return false;
    if (is_negative)
        *out = -*out;
    return true;
}

void colony__yaml_resolve(struct colony_value *node)
{
    if (is_one_of(node->text, nulls)) {
        node->type = VALUE_NULL;
        free(node->text);
        node->text = NULL;
    } else if (is_one_of(node->text, truths)) {
        node->type = VALUE_BOOL;
        node->boolean = true;
    } else if (is_one_of(node->text, lies)) {
        node->type = VALUE_BOOL;
    } else if (parse_number(node->text, &node->number)) {
        node->type = VALUE_NUMBER;
    }
}
