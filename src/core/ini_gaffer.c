/* SPDX-License-Identifier: Apache-2.0 */
/* What the sections of gaffer's INI mean (ORIGINALS §1). */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ini_internal.h"
#include "core/keeper_options.h"
#include "core/name_internal.h"
#include "core/setting_internal.h"
#include "core/settings_internal.h"
#include "core/template.h"
#include "core/value_internal.h"

static const char blanks[] = " \t\r\n\v\f";

enum section_kind {
    SECTION_OTHER, /* the user's own */
    SECTION_GAFFER,
    SECTION_ENDPOINT,
    SECTION_PROCESS,
    SECTION_ENV,
    SECTION_WEBHOOKS,
};

struct section_word {
    const char *word;
    bool has_name; /* [WORD:NAME] */
    int (*fold)(int byte);
};

static const struct section_word section_words[] = {
    [SECTION_GAFFER] = {"gaffer", false, tolower},
    [SECTION_ENDPOINT] = {"endpoint", true, tolower},
    [SECTION_PROCESS] = {"process", true, tolower},
    [SECTION_ENV] = {"env", true, toupper},
    [SECTION_WEBHOOKS] = {"webhooks", false, NULL},
};

enum {
    SECTION_KINDS = sizeof section_words / sizeof section_words[0],
};

/* How a setting is written in INI. */
enum value_kind {
    VALUE_IS_SCALAR, /* as in YAML */
    VALUE_IS_TEXT,   /* whatever it looks like */
    VALUE_IS_FLAG,   /* also 1 and 0 */
    VALUE_IS_TEXTS,  /* separated by commas */
    VALUE_IS_IDS,    /* the same, of names and numbers */
};

/* clang-format off */
static const struct {
    const char *name;
    enum value_kind kind;
} process_settings[] = {
    {"args",            VALUE_IS_TEXT},  {"cmd",            VALUE_IS_TEXT},
    {"cwd",             VALUE_IS_TEXT},  {"flapping",       VALUE_IS_TEXT},
    {"name",            VALUE_IS_TEXT},
    {"detach",          VALUE_IS_FLAG},  {"essential",      VALUE_IS_FLAG},
    {"critical",        VALUE_IS_FLAG},
    {"os_env",          VALUE_IS_FLAG},  {"redirect_input", VALUE_IS_FLAG},
    {"shell",           VALUE_IS_FLAG},  {"start",          VALUE_IS_FLAG},
    {"stop_group",      VALUE_IS_FLAG},
    {"custom_streams",  VALUE_IS_TEXTS}, {"depends_on",     VALUE_IS_TEXTS},
    {"env_file",        VALUE_IS_TEXTS}, {"env_inherit",    VALUE_IS_TEXTS},
    {"redirect_output", VALUE_IS_TEXTS}, {"groups",         VALUE_IS_IDS},
};
/* clang-format on */

enum {
    PROCESS_SETTINGS = sizeof process_settings / sizeof process_settings[0],
};

struct translation {
    const struct colony__reading *reading;
    struct colony_value **next;     /* where the next section of colony's goes */
    struct colony_value *processes; /* its map, when there are any */
    struct colony_value **next_process;
    size_t words; /* of all lists */
};

/* --- nodes ------------------------------------------------------------------------------------ */

static int add_word(struct translation *translation, struct colony_value ***tail,
                    const struct colony_value *value, const char *word, size_t length)
{
    struct colony_value *node;

    if (++translation->words > COLONY_VALUE_NODES_MAX)
        return colony__setting_fail(translation->reading, value, -EINVAL,
                                    "cannot read on: there are more than 2000000 values");
    node = colony__ini_node(VALUE_STRING, NULL, value);
    if (!node)
        return -ENOMEM;
    colony__ini_append(tail, node);
    node->text = strndup(word, length);
    return node->text ? 0 : -ENOMEM;
}

/* Adds what stands between the @separators in @value to a list, but for what is blank. */
static int add_words(struct translation *translation, struct colony_value ***tail,
                     const struct colony_value *value, const char *separators)
{
    const char *at = value->text;
    int rc = 0;

    while (*at != '\0' && rc == 0) {
        size_t span = strcspn(at, separators);
        const char *word = at;
        size_t length = span;

        colony__ini_trim(&word, &length);
        if (length > 0)
            rc = add_word(translation, tail, value, word, length);
        at += span + (at[span] != '\0');
    }
    return rc;
}

