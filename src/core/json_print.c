/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_print.h"

#include <string.h>

#include <cjson/cJSON.h>

char *colony_json_print(const struct cJSON *json)
{
    char *printed = cJSON_PrintUnformatted(json);
    char *text = printed ? strdup(printed) : NULL;

    if (printed)
        cJSON_free(printed); /* a hook may not take NULL */
    return text;
}
