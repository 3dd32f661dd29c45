/* SPDX-License-Identifier: Apache-2.0 */
/* process_internal.h - what the parts that read and write processes share. */
#ifndef COLONY_SESSION_PROCESS_INTERNAL_H
#define COLONY_SESSION_PROCESS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "session/process.h"

struct colony_error;

#define SESSION_FILE "session" /* etc/session.yaml is the session's own */
#define YAML_END ".yaml"

enum {
    DATE_SIZE = sizeof "2026-11-23T12:00:00Z",
};

/* A name or an alias: colony_name_check_file(), and no `:`, no `,`, no first dot. */
int colony__session_name_check(const char *name, struct colony_error *err);

/* A name, which has no dot either: fp/NAME.STATE.yaml must be told from fp/NAME.yaml. */
int colony__session_name_check_own(const char *name, struct colony_error *err);

/* Now, ISO 8601. */
void colony__session_date(char date[DATE_SIZE]);

/* NULL-terminated lists of the heap; NULL is one without any. */
void colony__strings_free(char **strings);
/* -ENOMEM. */
int colony__strings_copy(char ***out, char *const *strings);
bool colony__strings_equal(char *const *left, char *const *right);
void colony__strings_sort(char **strings);

#endif
