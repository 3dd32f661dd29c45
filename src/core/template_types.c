/* SPDX-License-Identifier: Apache-2.0 */
#include "core/template_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/error.h"
#include "core/setting_internal.h"
#include "core/settings.h"
#include "core/signals.h"
#include "core/template.h"
#include "core/value_internal.h"

enum {
    UMASK_MAX = 0777,
};

/* clang-format off */
static const struct resource {
    const char *name;
    int number;
} resources[] = {
    {"as",       RLIMIT_AS},       {"core",   RLIMIT_CORE},   {"cpu",        RLIMIT_CPU},
    {"data",     RLIMIT_DATA},     {"fsize",  RLIMIT_FSIZE},  {"locks",      RLIMIT_LOCKS},
    {"memlock",  RLIMIT_MEMLOCK},  {"msgqueue", RLIMIT_MSGQUEUE}, {"nice",   RLIMIT_NICE},
    {"nofile",   RLIMIT_NOFILE},   {"nproc",  RLIMIT_NPROC},  {"rss",        RLIMIT_RSS},
    {"rtprio",   RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME}, {"sigpending", RLIMIT_SIGPENDING},
    {"stack",    RLIMIT_STACK},
};
/* clang-format on */

enum {
    RESOURCE_COUNT = sizeof resources / sizeof resources[0],
};

_Static_assert((int)RESOURCE_COUNT <= (int)COLONY_RLIMITS_MAX, "rlimits[] holds each resource");

static int read_env_names(const struct colony__reading *reading, const struct colony__setting *row,
                          const struct colony_value *value, void *field)
{
    char ***names = field;
    int rc = colony__setting_texts.read(reading, row, value, field);

    for (size_t i = 0; rc == 0 && (*names)[i]; i++)
        if (strchr((*names)[i], '='))
            rc = colony__setting_fail(reading, value, -EINVAL,
                                      "cannot use `%s`: `%.100s` is no name of a variable",
                                      row->name, (*names)[i]);
    return rc;
}

static int read_umask(const struct colony__reading *reading, const struct colony__setting *row,
                      const struct colony_value *value, void *field)
{
    static const struct colony__setting_range range = {0, UMASK_MAX};
    struct colony__draft *draft = field;
    int64_t bits = 0;
    int rc;

    if (value->type == VALUE_STRING) {
        size_t length = strspn(value->text, "01234567");

        if (length == 0 || length > 4 || value->text[length] != '\0')
            return colony__setting_fail_type(reading, row, value);
        bits = strtol(value->text, NULL, 8);
        if (bits > UMASK_MAX)
            return colony__setting_fail_type(reading, row, value);
    } else if (value->type == VALUE_NUMBER) {
        rc = colony__setting_integer(reading, value, &range, &bits);
        if (rc < 0)
            return rc;
    } else {
        return colony__setting_fail_type(reading, row, value);
    }
    draft->template.has_umask = true;
    draft->template.umask = (mode_t)bits;
    return 0;
}

static int read_nice(const struct colony__reading *reading, const struct colony__setting *row,
                     const struct colony_value *value, void *field)
{
    struct colony__draft *draft = field;
    int64_t nice_value = 0;
    int rc = colony__setting_integer(reading, value, row->detail, &nice_value);

    if (rc < 0)
        return rc;
    draft->template.has_nice = true;
    draft->template.nice = (int)nice_value;
    return 0;
}

static int read_oom_score_adj(const struct colony__reading *reading,
                              const struct colony__setting *row, const struct colony_value *value,
                              void *field)
{
    struct colony__draft *draft = field;
    int64_t score = 0;
    int rc = colony__setting_integer(reading, value, row->detail, &score);

    if (rc < 0)
        return rc;
    draft->template.has_oom_score_adj = true;
    draft->template.oom_score_adj = (int)score;
    return 0;
}

