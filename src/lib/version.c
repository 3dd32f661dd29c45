/* SPDX-License-Identifier: Apache-2.0 */
#include <colony.h>

const char *colony_version(void)
{
    return COLONY_VERSION;
}
