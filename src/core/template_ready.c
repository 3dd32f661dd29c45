/* SPDX-License-Identifier: Apache-2.0 */
/* template_ready.c - the setting `ready`: how a process tells that it is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/features.h"
#include "core/pattern.h"
#include "core/setting_internal.h"
#include "core/settings.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

#define AT(field) offsetof(struct colony_ready_settings, field)
#define RANGE(min, max) (&(const struct colony__setting_range){min, max})
#define LEAST(ms) RANGE(ms, INT64_MAX)
#define SECONDS &colony__setting_seconds

enum {
    FD_MIN = 3,
    FD_MAX = 7,
    TRY_MS_MIN = 10, /* more often would cost more than it tells */
};

static int read_fd(const struct colony__reading *reading, const struct colony__setting *row,
                   const struct colony_value *value, void *field)
{
    int64_t fd = 0;
    int rc = colony__setting_integer(reading, value, row->detail, &fd);

    if (rc == 0)
        *(int *)field = (int)fd;
    return rc;
}

/* Which way it is follows from the key alone: see read_kind. */
static int read_notify(const struct colony__reading *reading, const struct colony__setting *row,
                       const struct colony_value *value, void *field)
{
    (void)field;
    return value->type == VALUE_BOOL ? 0 : colony__setting_fail_type(reading, row, value);
}

static int read_line(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    struct colony_pattern *pattern = NULL;
    struct colony_error reason;
    int rc = colony__setting_text.read(reading, row, value, field);

    if (rc < 0)
        return rc;
    rc = colony_pattern_new(&pattern, value->text, &reason);
    colony_pattern_free(pattern);
    if (rc == -EINVAL)
        return colony__setting_fail(reading, value, rc,
                                    "cannot use `%s`: it is no regular expression: %s", row->name,
                                    reason.message);
    return rc;
}

static int read_tcp(const struct colony__reading *reading, const struct colony__setting *row,
                    const struct colony_value *value, void *field)
{
    int rc = colony__setting_text.read(reading, row, value, field);

    if (rc < 0)
        return rc;
    if (!colony__is_host_port(value->text) || strtol(strrchr(value->text, ':') + 1, NULL, 10) == 0)
        return colony__setting_fail_type(reading, row, value);
    return 0;
}

static int read_http(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    int rc = colony__setting_text.read(reading, row, value, field);

    if (rc == 0 && !colony_is_http_url(value->text)) /* which may have a secret in it */
        return colony__setting_fail_type(reading, row, value);
    if (rc == 0 && !colony_has_feature("curl"))
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `http`: " COLONY_LEFT_OUT("HTTP requests", "curl"));
    return rc;
}

static int read_exec(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    struct colony__words words = {0};
    struct colony_error reason;
    int rc = colony__setting_text.read(reading, row, value, field);

    if (rc < 0)
        return rc;
    rc = colony__words_split(&words, value->text, WORDS_SHELL, &reason);
    if (rc == 0 && (words.count == 0 || words.items[0][0] == '\0'))
        rc = colony_fail(&reason, -EINVAL, "it is empty");
    colony__words_free(words.items);
    if (rc == -EINVAL)
        return colony__setting_fail(reading, value, rc, "cannot use `%s`: %s", row->name,
                                    reason.message);
    return rc;
}

static const struct colony__setting_type type_notify = {"true or false", false, read_notify, NULL};
const struct colony__setting_type colony__ready_fd = {"a whole number", false, read_fd, NULL};
static const struct colony__setting_type type_line = {"a regular expression", false, read_line,
                                                      NULL};
const struct colony__setting_type colony__ready_tcp = {"a text such as \"localhost:80\"", false,
                                                       read_tcp, NULL};
const struct colony__setting_type colony__ready_http = {"a text such as \"http://localhost:80/\"",
                                                        false, read_http, NULL};
const struct colony__setting_type colony__ready_exec = {"a command", false, read_exec, NULL};

