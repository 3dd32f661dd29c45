/* SPDX-License-Identifier: Apache-2.0 */
/* [DEFAULT]: what every section of an INI file has that does not say it itself. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "core/ini_internal.h"
#include "core/setting_internal.h"
#include "core/value_internal.h"

enum {
    KEYS_MAX = 64,
    BYTES_MAX = 16 << 20, /* of all copies */
};

static struct colony_value *take_default(struct colony_value *sections)
{
    struct colony_value **at = &sections->child;
    struct colony_value *found;

    while (*at && strcmp((*at)->key, "DEFAULT") != 0)
        at = &(*at)->next;
    found = *at;
    if (found) {
        *at = found->next;
        found->next = NULL;
    }
    return found;
}

/* The names of webhooks are events, which no other section has. */
static bool has_defaults(const struct colony_value *section)
{
    return strcmp(section->key, "webhooks") != 0;
}

static bool has_key(const struct colony_value *section, const char *key)
{
    for (const struct colony_value *member = section->child; member; member = member->next)
        if (strcasecmp(member->key, key) == 0)
            return true;
    return false;
}

static int add_copies(struct colony_value *section, const struct colony_value *defaults,
                      size_t *bytes, const struct colony__reading *reading)
{
    int rc = 0;

    for (const struct colony_value *member = defaults->child; member && rc == 0;
         member = member->next) {
        struct colony_value *copy = NULL;

        if (has_key(section, member->key))
            continue;
        *bytes += sizeof *copy + strlen(member->key) + strlen(member->text);
        if (*bytes > BYTES_MAX)
            return colony__setting_fail(reading, section, -EINVAL,
                                        "cannot read on: with [DEFAULT] there is more than 16 MiB");
        rc = colony_value_copy(&copy, member);
        if (rc < 0)
            return rc;
        copy->next = section->child;
        section->child = copy;
    }
    return rc;
}

static int check_default(const struct colony_value *defaults, const struct colony__reading *reading)
{
    size_t count = 0;

    for (const struct colony_value *member = defaults->child; member; member = member->next)
        if (++count > KEYS_MAX)
            return colony__setting_fail(reading, member, -EINVAL,
                                        "cannot use [DEFAULT]: it has more than %d keys", KEYS_MAX);
    return colony__value_check_keys(defaults, reading->file, reading->err);
}

int colony__ini_apply_default(struct colony_value *sections, const struct colony__reading *reading)
{
    int rc = colony__value_check_keys(sections, reading->file, reading->err);
    struct colony_value *defaults = rc == 0 ? take_default(sections) : NULL;
    size_t bytes = 0;

    if (!defaults)
        return rc;
    rc = check_default(defaults, reading);
    for (struct colony_value *section = sections->child; section && rc == 0;
         section = section->next)
        if (has_defaults(section))
            rc = add_copies(section, defaults, &bytes, reading);
    colony_value_free(defaults);
    return rc;
}
