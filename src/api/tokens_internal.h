/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokens_internal.h - who may do what over TCP beyond this machine: a file of tokens.
 *
 * A line is `NAME SCOPE TOKEN`; SCOPE is `read` or `control`, which includes reading. Blank lines
 * and those that begin with # are left out. A token is never quoted in a message or a log.
 */
#ifndef COLONY_API_TOKENS_INTERNAL_H
#define COLONY_API_TOKENS_INTERNAL_H

#include <stddef.h>

struct colony__tokens;
struct colony_error;

enum {
    COLONY__TOKENS_MAX = 256,
    COLONY__TOKEN_BYTES_MIN = 32,
    COLONY__TOKEN_BYTES_MAX = 128,
    COLONY__TOKEN_NAME_MAX = 63,
};

/*
 * Reads the file @path, which must be as secret.h wants it. -EINVAL with `PATH:LINE: …`, and its
 * errors.
 */
int colony__tokens_load(struct colony__tokens **out, const char *path, struct colony_error *err);
/* The same of @text, of which nothing is kept but copies. @path stands in messages. */
int colony__tokens_parse(struct colony__tokens **out, const char *text, const char *path,
                         struct colony_error *err);
void colony__tokens_free(struct colony__tokens *tokens);

/*
 * The rights (enum colony__rights) of @given, 0: it is none of them. *name: whose it is, borrowed.
 * Takes as long whether it is one of them or not, and however much of it is right.
 */
unsigned colony__tokens_find(const struct colony__tokens *tokens, const char *given,
                             const char **name);

#endif
