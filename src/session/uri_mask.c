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

/* `pass%77ord` is a password, too. */
static void decode_name(char out[NAME_MAX_BYTES], const char *name, size_t size)
{
    size_t length = 0;

    if (size >= NAME_MAX_BYTES) {
        name += size - NAME_MAX_BYTES + 1;
        size = NAME_MAX_BYTES - 1;
    }
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {name[i], 0, 0};

        if (name[i] == '%' && i + 2 < size && isxdigit((unsigned char)name[i + 1]) &&
            isxdigit((unsigned char)name[i + 2])) {
            digits[0] = name[i + 1];
            digits[1] = name[i + 2];
            digits[0] = (char)strtol(digits, NULL, 16);
            i += 2;
        }
        out[length++] = digits[0];
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

/* Where the value of the first secret among the `name=value` of @piece begins; NULL: none has. */
static int find_secret(const char *piece, size_t size, const char **value)
{
    const char *name = piece;

    *value = NULL;
    for (const char *at = piece; at < piece + size; at++) {
        int answer;

        if (strchr(" \t\n?&;", *at))
            name = at + 1;
        if (*at != '=')
            continue;
        answer = is_secret(name, (size_t)(at - name));
        if (answer < 0)
            return -1;
        if (answer == 1) {
            *value = at + 1;
            return 0;
        }
        name = at + 1;
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

char *colony_uri_mask(const char *text)
{
    bool has_parts = is_uri(text);
    char *shown = NULL;
    size_t shown_size = 0;
    FILE *out = open_memstream(&shown, &shown_size);
    int rc = out ? 0 : -1;

    while (rc == 0) {
        size_t size = strcspn(text, has_parts ? "?&" : "");

        rc = put_piece(out, text, size);
        if (text[size] == '\0')
            break;
        (void)fputc(text[size], out);
        text += size + 1;
    }
    if (out && ferror(out))
        rc = -1;
    if (out && fclose(out) != 0)
        rc = -1;
    if (rc == 0)
        return shown;
    free(shown);
    return NULL;
}
