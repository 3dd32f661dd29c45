/* SPDX-License-Identifier: Apache-2.0 */
/* The section `files:`: control by the files of two directories, as ncolony has it. */
#include <errno.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/settings_internal.h"
#include "core/value.h"

#define AT(field) offsetof(struct colony_files_settings, field)
#define LEAST(ms) (&(const struct colony__setting_range){ms, INT64_MAX})
#define TEXT &colony__setting_text
#define SECONDS &colony__setting_seconds

static const char *const forward_names[] = {[FORWARD_FOREGROUND] = "foreground",
                                            [FORWARD_ALWAYS] = "always",
                                            [FORWARD_NEVER] = "never",
                                            NULL};

/* clang-format off */
const struct colony__setting colony__files_settings[] = {
    {"config",          TEXT,    0, NULL,   AT(config),       NULL,
     "directory with a file for each process"},
    {"messages",        TEXT,    0, NULL,   AT(messages),     NULL,
     "directory where messages are left"},
    {"frequency",       SECONDS, 0, "10",   AT(frequency_ms), LEAST(COLONY_FREQUENCY_MS_MIN),
     "how often both are looked over, whatever is told of changes meanwhile"},
    {"pid",             TEXT,    0, NULL,   AT(pid),          NULL,
     "directory for a file with the pid of each process that runs"},
    {"threshold",       SECONDS, 0, "1",    AT(threshold_ms), NULL,
     "what ended sooner waits before it is started again"},
    {"killtime",        SECONDS, 0, "5",    AT(kill_ms),      NULL,
     "how long a process may take to stop before it is killed"},
    {"minrestartdelay", SECONDS, 0, "1",    AT(min_delay_ms), NULL,
     "the first such wait; each one after it is twice as long"},
    {"maxrestartdelay", SECONDS, 0, "3600", AT(max_delay_ms), NULL,
     "the longest"},
    {"forward",         &colony__setting_choice, 0, "foreground", AT(forward), forward_names,
     "also write what processes print to colony's own log: unless it is in the background, always or never"},
    {0},
};
/* clang-format on */

int colony_files_check_settings(const struct colony_files_settings *files, struct colony_error *err)
{
    if (!files->config != !files->messages)
        return colony_fail(err, -EINVAL, "cannot control by files: `%s` is missing",
                           files->config ? "messages" : "config");
    return 0;
}

int colony__files_read(struct colony_settings *settings, const struct colony_value *value,
                       const struct colony__reading *reading)
{
    struct colony_error reason;
    int rc = colony__settings_read(reading, colony__files_settings, value, &settings->directories);

    if (rc < 0)
        return rc;
    if (!settings->directories.config)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot control by files: `config` is missing");
    rc = colony_files_check_settings(&settings->directories, &reason);
    return rc < 0 ? colony__setting_fail(reading, value, rc, "%s", reason.message) : 0;
}

cJSON *colony__files_write(const struct colony_settings *settings)
{
    if (!settings->directories.config)
        return cJSON_CreateNull();
    return colony__settings_write(colony__files_settings, &settings->directories);
}

void colony__files_clear(struct colony_files_settings *files)
{
    free(files->config);
    free(files->messages);
    free(files->pid);
}
