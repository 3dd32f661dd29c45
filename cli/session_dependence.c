/* SPDX-License-Identifier: Apache-2.0 */
/* session_dependence.c - `colony session dependence`: who waits for whom. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session/config.h"
#include "session/dependences.h"
#include "session/process.h"
#include "session/workspace.h"
#include "session_internal.h"

/* clang-format off */
const struct colony_option session_dependence_options[] = {
    SESSION_PLACE, SESSION_JSON,
    {"parent",  0, "PARENT", "NAME:STATE, or NAME for any state but starting; several with commas",   OPTION_LIST, SESSION_AT(parents), NULL},
    {"child",   0, "CHILD",  "who is started once all parents are in their states; several with commas", OPTION_LIST, SESSION_AT(children), NULL},
    {"on-loss", 0, "keep|stop|restart", "what the child does when a parent leaves its state: keep (running; the default), stop or restart", OPTION_TEXT, SESSION_AT(on_loss), NULL},
    SESSION_END,
};
/* clang-format on */

/* What is changed, with the lock held. */
struct change {
    struct session *session;
    struct colony_session_list list;
    struct colony_session_config config;
    size_t count; /* of dependences that are otherwise than before */
    struct colony_error err;
};

typedef int (*change_cb)(struct change *change, const char *parent, const char *child);

/* What is written of a process: its alias, or its name. */
static int find_title(struct change *change, const char *word, const char **title)
{
    const struct colony_session_process *found = colony_session_list_find(&change->list, word);

    if (!found)
        return colony_session_list_complain(&change->list, word, &change->err);
    *title = colony_session_process_title(found);
    return 0;
}

static bool is_title(const struct change *change, const char *word, const char *title)
{
    const struct colony_session_process *found = colony_session_list_find(&change->list, word);

    return strcmp(found ? colony_session_process_title(found) : word, title) == 0;
}

/* "NAME" of "NAME:STATE"; *state is within @word. */
static int split(struct change *change, const char *word, char name[COLONY_NAME_MAX + 1],
                 const char **state)
{
    return colony_dependence_split(word, name, COLONY_NAME_MAX + 1, state, &change->err);
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
    int word = colony_on_loss_parse(change->session->on_loss);

    if (word < 0)
        return colony_fail(&change->err, -EINVAL,
                           "cannot use --on-loss %s: it is keep, stop or restart",
                           change->session->on_loss);
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

    if (rc == 0 && change->session->on_loss)
        rc = read_on_loss(change, &on_loss);
    if (rc == 0)
        rc = find_title(change, name, &parent_title);
    if (rc == 0)
        rc = find_title(change, child, &child_title);
    if (rc < 0 || !parent_title || !child_title)
        return rc;
    known = find(change, parent_title, state, child_title);
    if (known) {
        if (change->session->on_loss && known->on_loss != on_loss) {
            known->on_loss = on_loss;
            change->count++;
        }
        return 0;
    }
    if (asprintf(&word, "%s%s%s", parent_title, state ? ":" : "", state ? state : "") < 0)
        return colony_fail(&change->err, -ENOMEM, "cannot add a dependence: out of memory");
    rc = colony_session_config_add(&change->config, child_title, word, on_loss, &change->err);
    free(word);
    change->count += rc > 0;
    return rc < 0 ? rc : 0;
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
    if (find_title(change, parent_name, &ignored) == 0)
        (void)snprintf(parent_name, sizeof parent_name, "%s", ignored);
    if (find_title(change, child_name, &ignored) == 0)
        (void)snprintf(child_name, sizeof child_name, "%s", ignored);
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
    return colony_fail(&change->err, -ENOENT,
                       "%s does not wait for %s (colony session dependence list has what there is)",
                       child_name, parent);
}

/* Runs @cb for each word between commas of each of @list. */
static int for_each(struct change *change, const struct colony_option_list *list, change_cb cb,
                    const char *parent)
{
    int rc = 0;

    for (size_t i = 0; i < list->count; i++)
        for (const char *at = list->items[i]; rc == 0; at++) {
            size_t length = strcspn(at, ",");
            char *word = strndup(at, length);

            if (!word)
                return colony_fail(&change->err, -ENOMEM, "cannot change this: out of memory");
            rc = parent ? cb(change, parent, word)
                        : for_each(change, &change->session->children, cb, word);
            free(word);
            at += length;
            if (*at == '\0')
                break;
        }
    return rc;
}

