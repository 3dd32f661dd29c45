/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory_internal.h - the configuration directory: which files there are and what has become of
 * them since the last look.
 *
 * A look goes on a thread and in batches, so that neither a slow disk nor many files hold up the
 * loop. While one is under way the directory is the thread's, between two it is the loop's.
 */
#ifndef COLONY_FSCTL_DIRECTORY_INTERNAL_H
#define COLONY_FSCTL_DIRECTORY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/template.h"

struct colony__directory;
struct colony_files_settings;

enum {
    COLONY__BATCH_MAX = 128,           /* changes of one batch */
    COLONY__BATCH_BYTES_MAX = 8 << 20, /* of files read for it */
    COLONY__DIRECTORY_FILES_MAX = 100000,
};

enum colony__change_type {
    CHANGE_PUT,    /* new, or other than it was */
    CHANGE_GONE,   /* the file is gone */
    CHANGE_REFUSE, /* it cannot be used, and why */
};

struct colony__change {
    enum colony__change_type type;
    char name[256];                   /* of the file */
    struct colony_template *template; /* CHANGE_PUT: taken by who uses it */
    char *text;                       /* CHANGE_REFUSE */
};

struct colony__batch {
    struct colony__change changes[COLONY__BATCH_MAX];
    size_t count;
    bool is_last;     /* all of the directory has been looked at */
    bool has_pending; /* a file is being written: look again soon */
    int rc;           /* negative: the directory itself cannot be used, and why */
    struct colony_error err;
};

/* Settings are borrowed for ever. -ENOMEM. */
int colony__directory_new(struct colony__directory **out,
                          const struct colony_files_settings *settings);
void colony__directory_free(struct colony__directory *directory);

/* Looks on where the last batch ended, or from the beginning after a last one. On a thread. */
void colony__directory_look(struct colony__directory *directory, struct colony__batch *batch);
/* Frees what nobody took. */
void colony__batch_clear(struct colony__batch *batch);

/* Has the file @name read again at the next look, whatever it looks like. */
void colony__directory_again(struct colony__directory *directory, const char *name);

/* True when @text was not said of @name last: it is now. NULL: all is well with it. */
bool colony__directory_tells(struct colony__directory *directory, const char *name,
                             const char *text);

/* The file @name waits for @missed, which is looked for among files; NULL: for none. */
void colony__directory_misses(struct colony__directory *directory, const char *name,
                              const char *missed);
/* True when one that waits for another leads back to @name; "a → b → a" is then in @text, which may
 * cut it short. */
bool colony__directory_circle(const struct colony__directory *directory, const char *name,
                              char *text, size_t size);

/* What was said of the file @name last; NULL: nothing, or that it can be used. */
const char *colony__directory_told(const struct colony__directory *directory, const char *name);
bool colony__directory_has(const struct colony__directory *directory, const char *name);
size_t colony__directory_count(const struct colony__directory *directory);

/* Calls @cb for each file that gives a template and is in @group; NULL: for all of them. True:
 * there is one. */
typedef void (*colony__file_cb)(const char *name, void *data);
bool colony__directory_each(const struct colony__directory *directory, const char *group,
                            colony__file_cb cb, void *data);

#endif
