/* SPDX-License-Identifier: Apache-2.0 */
/* The section `juggler:`: where states of templates are reported to. */
#include <errno.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "core/event_settings.h"
#include "core/settings_internal.h"
#include "core/value.h"
#include "core/words_internal.h"

#define AT(field) offsetof(struct colony_juggler_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text
#define COUNT &colony__setting_count
#define SECONDS &colony__setting_seconds
#define TEXTS &colony__setting_texts

/* clang-format off */
const struct colony__setting colony__juggler_settings[] = {
    {"url",       TEXT,             0, NULL,     AT(url), NULL,
     "where Juggler takes events: what is posted goes to URL/events"},
    {"source",    TEXT,             0, "colony", AT(source), NULL, "who reports"},
    {"host",      TEXT,             0, NULL,     AT(host), NULL,
     "whose services the templates are; this machine's name unless given"},
    {"tags",      TEXTS,            0, "[]",     AT(tags), NULL, "tags of each event"},
    {"processes", TEXTS,            0, "[]",     AT(processes), NULL,
     "names of the templates that are reported; all unless given"},
    {"delay",     SECONDS,          0, "1",      AT(delay_ms), NULL,
     "how long a change waits for others, to be sent with them"},
    {"resend",    SECONDS,          0, "60",     AT(resend_ms), NULL,
     "how often all states are sent again; 0: never"},
    {"max_batch", COUNT,            0, "100",    AT(batch_max), RANGE(1, 1000),
     "events in one request"},
    {"timeout",   SECONDS,          0, "10",     AT(timeout_ms), RANGE(100, 0),
     "how long one request may take"},
    {"ca",        TEXT,             0, NULL,     AT(ca), NULL,
     "authorities for the server's certificate; the system's unless given"},
    {"headers",   &colony__headers, 0, "{}",     AT(headers), NULL, "headers to send as well"},
    {0},
};
/* clang-format on */

int colony__juggler_read(struct colony_settings *settings, const struct colony_value *value,
                         const struct colony__reading *reading)
{
    struct colony_juggler_settings *juggler = settings->juggler;
    const struct colony_value *url;
    int rc = colony__settings_read(reading, colony__juggler_settings, value, juggler);

    if (rc < 0)
        return rc;
    url = colony__setting_given(value, "url");
    if (!url)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `juggler`: `url` is missing");
    if (url && !colony_is_http_url(juggler->url)) /* not quoted: it may have a secret in it */
        return colony__setting_fail(reading, url, -EINVAL,
                                    "cannot use `url`: it must be http:// or https://, a host, "
                                    "and no blanks");
    return 0;
}

int colony__juggler_default(struct colony_settings *settings, const struct colony__reading *reading)
{
    const struct colony_value nothing = {.type = VALUE_MAP};

    settings->juggler = calloc(1, sizeof *settings->juggler);
    return settings->juggler ? colony__settings_read(reading, colony__juggler_settings, &nothing,
                                                     settings->juggler)
                             : -ENOMEM;
}

cJSON *colony__juggler_write(const struct colony_settings *settings)
{
    if (!settings->juggler->url)
        return cJSON_CreateNull();
    return colony__settings_write(colony__juggler_settings, settings->juggler);
}

void colony__juggler_free(struct colony_juggler_settings *juggler)
{
    if (!juggler)
        return;
    free(juggler->url);
    free(juggler->source);
    free(juggler->host);
    colony__words_free(juggler->tags);
    colony__words_free(juggler->processes);
    free(juggler->ca);
    colony__words_free(juggler->headers);
    free(juggler);
}
