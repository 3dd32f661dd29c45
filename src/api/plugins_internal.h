/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins_internal.h - a file of a site plugin, as a request asks for it.
 */
#ifndef COLONY_API_PLUGINS_INTERNAL_H
#define COLONY_API_PLUGINS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stat;

enum {
    COLONY__ETAG_MAX = 64,
};

/* The type that browsers are told, by the end of the name; what is unknown is bytes. */
const char *colony__plugin_type(const char *path);

/* "\"SIZE-MTIME-INODE\"": another content has another one. */
void colony__plugin_etag(char etag[COLONY__ETAG_MAX], const struct stat *info);

/* True when If-None-Match (@list; NULL: there is none) has @etag, weak or not, or is "*". */
bool colony__plugin_is_known(const char *list, const char *etag);

/*
 * Opens @path below NAME/_site of @folder: a file, or the index.html of a folder, and then
 * *is_folder says so. No symlink is followed and nothing outside is reached. The descriptor, or
 * -ENOENT, which is also what everything that is no file becomes; other errors of open(2).
 */
int colony__plugin_open(const char *folder, const char *name, const char *path, struct stat *info,
                        bool *is_folder);

#endif
