/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.h - the socket of a slot that its processes send sd_notify(3) messages to (DESIGN §4).
 *
 * It stands at STATE/notify/DIGITS, owned by the uid of its processes, and stays over restarts. The
 * keeper makes and removes it and hands it to the engine, which alone reads from it. Everything
 * goes by descriptor of a folder that only the keeper's user can write: nobody can put a link where
 * an owner is changed. libc only.
 */
#ifndef COLONY_CORE_NOTIFY_H
#define COLONY_CORE_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    COLONY_NOTIFY_PATH_SIZE = 108, /* of a path that connect(2) takes, with its NUL */
};

/*
 * What NOTIFY_SOCKET is for slot @slot of template @name. 0; -ENAMETOOLONG: no process could reach
 * it, or @size is too small: --state must be shorter.
 */
int colony_notify_path(char *out, size_t size, const char *state_dir, const char *name,
                       uint32_t slot);

/* The folder `notify` of @state_fd, made when it is not there. A descriptor or negative errno. */
int colony_notify_open_folder(int state_fd);
/* Removes all of it; for a colony that ends. */
void colony_notify_remove_folder(int state_fd);

/*
 * Makes the slot's socket, in place of what is left of another. Nobody but us can send to it until
 * it is given away. A non-blocking, close-on-exec descriptor, or negative errno.
 */
int colony_notify_bind(int folder_fd, const char *name, uint32_t slot);
/* Lets @uid send to it. -ENOENT: somebody has removed it. */
int colony_notify_give(int folder_fd, const char *name, uint32_t slot, uid_t uid);
/* Who may send to it. */
int colony_notify_owner(int folder_fd, const char *name, uint32_t slot, uid_t *uid);
void colony_notify_remove(int folder_fd, const char *name, uint32_t slot);

/* True when @fd, which came along over an exec, is such a socket. */
bool colony_notify_is_socket(int fd);

#endif
