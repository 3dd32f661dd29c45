/* SPDX-License-Identifier: Apache-2.0 */
/* condition_primary.c - what stands between the operators of a condition: names, texts, lists and
 * calls. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session/condition_parse_internal.h"

enum {
    NAMES_MAX = 32, /* that are offered for a misspelt one */
};

struct word {
    const char *text;
    enum node_kind kind;
    int op;
    unsigned wants;
};

/* clang-format off */
static const struct word words[] = {
    {"fp",     NODE_NAME,  NAME_FP,     SUBJECT_FP},
    {"state",  NODE_NAME,  NAME_STATE,  SUBJECT_STATE},
    {"pid",    NODE_NAME,  NAME_PID,    SUBJECT_LIFE},
    {"alive",  NODE_NAME,  NAME_ALIVE,  SUBJECT_LIFE},
    {"uptime", NODE_NAME,  NAME_UPTIME, 0},
    {"cpu",    NODE_NAME,  NAME_CPU,    SUBJECT_STATS},
    {"mem",    NODE_NAME,  NAME_MEM,    SUBJECT_STATS},
    {"True",   NODE_TRUE,  0,           0},
    {"true",   NODE_TRUE,  0,           0},
    {"False",  NODE_FALSE, 0,           0},
    {"false",  NODE_FALSE, 0,           0},
    {"None",   NODE_NONE,  0,           0},
    {"none",   NODE_NONE,  0,           0},
    {"len",    NODE_LEN,   0,           0},
    {"any",    NODE_ANY,   0,           0},
    {"all",    NODE_ALL,   0,           0},
};

/* Nothing can be called so. */
static const char *const reserved[] = {"and", "or", "not", "in", "matches", "for", "if"};

/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct node *fail(const struct parser *parser, const char *why)
{
    colony__parse_fail(parser, why);
    return NULL;
}

static bool is_word(const struct token *token, const char *text, size_t length)
{
    return token->length == length && memcmp(token->text, text, length) == 0;
}

static struct node *fail_word(const struct parser *parser)
{
    const char *names[NAMES_MAX] = {NULL};
    char word[COLONY_NAME_MAX];
    const char *near;

    for (size_t i = 0; i < COUNT(words) && i < NAMES_MAX - 1; i++)
        names[i] = words[i].text;
    (void)snprintf(word, sizeof word, "%.*s", (int)parser->token.length, parser->token.text);
    near = colony_name_nearest(word, names);
    (void)colony__condition_fail(parser->err, parser->token.column,
                                 "cannot use `%.60s`: there are fp, state, pid, alive, uptime, cpu "
                                 "and mem%s%s%s; put '' around a text",
                                 word, near ? "; did you mean `" : "", near ? near : "",
                                 near ? "`?" : "");
    return NULL;
}

static const struct word *find_word(const struct parser *parser)
{
    for (size_t i = 0; i < COUNT(words); i++)
        if (colony__token_is(&parser->token, words[i].text))
            return &words[i];
    return NULL;
}

/* The innermost `for` that has it. */
static bool find_variable(const struct parser *parser, unsigned *slot)
{
    for (unsigned i = parser->variable_count; i > 0; i--)
        if (is_word(&parser->token, parser->variables[i - 1].text,
                    parser->variables[i - 1].length)) {
            *slot = i - 1;
            return true;
        }
    return false;
}

static bool is_reserved(const struct token *token)
{
    for (size_t i = 0; i < COUNT(reserved); i++)
        if (colony__token_is(token, reserved[i]))
            return true;
    return false;
}

/* The places where names of variables are not known before the body is read: `BODY for NAME in …`
 * comes behind it. The lexer looks ahead to the `for` of this bracket. */
static bool find_for(const struct parser *parser, struct token *name)
{
    struct lexer lexer = parser->lexer;
    struct token token = parser->token;
    unsigned depth = 0;

    lexer.err = NULL;
    while (token.type != TOKEN_END) {
        if (colony__token_is(&token, "(") || colony__token_is(&token, "["))
            depth++;
        else if (colony__token_is(&token, ")") || colony__token_is(&token, "]")) {
            if (depth-- == 0)
                return false;
        } else if (depth == 0 && colony__token_is(&token, "for"))
            return colony__token_next(&lexer, name) == 0;
        if (colony__token_next(&lexer, &token) < 0)
            return false;
    }
    return false;
}

/* `BODY for NAME in LIST [if BODY]`; @name is the token of NAME. */
static struct node *parse_each(struct parser *parser, const struct token *name)
{
    struct node *node = colony__parse_node(parser, NODE_EACH, parser->token.column);
    unsigned slot = parser->variable_count;

