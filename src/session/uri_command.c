/* SPDX-License-Identifier: Apache-2.0 */
/* uri_command.c - from an uri to the command line that it stands for. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/error.h"
#include "session/config.h"
#include "session/uri.h"

enum {
    WORD_BYTES_MAX = (128 << 10) - 1, /* MAX_ARG_STRLEN of execve(2), without the NUL */
    WORDS_BYTES_MAX = 2 << 20,        /* a stack of 8 MiB gives them that much */
};

static int fail_memory(struct colony_error *err)
{
    return colony_fail_os(err, -ENOMEM, "cannot make a command line of the uri");
}

void colony_argv_free(char **argv)
{
    for (char **word = argv; word && *word; word++)
        free(*word);
    free(argv);
}

static bool is_here(const char *host)
{
    char name[HOST_NAME_MAX + 1] = "";

    if (*host == '\0' || strcasecmp(host, "localhost") == 0)
        return true;
    (void)gethostname(name, sizeof name - 1);
    return strcasecmp(host, name) == 0;
}

static int check_exec(const struct colony_uri *uri, struct colony_error *err)
{
    size_t length = strlen(uri->path);

    if (!is_here(uri->host))
        return colony_fail(err, -EINVAL,
                           "cannot run the uri on the host `%s`: exec:// starts programs of this "
                           "machine only (exec:///PROGRAM or exec://localhost/PROGRAM)",
                           uri->host);
    if (*uri->port != '\0')
        return colony_fail(err, -EINVAL, "cannot run the uri: exec:// has no use for the port %s",
                           uri->port);
    if (length == 0 || uri->path[length - 1] == '/')
        return colony_fail(err, -EINVAL,
                           "cannot run the uri: it has no path of a program (write "
                           "exec:///usr/bin/PROGRAM?KEY=VALUE)");
    return 0;
}

static char *join_parameter(const struct colony_uri_parameter *parameter)
{
    char *word;

    if (!parameter->value)
        return strdup(parameter->key);
    return asprintf(&word, "%s=%s", parameter->key, parameter->value) < 0 ? NULL : word;
}

static int make_exec(char **argv, const struct colony_uri *uri, struct colony_error *err)
{
    int rc = check_exec(uri, err);

    if (rc < 0)
        return rc;
    argv[0] = strdup(uri->path);
    for (size_t i = 0; argv[i] && i < uri->parameter_count; i++)
        argv[i + 1] = join_parameter(&uri->parameters[i]);
    return argv[uri->parameter_count] ? 0 : fail_memory(err);
}

/* A word while its placeholders are replaced. */
struct expansion {
    const struct colony_scheme *scheme;
    const struct colony_uri *uri;
    FILE *out;
    struct colony_error *err;
};

static int find_parameter(const struct expansion *expansion, const char *key, const char **value)
{
    const struct colony_uri *uri = expansion->uri;

    *value = NULL;
    for (size_t i = 0; i < uri->parameter_count; i++) {
        if (strcmp(uri->parameters[i].key, key) != 0)
            continue;
        if (*value)
            return colony_fail(expansion->err, -EINVAL,
                               "cannot run the uri: `%s` stands twice in it, but scheme `%s` has "
                               "use for one",
                               key, expansion->scheme->name);
        *value = uri->parameters[i].value ? uri->parameters[i].value : "";
    }
    return 0;
}

/* What {@key} stands for. */
static int look_up(const struct expansion *expansion, const char *key, const char **value)
{
    const struct colony_uri *uri = expansion->uri;
    const struct {
        const char *name;
        const char *value;
        bool may_be_empty;
    } parts[] = {
        {"host", uri->host, false},
        {"port", uri->port, false},
        {"path", uri->path, false},
        {"query", uri->query, true},
    };
    int rc;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].name, key) != 0)
            continue;
        *value = parts[i].value;
        if (**value != '\0' || parts[i].may_be_empty)
            return 0;
        return colony_fail(expansion->err, -EINVAL,
                           "cannot run the uri: scheme `%s` wants a %s, which it does not have",
                           expansion->scheme->name, key);
    }
    rc = find_parameter(expansion, key, value);
    if (rc == 0 && !*value)
        return colony_fail(expansion->err, -EINVAL,
                           "cannot run the uri: scheme `%s` wants the parameter `%s` (add %s=VALUE "
                           "after its `?`)",
                           expansion->scheme->name, key, key);
    return rc;
}

