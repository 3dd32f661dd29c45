/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file says in ncolony's words is said again in those of a template, and read by the table
 * that all templates are read by.
 */
#include "core/file_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/log.h"
#include "core/payload.h"
#include "core/settings.h"
#include "core/template.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

enum {
    VARIABLE_BYTES_MAX = 32 * 4096, /* the kernel's MAX_ARG_STRLEN, with the NUL */
    FILE_GROUPS_MAX = 256,
};

#define NAME_VARIABLE "NCOLONY_NAME"
#define CONFIG_VARIABLE "NCOLONY_CONFIG"

struct reader {
    const struct colony_file_text *from;
    const struct colony_files_settings *settings;
    struct colony_error *err;
    const struct colony_value *tree; /* the file */
    struct colony_value *source;     /* of the template */
    struct colony_value **tail;      /* of its members */
};

static int fail(const struct reader *reader, const struct colony_value *place, const char *reason)
{
    return colony_fail(reader->err, -EINVAL, "%s:%u:%u: %s", reader->from->path,
                       place->line > 0 ? place->line : 1, place->line > 0 ? place->column : 1,
                       reason);
}

/* --- nodes of the template's source ----------------------------------------------------------- */

/* A node with the place of @like; @key and @text may be NULL. NULL: out of memory. */
static struct colony_value *make(enum colony_value_type type, const char *key, const char *text,
                                 const struct colony_value *like)
{
    struct colony_value *node = colony__value_new(type);

    if (!node)
        return NULL;
    node->key = key ? strdup(key) : NULL;
    node->text = text ? strdup(text) : NULL;
    node->line = like->line;
    node->column = like->column;
    if ((!key || node->key) && (!text || node->text))
        return node;
    colony_value_free(node);
    return NULL;
}

/* Takes ownership of @node, which may be NULL. */
static int append(struct colony_value ***tail, struct colony_value *node)
{
    if (!node)
        return -ENOMEM;
    **tail = node;
    *tail = &node->next;
    return 0;
}

static int add(struct reader *reader, struct colony_value *node)
{
    return append(&reader->tail, node);
}

static int add_copy(struct reader *reader, const struct colony_value *member)
{
    struct colony_value *copy = NULL;
    int rc = colony_value_copy(&copy, member);

    return rc < 0 ? rc : add(reader, copy);
}

static int add_flag(struct reader *reader, const char *key, bool flag)
{
    struct colony_value *node = make(VALUE_BOOL, key, NULL, reader->tree);

    if (node)
        node->boolean = flag;
    return add(reader, node);
}

/* --- args ------------------------------------------------------------------------------------- */

/* A template replaces $NAME in its arguments, ncolony does not. */
static char *escape_dollars(const char *text)
{
    char *escaped = malloc(strlen(text) * 2 + 1);
    char *at = escaped;

    for (; escaped && *text != '\0'; text++) {
        if (*text == '$')
            *at++ = '$';
        *at++ = *text;
    }
    if (escaped)
        *at = '\0';
    return escaped;
}

static int add_argument(struct colony_value ***tail, const struct colony_value *from)
{
    char *escaped = escape_dollars(from->text);
    int rc = escaped ? append(tail, make(VALUE_STRING, NULL, escaped, from)) : -ENOMEM;

    free(escaped);
    return rc;
}

static int check_args(const struct reader *reader, const struct colony_value *args)
{
    if (!args || args->type == VALUE_NULL)
        return fail(reader, reader->tree, "cannot use this file: `args` is missing");
    if (args->type != VALUE_LIST || !args->child)
        return fail(reader, args,
                    "cannot use `args`: it must be a list of the program and its "
                    "arguments");
    for (const struct colony_value *at = args->child; at; at = at->next)
        if (at->type != VALUE_STRING)
            return fail(reader, at, "cannot use `args`: its members must be texts");
    if (args->child->text[0] == '\0')
        return fail(reader, args->child, "cannot use `args`: the program's name is empty");
    return 0;
}

