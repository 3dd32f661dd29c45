/* SPDX-License-Identifier: Apache-2.0 */
/* session_look.c - sessions of the library: what processes are like, now and once they are as one
 * wants them. */
#include <errno.h>

#include <cjson/cJSON.h>

#include "session/view.h"
#include "session_internal.h"

int colony_session_wait(struct colony_session *session, const char *who, const char *condition,
                        uint64_t timeout_ms, struct colony_error *err)
{
    struct colony_error told = {0};

    return colony__session_end(colony_verb_wait(session, who, condition, timeout_ms, &told), &told,
                               err);
}

/* --- fingerprints -------------------------------------------------------------------------------
 */

/* What is asked of @of can be answered. */
static int check(const struct colony_verb_fingerprint *of, const struct colony_session_look *how,
                 struct colony_error *err)
{
    const char *title = colony_session_process_title(&of->process);

    if ((how->saves || how->compares) && !of->is_alive)
        return colony_fail(err, -ESRCH, "cannot look at %s: it is not running", title);
    if (how->state && !how->saves && !colony_verb_fingerprint_state(of, how->state))
        return colony_fail(err, -ENOENT, "cannot find the state %s of %s", how->state, title);
    return 0;
}

/* What was just saved is read again for who wants to see it. */
static int look(struct colony_session *session, const char *who,
                const struct colony_session_look *how, struct colony_verb_fingerprint *of,
                struct colony_error *err)
{
    int rc = colony_verb_fingerprint(session, who, of, err);

    if (rc == 0)
        rc = check(of, how, err);
    if (rc < 0 || !how->saves)
        return rc;
    rc = colony_verb_fingerprint_save(session, of, how->state, err);
    if (rc < 0 || !how->state)
        return rc;
    colony_verb_fingerprint_clear(of);
    return colony_verb_fingerprint(session, who, of, err);
}

int colony_session_fingerprint(struct colony_session *session, const char *who,
                               const struct colony_session_look *how, struct cJSON **out,
                               struct colony_error *err)
{
    static const struct colony_session_look all = {0};
    struct colony_verb_fingerprint of = {0};
    struct colony_error told = {0};
    struct cJSON *json;
    int rc;

    how = how ? how : &all;
    rc = look(session, who, how, &of, &told);
    if (rc == 0 && out) {
        json = colony_verb_fingerprint_json(&of, how->state, how->compares);
        if (json)
            *out = json;
        else
            rc = colony_fail_os(&told, -ENOMEM, "cannot show the fingerprint");
    }
    colony_verb_fingerprint_clear(&of);
    return colony__session_end(rc, &told, err);
}

/* --- all of a process ---------------------------------------------------------------------------
 */

static struct cJSON *show(const struct colony_view *view, const struct colony_sight *sight,
                          struct colony_error *err)
{
    struct cJSON *json = colony_view_json(view, sight);

    if (!json)
        (void)colony_fail_os(err, -ENOMEM, "cannot show %s",
                             colony_session_process_title(sight->process));
    return json;
}

int colony_session_find(struct colony_session *session, const char *who, struct cJSON **out,
                        struct colony_error *err)
{
    struct colony_error told = {0};
    const struct colony_sight *sight;
    struct colony_view view;
    int rc = colony_view_take(&view, session, &told);

    if (rc < 0)
        return colony__session_end(rc, &told, err);
    sight = colony_view_find(&view, who);
    if (sight) {
        struct cJSON *json = show(&view, sight, &told);

        rc = json ? 0 : -ENOMEM;
        if (json)
            *out = json;
    } else {
        rc = colony_session_list_complain(&view.list, who, &told);
    }
    colony_view_clear(&view);
    return colony__session_end(rc, &told, err);
}

int colony_session_each(struct colony_session *session,
                        int (*cb)(const struct cJSON *process, void *data), void *data,
                        struct colony_error *err)
{
    struct colony_error told = {0};
    struct colony_view view;
    int rc = colony_view_take(&view, session, &told);

    if (rc < 0)
        return colony__session_end(rc, &told, err);
    for (size_t i = 0; rc == 0 && i < view.list.count; i++) {
        struct cJSON *json = show(&view, &view.sights[i], &told);

        if (!json) {
            rc = colony__session_end(-ENOMEM, &told, err);
            break;
        }
        rc = cb(json, data);
        cJSON_Delete(json);
    }
    colony_view_clear(&view);
    return rc;
}
