/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h - folders as a whole. libc only. */
#ifndef COLONY_CORE_FOLDER_H
#define COLONY_CORE_FOLDER_H

/* Removes @path and all that is in it, on its own file system and through no link. What cannot be
 * removed stays. */
void colony_folder_remove(const char *path);

#endif
