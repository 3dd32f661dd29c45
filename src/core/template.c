/* SPDX-License-Identifier: Apache-2.0 */
#include "core/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/command_internal.h"
#include "core/error.h"
#include "core/identity_internal.h"
#include "core/setting_internal.h"
#include "core/template_internal.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

#define AT(field) offsetof(struct colony_template, field)
#define LOG_AT(field) offsetof(struct colony_log_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define WHOLE 0 /* the type fills several fields of the template */
#define TEXT &colony__setting_text
#define FLAG &colony__setting_flag
#define COUNT &colony__setting_count
#define SECONDS &colony__setting_seconds
#define BYTES &colony__setting_bytes
#define TEXTS &colony__setting_texts
#define CHOICE &colony__setting_choice

static const char *const log_full_names[] = {
    [LOG_FULL_DROP] = "drop", [LOG_FULL_BLOCK] = "block", NULL};
static const enum colony_log_mode direct_mode = LOG_DIRECT;
static const enum colony_log_mode none_mode = LOG_NONE;

/* clang-format off */
static const struct colony__setting log_settings[] = {
    {"size",    BYTES,  0, "16777216", LOG_AT(size_bytes), RANGE(4096, INT64_C(1) << 50),
     "start a new file when this one has so many bytes"},
    {"count",   COUNT,  0, "5",        LOG_AT(count),      RANGE(0, 1000),
     "how many old files are kept"},
    {"on_full", CHOICE, 0, "drop",     LOG_AT(on_full),    log_full_names,
     "when the log can't be written: lose output and count it, or let the process wait"},
    {"forward", FLAG,   0, "false",    LOG_AT(forward),    NULL,
     "lines also go to colony's own log, as `NAME.N: line`"},
    {"direct",  &colony__log_mode, 0, "false", LOG_AT(mode), &direct_mode,
     "the process writes to the file itself; it is not rotated"},
    {"none",    &colony__log_mode, 0, "false", LOG_AT(mode), &none_mode,
     "output goes to /dev/null"},
    {0},
};

static const struct colony__setting template_settings[] = {
    {"name",         &colony__setting_later, 0, NULL, WHOLE, NULL, "what it is called"},
    {"cmd",          TEXT,  COLONY__REQUIRED, NULL, AT(cmd), NULL,
     "program to run, with its arguments unless there are `args`"},
    {"args",         &colony__setting_later, 0, NULL, WHOLE, NULL,
     "arguments, as a list or as a text to split; $NAME is replaced from `env`"},
    {"env",          &colony__setting_later, 0, "{}", WHOLE, NULL, "environment variables"},
    {"env_inherit",  &colony__env_names, 0, "[]", AT(env_inherit), NULL,
     "names of variables that are passed on from colony's own environment"},
    {"os_env",       FLAG,  0, "true", AT(os_env), NULL, "pass on all of colony's environment"},
    {"uid",          &colony__setting_later, 0, NULL, WHOLE, NULL,
     "user to run as, a name or a number"},
    {"gid",          &colony__setting_later, 0, NULL, WHOLE, NULL,
     "group to run as; the user's own unless given"},
    {"groups",       &colony__setting_later, 0, "[]", WHOLE, NULL, "supplementary groups"},
    {"cwd",          TEXT,  0, NULL, AT(cwd), NULL, "folder to run in"},
    {"umask",        &colony__umask,   0, NULL, WHOLE, NULL,
     "mode bits that new files do not get, as \"022\""},
    {"nice",         &colony__nice,    0, NULL, WHOLE, RANGE(-20, 19),
     "priority on the CPU: -20 first, 19 last"},
    {"rlimits",      &colony__rlimits, 0, "{}", WHOLE, NULL,
     "limits such as nofile: a number, unlimited, or a map of soft and hard"},
    {"shell",        FLAG,  0, "false", AT(shell), NULL, "run it by /bin/sh -c"},
    {"numprocesses", COUNT, 0, "1", AT(numprocesses), RANGE(0, COLONY_SLOTS_MAX),
     "how many processes are kept alive"},
    {"graceful_timeout", SECONDS, 0, "10", AT(grace_ms), NULL,
     "how long a process may take to stop before it is killed"},
    {"stop_signal",  &colony__signal,  0, "SIGTERM", AT(stop_signal), NULL,
     "signal that asks it to stop"},
    {"stop_group",   FLAG,  0, "false", AT(stop_group), NULL,
     "send the stop signal to its whole process group"},
    {"detach",       FLAG,  0, "false", AT(detach), NULL,
     "start and forget: it outlives colony"},
    {"log",          &colony__log, 0, "{}", AT(log), log_settings,
     "where output goes: `none`, or a map"},
    {"start",        FLAG,  0, "true", AT(start), NULL, "start it when it is loaded"},
    {"priority",     COUNT, 0, "1000000", AT(priority), RANGE(0, COLONY_PRIORITY_LAST),
     "order of starting, 0 first"},
    {0},
};
/* clang-format on */

