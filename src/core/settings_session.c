/* SPDX-License-Identifier: Apache-2.0 */
/* The section `session:`: the processes of a workspace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/settings_internal.h"
#include "core/value.h"

/* clang-format off */
const struct colony__setting colony__session_settings[] = {
    {"dir", &colony__setting_text, 0, NULL, offsetof(struct colony_session_settings, dir), NULL,
     "the workspace, as `colony session init` makes one"},
    {0},
};
/* clang-format on */

/* A path alone, or the map. */
int colony__session_read(struct colony_settings *settings, const struct colony_value *value,
                         const struct colony__reading *reading)
{
    int rc;

    if (value->type == VALUE_STRING) {
        char *dir = strdup(value->text);

        if (!dir)
            return -ENOMEM;
        free(settings->session.dir);
        settings->session.dir = dir;
    } else {
        rc = colony__settings_read(reading, colony__session_settings, value, &settings->session);
        if (rc < 0)
            return rc;
    }
    if (!settings->session.dir || settings->session.dir[0] == '\0')
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot keep a session: `dir` is missing, its workspace");
    return 0;
}

cJSON *colony__session_write(const struct colony_settings *settings)
{
    if (!settings->session.dir)
        return cJSON_CreateNull();
    return colony__settings_write(colony__session_settings, &settings->session);
}

void colony__session_clear(struct colony_session_settings *session)
{
    free(session->dir);
}
