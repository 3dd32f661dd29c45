/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of a daemon that is a program of its own: most of what its file says is the program's,
 * whatever it is called, and of colony's sections there are but a few.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings_internal.h"
#include "core/value_internal.h"

static const char *const sections[] = {"master", "events", "juggler", NULL};

static bool is_section(const char *name)
{
    size_t i = 0;

    while (sections[i] && strcmp(sections[i], name) != 0)
        i++;
    return sections[i];
}

/* What else there is in `colony` would be in vain. */
static int check_own(const struct colony_value *own, const struct colony__reading *reading)
{
    if (own && own->type != VALUE_MAP)
        return colony__setting_fail(reading, own, -EINVAL,
                                    "cannot use `colony`: it must be a map of sections");
    for (const struct colony_value *member = own ? own->child : NULL; member; member = member->next)
        if (!is_section(member->key))
            return colony__setting_fail(reading, member, -EINVAL,
                                        "cannot use `%.100s` here: a daemon has `master`, `events` "
                                        "and `juggler`",
                                        member->key);
    return 0;
}

/* The place at which the first section that is outside of @own, and not in it, hangs in @root. */
static struct colony_value **find_section(struct colony_value *root, const struct colony_value *own)
{
    struct colony_value **place = &root->child;

    while (*place &&
           (*place == own || !is_section((*place)->key) || colony_value_get(own, (*place)->key)))
        place = &(*place)->next;
    return place;
}

/* As settings->source is (settings_internal.h): {colony: {its sections}, the program's keys…}. */
static int arrange(struct colony_settings *settings, const struct colony__reading *reading)
{
    struct colony_value *root = settings->source;
    struct colony_value **place = &root->child;
    struct colony_value *own;

    if (root->type != VALUE_MAP)
        return colony__setting_fail(reading, root, -EINVAL,
                                    "cannot use these settings: they must be a map");
    while (*place && strcmp((*place)->key, "colony") != 0)
        place = &(*place)->next;
    own = *place;
    if (own)
        *place = own->next;
    else
        own = colony__value_new(VALUE_MAP);
    if (own && !own->key)
        own->key = strdup("colony");
    if (!own || !own->key) {
        colony_value_free(own);
        return -ENOMEM;
    }
    own->next = root->child;
    root->child = own;
    if (check_own(own, reading) < 0)
        return -EINVAL;
    while (*(place = find_section(root, own))) {
        struct colony_value *section = *place;

        *place = section->next;
        section->next = own->child;
        own->child = section;
    }
    return 0;
}

static int note_file(struct colony_settings *settings, const char *path)
{
    settings->files = calloc(1, sizeof *settings->files);
    if (!settings->files)
        return -ENOMEM;
    settings->file_count = 1;
    settings->files[0].path = strdup(path);
    return settings->files[0].path ? 0 : -ENOMEM;
}

/* What it does not say is not done: the program has events for itself, and what it logs, too. */
static int read_sections(struct colony_settings *settings, const struct colony__reading *reading)
{
    const struct colony_value *own = colony_value_get(settings->source, "colony");
    const struct colony_value *events = colony_value_get(own, "events");

    int rc = colony__sections_read(settings, reading);

    if (rc == 0 && !colony_value_get(events, "handlers"))
        colony__events_clear_handlers(settings->events);
    return rc;
}

int colony_settings_of_program(struct colony_settings **out, struct colony_value *tree,
                               const char *path, struct colony_error *err)
{
    struct colony__reading reading = {.strict = true, .err = err};
    struct colony_settings *settings = NULL;
    int rc = colony_settings_new(&settings, err);

    if (rc < 0) {
        colony_value_free(tree);
        return rc;
    }
    settings->source = tree;
    rc = note_file(settings, path);
    reading.files = settings->files;
    if (rc == 0)
        rc = arrange(settings, &reading);
    if (rc == 0)
        rc = read_sections(settings, &reading);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot load %s: out of memory", path);
    if (rc < 0) {
        colony_settings_free(settings);
        return rc;
    }
    colony__settings_drop_sections(settings);
    settings->master.is_wanted = true;
    *out = settings;
    return 0;
}
