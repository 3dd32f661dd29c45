/* SPDX-License-Identifier: Apache-2.0 */
/* The section `webhooks:`: which events are posted to which URLs. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

#include "core/events.h"
#include "core/settings_internal.h"
#include "core/value.h"
#include "core/words_internal.h"

#define AT(field) offsetof(struct colony_webhook_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text
#define COUNT &colony__setting_count
#define SECONDS &colony__setting_seconds
#define BYTES &colony__setting_bytes
#define TEXTS &colony__setting_texts

enum {
    HEADERS_MAX = 32,
    HOST_SIZE = 512, /* with its port */
};

/* --- headers ---------------------------------------------------------------------------------- */

/* What the request itself says. */
static bool is_own_header(const char *name)
{
    static const char *const own[] = {"Content-Length",
                                      "Content-Type",
                                      "Transfer-Encoding",
                                      "Host",
                                      "Connection",
                                      "Expect",
                                      NULL};

    if (strncasecmp(name, "X-Colony-", strlen("X-Colony-")) == 0)
        return true;
    for (const char *const *word = own; *word; word++)
        if (strcasecmp(*word, name) == 0)
            return true;
    return false;
}

static bool is_token(const char *name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    if (*name == '\0')
        return false;
    for (; *name != '\0'; name++)
        if (!isalnum((unsigned char)*name) && !strchr(marks, *name))
            return false;
    return true;
}

static bool is_header_value(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static int read_header(const struct colony__reading *reading, const struct colony_value *member,
                       struct colony__words *lines)
{
    bool is_scalar = member->type == VALUE_STRING || member->type == VALUE_NUMBER;
    char *line = NULL;
    int length;
    int rc;

    if (!is_token(member->key) || is_own_header(member->key))
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use the header `%.100s`: it is no name of a header "
                                    "that may be set",
                                    member->key);
    if (!is_scalar || !is_header_value(member->text)) /* not quoted: it may be a secret */
        return colony__setting_fail(reading, member, -EINVAL,
                                    "cannot use the header `%.100s`: its value must be one line "
                                    "of text",
                                    member->key);
    length = asprintf(&line, "%s: %s", member->key, member->text);
    if (length < 0)
        return -ENOMEM;
    rc = colony__words_add(lines, line, (size_t)length, NULL);
    free(line);
    return rc;
}

static int read_headers(const struct colony__reading *reading, const struct colony__setting *row,
                        const struct colony_value *value, void *field)
{
    struct colony__words lines = {0};
    char ***headers = field;
    int rc = colony__words_init(&lines);

    if (value->type != VALUE_MAP && rc == 0)
        rc = colony__setting_fail_type(reading, row, value);
    for (const struct colony_value *at = value->child; at && rc == 0; at = at->next)
        rc = lines.count < HEADERS_MAX
                 ? read_header(reading, at, &lines)
                 : colony__setting_fail(reading, at, -EINVAL,
                                        "cannot use `%s`: there are more than %d", row->name,
                                        HEADERS_MAX);
    if (rc < 0) {
        colony__words_free(lines.items);
        return rc;
    }
    colony__words_free(*headers);
    *headers = lines.items;
    return 0;
}

