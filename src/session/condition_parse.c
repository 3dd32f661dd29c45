/* SPDX-License-Identifier: Apache-2.0 */
/* condition_parse.c - the tree of a condition, by recursive descent: its operators. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/pattern.h"
#include "core/utf8.h"
#include "session/condition_parse_internal.h"

enum {
    SHOWN_MAX = 60, /* bytes of a token in a message */
};

/* clang-format off */
static const struct { const char *text; enum comparison op; } comparisons[] = {
    {"==", COMPARE_EQUAL},   {"!=", COMPARE_UNEQUAL}, {"<",  COMPARE_LESS}, {"<=",      COMPARE_AT_MOST},
    {">",  COMPARE_GREATER}, {">=", COMPARE_AT_LEAST}, {"in", COMPARE_IN},  {"matches", COMPARE_MATCHES},
};

static const struct { const char *text; enum arithmetic op; } sums[] = {
    {"+", ARITHMETIC_ADD}, {"-", ARITHMETIC_SUBTRACT},
}, products[] = {
    {"*",  ARITHMETIC_MULTIPLY}, {"/", ARITHMETIC_DIVIDE},
    {"//", ARITHMETIC_FLOOR},    {"%", ARITHMETIC_MODULO},
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* --- helpers ---------------------------------------------------------------------------------- */

void colony__parse_fail(const struct parser *parser, const char *why)
{
    const struct token *token = &parser->token;

    if (token->type == TOKEN_END)
        (void)colony__condition_fail(parser->err, token->column, "cannot end here: %s", why);
    else
        (void)colony__condition_fail(parser->err, token->column, "cannot use `%.*s` here: %s",
                                     (int)(token->length < SHOWN_MAX ? token->length : SHOWN_MAX),
                                     token->text, why);
}

bool colony__parse_advance(struct parser *parser)
{
    return colony__token_next(&parser->lexer, &parser->token) == 0;
}

bool colony__parse_is_next(const struct parser *parser, const char *text)
{
    return colony__token_is(&parser->token, text);
}

bool colony__parse_expect(struct parser *parser, const char *text, const char *why)
{
    if (colony__parse_is_next(parser, text))
        return colony__parse_advance(parser);
    colony__parse_fail(parser, why);
    return false;
}

struct node *colony__parse_node(struct parser *parser, enum node_kind kind, unsigned column)
{
    struct node *node;

    if (parser->tree->count == CONDITION_NODES_MAX) {
        (void)colony__condition_fail(parser->err, column, "cannot go on: it has more than %d parts",
                                     (int)CONDITION_NODES_MAX);
        return NULL;
    }
    node = &parser->tree->nodes[parser->tree->count++];
    *node = (struct node){.kind = kind, .column = column};
    return node;
}

bool colony__parse_enter(struct parser *parser)
{
    if (parser->depth++ < CONDITION_DEPTH_MAX)
        return true;
    colony__parse_fail(parser, "it is nested too deeply");
    return false;
}

void colony__parse_leave(struct parser *parser)
{
    parser->depth--;
}

/* An operator at @token between two values, either of which may be missing. */
static struct node *new_pair(struct parser *parser, enum node_kind kind, const struct token *token,
                             const struct node *left, const struct node *right)
{
    struct node *node = left && right ? colony__parse_node(parser, kind, token->column) : NULL;

    if (!node)
        return NULL;
    node->left = left;
    node->right = right;
    return node;
}

/* --- the tighter ones ------------------------------------------------------------------------- */

/* fp['listne'] is told now, not once a wait has come to it. */
static bool is_known_field(const struct parser *parser, const struct node *node)
{
    if (!node || node->left->kind != NODE_NAME || node->left->op != NAME_FP ||
        node->right->kind != NODE_STRING)
        return true;
    return colony__condition_check_field(node->right->column, node->right->text, parser->err) == 0;
}

/* VALUE[INDEX]… */
static struct node *parse_indices(struct parser *parser)
{
    struct node *node = colony__parse_primary(parser);

    while (node && colony__parse_is_next(parser, "[")) {
        struct token token = parser->token;

        if (!colony__parse_advance(parser))
            return NULL;
        node = new_pair(parser, NODE_INDEX, &token, node, colony__parse_expression(parser));
        if (!is_known_field(parser, node) ||
            (node && !colony__parse_expect(parser, "]", "a `]` is missing")))
            return NULL;
    }
    return node;
}

/* -VALUE, +VALUE */
static struct node *parse_sign(struct parser *parser)
{
    struct token token = parser->token;
    struct node *node;
    const struct node *value;

    if (!colony__parse_is_next(parser, "-") && !colony__parse_is_next(parser, "+"))
        return parse_indices(parser);
    if (!colony__parse_enter(parser) || !colony__parse_advance(parser))
        return NULL;
    value = parse_sign(parser);
    colony__parse_leave(parser);
    node = value ? colony__parse_node(parser, NODE_NEGATE, token.column) : NULL;
    if (!node)
        return NULL;
    node->left = value;
    node->number = colony__token_is(&token, "-") ? -1 : 1;
    return node;
}

/* The operator that comes next, or -1. */
static int find_product(const struct parser *parser)
{
    for (size_t i = 0; i < COUNT(products); i++)
        if (colony__parse_is_next(parser, products[i].text))
            return (int)products[i].op;
    return -1;
}

static int find_sum(const struct parser *parser)
{
    for (size_t i = 0; i < COUNT(sums); i++)
        if (colony__parse_is_next(parser, sums[i].text))
            return (int)sums[i].op;
    return -1;
}

static struct node *parse_product(struct parser *parser)
{
    struct node *node = parse_sign(parser);
    int op;

    while (node && (op = find_product(parser)) >= 0) {
        struct token token = parser->token;

        if (!colony__parse_advance(parser))
            return NULL;
        node = new_pair(parser, NODE_ARITHMETIC, &token, node, parse_sign(parser));
        if (node)
            node->op = op;
    }
    return node;
}

static struct node *parse_sum(struct parser *parser)
{
    struct node *node = parse_product(parser);
    int op;

    while (node && (op = find_sum(parser)) >= 0) {
        struct token token = parser->token;

        if (!colony__parse_advance(parser))
            return NULL;
        node = new_pair(parser, NODE_ARITHMETIC, &token, node, parse_product(parser));
        if (node)
            node->op = op;
    }
    return node;
}

/* --- comparisons ------------------------------------------------------------------------------ */

/* The comparison that comes next, which is taken; -1: none, or told in @failed. */
static int take_comparison(struct parser *parser, bool *failed)
{
    if (colony__parse_is_next(parser, "not")) {
        *failed = !colony__parse_advance(parser) ||
                  !colony__parse_expect(parser, "in", "between two values it is `not in`");
        return *failed ? -1 : COMPARE_NOT_IN;
    }
    for (size_t i = 0; i < COUNT(comparisons); i++)
        if (colony__parse_is_next(parser, comparisons[i].text)) {
            *failed = !colony__parse_advance(parser);
            return *failed ? -1 : (int)comparisons[i].op;
        }
    return -1;
}

/* The expression behind `matches` is made ready once, not at each look. */
static bool make_pattern(struct parser *parser, struct node *node)
{
    struct colony_error reason = {0};
    int rc;

    if (node->right->kind != NODE_STRING) {
        (void)colony__condition_fail(parser->err, node->right->column,
                                     "cannot use this: behind `matches` comes a text in ''");
        return false;
    }
    rc = colony_pattern_new(&node->pattern, node->right->text, &reason);
    if (rc == -EINVAL)
        (void)colony__condition_fail(parser->err, node->right->column,
                                     "cannot use this regular expression: %s", reason.message);
    else if (rc < 0)
        (void)colony_fail_os(parser->err, rc, "cannot read the condition");
    return rc == 0;
}

/* a < b <= c is a < b and b <= c, as in Python. */
static struct node *parse_comparison(struct parser *parser)
{
    struct node *left = parse_sum(parser);
    struct node *all = left;
    bool failed = false;
    bool is_first = true;

    while (left) {
        struct token token = parser->token;
        int op = take_comparison(parser, &failed);
        struct node *right;
        struct node *node;

        if (op < 0)
            return failed ? NULL : all;
        right = parse_sum(parser);
        node = new_pair(parser, NODE_COMPARE, &token, left, right);
        if (!node)
            return NULL;
        node->op = op;
        if (op == COMPARE_MATCHES && !make_pattern(parser, node))
            return NULL;
        left = right;
        all = is_first ? node : new_pair(parser, NODE_AND, &token, all, node);
        is_first = false;
        if (!all)
            return NULL;
    }
    return NULL;
}

/* --- and, or, not ----------------------------------------------------------------------------- */

static struct node *parse_not(struct parser *parser)
{
    struct token token = parser->token;
    const struct node *value;
    struct node *node;

    if (!colony__parse_is_next(parser, "not"))
        return parse_comparison(parser);
    if (!colony__parse_enter(parser) || !colony__parse_advance(parser))
        return NULL;
    value = parse_not(parser);
    colony__parse_leave(parser);
    node = value ? colony__parse_node(parser, NODE_NOT, token.column) : NULL;
    if (node)
        node->left = value;
    return node;
}

static struct node *parse_and(struct parser *parser)
{
    struct node *node = parse_not(parser);

    while (node && colony__parse_is_next(parser, "and")) {
        struct token token = parser->token;

        if (!colony__parse_advance(parser))
            return NULL;
        node = new_pair(parser, NODE_AND, &token, node, parse_not(parser));
    }
    return node;
}

struct node *colony__parse_expression(struct parser *parser)
{
    struct node *node = colony__parse_enter(parser) ? parse_and(parser) : NULL;

    while (node && colony__parse_is_next(parser, "or")) {
        struct token token = parser->token;

        if (!colony__parse_advance(parser))
            return NULL;
        node = new_pair(parser, NODE_OR, &token, node, parse_and(parser));
    }
    colony__parse_leave(parser);
    return node;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int check_text(const char *text, struct colony_error *err)
{
    size_t size = strnlen(text, CONDITION_BYTES_MAX + 1);
    struct colony_utf8_place place;
    size_t good;

    if (size > CONDITION_BYTES_MAX)
        return colony__condition_fail(err, 1,
                                      "cannot read so long a condition: it has more than "
                                      "%d bytes",
                                      (int)CONDITION_BYTES_MAX);
    good = colony_utf8_length(text, size);
    if (good == size)
        return 0;
    colony_utf8_locate(text, good, &place);
    return colony__condition_fail(err, place.column, "cannot read this: it is not UTF-8");
}

static const struct node *parse_all(struct parser *parser)
{
    const struct node *root =
        colony__parse_advance(parser) ? colony__parse_expression(parser) : NULL;

    if (root && parser->token.type != TOKEN_END) {
        colony__parse_fail(parser, "an operator is missing before it");
        return NULL;
    }
    return root;
}

int colony_condition_parse(struct colony_condition_tree **out, const char *text,
                           struct colony_error *err)
{
    struct colony_error reason = {0};
    struct parser parser = {.lexer = {.at = text, .column = 1, .err = &reason}, .err = &reason};
    int rc = check_text(text, err);

    if (rc < 0)
        return rc;
    parser.tree = calloc(1, sizeof *parser.tree);
    if (!parser.tree)
        return colony_fail(err, -ENOMEM, "cannot read the condition: out of memory");
    parser.tree->root = parse_all(&parser);
    if (!parser.tree->root) {
        colony_condition_free(parser.tree);
        if (err)
            *err = reason;
        return reason.code;
    }
    *out = parser.tree;
    return 0;
}

void colony_condition_free(struct colony_condition_tree *tree)
{
    if (!tree)
        return;
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i].text);
        colony_pattern_free(tree->nodes[i].pattern);
    }
    free(tree);
}

unsigned colony_condition_wants(const struct colony_condition_tree *tree)
{
    return tree->wants;
}