/* --- sections --------------------------------------------------------------------------------- */

/* The name in [WORD:NAME], where blanks around it do not count. */
static const char *section_name(const struct colony_value *section)
{
    const char *colon = strchr(section->key, ':');

    return colon ? colon + 1 + strspn(colon + 1, blanks) : NULL;
}

static enum section_kind section_kind(const struct colony_value *section)
{
    const char *name = section_name(section);
    size_t length = strcspn(section->key, ":");

    for (int kind = SECTION_GAFFER; kind < SECTION_KINDS; kind++)
        if (strncmp(section_words[kind].word, section->key, length) == 0 &&
            section_words[kind].word[length] == '\0' && section_words[kind].has_name == !!name)
            return (enum section_kind)kind;
    return SECTION_OTHER;
}

/* A section that would be taken for one of colony's, or was meant to be one of gaffer's. */
static int check_others(const struct colony_value *section, const struct colony__reading *reading)
{
    char word[COLONY_NAME_MAX + 1];
    size_t length = strcspn(section->key, ":");

    if (colony__section_find(section->key) || strcmp(section->key, "colony") == 0)
        return colony__setting_fail(reading, section, -EINVAL,
                                    "cannot use the section [%s]: an INI file has gaffer's "
                                    "sections only, write this one in YAML",
                                    section->key);
    if (length >= sizeof word)
        return 0;
    memcpy(word, section->key, length);
    word[length] = '\0';
    for (int kind = SECTION_GAFFER; kind < SECTION_KINDS; kind++)
        if (strcmp(word, section_words[kind].word) == 0 ||
            colony__name_is_near(word, section_words[kind].word))
            return colony__setting_fail(reading, section, -EINVAL,
                                        "cannot use the section [%.100s]: did you mean [%s%s]?",
                                        section->key, section_words[kind].word,
                                        section_words[kind].has_name ? ":NAME" : "");
    return 0;
}

/* To configparser the case of a key is nothing, and gaffer has names of variables in capitals. */
static void fold_keys(struct colony_value *section, enum section_kind kind)
{
    if (!section_words[kind].fold)
        return;
    for (struct colony_value *member = section->child; member; member = member->next)
        for (char *byte = member->key; *byte != '\0'; byte++)
            *byte = (char)section_words[kind].fold((unsigned char)*byte);
}

static int check_sections(struct colony_value *sections, const struct colony__reading *reading)
{
    int rc = colony__value_check_keys(sections, reading->file, reading->err);

    for (struct colony_value *section = sections->child; section && rc == 0;
         section = section->next) {
        enum section_kind kind = section_kind(section);

        fold_keys(section, kind);
        rc = colony__value_check_keys(section, reading->file, reading->err);
        if (rc == 0 && kind == SECTION_OTHER)
            rc = check_others(section, reading);
    }
    return rc;
}

/* --- [gaffer] and [endpoint:NAME] ------------------------------------------------------------- */

static const struct colony_value *find_section(const struct colony_value *sections,
                                               enum section_kind kind, const char *name)
{
    for (const struct colony_value *section = sections->child; section; section = section->next)
        if (section_kind(section) == kind && (!name || strcmp(section_name(section), name) == 0))
            return section;
    return NULL;
}

/* What gaffer would pass over in silence is passed over too, but not a slip of the pen. */
static int check_known(const struct colony_value *section, const char *const *known,
                       const struct colony__reading *reading)
{
    for (const struct colony_value *member = section->child; member; member = member->next) {
        bool is_known = false;
        const char *near = NULL;

        for (const char *const *word = known; *word && !is_known; word++) {
            is_known = strcmp(*word, member->key) == 0;
            if (colony__name_is_near(member->key, *word))
                near = *word;
        }
        if (!is_known && near)
            return colony__setting_fail_unknown(reading, member, near);
    }
    return 0;
}

