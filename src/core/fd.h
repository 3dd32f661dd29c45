/* SPDX-License-Identifier: Apache-2.0 */
/* fd.h - a descriptor in its owner, which is -1 while there is none. libc only. */
#ifndef COLONY_CORE_FD_H
#define COLONY_CORE_FD_H

#include <unistd.h>

/* Closes *fd, if there is one; then there is none. */
static inline void colony_fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

#endif
