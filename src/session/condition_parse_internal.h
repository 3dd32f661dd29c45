/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition_parse_internal.h - the parser of conditions: operators (condition_parse.c) and what
 * stands between them (condition_primary.c).
 *
 * What returns a node or a bool has told why by the time it returns NULL or false.
 */
#ifndef COLONY_SESSION_CONDITION_PARSE_INTERNAL_H
#define COLONY_SESSION_CONDITION_PARSE_INTERNAL_H

#include "session/condition_internal.h"

/* A `for` whose body is being read. */
struct variable {
    const char *text;
    size_t length;
};

struct parser {
    struct lexer lexer;
    struct token token; /* what comes next */
    struct colony_condition_tree *tree;
    unsigned depth;
    struct variable variables[CONDITION_VARIABLES_MAX];
    unsigned variable_count;
    struct colony_error *err;
};

struct node *colony__parse_expression(struct parser *parser);
/* A value, without operators and indices. */
struct node *colony__parse_primary(struct parser *parser);

/* "column N: cannot use `TOKEN` here: @why". */
void colony__parse_fail(const struct parser *parser, const char *why);
bool colony__parse_advance(struct parser *parser);
bool colony__parse_is_next(const struct parser *parser, const char *text);
/* Takes @text, which must come now. */
bool colony__parse_expect(struct parser *parser, const char *text, const char *why);
struct node *colony__parse_node(struct parser *parser, enum node_kind kind, unsigned column);
/* One level deeper, until colony__parse_leave. */
bool colony__parse_enter(struct parser *parser);
void colony__parse_leave(struct parser *parser);

#endif
