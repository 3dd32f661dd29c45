/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_config.h - a file of a configuration directory, ncolony's way to say what a process is
 * (ORIGINALS §2, docs/files.md).
 *
 * One JSON object: `args`, and if wanted `env`, `env_inherit`, `uid`, `gid`, `group`, and settings
 * of colony's own under `colony`. Everything else is the program's, which gets the whole text, byte
 * for byte. Any thread.
 */
#ifndef COLONY_CORE_FILE_CONFIG_H
#define COLONY_CORE_FILE_CONFIG_H

#include <stddef.h>

struct colony_error;
struct colony_files_settings;
struct colony_template;

struct colony_file_config {
    struct colony_template *template; /* the caller's */
    char **groups;                    /* those of RESTART-GROUP; NULL-terminated; the caller's */
};

/* What is read. All is borrowed for the call. */
struct colony_file_text {
    const char *name; /* of the file, and of the process */
    const char *path; /* stands in messages */
    const char *text;
    size_t size;
};

/*
 * 0; -EBADMSG: it is no JSON, perhaps because it is not all there yet; -EINVAL: it is, but says
 * what cannot be. Messages begin with PATH:LINE:COLUMN. -ENOMEM.
 */
int colony_file_config_read(struct colony_file_config *out, const struct colony_file_text *from,
                            const struct colony_files_settings *settings, struct colony_error *err);
void colony_file_config_clear(struct colony_file_config *config);

#endif
