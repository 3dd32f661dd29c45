/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files.h - control by the files of two directories, as ncolony has it (ORIGINALS §2,
 * docs/files.md): a file for each process, and a file for each message.
 */
#ifndef COLONY_FSCTL_FILES_H
#define COLONY_FSCTL_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct colony_front;
struct colony_error;
struct colony_files_settings;

/* Does nothing where settings have no directories. */
extern const struct colony_front colony_files_front;

/*
 * That the directory @path is there, which is for @what ("processes"); with @create it is made
 * (0700). -ENOENT, -ENOTDIR and so on with what to do.
 */
int colony_files_require(const char *path, const char *what, bool create, struct colony_error *err);

/*
 * Requires the directories of @files, and makes their paths real ones. Before the engine is
 * started.
 */
int colony_files_prepare(struct colony_files_settings *files, bool create,
                         struct colony_error *err);

/*
 * That the directories of @files, which are prepared, and @state_dir, which may not be there yet,
 * are different ones, and that none lies in one whose names are read. -EINVAL.
 */
int colony_files_check_roles(const struct colony_files_settings *files, const char *state_dir,
                             struct colony_error *err);

/*
 * The state folder of a colony that was started with nothing but its directories: the same for the
 * same configuration directory, and for no other, whatever path leads there. @config must be there.
 */
int colony_files_state_dir(char *path, size_t size, const char *config, struct colony_error *err);

#endif
