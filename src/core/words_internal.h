/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words_internal.h - lists of texts: command lines, environments, and how they are written.
 *
 * The reasons that these give are ends of messages: "a quote is not closed".
 */
#ifndef COLONY_CORE_WORDS_INTERNAL_H
#define COLONY_CORE_WORDS_INTERNAL_H

#include <stddef.h>

struct colony_error;

enum {
    COLONY__WORD_BYTES_MAX = (128 << 10) - 1, /* MAX_ARG_STRLEN of execve(2), without the NUL */
    COLONY__WORDS_BYTES_MAX = 6 << 20,        /* three quarters of the kernel's 8 MiB stack */
    COLONY__ENV_NAME_MAX = 255,               /* of a name that $NAME can stand for */
};

/* Who splits a text into words: where they differ, colony does as they do. */
enum colony__word_style {
    WORDS_SHELL, /* the quotes and backslashes of sh(1), no expansion */
    WORDS_SHLEX, /* Python's shlex.split(text) */
};

/* A list that grows; all-zero is empty, but @items is NULL until _init or the first _add. */
struct colony__words {
    char **items; /* NULL-terminated */
    size_t count;
    size_t capacity;
    size_t bytes;
};

/* Makes @items an empty list rather than NULL. -ENOMEM. */
int colony__words_init(struct colony__words *words);
/* Adds a copy. -EINVAL when it is more than the kernel takes; -ENOMEM. */
int colony__words_add(struct colony__words *words, const char *text, size_t length,
                      struct colony_error *reason);
/* Frees the @items of a list; NULL is fine. */
void colony__words_free(char **items);

/* Adds the words of @text. -EINVAL for a quote or backslash that nothing follows; -ENOMEM. */
int colony__words_split(struct colony__words *words, const char *text,
                        enum colony__word_style style, struct colony_error *reason);

/* Orders KEY=VALUE, or a KEY alone, by KEY: below, 0 or above. */
int colony__words_compare_env(const char *left, const char *right);

/* Sorts KEY=VALUE texts by KEY, as colony__words_expand wants them. */
void colony__words_sort_env(struct colony__words *env);

/* Of KEY=VALUE texts with one KEY only the last stays; they are sorted then. -ENOMEM. */
int colony__words_settle_env(struct colony__words *env);

/* Takes out of @words, which are settled, each whose KEY @others has. -ENOMEM. */
int colony__words_remove_env(struct colony__words *words, char *const *others);

/*
 * Adds @text as one word, with $NAME and ${NAME} replaced from @env, which is sorted, and $$ by
 * `$`. A `$` before anything else is itself. -EINVAL for a name that @env has not; -ENOMEM.
 */
int colony__words_expand(struct colony__words *words, const char *text,
                         const struct colony__words *env, struct colony_error *reason);

/* The words with a space between each two; the caller frees it. NULL: out of memory. */
char *colony__words_join(char *const *items);

#endif
