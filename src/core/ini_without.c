/* SPDX-License-Identifier: Apache-2.0 */
#include "core/ini.h"

#include <errno.h>

#include "core/error.h"
#include "core/features.h"

int colony_value_parse_ini(struct colony_value **out, const char *text, size_t size,
                           const char *name, struct colony_error *err)
{
    (void)out, (void)text, (void)size;
    return colony_fail(err, -ENOTSUP, "cannot read %s: " COLONY_LEFT_OUT("INI", "ini"), name);
}
