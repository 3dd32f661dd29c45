/* SPDX-License-Identifier: Apache-2.0 */
#include "core/command_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/setting_internal.h"
#include "core/template_internal.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

static int fail(const struct colony__reading *reading, const struct colony_value *value,
                const char *name, const struct colony_error *reason)
{
    return colony__setting_fail(reading, value, -EINVAL, "cannot use `%s`: %s", name,
                                reason->message);
}

static int add_variable(struct colony__words *env, const struct colony_value *member,
                        struct colony_error *reason)
{
    const char *text = colony__value_text(member);
    size_t key_length = strlen(member->key);
    size_t length;
    char *pair;
    int rc;

    if (!text)
        return colony_fail(reason, -EINVAL, "`%.100s` must be a text, a number or true or false",
                           member->key);
    if (key_length == 0 || strchr(member->key, '='))
        return colony_fail(reason, -EINVAL, "`%.100s` is no name of a variable", member->key);
    length = key_length + 1 + strlen(text);
    pair = malloc(length + 1);
    if (!pair)
        return -ENOMEM;
    memcpy(pair, member->key, key_length);
    pair[key_length] = '=';
    memcpy(pair + key_length + 1, text, length - key_length);
    rc = colony__words_add(env, pair, length, reason);
    free(pair);
    return rc;
}

static int read_env(struct colony__words *env, const struct colony_value *map,
                    const struct colony__reading *reading)
{
    struct colony_error reason;
    int rc = colony__words_init(env);

    if (!map || map->type == VALUE_NULL || rc < 0)
        return rc;
    if (map->type != VALUE_MAP)
        return colony__setting_fail(reading, map, -EINVAL,
                                    "cannot use `env`: it must be a map of names and values");
    for (const struct colony_value *member = map->child; member; member = member->next) {
        rc = add_variable(env, member, &reason);
        if (rc < 0)
            return rc == -EINVAL ? fail(reading, member, "env", &reason) : rc;
    }
    return 0;
}

/* The words of `args` as they are written. */
static int read_args(struct colony__words *args, const struct colony_value *value,
                     const struct colony__reading *reading)
{
    struct colony_error reason;
    int rc;

    if (value->type == VALUE_STRING) {
        rc = colony__words_split(args, value->text, WORDS_SHLEX, &reason);
        return rc == -EINVAL ? fail(reading, value, "args", &reason) : rc;
    }
    if (value->type != VALUE_LIST)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `args`: it must be a text or a list of texts");
    rc = colony__words_init(args);
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next) {
        const char *text = colony__value_text(child);

        if (!text)
            return colony__setting_fail(reading, child, -EINVAL,
                                        "cannot use `args`: its members must be texts");
        rc = colony__words_add(args, text, strlen(text), &reason);
        if (rc == -EINVAL)
            return fail(reading, child, "args", &reason);
    }
    return rc;
}

/* The program and its arguments as they are written. @args is NULL or null when there are none. */
static int read_words(struct colony__words *words, const struct colony__draft *draft,
                      const struct colony_value *args, const struct colony__reading *reading)
{
    const struct colony_value *cmd = colony_value_get(draft->source, "cmd");
    bool has_args = args && args->type != VALUE_NULL;
    struct colony_error reason;
    int rc;

    if (has_args || draft->template.shell)
        rc = colony__words_add(words, draft->template.cmd, strlen(draft->template.cmd), &reason);
    else
        rc = colony__words_split(words, draft->template.cmd, WORDS_SHELL, &reason);
    if (rc == -EINVAL)
        return fail(reading, cmd, "cmd", &reason);
    if (rc == 0 && (words->count == 0 || words->items[0][strspn(words->items[0], " \t\n")] == '\0'))
        return colony__setting_fail(reading, cmd, -EINVAL, "cannot use `cmd`: it is empty");
    if (rc == 0 && has_args)
        rc = read_args(words, args, reading);
    return rc;
}

static size_t count_of(char *const *items)
{
    size_t count = 0;

    while (items[count])
        count++;
    return count;
}

