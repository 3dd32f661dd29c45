/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_saved.c - attributes that outlive the program.
 *
 * What is to be saved is noted in an rpc_attributes, which saves it: values that the library keeps
 * when they have changed, those that functions of the program's tell by asking again and again.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/json_print.h"
#include "core/log.h"
#include "core/paths.h"
#include "rpc/attributes_internal.h"
#include "rpc/pst.h"
#include "rpc_internal.h"

/* --- where they are kept -----------------------------------------------------------------------
 */

/* These run on a thread of libuv's, which has the signal mask of who happened to begin it. */

static int call_load(const struct colony_rpc_daemon *daemon, cJSON **saved,
                     struct colony_error *err)
{
    sigset_t before;
    int rc;

    (void)pthread_sigmask(SIG_SETMASK, &daemon->mask, &before);
    rc = daemon->persister.load(saved, daemon->persister.data, err);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int call_save(const struct colony_rpc_daemon *daemon, const cJSON *attributes,
                     struct colony_error *err)
{
    sigset_t before;
    int rc;

    (void)pthread_sigmask(SIG_SETMASK, &daemon->mask, &before);
    rc = daemon->persister.save(attributes, daemon->persister.data, err);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int load(void *data, char **text, struct colony_error *err)
{
    cJSON *saved = NULL;
    struct colony_error reason = {0};
    int rc = call_load(data, &saved, &reason);

    *text = rc >= 0 && saved ? colony_json_print(saved) : NULL;
    if (rc >= 0 && saved && !*text)
        rc = colony_fail_os(&reason, -ENOMEM, "cannot read what was saved");
    cJSON_Delete(saved);
    if (rc >= 0)
        return 0;
    if (reason.message[0] == '\0')
        return colony_fail_os(err, rc, "cannot read what was saved");
    return colony_fail(err, rc, "%s", reason.message);
}

static int save(void *data, const char *text, struct colony_error *err)
{
    cJSON *attributes = cJSON_Parse(text);
    struct colony_error reason = {0};
    int rc = attributes ? call_save(data, attributes, &reason) : -ENOMEM;

    cJSON_Delete(attributes);
    if (rc >= 0)
        return 0;
    if (reason.message[0] == '\0')
        return colony_fail_os(err, rc, "cannot save the attributes");
    return colony_fail(err, rc, "%s", reason.message);
}

static int place_file(const struct colony_rpc_daemon *daemon, char *path, size_t size,
                      struct colony_error *err)
{
    const struct colony_pst_settings *pst = &daemon->settings->rpc.pst;
    char base[PATH_MAX / 2];
    int rc;

    if (pst->file_path) {
        (void)snprintf(path, size, "%s", pst->file_path);
        return 0;
    }
    rc = colony_default_state_dir(base, sizeof base);
    if (rc < 0)
        return colony_fail(err, rc,
                           "cannot find a place for the attributes: there is no home, say `pst: "
                           "{file_path: FILE}`");
    (void)snprintf(path, size, "%s/rpc/%s.%s", base, daemon->name,
                   pst->class_name == PST_SQLITE ? "db" : "json");
    colony_make_folders_above(path, 0711); /* what fails is told when the file is made */
    return 0;
}

/* Two that save in the same place would each undo what the other saved. */
static int lock_file(struct colony_rpc_daemon *daemon, const char *path, struct colony_error *err)
{
    char lock[PATH_MAX];

    (void)snprintf(lock, sizeof lock, "%.4000s.lock", path);
    daemon->lock_fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (daemon->lock_fd < 0)
        return colony_fail_os(err, -errno, "cannot keep attributes in %s", path);
    if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return colony_fail(
            err, -EBUSY, "cannot keep attributes in %s: another daemon keeps its own there", path);
    return colony_fail_os(err, -errno, "cannot keep attributes in %s", path);
}

static int make_pst(struct colony_rpc_daemon *daemon, struct colony_rpc_pst **pst,
                    struct colony_error *err)
{
    const struct colony_rpc_keeping keeping = {load, save, daemon};
    const struct colony_pst_settings *settings = &daemon->settings->rpc.pst;
    char path[PATH_MAX] = "";
    int rc = 0;