static int read_stop_signals(const struct colony__reading *reading,
                             const struct colony__setting *row, const struct colony_value *value,
                             void *field)
{
    const struct colony_value *first = value->type == VALUE_LIST ? value->child : value;
    uint8_t *signals = field;
    size_t count = 0;

    memset(signals, 0, COLONY_STOP_SIGNALS_MAX);
    for (const struct colony_value *member = first; member; member = member->next) {
        int signo = -EINVAL;

        if (member->type == VALUE_STRING || member->type == VALUE_NUMBER)
            signo = colony_signal_parse(member->text);
        if (signo < 0)
            return colony__setting_fail_type(reading, row, member);
        if (count == COLONY_STOP_SIGNALS_MAX)
            return colony__setting_fail(reading, value, -EINVAL,
                                        "cannot use `%s`: there may be %d signals", row->name,
                                        COLONY_STOP_SIGNALS_MAX);
        signals[count++] = (uint8_t)signo;
        if (value->type != VALUE_LIST)
            break; /* its next is another setting */
    }
    return count > 0 ? 0 : colony__setting_fail_type(reading, row, value);
}

static int read_limit(const struct colony__reading *reading, const struct colony_value *value,
                      uint64_t *out)
{
    static const struct colony__setting_range range = {0, COLONY__COUNT_MAX};
    int64_t number = 0;
    int rc;

    if (value->type == VALUE_STRING && strcmp(value->text, "unlimited") == 0) {
        *out = RLIM_INFINITY;
        return 0;
    }
    if (value->type == VALUE_STRING && colony_settings_parse_size(value->text, out) == 0)
        return 0;
    if (value->type != VALUE_NUMBER)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use the limit `%.100s`: it must be a number, "
                                    "`unlimited`, or a map of soft and hard",
                                    value->key);
    rc = colony__setting_integer(reading, value, &range, &number);
    if (rc == 0)
        *out = (uint64_t)number;
    return rc;
}

static int read_soft_and_hard(const struct colony__reading *reading,
                              const struct colony_value *value, struct colony_rlimit *limit)
{
    const struct colony_value *soft = colony_value_get(value, "soft");
    const struct colony_value *hard = colony_value_get(value, "hard");
    int rc;

    for (const struct colony_value *member = value->child; member; member = member->next)
        if (member != soft && member != hard)
            return colony__setting_fail_unknown(reading, member, NULL);
    if (!soft || !hard)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use the limit `%s`: give both soft and hard",
                                    value->key);
    rc = read_limit(reading, soft, &limit->soft);
    if (rc == 0)
        rc = read_limit(reading, hard, &limit->hard);
    if (rc == 0 && limit->soft > limit->hard)
        rc = colony__setting_fail(reading, value, -EINVAL,
                                  "cannot use the limit `%s`: soft is above hard", value->key);
    return rc;
}

static int fail_resource(const struct colony__reading *reading, const struct colony_value *member)
{
    const char *known[RESOURCE_COUNT + 1] = {NULL};

    for (size_t i = 0; i < RESOURCE_COUNT; i++)
        known[i] = resources[i].name;
    return colony__setting_fail_unknown(reading, member, colony_name_nearest(member->key, known));
}

static int read_rlimit(const struct colony__reading *reading, const struct colony_value *member,
                       struct colony_rlimit *limit)
{
    size_t i = 0;
    int rc;

    while (i < RESOURCE_COUNT && strcmp(resources[i].name, member->key) != 0)
        i++;
    if (i == RESOURCE_COUNT)
        return fail_resource(reading, member);
    limit->resource = resources[i].number;
    if (member->type == VALUE_MAP)
        return read_soft_and_hard(reading, member, limit);
    rc = read_limit(reading, member, &limit->soft);
    if (rc == 0)
        limit->hard = limit->soft;
    return rc;
}

static int read_rlimits(const struct colony__reading *reading, const struct colony__setting *row,
                        const struct colony_value *value, void *field)
{
    struct colony__draft *draft = field;
    int rc = 0;

    if (value->type != VALUE_MAP)
        return colony__setting_fail_type(reading, row, value);
    /* No key is there twice, so there are at most as many as resources. */
    for (const struct colony_value *member = value->child; member && rc == 0; member = member->next)
        rc = read_rlimit(reading, member, &draft->rlimits[draft->template.rlimit_count++]);
    return rc;
}

