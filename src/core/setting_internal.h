/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setting_internal.h - reads a map of settings into a struct, by a table of rows.
 *
 * One row has all there is to know of a setting: it is read, defaulted, written as JSON and
 * suggested for a misspelt key from there. A table ends with a row without a name.
 */
#ifndef COLONY_CORE_SETTING_INTERNAL_H
#define COLONY_CORE_SETTING_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct colony_error;
struct colony_value;
struct colony_settings_file;
struct colony__setting;

/* A hundred years: now plus that can't overflow. */
#define COLONY__DURATION_MS_MAX UINT64_C(3153600000000)
/* Above 2^53 a number of JSON is no longer exact. */
#define COLONY__COUNT_MAX INT64_C(9007199254740992)

/* How and where one source of settings is read. */
struct colony__reading {
    const char *file;                         /* stands before LINE:COLUMN; NULL: no places */
    const struct colony_settings_file *files; /* unless NULL: `value->file` says which of these */
    bool strict;                              /* an unknown key is an error, else it is ignored */
    bool is_of_directory; /* a file of a configuration directory: digits alone may be its name */
    bool is_saved;        /* colony wrote it itself: what env files said then stands in it */
    struct colony_error *err;
};

/* Puts @value (never null) into @field. 0, -EINVAL with the reason in reading->err, -ENOMEM. */
typedef int (*colony__setting_read_cb)(const struct colony__reading *reading,
                                       const struct colony__setting *row,
                                       const struct colony_value *value, void *field);
/* The JSON that @field is read from again; NULL: out of memory. */
typedef struct cJSON *(*colony__setting_write_cb)(const struct colony__setting *row,
                                                  const void *field);

struct colony__setting_type {
    const char *name; /* for people: "a whole number" */
    bool is_table;    /* `detail` is a table, whose defaults are the setting's own: a map lacks none
                         of them, and with the fallback "{}" nor does what is not given */
    colony__setting_read_cb read;
    colony__setting_write_cb write; /* NULL: it is written elsewhere */
};

enum {
    COLONY__REQUIRED = 1,
    COLONY__LIVE = 2, /* of a template: a change of it needs no new process */
};

struct colony__label {
    char text[112];
};

struct colony__setting_range {
    int64_t min;
    int64_t max;
};

struct colony__setting {
    const char *name;
    const struct colony__setting_type *type;
    unsigned flags;
    const char *fallback; /* read when the setting is absent or null; NULL: the field stays 0 */
    size_t offset;
    const void *detail; /* what the type asks for: a range, choices or a table */
    const char *help;
};

/* Types. Their fields, and what `detail` is: */
extern const struct colony__setting_type colony__setting_text;  /* char *, not empty */
extern const struct colony__setting_type colony__setting_flag;  /* bool */
extern const struct colony__setting_type colony__setting_count; /* uint32_t; range */
extern const struct colony__setting_type
    colony__setting_seconds; /* uint64_t in ms; NULL, or a range whose least counts */
extern const struct colony__setting_type colony__setting_bytes;  /* uint64_t; range */
extern const struct colony__setting_type colony__setting_texts;  /* char **: a text or a list */
extern const struct colony__setting_type colony__setting_choice; /* enum; char *[] up to NULL */
extern const struct colony__setting_type colony__setting_table;  /* a struct; rows of a table */

/*
 * Reads @map by the rows of @table into the struct @base. Every value that is refused is an
 * error, and so is an unknown key when reading->strict. What was filled stays the caller's to
 * clear.
 */
int colony__settings_read(const struct colony__reading *reading,
                          const struct colony__setting *table, const struct colony_value *map,
                          void *base);

/* @map (may be NULL) as it is, with the defaults of @table for what it lacks. */
struct cJSON *colony__settings_with_defaults(const struct colony__setting *table,
                                             const struct colony_value *map);

/* What @base holds, so that colony__settings_read reads the same from it. */
struct cJSON *colony__settings_write(const struct colony__setting *table, const void *base);

/* The member @name of @map (may be NULL), or NULL when it is not there or null. */
const struct colony_value *colony__setting_given(const struct colony_value *map, const char *name);

/* One of the settings of a map of which only one may be given. A row without a name ends them. */
struct colony__setting_way {
    const char *name;
    int kind;
};

/*
 * The kind of the one that @map has; `false` is as if it were not there. -ENOENT: none; -EINVAL,
 * with the reason, which ends with @why: there are two.
 */
int colony__setting_choose(const struct colony__reading *reading, const struct colony_value *map,
                           const struct colony__setting_way *ways, const char *why, int *kind);

/* The row of a table, or NULL. */
const struct colony__setting *colony__setting_find(const struct colony__setting *table,
                                                   const char *name);

/* True when @value is what the row has without it. */
bool colony__setting_is_default(const struct colony__setting *row,
                                const struct colony_value *value);

/* The file that @value stands in, or NULL. */
const char *colony__setting_file(const struct colony__reading *reading,
                                 const struct colony_value *value);

/* A message about @value, after its place where there is one. Returns @code. */
int colony__setting_fail(const struct colony__reading *reading, const struct colony_value *value,
                         int code, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* "cannot use `uid`: it must be …" what the row's type says. -EINVAL. */
int colony__setting_fail_type(const struct colony__reading *reading,
                              const struct colony__setting *row, const struct colony_value *value);

/* The key of the NULL-terminated @known that is meant by @key: the most similar one, or what other
 * supervisors call so. NULL: none. (setting_words.c) */
const char *colony__setting_nearest(const char *key, const char *const *known);

/* The same about an unknown key of a map; @nearest may be NULL. */
int colony__setting_fail_unknown(const struct colony__reading *reading,
                                 const struct colony_value *member, const char *nearest);

/* What a message calls @value: "`KEY`", or "this value" in a list. */
struct colony__label colony__setting_label(const struct colony_value *value);

/* A whole number within @min and @max. -EINVAL with the reason. */
int colony__setting_integer(const struct colony__reading *reading, const struct colony_value *value,
                            const struct colony__setting_range *range, int64_t *out);

/* 16777216 → "16MiB". */
void colony__setting_write_size(char *text, size_t size, uint64_t bytes);

/* HOST:PORT or [V6]:PORT. */
bool colony__is_host_port(const char *text);

/* -ENOMEM. @json takes ownership of @item, also when it fails; NULL is "out of memory". */
int colony__json_add(struct cJSON *json, const char *key, struct cJSON *item);

#endif
