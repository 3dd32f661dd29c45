/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/value.h"
#include "rpc/hello_internal.h"

#define SAVED_PREFIX "pst"

/* What colony answers itself, or says to the program. */
static const char *const reserved[] = {"dir", "doc", "getattr", "hello", "setattr", "stop", NULL};

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_name(const char *text)
{
    size_t length = strlen(text);

    if (!is_letter(text[0]) || length > COLONY__HELLO_NAME_MAX)
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!is_letter(*at) && *at != '_' && (*at < '0' || *at > '9'))
            return false;
    return true;
}

static int check_name(const char *name, struct colony_error *err)
{
    if (!is_name(name))
        return colony_fail(err, -EINVAL,
                           "cannot use the name `%.80s`: it must be a letter, then letters, digits "
                           "and _, %d bytes at most",
                           name, COLONY__HELLO_NAME_MAX);
    for (size_t i = 0; reserved[i]; i++)
        if (strcmp(reserved[i], name) == 0)
            return colony_fail(err, -EINVAL, "cannot use the name `%s`: it is colony's own", name);
    return 0;
}

/* @member: NAME as a text of a list, or {NAME: DOC}. */
static int add_name(struct colony__hello *hello, const struct colony_value *member, bool is_method,
                    struct colony_error *err)
{
    const char *name = member->key ? member->key : member->text;
    const char *doc = member->key && member->type == VALUE_STRING ? member->text : "";
    struct colony__hello_name *names;
    int rc;

    if (!name || (!member->key && member->type != VALUE_STRING))
        return colony_fail(err, -EINVAL, "cannot use a name that is no text");
    if (member->key && member->type != VALUE_STRING && member->type != VALUE_NULL)
        return colony_fail(err, -EINVAL, "cannot use the doc of `%.80s`: it must be a text", name);
    rc = check_name(name, err);
    if (rc < 0)
        return rc;
    if (strlen(doc) > COLONY__HELLO_DOC_MAX)
        return colony_fail(err, -EINVAL, "cannot use the doc of `%s`: more than %d bytes", name,
                           COLONY__HELLO_DOC_MAX);
    if (hello->count == COLONY__HELLO_NAMES_MAX)
        return colony_fail(err, -EINVAL, "cannot use more than %d names", COLONY__HELLO_NAMES_MAX);
    names = realloc(hello->names, (hello->count + 1) * sizeof *names);
    if (!names)
        return -ENOMEM;
    hello->names = names;
    names += hello->count++;
    *names = (struct colony__hello_name){strdup(name), strdup(doc), is_method};
    return names->name && names->doc ? 0 : -ENOMEM;
}

static int add_names(struct colony__hello *hello, const struct colony_value *names, bool is_method,
                     struct colony_error *err)
{
    int rc = 0;

    if (!names || names->type == VALUE_NULL)
        return 0;
    if (names->type != VALUE_MAP && names->type != VALUE_LIST)
        return colony_fail(err, -EINVAL, "cannot use `%s`: it must be {NAME: DOC} or [NAME]",
                           is_method ? "methods" : "attributes");
    for (const struct colony_value *member = names->child; member && rc == 0; member = member->next)
        rc = add_name(hello, member, is_method, err);
    return rc;
}

static int compare(const void *left, const void *right)
{
    return strcmp(((const struct colony__hello_name *)left)->name,
                  ((const struct colony__hello_name *)right)->name);
}

static int sort_names(struct colony__hello *hello, struct colony_error *err)
{
    if (hello->count > 1)
        qsort(hello->names, hello->count, sizeof *hello->names, compare);
    for (size_t i = 1; i < hello->count; i++)
        if (compare(&hello->names[i - 1], &hello->names[i]) == 0)
            return colony_fail(err, -EINVAL, "cannot use the name `%s` twice",
                               hello->names[i].name);
    return 0;
}

static int take_doc(struct colony__hello *hello, const struct colony_value *doc,
                    struct colony_error *err)
{
    if (!doc || doc->type == VALUE_NULL)
        return 0;
    if (doc->type != VALUE_STRING || strlen(doc->text) > COLONY__HELLO_DOC_MAX)
        return colony_fail(err, -EINVAL, "cannot use `doc`: it must be a text of %d bytes at most",
                           COLONY__HELLO_DOC_MAX);
    hello->doc = strdup(doc->text);
    return hello->doc ? 0 : -ENOMEM;
}

int colony__hello_read(struct colony__hello *hello, const struct colony_value *params,
                       struct colony_error *err)
{
    struct colony__hello read = {0};
    int rc;

    if (!params || params->type != VALUE_MAP)
        return colony_fail(err, -EINVAL,
                           "cannot use this hello: its params must be an object with `methods` and "
                           "`attributes`");
    rc = add_names(&read, colony_value_get(params, "methods"), true, err);
    if (rc == 0)
        rc = add_names(&read, colony_value_get(params, "attributes"), false, err);
    if (rc == 0)
        rc = take_doc(&read, colony_value_get(params, "doc"), err);
    if (rc == 0)
        rc = sort_names(&read, err);
    if (rc < 0) {
        colony__hello_clear(&read);
        return rc == -ENOMEM ? colony_fail_os(err, rc, "cannot use this hello") : rc;
    }
    colony__hello_clear(hello);
    *hello = read;
    return 0;
}

static int compare_to_name(const void *name, const void *known)
{
    return strcmp(name, ((const struct colony__hello_name *)known)->name);
}

const struct colony__hello_name *colony__hello_find(const struct colony__hello *hello,
                                                    const char *name)
{
    if (hello->count == 0)
        return NULL;
    return bsearch(name, hello->names, hello->count, sizeof *hello->names, compare_to_name);
}

bool colony__hello_is_saved(const struct colony__hello_name *name)
{
    return !name->is_method && strncmp(name->name, SAVED_PREFIX, strlen(SAVED_PREFIX)) == 0;
}

void colony__hello_clear(struct colony__hello *hello)
{
    for (size_t i = 0; i < hello->count; i++) {
        free(hello->names[i].name);
        free(hello->names[i].doc);
    }
    free(hello->names);
    free(hello->doc);
    *hello = (struct colony__hello){0};
}
