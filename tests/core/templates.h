/* SPDX-License-Identifier: Apache-2.0 */
/* templates.h - how tests make templates, and look at what came of it. */
#ifndef COLONY_TESTS_TEMPLATES_H
#define COLONY_TESTS_TEMPLATES_H

#include "../test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/error.h"
#include "core/template.h"
#include "core/value.h"

static inline int make(struct colony_template **out, const char *name, const char *yaml,
                       bool strict, struct colony_error *err)
{
    struct colony_value *source = NULL;
    int rc = colony_value_parse_yaml(&source, yaml, strlen(yaml), "f.yaml", err);

    if (rc < 0)
        fail_msg("%s", err->message);
    rc = colony_template_new(out, name, source, "f.yaml", strict, err);
    colony_value_free(source);
    return rc;
}

static inline struct colony_template *web(const char *yaml)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    if (make(&template, "web", yaml, true, &err) < 0)
        fail_msg("%s", err.message);
    return template;
}

static inline void assert_refused(const char *yaml, const char *why)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    assert_int_equal(make(&template, "web", yaml, true, &err), -EINVAL);
    assert_null(template);
    if (!strstr(err.message, why))
        fail_msg("`%s` is not in `%s`", why, err.message);
    if (strncmp(err.message, "f.yaml:", 7) != 0 || !strstr(err.message, ": cannot "))
        fail_msg("no place in `%s`", err.message);
}

/* The words of a list, each with a `|` behind it. */
static inline void assert_words(char *const *words, const char *expected)
{
    char joined[512] = "";

    for (; *words; words++) {
        assert_true(strlen(joined) + strlen(*words) + 2 < sizeof joined);
        memcpy(joined + strlen(joined), *words, strlen(*words) + 1);
        memcpy(joined + strlen(joined), "|", 2);
    }
    assert_string_equal(joined, expected);
}

static inline int from_json(struct colony_template **out, const char *json, bool strict,
                            struct colony_error *err)
{
    struct colony_value *source = NULL;
    int rc = colony_value_parse_json(&source, json, strlen(json), err);

    assert_int_equal(rc, 0);
    rc = colony_template_new(out, NULL, source, NULL, strict, err);
    colony_value_free(source);
    return rc;
}

/* @template as it is after a restart of the engine: by way of JSON, without its files. */
static inline struct colony_template *restored(const struct colony_template *template)
{
    struct colony_template *again = NULL;
    struct colony_error err = {0};

    if (colony_template_restore(&again, template->source, &err) < 0)
        fail_msg("%s", err.message);
    return again;
}

/* @template as a client gets and puts it. */
static inline struct colony_template *put_again(const struct colony_template *template)
{
    struct colony_template *again = NULL;
    struct colony_error err = {0};
    cJSON *json = colony_template_to_json(template);
    char *text = cJSON_PrintUnformatted(json);

    if (from_json(&again, text, true, &err) < 0)
        fail_msg("%s", err.message);
    cJSON_free(text);
    cJSON_Delete(json);
    return again;
}

#endif
