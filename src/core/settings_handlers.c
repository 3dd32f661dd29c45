/* SPDX-License-Identifier: Apache-2.0 */
/* One of `events.handlers`: what it does with events, and what it needs for that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/event_settings.h"
#include "core/settings_internal.h"
#include "core/template_internal.h"
#include "core/value.h"
#include "core/words_internal.h"

#define AT(field) offsetof(struct colony_handler_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define TEXT &colony__setting_text
#define COUNT &colony__setting_count
#define SECONDS &colony__setting_seconds
#define FLAG &colony__setting_flag

static const struct colony__setting_way ways[] = {
    {"log", HANDLER_LOG},
    {"exec", HANDLER_EXEC},
    {"stdin", HANDLER_STDIN},
    {"bus", HANDLER_BUS},
    {"zmq", HANDLER_ZMQ},
    {"webhook", HANDLER_WEBHOOK},
    {NULL, 0},
};

const char *colony_handler_kind_name(enum colony_handler_kind kind)
{
    size_t i = 0;

    while (ways[i].name && ways[i].kind != (int)kind)
        i++;
    return ways[i].name ? ways[i].name : "program";
}

static int read_when(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    struct colony_value **when = field;
    struct colony_value *copy = NULL;
    int rc;

    if (value->type != VALUE_MAP)
        return colony__setting_fail_type(reading, row, value);
    rc = colony_value_copy(&copy, value);
    if (rc < 0)
        return rc;
    colony_value_free(*when);
    *when = copy;
    return 0;
}

static cJSON *write_when(const struct colony__setting *row, const void *field)
{
    const struct colony_value *when = *(const struct colony_value *const *)field;

    (void)row;
    return when ? colony_value_to_json(when) : cJSON_CreateNull();
}

static int read_exec(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    return colony__ready_exec.read(reading, row, value, field);
}

static cJSON *write_exec(const struct colony__setting *row, const void *field)
{
    return colony__setting_text.write(row, field);
}

static const struct colony__setting_type type_when = {"a map of keys and values", false, read_when,
                                                      write_when};
static const struct colony__setting_type type_exec = {"a command", false, read_exec, write_exec};

/* clang-format off */
const struct colony__setting colony__handler_settings[] = {
    {"log",         FLAG,       0, NULL,    AT(log), NULL,
     "each event is a line of colony's log"},
    {"exec",        &type_exec, 0, NULL,    AT(exec), NULL,
     "a command, run for each event, with the event on its stdin"},
    {"stdin",       TEXT,       0, NULL,    AT(input), NULL,
     "each event is a line to the stdin of a process of this template"},
    {"webhook",     TEXT,       0, NULL,    AT(hook.url), NULL,
     "each event is posted there: http:// or https://"},
    {"bus",         FLAG,       0, NULL,    AT(bus), NULL,
     "each event is published as `event` or `event.TYPE`, for /watch and the history"},
    {"zmq",         TEXT,       0, NULL,    AT(socket), NULL,
     "each event is published on a ZeroMQ socket that is bound there: tcp://HOST:PORT or ipc://PATH"},
    {"when",        &type_when, 0, NULL,    AT(when), NULL,
     "only events that are maps with these keys and values"},
    {"envelope",    FLAG,       0, "false", AT(envelope), NULL,
     "it is given {id, time, via, peer, event} instead of the event alone"},
    {"concurrency", COUNT,      0, "1",     AT(concurrency), RANGE(1, 256),
     "`exec`: so many may run at a time"},
    {"timeout",     SECONDS,    0, "30",    AT(timeout_ms), RANGE(100, 0),
     "`exec` and `webhook`: how long one run, or one attempt, may take"},
    {"secret_file", TEXT,       0, NULL,    AT(hook.secret_file), NULL,
     "`webhook`: file with the secret that signs what is posted"},
    {"ca",          TEXT,       0, NULL,    AT(hook.ca), NULL,
     "`webhook`: authorities for the server's certificate; the system's unless given"},
    {"headers",     &colony__headers, 0, "{}", AT(hook.headers), NULL,
     "`webhook`: headers to send as well"},
    {"retries",     COUNT,      0, "8",     AT(hook.retries), RANGE(0, 1000),
     "`webhook`: attempts after one that failed, in 1 s, 2 s, 4 s ... 60 s"},
    {"max_messages", COUNT,     0, "1000",  AT(messages_max), RANGE(1, 1000000),
     "`zmq`: messages that may wait for one subscriber; more are dropped and counted"},
    {"insecure",    FLAG,       0, "false", AT(insecure), NULL,
     "`zmq`: allow an address beyond this machine"},
    {0},
};

/* Settings that only some kinds have. */
static const struct {
    const char *name;
    unsigned kinds;
} limited[] = {
    {"concurrency",  1U << HANDLER_EXEC},
    {"timeout",      1U << HANDLER_EXEC | 1U << HANDLER_WEBHOOK},
    {"secret_file",  1U << HANDLER_WEBHOOK},
    {"ca",           1U << HANDLER_WEBHOOK},
    {"headers",      1U << HANDLER_WEBHOOK},
    {"retries",      1U << HANDLER_WEBHOOK},
    {"max_messages", 1U << HANDLER_ZMQ},
    {"insecure",     1U << HANDLER_ZMQ},
};
/* clang-format on */

