/* SPDX-License-Identifier: Apache-2.0 */
/* Files of NAME=VALUE: what was read, written as such a file, is read as the same. */
#include <ctype.h>

#include "core/env_file_internal.h"
#include "core/error.h"
#include "core/words_internal.h"

#include "fuzz.h"

static void check_name(const char *pair)
{
    const char *equals = strchr(pair, '=');

    CHECK(equals && equals > pair && !isdigit((unsigned char)*pair));
    for (; pair < equals; pair++)
        CHECK(isalnum((unsigned char)*pair) || *pair == '_');
}

/* NAME="VALUE" on a line of its own; returns what follows. */
static char *print(char *out, const char *pair)
{
    size_t name = (size_t)(strchr(pair, '=') - pair);

    memcpy(out, pair, name);
    out += name;
    *out++ = '=';
    *out++ = '"';
    for (pair += name + 1; *pair != '\0'; pair++) {
        if (strchr("\"\\$\n", *pair))
            *out++ = '\\';
        *out++ = (char)(*pair == '\n' ? 'n' : *pair);
    }
    *out++ = '"';
    *out++ = '\n';
    return out;
}

static void check_again(const struct colony__words *words)
{
    struct colony__words again = {0};
    struct colony_error err;
    size_t size = 1;
    char *text;
    char *end;

    for (size_t i = 0; i < words->count; i++)
        size += 2 * strlen(words->items[i]) + 3;
    text = malloc(size);
    CHECK(text);
    end = text;
    for (size_t i = 0; i < words->count; i++)
        end = print(end, words->items[i]);
    *end = '\0';
    CHECK(colony__env_file_parse(&again, text, (size_t)(end - text), "again", &err) == 0);
    CHECK(again.count == words->count && again.bytes == words->bytes);
    for (size_t i = 0; i < words->count; i++)
        CHECK(strcmp(words->items[i], again.items[i]) == 0);
    colony__words_free(again.items);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct colony__words words = {0};
    struct colony_error err = {0};

    if (colony__env_file_parse(&words, text, size, "file", &err) < 0) {
        CHECK(strncmp(err.message, "file:", 5) == 0);
    } else {
        for (size_t i = 0; i < words.count; i++)
            check_name(words.items[i]);
        check_again(&words);
    }
    colony__words_free(words.items);
    free(text);
    return 0;
}
