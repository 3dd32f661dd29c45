/* SPDX-License-Identifier: Apache-2.0 */
/* command_internal.h - what a template runs: `cmd`, `args`, `shell` and `env` as execve wants them.
 */
#ifndef COLONY_CORE_COMMAND_INTERNAL_H
#define COLONY_CORE_COMMAND_INTERNAL_H

struct colony__draft;
struct colony__reading;
struct colony_value;

/* Fills @draft's `env` from its source. -EINVAL with the reason, -ENOMEM. */
int colony__env_read(struct colony__draft *draft, const struct colony__reading *reading);

/*
 * Fills @draft's `argv` from its source; `cmd`, `shell`, `env` and `env_file` are read already.
 * -EINVAL with the reason, -ENOMEM.
 */
int colony__command_read(struct colony__draft *draft, const struct colony__reading *reading);

/*
 * Makes texts of those members of `args`, `env` and `env_inherit` in @source whose writing JSON
 * can't show (`yes`, `022`), and of a plain `cmd: yes` of a file: what the process is given must
 * survive the way from the keeper to the engine.
 */
int colony__command_settle(struct colony_value *source);

#endif
