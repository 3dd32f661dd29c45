/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_processes.c - the keeper's processes: known by pid, signalled, swept, reaped, forgotten.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/keeper_internal.h"
#include "core/log.h"

enum {
    TO_PROCESS_GROUP = 1 << 2, /* PIDFD_SIGNAL_PROCESS_GROUP of Linux 6.9 */
    STATUS_WAIT_MS =
        2000, /* for the parent of an adopted one, which we may not trace, to reap it */
};

void keeper_init_process(struct keeper_process *process)
{
    memset(process, 0, sizeof *process);
    process->pidfd = -1;
    for (size_t i = 0; i < COLONY_STREAMS_FIXED; i++)
        process->streams[i] = -1;
    process->next_queued = NO_INDEX;
    process->next_of_pid = NO_INDEX;
}

/* Like new, but for its place in the queue of notices, which outlives a record. */
void keeper_clear_process(struct keeper_process *process)
{
    bool is_queued = process->is_queued;
    int32_t next_queued = process->next_queued;

    keeper_init_process(process);
    process->is_queued = is_queued;
    process->next_queued = next_queued;
}

/* Pids of living records, so that a stray is told from a leader without a walk over the table. */

static int32_t *bucket_of(struct keeper *keeper, pid_t pid)
{
    return &keeper->pid_buckets[(uint32_t)pid & (PID_BUCKETS - 1)];
}

void keeper_remember_pid(struct keeper *keeper, uint32_t index)
{
    int32_t *bucket = bucket_of(keeper, keeper->table.records[index].pid);

    keeper->processes[index].next_of_pid = *bucket;
    *bucket = (int32_t)index;
}

static void forget_pid(struct keeper *keeper, uint32_t index)
{
    int32_t *link = bucket_of(keeper, keeper->table.records[index].pid);

    while (*link != NO_INDEX && *link != (int32_t)index)
        link = &keeper->processes[*link].next_of_pid;
    if (*link != NO_INDEX)
        *link = keeper->processes[index].next_of_pid;
    keeper->processes[index].next_of_pid = NO_INDEX;
}

int32_t keeper_find_pid(struct keeper *keeper, pid_t pid)
{
    int32_t index = *bucket_of(keeper, pid);

    while (index != NO_INDEX && keeper->table.records[index].pid != pid)
        index = keeper->processes[index].next_of_pid;
    return index;
}

/* A process on its way to its program is in the table, not yet in the buckets. */
bool keeper_is_being_spawned(struct keeper *keeper, pid_t pid)
{
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        if (keeper->table.records[i].pid == pid &&
            colony_record_state(&keeper->table.records[i]) == RECORD_CLAIMED)
            return true;
    return false;
}

static bool is_known(pid_t pid, void *data)
{
    struct keeper *keeper = data;

    return pid == keeper->engine_pid || pid == getpid() ||
           keeper_find_pid(keeper, pid) != NO_INDEX || keeper_is_being_spawned(keeper, pid);
}

bool keeper_is_ended(const struct colony_record *record)
{
    enum colony_record_state state = colony_record_state(record);

    return state == RECORD_EXITED || state == RECORD_FAILED;
}

/* Ends. */

/* So far, in its cgroup; the difference over a life says whether memory was the reason it ended. */
uint64_t keeper_count_oom_kills(const struct keeper *keeper, const struct colony_record *record)
{
    if (!(record->flags & RECORD_HAS_CGROUP) || record->flags & RECORD_DETACHED)
        return 0;
    return colony_cgroup_oom_kills(&keeper->cgroups, record->name, record->slot);
}

static void set_exited(struct keeper *keeper, uint32_t index)
{
    struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];

    record->exited_boot_ns = colony_boot_now_ns();
    if (keeper_count_oom_kills(keeper, record) > process->oom_kills)
        record->flags |= RECORD_OOM_KILLED;
    colony_record_set_state(record, RECORD_EXITED);
    keeper->living--;
    keeper_notify(keeper, index, NOTICE_EXIT);
    if (keeper->has_one_event && !keeper->jobs)
        keeper_flush(keeper); /* the engine decides what follows while we clean up */
    forget_pid(keeper, index);
    colony_fd_close(&process->pidfd); /* leaves the epoll set with it */
    for (size_t i = 0; i < COLONY_STREAMS_FIXED; i++)
        if (record->stream_kind[i] == STREAM_INPUT)
            colony_fd_close(&process->streams[i]);
    process->status_until_ms = 0;
}