    if (!node)
        return NULL;
    if (name->type != TOKEN_WORD || is_reserved(name)) {
        parser->token = *name;
        return fail(parser, "a `for` takes a name");
    }
    if (slot == CONDITION_VARIABLES_MAX)
        return fail(parser, "there are too many `for`s within each other");
    node->slot = slot;
    parser->variables[slot] = (struct variable){name->text, name->length};
    parser->variable_count++;
    node->left = colony__parse_expression(parser);
    if (!node->left || !colony__parse_expect(parser, "for", "write `for NAME in LIST`"))
        return NULL;
    if (!colony__parse_advance(parser) ||
        !colony__parse_expect(parser, "in", "write `for NAME in LIST`"))
        return NULL;
    parser->variable_count--; /* the list is looked at once, outside */
    node->middle = colony__parse_expression(parser);
    parser->variable_count++;
    if (node->middle && colony__parse_is_next(parser, "if")) {
        node->right = colony__parse_advance(parser) ? colony__parse_expression(parser) : NULL;
        if (!node->right)
            return NULL;
    }
    parser->variable_count--;
    return node->middle ? node : NULL;
}

/* len(LIST), any(LIST), any(BODY for NAME in LIST) */
static struct node *parse_call(struct parser *parser, struct node *node)
{
    struct token name;

    if (!colony__parse_expect(parser, "(", "write `(` behind len, any and all"))
        return NULL;
    if (node->kind != NODE_LEN && find_for(parser, &name))
        node->left = parse_each(parser, &name);
    else
        node->left = colony__parse_expression(parser);
    if (!node->left || !colony__parse_expect(parser, ")", "a `)` is missing"))
        return NULL;
    return node;
}

static struct node *parse_word(struct parser *parser)
{
    const struct word *word = find_word(parser);
    unsigned slot = 0;
    struct node *node;

    if (find_variable(parser, &slot)) {
        node = colony__parse_node(parser, NODE_VARIABLE, parser->token.column);
        if (node)
            node->slot = slot;
        return node && colony__parse_advance(parser) ? node : NULL;
    }
    if (!word && is_reserved(&parser->token))
        return fail(parser, "a value is missing before it");
    if (!word)
        return fail_word(parser);
    node = colony__parse_node(parser, word->kind, parser->token.column);
    if (!node)
        return NULL;
    node->op = word->op;
    parser->tree->wants |= word->wants;
    if (!colony__parse_advance(parser))
        return NULL;
    return word->kind == NODE_LEN || word->kind == NODE_ANY || word->kind == NODE_ALL
               ? parse_call(parser, node)
               : node;
}

static struct node *parse_string(struct parser *parser)
{
    struct node *node = colony__parse_node(parser, NODE_STRING, parser->token.column);

    if (!node)
        return NULL;
    node->text = colony__token_string(&parser->token);
    if (!node->text) {
        (void)colony_fail(parser->err, -ENOMEM, "cannot read the condition: out of memory");
        return NULL;
    }
    return colony__parse_advance(parser) ? node : NULL;
}

/* [a, b, …], its `[` taken */
static struct node *parse_list(struct parser *parser, unsigned column)
{
    struct node *list = colony__parse_node(parser, NODE_LIST, column);
    const struct node **tail = list ? &list->left : NULL;

    while (list && !colony__parse_is_next(parser, "]")) {
        struct node *item = colony__parse_node(parser, NODE_ITEM, parser->token.column);

        if (!item || !(item->left = colony__parse_expression(parser)))
            return NULL;
        *tail = item;
        tail = &item->right;
        if (colony__parse_is_next(parser, ",")) {
            if (!colony__parse_advance(parser))
                return NULL;
        } else if (!colony__parse_is_next(parser, "]")) {
            return fail(parser, "a `,` or a `]` is missing");
        }
    }
    return list && colony__parse_advance(parser) ? list : NULL;
}

static struct node *parse_bracket(struct parser *parser)
{
    bool is_list = colony__parse_is_next(parser, "[");
    unsigned column = parser->token.column;
    struct node *node = NULL;

    if (!colony__parse_advance(parser))
        return NULL;
    if (is_list) {
        node = parse_list(parser, column);
    } else {
        node = colony__parse_expression(parser);
        if (node && !colony__parse_expect(parser, ")", "a `)` is missing"))
            node = NULL;
    }
    return node;
}

struct node *colony__parse_primary(struct parser *parser)
{
    struct node *node;

    if (parser->token.type == TOKEN_STRING)
        return parse_string(parser);
    if (parser->token.type == TOKEN_WORD)
        return parse_word(parser);
    if (colony__parse_is_next(parser, "(") || colony__parse_is_next(parser, "["))
        return parse_bracket(parser);
    if (parser->token.type != TOKEN_NUMBER)
        return fail(parser, "a value is missing");
    node = colony__parse_node(parser, NODE_NUMBER, parser->token.column);
    if (!node)
        return NULL;
    node->number = parser->token.number;
    return colony__parse_advance(parser) ? node : NULL;
}
