/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gates.h - looks over what templates depend on, before any of them runs.
 *
 * Pure; linear in templates and dependencies. The engine's own bookkeeping is in engine_gates.c.
 */
#ifndef COLONY_CORE_GATES_H
#define COLONY_CORE_GATES_H

#include <stddef.h>

struct colony_error;
struct colony_template;

/*
 * Checks that no template depends on itself, directly or by others, and that each needed
 * dependency is one of @templates. -ELOOP with the cycle spelled out ("cannot order the starts:
 * a → b → c → a"), -ENOENT with the nearest name for one that is not there, -ENOMEM. *culprit (may
 * be NULL) is then the index of the template to blame.
 */
int colony_gates_check(const struct colony_template *const *templates, size_t count,
                       size_t *culprit, struct colony_error *err);

/*
 * The same where only the first @new_count of @templates are to come: what the others lack they
 * lack already, and wait for.
 */
int colony_gates_check_new(const struct colony_template *const *templates, size_t count,
                           size_t new_count, size_t *culprit, struct colony_error *err);

#endif
