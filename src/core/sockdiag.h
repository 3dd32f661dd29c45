/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockdiag.h - whose socket is at the other end of a TCP connection of this machine.
 *
 * By sock_diag(7), one exact question a connection; the kernel answers before send() returns, so
 * nothing blocks.
 */
#ifndef COLONY_CORE_SOCKDIAG_H
#define COLONY_CORE_SOCKDIAG_H

#include <sys/socket.h>
#include <sys/types.h>

/* A netlink socket for colony_sockdiag_uid(), or negative errno. */
int colony_sockdiag_open(void);

/*
 * *uid: the owner of the socket with the local address @peer that is connected to @own.
 *
 * Only an answer about exactly that connection counts, and only with an inode: a socket closed
 * after sending is shown with uid 0 and inode 0, and is nobody's. -ENOENT, -ESTALE (no inode), or
 * what the kernel said.
 */
int colony_sockdiag_uid(int fd, const struct sockaddr_storage *peer,
                        const struct sockaddr_storage *own, uid_t *uid);

#endif
