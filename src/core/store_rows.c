/* SPDX-License-Identifier: Apache-2.0 */
/* store_rows.c - rows that wait to be written, and the templates that are known. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/store_internal.h"
#include "core/template.h"
#include "core/utf8.h"

enum {
    WORD_BYTES_MAX = 64,
    CAUSE_BYTES_MAX = 1024,
    BLOCK_BYTES = 32768 - 32, /* more than the largest event */
};

/* Memory for some events. Any thread may free those; only one puts new ones in. */
struct store_block {
    _Atomic uint32_t users; /* events, and who puts them in */
    uint32_t used;
    _Alignas(max_align_t) char bytes[];
};

/* Appends @text to what stands at *at, which is moved on. */
static const char *keep(char **at, const char *text, size_t length)
{
    char *copy = *at;

    memcpy(copy, text, length);
    copy[length] = '\0';
    *at += length + 1;
    return copy;
}

struct store_template *colony__store_template_new(const struct colony_store_template *row)
{
    const char *origin = row->origin ? row->origin : "";
    size_t settings_size = row->settings ? strlen(row->settings) + 1 : 0;
    struct store_template *copy =
        malloc(sizeof *copy + strlen(row->name) + 1 + strlen(origin) + 1 + settings_size);
    char *at;

    if (!copy)
        return NULL;
    copy->is_removal = false;
    copy->row = *row;
    at = copy->texts;
    copy->row.name = keep(&at, row->name, strlen(row->name));
    copy->row.origin = keep(&at, origin, strlen(origin));
    if (row->settings)
        copy->row.settings = keep(&at, row->settings, settings_size - 1);
    return copy;
}

/* As keep(), at most @max bytes, never half a character, and '?' for what is no UTF-8. */
static const char *keep_valid(char **at, const char *text, size_t max)
{
    char *copy = *at;
    size_t length = strnlen(text, max + 1);

    if (length > max)
        for (length = max; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
            length--;
    (void)keep(at, text, length);
    colony_utf8_repair(copy, length);
    return copy;
}

static size_t size_of(const char *text, size_t max)
{
    return text ? strnlen(text, max) + 1 : 1;
}

void colony__store_block_end(struct store_block **block)
{
    struct store_block *ended = *block;

    *block = NULL;
    if (ended && atomic_fetch_sub(&ended->users, 1) == 1)
        free(ended);
}

void colony__store_event_free(struct store_event *event)
{
    struct store_block *block = event->block;

    colony__store_block_end(&block);
}

/* @size bytes of *@block. */
static struct store_event *take(struct store_block **block, size_t size)
{
    const size_t rounded = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct store_event *event;

    if (*block && atomic_load(&(*block)->users) == 1)
        (*block)->used = 0; /* all that was in it is written */
    if (*block && (*block)->used + rounded > BLOCK_BYTES)
        colony__store_block_end(block);
    if (!*block) {
        *block = malloc(sizeof **block + BLOCK_BYTES);
        if (!*block)
            return NULL;
        atomic_init(&(*block)->users, 1);
        (*block)->used = 0;
    }
    event = (struct store_event *)((*block)->bytes + (*block)->used);
    event->block = *block;
    (*block)->used += (uint32_t)rounded;
    atomic_fetch_add(&(*block)->users, 1);
    return event;
}

struct store_event *colony__store_event_new(struct store_block **block,
                                            const struct colony_store_event *row)
{
    size_t size = size_of(row->name, COLONY_NAME_MAX) + size_of(row->event, WORD_BYTES_MAX) +
                  size_of(row->from, WORD_BYTES_MAX) + size_of(row->to, WORD_BYTES_MAX) +
                  size_of(row->cause, CAUSE_BYTES_MAX);
    struct store_event *copy = take(block, sizeof *copy + size);
    char *at;

    if (!copy)
        return NULL;
    copy->row = *row;
    at = copy->texts;
    copy->row.name = keep_valid(&at, row->name ? row->name : "", COLONY_NAME_MAX);
    copy->row.event = keep_valid(&at, row->event ? row->event : "", WORD_BYTES_MAX);
    copy->row.from = keep_valid(&at, row->from ? row->from : "", WORD_BYTES_MAX);
    copy->row.to = keep_valid(&at, row->to ? row->to : "", WORD_BYTES_MAX);
    copy->row.cause = keep_valid(&at, row->cause ? row->cause : "", CAUSE_BYTES_MAX);
    return copy;
}

/* Lists. */

void colony__store_list_append(struct store_list *list, struct store_link *link)
{
    link->next = NULL;
    if (list->last)
        list->last->next = link;
    else
        list->first = link;
    list->last = link;
}

void colony__store_list_move(struct store_list *to, struct store_list *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    *from = (struct store_list){0};
}

struct store_link *colony__store_list_pop(struct store_list *list)
{
    struct store_link *first = list->first;

    if (!first)
        return NULL;
    list->first = first->next;
    if (!list->first)
        list->last = NULL;
    return first;
}

void colony__store_list_clear(struct store_list *list)
{
    struct store_link *link;

    while ((link = colony__store_list_pop(list)))
        free(link);
}

void colony__store_events_clear(struct store_list *events)
{
    struct store_link *link;

    while ((link = colony__store_list_pop(events)))
        colony__store_event_free((struct store_event *)link);
}

/* What is known. */

void colony__store_known_init(struct store_known *known)
{
    TAILQ_INIT(&known->order);
    for (size_t i = 0; i < STORE_KNOWN_BUCKETS; i++)
        LIST_INIT(&known->buckets[i]);
}

/* FNV-1a; the buckets are part of the store, so that knowing one more cannot fail. */
static struct store_bucket *bucket_of(struct store_known *known, const char *name)
{
    uint32_t hash = 0x811c9dc5;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x01000193;
    return &known->buckets[hash % STORE_KNOWN_BUCKETS];
}

static struct store_template *find_known(const struct store_bucket *bucket, const char *name)
{
    struct store_template *known;

    LIST_FOREACH(known, bucket, in_bucket)
    if (strcmp(known->row.name, name) == 0)
        return known;
    return NULL;
}

void colony__store_known_apply(struct store_known *known, struct store_template *change)
{
    struct store_bucket *bucket = bucket_of(known, change->row.name);
    struct store_template *old = find_known(bucket, change->row.name);

    if (change->is_removal) {
        free(change);
    } else {
        LIST_INSERT_HEAD(bucket, change, in_bucket);
        if (old)
            TAILQ_INSERT_BEFORE(old, change, in_order);
        else
            TAILQ_INSERT_TAIL(&known->order, change, in_order);
    }
    if (!old)
        return;
    LIST_REMOVE(old, in_bucket);
    TAILQ_REMOVE(&known->order, old, in_order);
    free(old);
}

void colony__store_known_clear(struct store_known *known)
{
    while (!TAILQ_EMPTY(&known->order)) {
        struct store_template *first = TAILQ_FIRST(&known->order);

        TAILQ_REMOVE(&known->order, first, in_order);
        free(first);
    }
    colony__store_known_init(known);
}
