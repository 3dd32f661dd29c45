/* SPDX-License-Identifier: Apache-2.0 */
/* config_dependences.c - the dependences of a session's file, changed and written back. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session/config.h"
#include "session/config_internal.h"
#include "session/database_internal.h"
#include "session/dependences.h"
#include "session/process_internal.h"
#include "session/workspace_internal.h"
#include "session/yaml_edit_internal.h"

static bool is_same_text(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}

void colony__dependence_clear(struct colony_dependence *dependence)
{
    free(dependence->child);
    free(dependence->parent);
    free(dependence->state);
    *dependence = (struct colony_dependence){0};
}

/* NULL: @child does not wait for @parent in @state. */
static struct colony_dependence *find(const struct colony_session_config *config, const char *child,
                                      const char *parent, const char *state)
{
    for (size_t i = 0; i < config->dependence_count; i++) {
        struct colony_dependence *dependence = &config->dependences[i];

        if (strcmp(dependence->child, child) == 0 && strcmp(dependence->parent, parent) == 0 &&
            is_same_text(dependence->state, state))
            return dependence;
    }
    return NULL;
}

int colony_session_config_add(struct colony_session_config *config, const char *child,
                              const char *parent, enum colony_on_loss on_loss,
                              struct colony_error *err)
{
    char name[COLONY_NAME_MAX + 1];
    struct colony_dependence *dependence;
    const char *state;
    void *items;
    int rc = colony_dependence_split(parent, name, sizeof name, &state, err);

    if (rc < 0)
        return rc;
    dependence = find(config, child, name, state);
    if (dependence) {
        bool is_news = dependence->on_loss != on_loss;

        dependence->on_loss = on_loss;
        return is_news;
    }
    if (config->dependence_count >= COLONY_SESSION_DEPENDENCES_MAX)
        return colony_fail(err, -ENOSPC, "cannot add a dependence: a session has at most %d",
                           (int)COLONY_SESSION_DEPENDENCES_MAX);
    items = reallocarray(config->dependences, config->dependence_count + 1,
                         sizeof *config->dependences);
    if (!items)
        return colony_fail(err, -ENOMEM, "cannot add a dependence: out of memory");
    config->dependences = items;
    dependence = &config->dependences[config->dependence_count];
    *dependence = (struct colony_dependence){
        .child = strdup(child),
        .parent = strdup(name),
        .state = state ? strdup(state) : NULL,
        .on_loss = on_loss,
    };
    if (!dependence->child || !dependence->parent || (state && !dependence->state)) {
        colony__dependence_clear(dependence);
        return colony_fail(err, -ENOMEM, "cannot add a dependence: out of memory");
    }
    config->dependence_count++;
    return 1;
}

static int rename_word(char **word, const char *old, const char *new)
{
    char *copy;

    if (strcmp(*word, old) != 0)
        return 0;
    copy = strdup(new);
    if (!copy)
        return -ENOMEM;
    free(*word);
    *word = copy;
    return 1;
}

int colony_session_config_rename(struct colony_session_config *config, const char *old,
                                 const char *new)
{
    int count = 0;
    int rc = 0;

    for (size_t i = 0; i < config->dependence_count; i++) {
        struct colony_dependence *dependence = &config->dependences[i];

        rc = rename_word(&dependence->child, old, new);
        if (rc >= 0) {
            count += rc;
            rc = rename_word(&dependence->parent, old, new);
        }
        if (rc < 0)
            return rc;
        count += rc;
    }
    return count;
}

void colony_session_config_drop(struct colony_session_config *config, size_t index)
{
    colony__dependence_clear(&config->dependences[index]);
    config->dependence_count--;
    memmove(&config->dependences[index], &config->dependences[index + 1],
            (config->dependence_count - index) * sizeof *config->dependences);
}

/* --- written back -------------------------------------------------------------------------------
 */

static int write_one(FILE *out, const struct colony_dependence *dependence)
{
    char *parent = NULL;
    int rc;

    if (asprintf(&parent, "%s%s%s", dependence->parent, dependence->state ? ":" : "",
                 dependence->state ? dependence->state : "") < 0)
        return -ENOMEM;
    if (dependence->on_loss != ON_LOSS_KEEP)
        (void)fputs("{parent: ", out);
    rc = colony__yaml_write_text(out, parent);
    if (dependence->on_loss != ON_LOSS_KEEP)
        (void)fprintf(out, ", on_loss: %s}", colony_on_loss_word(dependence->on_loss));
    free(parent);
    return rc;
}

/* " [\"a:b\", {parent: \"c\", on_loss: stop}]\n"; "" when @child waits for nobody; NULL: out of
 * memory. */
static char *describe(const struct colony_session_config *config, const char *child)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    size_t count = 0;
    int rc = out ? 0 : -ENOMEM;

    for (size_t i = 0; i < config->dependence_count && rc == 0; i++) {
        if (strcmp(config->dependences[i].child, child) != 0)
            continue;
        (void)fputs(count++ == 0 ? " [" : ", ", out);
        rc = write_one(out, &config->dependences[i]);
    }
    if (count > 0)
        (void)fputs("]\n", out);
    if (out && fclose(out) == 0 && rc == 0)
        return text;
    free(text);
    return NULL;
}

/* What the file says of @child becomes what @config does, if that is another thing. */
static int edit_child(char **text, const char *path, const char *child,
                      const struct colony_session_config *configs[2], struct colony_error *err)
{
    char *before = describe(configs[0], child);
    char *after = describe(configs[1], child);
    const struct colony__yaml_edit edit = {
        .parent = "dependences",
        .key = child,
        .value = after && after[0] != '\0' ? after : NULL,
    };
    int rc = 0;

    if (!before || !after)
        rc = colony_fail(err, -ENOMEM, "cannot change %s: out of memory", path);
    else if (!is_same_text(before, after))
        rc = colony__yaml_edit(text, path, &edit, err);
    free(before);
    free(after);
    return rc;
}

static int edit_all(char **text, const char *path, const struct colony_session_config *config,
                    struct colony_error *err)
{
    struct colony_session_config now = {0};
    const struct colony_session_config *configs[2] = {&now, config};
    int rc = colony__session_config_parse(&now, path, *text, strlen(*text), err);

    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < configs[i]->dependence_count && rc == 0; j++)
            rc = edit_child(text, path, configs[i]->dependences[j].child, configs, err);
    colony_session_config_clear(&now);
    return rc;
}

int colony_session_config_write_dependences(struct colony_workspace *workspace,
                                            const struct colony_session_config *config,
                                            struct colony_error *err)
{
    char full[PATH_MAX + sizeof SESSION_CONFIG];
    char *text = NULL;
    int rc = colony__session_config_text(&text, workspace, err);

    if (rc < 0)
        return rc;
    if (!text)
        text = strdup(""); /* there is no file yet */
    if (!text)
        return colony_fail(err, -ENOMEM, "cannot write " SESSION_CONFIG ": out of memory");
    (void)snprintf(full, sizeof full, "%s/" SESSION_CONFIG, workspace->path);
    rc = edit_all(&text, full, config, err);
    if (rc == 0)
        rc = colony__workspace_write(workspace, SESSION_CONFIG, text, err);
    if (rc == 0)
        rc = colony__workspace_sync(workspace, "etc", err);
    if (rc == 0)
        rc = colony__database_keep(workspace, SESSION_FILE, SESSION_FILE, text, err);
    free(text);
    return rc;
}
