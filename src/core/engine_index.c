/* SPDX-License-Identifier: Apache-2.0 */
/* engine_index.c - templates by name, living processes by id: all that knows of uthash. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine_internal.h"

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

struct template_entry *engine_find_entry(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry;

    HASH_FIND_STR(engine->entries, name, entry);
    return entry;
}

/* Owns @template's memory from here on if @owns and the call succeeds. */
int engine_add_entry(struct colony_engine *engine, struct colony_template *template, bool owns,
                     struct template_entry **out)
{
    struct template_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return -ENOMEM;
    entry->engine = engine;
    entry->template = template;
    entry->owns_template = owns;
    entry->place = HASH_COUNT(engine->entries);
    HASH_ADD_KEYPTR(hh, engine->entries, template->name, strlen(template->name), entry);
    *out = entry;
    return 0;
}

void engine_add_living(struct slot *slot)
{
    HASH_ADD(by_id, slot->entry->engine->living, id, sizeof slot->id, slot);
}

void engine_remove_living(struct slot *slot)
{
    struct slot *found = NULL;

    HASH_FIND(by_id, slot->entry->engine->living, &slot->id, sizeof slot->id, found);
    if (found == slot)
        HASH_DELETE(by_id, slot->entry->engine->living, slot);
}

struct slot *engine_find_living(struct colony_engine *engine, uint64_t id)
{
    struct slot *slot;

    HASH_FIND(by_id, engine->living, &id, sizeof id, slot);
    return slot;
}

void engine_free_entries(struct colony_engine *engine)
{
    struct template_entry *entry;
    struct template_entry *next;

    HASH_CLEAR(by_id, engine->living);
    HASH_ITER(hh, engine->entries, entry, next)
    {
        HASH_DEL(engine->entries, entry);
        if (entry->owns_template)
            colony_template_free(entry->template);
        free(entry->slots);
        free(entry);
    }
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */
