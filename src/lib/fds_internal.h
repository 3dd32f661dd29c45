/* SPDX-License-Identifier: Apache-2.0 */
/* fds_internal.h - descriptors of ours in a program that may have closed its first three. */
#ifndef COLONY_LIB_FDS_INTERNAL_H
#define COLONY_LIB_FDS_INTERNAL_H

/* Moves *fd (close-on-exec) above descriptor 2 unless it is there, so that it is not mistaken for
 * a standard stream. Negative errno, and then *fd is as it was. */
int colony__fd_lift(int *fd);

#endif
