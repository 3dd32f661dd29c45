/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.h - where colony keeps things when nobody says otherwise (DESIGN §5).
 *
 * Nothing is checked here but the existence of /run/user/UID. libc only.
 */
#ifndef COLONY_CORE_PATHS_H
#define COLONY_CORE_PATHS_H

#include <stddef.h>
#include <sys/types.h>

#ifndef COLONY_ETC
#define COLONY_ETC "/etc/colony"
#endif
#define COLONY_SYSTEM_SOCKET "/run/colony/colony.sock"

/*
 * The control socket of a colony that is started by this user without --state: the system's as
 * root, else $XDG_RUNTIME_DIR/colony/colony.sock, else /run/user/UID/colony/colony.sock where that
 * folder exists, else /tmp/colony-UID/colony.sock (anybody could have made that folder: look at its
 * owner before trusting it).
 *
 * Returns 0 or -ENAMETOOLONG.
 */
int colony_default_socket(char *path, size_t size);

/*
 * /var/lib/colony as root, else $XDG_STATE_HOME/colony, else $HOME/.local/state/colony. Relative
 * values count as unset.
 *
 * Returns 0, -ENAMETOOLONG, or -ENOENT when the user has no home folder.
 */
int colony_default_state_dir(char *path, size_t size);

/* Where `make install` puts the program: what the library runs unless it is told another. */
const char *colony_installed_program(void);

/* Makes the folders above the absolute @path that are not there. What fails is told when something
 * is made in them. */
void colony_make_folders_above(const char *path, mode_t mode);

#endif