static cJSON *write_headers(const struct colony__setting *row, const void *field)
{
    char *const *lines = *(char *const *const *)field;
    cJSON *json = cJSON_CreateObject();
    int rc = json ? 0 : -ENOMEM;

    (void)row;
    for (; lines && *lines && rc == 0; lines++) {
        const char *colon = strchr(*lines, ':');
        char *name = strndup(*lines, (size_t)(colon - *lines));

        rc = name ? colony__json_add(json, name, cJSON_CreateString(colon + 2)) : -ENOMEM;
        free(name);
    }
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

const struct colony__setting_type colony__headers = {"a map of names and texts", false,
                                                     read_headers, write_headers};

/* clang-format off */
const struct colony__setting colony__webhook_settings[] = {
    {"url",         TEXT,          COLONY__REQUIRED, NULL, AT(url), NULL,
     "where each event is posted: http:// or https://"},
    {"events",      TEXTS,         0, ".",       AT(events), NULL,
     "which ones: `EVENT`, `proc.NAME`, `proc.NAME.EVENT`; `.` is every event"},
    {"secret_file", TEXT,          0, NULL,      AT(secret_file), NULL,
     "file with the secret that signs what is posted"},
    {"ca",          TEXT,          0, NULL,      AT(ca), NULL,
     "authorities for the server's certificate; the system's unless given"},
    {"headers",     &colony__headers, 0, "{}",      AT(headers), NULL,
     "headers to send as well"},
    {"timeout",     SECONDS,       0, "10",      AT(timeout_ms), RANGE(100, 0),
     "how long one attempt may take"},
    {"retries",     COUNT,         0, "8",       AT(retries), RANGE(0, 1000),
     "attempts after one that failed, in 1 s, 2 s, 4 s ... 60 s"},
    {"max_events",  COUNT,         0, "1000",    AT(events_max), RANGE(1, 100000),
     "events that may wait; then the oldest goes"},
    {"max_bytes",   BYTES,         0, "1048576", AT(bytes_max), RANGE(4096, 1 << 30),
     "the same in bytes"},
    {0},
};
/* clang-format on */

/* --- what they must be ------------------------------------------------------------------------ */

/* The host and port in an URL, or NULL: it has none. */
static const char *find_host(const char *url, size_t *size)
{
    const char *host = strstr(url, "://");
    const char *at;
    size_t length;

    if (!host)
        return NULL;
    host += 3;
    length = strcspn(host, "/?#");
    at = memrchr(host, '@', length); /* after a name and a password */
    if (at) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    *size = length;
    return length > 0 && *host != ':' ? host : NULL;
}

/* NAME, NAME:PORT, [IPV6] or [IPV6]:PORT. */
static bool is_host(const char *host, size_t size)
{
    char text[HOST_SIZE];
    struct in6_addr address;
    char *port;

    if (size >= sizeof text)
        return false;
    (void)snprintf(text, sizeof text, "%.*s", (int)size, host);
    if (text[0] == '[') {
        port = strchr(text, ']');
        if (!port)
            return false;
        *port++ = '\0';
        text[strcspn(text, "%")] = '\0'; /* a zone */
        if (inet_pton(AF_INET6, text + 1, &address) != 1)
            return false;
    } else {
        port = text + strcspn(text, ":");
        if (strcspn(text, "[]<>\"\\^`{|}") < (size_t)(port - text))
            return false;
    }
    return *port == '\0' || (*port == ':' && strspn(port + 1, "0123456789") == strlen(port + 1) &&
                             strtoul(port + 1, NULL, 10) <= UINT16_MAX);
}

bool colony_is_http_url(const char *url)
{
    const char *host;
    size_t size;

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return false;
    for (const char *at = url; *at != '\0'; at++)
        if (*at <= ' ' || *at == 0x7f) /* char is signed where colony runs, or these are escaped */
            return false;
    host = find_host(url, &size);
    return host && is_host(host, size);
}

void colony_webhook_origin(const char *url, char *text, size_t size)
{
    size_t length = 0;
    const char *host = find_host(url, &length);

    (void)snprintf(text, size, "%.*s%.*s", (int)(strstr(url, "://") + 3 - url), url, (int)length,
                   host ? host : "");
}

static int fail_pattern(const struct colony__reading *reading, const struct colony_value *place,
                        const char *pattern)
{
    const char *known[EVENT_TYPE_COUNT + 1] = {NULL};
    const char *near;

    for (int i = 0; i < EVENT_STRAY; i++)
        known[i] = colony_event_name((enum colony_event_type)i);
    near = colony_name_nearest(pattern, known);
    return colony__setting_fail(reading, place, -EINVAL,
                                "cannot use the event `%.100s`: there is none%s%s%s (write an "
                                "event, proc.NAME, proc.NAME.EVENT, or . for all)",
                                pattern, near ? ", did you mean `" : "", near ? near : "",
                                near ? "`?" : "");
}

/* --- the section ------------------------------------------------------------------------------ */

static int check_hook(const struct colony__reading *reading, const struct colony_value *value,
                      const struct colony_webhook_settings *hook)
{
    const struct colony_value *url = colony_value_get(value, "url");
    const struct colony_value *events = colony_value_get(value, "events");

    if (!colony_is_http_url(hook->url)) /* not quoted: it may have a secret in it */
        return colony__setting_fail(reading, url ? url : value, -EINVAL,
                                    "cannot use `url`: it must be http:// or https://, a host, "
                                    "and no blanks");
    for (char **pattern = hook->events; *pattern; pattern++)
        if (!colony_event_is_pattern(*pattern))
            return fail_pattern(reading, events ? events : value, *pattern);
    return 0;
}

static struct colony_webhook_settings *add_hook(struct colony_webhooks_settings *webhooks)
{
    struct colony_webhook_settings *grown =
        realloc(webhooks->list, (webhooks->count + 1) * sizeof *grown);

    if (!grown)
        return NULL;
    webhooks->list = grown;
    grown += webhooks->count++;
    *grown = (struct colony_webhook_settings){0};
    return grown;
}

/* A text is the URL; in a map the @event is a key already. */
static int read_hook(struct colony_webhooks_settings *webhooks, const struct colony_value *value,
                     const char *event, const struct colony__reading *reading)
{
    struct colony_value url = {.type = VALUE_STRING,
                               .key = (char *)"url",
                               .text = value->text,
                               .line = value->line,
                               .column = value->column,
                               .file = value->file};
    struct colony_value map = url;
    struct colony_webhook_settings *hook;
    int rc;

    if (webhooks->count == COLONY_WEBHOOKS_MAX)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `webhooks`: there are more than %d",
                                    COLONY_WEBHOOKS_MAX);
    if (event && colony__setting_given(value, "events"))
        return colony__setting_fail(reading, colony_value_get(value, "events"), -EINVAL,
                                    "cannot use `events`: the key `%.100s` says which", event);
    map.type = VALUE_MAP;
    map.key = value->key;
    map.child = &url;
    hook = add_hook(webhooks);
    if (!hook)
        return -ENOMEM;
    value = value->type == VALUE_STRING ? &map : value;
    rc = colony__settings_read(reading, colony__webhook_settings, value, hook);
    if (rc == 0 && event) {
        free(hook->events[0]);
        hook->events[0] = strdup(event);
        rc = hook->events[0] ? 0 : -ENOMEM;
    }
    return rc < 0 ? rc : check_hook(reading, value, hook);
}