static int check_limited(const struct colony__reading *reading, const struct colony_value *value,
                         const struct colony_handler_settings *handler)
{
    for (size_t i = 0; i < sizeof limited / sizeof limited[0]; i++) {
        const struct colony_value *given = colony__setting_given(value, limited[i].name);

        if (given && !(limited[i].kinds & 1U << handler->kind))
            return colony__setting_fail(reading, given, -EINVAL,
                                        "cannot use `%s` of a handler that is `%s`",
                                        limited[i].name, colony_handler_kind_name(handler->kind));
    }
    return 0;
}

static bool is_loopback(const char *address)
{
    static const char *const hosts[] = {"127.", "localhost:", "[::1]:", NULL};

    for (const char *const *host = hosts; *host; host++)
        if (strncmp(address, *host, strlen(*host)) == 0)
            return true;
    return false;
}

static int check_socket(const struct colony__reading *reading, const struct colony_value *place,
                        const struct colony_handler_settings *handler)
{
    const char *address = handler->socket + strlen("tcp://");
    bool is_ipc = strncmp(handler->socket, "ipc://", 6) == 0 && handler->socket[6] != '\0';

    if (is_ipc)
        return 0;
    if (strncmp(handler->socket, "tcp://", 6) != 0 || !colony__is_host_port(address))
        return colony__setting_fail(reading, place, -EINVAL,
                                    "cannot use `zmq`: write tcp://HOST:PORT or ipc://PATH");
    if (!handler->insecure && !is_loopback(address))
        return colony__setting_fail(reading, place, -EINVAL,
                                    "cannot bind `%.200s`: everybody who reaches it could read "
                                    "the events (write `insecure: true` if they may)",
                                    handler->socket);
    return 0;
}

static int check_handler(const struct colony__reading *reading, const struct colony_value *value,
                         const struct colony_handler_settings *handler)
{
    const char *name = colony_handler_kind_name(handler->kind);
    const struct colony_value *given = colony__setting_given(value, name);
    const struct colony_value *place = given ? given : value;
    struct colony_error reason;

    if (handler->kind == HANDLER_ZMQ)
        return check_socket(reading, place, handler);
    if (handler->kind == HANDLER_WEBHOOK && !colony_is_http_url(handler->hook.url))
        return colony__setting_fail(reading, place, -EINVAL,
                                    "cannot use `webhook`: it must be http:// or https://, a "
                                    "host, and no blanks");
    if (handler->kind == HANDLER_STDIN && colony_name_check(handler->input, &reason) < 0)
        return colony__setting_fail(reading, place, -EINVAL, "%s", reason.message);
    return 0;
}

/* What the table has no place for. */
static int finish_handler(struct colony_handler_settings *handler)
{
    struct colony__words words = {0};
    int rc;

    handler->hook.timeout_ms = handler->timeout_ms;
    handler->hook.events_max = 2; /* the queue of events is where they wait */
    handler->hook.bytes_max = UINT32_MAX;
    if (handler->kind != HANDLER_EXEC)
        return 0;
    rc = colony__words_split(&words, handler->exec, WORDS_SHELL, NULL);
    if (rc < 0) {
        colony__words_free(words.items);
        return rc;
    }
    handler->argv = words.items;
    return 0;
}

/* `log` is {log: true}. */
int colony__handler_read(const struct colony__reading *reading, const struct colony_value *value,
                         struct colony_handler_settings *handler)
{
    struct colony_value yes = {.type = VALUE_BOOL, .boolean = true, .text = (char *)"true"};
    struct colony_value map = {.type = VALUE_MAP, .child = &yes};
    bool is_word = value->type == VALUE_STRING &&
                   (strcmp(value->text, "log") == 0 || strcmp(value->text, "bus") == 0);
    int kind = HANDLER_LOG;
    int rc;

    if (is_word) {
        yes.key = value->text;
        value = &map;
    }
    if (value->type != VALUE_MAP)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use this handler: write `log`, `bus`, or a map with "
                                    "one of exec, stdin, webhook and zmq");
    rc = colony__settings_read(reading, colony__handler_settings, value, handler);
    if (rc == 0)
        rc = colony__setting_choose(reading, value, ways, "one handler does one thing", &kind);
    if (rc == -ENOENT)
        rc = colony__setting_fail(reading, value, -EINVAL,
                                  "cannot use this handler: give one of log, exec, stdin, "
                                  "webhook, bus and zmq");
    if (rc < 0)
        return rc;
    handler->kind = (enum colony_handler_kind)kind;
    rc = reading->is_saved ? 0 : check_limited(reading, value, handler);
    if (rc == 0)
        rc = check_handler(reading, value, handler);
    return rc < 0 ? rc : finish_handler(handler);
}

void colony__handler_clear(struct colony_handler_settings *handler)
{
    free(handler->exec);
    colony__words_free(handler->argv);
    free(handler->input);
    free(handler->socket);
    free(handler->hook.url);
    free(handler->hook.secret_file);
    free(handler->hook.ca);
    colony__words_free(handler->hook.headers);
    colony_value_free(handler->when);
}
