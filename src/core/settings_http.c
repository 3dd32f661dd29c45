/* SPDX-License-Identifier: Apache-2.0 */
/* The section `http:`: where colony is controlled, by whom, and with which certificates. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/address.h"
#include "core/settings_internal.h"
#include "core/value.h"
#include "core/words_internal.h"

#define AT(field) offsetof(struct colony_http_settings, field)
#define OF(field) offsetof(struct colony_endpoint_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text
#define FLAG &colony__setting_flag
#define COUNT &colony__setting_count
#define SECONDS &colony__setting_seconds
#define BYTES &colony__setting_bytes
#define TEXTS &colony__setting_texts

/* clang-format off */
static const struct colony__setting endpoint_settings[] = {
    {"bind",      TEXT, COLONY__REQUIRED, NULL, OF(bind), NULL,
     "HOST:PORT, [V6]:PORT, PORT (of 127.0.0.1) or unix:PATH"},
    {"certfile",  TEXT, 0, NULL, OF(tls.certfile), NULL,
     "its certificate, and those between it and the authority; then it speaks TLS only"},
    {"keyfile",   TEXT, 0, NULL, OF(tls.keyfile), NULL,
     "the key of the certificate; unless it is in `certfile`"},
    {"client_ca", TEXT, 0, NULL, OF(tls.client_ca), NULL,
     "authorities: who connects needs a certificate of theirs"},
    {0},
};
/* clang-format on */

/* --- endpoints -------------------------------------------------------------------------------- */

/* What the socket will be opened by, so that nothing is accepted here that is refused there. */
static bool is_address(const char *address)
{
    struct colony_bind bind;

    return colony_bind_parse(&bind, address, NULL) == 0;
}

/* What the files of a certificate lack of each other; NULL: nothing. */
static const char *find_missing(const struct colony_tls_settings *tls)
{
    return (tls->keyfile || tls->client_ca) && !tls->certfile ? "certfile" : NULL;
}

static int fail_missing(const struct colony__reading *reading, const struct colony_value *value,
                        const char *missing)
{
    return colony__setting_fail(reading, value, -EINVAL,
                                "cannot use %s: `%s` is missing, without which there is no TLS",
                                colony__setting_label(value).text, missing);
}

static int fail_bind(const struct colony__reading *reading, const struct colony_value *value,
                     const char *address)
{
    return colony__setting_fail(
        reading, value, -EINVAL,
        "cannot bind `%.200s`: write HOST:PORT, [V6]:PORT, PORT, unix:PATH, or "
        "`none` alone",
        address);
}

static int read_endpoint(const struct colony__reading *reading, const struct colony_value *value,
                         struct colony_endpoint_settings *endpoint)
{
    int rc = colony__settings_read(reading, endpoint_settings, value, endpoint);
    const char *missing;

    if (rc < 0)
        return rc;
    if (!is_address(endpoint->bind))
        return fail_bind(reading, colony_value_get(value, "bind"), endpoint->bind);
    missing = find_missing(&endpoint->tls);
    return missing ? fail_missing(reading, value, missing) : 0;
}

static void clear_tls(struct colony_tls_settings *tls)
{
    free(tls->certfile);
    free(tls->keyfile);
    free(tls->client_ca);
}

static void clear_endpoints(struct colony_http_settings *http)
{
    for (size_t i = 0; i < http->endpoint_count; i++) {
        free(http->endpoints[i].bind);
        clear_tls(&http->endpoints[i].tls);
    }
    free(http->endpoints);
    http->endpoints = NULL;
    http->endpoint_count = 0;
}

/* The defaults may have been read before. */
static int read_endpoints(const struct colony__reading *reading, const struct colony__setting *row,
                          const struct colony_value *value, void *field)
{
    struct colony_http_settings *http = field;
    size_t count = 0;
    int rc = 0;

    if (value->type != VALUE_LIST)
        return colony__setting_fail_type(reading, row, value);
    for (const struct colony_value *child = value->child; child; child = child->next)
        count++;
    if (count > COLONY_ENDPOINTS_MAX)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `%s`: there are more than %d", row->name,
                                    COLONY_ENDPOINTS_MAX);
    clear_endpoints(http);
    http->endpoints = calloc(count + 1, sizeof *http->endpoints);
    if (!http->endpoints)
        return -ENOMEM;
    for (const struct colony_value *child = value->child; child && rc == 0; child = child->next)
        rc = read_endpoint(reading, child, &http->endpoints[http->endpoint_count++]);
    return rc;
}