/* clang-format off */
const struct colony__setting colony__ready_settings[] = {
    {"notify",   &type_notify, 0, NULL, 0,        NULL, "it says READY=1 by sd_notify(3)"},
    {"fd",       &colony__ready_fd, 0, NULL, AT(fd),   RANGE(FD_MIN, FD_MAX),
     "it writes a line to this descriptor"},
    {"line",     &type_line,   0, NULL, AT(text), NULL,
     "a line of its output matches this POSIX extended regular expression (without \\1)"},
    {"tcp",      &colony__ready_tcp,  0, NULL, AT(text), NULL, "HOST:PORT accepts connections"},
    {"http",     &colony__ready_http, 0, NULL, AT(text), NULL,
     "a GET of this URL is answered with a status below 400"},
    {"exec",     &colony__ready_exec, 0, NULL, AT(text), NULL, "this command exits with 0"},
    {"delay",    SECONDS,      0, NULL, AT(delay_ms), NULL, "it has run for so long"},
    {"interval", SECONDS,      0, "1",  AT(interval_ms),
     LEAST(TRY_MS_MIN), "time between tries of tcp, http and exec"},
    {"try",      SECONDS,      0, "5",  AT(try_ms),
     LEAST(TRY_MS_MIN), "how long one of them may take"},
    {0},
};

static const struct colony__setting_way ways[] = {
    {"notify", READY_NOTIFY}, {"fd", READY_FD}, {"line", READY_LINE}, {"tcp", READY_TCP},
    {"http", READY_HTTP}, {"exec", READY_EXEC}, {"delay", READY_DELAY},
    {0},
};
/* clang-format on */

static int read_kind(const struct colony__reading *reading, const struct colony_value *map,
                     struct colony_ready_settings *ready)
{
    int kind = 0;
    int rc = colony__setting_choose(reading, map, ways, "it can be ready in one way only", &kind);

    if (rc == -ENOENT)
        return colony__setting_fail(
            reading, map, -EINVAL,
            "cannot use `ready`: give one of notify, fd, line, tcp, http, exec and delay");
    ready->kind = (enum colony_ready_kind)kind;
    return rc;
}

static int read_ready(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    static const struct colony_value nothing = {.type = VALUE_MAP};
    struct colony_ready_settings *ready = field;
    bool is_notify = value->type == VALUE_STRING && strcmp(value->text, "notify") == 0;
    int rc;

    if (!is_notify && value->type != VALUE_MAP)
        return colony__setting_fail_type(reading, row, value);
    rc = colony__settings_read(reading, row->detail, is_notify ? &nothing : value, ready);
    if (rc == 0 && !is_notify)
        return read_kind(reading, value, ready);
    ready->kind = READY_NOTIFY;
    return rc;
}

int colony__ready_check(const struct colony__draft *draft, const struct colony__reading *reading)
{
    const struct colony_value *map = colony_value_get(draft->source, "ready");
    const struct colony_template *template = &draft->template;
    const struct colony_ready_settings *ready = &draft->ready;

    if (ready->kind == READY_LINE && (template->log.mode != LOG_CAPTURE || template->detach))
        return colony__setting_fail(reading, colony_value_get(map, "line"), -EINVAL,
                                    "cannot use `line`: colony does not see this output (`%s`)",
                                    template->detach                 ? "detach"
                                    : template->log.mode == LOG_NONE ? "log: none"
                                                                     : "log: direct");
    if (ready->kind == READY_DELAY && template->start_timeout_ms > 0 &&
        ready->delay_ms >= template->start_timeout_ms)
        return colony__setting_fail(reading, colony_value_get(map, "delay"), -EINVAL,
                                    "cannot use `delay`: `start_timeout` is over before it");
    return 0;
}

const struct colony__setting_type colony__ready = {"`notify` or a map of settings", true,
                                                   read_ready, NULL};
