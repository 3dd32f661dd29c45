/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tokens_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/access_internal.h"
#include "core/error.h"
#include "core/secret.h"

/* Padded with zeros: compared as a whole, whatever its length. */
struct padded {
    unsigned char bytes[COLONY__TOKEN_BYTES_MAX];
};

struct token {
    char name[COLONY__TOKEN_NAME_MAX + 1];
    unsigned rights;
    struct padded secret;
};

struct colony__tokens {
    size_t count;
    struct token items[COLONY__TOKENS_MAX];
};

/* A word of a line, where it stands. */
struct word {
    const char *text;
    size_t size;
};

/* Where in the file it is being read. */
struct place {
    const char *path;
    unsigned line;
    struct colony_error *err;
};

static int fail(const struct place *place, const char *reason)
{
    return colony_fail(place->err, -EINVAL, "%s:%u: cannot use this line: %s", place->path,
                       place->line, reason);
}

/* The next word of a line, which ends with LF or NUL. */
static struct word take_word(const char **at)
{
    struct word word;

    *at += strspn(*at, " \t\r");
    word.text = *at;
    word.size = strcspn(*at, " \t\r\n");
    *at += word.size;
    return word;
}

static bool is_word(const struct word *word, const char *text)
{
    return word->size == strlen(text) && memcmp(word->text, text, word->size) == 0;
}

/* 1 when all bytes are the same, else 0, in the same time. */
static unsigned is_same(const struct padded *left, const struct padded *right)
{
    volatile unsigned difference = 0; /* else a compiler could stop at the first one */

    for (size_t i = 0; i < sizeof left->bytes; i++)
        difference |= (unsigned)left->bytes[i] ^ right->bytes[i];
    return 1U ^ ((difference | (0U - difference)) >> 31);
}

static int set_name(struct token *token, const struct word *word, const struct place *place)
{
    if (word->size > COLONY__TOKEN_NAME_MAX)
        return fail(place, "the name is longer than 63 bytes");
    for (size_t i = 0; i < word->size; i++)
        if (word->text[i] < '!' || word->text[i] > '~')
            return fail(place, "the name may have printable ASCII only");
    memcpy(token->name, word->text, word->size);
    return 0;
}

static int set_rights(struct token *token, const struct word *word, const struct place *place)
{
    if (is_word(word, "read"))
        token->rights = ACCESS_READ;
    else if (is_word(word, "control"))
        token->rights = ACCESS_READ | ACCESS_CONTROL;
    else
        return fail(place, "a line is NAME, then `read` or `control`, then the token");
    return 0;
}

/* What RFC 6750 2.1 lets a token be made of. */
static bool is_token_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~+/=", byte) != NULL);
}

static int set_secret(struct token *token, const struct word *word, const struct place *place)
{
    if (word->size < COLONY__TOKEN_BYTES_MIN)
        return fail(place, "the token is shorter than 32 bytes (`openssl rand -hex 32` makes one)");
    if (word->size > COLONY__TOKEN_BYTES_MAX)
        return fail(place, "the token is longer than 128 bytes");
    for (size_t i = 0; i < word->size; i++)
        if (!is_token_byte(word->text[i]))
            return fail(place, "a token has letters, digits and -._~+/= only");
    memcpy(token->secret.bytes, word->text, word->size);
    return 0;
}

static int check_new(const struct colony__tokens *tokens, const struct token *token,
                     const struct place *place)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (strcmp(tokens->items[i].name, token->name) == 0)
            return fail(place, "its name is taken already");
        if (is_same(&tokens->items[i].secret, &token->secret))
            return fail(place, "its token is given already");
    }
    return 0;
}

static int add_line(struct colony__tokens *tokens, const char *at, const struct place *place)
{
    struct word name = take_word(&at);
    struct word scope;
    struct word secret;
    struct token *token = &tokens->items[tokens->count];
    int rc;

    if (name.size == 0 || name.text[0] == '#')
        return 0;
    if (tokens->count == COLONY__TOKENS_MAX)
        return fail(place, "there are more than 256 tokens");
    scope = take_word(&at);
    secret = take_word(&at);
    if (take_word(&at).size > 0)
        return fail(place, "a line is NAME, then `read` or `control`, then the token");
    rc = set_name(token, &name, place);
    if (rc == 0)
        rc = set_rights(token, &scope, place);
    if (rc == 0)
        rc = set_secret(token, &secret, place);
    if (rc == 0)
        rc = check_new(tokens, token, place);
    tokens->count += rc == 0;
    return rc;
}

int colony__tokens_parse(struct colony__tokens **out, const char *text, const char *path,
                         struct colony_error *err)
{
    struct colony__tokens *tokens = calloc(1, sizeof *tokens);
    struct place place = {.path = path, .err = err};
    int rc = 0;

    if (!tokens)
        return colony_fail(err, -ENOMEM, "cannot read %s: out of memory", path);
    while (rc == 0 && *text != '\0') {
        place.line++;
        rc = add_line(tokens, text, &place);
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (rc == 0 && tokens->count == 0)
        rc = colony_fail(err, -EINVAL, "cannot use %s: there is no token in it", path);
    if (rc < 0) {
        colony__tokens_free(tokens);
        return rc;
    }
    *out = tokens;
    return 0;
}

int colony__tokens_load(struct colony__tokens **out, const char *path, struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int rc = colony_secret_read(&text, &size, path, err);

    if (rc < 0)
        return rc;
    rc = colony__tokens_parse(out, text, path, err);
    colony_secret_free(text, size);
    return rc;
}

void colony__tokens_free(struct colony__tokens *tokens)
{
    if (tokens)
        explicit_bzero(tokens, sizeof *tokens);
    free(tokens);
}

unsigned colony__tokens_find(const struct colony__tokens *tokens, const char *given,
                             const char **name)
{
    struct padded padded = {{0}};
    size_t size = strlen(given); /* the client knows it */
    unsigned rights = 0;
    size_t found = 0;

    *name = NULL;
    if (size < COLONY__TOKEN_BYTES_MIN || size > sizeof padded.bytes)
        return 0;
    memcpy(padded.bytes, given, size);
    for (size_t i = 0; i < tokens->count; i++) {
        unsigned mask = 0U - is_same(&tokens->items[i].secret, &padded);

        rights |= tokens->items[i].rights & mask;
        found |= i & (size_t)(0 - (size_t)(mask & 1U));
    }
    explicit_bzero(&padded, sizeof padded);
    if (rights != 0)
        *name = tokens->items[found].name;
    return rights;
}
