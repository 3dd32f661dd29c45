/* SPDX-License-Identifier: Apache-2.0 */
/* verb_change.c - what somebody wants otherwise of a process of a session. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/uri.h"
#include "session/verb_internal.h"

void colony__verb_tell(const struct colony_session *session, const char *line)
{
    if (session->problem)
        session->problem(line, session->data);
}

static char **copy_words(const char *const *words)
{
    char **copy;
    size_t count = 0;

    while (words[count])
        count++;
    copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(words[i]);
        if (!copy[i]) {
            colony_argv_free(copy);
            return NULL;
        }
    }
    return copy;
}

/* NULL: it stays. -ENOMEM. */
static int set_words(char ***to, const char *const *words)
{
    char **copy = words ? copy_words(words) : NULL;

    if (!words)
        return 0;
    if (!copy)
        return -ENOMEM;
    colony_argv_free(*to);
    *to = copy;
    return 0;
}

/* "": none; NULL: it stays. */
static int set_text(char **to, const char *text)
{
    char *copy = text && *text ? strdup(text) : NULL;

    if (!text)
        return 0;
    if (*text && !copy)
        return -ENOMEM;
    free(*to);
    *to = copy;
    return 0;
}

static void set_switch(bool *to, enum colony_switch wish)
{
    if (wish != SWITCH_AS_IT_IS)
        *to = wish == SWITCH_ON;
}

static int set_alias(struct colony_session_process *process, const char *alias)
{
    bool is_own_name = alias && process->name && strcmp(alias, process->name) == 0;
    char *copy = alias && !is_own_name ? strdup(alias) : NULL;

    if (!alias || is_own_name)
        return 0;
    if (!copy)
        return -ENOMEM;
    free(process->alias);
    process->alias = copy;
    return 0;
}

static int apply(struct colony_session_process *process, const struct colony_verb_change *change,
                 struct colony_error *err)
{
    for (const char *const *one = change->env; one && *one; one++)
        if (!strchr(*one, '='))
            return colony_fail(err, -EINVAL, "cannot use the variable %.80s: it is not KEY=VALUE",
                               *one);
    set_switch(&process->restart, change->restart);
    set_switch(&process->shutdown, change->shutdown);
    if (set_words(&process->cmdline, change->cmdline) < 0 ||
        set_words(&process->env, change->env) < 0 || set_text(&process->cwd, change->cwd) < 0 ||
        set_alias(process, change->alias) < 0)
        return colony_fail_os(err, -ENOMEM, "cannot change the process");
    return 0;
}

/* Dependences speak of aliases: they speak of the new one then. */
static int put_renamed(const struct colony_session *session,
                       const struct colony_session_process *process, const char *old,
                       struct colony_error *err)
{
    struct colony_session_config config;
    int rc = colony_session_config_read(&config, session->workspace, err);

    if (rc < 0)
        return rc;
    rc = colony_session_process_put(session->workspace, process, err);
    if (rc == 0) {
        rc = colony_session_config_rename(&config, old, process->alias);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot change the process");
    }
    if (rc > 0)
        rc = colony_session_config_write_dependences(session->workspace, &config, err);
    colony_session_config_clear(&config);
    return rc;
}

int colony__verb_put(const struct colony_session *session, struct colony_session_process *process,
                     const struct colony_verb_change *change, struct colony_error *err)
{
    char *old = process->alias ? strdup(process->alias) : NULL;
    int rc = process->alias && !old ? colony_fail_os(err, -ENOMEM, "cannot change the process")
                                    : apply(process, change, err);

    if (rc == 0)
        rc = old && strcmp(old, process->alias) != 0
                 ? put_renamed(session, process, old, err)
                 : colony_session_process_put(session->workspace, process, err);
    free(old);
    return rc;
}

static void swap_texts(char **one, char **other)
{
    char *text = *one;

    *one = *other;
    *other = text;
}

static void swap_lists(char ***one, char ***other)
{
    char **list = *one;

    *one = *other;
    *other = list;
}

void colony__verb_put_back(const struct colony_session *session,
                           struct colony_session_process *process,
                           struct colony_session_process *before)
{
    swap_texts(&process->alias, &before->alias);
    swap_texts(&process->cwd, &before->cwd);
    swap_lists(&process->cmdline, &before->cmdline);
    swap_lists(&process->env, &before->env);
    process->restart = before->restart;
    process->shutdown = before->shutdown;
    if (process->alias && before->alias && strcmp(process->alias, before->alias) != 0)
        (void)put_renamed(session, process, before->alias, NULL);
    else
        (void)colony_session_process_put(session->workspace, process, NULL);
}
