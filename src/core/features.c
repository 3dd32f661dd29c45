/* SPDX-License-Identifier: Apache-2.0 */
#include "core/features.h"

#include <stddef.h>
#include <string.h>

const char *colony_left_out(void)
{
    return COLONY_WITHOUT;
}

/* No name is a part of another. */
bool colony_has_feature(const char *name)
{
    return strstr(colony_left_out(), name) == NULL;
}
