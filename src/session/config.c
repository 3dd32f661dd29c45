/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - what etc/session.yaml says, read by one table. */
#include "session/config.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/settings.h"
#include "core/signals.h"
#include "core/template.h"
#include "core/value.h"
#include "session/config_internal.h"
#include "session/dependences.h"
#include "session/process_internal.h"

enum {
    PERIOD_MS = 5000,
    PERIOD_MS_MIN = 100,
    STOP_WAIT_MS = 1000,
    TIME_MS_MAX = 24 * 3600 * 1000,
    KEYS_MAX = 8, /* of one table below */
};

#define SCHEME_BYTES "abcdefghijklmnopqrstuvwxyz0123456789+.-"

struct reading {
    struct colony_session_config *config;
    const char *path; /* stands in messages */
    struct colony_error *err;
};

struct key {
    const char *name;
    int (*read)(const struct reading *reading, const struct colony_value *value);
};

static int fail_at(const struct reading *reading, const struct colony_value *value,
                   const char *reason)
{
    return colony_fail(reading->err, -EINVAL, "%s:%u:%u: cannot use %s: %s", reading->path,
                       value->line, value->column, value->key ? value->key : "this", reason);
}

static int fail_memory(const struct reading *reading)
{
    return colony_fail(reading->err, -ENOMEM, "cannot read %s: out of memory", reading->path);
}

static const char *text_of(const struct colony_value *value)
{
    return value->type == VALUE_STRING || value->type == VALUE_NUMBER || value->type == VALUE_BOOL
               ? value->text
               : NULL;
}

static size_t count_children(const struct colony_value *value)
{
    size_t count = 0;

    for (const struct colony_value *child = value->child; child; child = child->next)
        count++;
    return count;
}