static int append_name(struct colony_value *source, const char *name)
{
    struct colony_value *member = colony__value_new(VALUE_STRING);

    if (!member)
        return -ENOMEM;
    member->key = strdup("name");
    member->text = strdup(name);
    if (!member->key || !member->text) {
        colony_value_free(member);
        return -ENOMEM;
    }
    member->next = source->child;
    source->child = member;
    return 0;
}

static int check_name(const char *name, const struct colony_value *place,
                      const struct colony__reading *reading)
{
    struct colony_error reason;

    if (colony_name_check(name, &reason) == 0)
        return 0;
    return colony__setting_fail(reading, place, -EINVAL, "%s", reason.message);
}

/* Sets the template's name, from @name or the member of that name or both. */
static int read_name(struct colony_template *template, const char *name,
                     const struct colony__reading *reading)
{
    const struct colony_value *member = colony_value_get(template->source, "name");
    int rc;

    if (member && member->type != VALUE_STRING)
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use `name`: it must be a text");
    if (!member && !name)
        return colony__setting_fail(reading, template->source, -EINVAL,
                                    "cannot use these settings: `name` is missing");
    rc = check_name(member ? member->text : name, member ? member : template->source, reading);
    if (rc < 0)
        return rc;
    if (member && name && strcmp(member->text, name) != 0)
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use the name `%s`: it is called `%.200s` already",
                                    member->text, name);
    template->name = strdup(member ? member->text : name);
    if (!template->name)
        return -ENOMEM;
    return member ? 0 : append_name(template->source, name);
}

static int fill(struct colony_template *template, const char *name,
                const struct colony__reading *reading)
{
    int rc = read_name(template, name, reading);

    if (rc == 0)
        rc = colony__command_settle(template->source);
    if (rc == 0)
        rc = colony__settings_read(reading, template_settings, template->source, template);
    if (rc == 0)
        rc = colony__command_read(template, reading);
    if (rc == 0)
        rc = colony__identity_read(&template->identity, template->source, reading);
    if (rc == 0)
        template->hash = template->process_hash = colony_value_hash(template->source);
    template->restart = colony_restart_default;
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_template_new(struct colony_template **out, const char *name,
                        const struct colony_value *source, const char *file, bool strict,
                        struct colony_error *err)
{
    struct colony__reading reading = {.file = file, .strict = strict, .err = err};
    struct colony_template *template;
    int rc;

    if (source->type != VALUE_MAP)
        return colony__setting_fail(&reading, source, -EINVAL,
                                    "cannot use %s: it must be a map of settings",
                                    colony__setting_label(source).text);
    template = calloc(1, sizeof *template);
    rc = template ? colony_value_copy(&template->source, source) : -ENOMEM;
    if (rc == 0)
        rc = fill(template, name, &reading);
    if (rc == -ENOMEM)
        (void)colony_fail(err, rc, "cannot load a template: out of memory");
    if (rc < 0)
        colony_template_free(template);
    else
        *out = template;
    return rc;
}

void colony_template_free(struct colony_template *template)
{
    if (!template)
        return;
    free(template->name);
    free(template->cmd);
    free(template->cwd);
    colony__words_free(template->argv);
    colony__words_free(template->env);
    colony__words_free(template->env_inherit);
    colony_value_free(template->source);
    free(template);
}

cJSON *colony_template_to_json(const struct colony_template *template)
{
    return colony__settings_with_defaults(template_settings, template->source);
}
