/* SPDX-License-Identifier: Apache-2.0 */
/* engine_index.c - templates by name, in uthash; living processes by id, where nothing can fail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/engine_internal.h"

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

struct template_entry *engine_find_entry(struct colony_engine *engine, const char *name)
{
    struct template_entry *entry;

    HASH_FIND_STR(engine->entries, name, entry);
    return entry;
}

/* Takes ownership of @template if it succeeds. */
int engine_add_entry(struct colony_engine *engine, struct colony_template *template,
                     const char *origin, struct template_entry **out)
{
    struct template_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return -ENOMEM;
    entry->engine = engine;
    entry->template = template;
    entry->origin = origin;
    entry->is_wanted = template->start;
    entry->scaled = -1;
    entry->file_numprocesses = -1;
    entry->place = engine->next_place++;
    engine_clear_text(&entry->why);
    HASH_ADD_KEYPTR(hh, engine->entries, entry->template->name, strlen(entry->template->name),
                    entry);
    if (!entry->hh.tbl) {
        free(entry);
        return -ENOMEM;
    }
    *out = entry;
    return 0;
}

/* Its slots are all gone. */
void engine_free_entry(struct template_entry *entry)
{
    HASH_DEL(entry->engine->entries, entry);
    engine_gates_leave(entry);
    engine_schedule_unlink(entry);
    colony_restart_clear(&entry->restart);
    colony_template_free(entry->template);
    free(entry->state);
    engine_clear_text(&entry->why);
    if (entry->slots != &entry->first_slot)
        free(entry->slots);
    free(entry);
}

/* Gives @entry another template of the same name; the one it had is freed. */
void engine_swap_template(struct template_entry *entry, struct colony_template *template)
{
    struct colony_template *old = entry->template;
    bool is_same_process = old->process_hash == template->process_hash;

    for (uint32_t i = 0; !is_same_process && i < entry->slot_count; i++)
        engine_run_free(entry->slots[i]); /* it was made for the settings that go */
    entry->hh.key = template->name;       /* the same bytes */
    entry->template = template;
    for (uint32_t i = 0; is_same_process && i < entry->slot_count; i++)
        engine_run_set_template(entry->slots[i]);
    colony_template_free(old);
}

/* Ids are counted up: the last bits spread them. */
static struct slot **living_bucket(struct colony_engine *engine, uint64_t id)
{
    return &engine->living[id % LIVING_BUCKETS];
}

void engine_add_living(struct slot *slot)
{
    struct slot **bucket = living_bucket(slot->entry->engine, slot->id);

    slot->next_living = *bucket;
    *bucket = slot;
    slot->entry->engine->living_count++;
}

void engine_remove_living(struct slot *slot)
{
    struct slot **link = living_bucket(slot->entry->engine, slot->id);

    while (*link && *link != slot)
        link = &(*link)->next_living;
    if (!*link)
        return;
    *link = slot->next_living;
    slot->entry->engine->living_count--;
}

struct slot *engine_find_living(struct colony_engine *engine, uint64_t id)
{
    struct slot *slot = *living_bucket(engine, id);

    while (slot && slot->id != id)
        slot = slot->next_living;
    return slot;
}

void engine_free_entries(struct colony_engine *engine)
{
    struct template_entry *entry;
    struct template_entry *next;

    HASH_ITER(hh, engine->entries, entry, next)
    {
        engine_free_entry(entry);
    }
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */
