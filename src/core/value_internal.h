/* SPDX-License-Identifier: Apache-2.0 */
/* value_internal.h - what the readers of YAML and JSON and the tables of settings share. */
#ifndef COLONY_CORE_VALUE_INTERNAL_H
#define COLONY_CORE_VALUE_INTERNAL_H

#include <stddef.h>

#include "core/value.h"

struct colony_error;
struct stat;

enum {
    COLONY__FILE_BYTES_MAX = 16 << 20,
};

/* A node of its own, or NULL. */
struct colony_value *colony__value_new(enum colony_value_type type);

/*
 * Looks for two members of @map that have one key: *again stands behind *first. 1 when there are
 * any, 0 when there are none, -ENOMEM.
 */
int colony__value_find_twice(const struct colony_value *map, const struct colony_value **first,
                             const struct colony_value **again);

/* -EINVAL when two members of @map have one key. @name stands before the place; may be NULL. */
int colony__value_check_keys(const struct colony_value *map, const char *name,
                             struct colony_error *err);

/* A string, number or boolean as it was written, else NULL. */
const char *colony__value_text(const struct colony_value *value);

/* Bytes of the number in JSON's grammar (RFC 8259 §6) that @text begins with; 0: none. */
size_t colony__json_number_length(const char *text);
/* What is wrong at @place of @text, where cJSON gave up; it moves to where that begins. */
const char *colony__json_mistake(const char *text, size_t *place);

/*
 * True when a JSON text can't show this scalar as it was written (`yes`, `0x1f`): where the writing
 * is what counts, it must become a string.
 */
bool colony__value_loses_text(const struct colony_value *value);

/*
 * Gives @node, a VALUE_STRING with a text, the type that YAML 1.1 sees in a plain scalar: null,
 * true/false, yes/no, on/off, or a number: decimal, octal 022, 0x1f, 0b11, 1_000, 1.5, .inf, .nan.
 * JSON's 1e3 is one too; YAML's 22:22 (base 60) is not.
 */
void colony__yaml_resolve(struct colony_value *node);

/*
 * Skips a byte order mark and checks that the rest is UTF-8 without a NUL. -EINVAL with the place;
 * @format ("YAML") and @name stand in the message.
 */
int colony__file_check(const char **text, size_t *size, const char *format, const char *name,
                       struct colony_error *err);

/* The whole file, NUL-terminated, at most 16 MiB; the caller frees *text. @st may be NULL. */
int colony__file_read(char **text, size_t *size, const char *path, struct stat *st,
                      struct colony_error *err);
/* The same of what can be read at once: -EINVAL of a pipe, a folder, a device. */
int colony__file_read_regular(char **text, size_t *size, const char *path,
                              struct colony_error *err);

#endif