static int read_log_mode(const struct colony__reading *reading, const struct colony__setting *row,
                         const struct colony_value *value, void *field)
{
    const enum colony_log_mode *wanted = row->detail;
    enum colony_log_mode *mode = field;
    bool is_wanted = false;
    int rc = colony__setting_flag.read(reading, row, value, &is_wanted);

    if (rc < 0 || !is_wanted)
        return rc;
    if (*mode != LOG_CAPTURE)
        return colony__setting_fail(reading, value, -EINVAL,
                                    "cannot use `log`: direct and none exclude each other");
    *mode = *wanted;
    return 0;
}

static int read_log_forward(const struct colony__reading *reading,
                            const struct colony__setting *row, const struct colony_value *value,
                            void *field)
{
    bool is_wanted = false;
    int rc = colony__setting_flag.read(reading, row, value, &is_wanted);

    if (rc == 0)
        *(enum colony_log_forward *)field = is_wanted ? LOG_FORWARD_YES : LOG_FORWARD_NO;
    return rc;
}

/* Relative to what would be anybody's guess: colony, its settings and the process have folders. */
static int read_log_path(const struct colony__reading *reading, const struct colony__setting *row,
                         const struct colony_value *value, void *field)
{
    size_t length = value->type == VALUE_STRING ? strlen(value->text) : 0;

    if (length < 2 || value->text[0] != '/' || value->text[length - 1] == '/' || length >= PATH_MAX)
        return colony__setting_fail_type(reading, row, value);
    return colony__setting_text.read(reading, row, value, field);
}

static int read_log(const struct colony__reading *reading, const struct colony__setting *row,
                    const struct colony_value *value, void *field)
{
    struct colony_log_settings *log = field;
    const struct colony_value nothing = {.type = VALUE_MAP};
    int rc;

    if (value->type == VALUE_MAP) {
        rc = colony__settings_read(reading, row->detail, value, log);
        if (rc == 0 && log->mode != LOG_DIRECT && (log->out || log->err))
            return colony__setting_fail(reading, value, -EINVAL,
                                        "cannot use `log`: out and err are files that a process "
                                        "writes itself, add direct: true");
        return rc;
    }
    if (value->type != VALUE_STRING || strcmp(value->text, "none") != 0)
        return colony__setting_fail_type(reading, row, value);
    rc = colony__settings_read(reading, row->detail, &nothing, log);
    log->mode = LOG_NONE;
    return rc;
}

/* clang-format off */
const struct colony__setting_type colony__log_path =
    {"a path of a file, from / on",                  false, read_log_path,  NULL};
const struct colony__setting_type colony__name =
    {"a text",                                      false, NULL,           NULL};
const struct colony__setting_type colony__args =
    {"a list of texts, or a text",                  false, NULL,           NULL};
const struct colony__setting_type colony__env =
    {"a map of names and values",                   false, NULL,           NULL};
const struct colony__setting_type colony__env_file =
    {"a path or a list of paths",                   false, NULL,           NULL};
const struct colony__setting_type colony__user =
    {"a name or a number",                          false, NULL,           NULL};
const struct colony__setting_type colony__group =
    {"a name or a number",                          false, NULL,           NULL};
const struct colony__setting_type colony__groups =
    {"a list of names or numbers",                  false, NULL,           NULL};
const struct colony__setting_type colony__env_names =
    {"a list of names",                             false, read_env_names, NULL};
const struct colony__setting_type colony__umask =
    {"octal digits in quotes, such as \"022\"",     false, read_umask,     NULL};
const struct colony__setting_type colony__nice =
    {"a whole number",                              false, read_nice,      NULL};
const struct colony__setting_type colony__oom_score_adj =
    {"a whole number",                              false, read_oom_score_adj, NULL};
const struct colony__setting_type colony__rlimits =
    {"a map of limits, such as nofile: 1024",       false, read_rlimits,   NULL};
const struct colony__setting_type colony__stop_signals =
    {"the name or number of a signal, or a list of them", false, read_stop_signals, NULL};
const struct colony__setting_type colony__log =
    {"`none` or a map of settings",                 true,  read_log,       NULL};
const struct colony__setting_type colony__log_mode =
    {"true or false",                               false, read_log_mode,  NULL};
const struct colony__setting_type colony__log_forward =
    {"true or false",                               false, read_log_forward, NULL};
/* clang-format on */
