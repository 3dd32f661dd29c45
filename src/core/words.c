/* SPDX-License-Identifier: Apache-2.0 */
#include "core/words_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"

/* One word while it is put together. */
struct word {
    char *data;
    size_t length;
    size_t capacity;
    bool is_begun; /* '' is a word too */
};

/* A text while it is split. */
struct splitter {
    const char *at;
    enum colony__word_style style;
    struct word word;
    struct colony_error *reason;
};

void colony__words_free(char **items)
{
    for (size_t i = 0; items && items[i]; i++)
        free(items[i]);
    free(items);
}

static int reserve(struct colony__words *words)
{
    size_t capacity = words->capacity ? words->capacity * 2 : 8;
    char **items;

    if (words->count + 1 < words->capacity)
        return 0;
    items = reallocarray(words->items, capacity, sizeof *items);
    if (!items)
        return -ENOMEM;
    words->items = items;
    words->capacity = capacity;
    words->items[words->count] = NULL;
    return 0;
}

int colony__words_init(struct colony__words *words)
{
    return reserve(words);
}

int colony__words_add(struct colony__words *words, const char *text, size_t length,
                      struct colony_error *reason)
{
    size_t bytes = words->bytes + length + 1 + sizeof(char *); /* as execve(2) counts */
    int rc;

    if (length > COLONY__WORD_BYTES_MAX)
        return colony_fail(reason, -EINVAL,
                           "a text of it is longer than 128 KiB, which Linux refuses");
    if (bytes > COLONY__WORDS_BYTES_MAX)
        return colony_fail(reason, -EINVAL, "it is larger than 6 MiB, which Linux refuses");
    rc = reserve(words);
    if (rc < 0)
        return rc;
    words->items[words->count] = strndup(text, length);
    if (!words->items[words->count])
        return -ENOMEM;
    words->items[++words->count] = NULL;
    words->bytes = bytes;
    return 0;
}

static int word_append(struct word *word, const char *text, size_t length,
                       struct colony_error *reason)
{
    word->is_begun = true;
    if (length > COLONY__WORD_BYTES_MAX - word->length)
        return colony_fail(reason, -EINVAL,
                           "a text of it is longer than 128 KiB, which Linux refuses");
    if (word->length + length > word->capacity) {
        size_t capacity = (word->length + length) * 2;
        char *data = realloc(word->data, capacity);

        if (!data)
            return -ENOMEM;
        word->data = data;
        word->capacity = capacity;
    }
    if (length > 0)
        memcpy(word->data + word->length, text, length);
    word->length += length;
    return 0;
}

/* Ends the word, if there is one, and puts it into @words. */
static int word_finish(struct word *word, struct colony__words *words, struct colony_error *reason)
{
    int rc = 0;

    if (word->is_begun)
        rc = colony__words_add(words, word->data ? word->data : "", word->length, reason);
    word->length = 0;
    word->is_begun = false;
    return rc;
}

static int append_one(struct splitter *splitter, const char *byte)
{
    return word_append(&splitter->word, byte, 1, splitter->reason);
}

static bool is_space(const struct splitter *splitter, char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' ||
           (byte == '\r' && splitter->style == WORDS_SHLEX);
}

/* After a backslash outside of quotes. */
static int split_escape(struct splitter *splitter)
{
    splitter->at++;
    if (*splitter->at == '\0')
        return colony_fail(splitter->reason, -EINVAL, "nothing follows the backslash at its end");
    if (*splitter->at == '\n' && splitter->style == WORDS_SHELL)
        return 0; /* a line that goes on */
    return append_one(splitter, splitter->at);
}

static int split_single_quotes(struct splitter *splitter)
{
    const char *start = splitter->at + 1;
    const char *end = strchr(start, '\'');

    if (!end)
        return colony_fail(splitter->reason, -EINVAL, "a quote is not closed");
    splitter->at = end;
    return word_append(&splitter->word, start, (size_t)(end - start), splitter->reason);
}

static int split_double_quotes(struct splitter *splitter)
{
    const char *escapable = splitter->style == WORDS_SHELL ? "\"\\$`\n" : "\"\\";
    int rc = word_append(&splitter->word, "", 0, splitter->reason);

    for (splitter->at++; *splitter->at != '"' && rc == 0; splitter->at++) {
        if (*splitter->at == '\0')
            return colony_fail(splitter->reason, -EINVAL, "a quote is not closed");
        if (*splitter->at == '\\' && splitter->at[1] != '\0' &&
            strchr(escapable, splitter->at[1])) {
            splitter->at++;
            if (*splitter->at == '\n')
                continue;
        }
        rc = append_one(splitter, splitter->at);
    }
    return rc;
}

static int split_byte(struct splitter *splitter, struct colony__words *words)
{
    char byte = *splitter->at;

    if (is_space(splitter, byte))
        return word_finish(&splitter->word, words, splitter->reason);
    if (byte == '\\')
        return split_escape(splitter);
    if (byte == '\'')
        return split_single_quotes(splitter);
    if (byte == '"')
        return split_double_quotes(splitter);
    return append_one(splitter, splitter->at);
}

int colony__words_split(struct colony__words *words, const char *text,
                        enum colony__word_style style, struct colony_error *reason)
{
    struct splitter splitter = {.at = text, .style = style, .reason = reason};
    int rc = colony__words_init(words);