static int read_args(struct reader *reader)
{
    const struct colony_value *args = colony_value_get(reader->tree, "args");
    struct colony_value *list;
    struct colony_value **tail;
    int rc = check_args(reader, args);

    if (rc == 0)
        rc = add(reader, make(VALUE_STRING, "cmd", args->child->text, args->child));
    if (rc < 0)
        return rc;
    list = make(VALUE_LIST, "args", NULL, args);
    rc = add(reader, list);
    tail = list ? &list->child : NULL;
    for (const struct colony_value *at = args->child->next; at && rc == 0; at = at->next)
        rc = add_argument(&tail, at);
    return rc;
}

/* --- the environment -------------------------------------------------------------------------- */

static bool is_own_variable(const char *name)
{
    return strcmp(name, NAME_VARIABLE) == 0 || strcmp(name, CONFIG_VARIABLE) == 0;
}

static bool has_text(const struct colony_value *list, const char *text)
{
    for (const struct colony_value *at = list ? list->child : NULL; at; at = at->next)
        if (at->type == VALUE_STRING && strcmp(at->text, text) == 0)
            return true;
    return false;
}

/* Only what is inherited and there, because `env` would win over it. */
static int read_inherited(struct reader *reader, const struct colony_value *names)
{
    struct colony_value *list = make(VALUE_LIST, "env_inherit", NULL, reader->tree);
    struct colony_value **tail = list ? &list->child : NULL;
    int rc = add(reader, list);

    for (const struct colony_value *at = names ? names->child : NULL; at && rc == 0;
         at = at->next) {
        if (at->type != VALUE_STRING)
            return fail(reader, at, "cannot use `env_inherit`: its members must be texts");
        if (!is_own_variable(at->text) && getenv(at->text) && colony_payload_withholds(at->text))
            colony_log(SEVERITY_WARNING,
                       "%s:%u:%u: does not pass on %s, which is meant for colony alone",
                       reader->from->path, at->line, at->column, at->text);
        else if (!is_own_variable(at->text) && getenv(at->text))
            rc = append(&tail, make(VALUE_STRING, NULL, at->text, at));
    }
    return rc;
}

static bool is_repeated(const struct colony_value *list, const struct colony_value *item)
{
    for (const struct colony_value *at = list->child; at != item; at = at->next)
        if (strcmp(at->text, item->text) == 0)
            return true;
    return false;
}

/* An inherited variable beats `env`, and is an empty text when it is unset. */
static int read_given(struct colony_value ***tail, const struct colony_value *env,
                      const struct colony_value *names)
{
    int rc = 0;

    for (const struct colony_value *at = env ? env->child : NULL; at && rc == 0; at = at->next) {
        struct colony_value *copy = NULL;

        if (is_own_variable(at->key) || has_text(names, at->key))
            continue;
        rc = colony_value_copy(&copy, at);
        if (rc == 0)
            rc = append(tail, copy);
    }
    for (const struct colony_value *at = names ? names->child : NULL; at && rc == 0; at = at->next)
        if (!is_own_variable(at->text) && !getenv(at->text) && !is_repeated(names, at))
            rc = append(tail, make(VALUE_STRING, at->text, "", at));
    return rc;
}

static int read_own(struct reader *reader, struct colony_value ***tail)
{
    const struct colony_file_text *from = reader->from;
    char *text;
    int rc;

    if (from->size > VARIABLE_BYTES_MAX - sizeof CONFIG_VARIABLE "=")
        return colony_fail(reader->err, -EINVAL,
                           "cannot use %s: its %zu bytes are more than a variable of the "
                           "environment may have, which " CONFIG_VARIABLE " is (%zu)",
                           from->path, from->size, VARIABLE_BYTES_MAX - sizeof CONFIG_VARIABLE "=");
    text = strndup(from->text, from->size);
    if (!text)
        return -ENOMEM;
    rc = append(tail, make(VALUE_STRING, NAME_VARIABLE, from->name, reader->tree));
    if (rc == 0)
        rc = append(tail, make(VALUE_STRING, CONFIG_VARIABLE, text, reader->tree));
    free(text);
    return rc;
}

