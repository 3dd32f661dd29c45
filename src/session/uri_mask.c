/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uri_mask.c - uris and arguments with their secrets hidden.
 *
 * A guess, as core/mask.h is, whose words it takes: it would rather hide too much.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mask.h"
#include "session/uri.h"

enum {
    NAME_MAX_BYTES = 128, /* longer ones are looked at from their end */
};

#define MASK "***"

/* `pass%77ord` is a password, too. *width: what stands for the byte. */
static char read_byte(const char *at, size_t size, size_t *width)
{
    char digits[3] = {0};

    *width = 1;
    if (size < 3 || at[0] != '%' || !isxdigit((unsigned char)at[1]) ||
        !isxdigit((unsigned char)at[2]))
        return at[0];
    *width = 3;
    digits[0] = at[1];
    digits[1] = at[2];
    return (char)strtol(digits, NULL, 16);
}

/* %00 is left out: what stands behind it may be what tells the secret. */
static void decode_name(char out[NAME_MAX_BYTES], const char *name, size_t size)
{
    size_t length = 0;
    size_t width;

    if (size >= NAME_MAX_BYTES) {
        name += size - NAME_MAX_BYTES + 1;
        size = NAME_MAX_BYTES - 1;
    }
    for (size_t i = 0; i < size; i += width) {
        out[length] = read_byte(name + i, size - i, &width);
        length += out[length] != '\0';
    }
    out[length] = '\0';
}

/* -1: out of memory. */
static int is_secret(const char *name, size_t size)
{
    char decoded[NAME_MAX_BYTES];
    char *shown;
    int answer;

    decode_name(decoded, name, size);
    shown = colony_mask(decoded, "x");
    answer = shown ? strcmp(shown, MASK) == 0 : -1;
    free(shown);
    return answer;
}

/* `--password`: its value is the next word. -1: out of memory. */
static int is_secret_option(const char *word, size_t size)
{
    size_t width;

    if (size == 0 || read_byte(word, size, &width) != '-')
        return 0;
    for (size_t i = 0; i < size; i += width) {
        char byte = read_byte(word + i, size - i, &width);

        if (byte != '\0' && strchr("= \t\n", byte))
            return 0;
    }
    return is_secret(word, size);
}

/* Where the value of the first secret among the `name=value` and `--name value` of @piece begins;
 * NULL: none has. */
static int find_secret(const char *piece, size_t size, const char **value)
{
    const char *name = piece;
    size_t width;

    *value = NULL;
    for (const char *at = piece; at < piece + size; at += width) {
        char byte = read_byte(at, size - (size_t)(at - piece), &width);
        int answer = 0;

        if (byte == '\0' || !strchr(" \t\n?&;=", byte))
            continue;
        if (byte == '=')
            answer = is_secret(name, (size_t)(at - name));
        else if (strchr(" \t\n", byte))
            answer = is_secret_option(name, (size_t)(at - name));
        if (answer < 0)
            return -1;
        name = at + width;
        if (answer == 1) {
            *value = name;
            return 0;
        }
    }
    return 0;
}

/* One argument, or one parameter of an uri: from its first secret on it is hidden to its end. */
static int put_piece(FILE *out, const char *piece, size_t size)
{
    const char *value;
    char *text;
    char *masked;

    if (find_secret(piece, size, &value) < 0)
        return -1;
    text = strndup(piece, value ? (size_t)(value - piece) : size);
    masked = text ? colony_mask("", text) : NULL; /* scheme://user:password@host within it */
    if (masked)
        (void)fprintf(out, "%s%s", masked, value && value < piece + size ? MASK : "");
    free(text);
    free(masked);
    return masked ? 0 : -1;
}

/* A command line is one piece: where its arguments end cannot be told. */
static bool is_uri(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return length > 0 && strncmp(text + length, "://", 3) == 0 &&
           strncmp(text, "attached://", strlen("attached://")) != 0;
}

/* The parameters of an uri, after its path: one after `--password` is hidden, too. */
static int put_parts(FILE *out, const char *text)
{
    const char *separators = is_uri(text) ? "?" : "";
    int is_hidden = 0;

    for (;;) {
        size_t size = strcspn(text, separators);

        if (is_hidden)
            (void)fputs(size > 0 ? MASK : "", out);
        else if (put_piece(out, text, size) < 0)
            return -1;
        if (text[size] == '\0')
            return 0;
        is_hidden = is_secret_option(text, size);
        if (is_hidden < 0)
            return -1;
        (void)fputc(text[size], out);
        text += size + 1;
        separators = "&";
    }
}

char *colony_uri_mask(const char *text)
{
    char *shown = NULL;
    size_t shown_size = 0;
    FILE *out = open_memstream(&shown, &shown_size);
    int rc = out ? put_parts(out, text) : -1;

    if (out && ferror(out))
        rc = -1;
    if (out && fclose(out) != 0)
        rc = -1;
    if (rc == 0)
        return shown;
    free(shown);
    return NULL;
}

char *colony_argument_mask(const char *argument, const char *before)
{
    int is_hidden = before && *argument != '\0' ? is_secret_option(before, strlen(before)) : 0;

    if (is_hidden < 0)
        return NULL;
    return is_hidden ? strdup(MASK) : colony_uri_mask(argument);
}
