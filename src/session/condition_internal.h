/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition_internal.h - from the text of a condition to tokens (condition_lex.c), a tree
 * (condition_parse.c) and a value (condition_value.c, condition_evaluate.c).
 */
#ifndef COLONY_SESSION_CONDITION_INTERNAL_H
#define COLONY_SESSION_CONDITION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "session/condition.h"

struct colony_pattern;

enum {
    CONDITION_BYTES_MAX = 4096,
    CONDITION_NODES_MAX = 1000,
    CONDITION_DEPTH_MAX = 50,    /* of brackets and `not`s */
    CONDITION_VARIABLES_MAX = 8, /* of `for`s within each other */
    CONDITION_STEPS_MAX = 4000000,
};

/* --- tokens ----------------------------------------------------------------------------------- */

enum token_type {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_WORD,
    TOKEN_MARK, /* an operator or a bracket */
};

struct token {
    enum token_type type;
    unsigned column;  /* in characters, from 1 */
    const char *text; /* within the condition */
    size_t length;
    double number;
};

struct lexer {
    const char *at;
    unsigned column;
    struct colony_error *err;
};

/* The next token; at the end TOKEN_END again and again. -EINVAL. */
int colony__token_next(struct lexer *lexer, struct token *out);
/* True when it is that word or mark. */
bool colony__token_is(const struct token *token, const char *text);
/* The text that a TOKEN_STRING stands for; the caller frees it. NULL: no memory. */
char *colony__token_string(const struct token *token);

/* --- trees ------------------------------------------------------------------------------------ */

enum node_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_TRUE,
    NODE_FALSE,
    NODE_NONE,
    NODE_NAME,     /* op: enum subject_name */
    NODE_VARIABLE, /* slot */
    NODE_LIST,     /* left: its first NODE_ITEM */
    NODE_ITEM,     /* left: a value, right: the next one */
    NODE_INDEX,
    NODE_LEN,
    NODE_ANY, /* left: a list, or a NODE_EACH */
    NODE_ALL,
    NODE_EACH, /* left: what is asked, middle: the list, right: an `if` or NULL; slot */
    NODE_NOT,
    NODE_NEGATE,
    NODE_AND,
    NODE_OR,
    NODE_COMPARE,    /* op: enum comparison */
    NODE_ARITHMETIC, /* op: enum arithmetic */
};

enum subject_name {
    NAME_FP,
    NAME_STATE,
    NAME_PID,
    NAME_ALIVE,
    NAME_UPTIME,
    NAME_CPU,
    NAME_MEM,
};

enum comparison {
    COMPARE_EQUAL,
    COMPARE_UNEQUAL,
    COMPARE_LESS,
    COMPARE_AT_MOST,
    COMPARE_GREATER,
    COMPARE_AT_LEAST,
    COMPARE_IN,
    COMPARE_NOT_IN,
    COMPARE_MATCHES,
};

enum arithmetic {
    ARITHMETIC_ADD,
    ARITHMETIC_SUBTRACT,
    ARITHMETIC_MULTIPLY,
    ARITHMETIC_DIVIDE,
    ARITHMETIC_FLOOR,
    ARITHMETIC_MODULO,
};

struct node {
    enum node_kind kind;
    int op;
    unsigned column;
    unsigned slot;
    double number;
    char *text;                     /* of NODE_STRING */
    struct colony_pattern *pattern; /* of COMPARE_MATCHES */
    const struct node *left;
    const struct node *middle;
    const struct node *right;
};

struct colony_condition_tree {
    const struct node *root;
    unsigned wants;
    size_t count;
    struct node nodes[CONDITION_NODES_MAX];
};

/* --- values ----------------------------------------------------------------------------------- */

enum value_type {
    CONDITION_NONE,
    CONDITION_BOOL, /* number is 0 or 1: a number, too, as in Python */
    CONDITION_NUMBER,
    CONDITION_STRING,
    CONDITION_TEXTS, /* a list of the fingerprint */
    CONDITION_LIST,  /* a list that was written out; its items are looked at when they are needed */
    CONDITION_FP,
};

/* Strings and lists are borrowed of the tree or of the subject. */
struct value {
    enum value_type type;
    double number;
    const char *text;
    char *const *texts;
    size_t count; /* of texts */
    const struct node *items;
};

struct evaluation {
    const struct colony_subject *subject;
    size_t steps_left;
    struct value variables[CONDITION_VARIABLES_MAX];
    struct colony_error *err;
};

/* -EINVAL, "column N: cannot …: why". */
int colony__condition_fail(struct colony_error *err, unsigned column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of @node. -EINVAL, -E2BIG. */
int colony__condition_value(struct evaluation *evaluation, const struct node *node,
                            struct value *out);
/* -E2BIG once there were too many. */
int colony__condition_spend(struct evaluation *evaluation, size_t steps);

bool colony__value_is_true(const struct value *value);
bool colony__value_is_number(const struct value *value);
/* "a list", for messages. */
const char *colony__value_kind(const struct value *value);
struct value colony__number_value(double number);
struct value colony__bool_value(bool is_true);

/* -EINVAL: fp has no list @word. */
int colony__condition_check_field(unsigned column, const char *word, struct colony_error *err);

/* Of NODE_NAME, NODE_INDEX and NODE_LEN. */
int colony__name_value(struct evaluation *evaluation, const struct node *node, struct value *out);
int colony__index_value(struct evaluation *evaluation, const struct node *node, struct value *out);
int colony__length_value(struct evaluation *evaluation, const struct node *node, struct value *out);

/* What is walked in a list, from the first item on; -EINVAL: it is none. */
struct walk {
    struct value list;
    size_t index;
    const struct node *item;
};
int colony__walk_begin(struct walk *walk, const struct value *list, const struct evaluation *in,
                       unsigned column);
/* 1: *out is the next item; 0: there are no more. -EINVAL, -E2BIG. */
int colony__walk_next(struct walk *walk, struct evaluation *evaluation, struct value *out);

/* 1 or 0 of a comparison; -EINVAL: these do not go together. */
int colony__condition_compare(struct evaluation *evaluation, const struct node *node,
                              const struct value *left, const struct value *right);

#endif
