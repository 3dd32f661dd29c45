/* SPDX-License-Identifier: Apache-2.0 */
/* name_internal.h - how far two names are apart. */
#ifndef COLONY_CORE_NAME_INTERNAL_H
#define COLONY_CORE_NAME_INTERNAL_H

#include <stdbool.h>

/*
 * How many bytes must be changed, added, removed or swapped with their neighbour to make @right
 * of @left. COLONY_NAME_MAX when one of them is longer than that.
 */
unsigned colony__name_distance(const char *left, const char *right);

/* True when @word is @name but for a slip of the pen; short names are near to nothing. */
bool colony__name_is_near(const char *word, const char *name);

#endif
