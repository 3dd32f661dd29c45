/* SPDX-License-Identifier: Apache-2.0 */
#include "core/folder.h"

#include <ftw.h>
#include <stdio.h>

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    (void)remove(path);
    return 0;
}

void colony_folder_remove(const char *path)
{
    enum {
        OPEN_FOLDERS_MAX = 8,
    };

    (void)nftw(path, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_MOUNT | FTW_PHYS);
}
