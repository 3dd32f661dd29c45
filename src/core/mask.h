/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mask.h - keeps secrets of an environment from being shown.
 *
 * A guess by name and look: it would rather hide too much.
 */
#ifndef COLONY_CORE_MASK_H
#define COLONY_CORE_MASK_H

/*
 * A copy of @value to be shown: "***" when the variable's @name speaks of a secret, else with the
 * passwords in URLs (scheme://user:password@host) replaced by that. NULL: out of memory.
 */
char *colony_mask(const char *name, const char *value);

#endif