/* With the lock held. */
static int change_locked(struct change *change, change_cb cb)
{
    struct session *session = change->session;
    int rc = colony_session_config_read(&change->config, session->workspace, &change->err);

    if (rc == 0)
        rc = colony_session_list_read(&change->list, session->workspace, session_warn, NULL,
                                      &change->err);
    if (rc == 0)
        rc = for_each(change, &session->parents, cb, NULL);
    if (rc == 0 && cb == add)
        rc = colony_dependences_rank(&change->config, &change->list, NULL, &change->err);
    if (rc == 0 && change->count > 0)
        rc = colony_session_config_write_dependences(session->workspace, &change->config,
                                                     &change->err);
    if (rc == 0 && change->count > 0)
        rc = session_backend(session)->reload(session, &change->err);
    return rc;
}

static int change_all(struct session *session, change_cb cb)
{
    struct change change = {.session = session};
    int rc;

    if (session->parents.count == 0 || session->children.count == 0)
        return session_fail(EXIT_USAGE, "dependence: give --parent NAME:STATE and --child NAME");
    rc = colony_workspace_lock(session->workspace, SESSION_WAIT_MS, &change.err);
    if (rc < 0)
        return session_fail_error(&change.err);
    rc = change_locked(&change, cb);
    colony_workspace_unlock(session->workspace);
    colony_session_config_clear(&change.config);
    colony_session_list_clear(&change.list);
    if (rc < 0)
        return session_fail_error(&change.err);
    if (change.count == 0)
        printf("that is so already\n");
    return EXIT_OK;
}

/* --- list ---------------------------------------------------------------------------------------
 */

static int print_json(const struct colony_session_config *config)
{
    struct cJSON *all = cJSON_CreateArray();

    for (size_t i = 0; all && i < config->dependence_count; i++) {
        const struct colony_dependence *dependence = &config->dependences[i];
        struct cJSON *one = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(all, one) ||
            !cJSON_AddStringToObject(one, "child", dependence->child) ||
            !cJSON_AddStringToObject(one, "parent", dependence->parent) ||
            !(dependence->state ? cJSON_AddStringToObject(one, "state", dependence->state)
                                : cJSON_AddNullToObject(one, "state")) ||
            !cJSON_AddStringToObject(one, "on_loss", colony_on_loss_word(dependence->on_loss))) {
            cJSON_Delete(all);
            all = NULL;
        }
    }
    return session_print_json(all);
}

static int tell_circle(struct colony_session_config *config, const struct colony_session_list *list,
                       struct colony_error *err)
{
    struct colony_error circle;
    int rc = colony_dependences_order(config, list, NULL, &circle, err);

    if (rc == 0 && circle.code != 0)
        session_warn(circle.message, NULL);
    if (rc < 0)
        colony_session_config_clear(config);
    return rc;
}

static int list_all(struct session *session)
{
    struct colony_session_config config;
    struct colony_session_list list = {0};
    struct colony_error err = {0};
    int exit_code = EXIT_OK;
    int rc;

    if (colony_session_list_read(&list, session->workspace, session_warn, NULL, &err) < 0)
        return session_fail_error(&err);
    rc = colony_session_config_read_good(&config, session->workspace, session_warn, NULL, &err);
    if (rc == 0)
        rc = tell_circle(&config, &list, &err);
    colony_session_list_clear(&list);
    if (rc < 0)
        return session_fail_error(&err);
    if (session->is_json)
        exit_code = print_json(&config);
    for (size_t i = 0; i < config.dependence_count && !session->is_json; i++) {
        const struct colony_dependence *dependence = &config.dependences[i];

        printf("%s waits for %s%s%s%s%s\n", dependence->child, dependence->parent,
               dependence->state ? ":" : "", dependence->state ? dependence->state : "",
               dependence->on_loss == ON_LOSS_KEEP ? "" : ", on loss: ",
               dependence->on_loss == ON_LOSS_KEEP ? "" : colony_on_loss_word(dependence->on_loss));
    }
    colony_session_config_clear(&config);
    return exit_code;
}

int session_dependence(struct session *session, int argc, char **argv)
{
    const char *const names[] = {"add", "remove", "list", NULL};
    const char *nearest;

    (void)argc;
    if (strcmp(argv[1], "add") == 0)
        return change_all(session, add);
    if (strcmp(argv[1], "remove") == 0)
        return change_all(session, drop);
    if (strcmp(argv[1], "list") == 0)
        return list_all(session);
    nearest = colony_name_nearest(argv[1], names);
    return session_fail(EXIT_USAGE, "dependence: no such action: %s%s%s", argv[1],
                        nearest ? ": did you mean " : ": add, remove or list",
                        nearest ? nearest : "");
}
