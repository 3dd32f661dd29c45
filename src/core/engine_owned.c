/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_owned.c - templates that belong to a front-end which makes them of something of its own, a
 * file of a configuration directory or a process of a session: only that one changes them, because
 * it would undo in silence what anybody else did.
 */
#include <errno.h>
#include <string.h>

#include "core/engine_internal.h"
#include "core/log.h"

bool engine_is_of_directory(const struct template_entry *entry)
{
    return strcmp(entry->origin, COLONY_ORIGIN_FILE) == 0;
}

bool engine_is_of_session(const struct template_entry *entry)
{
    return strcmp(entry->origin, COLONY_ORIGIN_SESSION) == 0;
}

bool engine_is_of_program(const struct template_entry *entry)
{
    return !entry->is_removed && strcmp(entry->origin, COLONY_ORIGIN_PROGRAM) == 0;
}

int engine_check_free(const struct template_entry *entry, struct colony_error *err)
{
    const char *folder = entry->engine->settings->directories.config;
    const char *name = entry->template->name;

    if (engine_is_of_directory(entry))
        return colony_fail(err, -EBUSY,
                           "cannot change %s: the file %s/%s says what it is, change or remove "
                           "that",
                           name, folder ? folder : "", name);
    if (engine_is_of_session(entry))
        return colony_fail(err, -EBUSY,
                           "cannot change %s: it belongs to a session, which `colony session` "
                           "changes",
                           name);
    return 0;
}

int colony_engine_check_change(struct colony_engine *engine, const char *name,
                               struct colony_error *err)
{
    const struct template_entry *entry = engine_visible_entry(engine, name);

    return entry ? engine_check_free(entry, err)
                 : colony_fail(err, -ENOENT, "no such process: %s", name);
}

/* In the foreground what these print is seen where colony itself is. */
bool engine_is_forwarded(const struct template_entry *entry)
{
    const struct colony_files_settings *files = &entry->engine->settings->directories;
    enum colony_log_forward said = entry->template->log.forward;

    if (said != LOG_FORWARD_UNSAID)
        return said == LOG_FORWARD_YES;
    return engine_is_of_directory(entry) && files->forward == FORWARD_ALWAYS;
}

static int check_owner(const struct template_entry *entry, const char *origin,
                       struct colony_error *err)
{
    if (strcmp(entry->origin, origin) == 0)
        return 0;
    return colony_fail(err, -EEXIST, "cannot use the name %s: there is a process called so already",
                       entry->template->name);
}

/* What it is of is there as it was: what the recording said of it holds. */
static void confirm(struct template_entry *entry)
{
    if (!entry->is_unconfirmed)
        return;
    entry->is_unconfirmed = false;
    engine_start_entry(entry);
}

/* Takes ownership of @template, also when it fails. */
static int exchange(struct template_entry *entry, struct colony_template *template,
                    struct colony_error *err)
{
    int rc = engine_check_template(entry->engine, template, err);

    if (rc < 0) {
        colony_template_free(template);
        return rc;
    }
    entry->is_unconfirmed = false;
    rc = engine_renew_template(entry, template);
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot change all of %s: out of memory", entry->template->name);
    engine_start_entry(entry);
    engine_record(entry);
    return 0;
}

int colony_engine_put_owned(struct colony_engine *engine, const char *origin,
                            struct colony_template *template, const char *why,
                            struct colony_error *err)
{
    struct template_entry *entry = engine_visible_entry(engine, template->name);
    int rc;

    if (!entry)
        return colony_engine_add_template(engine, template, origin, why, err);
    rc = check_owner(entry, origin, err);
    if (rc == 0 && !engine_entry_to_change(engine, template->name, why, err))
        rc = err->code;
    if (rc == 0 && entry->template->hash != template->hash)
        return exchange(entry, template, err);
    if (rc == 0)
        confirm(entry);
    colony_template_free(template);
    return rc;
}

void colony_engine_keep_owned(struct colony_engine *engine, const char *origin, const char *name)
{
    struct template_entry *entry = engine_visible_entry(engine, name);

    if (entry && strcmp(entry->origin, origin) == 0)
        confirm(entry);
}

int colony_engine_drop_owned(struct colony_engine *engine, const char *origin, const char *name,
                             const char *why, struct colony_error *err)
{
    struct template_entry *entry = engine_entry_to_change(engine, name, why, err);
    int rc;

    if (!entry)
        return err->code;
    rc = check_owner(entry, origin, err);
    if (rc < 0)
        return rc;
    (void)engine_record_removed(entry); /* else it is dropped again: its file has gone */
    engine_remove_entry(entry);
    return 0;
}
