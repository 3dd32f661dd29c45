/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sections, and those that are no more than a table of settings. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/settings_internal.h"
#include "core/template_internal.h"
#include "core/value.h"

#define AT(field) offsetof(struct colony_settings, field)
#define TEXT &colony__setting_text
#define CHOICE &colony__setting_choice

static const char *const level_names[] = {[LOG_ERROR] = "error",
                                          [LOG_WARNING] = "warning",
                                          [LOG_INFO] = "info",
                                          [LOG_DEBUG] = "debug",
                                          NULL};
static const char *const format_names[] = {
    [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", [LOG_FORMAT_CLASSIC] = "classic", NULL};

/* clang-format off */
static const struct colony__setting log_settings[] = {
    {"file",   TEXT,   0, NULL,   AT(log_file),   NULL,         "where colony logs; stderr by default"},
    {"level",  CHOICE, 0, "info", AT(log_level),  level_names,  "least level that is logged"},
    {"format", CHOICE, 0, "text", AT(log_format), format_names, "how lines look; `json`: an object a line, its `time` in UTC"},
    {0},
};

static const struct colony__setting state_settings[] = {
    {"directory", TEXT, 0, NULL, AT(state_dir), NULL, "where colony keeps what must survive it"},
    {0},
};

static const struct colony__setting history_settings[] = {
    {"max_events", &colony__setting_count,   0, "100000", AT(history.events_max),
     &(const struct colony__setting_range){100, 10000000}, "events that are kept; the oldest go"},
    {"max_age",    &colony__setting_seconds, 0, "0",      AT(history.age_ms_max), NULL,
     "how old they may become; 0: as old as they like"},
    {0},
};
/* clang-format on */

static int read_log(struct colony_settings *settings, const struct colony_value *value,
                    const struct colony__reading *reading)
{
    return colony__settings_read(reading, log_settings, value, settings);
}

static int read_state(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading)
{
    return colony__settings_read(reading, state_settings, value, settings);
}

static int read_history(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading)
{
    return colony__settings_read(reading, history_settings, value, settings);
}

static int read_name(struct colony_settings *settings, const struct colony_value *value,
                     const struct colony__reading *reading)
{
    struct colony_error reason;
    char *name;

    if (value->type != VALUE_STRING)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `name`: it must be a text");
    if (colony_name_check(value->text, &reason) < 0)
        return colony__setting_fail(reading, value, -EINVAL, "%s", reason.message);
    name = strdup(value->text);
    if (!name)
        return -ENOMEM;
    free(settings->name);
    settings->name = name;
    return 0;
}

static int read_exit_with(struct colony_settings *settings, const struct colony_value *value,
                          const struct colony__reading *reading)
{
    struct colony_error reason;
    int rc;

    if (value->type != VALUE_STRING)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `exit_with`: it must be the name of a process");
    rc = colony_settings_set_exit_with(settings, value->text, &reason);
    return rc < 0 ? colony__setting_fail(reading, value, rc, "%s", reason.message) : 0;
}

/* Where files are read it is followed before sections are (include.c). */
static int read_include(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading)
{
    (void)settings;
    return colony__setting_fail(reading, value, -EINVAL,
                                "cannot use `include`: these settings are no file");
}

static cJSON *write_log(const struct colony_settings *settings)
{
    return colony__settings_write(log_settings, settings);
}

static cJSON *write_state(const struct colony_settings *settings)
{
    return colony__settings_write(state_settings, settings);
}

static cJSON *write_history(const struct colony_settings *settings)
{
    return colony__settings_write(history_settings, settings);
}

static cJSON *write_name(const struct colony_settings *settings)
{
    return settings->name ? cJSON_CreateString(settings->name) : cJSON_CreateNull();
}

static cJSON *write_exit_with(const struct colony_settings *settings)
{
    return settings->exit_with ? cJSON_CreateString(settings->exit_with) : cJSON_CreateNull();
}

/* clang-format off */
const struct colony__section colony__sections[COLONY_SECTIONS_MAX] = {
    {"include",     read_include,           NULL,                    "more files to read", NULL, false},
    {"name",        read_name,              write_name,              "what this colony is called", NULL, true},
    {"state",       read_state,             write_state,             "where its state is kept", state_settings, true},
    {"log",         read_log,               write_log,               "its own log", log_settings, true},
    {"user",        colony__user_read,      colony__user_write,      "who the engine runs as", colony__user_settings, true},
    {"http",        colony__http_read,      colony__http_write,      "control over HTTP", colony__http_settings, true},
    {"processes",   colony__processes_read, colony__processes_write, "what it keeps alive", colony__template_settings, false},
    {"history",     read_history,           write_history,           "what it remembers of events", history_settings, false},
    {"webhooks",    colony__webhooks_read,  colony__webhooks_write,  "events sent to URLs", colony__webhook_settings, false},
    {"files",       colony__files_read,     colony__files_write,     "control by files in directories", colony__files_settings, true},
    {"rpc",         colony__rpc_read,       colony__rpc_write,       "control over ZeroMQ", colony__rpc_settings, true},
    {"exit_with",   read_exit_with,         write_exit_with,         "whose end ends colony", NULL, false},
    {"cluster",     NULL, NULL, "several machines as one", NULL, false},
    {"controllers", colony__controllers_read, colony__controllers_write, "controllers that are loaded from shared objects", NULL, true},
    {"events",      colony__events_read,    colony__events_write,    "what becomes of events that are sent to it", colony__events_settings, true},
    {"juggler",     colony__juggler_read,   colony__juggler_write,   "states reported to Juggler", colony__juggler_settings, true},
    {"master",      colony__master_read,    colony__master_write,    "the endpoint of events and status", colony__master_settings, true},
    {"ping",        colony__ping_read,      colony__ping_write,      "what /ping asks", colony__ping_settings, false},
    {"session",     colony__session_read,   colony__session_write,   "the processes of a workspace", colony__session_settings, true},
    {"status",      colony__status_read,    colony__status_write,    "what /status asks", colony__status_settings, false},
    {0},
};
/* clang-format on */

void colony__sections_hash(struct colony_settings *settings)
{
    const struct colony_value *own = colony_value_get(settings->source, "colony");

    for (size_t i = 0; colony__sections[i].name; i++) {
        const struct colony_value *value = colony_value_get(own, colony__sections[i].name);

        settings->section_hashes[i] = value ? colony_value_hash(value) : 0;
    }
}

void colony_settings_each_fixed(const struct colony_settings *left,
                                const struct colony_settings *right,
                                void (*cb)(const char *section, void *data), void *data)
{
    for (size_t i = 0; colony__sections[i].name; i++)
        if (colony__sections[i].is_fixed && left->section_hashes[i] != right->section_hashes[i])
            cb(colony__sections[i].name, data);
}

bool colony_settings_has(const struct colony_settings *settings, const char *name)
{
    const struct colony__section *section = colony__section_find(name);

    return section && settings->section_hashes[section - colony__sections] != 0;
}

const struct colony__section *colony__section_find(const char *name)
{
    for (const struct colony__section *section = colony__sections; section->name; section++)
        if (strcmp(section->name, name) == 0)
            return section;
    return NULL;
}

int colony__sections_default(struct colony_settings *settings,
                             const struct colony__reading *reading)
{
    const struct colony_value nothing = {.type = VALUE_MAP};
    int rc = colony__settings_read(reading, colony__http_settings, &nothing, &settings->http);

    if (rc == 0)
        rc = colony__settings_read(reading, log_settings, &nothing, settings);
    if (rc == 0)
        rc = colony__settings_read(reading, history_settings, &nothing, settings);
    if (rc == 0)
        rc = colony__settings_read(reading, colony__files_settings, &nothing,
                                   &settings->directories);
    if (rc == 0)
        rc = colony__daemon_default(settings, reading);
    if (rc == 0)
        rc = colony__events_default(settings, reading);
    if (rc == 0)
        rc = colony__juggler_default(settings, reading);
    if (rc == 0)
        rc = colony__settings_read(reading, colony__rpc_settings, &nothing, &settings->rpc);
    if (rc < 0)
        return rc;
    settings->name = strdup("colony");
    return settings->name ? 0 : -ENOMEM;
}