    for (; rc == 0 && *splitter.at != '\0'; splitter.at++)
        rc = split_byte(&splitter, words);
    if (rc == 0)
        rc = word_finish(&splitter.word, words, reason);
    free(splitter.word.data);
    return rc;
}

int colony__words_compare_env(const char *left, const char *right)
{
    size_t a_length = strcspn(left, "=");
    size_t b_length = strcspn(right, "=");
    int order = memcmp(left, right, a_length < b_length ? a_length : b_length);

    if (order != 0)
        return order;
    return a_length < b_length ? -1 : a_length > b_length;
}

static int compare_keys(const void *left, const void *right)
{
    return colony__words_compare_env(*(const char *const *)left, *(const char *const *)right);
}

void colony__words_sort_env(struct colony__words *env)
{
    if (env->count > 1)
        qsort(env->items, env->count, sizeof *env->items, compare_keys);
}

struct variable {
    char *text;
    size_t rank; /* the greater one wins */
};

static int compare_variables(const void *left, const void *right)
{
    const struct variable *a = left;
    const struct variable *b = right;
    int order = colony__words_compare_env(a->text, b->text);

    if (order != 0)
        return order;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

int colony__words_settle_env(struct colony__words *env)
{
    struct variable *all = calloc(env->count + 1, sizeof *all);
    size_t kept = 0;

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < env->count; i++)
        all[i] = (struct variable){env->items[i], i};
    qsort(all, env->count, sizeof *all, compare_variables);
    for (size_t i = 0; i < env->count; i++) {
        if (i + 1 < env->count && colony__words_compare_env(all[i].text, all[i + 1].text) == 0)
            free(all[i].text);
        else
            env->items[kept++] = all[i].text;
    }
    if (env->items)
        env->items[kept] = NULL;
    env->count = kept;
    free(all);
    return 0;
}

int colony__words_remove_env(struct colony__words *words, char *const *others)
{
    bool *is_gone = calloc(words->count + 1, sizeof *is_gone);
    size_t kept = 0;

    if (!is_gone)
        return -ENOMEM;
    for (; *others && words->count > 0; others++) {
        char **found =
            bsearch(others, words->items, words->count, sizeof *words->items, compare_keys);

        if (found)
            is_gone[found - words->items] = true;
    }
    for (size_t i = 0; i < words->count; i++) {
        if (is_gone[i])
            free(words->items[i]);
        else
            words->items[kept++] = words->items[i];
    }
    if (words->items)
        words->items[kept] = NULL;
    words->count = kept;
    free(is_gone);
    return 0;
}

static const char *find_env(const struct colony__words *env, const char *name, size_t length)
{
    char key[COLONY__ENV_NAME_MAX + 1];
    const char *wanted = key;
    char **found;

    if (env->count == 0 || length > COLONY__ENV_NAME_MAX)
        return NULL;
    memcpy(key, name, length);
    key[length] = '\0';
    found = bsearch(&wanted, env->items, env->count, sizeof *env->items, compare_keys);
    return found ? *found + length + 1 : NULL;
}

static size_t span_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return text[0] >= '0' && text[0] <= '9' ? 0 : strspn(text, letters);
}

/* What @at, which is at a `$`, stands for; returns what follows it, or NULL. */
static const char *expand_one(struct word *word, const char *at, const struct colony__words *env,
                              struct colony_error *reason)
{
    bool is_braced = at[1] == '{';
    const char *name = at + 1 + is_braced;
    size_t length = span_name(name);
    const char *value;

    if (!is_braced && length == 0)
        return word_append(word, "$", 1, reason) < 0 ? NULL : at + 1 + (at[1] == '$');
    if (is_braced && (length == 0 || name[length] != '}')) {
        (void)colony_fail(reason, -EINVAL, "`${` must be followed by a name and `}`");
        return NULL;
    }
    value = find_env(env, name, length);
    if (!value) {
        (void)colony_fail(reason, -EINVAL,
                          "$%.*s is not in `env` or `env_file` (write $$ for a dollar sign)",
                          length > 100 ? 100 : (int)length, name);
        return NULL;
    }
    if (word_append(word, value, strlen(value), reason) < 0)
        return NULL;
    return name + length + is_braced;
}

int colony__words_expand(struct colony__words *words, const char *text,
                         const struct colony__words *env, struct colony_error *reason)
{
    struct word word = {.is_begun = true};
    const char *at = text;
    int rc = 0;

    reason->code = -ENOMEM; /* unless a reason is filled in */
    while (at && *at != '\0' && rc == 0) {
        size_t plain = strcspn(at, "$");

        rc = word_append(&word, at, plain, reason);
        at += plain;
        if (rc == 0 && *at == '$')
            at = expand_one(&word, at, env, reason);
    }
    if (!at)
        rc = reason->code;
    if (rc == 0)
        rc = word_finish(&word, words, reason);
    free(word.data);
    return rc;
}

char *colony__words_join(char *const *items)
{
    size_t length = 1;
    char *joined;
    char *at;

    for (size_t i = 0; items[i]; i++)
        length += strlen(items[i]) + 1;
    joined = calloc(1, length);
    at = joined;
    for (size_t i = 0; joined && items[i]; i++) {
        size_t size = strlen(items[i]);

        if (i > 0)
            *at++ = ' ';
        memcpy(at, items[i], size);
        at += size;
    }
    return joined;
}
