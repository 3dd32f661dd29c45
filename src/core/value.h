/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value.h - a tree of settings as it was read, with the place of each part.
 *
 * YAML and INI files and JSON texts all become this tree; settings are read from it by table. A
 * tree is a heap object without libuv handles; it is limited in depth, nodes and bytes.
 */
#ifndef COLONY_CORE_VALUE_H
#define COLONY_CORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct colony_error;

enum {
    COLONY_VALUE_DEPTH_MAX = 32,
    COLONY_VALUE_NODES_MAX = 2000000,
};

enum colony_value_type {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_LIST,
    VALUE_MAP,
};

/*
 * A node. @key is set on members of a map, and their place is that of the key. Children are a
 * singly linked list in file order.
 */
struct colony_value {
    enum colony_value_type type;
    char *key;
    char *text;    /* VALUE_STRING: the text; VALUE_NUMBER, and VALUE_BOOL of YAML: as written */
    double number; /* may be infinite or not a number: YAML has .inf and .nan */
    bool boolean;
    unsigned line;              /* from 1; 0 when the text has no places (JSON over HTTP) */
    unsigned column;            /* in characters, from 1 */
    unsigned file;              /* which of several files: an index of colony_settings.files */
    struct colony_value *child; /* first of a list or map */
    struct colony_value *next;
};

/*
 * Read YAML 1.1 (libyaml) or JSON (cJSON) of @size bytes. @name stands in messages, as
 * `NAME:LINE:COLUMN: `. Plain YAML scalars become null, booleans (true/false, yes/no, on/off) and
 * numbers as YAML 1.1 has them (022 is octal), but for numbers of base 60 (22:22 is a text); quoted
 * ones stay strings. Aliases, a second document, duplicate keys, a depth or count over the limits,
 * invalid UTF-8 and NUL bytes are errors. An empty document is an empty map.
 *
 * Return 0, -EINVAL (with the place), -EBADMSG (JSON that does not parse) or -ENOMEM.
 */
int colony_value_parse_yaml(struct colony_value **out, const char *text, size_t size,
                            const char *name, struct colony_error *err);
int colony_value_parse_json(struct colony_value **out, const char *text, size_t size,
                            struct colony_error *err);

/* The same as colony_value_parse_json with places, and messages that begin with `NAME:LINE:COLUMN:
 * ` (all but those for want of memory). */
int colony_value_parse_json_file(struct colony_value **out, const char *text, size_t size,
                                 const char *name, struct colony_error *err);

/* Reads the whole file @path as YAML. -EFBIG above 16 MiB, -ENOENT, -EACCES, … when it can't. */
int colony_value_load_yaml(struct colony_value **out, const char *path, struct colony_error *err);

/* The member @key of a map, or NULL. */
const struct colony_value *colony_value_get(const struct colony_value *map, const char *key);

/*
 * A JSON copy of the tree; the caller frees it with cJSON_Delete. NULL when out of memory. Numbers
 * are as they were written where JSON has that (1.10 is then a raw item), infinities are null.
 */
struct cJSON *colony_value_to_json(const struct colony_value *value);

/* A deep copy. -ENOMEM. */
int colony_value_copy(struct colony_value **out, const struct colony_value *value);

/* A hash of the tree's content as JSON shows it: infinities are null, and neither the order of map
 * members nor places count. */
uint64_t colony_value_hash(const struct colony_value *value);

/* Frees the tree below and including @value; NULL is fine. */
void colony_value_free(struct colony_value *value);

#endif