void keeper_unwatch(struct keeper *keeper, uint32_t index)
{
    keeper->living--;
    forget_pid(keeper, index);
    colony_fd_close(&keeper->processes[index].pidfd); /* leaves the epoll set with it */
}

static int32_t to_wait_status(const siginfo_t *info)
{
    if (info->si_code == CLD_EXITED)
        return (info->si_status & 0xff) << 8;
    return (info->si_status & 0x7f) | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

static void reap_child(struct keeper *keeper, uint32_t index)
{
    struct colony_record *record = &keeper->table.records[index];
    struct rusage usage = {0};
    siginfo_t info = {0};

    if (syscall(SYS_waitid, P_PIDFD, keeper->processes[index].pidfd, &info, WEXITED | WNOHANG,
                &usage) < 0 ||
        info.si_pid == 0)
        return;
    record->wait_status = to_wait_status(&info);
    record->flags |= RECORD_STATUS_KNOWN;
    record->cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                     (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    record->rss_max_bytes = (uint64_t)usage.ru_maxrss * 1024;
    set_exited(keeper, index);
}

/*
 * An adopted one: its parent is another. Its status can be read while nobody has reaped it, and on
 * a new kernel afterwards. Where neither is so yet, only the hang-up of the pidfd is waited for.
 */
static void reap_adopted(struct keeper *keeper, uint32_t index)
{
    struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];
    struct epoll_event event = {.events = 0, .data.u64 = (uint64_t)SOURCE_PROCESS << 32 | index};
    int rc = colony_exit_status(process->pidfd, &record->wait_status);

    if (rc < 0 && colony_zombie_status(record->pid, record->start_ticks, &record->wait_status) == 0)
        rc = 0;
    if (rc == -EAGAIN && process->status_until_ms == 0) {
        process->status_until_ms = keeper_now_ms() + STATUS_WAIT_MS;
        (void)epoll_ctl(keeper->epoll_fd, EPOLL_CTL_MOD, process->pidfd, &event);
        if (keeper->status_check_at_ms == 0)
            keeper->status_check_at_ms = process->status_until_ms;
        return;
    }
    if (rc == 0)
        record->flags |= RECORD_STATUS_KNOWN;
    set_exited(keeper, index);
}

void keeper_reap(struct keeper *keeper, uint32_t index)
{
    struct keeper_process *process = &keeper->processes[index];

    if (process->job)
        keeper_on_crashed(keeper, index);
    if (process->pidfd < 0 || colony_record_state(&keeper->table.records[index]) != RECORD_ALIVE)
        return; /* an event of before it ended */
    if (keeper->table.records[index].flags & RECORD_ADOPTED)
        reap_adopted(keeper, index);
    else
        reap_child(keeper, index);
}

/* Adopted ones whose parent never reaps them: their status stays unknown. */
void keeper_check_statuses(struct keeper *keeper)
{
    uint64_t now = keeper_now_ms();

    keeper->status_check_at_ms = 0;
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++) {
        uint64_t until_ms = keeper->processes[i].status_until_ms;

        if (colony_record_state(&keeper->table.records[i]) != RECORD_ALIVE || until_ms == 0)
            continue;
        if (until_ms <= now)
            keeper_reap(keeper, i);
        else if (keeper->status_check_at_ms == 0 || until_ms < keeper->status_check_at_ms)
            keeper->status_check_at_ms = until_ms;
    }
    keeper_flush(keeper);
}

/*
 * Looks without reaping first: a known process that ended in this moment must be reaped through its
 * record, or its status would be lost.
 */
void keeper_reap_strays(struct keeper *keeper)
{
    struct signalfd_siginfo signal;
    siginfo_t info = {0};

    keeper->stray_check_at_ms = 0;
    (void)!read(keeper->children_fd, &signal, sizeof signal); /* from now on the next one counts */
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        int32_t index = keeper_find_pid(keeper, info.si_pid);

        if (index != NO_INDEX) {
            keeper_reap(keeper, (uint32_t)index);
        } else if (info.si_pid == keeper->engine_pid ||
                   keeper_is_being_spawned(keeper, info.si_pid)) {
            keeper->stray_check_at_ms = keeper_now_ms() + 1000; /* its own event will reap it */
            break;
        } else {
            (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
            keeper->strays++;
        }
        info.si_pid = 0;
    }
    keeper_flush(keeper);
}

