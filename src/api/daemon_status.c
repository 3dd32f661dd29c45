/* SPDX-License-Identifier: Apache-2.0 */
/* daemon_status.c - GET /status: the keys that mtutils' daemons had, and the counters of events. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "api/daemon_internal.h"
#include "api/events.h"
#include "api/pretty_internal.h"
#include "core/settings.h"
#include "core/template.h"
#include "core/value.h"

enum {
    TIME_SIZE = 32,
};

static const char hidden[] = "*** HIDDEN ***";

struct slaves {
    struct colony_engine *engine;
    cJSON *list;
    bool has_several; /* of the template at hand */
    bool failed;      /* out of memory */
};

/* @item may be NULL, for want of memory. False for that. Takes ownership. */
static bool add(cJSON *object, const char *key, cJSON *item)
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

/* "2018-02-01 18:41:37.876631", of this machine's zone. */
static cJSON *make_time(uint64_t wall_us)
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
        is_whole =
            add(config, own->key,
                colony_master_hides(&settings->master, own->key) ? cJSON_CreateString(hidden)
                                                                 : colony_value_to_json(own));
    if (is_whole)
        return config;
    cJSON_Delete(config);
    return NULL;
}

static cJSON *make_master(const struct colony__daemon *daemon)
{
    const struct colony_master_settings *master = &colony_engine_settings(daemon->engine)->master;
    cJSON *json = cJSON_CreateObject();
    cJSON *names = cJSON_AddArrayToObject(json, "hidden_opts");
    bool is_whole = names && add(json, "host", cJSON_CreateString(master->host)) &&
                    add(json, "port", make_number(daemon->port));

    for (char **name = master->hidden_opts; *name && is_whole; name++)
        is_whole = cJSON_AddItemToArray(names, cJSON_CreateString(*name));
    if (is_whole)
        return json;
    cJSON_Delete(json);
    return NULL;
}

static cJSON *make_events(const struct colony__daemon *daemon)
{
    const struct colony_inbox_counts counts = colony_inbox_counts(daemon->inbox);
    cJSON *json = cJSON_CreateObject();

    if (json && add(json, "received", make_number(counts.received)) &&
        add(json, "http", make_number(counts.http)) && add(json, "udp", make_number(counts.udp)) &&
        add(json, "rejected", make_number(counts.rejected)) &&
        add(json, "dropped", make_number(colony__daemon_dropped(daemon))))
        return json;
    cJSON_Delete(json);
    return NULL;
}

static void add_slave(const struct colony_slot_info *info, void *data)
{
    struct slaves *slaves = data;
    char name[COLONY_NAME_MAX + 16];
    cJSON *slave;

    if (info->id == 0)
        return;
    (void)snprintf(name, sizeof name, slaves->has_several ? "%s-%u" : "%s", info->name, info->slot);
    slave = cJSON_CreateObject();
    if (slave && add(slave, "name", cJSON_CreateString(name)) &&
        add(slave, "started", make_time(info->started_at_ms * 1000)) &&
        cJSON_AddItemToArray(slaves->list, slave))
        return;
    cJSON_Delete(slave);
    slaves->failed = true;
}

static void count_slot(const struct colony_slot_info *info, void *data)
{
    *(size_t *)data += !info->is_leaving || info->id != 0;
}

static void add_slaves(const struct colony_template *template, void *data)
{
    struct slaves *slaves = data;
    size_t count = 0;

    (void)colony_engine_each_slot(slaves->engine, template->name, count_slot, &count);
    slaves->has_several = count > 1;
    (void)colony_engine_each_slot(slaves->engine, template->name, add_slave, slaves);
}

static cJSON *make_slaves(const struct colony__daemon *daemon)
{
    struct slaves slaves = {.engine = daemon->engine, .list = cJSON_CreateArray()};

    if (slaves.list)
        colony_engine_each_template(daemon->engine, add_slaves, &slaves);
    if (!slaves.failed)
        return slaves.list;
    cJSON_Delete(slaves.list);
    return NULL;
}

/* What the user's command printed comes last: as with a method that is overridden, it wins. */
static bool merge(cJSON *status, const cJSON *more)
{
    bool is_whole = true;

    for (const cJSON *member = more ? more->child : NULL; member && is_whole;
         member = member->next) {
        cJSON_DeleteItemFromObjectCaseSensitive(status, member->string);
        is_whole = add(status, member->string, cJSON_Duplicate(member, true));
    }
    return is_whole;
}

static cJSON *make_status(const struct colony__daemon *daemon, const cJSON *more)
{
    const struct colony_settings *settings = colony_engine_settings(daemon->engine);
    cJSON *status = cJSON_CreateObject();

    if (status && add(status, "config", make_config(settings)) &&
        add(status, "events", make_events(daemon)) &&
        add(status, "events_queue", make_number(colony_inbox_length(daemon->inbox))) &&
        add(status, "master_config", make_master(daemon)) &&
        add(status, "name", cJSON_CreateString(settings->name)) &&
        add(status, "slaves", make_slaves(daemon)) &&
        add(status, "started", make_time(daemon->started_us)) &&
        add(status, "uptime", make_uptime(daemon->started_boot_us)) && merge(status, more))
        return status;
    cJSON_Delete(status);
    return NULL;
}

int colony__daemon_status(struct colony__buffer *out, const struct colony__daemon *daemon,
                          const cJSON *more)
{
    cJSON *status = make_status(daemon, more);
    cJSON *answer = cJSON_CreateObject();
    int rc = -ENOMEM;

    if (status && answer && add(answer, "message", status)) {
        status = NULL; /* the answer's */
        if (add(answer, "result", cJSON_CreateTrue()))
            rc = colony__pretty_append(out, answer);
    } else if (status && answer) {
        status = NULL; /* add() has freed it */
    }
    cJSON_Delete(status);
    cJSON_Delete(answer);
    return rc;
}
