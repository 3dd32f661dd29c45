/* SPDX-License-Identifier: Apache-2.0 */
/* The sections `master:`, `ping:` and `status:`: the daemon endpoint, and what it answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/settings_internal.h"
#include "core/template_internal.h"
#include "core/value.h"
#include "core/words_internal.h"

#define MASTER(field) offsetof(struct colony_master_settings, field)
#define PING(field) offsetof(struct colony_ping_settings, field)
#define STATUS(field) offsetof(struct colony_status_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text
#define SECONDS &colony__setting_seconds

enum {
    RUN_MS_MIN = 100, /* what a command may take */
    PORT_MAX = 65535,
};

/* That of `ready` is written with its template. */
static int read_exec(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    return colony__ready_exec.read(reading, row, value, field);
}

static cJSON *write_exec(const struct colony__setting *row, const void *field)
{
    return colony__setting_text.write(row, field);
}

static const struct colony__setting_type type_exec = {"a command", false, read_exec, write_exec};

/* clang-format off */
const struct colony__setting colony__master_settings[] = {
    {"host",        TEXT,                    0, "::", MASTER(host),        NULL,
     "address to listen on, as HTTP and UDP; :: is all there are, of IPv4 too"},
    {"port",        &colony__setting_count,  0, "5151",   MASTER(port),        RANGE(0, PORT_MAX),
     "port of both; 0: any that is free"},
    {"hidden_opts", &colony__setting_texts,  0, "[]",     MASTER(hidden_opts), NULL,
     "keys of your own at the top of the file whose values `/status` does not show"},
    {0},
};

const struct colony__setting colony__ping_settings[] = {
    {"exec",    &type_exec, 0, NULL, PING(exec),       NULL,
     "a command: `/ping` fails unless it exits with 0"},
    {"timeout", SECONDS,             0, "5",  PING(timeout_ms), RANGE(RUN_MS_MIN, INT64_MAX),
     "how long it may take"},
    {"blocked", SECONDS,             0, "1",  PING(blocked_ms), RANGE(RUN_MS_MIN, INT64_MAX),
     "`/ping` fails for 10 seconds after colony itself was held up for so long"},
    {0},
};

const struct colony__setting colony__status_settings[] = {
    {"exec",    &type_exec, 0, NULL, STATUS(exec),       NULL,
     "a command: what it prints, a JSON object, is put into what `/status` answers"},
    {"timeout", SECONDS,             0, "5",  STATUS(timeout_ms), RANGE(RUN_MS_MIN, INT64_MAX),
     "how long it may take"},
    {0},
};
/* clang-format on */

int colony__daemon_default(struct colony_settings *settings, const struct colony__reading *reading)
{
    const struct colony_value nothing = {.type = VALUE_MAP};
    int rc = colony__settings_read(reading, colony__master_settings, &nothing, &settings->master);

    if (rc == 0)
        rc = colony__settings_read(reading, colony__ping_settings, &nothing, &settings->ping);
    if (rc == 0)
        rc = colony__settings_read(reading, colony__status_settings, &nothing, &settings->status);
    return rc;
}

int colony__master_read(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading)
{
    settings->master.is_wanted = true;
    return colony__settings_read(reading, colony__master_settings, value, &settings->master);
}

/* The table has no place for the words of a command. */
static int split(const char *exec, char ***argv)
{
    struct colony__words words = {0};
    int rc = exec ? colony__words_split(&words, exec, WORDS_SHELL, NULL) : 0;

    colony__words_free(*argv);
    *argv = words.items;
    return rc;
}

int colony__ping_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading)
{
    int rc = colony__settings_read(reading, colony__ping_settings, value, &settings->ping);

    return rc < 0 ? rc : split(settings->ping.exec, &settings->ping.argv);
}

int colony__status_read(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading)
{
    int rc = colony__settings_read(reading, colony__status_settings, value, &settings->status);

    return rc < 0 ? rc : split(settings->status.exec, &settings->status.argv);
}

cJSON *colony_master_to_json(const struct colony_master_settings *master)
{
    return colony__settings_write(colony__master_settings, master);
}

cJSON *colony__master_write(const struct colony_settings *settings)
{
    if (!settings->master.is_wanted)
        return cJSON_CreateNull();
    return colony_master_to_json(&settings->master);
}

cJSON *colony__ping_write(const struct colony_settings *settings)
{
    return colony__settings_write(colony__ping_settings, &settings->ping);
}

cJSON *colony__status_write(const struct colony_settings *settings)
{
    return colony__settings_write(colony__status_settings, &settings->status);
}

void colony__daemon_clear(struct colony_settings *settings)
{
    free(settings->master.host);
    colony__words_free(settings->master.hidden_opts);
    free(settings->ping.exec);
    colony__words_free(settings->ping.argv);
    free(settings->status.exec);
    colony__words_free(settings->status.argv);
}

bool colony_master_hides(const struct colony_master_settings *master, const char *key)
{
    for (char **name = master->hidden_opts; name && *name; name++)
        if (strcmp(*name, key) == 0)
            return true;
    return false;
}

/* "HOST:PORT", "[V6]:PORT", "PORT"; the parts of HOST are looked at by whoever listens. */
int colony_master_set_address(struct colony_master_settings *master, const char *text,
                              struct colony_error *err)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon ? colon + 1 : text;
    size_t digits = strspn(port, "0123456789");
    bool is_port = digits > 0 && digits <= 5 && port[digits] == '\0';
    size_t size = colon ? (size_t)(colon - text) : 0;
    char *host;

    if (!is_port || (colon && !colony__is_host_port(text)) || strtol(port, NULL, 10) > PORT_MAX)
        return colony_fail(err, -EINVAL,
                           "cannot take events on `%.200s`: write HOST:PORT, [V6]:PORT or PORT",
                           text);
    host = text[0] == '[' ? strndup(text + 1, size - 2)
                          : strndup(colon ? text : "::", colon ? size : 2);
    if (!host)
        return colony_fail(err, -ENOMEM, "cannot take events: out of memory");
    free(master->host);
    master->host = host;
    master->port = (uint32_t)strtol(port, NULL, 10);
    master->is_wanted = true;
    return 0;
}
