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

#define AT(field) offsetof(struct colony__draft, template.field)
#define DRAFT_AT(field) offsetof(struct colony__draft, field)
#define LOG_AT(field) offsetof(struct colony_log_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define WHOLE 0 /* the type fills several fields of the draft */
#define TEXT &colony__setting_text
#define FLAG &colony__setting_flag
#define COUNT &colony__setting_count
#define SECONDS &colony__setting_seconds
#define BYTES &colony__setting_bytes
#define TEXTS &colony__setting_texts
#define CHOICE &colony__setting_choice

enum {
    PORT_MAX = 65535,
};

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
    {"forward", &colony__log_forward, 0, NULL, LOG_AT(forward), NULL,
     "lines also go to colony's own log, as `NAME: line`, or `NAME.N: line` with `numprocesses` above 1; unless given, those that `forward` of `files` says"},
    {"direct",  &colony__log_mode, 0, "false", LOG_AT(mode), &direct_mode,
     "the process writes to the file itself; it is not rotated"},
    {"none",    &colony__log_mode, 0, "false", LOG_AT(mode), &none_mode,
     "output goes to /dev/null"},
    {"out",     &colony__log_path, 0, NULL, LOG_AT(out), NULL,
     "with `direct`: the file for its output, instead of one in the state folder"},
    {"err",     &colony__log_path, 0, NULL, LOG_AT(err), NULL,
     "with `direct`: a file of its own for stderr"},
    {0},
};

