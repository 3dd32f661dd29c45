/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_dir.h - the folder in which one colony keeps everything (DESIGN §5).
 *
 * lock, table, instance, cgroup, notify/: the keeper's; settings.json: what serve applied; log/,
 * engine/, hearts/: the engine's, which puts what a reload applied into engine/settings.json.
 */
#ifndef COLONY_CORE_STATE_DIR_H
#define COLONY_CORE_STATE_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct colony_error;
struct colony_settings;

struct colony_state_dir {
    char path[4096]; /* canonical */
    int fd;          /* of the folder */
    int lock_fd;     /* locked; free again when all that hold this description are gone */
};

/*
 * Makes the folder if it is not there and locks it. Others may pass through it (0711), to the
 * sockets in notify/ and, under `user:`, to what is the engine's; they can neither list it nor read
 * what is in it. -EBUSY: another colony holds it, with its pid in the message.
 */
int colony_state_dir_open(struct colony_state_dir *state, const char *path,
                          struct colony_error *err);
void colony_state_dir_close(struct colony_state_dir *state);

/* Makes log/ and engine/ (0700) and hearts/ (0711: processes touch what is in it) for the engine's
 * user. */
int colony_state_dir_make_engines(const struct colony_state_dir *state, uid_t uid, gid_t gid,
                                  struct colony_error *err);

/* True when a process of an earlier colony still lives by the table. */
bool colony_state_dir_has_survivors(const struct colony_state_dir *state);

/*
 * Writes settings.json (0600, or readable by group @gid), replaced by write, fsync, rename, and
 * removes what an earlier reload wrote.
 */
int colony_state_dir_save_settings(const struct colony_state_dir *state,
                                   const struct colony_settings *settings, bool has_user, gid_t gid,
                                   struct colony_error *err);
/* Writes engine/settings.json (0600) in the same way: what the engine has applied by a reload. */
int colony_state_dir_save_reloaded(const char *path, const struct colony_settings *settings,
                                   struct colony_error *err);
/*
 * Reads what was applied last: engine/settings.json when it is there and sound, else settings.json.
 * Root takes the first only from root.
 */
int colony_state_dir_load_settings(const char *path, struct colony_settings **out,
                                   struct colony_error *err);

#endif
