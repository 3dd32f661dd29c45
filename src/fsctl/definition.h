/* SPDX-License-Identifier: Apache-2.0 */
/* definition.h - the content of a configuration file, put together (ORIGINALS §2). */
#ifndef COLONY_FSCTL_DEFINITION_H
#define COLONY_FSCTL_DEFINITION_H

#include <stdint.h>

struct colony_error;

/* Lists end with NULL. */
struct colony_definition {
    const char *cmd;
    const char *const *args;
    const char *const *env; /* KEY=VALUE; of two with one KEY the last counts */
    const char *const *env_inherit;
    uint64_t uid; /* UINT64_MAX: not given */
    uint64_t gid;
    const char *extras; /* a path, or JSON: what begins with `{`; or NULL */
};

/*
 * `{"args": [cmd, …], "env": {…}, …, extras…}` without what is not given, where the extras win, as
 * in ncolony; the caller frees *text.
 *
 * -EINVAL: an id that is none, a variable without `=`, what is not UTF-8, extras that are no
 * object or say a key twice; -EBADMSG: they are no JSON; or what opening their file says. -ENOMEM.
 */
int colony_definition_write(char **text, const struct colony_definition *definition,
                            struct colony_error *err);

/*
 * That colony can use @text as @folder/@name, by what it is read with there. -EINVAL with the place
 * in that file; users and groups are looked up on this machine. -ENOMEM.
 */
int colony_definition_check(const char *text, const char *folder, const char *name,
                            struct colony_error *err);

#endif
