/* SPDX-License-Identifier: Apache-2.0 */
/* verb_attach_find.c - which process of the session one that is attached is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "session/names.h"
#include "session/process.h"
#include "session/verb_internal.h"

static bool has_same_cmdline(const struct colony_session_process *left,
                             const struct colony_session_process *right)
{
    size_t i = 0;

    if (!left->cmdline || !right->cmdline)
        return false;
    while (left->cmdline[i] && right->cmdline[i] &&
           strcmp(left->cmdline[i], right->cmdline[i]) == 0)
        i++;
    return !left->cmdline[i] && !right->cmdline[i];
}

/* The one that @fresh is already. */
static struct colony_session_process *find_living(const struct colony_session_list *list,
                                                  const struct colony_session_process *fresh)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].pid == fresh->pid && list->items[i].start_ticks == fresh->start_ticks &&
            colony_session_process_is_alive(&list->items[i]))
            return &list->items[i];
    return NULL;
}

/* The one with @alias is meant, if it is down and was the same program; there may be none. */
static int find_alias(const struct colony_session_list *list, const char *alias,
                      const struct colony_session_process *fresh,
                      struct colony_session_process **out, struct colony_error *err)
{
    struct colony_session_process *known = colony_session_list_find(list, alias);

    *out = known;
    if (!known)
        return 0;
    if (colony_session_process_is_alive(known))
        return colony_fail(err, -EEXIST, "cannot attach process %d as %s: that runs as pid %d",
                           (int)fresh->pid, alias, (int)known->pid);
    if (!has_same_cmdline(known, fresh) && (!known->uri || strcmp(known->uri, fresh->uri) != 0))
        return colony_fail(err, -EEXIST,
                           "cannot attach process %d as %s: that is %s, which runs something else; "
                           "choose another alias, or detach that one",
                           (int)fresh->pid, alias, known->name);
    return 0;
}

/* One that was attached, is down, and was started again by hand. */
static struct colony_session_process *find_uri(const struct colony_session_list *list,
                                               const char *uri)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].uri && strcmp(list->items[i].uri, uri) == 0 &&
            !colony_session_process_is_alive(&list->items[i]))
            return &list->items[i];
    return NULL;
}

static bool is_of_another(const char *name, void *data)
{
    return colony_session_list_find(data, name) != NULL;
}

/* One that ran as root may be somebody else's by now: it is started again as what it is. */
static void move_owner(struct colony_session_process *to, struct colony_session_process *from)
{
    char *uid = to->uid;
    char *gid = to->gid;
    char **groups = to->groups;

    to->uid = from->uid;
    to->gid = from->gid;
    to->groups = from->groups;
    from->uid = uid;
    from->gid = gid;
    from->groups = groups;
}

/* What the session knows of it stays, but for its life and as whom it runs. */
static int take_over(struct colony_session_process *out, struct colony_session_process *fresh,
                     const struct colony_session_process *known)
{
    struct colony_session_process process = {0};

    if (colony_session_process_copy(&process, known) < 0)
        return -ENOMEM;
    free(process.boot);
    process.boot = fresh->boot;
    fresh->boot = NULL;
    process.pid = fresh->pid;
    move_owner(&process, fresh);
    process.start_ticks = fresh->start_ticks;
    *out = process;
    return 0;
}

static int make_new(struct colony_session_process *out, struct colony_session_process *fresh,
                    const struct colony_session_list *list)
{
    char name[COLONY_WORDS_MAX];

    colony_session_name(name, fresh->uri, is_of_another, (void *)list);
    fresh->name = strdup(name);
    if (!fresh->name)
        return -ENOMEM;
    *out = *fresh;
    *fresh = (struct colony_session_process){0};
    return 0;
}

int colony__verb_acquaint(const struct colony_session *session,
                          struct colony_session_process *fresh, const char *alias,
                          struct colony_verb_attached *out, struct colony_error *err)
{
    struct colony_session_list list = {0};
    struct colony_session_process *known = NULL;
    int rc =
        colony_session_list_read(&list, session->workspace, session->problem, session->data, err);

    if (rc < 0)
        return rc;
    known = find_living(&list, fresh);
    out->before = known ? ATTACHED_ALREADY : ATTACHED_NEW;
    if (!known && alias)
        rc = find_alias(&list, alias, fresh, &known, err);
    if (rc == 0 && !known)
        known = find_uri(&list, fresh->uri);
    if (rc == 0) {
        if (known && out->before == ATTACHED_NEW)
            out->before = ATTACHED_AGAIN;
        rc = known ? take_over(&out->process, fresh, known) : make_new(&out->process, fresh, &list);
        if (rc < 0)
            (void)colony_fail_os(err, rc, "cannot attach process %d", (int)fresh->pid);
    }
    colony_session_list_clear(&list);
    return rc;
}
