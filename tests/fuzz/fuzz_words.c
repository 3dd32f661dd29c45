/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: the words of one, quoted, are split into the same words; $$ is a dollar sign. */
#include "core/error.h"
#include "core/words_internal.h"

#include "fuzz.h"

/* sh's way, which is Python's too: 'it'\''s' */
static char *quote(char *out, const char *word)
{
    *out++ = '\'';
    for (; *word != '\0'; word++) {
        *out++ = *word;
        if (*word == '\'') {
            memcpy(out, "\\''", 3);
            out += 3;
        }
    }
    *out++ = '\'';
    *out++ = ' ';
    return out;
}

static char *quote_all(const struct colony__words *words)
{
    size_t size = 1;
    char *text;
    char *end;

    for (size_t i = 0; i < words->count; i++)
        size += 4 * strlen(words->items[i]) + 3;
    text = malloc(size);
    CHECK(text);
    end = text;
    for (size_t i = 0; i < words->count; i++)
        end = quote(end, words->items[i]);
    *end = '\0';
    return text;
}

static void check_split(const char *text, enum colony__word_style style)
{
    struct colony__words words = {0};
    struct colony__words again = {0};
    struct colony_error reason;
    char *quoted;

    if (colony__words_split(&words, text, style, &reason) == 0) {
        quoted = quote_all(&words);
        CHECK(colony__words_split(&again, quoted, style, &reason) == 0);
        CHECK(again.count == words.count);
        for (size_t i = 0; i < words.count; i++)
            CHECK(strcmp(words.items[i], again.items[i]) == 0);
        free(quoted);
    }
    colony__words_free(words.items);
    colony__words_free(again.items);
}

static void check_expand(const char *text)
{
    char *pairs[] = {"HOME=/root", "LONG_NAME1=$x '\"\\", "_=", "a=b=c", NULL};
    const struct colony__words env = {.items = pairs, .count = 4};
    struct colony__words words = {0};
    struct colony_error reason;
    char *doubled = malloc(2 * strlen(text) + 1);
    char *end = doubled;

    CHECK(doubled);
    (void)colony__words_expand(&words, text, &env, &reason);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '$')
            *end++ = '$';
        *end++ = *at;
    }
    *end = '\0';
    CHECK(colony__words_expand(&words, doubled, &env, &reason) == 0);
    CHECK(words.count > 0 && strcmp(words.items[words.count - 1], text) == 0);
    colony__words_free(words.items);
    free(doubled);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    check_split(text, WORDS_SHELL);
    check_split(text, WORDS_SHLEX);
    check_expand(text);
    free(text);
    return 0;
}
