/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.h - two English words for an uri, the same for the same uri for ever: "yellow-panda". Pure.
 */
#ifndef COLONY_SESSION_NAMES_H
#define COLONY_SESSION_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Longest: two words, a number of a collision, and a NUL. */
enum { COLONY_WORDS_MAX = 64 };

/* True: @name is taken by another uri. */
typedef bool (*colony_name_taken_cb)(const char *name, void *data);

/* The next candidates after a collision are of the same hash: stable for the same set of names. */
void colony_session_name(char name[COLONY_WORDS_MAX], const char *uri, colony_name_taken_cb taken,
                         void *data);

#endif
