/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_adopt.c - processes that somebody else started: taken, and let go of again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/keeper_internal.h"
#include "core/log.h"
#include "core/sweep.h"

enum {
    UIDS = 3, /* real, effective, saved */
};

#define UIDS_LINE "\nUid:"

static bool parse_uids(const char *text, uint32_t uids[UIDS])
{
    for (size_t i = 0; i < UIDS; i++) {
        char *end;

        uids[i] = (uint32_t)strtoul(text, &end, 10);
        if (end == text)
            return false;
        text = end;
    }
    return true;
}

static int read_uids(pid_t pid, uint32_t uids[UIDS])
{
    char path[32];
    char text[4096];
    const char *line;
    ssize_t count;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    count = read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[count > 0 ? count : 0] = '\0';
    /* No line before it holds what a process may choose but its name, in which the kernel escapes
     * the end of a line. */
    line = strstr(text, UIDS_LINE);
    return line && parse_uids(line + strlen(UIDS_LINE), uids) ? 0 : -ESRCH;
}

static bool is_allowed(const struct colony_keeper_options *options, uint32_t uid)
{
    if (!options->has_user)
        return geteuid() == 0 || uid == geteuid();
    for (size_t i = 0; i < options->identity_count; i++)
        if (options->identities[i].uid == uid)
            return true;
    return false;
}

/*
 * Only what the engine could have had started: its keeper would signal it with rights of its own.
 * All three are to be one, or it is on its way from somebody to somebody else.
 */
static int check_owner(const struct keeper *keeper, pid_t pid)
{
    uint32_t uids[UIDS] = {0};
    int rc = read_uids(pid, uids);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < UIDS; i++)
        if (!is_allowed(keeper->options, uids[i]) ||
            (keeper->options->has_user && uids[i] != uids[0]))
            return -EPERM;
    return 0;
}

/* A pidfd of the process that was meant. */
static int open_stranger(const struct keeper *keeper, const struct colony_adopt_order *order)
{
    int pidfd = (int)syscall(SYS_pidfd_open, order->pid, 0);
    int rc = 0;

    if (pidfd < 0)
        return errno == EINVAL ? -ESRCH : -errno; /* the number of a thread */
    if (order->start_ticks == 0 || colony_proc_start_ticks(order->pid) != order->start_ticks ||
        !colony_proc_is_running(order->pid))
        rc = -ESRCH;
    if (rc == 0)
        rc = check_owner(keeper, order->pid);
    /* What was read was read of the number: it must be its process's still. */
    if (rc == 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
        rc = -errno;
    if (rc == 0)
        return pidfd;
    (void)close(pidfd);
    return rc;
}

static int check_free(struct keeper *keeper, pid_t pid)
{
    if (pid < 2 || pid == getpid() || pid == keeper->engine_pid)
        return -EPERM; /* init, or colony itself */
    return keeper_find_pid(keeper, pid) != NO_INDEX || keeper_is_being_spawned(keeper, pid)
               ? -EEXIST
               : 0;
}

/* Takes over @pidfd, also when it fails. */
static int enter(struct keeper *keeper, const struct colony_adopt_order *order, int pidfd)
{
    const struct colony_newcomer newcomer = {
        .name = order->name,
        .slot = order->slot,
        .pid = order->pid,
        .start_ticks = order->start_ticks,
        .flags = colony_is_our_child(pidfd) ? 0 : (uint32_t)RECORD_ADOPTED,
        .note = order->note,
    };
    struct keeper_process *process;
    uint32_t index = 0;
    int rc = colony_table_enter(&keeper->table, &newcomer, &keeper->boot, &index);

    if (rc < 0) {
        (void)close(pidfd);
        return rc;
    }
    process = &keeper->processes[index];
    keeper_clear_process(process);
    process->pidfd = pidfd;
    keeper->living++;
    keeper_remember_pid(keeper, index);
    rc = keeper_watch(keeper, pidfd, SOURCE_PROCESS, index);
    if (rc < 0) {
        (void)keeper_let_go(keeper, index);
        return rc;
    }
    /* Its strays become no children of ours. */
    keeper->has_taken_over |= (newcomer.flags & RECORD_ADOPTED) != 0;
    keeper_notify(keeper, index, NOTICE_SPAWN);
    return 0;
}

int keeper_adopt(struct keeper *keeper, const struct colony_message *message)
{
    const struct colony_adopt_order *order = &message->u.adopt;
    int pidfd;
    int rc;

    if (!keeper_is_slot_name(order->name, sizeof order->name, order->slot) || order->pid <= 0)
        return -EBADMSG;
    rc = check_free(keeper, order->pid);
    if (rc < 0)
        return rc;
    if (!keeper_has_room(keeper, 0, 0))
        return -EMFILE;
    pidfd = open_stranger(keeper, order);
    return pidfd < 0 ? pidfd : enter(keeper, order, pidfd);
}

int keeper_let_go(struct keeper *keeper, uint32_t index)
{
    struct colony_record *record = &keeper->table.records[index];

    if (keeper_is_ended(record))
        return 0; /* in this moment: the engine is told, and lets go of that */
    if (colony_record_state(record) != RECORD_ALIVE || keeper->processes[index].job)
        return -EBADMSG;
    if (record->flags & RECORD_HAS_CGROUP && !(record->flags & RECORD_DETACHED) &&
        colony_cgroup_let_go(&keeper->cgroups, record->name, record->slot, record->id) < 0)
        colony_log(SEVERITY_WARNING,
                   "%s.%u stays in its cgroup: a later process of that name may take it along "
                   "when it is stopped: pid %d",
                   record->name, record->slot, (int)record->pid);
    keeper_unwatch(keeper, index);
    keeper_forget(keeper, index);
    return 0;
}