    if (daemon->persister.load)
        return colony_rpc_pst_new_kept(pst, &daemon->loop, &keeping, err);
    if (settings->class_name != PST_S3 && settings->class_name != PST_NONE)
        rc = place_file(daemon, path, sizeof path, err);
    if (rc == 0 && path[0] != '\0')
        rc = lock_file(daemon, path, err);
    return rc == 0 ? colony_rpc_pst_new(pst, &daemon->loop, settings, path, daemon->name, err) : rc;
}

int colony__rpcd_make_saved(struct colony_rpc_daemon *daemon, struct colony_error *err)
{
    uint64_t frequency_ms = daemon->settings->rpc.pst.frequency_ms;
    uint64_t look_ms = colony__rpcd_look_ms(daemon);
    struct colony_rpc_pst *pst = NULL;
    bool has_saved = false;
    int rc = 0;

    for (const struct colony__rpcd_member *at = daemon->members; at; at = at->next)
        has_saved |= at->is_saved;
    if (has_saved)
        rc = make_pst(daemon, &pst, err);
    if (rc == 0) /* half the time for the look, half for the disk */
        rc = rpc_attributes_new(&daemon->attributes, &daemon->loop, pst, frequency_ms - look_ms,
                                err);
    if (rc < 0)
        colony_rpc_pst_free(pst);
    return rc;
}

/* --- the beginning -----------------------------------------------------------------------------
 */

/* One that is not taken leaves the program's own value, which is saved then. */
static void on_set(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job)
{
    if (job->rc < 0)
        colony_log(SEVERITY_WARNING, "%s does not take the saved value of %s: %s", daemon->name,
                   job->member->name, job->error.message);
}

static void set_one(struct colony_rpc_daemon *daemon, struct colony__rpcd_member *member,
                    const char *json)
{
    struct colony__rpcd_job *job;
    struct colony_error err = {0};

    if (!member->attribute.get) {
        char *copy = strdup(json);

        if (copy) {
            (void)pthread_mutex_lock(&daemon->lock);
            free(member->value);
            member->value = copy;
            (void)pthread_mutex_unlock(&daemon->lock);
            return;
        }
    } else if ((job = colony__rpcd_make_job(RPCD_SET, member, json))) {
        job->done = on_set;
        (void)colony__rpcd_submit(daemon, job); /* the daemon's own are always taken */
        return;
    }
    (void)colony_fail_os(&err, -ENOMEM, "cannot set what was saved of %s", member->name);
    colony__rpcd_fail(daemon, &err);
}

void colony__rpcd_set_saved(struct colony_rpc_daemon *daemon)
{
    for (struct colony__rpcd_member *at = daemon->members; at; at = at->next) {
        const char *json = at->is_saved ? rpc_attributes_get(daemon->attributes, at->name) : NULL;

        if (json)
            set_one(daemon, at, json);
        (void)pthread_mutex_lock(&daemon->lock);
        at->has_changed = at->is_saved && at->value; /* what is new is saved, too */
        daemon->has_changes |= at->has_changed;
        (void)pthread_mutex_unlock(&daemon->lock);
    }
}

/* --- what has changed --------------------------------------------------------------------------
 */

static void note(struct colony_rpc_daemon *daemon, const struct colony__rpcd_member *member,
                 const char *json)
{
    struct colony_error err = {0};

    if (json && rpc_attributes_set(daemon->attributes, member->name, json, &err) < 0)
        colony_log(SEVERITY_ERROR, "cannot save %s of %s: %s", member->name, daemon->name,
                   err.message);
}

void colony__rpcd_take_changes(struct colony_rpc_daemon *daemon)
{
    bool has_changes;

    (void)pthread_mutex_lock(&daemon->lock);
    has_changes = daemon->has_changes;
    daemon->has_changes = false;
    (void)pthread_mutex_unlock(&daemon->lock);
    for (struct colony__rpcd_member *at = daemon->members; at && has_changes; at = at->next) {
        char *json = NULL;

        (void)pthread_mutex_lock(&daemon->lock);
        if (at->has_changed)
            json = strdup(at->value);
        if (json)
            at->has_changed = false;
        else
            daemon->has_changes |= at->has_changed; /* no memory: another time */
        (void)pthread_mutex_unlock(&daemon->lock);
        note(daemon, at, json);
        free(json);
    }
}

static void on_looked(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job)
{
    daemon->looks--;
    if (job->rc >= 0)
        note(daemon, job->member, job->result ? job->result : "null");
    else
        colony_log(SEVERITY_WARNING, "%s does not tell %s, which is to be saved: %s", daemon->name,
                   job->member->name, job->error.message);
}

void colony__rpcd_look_at(struct colony_rpc_daemon *daemon, struct colony__rpcd_member *member)
{
    struct colony__rpcd_job *job = colony__rpcd_make_job(RPCD_GET, member, NULL);

    if (!job)
        return; /* what was told before is saved */
    job->done = on_looked;
    daemon->looks++;
    (void)colony__rpcd_submit(daemon, job);
}

void colony__rpcd_look(struct colony_rpc_daemon *daemon)
{
    for (struct colony__rpcd_member *at = daemon->members; at; at = at->next)
        if (at->is_saved && at->attribute.get)
            colony__rpcd_look_at(daemon, at);
}

uint64_t colony__rpcd_look_ms(const struct colony_rpc_daemon *daemon)
{
    for (const struct colony__rpcd_member *at = daemon->members; at; at = at->next)
        if (at->is_saved && at->attribute.get)
            return daemon->settings->rpc.pst.frequency_ms / 2;
    return 0;
}
