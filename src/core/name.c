/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/name_internal.h"
#include "core/template.h"
#include "core/utf8.h"

enum {
    NEAR_NAME_MIN = 4, /* shorter ones are near to too many words */
    LONG_NAME_MIN = 8, /* two slips may hide in these */
    BEGINNING_MIN = 3,
    SLIP_EVERY = 6, /* letters: with more slips it is another word */
};

static bool has_control_byte(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static const char *find_fault(const char *name)
{
    size_t length = strnlen(name, COLONY_NAME_MAX + 1);

    if (length == 0)
        return "it is empty";
    if (length > COLONY_NAME_MAX)
        return "it is longer than 200 bytes";
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "it means a folder";
    if (strchr(name, '/'))
        return "it has a `/`";
    if (has_control_byte(name))
        return "it has a control byte";
    if (colony_utf8_length(name, length) < length)
        return "it is not UTF-8";
    return NULL;
}

/* For people: what is no text is shown as \xHH, what is too long without its end. */
static void show(char *out, size_t size, const char *name)
{
    size_t length = strlen(name);
    bool is_text = length <= COLONY_NAME_MAX && colony_utf8_length(name, length) == length;
    size_t used = 0;

    out[0] = '\0';
    for (; *name != '\0' && used + sizeof "\\xff..." < size; name++) {
        unsigned char byte = (unsigned char)*name;
        bool is_odd = byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text);

        used += (size_t)snprintf(out + used, size - used, is_odd ? "\\x%02x" : "%c", byte);
    }
    if (*name == '\0')
        return;
    used = colony_utf8_length(out, used); /* it may be cut inside a character */
    (void)snprintf(out + used, size - used, "...");
}

/* NULL @fault: there is none. */
static int fail(const char *name, const char *fault, struct colony_error *err)
{
    char shown[COLONY_NAME_MAX + sizeof "\\xff..."];

    if (!fault)
        return 0;
    show(shown, sizeof shown, name);
    return colony_fail(err, -EINVAL, "cannot use the name `%s`: %s", shown, fault);
}

int colony_name_check_file(const char *name, struct colony_error *err)
{
    return fail(name, find_fault(name), err);
}

int colony_name_check(const char *name, struct colony_error *err)
{
    const char *fault = find_fault(name);

    if (!fault && name[strspn(name, "0123456789")] == '\0')
        fault = "it is only digits, as the ids of processes are";
    return fail(name, fault, err);
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned smaller = a < b ? a : b;

    return smaller < c ? smaller : c;
}

/* Three rows of the table of optimal string alignment are all it needs. */
unsigned colony__name_distance(const char *left, const char *right)
{
    unsigned rows[3][COLONY_NAME_MAX + 1];
    size_t height = strnlen(left, COLONY_NAME_MAX + 1);
    size_t width = strnlen(right, COLONY_NAME_MAX + 1);

    if (height > COLONY_NAME_MAX || width > COLONY_NAME_MAX)
        return COLONY_NAME_MAX;
    for (size_t j = 0; j <= width; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= height; i++) {
        const unsigned *above2 = rows[(i + 1) % 3];
        const unsigned *above = rows[(i + 2) % 3];
        unsigned *row = rows[i % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= width; j++) {
            row[j] =
                least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left[i - 1] != right[j - 1]));
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1, row[j]);
        }
    }
    return rows[height % 3][width];
}

bool colony__name_is_near(const char *word, const char *name)
{
    size_t length = strlen(name);
    unsigned distance = length >= LONG_NAME_MIN ? 2 : 1;
    size_t other = strnlen(word, length + distance + 1);

    if (length < NEAR_NAME_MIN || other + distance < length || other > length + distance)
        return false;
    return colony__name_distance(word, name) <= distance;
}

/* The only one of @names that begins with @word, which says enough; or NULL. */
static const char *find_whole(const char *word, size_t length, const char *const *names)
{
    const char *whole = NULL;

    for (; length >= BEGINNING_MIN && *names; names++) {
        if (strncmp(*names, word, length) != 0)
            continue;
        if (whole)
            return NULL;
        whole = *names;
    }
    return whole;
}

const char *colony_name_nearest(const char *word, const char *const *names)
{
    size_t length = strnlen(word, COLONY_NAME_MAX);
    unsigned best = 1 + (unsigned)length / SLIP_EVERY;
    const char *const *all = names;
    const char *nearest = NULL;

    for (; *names; names++) {
        unsigned distance = colony__name_distance(word, *names);

        if (distance >= length) /* nothing of it is left */
            continue;
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest ? nearest : find_whole(word, length, all);
}