static int read_list(struct colony_webhooks_settings *webhooks, const struct colony_value *value,
                     const char *event, const struct colony__reading *reading)
{
    int rc = 0;

    if (value->type != VALUE_LIST)
        return read_hook(webhooks, value, event, reading);
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next)
        rc = read_hook(webhooks, child, event, reading);
    return rc;
}

int colony__webhooks_read(struct colony_settings *settings, const struct colony_value *value,
                          const struct colony__reading *reading)
{
    struct colony_webhooks_settings *webhooks = &settings->webhooks;
    int rc = 0;

    if (value->type != VALUE_MAP && value->type != VALUE_LIST)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `webhooks`: it must be a map of events and URLs, "
                                    "or a list of maps with `url`");
    if (value->type == VALUE_LIST || colony_value_get(value, "url"))
        return read_list(webhooks, value, NULL, reading);
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next) {
        if (!colony_event_is_pattern(child->key))
            return fail_pattern(reading, child, child->key);
        rc = read_list(webhooks, child, child->key, reading);
    }
    return rc;
}

cJSON *colony__webhooks_write(const struct colony_settings *settings)
{
    const struct colony_webhooks_settings *webhooks = &settings->webhooks;
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    for (size_t i = 0; i < webhooks->count && rc == 0; i++)
        rc = colony__json_add(json, NULL,
                              colony__settings_write(colony__webhook_settings, &webhooks->list[i]));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

void colony__webhooks_clear(struct colony_webhooks_settings *webhooks)
{
    for (size_t i = 0; i < webhooks->count; i++) {
        struct colony_webhook_settings *hook = &webhooks->list[i];

        free(hook->url);
        free(hook->secret_file);
        free(hook->ca);
        colony__words_free(hook->events);
        colony__words_free(hook->headers);
    }
    free(webhooks->list);
    *webhooks = (struct colony_webhooks_settings){0};
}