static const struct key *find_key(const struct key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int fail_key(const struct reading *reading, const struct colony_value *value,
                    const struct key *keys, size_t count)
{
    const char *names[KEYS_MAX + 1] = {NULL};
    const char *nearest;

    for (size_t i = 0; i < count && i < KEYS_MAX; i++)
        names[i] = keys[i].name;
    nearest = colony_name_nearest(value->key, names);
    if (nearest)
        return colony_fail(reading->err, -EINVAL,
                           "%s:%u:%u: there is no setting %s: did you mean %s?", reading->path,
                           value->line, value->column, value->key, nearest);
    return colony_fail(reading->err, -EINVAL, "%s:%u:%u: there is no setting %s", reading->path,
                       value->line, value->column, value->key);
}

static int read_keys(const struct reading *reading, const struct colony_value *map,
                     const struct key *keys, size_t count)
{
    int rc = 0;

    if (map->type != VALUE_MAP)
        return fail_at(reading, map, "it must be a map");
    for (const struct colony_value *value = map->child; value && rc == 0; value = value->next) {
        const struct key *key = find_key(keys, count, value->key);

        if (!key)
            return fail_key(reading, value, keys, count);
        if (value->type != VALUE_NULL)
            rc = key->read(reading, value);
    }
    return rc;
}

/* --- times and signals --------------------------------------------------------------------------
 */

static int read_time(const struct reading *reading, const struct colony_value *value,
                     uint64_t min_ms, uint64_t *out)
{
    const char *text = text_of(value);
    uint64_t ms = 0;

    if (!text || colony_settings_parse_duration(text, &ms) < 0 || ms > TIME_MS_MAX)
        return fail_at(reading, value, "it must be a time such as 500ms, 5s or 1h, a day at most");
    if (ms < min_ms)
        return fail_at(reading, value, "it must be 100ms at least");
    *out = ms;
    return 0;
}

static int read_period(const struct reading *reading, const struct colony_value *value)
{
    return read_time(reading, value, PERIOD_MS_MIN, &reading->config->period_ms);
}

static int read_stop_wait(const struct reading *reading, const struct colony_value *value)
{
    return read_time(reading, value, 0, &reading->config->stop_wait_ms);
}

static int read_stop_signals(const struct reading *reading, const struct colony_value *value)
{
    struct colony_session_config *config = reading->config;

    if (value->type != VALUE_LIST)
        return fail_at(reading, value, "it must be a list of signals");
    config->stop_count = 0;
    for (const struct colony_value *item = value->child; item; item = item->next) {
        const char *text = text_of(item);
        int signo = text ? colony_signal_parse(text) : -EINVAL;

        if (signo < 0)
            return fail_at(reading, item, "it must be a signal such as QUIT or TERM");
        if (config->stop_count == COLONY_SESSION_STOPS_MAX)
            return fail_at(reading, item, "eight signals are the most");
        config->stop_signals[config->stop_count++] = signo;
    }
    return 0;
}

static int read_stop(const struct reading *reading, const struct colony_value *value)
{
    static const struct key keys[] = {{"signals", read_stop_signals}, {"wait", read_stop_wait}};

    return read_keys(reading, value, keys, sizeof keys / sizeof keys[0]);
}

/* --- schemes ------------------------------------------------------------------------------------
 */

static const char *find_scheme_fault(const char *name)
{
    if (name[0] < 'a' || name[0] > 'z' || name[strspn(name, SCHEME_BYTES)] != '\0')
        return "a scheme is small letters, digits, `+`, `.` and `-`, a letter first";
    if (strcmp(name, "exec") == 0 || strcmp(name, "attached") == 0)
        return "that scheme is the session's own";
    return NULL;
}

static int read_scheme(const struct reading *reading, const struct colony_value *value,
                       struct colony_scheme *scheme)
{
    const char *fault = find_scheme_fault(value->key);
    size_t count = count_children(value);
    char **word;

    if (!fault && (value->type != VALUE_LIST || count == 0))
        fault = "it must be a list: a program and its arguments";
    if (fault)
        return fail_at(reading, value, fault);
    scheme->name = strdup(value->key);
    scheme->argv = word = calloc(count + 1, sizeof *scheme->argv);
    if (!scheme->name || !word)
        return fail_memory(reading);
    for (const struct colony_value *item = value->child; item; item = item->next) {
        const char *text = text_of(item);

        if (!text || (item == value->child && text[0] == '\0'))
            return fail_at(reading, item, "it must be a text");
        *word = strdup(text);
        if (!*word++)
            return fail_memory(reading);
    }
    return 0;
}

static int read_schemes(const struct reading *reading, const struct colony_value *value)
{
    struct colony_session_config *config = reading->config;

    if (value->type != VALUE_MAP)
        return fail_at(reading, value, "it must be a map of schemes");
    config->schemes = calloc(count_children(value) + 1, sizeof *config->schemes);
    if (!config->schemes)
        return fail_memory(reading);
    for (const struct colony_value *item = value->child; item; item = item->next) {
        int rc = read_scheme(reading, item, &config->schemes[config->scheme_count++]);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- dependences --------------------------------------------------------------------------------
 */

static const char *const on_loss_words[] = {
    [ON_LOSS_KEEP] = "keep",
    [ON_LOSS_STOP] = "stop",
    [ON_LOSS_RESTART] = "restart",
};

const char *colony_on_loss_word(enum colony_on_loss on_loss)
{
    return on_loss_words[on_loss];
}

int colony_on_loss_parse(const char *text)
{
    for (int i = 0; i <= ON_LOSS_RESTART; i++)
        if (strcmp(on_loss_words[i], text) == 0)
            return i;
    return -EINVAL;
}

/* {parent: "db:ready", on_loss: stop} */
static int read_long(const struct reading *reading, const struct colony_value *value,
                     const char **parent, enum colony_on_loss *on_loss)
{
    for (const struct colony_value *item = value->child; item; item = item->next) {
        const char *text = text_of(item);
        int word;

        if (!text)
            return fail_at(reading, item, "it must be a text");
        if (strcmp(item->key, "parent") == 0) {
            *parent = text;
            continue;
        }
        if (strcmp(item->key, "on_loss") != 0)
            return fail_at(reading, item, "a dependence has parent and on_loss");
        word = colony_on_loss_parse(text);
        if (word < 0)
            return fail_at(reading, item, "it must be keep, stop or restart");
        *on_loss = (enum colony_on_loss)word;
    }
    return *parent ? 0 : fail_at(reading, value, "it has no parent");
}

static int read_dependence(const struct reading *reading, const char *child,
                           const struct colony_value *value)
{
    struct colony_session_config *config = reading->config;
    const char *parent = text_of(value);
    enum colony_on_loss on_loss = ON_LOSS_KEEP;
    struct colony_error reason;
    int rc = value->type == VALUE_MAP ? read_long(reading, value, &parent, &on_loss) : 0;

    if (rc < 0)
        return rc;
    if (!parent)
        return fail_at(reading, value,
                       "it must be \"PARENT:STATE\", or a map of parent and on_loss");
    rc = colony_session_config_add(config, child, parent, on_loss, &reason);
    if (rc == 1) {
        config->dependences[config->dependence_count - 1].line = value->line;
        config->dependences[config->dependence_count - 1].column = value->column;
    }
    return rc < 0 ? fail_at(reading, value, reason.message) : 0;
}

static int read_child(const struct reading *reading, const struct colony_value *value)
{
    struct colony_error reason;
    int rc = 0;

    if (colony__session_name_check(value->key, &reason) < 0)
        return fail_at(reading, value, reason.message);
    if (value->type != VALUE_LIST)
        return read_dependence(reading, value->key, value);
    for (const struct colony_value *item = value->child; item && rc == 0; item = item->next)
        rc = read_dependence(reading, value->key, item);
    return rc;
}

static int read_dependences(const struct reading *reading, const struct colony_value *value)
{
    int rc = 0;

    if (value->type != VALUE_MAP)
        return fail_at(reading, value, "it must be a map: a list of parents for each child");
    for (const struct colony_value *item = value->child; item && rc == 0; item = item->next)
        if (item->type != VALUE_NULL)
            rc = read_child(reading, item);
    return rc;
}

/* --- the file -----------------------------------------------------------------------------------
 */

static const struct key keys[] = {
    {"period", read_period},
    {"stop", read_stop},
    {"schemes", read_schemes},
    {"dependences", read_dependences},
};

void colony__session_config_defaults(struct colony_session_config *config)
{
    *config = (struct colony_session_config){
        .period_ms = PERIOD_MS,
        .stop_signals = {SIGQUIT, SIGTERM},
        .stop_count = 2,
        .stop_wait_ms = STOP_WAIT_MS,
    };
}

int colony__session_config_parse(struct colony_session_config *out, const char *path,
                                 const char *text, size_t size, struct colony_error *err)
{
    struct colony_session_config config;
    const struct reading reading = {.config = &config, .path = path, .err = err};
    struct colony_value *root = NULL;
    int rc = colony_value_parse_yaml(&root, text, size, path, err);

    colony__session_config_defaults(&config);
    if (rc == 0)
        rc = read_keys(&reading, root, keys, sizeof keys / sizeof keys[0]);
    colony_value_free(root);
    if (rc < 0)
        colony_session_config_clear(&config);
    else
        *out = config;
    return rc;
}

void colony_session_config_clear(struct colony_session_config *config)
{
    for (size_t i = 0; i < config->scheme_count; i++) {
        free(config->schemes[i].name);
        colony__strings_free(config->schemes[i].argv);
    }
    for (size_t i = 0; i < config->dependence_count; i++)
        colony__dependence_clear(&config->dependences[i]);
    free(config->schemes);
    free(config->dependences);
    *config = (struct colony_session_config){0};
}