const struct colony__setting colony__template_settings[] = {
    {"name",         &colony__name, 0, NULL, WHOLE, NULL,
     "what it is called; what stands before a `:` is its group"},
    {"cmd",          TEXT,  COLONY__REQUIRED, NULL, AT(cmd), NULL,
     "program to run, with its arguments unless there are `args`"},
    {"args",         &colony__args, 0, NULL, WHOLE, NULL,
     "arguments, as a list or as a text to split; $NAME is replaced from `env` and `env_file`"},
    {"env",          &colony__env, 0, "{}", WHOLE, NULL,
     "environment variables; they win over those of `env_file`"},
    {"env_file",     &colony__env_file, 0, "[]", WHOLE, NULL,
     "files of NAME=VALUE lines, the last one wins; with a - before its path one may be missing"},
    {"env_inherit",  &colony__env_names, 0, "[]", AT(env_inherit), NULL,
     "names of variables that are passed on from colony's own environment"},
    {"os_env",       FLAG,  0, "true", AT(os_env), NULL, "pass on all of colony's environment"},
    {"mark",         FLAG,  0, "true", AT(mark),
     NULL, "put COLONY_ID into the environment: without cgroups, what it leaves behind is found by it"},
    {"uid",          &colony__user, 0, NULL, WHOLE, NULL, "user to run as"},
    {"gid",          &colony__group, 0, NULL, WHOLE, NULL,
     "group to run as; the user's own unless given"},
    {"groups",       &colony__groups, 0, "[]", WHOLE, NULL, "supplementary groups"},
    {"cwd",          TEXT,  0, NULL, AT(cwd), NULL, "folder to run in"},
    {"umask",        &colony__umask,   0, NULL, WHOLE, NULL,
     "mode bits that new files do not get, as \"022\""},
    {"nice",         &colony__nice,    0, NULL, WHOLE, RANGE(-20, 19),
     "priority on the CPU: -20 first, 19 last"},
    {"oom_score_adj", &colony__oom_score_adj, 0, NULL, WHOLE, RANGE(-1000, 1000),
     "when memory runs out: 1000 is killed first, -1000 never"},
    {"rlimits",      &colony__rlimits, 0, "{}", WHOLE, NULL,
     "limits such as nofile: a number, unlimited, or a map of soft and hard"},
    {"limits",       &colony__setting_table, 0, NULL, DRAFT_AT(limits), colony__limits_settings,
     "limits of all its processes together, by cgroup, for each of `numprocesses`"},
    {"shell",        FLAG,  0, "false", AT(shell), NULL, "run it by /bin/sh -c"},
    {"numprocesses", COUNT, COLONY__LIVE, "1", AT(numprocesses), RANGE(0, COLONY_SLOTS_MAX),
     "how many processes are kept alive"},
    {"port",         COUNT, 0, "0", AT(port), RANGE(0, PORT_MAX),
     "sets PORT: process 1 gets this one, process 2 the next, and so on; 0: none"},
    {"graceful_timeout", SECONDS, COLONY__LIVE, "10", AT(grace_ms), NULL,
     "how long a process may take to stop before the next `stop_signal` is sent, or it is killed"},
    {"stop_signal",  &colony__stop_signals, COLONY__LIVE, "SIGTERM", AT(stop_signals), NULL,
     "signal that asks it to stop, or several, each in turn"},
    {"stop_group",   FLAG,  COLONY__LIVE, "false", AT(stop_group), NULL,
     "send the stop signal to its whole process group"},
    {"detach",       FLAG,  0, "false", AT(detach), NULL,
     "start and forget: it outlives colony"},
    {"log",          &colony__log, 0, "{}", AT(log), log_settings,
     "where output goes: `none`, or a map"},
    {"redirect_output", &colony__labels, 0, "[]", AT(redirect_output), NULL,
     "labels of stdout and stderr, by which /streams/ID/LABEL follows them; each gets a log of its own unless they are the same"},
    {"redirect_input", FLAG, 0, "false", AT(redirect_input), NULL,
     "stdin is a pipe, which POST /streams/ID/stdin writes to"},
    {"custom_streams", &colony__stream_labels, 0, "[]", AT(custom_streams), NULL,
     "labels of descriptors 3, 4 and so on, which it reads and writes, as does /streams/ID/LABEL; five at most"},
    {"start",        FLAG,  COLONY__LIVE, "true", AT(start), NULL, "start it when it is loaded"},
    {"priority",     COUNT, COLONY__LIVE, "1000000", AT(priority), RANGE(0, COLONY_PRIORITY_LAST),
     "order of starting, 0 first"},
    {"restart",      &colony__restart, COLONY__LIVE, NULL, DRAFT_AT(restart), colony__restart_settings,
     "when and how soon it is started again after it ended: always unless given"},
    {"flapping",     &colony__flapping, COLONY__LIVE, NULL, DRAFT_AT(restart), colony__flapping_settings,
     "gaffer's way to say `restart`: what ends too often is stopped for a while"},
    {"schedule",     &colony__schedule, COLONY__LIVE, NULL, DRAFT_AT(schedule), colony__schedule_settings,
     "run it again and again: each so long (`10s`), or at the times of a cron expression"},
    {"depends_on",   &colony__depends_on, COLONY__LIVE, "{}", WHOLE, colony__dependency_settings,
     "other templates that it waits for, and what they must be: started, ready, healthy, completed or `state:NAME`"},
    {"ready",        &colony__ready, 0, NULL, DRAFT_AT(ready), colony__ready_settings,
     "how it tells that it is ready; as soon as it runs unless given"},
    {"health",       &colony__health, 0, NULL, DRAFT_AT(health), colony__health_settings,
     "how colony finds out that it is well, once it is ready; nobody looks unless given"},
    {"start_timeout", SECONDS, COLONY__LIVE, "0", AT(start_timeout_ms), NULL,
     "what is not ready after so long has failed; 0: it may take for ever"},
    {"watchdog",     SECONDS, 0, "0", AT(watchdog_ms), NULL,
     "it must say WATCHDOG=1 by sd_notify(3) so often, else it is restarted; 0: it need not"},
    {"restart_above", &colony__restart_above, COLONY__LIVE, NULL, DRAFT_AT(restart_above),
     colony__restart_above_settings, "restart it when it takes more than this for some time"},
    {"max_age",      SECONDS, COLONY__LIVE, "0", AT(max_age_ms), NULL,
     "restart it when it has run for so long; 0: never"},
    {"essential",    FLAG,  COLONY__LIVE, "false", AT(essential), NULL,
     "colony ends, with its exit code, when it fails for good"},
    {"critical",     FLAG,  COLONY__LIVE, "false", AT(critical), NULL,
     "`/ping` of the endpoint of events and status fails unless all its processes run"},
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
    bool may_be_digits = reading->is_of_directory || reading->is_saved;

    if ((may_be_digits ? colony_name_check_file : colony_name_check)(name, &reason) == 0)
        return 0;
    return colony__setting_fail(reading, place, -EINVAL, "%s", reason.message);
}

