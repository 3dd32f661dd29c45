/* SPDX-License-Identifier: Apache-2.0 */
/* hello_internal.h - what a program says of itself first: its methods, its attributes, their docs.
 */
#ifndef COLONY_RPC_HELLO_INTERNAL_H
#define COLONY_RPC_HELLO_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;
struct colony_value;

enum {
    COLONY__HELLO_NAMES_MAX = 1000,
    COLONY__HELLO_NAME_MAX = 64,
    COLONY__HELLO_DOC_MAX = 16384,
};

struct colony__hello_name {
    char *name;
    char *doc; /* "" when it says nothing */
    bool is_method;
};

/* All zero is the empty state. */
struct colony__hello {
    struct colony__hello_name *names; /* sorted */
    size_t count;
    char *doc; /* of the program itself; NULL: none */
};

/*
 * Reads {"methods": {NAME: DOC} or [NAME], "attributes": the same, "doc": TEXT}, each of which may
 * be missing. -EINVAL with the reason, -ENOMEM; then *hello is as it was.
 */
int colony__hello_read(struct colony__hello *hello, const struct colony_value *params,
                       struct colony_error *err);

/* NULL: it has no method and no attribute of that name. */
const struct colony__hello_name *colony__hello_find(const struct colony__hello *hello,
                                                    const char *name);

/* True when values of it are saved. */
bool colony__hello_is_saved(const struct colony__hello_name *name);

void colony__hello_clear(struct colony__hello *hello);

#endif