static cJSON *write_endpoints(const struct colony__setting *row, const void *field)
{
    const struct colony_http_settings *http = field;
    cJSON *json = cJSON_CreateArray();
    int rc = json ? 0 : -ENOMEM;

    (void)row;
    for (size_t i = 0; i < http->endpoint_count && rc == 0; i++)
        rc = colony__json_add(json, NULL,
                              colony__settings_write(endpoint_settings, &http->endpoints[i]));
    if (rc < 0) {
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

const struct colony__setting_type colony__http_endpoints = {
    "a list of maps of bind, certfile, keyfile and client_ca", false, read_endpoints,
    write_endpoints};

/* clang-format off */
const struct colony__setting colony__http_settings[] = {
    {"bind",             TEXTS,   0, "[]",      AT(bind), NULL,
     "addresses: HOST:PORT, [V6]:PORT, PORT (of 127.0.0.1) or unix:PATH; `none` for no TCP"},
    {"certfile",         TEXT,    0, NULL,      AT(tls.certfile), NULL,
     "certificate of the TCP addresses in `bind`; then they speak TLS only"},
    {"keyfile",          TEXT,    0, NULL,      AT(tls.keyfile), NULL,
     "the key of the certificate; unless it is in `certfile`"},
    {"client_ca",        TEXT,    0, NULL,      AT(tls.client_ca), NULL,
     "authorities: who connects there needs a certificate of theirs"},
    {"endpoints",        &colony__http_endpoints, 0, "[]", 0, endpoint_settings,
     "more addresses, each with files of its own"},
    {"tokens",           TEXT,    0, NULL,      AT(tokens), NULL,
     "file of tokens, which everybody beyond this machine then needs"},
    {"insecure",         FLAG,    0, "false",   AT(insecure), NULL,
     "allow TCP beyond this machine without token and TLS"},
    {"allow",            TEXTS,   0, "[]",      AT(allow), NULL,
     "users who may control besides root and the owner"},
    {"hosts",            TEXTS,   0, "[]",      AT(hosts), NULL,
     "names that browsers may know this machine by"},
    {"cors_origins",     TEXTS,   0, "[]",      AT(cors_origins), NULL,
     "foreign pages that may control"},
    {"plugins",          TEXT,    0, NULL,      AT(plugins), NULL,
     "folder of site plugins, NAME/_site each, shown at /_plugin/NAME/"},
    {"max_header_bytes", BYTES,   0, "16384",   AT(header_bytes_max),
     RANGE(1024, 1 << 20), "largest head of a request"},
    {"max_body_bytes",   BYTES,   0, "1048576", AT(body_bytes_max),
     RANGE(1024, 1 << 30), "largest body of a request"},
    {"max_feed_bytes",   BYTES,   0, "1048576", AT(feed_bytes_max),
     RANGE(4096, 1 << 30), "what is kept for clients that follow and read slowly; the oldest goes"},
    {"max_message_bytes", BYTES,  0, "1048576", AT(message_bytes_max),
     RANGE(1024, 1 << 30), "largest message that a WebSocket may send"},
    {"request_timeout",  SECONDS, 0, "30",      AT(request_ms_max), NULL,
     "how long a client may take to send a request, or a message of a WebSocket"},
    {"max_connections",  COUNT,   0, "1024",    AT(connections_max), RANGE(1, 1000000),
     "most connections at a time"},
    {0},
};
/* clang-format on */

/* --- the section ------------------------------------------------------------------------------ */

int colony__http_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading)
{
    const struct colony_value *bind = colony_value_get(value, "bind");
    struct colony_http_settings *http = &settings->http;
    const char *missing;
    int rc = colony__settings_read(reading, colony__http_settings, value, http);

    if (rc < 0)
        return rc;
    for (char **address = http->bind; *address; address++) {
        bool is_none = strcmp(*address, "none") == 0;

        if (is_none ? http->bind[1] != NULL : !is_address(*address))
            return fail_bind(reading, bind, *address);
    }
    missing = find_missing(&http->tls);
    return missing ? fail_missing(reading, value, missing) : 0;
}

cJSON *colony__http_write(const struct colony_settings *settings)
{
    return colony__settings_write(colony__http_settings, &settings->http);
}

void colony__http_clear(struct colony_http_settings *http)
{
    colony__words_free(http->bind);
    colony__words_free(http->allow);
    colony__words_free(http->hosts);
    colony__words_free(http->cors_origins);
    free(http->tokens);
    free(http->plugins);
    clear_tls(&http->tls);
    clear_endpoints(http);
}

const struct colony_tls_settings *colony_http_tls(const struct colony_http_settings *http,
                                                  size_t number)
{
    return number == 0 ? &http->tls : &http->endpoints[number - 1].tls;
}

int colony_http_set_bind(struct colony_http_settings *http, const char *const *addresses)
{
    struct colony__words words = {0};
    int rc = colony__words_init(&words);

    for (; rc == 0 && *addresses; addresses++)
        rc = colony__words_add(&words, *addresses, strlen(*addresses), NULL);
    if (rc < 0) {
        colony__words_free(words.items);
        return rc;
    }
    colony__words_free(http->bind);
    http->bind = words.items;
    return 0;
}

int colony_http_set_no_tcp(struct colony_http_settings *http)
{
    static const char *const none[] = {"none", NULL};

    clear_endpoints(http);
    return colony_http_set_bind(http, none);
}

int colony_http_set_tls(struct colony_http_settings *http, const char *certfile,
                        const char *keyfile)
{
    char *certificate = strdup(certfile);
    char *key = keyfile ? strdup(keyfile) : NULL;

    if (!certificate || (keyfile && !key)) {
        free(certificate);
        free(key);
        return -ENOMEM;
    }
    free(http->tls.certfile);
    free(http->tls.keyfile);
    http->tls.certfile = certificate;
    http->tls.keyfile = key;
    return 0;
}