static int read_env(struct reader *reader)
{
    const struct colony_value *env = colony_value_get(reader->tree, "env");
    const struct colony_value *names = colony_value_get(reader->tree, "env_inherit");
    struct colony_value *map;
    struct colony_value **tail;
    int rc;

    if (env && env->type != VALUE_MAP && env->type != VALUE_NULL)
        return fail(reader, env, "cannot use `env`: it must be a map of names and values");
    if (names && names->type != VALUE_LIST && names->type != VALUE_NULL)
        return fail(reader, names, "cannot use `env_inherit`: it must be a list of names");
    rc = read_inherited(reader, names);
    if (rc < 0)
        return rc;
    map = make(VALUE_MAP, "env", NULL, reader->tree);
    rc = add(reader, map);
    tail = map ? &map->child : NULL;
    if (rc == 0)
        rc = read_given(&tail, env, names);
    if (rc == 0)
        rc = read_own(reader, &tail);
    if (rc == 0)
        rc = add_flag(reader, "os_env", false);
    return rc < 0 ? rc : add_flag(reader, "mark", false);
}

/* --- what else ncolony says ------------------------------------------------------------------- */

static int read_identity(struct reader *reader)
{
    static const char *const names[] = {"uid", "gid", NULL};
    int rc = 0;

    for (const char *const *name = names; *name && rc == 0; name++) {
        const struct colony_value *member = colony_value_get(reader->tree, *name);

        if (member)
            rc = add_copy(reader, member);
    }
    return rc;
}

static int read_groups(const struct reader *reader, char ***groups)
{
    const struct colony_value *group = colony_value_get(reader->tree, "group");
    struct colony__words words = {0};
    int rc = colony__words_init(&words);

    if (group && group->type != VALUE_NULL && group->type != VALUE_LIST)
        rc = fail(reader, group, "cannot use `group`: it must be a list of names");
    for (const struct colony_value *at = group ? group->child : NULL; at && rc == 0;
         at = at->next) {
        if (at->type != VALUE_STRING)
            rc = fail(reader, at, "cannot use `group`: its members must be texts");
        else if (words.count == FILE_GROUPS_MAX)
            rc = fail(reader, at, "cannot use `group`: there are more than 256");
        else
            rc = colony__words_add(&words, at->text, strlen(at->text), NULL);
    }
    if (rc < 0)
        colony__words_free(words.items);
    else
        *groups = words.items;
    return rc;
}

/* --- colony's own settings -------------------------------------------------------------------- */

/* What ncolony has a word of its own for. */
static bool is_said_outside(const char *name)
{
    static const char *const names[] = {"name",        "cmd", "args", "env",
                                        "env_inherit", "uid", "gid",  NULL};

    for (const char *const *at = names; *at; at++)
        if (strcmp(*at, name) == 0)
            return true;
    return false;
}

static int read_settings(struct reader *reader)
{
    const struct colony_value *own = colony_value_get(reader->tree, "colony");
    int rc = 0;

    if (own && own->type != VALUE_MAP && own->type != VALUE_NULL)
        return fail(reader, own, "cannot use `colony`: it must be a map of settings");
    for (const struct colony_value *at = own ? own->child : NULL; at && rc == 0; at = at->next) {
        if (is_said_outside(at->key))
            return fail(reader, at, "cannot use this key under `colony`: the file says it outside");
        if (strcmp(at->key, "os_env") == 0 || strcmp(at->key, "mark") == 0)
            return fail(reader, at, "cannot use this key: the environment is what the file says");
        rc = add_copy(reader, at);
    }
    return rc;
}

static struct colony_value *make_duration(const struct reader *reader, const char *key, uint64_t ms)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64 "ms", ms);
    return make(VALUE_STRING, key, text, reader->tree);
}

