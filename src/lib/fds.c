/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fds_internal.h"

#include <unistd.h>

#include "core/spawn.h"

int colony__fd_lift(int *fd)
{
    const int first = STDERR_FILENO + 1;

    return *fd >= first ? 0 : colony_spawn_lift_fd(fd, first);
}
