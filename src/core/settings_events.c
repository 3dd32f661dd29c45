/* SPDX-License-Identifier: Apache-2.0 */
/* The section `events:`: what becomes of events that come from outside. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/event_settings.h"
#include "core/settings_internal.h"
#include "core/value.h"

#define EVENTS_AT(field) offsetof(struct colony_events_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text
#define COUNT &colony__setting_count
#define BYTES &colony__setting_bytes
#define FLAG &colony__setting_flag

bool colony_events_has_power(const struct colony_events_settings *events)
{
    for (size_t i = 0; i < events->handler_count; i++)
        if (events->handlers[i].kind == HANDLER_EXEC || events->handlers[i].kind == HANDLER_STDIN)
            return true;
    return false;
}

void colony__events_clear_handlers(struct colony_events_settings *events)
{
    for (size_t i = 0; i < events->handler_count; i++)
        colony__handler_clear(&events->handlers[i]);
    free(events->handlers);
    events->handlers = NULL;
    events->handler_count = 0;
}

/* --- the list of them ------------------------------------------------------------------------- */

static int read_handlers(const struct colony__reading *reading, const struct colony__setting *row,
                         const struct colony_value *value, void *field)
{
    struct colony_events_settings *events = field;
    const struct colony_value *first = value->type == VALUE_LIST ? value->child : value;
    size_t count = 0;
    int rc = 0;

    for (const struct colony_value *at = first; at; at = value == first ? NULL : at->next)
        count++;
    if (count > COLONY_HANDLERS_MAX)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: there are more than %d", row->name,
                                    COLONY_HANDLERS_MAX);
    colony__events_clear_handlers(events);
    events->handlers = calloc(count + 1, sizeof *events->handlers);
    if (!events->handlers)
        return -ENOMEM;
    for (const struct colony_value *at = first; at && rc == 0;
         at = value == first ? NULL : at->next)
        rc = colony__handler_read(reading, at, &events->handlers[events->handler_count++]);
    return rc;
}

static cJSON *write_handlers(const struct colony__setting *row, const void *field)
{
    const struct colony_events_settings *events = field;
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    (void)row;
    for (size_t i = 0; i < events->handler_count && rc == 0; i++)
        rc = colony__json_add(
            json, NULL, colony__settings_write(colony__handler_settings, &events->handlers[i]));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

const struct colony__setting_type colony__handlers = {"a list of handlers", false, read_handlers,
                                                      write_handlers};

/* clang-format off */
const struct colony__setting colony__events_settings[] = {
    {"handlers",        &colony__handlers, 0, "log",       0, colony__handler_settings,
     "who is given each event, in this order"},
    {"durable",         FLAG,              0, "false",     EVENTS_AT(durable), NULL,
     "an event is answered once it is in the store, and handled even if colony is killed"},
    {"max_events",      COUNT,             0, "10000",     EVENTS_AT(events_max), RANGE(1, 1000000),
     "events that may wait for their handlers; more are refused"},
    {"max_bytes",       BYTES,             0, "67108864",  EVENTS_AT(bytes_max),
     RANGE(65536, INT64_C(1) << 32), "the same in bytes"},
    {"max_event_bytes", BYTES,             0, "1048576",   EVENTS_AT(size_max),
     RANGE(16, 8 << 20), "largest event"},
    {"tokens",          TEXT,              0, NULL,        EVENTS_AT(tokens), NULL,
     "file of tokens: who is beyond this machine needs one to send events and to see `/status`"},
    {"insecure",        FLAG,              0, "false",     EVENTS_AT(insecure), NULL,
     "allow `exec` and `stdin` of events from beyond this machine without tokens"},
    {0},
};
/* clang-format on */

int colony__events_read(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading)
{
    return colony__settings_read(reading, colony__events_settings, value, settings->events);
}

int colony__events_default(struct colony_settings *settings, const struct colony__reading *reading)
{
    const struct colony_value nothing = {.type = VALUE_MAP};

    settings->events = calloc(1, sizeof *settings->events);
    return settings->events ? colony__events_read(settings, &nothing, reading) : -ENOMEM;
}

static const struct colony_template *find_template(const struct colony_settings *settings,
                                                   const char *name)
{
    for (size_t i = 0; i < settings->template_count; i++)
        if (strcmp(settings->templates[i]->name, name) == 0)
            return settings->templates[i];
    return NULL; /* it may come later, over HTTP */
}

int colony__events_check(const struct colony_settings *settings,
                         const struct colony__reading *reading)
{
    const struct colony_value *sections = colony_value_get(settings->source, "colony");
    const struct colony_value *place =
        colony_value_get(colony_value_get(sections, "events"), "handlers");
    const struct colony_events_settings *events = settings->events;

    if (place && place->type == VALUE_LIST)
        place = place->child;
    for (size_t i = 0; place && i < events->handler_count; i++, place = place->next) {
        const char *name = events->handlers[i].input;
        const struct colony_template *template = name ? find_template(settings, name) : NULL;

        if (template && !template->redirect_input)
            return colony__setting_fail(reading, colony_value_get(place, "stdin"), -EINVAL,
                                        "cannot use `stdin`: %s does not `redirect_input`", name);
    }
    return 0;
}

cJSON *colony__events_write(const struct colony_settings *settings)
{
    return colony__settings_write(colony__events_settings, settings->events);
}

void colony__events_free(struct colony_events_settings *events)
{
    if (!events)
        return;
    colony__events_clear_handlers(events);
    free(events->tokens);
    free(events);
}