/* As colony_restart_ncolony has it. */
static int add_policy(struct reader *reader)
{
    const struct colony_restart_policy policy =
        colony_restart_ncolony(reader->settings->threshold_ms, reader->settings->min_delay_ms,
                               reader->settings->max_delay_ms);
    struct colony_value *map = make(VALUE_MAP, "restart", NULL, reader->tree);
    struct colony_value *jitter = make(VALUE_NUMBER, "jitter", "0", reader->tree);
    struct colony_value **tail = map ? &map->child : NULL;
    uint64_t base_ms = policy.base_ms < policy.cap_ms ? policy.base_ms : policy.cap_ms;
    int rc = add(reader, map);

    if (rc < 0 || !jitter) {
        colony_value_free(jitter);
        return -ENOMEM;
    }
    rc = append(&tail, jitter);
    if (rc == 0)
        rc = append(&tail, make_duration(reader, "first_delay", policy.first_ms));
    if (rc == 0)
        rc = append(&tail, make_duration(reader, "delay", base_ms));
    if (rc == 0)
        rc = append(&tail, make_duration(reader, "max_delay", policy.cap_ms));
    if (rc == 0)
        rc = append(&tail,
                    make_duration(reader, "reset", policy.reset_ms > 0 ? policy.reset_ms : 1));
    return rc;
}

/* What all processes of the directory have, unless they say otherwise. */
static int add_defaults(struct reader *reader)
{
    const struct colony_value *own = colony_value_get(reader->tree, "colony");
    const struct colony_value *schedule = colony_value_get(own, "schedule");
    bool is_scheduled = schedule && schedule->type != VALUE_NULL; /* it is not started again */
    int rc = 0;

    if (!colony_value_get(own, "graceful_timeout"))
        rc = add(reader, make_duration(reader, "graceful_timeout", reader->settings->kill_ms));
    if (rc == 0 && !is_scheduled && !colony_value_get(own, "restart") &&
        !colony_value_get(own, "flapping"))
        rc = add_policy(reader);
    return rc;
}

static int convert(struct reader *reader, struct colony_file_config *out)
{
    int rc = read_args(reader);

    if (rc == 0)
        rc = read_env(reader);
    if (rc == 0)
        rc = read_identity(reader);
    if (rc == 0)
        rc = read_settings(reader);
    if (rc == 0)
        rc = add_defaults(reader);
    if (rc == 0)
        rc = read_groups(reader, &out->groups);
    if (rc == 0)
        rc = colony_template_new_of_file(&out->template, reader->from->name, reader->source,
                                         reader->from->path, reader->err);
    return rc;
}

int colony_file_config_read(struct colony_file_config *out, const struct colony_file_text *from,
                            const struct colony_files_settings *settings, struct colony_error *err)
{
    struct colony_file_config config = {0};
    struct reader reader = {.from = from, .settings = settings, .err = err};
    struct colony_value *tree = NULL;
    int rc = colony_value_parse_json_file(&tree, from->text, from->size, from->path, err);

    if (rc < 0)
        return rc;
    reader.tree = tree;
    reader.source = make(VALUE_MAP, NULL, NULL, tree);
    if (!reader.source)
        rc = -ENOMEM;
    else if (tree->type != VALUE_MAP)
        rc = fail(&reader, tree, "cannot use this file: it must be a JSON object");
    if (rc == 0) {
        reader.tail = &reader.source->child;
        rc = convert(&reader, &config);
    }
    colony_value_free(reader.source);
    colony_value_free(tree);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot read %s: out of memory", from->path);
    if (rc < 0)
        colony_file_config_clear(&config);
    else
        *out = config;
    return rc;
}

void colony_file_config_clear(struct colony_file_config *config)
{
    colony_template_free(config->template);
    colony__words_free(config->groups);
    *config = (struct colony_file_config){0};
}