/* Sets the template's name, from @name or the member of that name or both. */
static int read_name(struct colony__draft *draft, const char *name,
                     const struct colony__reading *reading)
{
    const struct colony_value *member = colony_value_get(draft->source, "name");
    int rc;

    if (member && member->type != VALUE_STRING)
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use `name`: it must be a text");
    if (!member && !name)
        return colony__setting_fail(reading, draft->source, -EINVAL,
                                    "cannot use these settings: `name` is missing");
    rc = check_name(member ? member->text : name, member ? member : draft->source, reading);
    if (rc < 0)
        return rc;
    if (member && name && strcmp(member->text, name) != 0)
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use the name `%s`: it is called `%.200s` already",
                                    member->text, name);
    draft->template.name = strdup(member ? member->text : name);
    if (!draft->template.name)
        return -ENOMEM;
    return member ? 0 : append_name(draft->source, name);
}

/* `a:b:c` is of the group a. */
static int set_group(struct colony_template *template)
{
    size_t length = strcspn(template->name, ":");

    if (template->name[length] == '\0' || length == 0)
        return 0;
    template->group = strndup(template->name, length);
    return template->group ? 0 : -ENOMEM;
}

static int check_port(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_template *template = &draft->template;
    uint32_t last = template->port + template->numprocesses - 1;

    if (template->port == 0 || template->numprocesses == 0 || last <= PORT_MAX)
        return 0;
    return colony__setting_fail(reading, colony_value_get(draft->source, "port"), -EINVAL,
                                "cannot use `port`: that of slot %u would be above %d",
                                template->numprocesses, PORT_MAX);
}

/* In this order: the later ones look at what the earlier ones have read. */
static int read_settings(struct colony__draft *draft, const struct colony_value *saved,
                         const struct colony__reading *reading)
{
    int rc = colony__settings_read(reading, colony__template_settings, draft->source, draft);

    if (rc == 0)
        rc = check_port(draft, reading);
    if (rc == 0)
        rc = colony__env_read(draft, reading);
    if (rc == 0)
        rc = colony__env_file_read(draft, saved, reading);
    if (rc == 0)
        rc = colony__command_read(draft, reading);
    if (rc == 0)
        rc = colony__identity_read(&draft->identity, draft->source, reading);
    if (rc == 0)
        rc = colony__restart_check(draft, reading);
    if (rc == 0)
        rc = colony__schedule_check(draft, reading);
    if (rc == 0)
        rc = colony__ready_check(draft, reading);
    if (rc == 0)
        rc = colony__streams_check(draft, reading);
    if (rc == 0)
        rc = colony__health_check(draft, reading);
    return rc < 0 ? rc : colony__limits_check(draft, reading);
}

static bool is_given(const struct colony__draft *draft, const char *name)
{
    return colony__setting_given(draft->source, name) != NULL;
}

/* What is not given is the same for all templates. */
static void set_parts(struct colony__draft *draft)
{
    struct colony_template *template = &draft->template;
    bool has_restart = is_given(draft, "restart") || is_given(draft, "flapping");

    template->identity = draft->identity.is_set ? &draft->identity : NULL;
    template->rlimits = draft->rlimits;
    template->restart = has_restart ? &draft->restart : &colony_restart_default;
    template->ready = is_given(draft, "ready") ? &draft->ready : &colony_ready_none;
    template->health = is_given(draft, "health") ? &draft->health : &colony_health_none;
    template->limits = is_given(draft, "limits") ? &draft->limits : &colony_limits_none;
    template->schedule = is_given(draft, "schedule") ? &draft->schedule : NULL;
    template->restart_above =
        is_given(draft, "restart_above") ? &draft->restart_above : &colony_restart_above_none;
}

enum {
    SOURCE_BYTES_FIRST = 2048,
};

