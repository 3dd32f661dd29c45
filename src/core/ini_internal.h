/* SPDX-License-Identifier: Apache-2.0 */
/* ini_internal.h - from lines to sections (ini.c), from sections to settings (ini_gaffer.c). */
#ifndef COLONY_CORE_INI_INTERNAL_H
#define COLONY_CORE_INI_INTERNAL_H

#include <stddef.h>

#include "core/value.h"

struct colony__reading;

/*
 * Takes the sections of a file, each a map of texts, and puts colony's settings in their place, as
 * ini.h says. What it could not use stays in @root, which is the caller's as before.
 */
int colony__ini_settle(struct colony_value *root, const struct colony__reading *reading);

/* Takes [DEFAULT] out of the sections and gives each of them what it lacks of that, as Python's
 * configparser does; but not [webhooks]. -EINVAL with the place, -ENOMEM. */
int colony__ini_apply_default(struct colony_value *sections, const struct colony__reading *reading);

/* *text moves to the first byte of *length that is no blank, *length ends with the last. */
void colony__ini_trim(const char **text, size_t *length);

/* Adds @node, alone, to the list whose end *tail is. */
void colony__ini_append(struct colony_value ***tail, struct colony_value *node);

/* A node at the place of @at; @key may be NULL. NULL: out of memory. */
struct colony_value *colony__ini_node(enum colony_value_type type, const char *key,
                                      const struct colony_value *at);

#endif