/* Orders about one process. */

static void send_signal(struct keeper *keeper, uint32_t index, int signo, bool to_group)
{
    const struct colony_record *record = &keeper->table.records[index];

    int pidfd = keeper->processes[index].pidfd;

    if (to_group && syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, TO_PROCESS_GROUP) == 0)
        return;
    /* Before Linux 6.9. A child is not reaped yet: neither its number nor its group's can be
     * another's. Of an adopted one nobody can be sure. */
    if (to_group && !(record->flags & RECORD_ADOPTED) && getpgid(record->pid) == record->pid)
        (void)kill(-record->pid, signo);
    else
        (void)syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0);
}

void keeper_signal(struct keeper *keeper, uint32_t index, const struct colony_message *message)
{
    struct colony_record *record = &keeper->table.records[index];

    if (message->signo < 1 || message->signo > 64 || keeper->processes[index].pidfd < 0)
        return;
    if (message->flags & SIGNAL_STOP && !(record->flags & RECORD_HAS_CGROUP))
        colony_seen_note(&keeper->processes[index].seen, record->pid);
    send_signal(keeper, index, message->signo, message->flags & SIGNAL_GROUP);
    if (message->flags & SIGNAL_STOP) /* what stands still (SIGSTOP) hears of it only then */
        send_signal(keeper, index, SIGCONT, message->flags & SIGNAL_GROUP);
}

static void sweep_by_mark(struct keeper *keeper, uint32_t index, int signo)
{
    struct keeper_process *process = &keeper->processes[index];
    const struct colony_record *record = &keeper->table.records[index];
    char mark[COLONY_INSTANCE_SIZE + COLONY_RECORD_NAME_SIZE + 16];
    struct colony_sweep sweep = {
        .mark = mark,
        .leader = process->pidfd >= 0 ? record->pid : 0,
        .seen = &process->seen,
        .everywhere = keeper->has_taken_over,
        .signo = signo,
        .is_known = is_known,
        .data = keeper,
    };

    (void)snprintf(mark, sizeof mark, "%s/%s/%u", keeper->table.header->instance, record->name,
                   record->slot);
    colony_sweep_run(&sweep, &process->swept);
}

void keeper_sweep(struct keeper *keeper, uint32_t index, int signo)
{
    struct keeper_process *process = &keeper->processes[index];
    struct colony_record *record = &keeper->table.records[index];
    int count;

    if (signo < 0 || signo > 64)
        return;
    memset(&process->swept, 0, sizeof process->swept);
    if (record->flags & RECORD_DETACHED) {
        ; /* forgotten: what it has left behind is nobody's business */
    } else if (record->flags & RECORD_HAS_CGROUP) {
        count = colony_cgroup_signal(&keeper->cgroups, record->name, record->slot, signo);
        if (count >= 0)
            process->swept.found = (uint32_t)count;
        if (count > 0 && signo == SIGKILL)
            record->flags |= RECORD_CGROUP_KILLED;
    } else {
        sweep_by_mark(keeper, index, signo);
    }
    /* Their zombies are reaped at once instead of within the second. */
    if (process->swept.found > 0 && signo == SIGKILL)
        keeper->stray_check_at_ms = keeper_now_ms() + 10;
    keeper_notify(keeper, index, NOTICE_SWEPT);
}

void keeper_forget(struct keeper *keeper, uint32_t index)
{
    struct keeper_process *process = &keeper->processes[index];
    struct colony_record *record = &keeper->table.records[index];

    for (size_t i = 0; i < COLONY_STREAMS_FIXED; i++)
        colony_fd_close(&process->streams[i]);
    keeper_close_custom(keeper, index);
    colony_seen_clear(&process->seen);
    if (process->job)
        process->job->index = KEEPER_NO_RECORD;
    process->job = NULL;
    process->notices = 0;
    if (record->flags & RECORD_HAS_CGROUP && !(record->flags & RECORD_DETACHED))
        colony_cgroup_leave(&keeper->cgroups, record->name, record->slot);
    keeper_remove_notify(keeper, record);
    colony_table_free_record(&keeper->table, index);
}

void keeper_close_stream(struct keeper *keeper, uint32_t index, uint32_t stream)
{
    if (stream < COLONY_STREAMS_FIXED &&
        keeper->table.records[index].stream_kind[stream] == STREAM_INPUT)
        colony_fd_close(&keeper->processes[index].streams[stream]);
}
