/* SPDX-License-Identifier: Apache-2.0 */
/* settings_internal.h - the sections of settings, read and written. */
#ifndef COLONY_CORE_SETTINGS_INTERNAL_H
#define COLONY_CORE_SETTINGS_INTERNAL_H

#include "core/setting_internal.h"
#include "core/settings.h"

struct cJSON;
struct colony_value;

/* @value is never null. */
typedef int (*colony__section_read_cb)(struct colony_settings *settings,
                                       const struct colony_value *value,
                                       const struct colony__reading *reading);
/* NULL: out of memory. */
typedef struct cJSON *(*colony__section_write_cb)(const struct colony_settings *settings);

struct colony__section {
    const char *name;
    colony__section_read_cb read; /* NULL: a later version has it */
    colony__section_write_cb write;
    const char *help;
};

/* All sections, up to one without a name. */
extern const struct colony__section colony__sections[];

/* The section @name, or NULL. */
const struct colony__section *colony__section_find(const char *name);

/* Sets what a section holds that is not given. */
int colony__sections_default(struct colony_settings *settings,
                             const struct colony__reading *reading);

/*
 * Reads every section of settings->source. A section may stand under `colony:`, and then a
 * top-level key of that name is the user's own.
 */
int colony__sections_read(struct colony_settings *settings, const struct colony__reading *reading);

int colony__processes_read(struct colony_settings *settings, const struct colony_value *value,
                           const struct colony__reading *reading);
struct cJSON *colony__processes_write(const struct colony_settings *settings);

int colony__user_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading);
struct cJSON *colony__user_write(const struct colony_settings *settings);
void colony__user_clear(struct colony_user_settings *user);

#endif
