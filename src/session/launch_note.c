/* SPDX-License-Identifier: Apache-2.0 */
/* launch_note.c - what is noted of a process that lives or has ended, and its mark. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "session/launch_internal.h"
#include "session/process_internal.h"
#include "session/workspace.h"

int colony__launch_instance(struct colony_workspace *workspace, char out[COLONY_INSTANCE_SIZE],
                            struct colony_error *err)
{
    const char *folder = colony_workspace_state_dir(workspace);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot open %s", folder);
    rc = colony_instance_settle(fd, out, err);
    (void)close(fd);
    return rc;
}

int colony__launch_set_life(struct colony_session_process *process, const char *state, pid_t pid,
                            uint64_t start_ticks, struct colony_error *err)
{
    struct colony_session_process fresh = {0};
    char boot[COLONY_SESSION_BOOT_SIZE];
    char date[DATE_SIZE];
    int rc = colony_session_boot_id(boot);

    if (rc < 0)
        return colony_fail_os(err, rc, "cannot read /proc/sys/kernel/random/boot_id");
    colony__session_date(date);
    fresh.state = strdup(state);
    fresh.boot = strdup(boot);
    fresh.date = strdup(date);
    if (!fresh.state || !fresh.boot || !fresh.date) {
        colony_session_process_clear(&fresh);
        return colony_fail_os(err, -ENOMEM, "cannot note the state of %s",
                              colony_session_process_title(process));
    }
    free(process->state);
    free(process->boot);
    free(process->date);
    process->state = fresh.state;
    process->boot = fresh.boot;
    process->date = fresh.date;
    process->pid = pid;
    process->start_ticks = start_ticks;
    return 0;
}
