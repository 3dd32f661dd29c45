/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mask_internal.h - keeps secrets of an environment from being shown.
 *
 * A guess by name and look: it would rather hide too much.
 */
#ifndef COLONY_API_MASK_INTERNAL_H
#define COLONY_API_MASK_INTERNAL_H

/*
 * A copy of @value to be shown: "***" when the variable's @name speaks of a secret, else with the
 * passwords in URLs (scheme://user:password@host) replaced by that. NULL: out of memory.
 */
char *colony__mask(const char *name, const char *value);

#endif