static int check_endpoint(const struct colony_value *endpoint,
                          const struct colony__reading *reading)
{
    static const char *const known[] = {"bind", "backlog", "certfile", "keyfile", NULL};
    const struct colony_value *backlog = colony_value_get(endpoint, "backlog");
    const struct colony_value *bind = colony_value_get(endpoint, "bind");

    if (!bind || bind->text[0] == '\0')
        return colony__setting_fail(reading, endpoint, -EINVAL,
                                    "cannot use [%.200s]: `bind` is missing", endpoint->key);
    /* It is checked and then not needed: colony asks for as much as the kernel gives. */
    if (backlog &&
        (backlog->text[0] == '\0' || backlog->text[strspn(backlog->text, "0123456789")] != '\0'))
        return colony__setting_fail(reading, backlog, -EINVAL,
                                    "cannot use `backlog`: it must be a whole number");
    return check_known(endpoint, known, reading);
}

/* Where the next one goes. */
struct endpoint_lists {
    struct colony_value **plain;
    struct colony_value **secure;
};

static bool is_given(const struct colony_value *section, const char *key)
{
    const struct colony_value *value = colony_value_get(section, key);

    return value && value->text[0] != '\0';
}

/* One with a certificate is a map in a list of its own. */
static int add_secure(const struct colony_value *endpoint, struct colony_value ***tail)
{
    static const char *const keys[] = {"bind", "certfile", "keyfile", NULL};
    struct colony_value *map = colony__ini_node(VALUE_MAP, NULL, endpoint);
    struct colony_value **next;

    if (!map)
        return -ENOMEM;
    colony__ini_append(tail, map);
    next = &map->child;
    for (const char *const *key = keys; *key; key++) {
        const struct colony_value *given = colony_value_get(endpoint, *key);
        struct colony_value *node;

        if (!given || given->text[0] == '\0')
            continue;
        node = colony__ini_node(VALUE_STRING, *key, given);
        if (!node)
            return -ENOMEM;
        colony__ini_append(&next, node);
        node->text = strdup(given->text);
        if (!node->text)
            return -ENOMEM;
    }
    return 0;
}

static int add_endpoint(struct translation *translation, const struct colony_value *sections,
                        const struct colony_value *wanted, struct endpoint_lists *lists)
{
    const struct colony_value *endpoint = find_section(sections, SECTION_ENDPOINT, wanted->text);
    const struct colony_value *bind;
    int rc;

    if (!endpoint)
        return colony__setting_fail(translation->reading, wanted, -EINVAL,
                                    "cannot use the endpoint `%.100s`: there is no section "
                                    "[endpoint:%.100s] in this file",
                                    wanted->text, wanted->text);
    rc = check_endpoint(endpoint, translation->reading);
    if (rc < 0)
        return rc;
    if (is_given(endpoint, "certfile") || is_given(endpoint, "keyfile"))
        return add_secure(endpoint, &lists->secure);
    bind = colony_value_get(endpoint, "bind");
    return add_word(translation, &lists->plain, bind, bind->text, strlen(bind->text));
}

static int settle_endpoints(struct translation *translation, const struct colony_value *sections,
                            const struct colony_value *names)
{
    struct colony_value *wanted = colony__ini_node(VALUE_LIST, NULL, names);
    struct colony_value *http = colony__ini_node(VALUE_MAP, "http", names);
    struct colony_value *bind = colony__ini_node(VALUE_LIST, "bind", names);
    struct colony_value *secure = colony__ini_node(VALUE_LIST, "endpoints", names);
    struct endpoint_lists lists;
    struct colony_value **tail;
    size_t count = 0;
    int rc = wanted && http && bind && secure ? 0 : -ENOMEM;

    if (rc < 0) {
        colony_value_free(http);
        colony_value_free(bind);
        colony_value_free(secure);
        goto out;
    }
    http->child = bind;
    bind->next = secure;
    colony__ini_append(&translation->next, http);
    tail = &wanted->child;
    rc = add_words(translation, &tail, names, ",\n");
    lists = (struct endpoint_lists){&bind->child, &secure->child};
    for (const struct colony_value *name = wanted->child; name && rc == 0; name = name->next)
        rc = ++count <= KEEPER_SOCKETS_MAX
                 ? add_endpoint(translation, sections, name, &lists)
                 : colony__setting_fail(translation->reading, names, -EINVAL,
                                        "cannot use `http_endpoints`: there are more than %d",
                                        KEEPER_SOCKETS_MAX);
    if (!secure->child) { /* what is not given is not shown */
        bind->next = NULL;
        colony_value_free(secure);
    }
out:
    colony_value_free(wanted);
    return rc;
}

