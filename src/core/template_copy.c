/* SPDX-License-Identifier: Apache-2.0 */
/* template_copy.c - a template in one block: what it has takes its size, what it has not nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/template.h"
#include "core/zone.h"

const struct colony_ready_settings colony_ready_none;
const struct colony_health_settings colony_health_none;
const struct colony_limits colony_limits_none;
const struct colony_restart_above colony_restart_above_none;

enum {
    ALIGNMENT = sizeof(uint64_t), /* no part needs more */
};

/* The block while it is filled. */
struct block {
    char *base; /* NULL: only its size is found out */
    size_t size;
};

static void *put_bytes(struct block *block, const void *bytes, size_t size)
{
    char *place = block->base ? block->base + block->size : NULL;

    block->size += size;
    if (place && size > 0)
        memcpy(place, bytes, size);
    return place;
}

static void *put(struct block *block, const void *part, size_t size)
{
    block->size = (block->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return put_bytes(block, part, size);
}

static char *put_text(struct block *block, const char *text)
{
    return text ? put_bytes(block, text, strlen(text) + 1) : NULL;
}

/* All of one kind that have nothing share @none. */
static const void *put_unless(struct block *block, const void *part, size_t size, const void *none)
{
    return part == none ? none : put(block, part, size);
}

static char **put_words(struct block *block, char *const *words)
{
    static char *const empty[1];
    size_t count = 0;
    char **items;

    while (words && words[count])
        count++;
    if (count == 0)
        return words ? (char **)empty : NULL;
    items = put(block, words, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        char *text = put_text(block, words[i]);

        if (items)
            items[i] = text;
    }
    return items;
}

static struct colony_dependency *put_dependencies(struct block *block,
                                                  const struct colony_template *template)
{
    struct colony_dependency *all =
        put(block, template->dependencies, template->dependency_count * sizeof *all);

    for (size_t i = 0; i < template->dependency_count; i++) {
        char *name = put_text(block, template->dependencies[i].name);
        char *state = put_text(block, template->dependencies[i].state);

        if (!all)
            continue;
        all[i].name = name;
        all[i].state = state;
    }
    return all;
}

static const struct colony_ready_settings *put_ready(struct block *block,
                                                     const struct colony_ready_settings *ready)
{
    struct colony_ready_settings *copy;
    char *text;

    if (ready == &colony_ready_none)
        return ready;
    copy = put(block, ready, sizeof *ready);
    text = put_text(block, ready->text);
    if (copy)
        copy->text = text;
    return copy;
}

static const struct colony_schedule *put_schedule(struct block *block,
                                                  const struct colony_schedule *schedule)
{
    struct colony_schedule *copy;
    struct colony_zone *zone = NULL;

    if (!schedule)
        return NULL;
    copy = put(block, schedule, sizeof *schedule);
    if (schedule->zone)
        zone = put(block, schedule->zone, colony_zone_size(schedule->zone));
    if (copy)
        copy->zone = zone;
    return copy;
}

static const struct colony_health_settings *put_health(struct block *block,
                                                       const struct colony_health_settings *health)
{
    struct colony_health_settings *copy;
    char *text;

    if (health == &colony_health_none)
        return health;
    copy = put(block, health, sizeof *health);
    text = put_text(block, health->text);
    if (copy)
        copy->text = text;
    return copy;
}

static const struct colony_identity *put_identity(struct block *block,
                                                  const struct colony_identity *identity)
{
    size_t size = offsetof(struct colony_identity, groups);

    return identity ? put(block, identity, size + identity->group_count * sizeof(gid_t)) : NULL;
}

/* Where `cmd` is the program alone it is the first of @argv, which was put already. */
static char *put_cmd(struct block *block, const struct colony_template *template, char **argv)
{
    bool is_program = template->cmd && template->argv && template->argv[0] &&
                      strcmp(template->cmd, template->argv[0]) == 0;

    if (!is_program)
        return put_text(block, template->cmd);
    return argv ? argv[0] : NULL;
}

static void put_template(struct block *block, const struct colony_template *template)
{
    struct colony_template copy = *template;

    (void)put(block, template, sizeof copy);
    copy.identity = put_identity(block, template->identity);
    copy.rlimits = put(block, template->rlimits, template->rlimit_count * sizeof *copy.rlimits);
    copy.restart =
        put_unless(block, template->restart, sizeof *copy.restart, &colony_restart_default);
    copy.limits = put_unless(block, template->limits, sizeof *copy.limits, &colony_limits_none);
    copy.restart_above = put_unless(block, template->restart_above, sizeof *copy.restart_above,
                                    &colony_restart_above_none);
    copy.schedule = put_schedule(block, template->schedule);
    copy.dependencies = put_dependencies(block, template);
    copy.argv = put_words(block, template->argv);
    copy.env = put_words(block, template->env);
    copy.env_file = put_words(block, template->env_file);
    copy.env_inherit = put_words(block, template->env_inherit);
    copy.redirect_output = put_words(block, template->redirect_output);
    copy.custom_streams = put_words(block, template->custom_streams);
    copy.ready = put_ready(block, template->ready);
    copy.health = put_health(block, template->health);
    copy.name = put_text(block, template->name);
    copy.group = put_text(block, template->group);
    copy.cmd = put_cmd(block, template, copy.argv);
    copy.cwd = put_text(block, template->cwd);
    copy.log.out = put_text(block, template->log.out);
    copy.log.err = put_text(block, template->log.err);
    copy.source = put_text(block, template->source);
    if (block->base)
        memcpy(block->base, &copy, sizeof copy);
}

int colony_template_copy(struct colony_template **out, const struct colony_template *template)
{
    struct block block = {0};

    put_template(&block, template);
    block.base = malloc(block.size);
    if (!block.base)
        return -ENOMEM;
    block.size = 0;
    put_template(&block, template);
    *out = (struct colony_template *)(void *)block.base;
    return 0;
}

void colony_template_free(struct colony_template *template)
{
    free(template);
}
