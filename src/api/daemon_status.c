/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_status.c - GET /status: the keys that mtutils' daemons had, and the counters of events. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "api/daemon_internal.h"
#include "api/pretty_internal.h"
#include "core/settings.h"
#include "core/value.h"

enum {
    TIME_SIZE = 32,
};

static const char hidden[] = "*** HIDDEN ***";

bool colony__daemon_add(cJSON *object, const char *key, cJSON *item)
{
    if (item && cJSON_AddItemToObject(object, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static cJSON *make_number(uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    return cJSON_CreateRaw(text); /* of more digits than a double has */
}

cJSON *colony__daemon_make_time(uint64_t wall_us)
{
    const time_t seconds = (time_t)(wall_us / 1000000);
    char text[TIME_SIZE];
    struct tm local = {0};
    size_t used;

    (void)localtime_r(&seconds, &local);
    used = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    (void)snprintf(text + used, sizeof text - used, ".%06u", (unsigned)(wall_us % 1000000));
    return cJSON_CreateString(text);
}

/* Whatever became of the clock that people read. */
static cJSON *make_uptime(uint64_t started_boot_us)
{
    struct timespec now = {0};
    char text[40];
    uint64_t uptime_us;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    uptime_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - started_boot_us;
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, uptime_us / 1000000,
                   uptime_us % 1000000);
    return cJSON_CreateRaw(text);
}

/* Keys of colony's own are not in it. */
static cJSON *make_config(const struct colony_settings *settings)
{
    const struct colony_value *own = settings->source ? settings->source->child : NULL;
    cJSON *config = cJSON_CreateObject();
    bool is_whole = config != NULL;

    for (; own && is_whole; own = own->next)
        is_whole = colony__daemon_add(config, own->key,
                                      colony_master_hides(&settings->master, own->key)
                                          ? cJSON_CreateString(hidden)
                                          : colony_value_to_json(own));
    if (is_whole)
        return config;
    cJSON_Delete(config);
    return NULL;
}

/* The port that it has got, where it asked for any. */
static cJSON *make_master(const struct colony__daemon *daemon)
{
    cJSON *json = colony_master_to_json(&daemon->host->settings(daemon)->master);
    cJSON *port = make_number(daemon->port);

    if (json && port && cJSON_ReplaceItemInObjectCaseSensitive(json, "port", port))
        return json;
    cJSON_Delete(port);
    cJSON_Delete(json);
    return NULL;
}

static cJSON *make_events(const struct colony__daemon *daemon)
{
    const struct colony_inbox_counts counts = colony_inbox_counts(daemon->inbox);
    cJSON *json = cJSON_CreateObject();

    if (json && colony__daemon_add(json, "received", make_number(counts.received)) &&
        colony__daemon_add(json, "http", make_number(counts.http)) &&
        colony__daemon_add(json, "udp", make_number(counts.udp)) &&
        colony__daemon_add(json, "rejected", make_number(counts.rejected)) &&
        colony__daemon_add(json, "dropped", make_number(colony__daemon_dropped(daemon))))
        return json;
    cJSON_Delete(json);
    return NULL;
}

static cJSON *make_slaves(const struct colony__daemon *daemon)
{
    cJSON *list = cJSON_CreateArray();

    if (list && daemon->host->add_slaves(daemon, list) == 0)
        return list;
    cJSON_Delete(list);
    return NULL;
}

cJSON *colony__daemon_make_status(const struct colony__daemon *daemon)
{
    const struct colony_settings *settings = daemon->host->settings(daemon);
    cJSON *status = cJSON_CreateObject();

    if (status && colony__daemon_add(status, "config", make_config(settings)) &&
        colony__daemon_add(status, "events", make_events(daemon)) &&
        colony__daemon_add(status, "events_queue",
                           make_number(colony_inbox_length(daemon->inbox))) &&
        colony__daemon_add(status, "master_config", make_master(daemon)) &&
        colony__daemon_add(status, "name", cJSON_CreateString(settings->name)) &&
        colony__daemon_add(status, "slaves", make_slaves(daemon)) &&
        colony__daemon_add(status, "started", colony__daemon_make_time(daemon->started_us)) &&
        colony__daemon_add(status, "uptime", make_uptime(daemon->started_boot_us)))
        return status;
    cJSON_Delete(status);
    return NULL;
}

int colony__daemon_write_status(struct colony__buffer *out, const cJSON *status)
{
    cJSON *answer = cJSON_CreateObject();
    int rc = -ENOMEM;

    if (answer && cJSON_AddItemReferenceToObject(answer, "message", (cJSON *)status) &&
        colony__daemon_add(answer, "result", cJSON_CreateTrue()))
        rc = colony__pretty_append(out, answer);
    cJSON_Delete(answer);
    return rc;
}
