/* SPDX-License-Identifier: Apache-2.0 */
/* completion.h - what makes a shell complete colony's words. Pure. */
#ifndef COLONY_CORE_COMPLETION_H
#define COLONY_CORE_COMPLETION_H

#include <stddef.h>

/* The script for "bash", "fish" or "zsh"; NULL: another shell. */
const char *colony_completion_script(const char *shell);
/* The name of the @index-th of them; NULL: there are no more. */
const char *colony_completion_shell(size_t index);

#endif
