/* SPDX-License-Identifier: Apache-2.0 */
/* verb_dependence.c - who waits for whom in a session: what is changed, and what there is. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session/dependences.h"
#include "session/state.h"
#include "session/verb_internal.h"
#include "session/workspace.h"

/* What is changed, with the lock held. */
struct change {
    const struct colony_session *session;
    const struct colony_verb_bonds *bonds;
    struct colony_session_list list;
    struct colony_session_config config;
    size_t count; /* of dependences that are otherwise than before */
    struct colony_error *err;
};

typedef int (*change_cb)(struct change *change, const char *parent, const char *child);

/* What is written of a process: its alias, or its name. */
static int find_title(struct change *change, const char *word, const char **title)
{
    const struct colony_session_process *found = colony_session_list_find(&change->list, word);

    if (!found)
        return colony_session_list_complain(&change->list, word, change->err);
    *title = colony_session_process_title(found);
    return 0;
}

static bool is_title(const struct change *change, const char *word, const char *title)
{
    const struct colony_session_process *found = colony_session_list_find(&change->list, word);

    return strcmp(found ? colony_session_process_title(found) : word, title) == 0;
}

/* The same of what need not be there any more. */
static void settle_title(const struct change *change, char name[COLONY_NAME_MAX + 1])
{
    const struct colony_session_process *found = colony_session_list_find(&change->list, name);

    if (found)
        (void)snprintf(name, COLONY_NAME_MAX + 1, "%s", colony_session_process_title(found));
}

/* A state that a parent can be in one day: colony's own, or one that can be saved. */
static int check_state(struct change *change, const char *state)
{
    bool is_own = state && (strcmp(state, COLONY_STATE_RUNNING) == 0 ||
                            strcmp(state, COLONY_STATE_STARTING) == 0 ||
                            strcmp(state, COLONY_STATE_STOPPED) == 0);

    return !state || is_own ? 0 : colony_session_state_check(state, change->err);
}

/* "NAME" of "NAME:STATE"; *state is within @word. */
static int split(struct change *change, const char *word, char name[COLONY_NAME_MAX + 1],
                 const char **state)
{
    return colony_dependence_split(word, name, COLONY_NAME_MAX + 1, state, change->err);
}

static struct colony_dependence *find(struct change *change, const char *parent, const char *state,
                                      const char *child)
{
    for (size_t i = 0; i < change->config.dependence_count; i++) {
        struct colony_dependence *dependence = &change->config.dependences[i];
        bool is_state =
            state ? dependence->state && strcmp(dependence->state, state) == 0 : !dependence->state;

        if (is_state && is_title(change, dependence->parent, parent) &&
            is_title(change, dependence->child, child))
            return dependence;
    }
    return NULL;
}

static int read_on_loss(struct change *change, enum colony_on_loss *on_loss)
{
    int word = colony_on_loss_parse(change->bonds->on_loss);

    if (word < 0)
        return colony_fail(change->err, -EINVAL,
                           "cannot use `%.80s` on a loss: it is keep, stop or restart",
                           change->bonds->on_loss);
    *on_loss = (enum colony_on_loss)word;
    return 0;
}

static int add(struct change *change, const char *parent, const char *child)
{
    enum colony_on_loss on_loss = ON_LOSS_KEEP;
    struct colony_dependence *known;
    char name[COLONY_NAME_MAX + 1];
    char *word = NULL;
    const char *parent_title = NULL;
    const char *child_title = NULL;
    const char *state = NULL;
    int rc = split(change, parent, name, &state);

    if (rc == 0)
        rc = check_state(change, state);
    if (rc == 0 && change->bonds->on_loss)
        rc = read_on_loss(change, &on_loss);
    if (rc == 0)
        rc = find_title(change, name, &parent_title);
    if (rc == 0)
        rc = find_title(change, child, &child_title);
    if (rc < 0 || !parent_title || !child_title)
        return rc;
    known = find(change, parent_title, state, child_title);
    if (known) {
        if (change->bonds->on_loss && known->on_loss != on_loss) {
            known->on_loss = on_loss;
            change->count++;
        }
        return 0;
    }
    if (asprintf(&word, "%s%s%s", parent_title, state ? ":" : "", state ? state : "") < 0)
        return colony_fail(change->err, -ENOMEM, "cannot add a dependence: out of memory");
    rc = colony_session_config_add(&change->config, child_title, word, on_loss, change->err);
    free(word);
    change->count += rc > 0;
    return rc < 0 ? rc : 0;
}

/* -ENOENT: it is no process. */
static int check_known(const struct change *change, const char *name)
{
    return colony_session_list_find(&change->list, name)
               ? 0
               : colony_session_list_complain(&change->list, name, change->err);
}

/* As gutools takes it: a state of the child means nothing, and a parent without one means all of
 * its states. What is no process any more can be removed by what it was called. */
