/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer_id_internal.h - whose answer a line is that is no JSON colony takes: one with NaN in it,
 * too deep, or too long to be kept.
 *
 * Reads the line in pieces, in one pass and without memory of its own, and minds only strings,
 * brackets and the members of the outermost object.
 */
#ifndef COLONY_RPC_ANSWER_ID_INTERNAL_H
#define COLONY_RPC_ANSWER_ID_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    COLONY__ANSWER_KEY_MAX = 8,
};

/* All zero is the empty state. */
struct colony__answer_id {
    bool has_begun;
    bool is_object;
    bool has_method; /* it is a request of the program's own, and answers nothing */
    bool has_answer; /* `result` or `error` */
    bool has_id;
    uint64_t id;
    /* Where it is. */
    uint64_t depth;
    bool is_in_text;
    bool is_escaped;
    bool is_key;     /* the text is a member's name, or the next one will be */
    bool is_id_next; /* the value is that of `id` */
    size_t key_size;
    char key[COLONY__ANSWER_KEY_MAX];
    unsigned digits;
    uint64_t number;
};

void colony__answer_id_read(struct colony__answer_id *scan, const char *bytes, size_t size);

#endif