static int settle_includes(struct translation *translation, const struct colony_value *gaffer)
{
    static const char *const keys[] = {"include", "include_dir", NULL};
    struct colony_value *list = colony__ini_node(VALUE_LIST, "include", gaffer);
    struct colony_value **tail;
    int rc = 0;

    if (!list)
        return -ENOMEM;
    colony__ini_append(&translation->next, list);
    tail = &list->child;
    for (const char *const *key = keys; *key && rc == 0; key++) {
        const struct colony_value *given = colony_value_get(gaffer, *key);

        if (given)
            rc = add_words(translation, &tail, given, ", \t\r\n");
    }
    return rc;
}

static int settle_gaffer(struct translation *translation, const struct colony_value *sections)
{
    static const char *const known[] = {"http_endpoints", "include", "include_dir", NULL};
    const struct colony_value *gaffer = find_section(sections, SECTION_GAFFER, NULL);
    const struct colony_value *names = colony_value_get(gaffer, "http_endpoints");
    int rc;

    if (!gaffer)
        return 0;
    rc = check_known(gaffer, known, translation->reading);
    if (rc == 0 && names)
        rc = settle_endpoints(translation, sections, names);
    if (rc < 0 || !(colony_value_get(gaffer, "include") || colony_value_get(gaffer, "include_dir")))
        return rc;
    return settle_includes(translation, gaffer);
}

/* --- [process:NAME] and [env:NAME] ------------------------------------------------------------ */

static enum value_kind kind_of(const char *name)
{
    for (size_t i = 0; i < PROCESS_SETTINGS; i++)
        if (strcmp(process_settings[i].name, name) == 0)
            return process_settings[i].kind;
    return VALUE_IS_SCALAR;
}

static int settle_list(struct translation *translation, struct colony_value *member,
                       enum value_kind kind)
{
    struct colony_value **tail = &member->child;
    int rc = add_words(translation, &tail, member, ",\n");

    free(member->text);
    member->text = NULL;
    member->type = VALUE_LIST;
    if (kind == VALUE_IS_IDS)
        for (struct colony_value *word = member->child; word; word = word->next)
            colony__yaml_resolve(word);
    return rc;
}

static int settle_setting(struct translation *translation, struct colony_value *member)
{
    enum value_kind kind = kind_of(member->key);

    if (member->text[0] != '\0' && (kind == VALUE_IS_TEXTS || kind == VALUE_IS_IDS))
        return settle_list(translation, member, kind);
    if (member->text[0] != '\0' && kind == VALUE_IS_TEXT)
        return 0;
    colony__yaml_resolve(member); /* an empty one becomes null: not given */
    if (kind == VALUE_IS_FLAG && member->type == VALUE_NUMBER &&
        (strcmp(member->text, "1") == 0 || strcmp(member->text, "0") == 0)) {
        member->type = VALUE_BOOL;
        member->boolean = member->text[0] == '1';
    }
    return 0;
}

static int add_map(struct translation *translation, const struct colony_value *at)
{
    struct colony_value *map = translation->processes;

    if (map)
        return 0;
    map = colony__ini_node(VALUE_MAP, "processes", at);
    if (!map)
        return -ENOMEM;
    colony__ini_append(&translation->next, map);
    translation->processes = map;
    translation->next_process = &map->child;
    return 0;
}

/* Takes ownership of @section. */
static int take_process(struct translation *translation, struct colony_value *section)
{
    char *name = strdup(section_name(section));
    int rc = name ? add_map(translation, section) : -ENOMEM;

    if (rc < 0) {
        free(name);
        colony_value_free(section);
        return rc;
    }
    free(section->key);
    section->key = name;
    colony__ini_append(&translation->next_process, section);
    for (struct colony_value *member = section->child; member && rc == 0; member = member->next)
        rc = settle_setting(translation, member);
    return rc;
}

