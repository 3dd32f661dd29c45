/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_mistake.c - what JSON would go on with where cJSON did not.
 *
 * Up to there the text is well-formed, so that the token before and the bracket around it say all.
 */
#include <stdbool.h>
#include <string.h>

#include "core/value.h"
#include "core/value_internal.h"

#define A_VALUE "a text in double quotes, a number, true, false, null, [ or {"
#define BLANKS " \t\r\n"
#define AFTER "it goes on after its end, where nothing may follow"

enum token {
    TOKEN_NONE,
    TOKEN_OPEN, /* [ or { */
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_KEY,
    TOKEN_VALUE,
    TOKEN_COUNT,
};

#define IN_LIST "there should be , or ]"
#define IN_MAP "there should be , or }"

/* By the token before; outside of all, in a list, in a map. */
static const char *const mistakes[TOKEN_COUNT][3] = {
    [TOKEN_NONE] = {"there should be " A_VALUE, IN_LIST, IN_MAP},
    [TOKEN_OPEN] = {AFTER, "there should be ], or " A_VALUE,
                    "there should be }, or a key in double quotes"},
    [TOKEN_COMMA] = {AFTER, "there should be " A_VALUE, "there should be a key in double quotes"},
    [TOKEN_COLON] = {AFTER, IN_LIST, "there should be " A_VALUE},
    [TOKEN_KEY] = {AFTER, IN_LIST, "there should be a : behind the key"},
    [TOKEN_VALUE] = {AFTER, IN_LIST, IN_MAP},
};

struct walk {
    enum token before;
    unsigned depth;
    bool is_map[COLONY_VALUE_DEPTH_MAX + 1]; /* of the brackets that are open, from 1 */
};

/* The length of the string that begins at @text. */
static size_t string_length(const char *text)
{
    size_t length = 1;

    while (text[length] != '\0' && text[length] != '"')
        length += text[length] == '\\' && text[length + 1] != '\0' ? 2 : 1;
    return length + (text[length] == '"');
}

static bool is_in_map(const struct walk *walk)
{
    return walk->depth > 0 && walk->is_map[walk->depth];
}

/* cJSON looks for the quotes of a key only once it has gone past where they should be. */
static bool is_no_key(const struct walk *walk, char byte)
{
    return is_in_map(walk) && !strchr(BLANKS "\"", byte) &&
           (walk->before == TOKEN_COMMA || (walk->before == TOKEN_OPEN && byte != '}'));
}

static void take_string(struct walk *walk)
{
    walk->before = is_in_map(walk) && walk->before != TOKEN_COLON ? TOKEN_KEY : TOKEN_VALUE;
}

static void take_byte(struct walk *walk, char byte)
{
    if (strchr(BLANKS, byte))
        return;
    if (byte == '[' || byte == '{') {
        if (walk->depth < COLONY_VALUE_DEPTH_MAX)
            walk->is_map[++walk->depth] = byte == '{';
        walk->before = TOKEN_OPEN;
    } else if (byte == ',') {
        walk->before = TOKEN_COMMA;
    } else if (byte == ':') {
        walk->before = TOKEN_COLON;
    } else {
        if (byte == ']' || byte == '}')
            walk->depth -= walk->depth > 0;
        walk->before = TOKEN_VALUE;
    }
}

const char *colony__json_mistake(const char *text, size_t *place)
{
    struct walk walk = {.before = TOKEN_NONE};
    size_t at = 0;

    while (at < *place && !is_no_key(&walk, text[at])) {
        size_t length = text[at] == '"' ? string_length(text + at) : 1;

        if (at + length > *place)
            return "JSON has no such escape";
        if (text[at] == '"')
            take_string(&walk);
        else
            take_byte(&walk, text[at]);
        at += length;
    }
    *place = at;
    if (text[at] == '/' || text[at] == '#')
        return "JSON has no comments";
    return mistakes[walk.before][walk.depth == 0 ? 0 : 1 + is_in_map(&walk)];
}
