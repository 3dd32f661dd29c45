/* SPDX-License-Identifier: Apache-2.0 */
#include "api/timestamp_internal.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <time.h>

cJSON *colony__json_time(uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    char day[32];
    char text[48];
    struct tm tm;

    if (wall_ms == 0 || !gmtime_r(&seconds, &tm) ||
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        return cJSON_CreateNull();
    (void)snprintf(text, sizeof text, "%s.%03uZ", day, (unsigned)(wall_ms % 1000));
    return cJSON_CreateString(text);
}