static int set_source(struct colony__draft *draft)
{
    cJSON *json = colony_value_to_json(draft->source);
    struct colony_template *template = &draft->template;

    /* Not cut to size: it goes when the template is copied, and small pieces would leave holes. */
    template->source = json ? cJSON_PrintBuffered(json, SOURCE_BYTES_FIRST, false) : NULL;
    template->hash = colony__template_hash(draft->source);
    template->process_hash = colony__template_process_hash(draft->source);
    cJSON_Delete(json);
    return template->source ? 0 : -ENOMEM;
}

static int fill(struct colony__draft *draft, const char *name,
                const struct colony__reading *reading)
{
    struct colony_value *saved = colony__env_file_take_saved(draft->source);
    int rc = read_name(draft, name, reading);

    draft->restart = colony_restart_default;
    if (rc == 0)
        rc = set_group(&draft->template);
    if (rc == 0)
        rc = colony__command_settle(draft->source);
    if (rc == 0)
        rc = read_settings(draft, saved, reading);
    if (rc == 0)
        rc = set_source(draft);
    colony_value_free(saved);
    set_parts(draft);
    return rc;
}

static void clear(struct colony__draft *draft)
{
    struct colony_template *template = &draft->template;

    for (size_t i = 0; i < template->dependency_count; i++) {
        free(template->dependencies[i].name);
        free(template->dependencies[i].state);
    }
    free(template->dependencies);
    free(template->log.out);
    free(template->log.err);
    free(draft->ready.text);
    colony_schedule_clear(&draft->schedule);
    free(draft->health.text);
    free(template->name);
    free(template->group);
    free(template->cmd);
    free(template->cwd);
    colony__words_free(template->argv);
    colony__words_free(template->env);
    colony__words_free(template->env_file);
    colony__words_free(template->env_inherit);
    colony__words_free(template->redirect_output);
    colony__words_free(template->custom_streams);
    cJSON_free(template->source);
    colony_value_free(draft->source);
}

int colony__template_read(struct colony_template **out, const char *name,
                          const struct colony_value *source, const struct colony__reading *reading)
{
    struct colony__draft draft = {0};
    int rc;

    if (source->type != VALUE_MAP)
        return colony__setting_fail(reading, source, -EINVAL,
                                    "cannot use %s: it must be a map of settings",
                                    colony__setting_label(source).text);
    rc = colony_value_copy(&draft.source, source);
    if (rc == 0)
        rc = fill(&draft, name, reading);
    if (rc == 0)
        rc = colony_template_copy(out, &draft.template);
    if (rc == -ENOMEM)
        (void)colony_fail(reading->err, rc, "cannot load a template: out of memory");
    clear(&draft);
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): its header promises six parameters */
int colony_template_new(struct colony_template **out, const char *name,
                        const struct colony_value *source, const char *file, bool strict,
                        struct colony_error *err)
{
    const struct colony__reading reading = {.file = file, .strict = strict, .err = err};

    return colony__template_read(out, name, source, &reading);
}

int colony_template_new_of_file(struct colony_template **out, const char *name,
                                const struct colony_value *source, const char *file,
                                struct colony_error *err)
{
    const struct colony__reading reading = {
        .file = file, .strict = true, .is_of_directory = true, .err = err};

    return colony__template_read(out, name, source, &reading);
}

int colony_template_restore(struct colony_template **out, const char *source,
                            struct colony_error *err)
{
    const struct colony__reading reading = {.is_saved = true, .err = err};
    struct colony_value *tree = NULL;
    int rc = colony_value_parse_json(&tree, source, strlen(source), err);

    if (rc == 0)
        rc = colony__template_read(out, NULL, tree, &reading);
    colony_value_free(tree);
    return rc;
}

cJSON *colony_template_to_json(const struct colony_template *template)
{
    struct colony_value *source = NULL;
    cJSON *json = NULL;

    if (colony_value_parse_json(&source, template->source, strlen(template->source), NULL) == 0)
        json = colony__settings_with_defaults(colony__template_settings, source);
    colony_value_free(source);
    cJSON_DeleteItemFromObjectCaseSensitive(json, COLONY__ENV_FILE_SAVED);
    return json;
}
