/* SPDX-License-Identifier: Apache-2.0 */
#include "core/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/gates.h"
#include "core/limits.h"
#include "core/paths.h"
#include "core/settings_internal.h"
#include "core/value.h"
#include "core/words_internal.h"

/* Where the kernel has no randomness yet, no two moments of one machine are the same. */
static uint64_t make_load_id(void)
{
    struct timespec now = {0};
    uint64_t id = 0;

    if (getrandom(&id, sizeof id, GRND_NONBLOCK) == (ssize_t)sizeof id)
        return id;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec) ^ (uint64_t)getpid() << 48;
}

void colony_settings_renew(struct colony_settings *settings)
{
    settings->load_id = make_load_id();
}

int colony_settings_new(struct colony_settings **out, struct colony_error *err)
{
    const struct colony__reading reading = {.strict = true, .err = err};
    struct colony_settings *settings = calloc(1, sizeof *settings);
    int rc = settings ? colony__sections_default(settings, &reading) : -ENOMEM;

    if (rc < 0) {
        colony_settings_free(settings);
        (void)colony_fail(err, rc, "cannot make settings: out of memory");
        return rc;
    }
    colony_settings_renew(settings);
    *out = settings;
    return 0;
}

void colony_settings_free(struct colony_settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->template_count; i++)
        colony_template_free(settings->templates[i]);
    free(settings->templates);
    colony__http_clear(&settings->http);
    colony__user_clear(&settings->user);
    colony__webhooks_clear(&settings->webhooks);
    colony__files_clear(&settings->directories);
    colony__session_clear(&settings->session);
    colony__controllers_clear(settings);
    colony__daemon_clear(settings);
    colony__events_free(settings->events);
    colony__juggler_free(settings->juggler);
    colony__rpc_clear(&settings->rpc);
    for (size_t i = 0; i < settings->file_count; i++)
        free(settings->files[i].path);
    free(settings->files);
    free(settings->exit_with);
    free(settings->state_dir);
    free(settings->name);
    free(settings->log_file);
    colony_value_free(settings->source);
    free(settings);
}

int colony__sections_read(struct colony_settings *settings, const struct colony__reading *reading)
{
    const struct colony_value *sections = colony_value_get(settings->source, "colony");
    int rc = 0;

    for (const struct colony__section *section = colony__sections; section->name && rc == 0;
         section++) {
        const struct colony_value *value = colony_value_get(sections, section->name);

        if (!value || value->type == VALUE_NULL)
            continue;
        if (section->read)
            rc = section->read(settings, value, reading);
        else
            rc = colony__setting_fail(reading, value, -EINVAL,
                                      "cannot use section `%s`: this version of colony does not "
                                      "have it",
                                      section->name);
    }
    return rc;
}

/* The keeper trusts `user:` with root's power, so only root may have written any of it. */
static int check_owner(const struct colony_settings *settings,
                       const struct colony__reading *reading)
{
    const struct colony_value *user =
        colony_value_get(colony_value_get(settings->source, "colony"), "user");

    if (!user || user->type == VALUE_NULL || geteuid() != 0)
        return 0;
    for (size_t i = 0; i < settings->file_count; i++)
        if (!settings->files[i].is_roots)
            return colony__setting_fail(reading, user, -EPERM,
                                        "cannot use section `user`: %.200s must belong to root and "
                                        "be writable by nobody else (chown root, chmod go-w)",
                                        settings->files[i].path);
    return 0;
}

/* @reason about the template @index, at the place of its setting @name. */
static int fail_template(const struct colony__reading *reading,
                         const struct colony_settings *settings, size_t index, const char *name,
                         const struct colony_error *reason)
{
    const struct colony_value *sections = colony_value_get(settings->source, "colony");
    const struct colony_value *template = colony_value_get(sections, "processes")->child;
    const struct colony_value *place;

    for (size_t i = 0; i < index; i++)
        template = template->next;
    place = colony_value_get(template, name);
    return colony__setting_fail(reading, place ? place : template, reason->code, "%s",
                                reason->message);
}

/* What is to be said of the templates of files, each alone and all together. */
static int check_templates(const struct colony_settings *settings,
                           const struct colony__reading *reading)
{
    const struct colony_template *const *templates =
        (const struct colony_template *const *)settings->templates;
    struct colony_error reason = {0};
    size_t culprit = 0;
    int rc;

    for (size_t i = 0; i < settings->template_count; i++)
        if (colony_limits_check(templates[i], &reason) < 0)
            return fail_template(reading, settings, i, "limits", &reason);
    rc = colony_gates_check(templates, settings->template_count, &culprit, &reason);
    if (rc == 0 || rc == -ENOMEM)
        return rc;
    return fail_template(reading, settings, culprit, "depends_on", &reason);
}

