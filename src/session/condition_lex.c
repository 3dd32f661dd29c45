/* SPDX-License-Identifier: Apache-2.0 */
/* condition_lex.c - words, numbers, strings and operators of a condition. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/condition_internal.h"

enum {
    REASON_SIZE = 256,
    HEX = 16,
};

/* The longer ones first. */
static const char *const marks[] = {"==", "!=", "<=", ">=", "//", "<", ">", "(", ")",
                                    "[",  "]",  ",",  "+",  "-",  "*", "/", "%"};

/* What those write who come from other languages. */
static const struct {
    const char *text;
    const char *instead;
} foreign[] = {
    {"&&", "write `and`"},
    {"||", "write `or`"},
    {"=", "write `==` to compare"},
    {"!", "write `not`"},
    {".", "a part of the fingerprint is fp['listen']"},
    {"{", "there are lists, [1, 2], but no sets or maps"},
};

int colony__condition_fail(struct colony_error *err, unsigned column, const char *format, ...)
{
    char reason[REASON_SIZE];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return colony_fail(err, -EINVAL, "column %u: %s", column, reason);
}

bool colony__token_is(const struct token *token, const char *text)
{
    return (token->type == TOKEN_WORD || token->type == TOKEN_MARK) &&
           strlen(text) == token->length && memcmp(token->text, text, token->length) == 0;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The @length bytes at lexer->at become a token. */
static void take(struct lexer *lexer, struct token *out, enum token_type type, size_t length)
{
    out->type = type;
    out->column = lexer->column;
    out->text = lexer->at;
    out->length = length;
    for (size_t i = 0; i < length; i++)
        lexer->column += !is_continuation(lexer->at[i]);
    lexer->at += length;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* 1, 1.5, .5, 1e3 */
static int take_number(struct lexer *lexer, struct token *out)
{
    size_t length = count_digits(lexer->at);
    size_t exponent;

    if (lexer->at[length] == '.')
        length += 1 + count_digits(lexer->at + length + 1);
    exponent = lexer->at[length] == 'e' || lexer->at[length] == 'E' ? 1 : 0;
    if (exponent && (lexer->at[length + 1] == '+' || lexer->at[length + 1] == '-'))
        exponent++;
    if (exponent && count_digits(lexer->at + length + exponent) > 0)
        length += exponent + count_digits(lexer->at + length + exponent);
    if (isalnum((unsigned char)lexer->at[length]) || lexer->at[length] == '_' ||
        lexer->at[length] == '.')
        return colony__condition_fail(lexer->err, lexer->column,
                                      "cannot read this number: write it as 10, 1.5 or 1e6");
    out->number = strtod(lexer->at, NULL); /* colony never sets a locale */
    take(lexer, out, TOKEN_NUMBER, length);
    return 0;
}

/* 'it', "it", with \\ \' \" \n \t \xNN; r'it' without. */
static int take_string(struct lexer *lexer, struct token *out)
{
    bool is_raw = lexer->at[0] == 'r';
    char quote = lexer->at[is_raw];
    size_t length = is_raw + 1;

    while (lexer->at[length] != '\0' && lexer->at[length] != quote)
        length += lexer->at[length] == '\\' && lexer->at[length + 1] != '\0' ? 2 : 1;
    if (lexer->at[length] == '\0')
        return colony__condition_fail(lexer->err, lexer->column,
                                      "cannot find the end of this text: %c is missing", quote);
    take(lexer, out, TOKEN_STRING, length + 1);
    return 0;
}

static int fail_byte(const struct lexer *lexer)
{
    size_t length = 1;

    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strncmp(lexer->at, foreign[i].text, strlen(foreign[i].text)) == 0)
            return colony__condition_fail(lexer->err, lexer->column, "cannot use `%s`: %s",
                                          foreign[i].text, foreign[i].instead);
    while (is_continuation(lexer->at[length]))
        length++;
    return colony__condition_fail(lexer->err, lexer->column,
                                  "cannot use `%.*s`: nothing begins with it", (int)length,
                                  lexer->at);
}

int colony__token_next(struct lexer *lexer, struct token *out)
{
    char byte;

    *out = (struct token){0};
    for (; isspace((unsigned char)*lexer->at); lexer->at++)
        lexer->column++;
    byte = *lexer->at;
    if (byte == '\0') {
        take(lexer, out, TOKEN_END, 0);
        return 0;
    }
    if (byte == '\'' || byte == '"' ||
        (byte == 'r' && (lexer->at[1] == '\'' || lexer->at[1] == '"')))
        return take_string(lexer, out);
    if (isdigit((unsigned char)byte) || (byte == '.' && isdigit((unsigned char)lexer->at[1])))
        return take_number(lexer, out);
    if (isalpha((unsigned char)byte) || byte == '_') {
        size_t length = 1;

        while (isalnum((unsigned char)lexer->at[length]) || lexer->at[length] == '_')
            length++;
        take(lexer, out, TOKEN_WORD, length);
        return 0;
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(lexer->at, marks[i], strlen(marks[i])) == 0) {
            take(lexer, out, TOKEN_MARK, strlen(marks[i]));
            return 0;
        }
    return fail_byte(lexer);
}

/* One escape at @text, which is a backslash; what Python does not know stays as it is, and so does
 * a NUL: no text of a process has one. How many bytes of @text it was. */
static size_t unescape(const char *text, char **end)
{
    static const char from[] = "\\'\"nt";
    static const char to[] = "\\'\"\n\t";
    const char *known = strchr(from, text[1]);
    char digits[3] = "";

    if (known && text[1] != '\0') {
        *(*end)++ = to[known - from];
        return 2;
    }
    if (text[1] == 'x' && isxdigit((unsigned char)text[2]) && isxdigit((unsigned char)text[3])) {
        memcpy(digits, text + 2, 2);
        if (strtol(digits, NULL, HEX) != 0) {
            *(*end)++ = (char)strtol(digits, NULL, HEX);
            return 4;
        }
    }
    *(*end)++ = text[0];
    return 1;
}

char *colony__token_string(const struct token *token)
{
    bool is_raw = token->text[0] == 'r';
    size_t at = is_raw + 1;
    char *out = malloc(token->length);
    char *end = out;

    if (!out)
        return NULL;
    while (at < token->length - 1) {
        if (token->text[at] == '\\' && !is_raw)
            at += unescape(token->text + at, &end);
        else
            *end++ = token->text[at++];
    }
    *end = '\0';
    return out;
}
