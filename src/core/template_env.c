/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_env.c - the setting `env_file`: read when settings are loaded, and from then on kept in
 * the template's source, so that an engine that starts anew comes to the same template.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/env_file_internal.h"
#include "core/error.h"
#include "core/setting_internal.h"
#include "core/template.h"
#include "core/template_internal.h"
#include "core/value_internal.h"
#include "core/words_internal.h"

enum {
    ENV_FILES_MAX = 64, /* of one template */
    PATH_BYTES_MAX = 4096,
};

/* A relative path is meant from the folder of the settings file. */
static int make_path(char path[PATH_BYTES_MAX], const char *file, const char *name)
{
    const char *slash = file && name[0] != '/' ? strrchr(file, '/') : NULL;
    int folder = slash ? (int)(slash + 1 - file) : 0;
    int length = snprintf(path, PATH_BYTES_MAX, "%.*s%s", folder, folder > 0 ? file : "", name);

    return length < PATH_BYTES_MAX ? 0 : -ENAMETOOLONG;
}

static int load_file(struct colony__words *words, const struct colony_value *place,
                     const struct colony__reading *reading)
{
    bool is_optional = place->text[0] == '-';
    const char *name = place->text + is_optional;
    struct colony_error reason;
    char path[PATH_BYTES_MAX];
    int rc = make_path(path, reading->file, name);

    if (*name == '\0' || rc < 0)
        return colony__setting_fail(reading, place, -EINVAL, "cannot use `env_file`: a path is %s",
                                    rc < 0 ? "too long" : "missing");
    rc = colony__env_file_load(words, path, &reason);
    if (rc == -ENOMEM || rc == 0 || (rc == -ENOENT && is_optional))
        return rc == -ENOENT ? 0 : rc;
    if (strncmp(reason.message, "cannot ", strlen("cannot ")) != 0) /* it has a place */
        return colony_fail(reading->err, -EINVAL, "%s", reason.message);
    return colony__setting_fail(reading, place, -EINVAL, "%s%s", reason.message,
                                rc == -ENOENT ? " (write -PATH in `env_file` if it may be missing)"
                                              : "");
}

static int load_files(struct colony__words *words, const struct colony_value *files,
                      const struct colony__reading *reading)
{
    struct colony_value alone = *files;
    const struct colony_value *place = files->type == VALUE_LIST ? files->child : &alone;
    size_t count = 0;
    int rc = 0;

    alone.next = NULL;
    for (; place && rc == 0; place = place->next) {
        if (place->type != VALUE_STRING)
            return colony__setting_fail(reading, place, -EINVAL,
                                        "cannot use `env_file`: it must be a path or a list of "
                                        "paths");
        if (++count > ENV_FILES_MAX)
            return colony__setting_fail(reading, place, -EINVAL,
                                        "cannot use `env_file`: there are more than %d",
                                        ENV_FILES_MAX);
        rc = load_file(words, place, reading);
    }
    return rc;
}

/* What colony wrote down of the files when it read them. */
static int load_saved(struct colony__words *words, const struct colony_value *saved,
                      const struct colony__reading *reading)
{
    struct colony_error reason;
    int rc = 0;

    if (saved->type != VALUE_LIST)
        return colony__setting_fail_unknown(reading, saved, NULL);
    for (const struct colony_value *child = saved->child; child && rc == 0; child = child->next) {
        if (child->type != VALUE_STRING || !strchr(child->text, '='))
            return colony__setting_fail_unknown(reading, saved, NULL);
        rc = colony__words_add(words, child->text, strlen(child->text), &reason);
        if (rc == -EINVAL)
            return colony__setting_fail(reading, saved, rc, "cannot use `env_file`: %s",
                                        reason.message);
    }
    return rc;
}

/* Puts what was read into the source, beside the names of the files. */
static int keep(struct colony_value *source, const struct colony__words *words)
{
    struct colony_value *saved = colony__value_new(VALUE_LIST);
    struct colony_value **tail;

    if (!saved)
        return -ENOMEM;
    tail = &saved->child;
    saved->next = source->child; /* the source's from here on, also when it fails */
    source->child = saved;
    saved->key = strdup(COLONY__ENV_FILE_SAVED);
    for (size_t i = 0; saved->key && i < words->count; i++) {
        *tail = colony__value_new(VALUE_STRING);
        if (*tail)
            (*tail)->text = strdup(words->items[i]);
        if (!*tail || !(*tail)->text)
            return -ENOMEM;
        tail = &(*tail)->next;
    }
    return saved->key ? 0 : -ENOMEM;
}

struct colony_value *colony__env_file_take_saved(struct colony_value *source)
{
    for (struct colony_value **link = &source->child; *link; link = &(*link)->next) {
        struct colony_value *member = *link;

        if (strcmp(member->key, COLONY__ENV_FILE_SAVED) != 0)
            continue;
        *link = member->next;
        member->next = NULL;
        return member;
    }
    return NULL;
}

int colony__env_file_read(struct colony__draft *draft, const struct colony_value *saved,
                          const struct colony__reading *reading)
{
    const struct colony_value *files = colony__setting_given(draft->source, "env_file");
    struct colony__words words = {0};
    int rc = colony__words_init(&words);

    if (saved && !reading->is_saved)
        rc = colony__setting_fail_unknown(reading, saved, NULL);
    else if (rc == 0 && saved)
        rc = load_saved(&words, saved, reading);
    else if (rc == 0 && files && !reading->is_saved)
        rc = load_files(&words, files, reading);
    if (rc == 0)
        rc = colony__words_settle_env(&words);
    if (rc == 0)
        rc = colony__words_remove_env(&words, draft->template.env);
    if (rc == 0 && words.count > 0)
        rc = keep(draft->source, &words);
    draft->template.env_file = words.items; /* the draft's, also when it fails */
    return rc;
}