static int drop(struct change *change, const char *parent, const char *child)
{
    char parent_name[COLONY_NAME_MAX + 1];
    char child_name[COLONY_NAME_MAX + 1];
    const char *state = NULL;
    const char *ignored = NULL;
    size_t before = change->count;
    int rc = split(change, parent, parent_name, &state);

    if (rc == 0)
        rc = split(change, child, child_name, &ignored);
    if (rc < 0)
        return rc;
    settle_title(change, parent_name);
    settle_title(change, child_name);
    for (size_t i = change->config.dependence_count; i-- > 0;) {
        const struct colony_dependence *dependence = &change->config.dependences[i];

        if ((state && (!dependence->state || strcmp(dependence->state, state) != 0)) ||
            !is_title(change, dependence->parent, parent_name) ||
            !is_title(change, dependence->child, child_name))
            continue;
        colony_session_config_drop(&change->config, i);
        change->count++;
    }
    if (change->count > before)
        return 0;
    rc = check_known(change, parent_name);
    return rc < 0 ? rc : check_known(change, child_name);
}

/* Runs @cb for each word between commas of each of @texts; without @parent each is one. */
static int for_each(struct change *change, const char *const *texts, change_cb cb,
                    const char *parent)
{
    int rc = 0;

    for (; *texts; texts++)
        for (const char *at = *texts; rc == 0; at++) {
            size_t length = strcspn(at, ",");
            char *word = strndup(at, length);

            if (!word)
                return colony_fail(change->err, -ENOMEM, "cannot change this: out of memory");
            rc = parent ? cb(change, parent, word)
                        : for_each(change, change->bonds->children, cb, word);
            free(word);
            at += length;
            if (*at == '\0')
                break;
        }
    return rc;
}

/* With the lock held. */
static int change_locked(struct change *change)
{
    const struct colony_session *session = change->session;
    int rc = colony_session_config_read(&change->config, session->workspace, change->err);

    if (rc == 0)
        rc = colony_session_list_read(&change->list, session->workspace, session->problem,
                                      session->data, change->err);
    if (rc == 0)
        rc = for_each(change, change->bonds->parents, change->bonds->is_removal ? drop : add, NULL);
    if (rc == 0 && !change->bonds->is_removal)
        rc = colony_dependences_rank(&change->config, &change->list, NULL, change->err);
    if (rc == 0 && change->count > 0)
        rc = colony_session_config_write_dependences(session->workspace, &change->config,
                                                     change->err);
    if (rc == 0 && change->count > 0)
        rc = colony__backend_of(session)->reload(session, change->err);
    return rc;
}

int colony_verb_bind(const struct colony_session *session, const struct colony_verb_bonds *bonds,
                     struct colony_error *err)
{
    struct change change = {.session = session, .bonds = bonds, .err = err};
    int rc = colony_workspace_lock(session->workspace, COLONY_VERB_LOCK_MS, err);

    if (rc < 0)
        return rc;
    rc = change_locked(&change);
    colony_workspace_unlock(session->workspace);
    colony_session_config_clear(&change.config);
    colony_session_list_clear(&change.list);
    return rc < 0 ? rc : (int)change.count;
}

/* --- what there is ------------------------------------------------------------------------------
 */

int colony_verb_bonds_read(const struct colony_session *session,
                           struct colony_session_config *config, struct colony_error *err)
{
    struct colony_session_list list = {0};
    struct colony_error circle;
    int rc =
        colony_session_list_read(&list, session->workspace, session->problem, session->data, err);

    if (rc < 0)
        return rc;
    rc = colony_session_config_read_good(config, session->workspace, session->problem,
                                         session->data, err);
    if (rc == 0) {
        rc = colony_dependences_order(config, &list, NULL, &circle, err);
        if (rc == 0 && circle.code != 0)
            colony__verb_tell(session, circle.message);
        if (rc < 0)
            colony_session_config_clear(config);
    }
    colony_session_list_clear(&list);
    return rc;
}

static bool add_bond(struct cJSON *all, const struct colony_dependence *dependence)
{
    struct cJSON *one = cJSON_CreateObject();

    return cJSON_AddItemToArray(all, one) &&
           cJSON_AddStringToObject(one, "child", dependence->child) &&
           cJSON_AddStringToObject(one, "parent", dependence->parent) &&
           (dependence->state ? cJSON_AddStringToObject(one, "state", dependence->state)
                              : cJSON_AddNullToObject(one, "state")) &&
           cJSON_AddStringToObject(one, "on_loss", colony_on_loss_word(dependence->on_loss));
}

struct cJSON *colony_verb_bonds_json(const struct colony_session_config *config)
{
    struct cJSON *all = cJSON_CreateArray();

    for (size_t i = 0; all && i < config->dependence_count; i++)
        if (!add_bond(all, &config->dependences[i])) {
            cJSON_Delete(all);
            return NULL;
        }
    return all;
}
