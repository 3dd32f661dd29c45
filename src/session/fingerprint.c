/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.c - lists of texts, and how much two fingerprints resemble. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/utf8.h"
#include "session/fingerprint_internal.h"

enum {
    ESCAPE_SIZE = 4, /* \xNN */
};

struct field {
    const char *name;
    double weight; /* in a score */
    bool is_sorted;
};

/* clang-format off */
static const struct field fields[FIELD_COUNT] = {
    [FIELD_FILES]       = {"files",       30, true},
    [FIELD_LISTEN]      = {"listen",      20, true},
    [FIELD_UDP]         = {"udp",         0,  true},
    [FIELD_ESTABLISHED] = {"established", 2,  true},
    [FIELD_CMDLINE]     = {"cmdline",     50, false},
};
/* clang-format on */

const char *colony_fingerprint_field_name(enum colony_fingerprint_field field)
{
    return fields[field].name;
}

/* --- putting one together --------------------------------------------------------------------- */

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Bytes that are no UTF-8, written out. */
static char *legible(const char *text, size_t size)
{
    char *out = malloc(size * ESCAPE_SIZE + 1);
    char *end = out;

    if (!out)
        return NULL;
    while (size > 0) {
        size_t good = colony_utf8_length(text, size);

        memcpy(end, text, good);
        end += good;
        text += good;
        size -= good;
        if (size == 0)
            break;
        end += sprintf(end, "\\x%02x", (unsigned char)*text);
        text++;
        size--;
    }
    *end = '\0';
    return out;
}

/* Takes over @item, also when it fails. */
static int append(struct colony__items *items, char *item)
{
    char **room =
        colony_array_room(items->items, items->count, &items->capacity, sizeof *items->items);

    if (room)
        items->items = room;
    if (!room || !item || items->count == COLONY__FINGERPRINT_ITEMS_MAX) {
        free(item);
        return room && item ? -E2BIG : -ENOMEM;
    }
    items->items[items->count++] = item;
    return 0;
}

int colony__items_add(struct colony__items *items, const char *text, size_t size)
{
    return append(items, colony_utf8_length(text, size) == size ? strndup(text, size)
                                                                : legible(text, size));
}

int colony__items_add_raw(struct colony__items *items, const char *text, size_t size)
{
    return append(items, strndup(text, size));
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void colony__items_clear(struct colony__items *items)
{
    free_texts(items->items, items->count);
    *items = (struct colony__items){0};
}

void colony__items_settle(struct colony__items *items, enum colony_fingerprint_field field,
                          struct colony_fingerprint *out)
{
    if (items->count == 0)
        colony__items_clear(items);
    else if (fields[field].is_sorted)
        qsort(items->items, items->count, sizeof *items->items, compare_texts);
    out->fields[field].items = items->items;
    out->fields[field].count = items->count;
    *items = (struct colony__items){0};
}

void colony_fingerprint_clear(struct colony_fingerprint *fingerprint)
{
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        free_texts(fingerprint->fields[field].items, fingerprint->fields[field].count);
    *fingerprint = (struct colony_fingerprint){0};
}

/* --- comparing -------------------------------------------------------------------------------- */

/* A sorted list of the same texts. NULL: no memory. */
static char **sort_copy(char *const *items, size_t count)
{
    char **copy = malloc((count > 0 ? count : 1) * sizeof *copy);

    if (!copy)
        return NULL;
    if (count > 0)
        memcpy(copy, items, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare_texts);
    return copy;
}

/* How many of two sorted lists are in both, each item being taken once. */
static size_t count_common(char *const *left, size_t left_count, char *const *right,
                           size_t right_count)
{
    size_t common = 0;

    for (size_t i = 0, j = 0; i < left_count && j < right_count;) {
        int order = strcmp(left[i], right[j]);

        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}

/* Without memory nothing is found in common: a state is rather not known than a wrong one. */
static size_t count_common_unsorted(char *const *left, size_t left_count, char *const *right,
                                    size_t right_count)
{
    char **left_sorted = sort_copy(left, left_count);
    char **right_sorted = sort_copy(right, right_count);
    size_t common = left_sorted && right_sorted
                        ? count_common(left_sorted, left_count, right_sorted, right_count)
                        : 0;

    free(left_sorted);
    free(right_sorted);
    return common;
}

void colony_fingerprint_compare(const struct colony_fingerprint *saved,
                                const struct colony_fingerprint *live,
                                enum colony_fingerprint_field field,
                                struct colony_fingerprint_change *out)
{
    size_t saved_count = saved->fields[field].count;
    size_t live_count = live->fields[field].count;
    size_t common = (fields[field].is_sorted ? count_common : count_common_unsorted)(
        saved->fields[field].items, saved_count, live->fields[field].items, live_count);

    *out = (struct colony_fingerprint_change){
        .kept = common, .gone = saved_count - common, .added = live_count - common};
}

double colony_fingerprint_score(const struct colony_fingerprint *saved,
                                const struct colony_fingerprint *live)
{
    double sum = 0;
    double weight = 0;

    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        struct colony_fingerprint_change change;
        double items = (double)(saved->fields[field].count + live->fields[field].count);

        if (items == 0)
            continue;
        colony_fingerprint_compare(saved, live, field, &change);
        /* 2 for each that is there still, -1 for each that is in one of them only */
        sum += fields[field].weight *
               (2 * (double)change.kept - (double)change.gone - (double)change.added) / items;
        weight += fields[field].weight;
    }
    return weight > 0 ? sum / weight : 0;
}

bool colony_fingerprint_is_equal(const struct colony_fingerprint *a,
                                 const struct colony_fingerprint *b)
{
    for (unsigned field = 0; field < FIELD_COUNT; field++) {
        if (a->fields[field].count != b->fields[field].count)
            return false;
        for (size_t i = 0; i < a->fields[field].count; i++)
            if (strcmp(a->fields[field].items[i], b->fields[field].items[i]) != 0)
                return false;
    }
    return true;
}

const char *colony_saved_states_match(const struct colony_saved_states *states,
                                      const struct colony_fingerprint *live, double *score)
{
    const char *best = NULL;
    double best_score = 0;

    for (size_t i = 0; i < states->count; i++) {
        double one = colony_fingerprint_score(&states->items[i].fingerprint, live);

        if (best && one <= best_score)
            continue;
        best = states->items[i].state;
        best_score = one;
    }
    if (score)
        *score = best_score;
    return best_score >= COLONY_FINGERPRINT_SAME ? best : NULL;
}
