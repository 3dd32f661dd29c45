/* SPDX-License-Identifier: Apache-2.0 */
/*
 * places.h - ncolony's two folders as those see them who write them: a file for each process in
 * the one, messages in the other (ORIGINALS §2). Whoever reads them is not asked, and need not run.
 *
 * What is written stands as NAME.PID-N.new until it is complete, which readers pass over, and is
 * renamed then. All of it blocks on the disk: not for the loop thread. A folder that is not there
 * is -ENOTDIR.
 */
#ifndef COLONY_FSCTL_PLACES_H
#define COLONY_FSCTL_PLACES_H

#include <stdbool.h>
#include <stddef.h>

struct colony_error;

enum {
    COLONY_PLACES_FILE_MAX = 1 << 20, /* bytes of one file, as its readers have it */
};

/* 0 when a file of the folder may be called so: as colony_name_check has it, but digits alone are
 * a name, and what its readers pass over (`.new`, hidden files, what editors leave) is none.
 * -EINVAL with the reason. */
int colony_places_check_name(const char *name, struct colony_error *err);

/*
 * Makes @text the content of @folder/@name, for whoever could read it before, and if it is new
 * whoever the umask lets: other programs scan that folder, too. 1: done; 0: that is what stands
 * there, and nothing was touched.
 */
int colony_places_put(const char *folder, const char *name, const char *text,
                      struct colony_error *err);

/* -ENOENT: there is none. */
int colony_places_remove(const char *folder, const char *name, struct colony_error *err);

/* The file's content, which the caller frees. -ENOENT; -EFBIG; -EINVAL: it is no file. */
int colony_places_read(const char *folder, const char *name, char **text, size_t *size,
                       struct colony_error *err);

/* 0: @folder can be opened. */
int colony_places_check_folder(const char *folder, struct colony_error *err);

/*
 * The names of @folder that may stand for a process, in order, up to NULL; for colony_places_free.
 * @files_only: without those of what is no file, which whoever reads it would refuse.
 */
int colony_places_list(const char *folder, bool files_only, char ***names, size_t *count,
                       struct colony_error *err);
void colony_places_free(char **names);

/* The JSON of a message; @key ("name", "group") and @value may be NULL. The caller frees *text. */
int colony_places_message(char **text, const char *type, const char *key, const char *value,
                          struct colony_error *err);

/* Puts @text into @folder under a name that no other message has, after those sent before. */
int colony_places_send(const char *folder, const char *text, struct colony_error *err);

#endif