/* *at stands on a `{` that is not doubled; it is left after its `}`. */
static int expand_placeholder(const struct expansion *expansion, const char **at)
{
    size_t length = strcspn(*at + 1, "{}");
    const char *value;
    char *key;
    int rc;

    if ((*at)[1 + length] != '}' || length == 0)
        return colony_fail(
            expansion->err, -EINVAL,
            "cannot use the scheme `%s` of etc/session.yaml: a placeholder is {NAME}, "
            "and {{ is a brace",
            expansion->scheme->name);
    key = strndup(*at + 1, length);
    if (!key)
        return fail_memory(expansion->err);
    rc = look_up(expansion, key, &value);
    if (rc == 0 && fputs(value, expansion->out) < 0)
        rc = fail_memory(expansion->err);
    free(key);
    *at += length + 2;
    return rc;
}

static int expand_text(const struct expansion *expansion, const char *word)
{
    int rc = 0;

    while (*word != '\0' && rc == 0) {
        if (word[0] == '{' && word[1] != '{') {
            rc = expand_placeholder(expansion, &word);
            continue;
        }
        if (fputc(*word, expansion->out) == EOF)
            rc = fail_memory(expansion->err);
        word += (word[0] == '{' || word[0] == '}') && word[1] == word[0] ? 2 : 1;
    }
    if (rc == 0 && ftello(expansion->out) > WORD_BYTES_MAX)
        return colony_fail(expansion->err, -EINVAL,
                           "cannot run the uri: an argument has more than %d bytes",
                           WORD_BYTES_MAX);
    return rc;
}

static int expand(char **out, const struct expansion *expansion, const char *word)
{
    struct expansion own = *expansion;
    char *text = NULL;
    size_t size = 0;
    int rc;

    own.out = open_memstream(&text, &size);
    if (!own.out)
        return fail_memory(own.err);
    rc = expand_text(&own, word);
    if (fclose(own.out) != 0 && rc == 0)
        rc = fail_memory(own.err);
    if (rc == 0)
        *out = text;
    else
        free(text);
    return rc;
}

static int make_scheme(char **argv, const struct colony_uri *uri,
                       const struct colony_scheme *scheme, struct colony_error *err)
{
    const struct expansion expansion = {scheme, uri, NULL, err};
    size_t bytes = 0;
    int rc = 0;

    for (size_t i = 0; scheme->argv[i] && rc == 0; i++) {
        rc = expand(&argv[i], &expansion, scheme->argv[i]);
        bytes += argv[i] ? strlen(argv[i]) + 1 : 0;
        if (bytes > WORDS_BYTES_MAX)
            rc = colony_fail(err, -EINVAL,
                             "cannot run the uri: its arguments have more than %d bytes",
                             WORDS_BYTES_MAX);
    }
    if (rc == 0 && (!argv[0] || *argv[0] == '\0'))
        return colony_fail(err, -EINVAL, "cannot run the uri: scheme `%s` names no program",
                           scheme->name);
    return rc;
}

static const struct colony_scheme *find_scheme(const struct colony_session_config *config,
                                               const char *name)
{
    for (size_t i = 0; i < config->scheme_count; i++)
        if (strcasecmp(config->schemes[i].name, name) == 0)
            return &config->schemes[i];
    return NULL;
}

static int fail_scheme(const struct colony_uri *uri, struct colony_error *err)
{
    if (strcmp(uri->scheme, "attached") == 0)
        return colony_fail(err, -EINVAL,
                           "cannot run the uri: attached:// is what colony calls a process that "
                           "was attached; start it by its name");
    return colony_fail(err, -ENOENT,
                       "cannot run the uri: there is no scheme `%.64s` (add `%.64s: "
                       "[\"/PROGRAM\", \"{path}\"]` below `schemes:` in etc/session.yaml)",
                       uri->scheme, uri->scheme);
}

static size_t count_words(char *const *argv)
{
    size_t count = 0;

    while (argv[count])
        count++;
    return count;
}

int colony_uri_command(char ***argv, const struct colony_uri *uri,
                       const struct colony_session_config *config, struct colony_error *err)
{
    bool is_exec = strcmp(uri->scheme, "exec") == 0;
    const struct colony_scheme *scheme = is_exec ? NULL : find_scheme(config, uri->scheme);
    char **words;
    int rc;

    if (!is_exec && (!scheme || strcmp(uri->scheme, "attached") == 0))
        return fail_scheme(uri, err);
    words =
        calloc(is_exec ? uri->parameter_count + 2 : count_words(scheme->argv) + 1, sizeof *words);
    if (!words)
        return fail_memory(err);
    rc = is_exec ? make_exec(words, uri, err) : make_scheme(words, uri, scheme, err);
    if (rc == 0)
        *argv = words;
    else
        colony_argv_free(words);
    return rc;
}