/* Replaces $NAME in all but the program. No name is in both `env` and `env_file`. */
static int expand(struct colony__words *argv, const struct colony__words *words,
                  const struct colony__draft *draft, struct colony_error *reason)
{
    size_t count = count_of(draft->template.env);
    size_t file_count = count_of(draft->template.env_file);
    struct colony__words sorted = {.count = count + file_count};
    int rc;

    sorted.items = calloc(sorted.count + 1, sizeof *sorted.items);
    if (!sorted.items)
        return -ENOMEM;
    memcpy(sorted.items, draft->template.env, count * sizeof *sorted.items);
    memcpy(sorted.items + count, draft->template.env_file, file_count * sizeof *sorted.items);
    colony__words_sort_env(&sorted);
    rc = colony__words_add(argv, words->items[0], strlen(words->items[0]), reason);
    for (size_t i = 1; i < words->count && rc == 0; i++)
        rc = colony__words_expand(argv, words->items[i], &sorted, reason);
    free(sorted.items); /* the texts are the draft's */
    return rc;
}

static int wrap_in_shell(struct colony__words *argv, struct colony_error *reason)
{
    struct colony__words wrapped = {0};
    char *script = colony__words_join(argv->items);
    int rc;

    if (!script)
        return -ENOMEM;
    rc = colony__words_add(&wrapped, "/bin/sh", strlen("/bin/sh"), reason);
    if (rc == 0)
        rc = colony__words_add(&wrapped, "-c", strlen("-c"), reason);
    if (rc == 0)
        rc = colony__words_add(&wrapped, script, strlen(script), reason);
    free(script);
    if (rc < 0) {
        colony__words_free(wrapped.items);
        return rc;
    }
    colony__words_free(argv->items);
    *argv = wrapped;
    return 0;
}

static int read_argv(struct colony__words *argv, const struct colony__draft *draft,
                     const struct colony__reading *reading)
{
    const struct colony_value *args = colony_value_get(draft->source, "args");
    const struct colony_value *cmd = colony_value_get(draft->source, "cmd");
    bool has_args = args && args->type != VALUE_NULL;
    struct colony__words words = {0};
    struct colony_error reason;
    int rc = read_words(&words, draft, args, reading);

    if (rc == 0) {
        rc = expand(argv, &words, draft, &reason);
        if (rc == 0 && draft->template.shell)
            rc = wrap_in_shell(argv, &reason);
        if (rc == -EINVAL)
            (void)fail(reading, has_args ? args : cmd, has_args ? "args" : "cmd", &reason);
    }
    colony__words_free(words.items);
    return rc;
}

int colony__env_read(struct colony__draft *draft, const struct colony__reading *reading)
{
    struct colony__words env = {0};
    int rc = read_env(&env, colony_value_get(draft->source, "env"), reading);

    draft->template.env = env.items; /* the draft's, also when it fails */
    return rc;
}

int colony__command_read(struct colony__draft *draft, const struct colony__reading *reading)
{
    struct colony__words argv = {0};
    int rc = read_argv(&argv, draft, reading);

    draft->template.argv = argv.items; /* the draft's, also when it fails */
    return rc;
}

/* `cmd: true` runs true, and `cmd: yes` yes. JSON's true has no text and stays a mistake. */
static void settle_program(struct colony_value *cmd)
{
    if (cmd->type == VALUE_BOOL && cmd->text)
        cmd->type = VALUE_STRING;
}

static int settle_children(struct colony_value *parent)
{
    for (struct colony_value *child = parent->child; child; child = child->next) {
        if (!colony__value_loses_text(child))
            continue;
        if (!child->text)
            child->text = strdup(colony__value_text(child));
        if (!child->text)
            return -ENOMEM;
        child->type = VALUE_STRING;
    }
    return 0;
}

int colony__command_settle(struct colony_value *source)
{
    int rc = 0;

    for (struct colony_value *member = source->child; member && rc == 0; member = member->next)
        if (strcmp(member->key, "args") == 0 || strcmp(member->key, "env") == 0 ||
            strcmp(member->key, "env_inherit") == 0)
            rc = settle_children(member);
        else if (strcmp(member->key, "cmd") == 0)
            settle_program(member);
    return rc;
}