static int compare_keys(const void *left, const void *right)
{
    const struct colony_value *a = *(const struct colony_value *const *)left;
    const struct colony_value *b = *(const struct colony_value *const *)right;

    return strcmp(a->key, b->key);
}

/* The processes sorted by name, so that each of many environments finds its own at once. */
static int sort_processes(const struct translation *translation, struct colony_value ***out,
                          size_t *count)
{
    struct colony_value *first = translation->processes ? translation->processes->child : NULL;
    struct colony_value **sorted;
    size_t used = 0;

    *count = 0;
    for (const struct colony_value *process = first; process; process = process->next)
        (*count)++;
    sorted = calloc(*count + 1, sizeof(struct colony_value *));
    if (!sorted)
        return -ENOMEM;
    for (struct colony_value *process = first; process; process = process->next)
        sorted[used++] = process;
    qsort(sorted, *count, sizeof(struct colony_value *), compare_keys);
    *out = sorted;
    return 0;
}

/* Takes ownership of @env. */
static int take_env(struct translation *translation, struct colony_value *env,
                    struct colony_value *const *sorted, size_t count)
{
    const struct colony_value wanted = {.key = (char *)section_name(env)};
    const struct colony_value *key = &wanted;
    struct colony_value *const *found =
        bsearch(&key, sorted, count, sizeof(struct colony_value *), compare_keys);
    char *name = strdup("env");

    if (!name || !found) {
        int rc = !name ? -ENOMEM
                       : colony__setting_fail(translation->reading, env, -EINVAL,
                                              "cannot use [%.200s]: there is no section "
                                              "[process:%.200s] in this file",
                                              env->key, wanted.key);
        free(name);
        colony_value_free(env);
        return rc;
    }
    free(env->key);
    env->key = name;
    env->next = (*found)->child;
    (*found)->child = env;
    return colony__value_check_keys(*found, translation->reading->file, translation->reading->err);
}

static void free_list(struct colony_value *node)
{
    while (node) {
        struct colony_value *next = node->next;

        colony_value_free(node);
        node = next;
    }
}

static int take_envs(struct translation *translation, struct colony_value *envs)
{
    struct colony_value **sorted = NULL;
    size_t count = 0;
    int rc = sort_processes(translation, &sorted, &count);

    while (envs && rc == 0) {
        struct colony_value *env = envs;

        envs = env->next;
        rc = take_env(translation, env, sorted, count);
    }
    free(sorted);
    free_list(envs);
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Every section of @sections finds its place; what is used up is freed. */
static int take_sections(struct translation *translation, struct colony_value *sections)
{
    struct colony_value *envs = NULL;
    struct colony_value **next_env = &envs;
    int rc = 0;

    while (sections->child && rc == 0) {
        struct colony_value *section = sections->child;

        sections->child = section->next;
        section->next = NULL;
        switch (section_kind(section)) {
        case SECTION_PROCESS:
            rc = take_process(translation, section);
            break;
        case SECTION_ENV:
            colony__ini_append(&next_env, section);
            break;
        case SECTION_GAFFER:
        case SECTION_ENDPOINT:
            colony_value_free(section);
            break;
        case SECTION_WEBHOOKS:
        case SECTION_OTHER:
            colony__ini_append(&translation->next, section);
            break;
        }
    }
    if (rc == 0)
        return take_envs(translation, envs);
    free_list(envs);
    return rc;
}

int colony__ini_settle(struct colony_value *root, const struct colony__reading *reading)
{
    struct colony_value *made = colony__value_new(VALUE_MAP);
    struct translation translation = {.reading = reading};
    int rc;

    if (!made)
        return -ENOMEM;
    translation.next = &made->child;
    rc = check_sections(root, reading);
    if (rc == 0)
        rc = settle_gaffer(&translation, root);
    if (rc == 0)
        rc = take_sections(&translation, root);
    if (rc == 0 && translation.processes)
        rc = colony__value_check_keys(translation.processes, reading->file, reading->err);
    if (rc == 0) { /* nothing is left in @root */
        root->child = made->child;
        made->child = NULL;
    }
    colony_value_free(made);
    return rc;
}