/* Unless it was given, the name of the file without its ending, if that can be one. */
static int settle_name(struct colony_settings *settings, const char *path)
{
    const struct colony_value *own = colony_value_get(settings->source, "colony");
    const struct colony_value *given = colony_value_get(own, "name");
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    char *name;

    if (given && given->type != VALUE_NULL)
        return 0;
    name = dot && dot > base ? strndup(base, (size_t)(dot - base)) : strdup(base);
    if (!name)
        return -ENOMEM;
    if (colony_name_check(name, NULL) < 0) {
        free(name);
        return 0;
    }
    free(settings->name);
    settings->name = name;
    return 0;
}

/* All of settings->source. @path: what it is named after. */
static int read_source(struct colony_settings *settings, const char *path, struct colony_error *err)
{
    const struct colony__reading reading = {.files = settings->files, .strict = true, .err = err};
    int rc = check_owner(settings, &reading);

    if (rc == 0)
        colony__sections_hash(settings);
    if (rc == 0)
        rc = colony__sections_read(settings, &reading);
    if (rc == 0)
        rc = check_templates(settings, &reading);
    if (rc == 0)
        rc = settle_name(settings, path);
    return rc == 0 ? colony__events_check(settings, &reading) : rc;
}

/* What has come of reading @settings, which it takes over. */
static int finish(struct colony_settings **out, struct colony_settings *settings, int rc,
                  const char *path, struct colony_error *err)
{
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot load %s: out of memory", path);
    if (rc < 0) {
        colony_settings_free(settings);
        return rc;
    }
    colony__settings_drop_sections(settings);
    *out = settings;
    return 0;
}

int colony__settings_load(struct colony_settings **out, const char *path, const char *etc,
                          struct colony_error *err)
{
    struct colony_settings *settings = NULL;
    int rc = colony_settings_new(&settings, err);

    if (rc < 0)
        return rc;
    rc = colony__include_load(settings, path, etc, err);
    if (rc == 0)
        rc = read_source(settings, path, err);
    return finish(out, settings, rc, path, err);
}

int colony_settings_load_text(struct colony_settings **out, const char *text, size_t size,
                              const char *name, struct colony_error *err)
{
    struct colony_settings *settings = NULL;
    int rc = colony_settings_new(&settings, err);

    if (rc < 0)
        return rc;
    rc = colony__include_text(settings, "settings", text, size, err);
    if (rc == 0)
        rc = read_source(settings, name, err);
    return finish(out, settings, rc, "settings", err);
}

int colony_settings_load(struct colony_settings **out, const char *path, struct colony_error *err)
{
    return colony__settings_load(out, path, COLONY_ETC, err);
}

bool colony__settings_has_default(const char *etc)
{
    static const char *const names[] = {"colony.yaml", "conf.d", NULL};
    char path[PATH_MAX];

    for (const char *const *name = names; *name; name++)
        if ((size_t)snprintf(path, sizeof path, "%s/%s", etc, *name) < sizeof path &&
            access(path, F_OK) == 0)
            return true;
    return false;
}

const char *colony_settings_default_path(void)
{
    return colony__settings_has_default(COLONY_ETC) ? COLONY_ETC "/colony.yaml" : NULL;
}

static const char *nearest_template(const struct colony_settings *settings, const char *name)
{
    const char **names = calloc(settings->template_count + 1, sizeof(char *));
    const char *nearest = NULL;

    if (!names)
        return NULL;
    for (size_t i = 0; i < settings->template_count; i++)
        names[i] = settings->templates[i]->name;
    nearest = colony_name_nearest(name, names);
    free(names);
    return nearest;
}

int colony_settings_set_exit_with(struct colony_settings *settings, const char *name,
                                  struct colony_error *err)
{
    const char *nearest;
    size_t i = 0;
    char *copy;

    while (i < settings->template_count && strcmp(settings->templates[i]->name, name) != 0)
        i++;
    if (i == settings->template_count) {
        nearest = nearest_template(settings, name);
        return colony_fail(err, -ENOENT, "cannot end with `%.100s`: there is no such process%s%s%s",
                           name, nearest ? ", did you mean `" : "", nearest ? nearest : "",
                           nearest ? "`?" : "");
    }
    copy = strdup(name);
    if (!copy)
        return colony_fail(err, -ENOMEM, "cannot end with `%.100s`: out of memory", name);
    free(settings->exit_with);
    settings->exit_with = copy;
    return 0;
}
