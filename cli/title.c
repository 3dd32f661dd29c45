/* SPDX-License-Identifier: Apache-2.0 */
#include "title.h"

#include <string.h>

/* The kernel shows the bytes of argv as they are in memory, one text behind the other. */
void title_hide_arguments(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        memset(argv[i], 0, strlen(argv[i]));
}
