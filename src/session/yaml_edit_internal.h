/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml_edit_internal.h - changes one key of a YAML text that a user has written too: comments,
 * order and all else stay as they were.
 *
 * Where a text is laid out so that this cannot be (a map in braces on one line), it is written
 * anew, without its comments. Pure.
 */
#ifndef COLONY_SESSION_YAML_EDIT_INTERNAL_H
#define COLONY_SESSION_YAML_EDIT_INTERNAL_H

#include <stdio.h>

struct colony_error;

/* What is to stand where. */
struct colony__yaml_edit {
    const char *parent; /* the top-level key above; NULL: @key is one itself */
    const char *key;
    const char *value; /* YAML that can stand after "key:" and ends in \n; below a parent on one
                        * line; NULL: the key goes */
};

/* Replaces *text, of the heap. @name stands in messages. -EINVAL with NAME:LINE:COLUMN when it is
 * no map; -ENOMEM. */
int colony__yaml_edit(char **text, const char *name, const struct colony__yaml_edit *edit,
                      struct colony_error *err);

/* @text as a YAML text in quotes, or as it is where that is the same as a key. */
int colony__yaml_write_text(FILE *out, const char *text);
int colony__yaml_write_key(FILE *out, const char *text);

#endif
