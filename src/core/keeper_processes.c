/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_processes.c - the keeper's processes: spawned, adopted, signalled, swept and reaped. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/keeper_internal.h"
#include "core/log.h"

enum {
    TO_PROCESS_GROUP = 1 << 2, /* PIDFD_SIGNAL_PROCESS_GROUP of Linux 6.9 */
    STATUS_WAIT_MS = 2000, /* for the parent of an adopted one to reap it */
};

static void init_process(struct keeper_process *process)
{
    memset(process, 0, sizeof *process);
    process->pidfd = -1;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        process->streams[i] = -1;
    process->next_queued = NO_INDEX;
    process->next_of_pid = NO_INDEX;
}

/* Like new, but for its place in the queue of notices, which outlives a record. */
static void clear_process(struct keeper_process *process)
{
    bool is_queued = process->is_queued;
    int32_t next_queued = process->next_queued;

    init_process(process);
    process->is_queued = is_queued;
    process->next_queued = next_queued;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Pids of living records, so that a stray is told from a leader without a walk over the table. */

static int32_t *bucket_of(struct keeper *keeper, pid_t pid)
{
    return &keeper->pid_buckets[(uint32_t)pid & (PID_BUCKETS - 1)];
}

static void remember_pid(struct keeper *keeper, uint32_t index)
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

static int32_t find_pid(struct keeper *keeper, pid_t pid)
{
    int32_t index = *bucket_of(keeper, pid);

    while (index != NO_INDEX && keeper->table.records[index].pid != pid)
        index = keeper->processes[index].next_of_pid;
    return index;
}

/* A process between its clone and the spawner's answer is in the table, not yet in the buckets. */
static bool is_being_spawned(struct keeper *keeper, pid_t pid)
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

    return pid == keeper->engine_pid || pid == getpid() || find_pid(keeper, pid) != NO_INDEX ||
           is_being_spawned(keeper, pid);
}

/* Spawning. */

static void set_failed(struct keeper *keeper, uint32_t index, int step, int error)
{
    struct colony_record *record = &keeper->table.records[index];

    record->failed_step = step;
    record->failed_errno = -error;
    record->pid = 0;
    record->exited_boot_ns = colony_boot_now_ns();
    colony_record_set_state(record, RECORD_FAILED);
    keeper_notify(keeper, index, NOTICE_SPAWN);
}

/* A pipe of which we keep one end; *child_end goes to the child. */
static int make_stream(struct keeper_process *process, struct colony_record *record, size_t stream,
                       int *child_end)
{
    bool is_output = record->stream_kind[stream] == STREAM_OUTPUT;
    struct stat info;
    int ends[2];
    int kept;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    /*
     * Output: one end for both reading and writing, ours and the child's. With no reader left a
     * write waits instead of killing the child by SIGPIPE, and a successor finds it in /proc.
     */
    kept = is_output ? colony_pipe_reopen(ends[0], O_RDWR) : fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
    if (kept < 0 || fstat(kept, &info) < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return kept < 0 ? kept : -EIO;
    }
    *child_end = is_output ? -1 : ends[0];
    if (is_output)
        (void)close(ends[0]);
    (void)close(ends[1]);
    process->streams[stream] = kept;
    process->fresh_streams |= (uint8_t)(1U << stream);
    record->stream_inode[stream] = info.st_ino;
    return 0;
}

/* Without this a child of another user could not open /dev/stdout. */
static void give_streams(const struct keeper_process *process,
                         const struct colony_payload *payload)
{
    if (!(payload->flags & PAYLOAD_HAS_IDENTITY))
        return;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        if (process->streams[i] >= 0 &&
            fchown(process->streams[i], payload->uid, payload->gid) < 0)
            colony_log(SEVERITY_DEBUG, "cannot give a pipe to uid %u: %s", payload->uid,
                       strerror(errno));
}

/* Output pipes belong to the slot: they go from the ended process to the one that replaces it. */
static void inherit_streams(struct keeper *keeper, uint32_t from, uint32_t to)
{
    struct keeper_process *old = &keeper->processes[from];
    struct colony_record *old_record = &keeper->table.records[from];
    struct colony_record *record = &keeper->table.records[to];

    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++) {
        if (old->streams[i] < 0 || old_record->stream_kind[i] != STREAM_OUTPUT ||
            record->stream_kind[i] != STREAM_OUTPUT)
            continue;
        keeper->processes[to].streams[i] = old->streams[i];
        keeper->processes[to].fresh_streams |= (uint8_t)(old->fresh_streams & 1U << i);
        record->stream_inode[i] = old_record->stream_inode[i];
        old->streams[i] = -1;
    }
}

/* Makes the pipes the slot does not have yet; @child_ends[i] is the child's end of stream i. */
static int fill_streams(struct keeper *keeper, struct colony_spawn_job *job, int *child_ends)
{
    struct keeper_process *process = &keeper->processes[job->index];
    struct colony_record *record = &keeper->table.records[job->index];
    size_t owned = 0;

    while (owned < COLONY_MESSAGE_FDS_MAX && job->passed[owned] >= 0)
        owned++;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++) {
        int rc = 0;

        child_ends[i] = -1;
        if (record->stream_kind[i] != STREAM_NONE && process->streams[i] < 0)
            rc = make_stream(process, record, i, &child_ends[i]);
        if (rc < 0)
            return rc;
        if (child_ends[i] < 0)
            child_ends[i] = process->streams[i];
        else if (owned < COLONY_MESSAGE_FDS_MAX)
            job->passed[owned++] = child_ends[i]; /* closed with the job */
    }
    return 0;
}

/* The descriptor that @plan (enum colony_fd_plan) stands for; -1: closed. -EBADMSG. */
static int plan_descriptor(const struct colony_spawn_job *job, const int *child_ends, uint8_t plan,
                           int *fd)
{
    uint8_t number = plan & FD_NUMBER_MASK;

    *fd = -1;
    switch (plan & FD_KIND_MASK) {
    case FD_NULL:
        *fd = COLONY_RESERVED_NULL_FD;
        return 0;
    case FD_STREAM:
        if (number < COLONY_STREAMS_MAX)
            *fd = child_ends[number];
        return *fd >= 0 ? 0 : -EBADMSG;
    case FD_PASSED:
        if (number < COLONY_MESSAGE_FDS_MAX)
            *fd = job->passed[number];
        return *fd >= 0 ? 0 : -EBADMSG;
    default:
        return plan == FD_CLOSED ? 0 : -EBADMSG;
    }
}

static int fill_descriptors(struct keeper *keeper, const struct colony_spawn_order *order,
                            struct colony_spawn_job *job)
{
    int child_ends[COLONY_STREAMS_MAX];
    int rc = fill_streams(keeper, job, child_ends);

    for (size_t i = 0; i < COLONY_CHILD_FDS_MAX && rc == 0; i++)
        rc = plan_descriptor(job, child_ends, order->plan[i], &job->fds[i]);
    return rc;
}

static bool is_allowed_identity(const struct colony_keeper_options *options,
                                const struct colony_payload *payload)
{
    for (size_t i = 0; i < options->identity_count; i++) {
        const struct colony_keeper_identity *allowed = &options->identities[i];

        if (payload->uid == allowed->uid && payload->gid == allowed->gid &&
            payload->group_count == allowed->group_count &&
            memcmp(payload->groups, allowed->groups,
                   allowed->group_count * sizeof allowed->groups[0]) == 0)
            return true;
    }
    return false;
}

static bool raises_a_limit(const struct colony_payload *payload)
{
    for (uint32_t i = 0; i < payload->rlimit_count; i++) {
        struct rlimit now;

        if (prlimit(0, (__rlimit_resource_t)payload->rlimits[i].resource, NULL, &now) < 0 ||
            payload->rlimits[i].hard > now.rlim_max)
            return true;
    }
    return false;
}

/* Under `user:` the engine is trusted with little: what root lends it was fixed at our start. */
static int check_rights(const struct colony_keeper_options *options,
                        const struct colony_payload *payload)
{
    if (!options->has_user)
        return 0;
    if (!(payload->flags & PAYLOAD_HAS_IDENTITY) || !is_allowed_identity(options, payload))
        return -EPERM;
    if (payload->flags & PAYLOAD_HAS_NICE && payload->nice < 0 && !(options->grants & GRANT_NICE))
        return -EPERM;
    if (payload->flags & PAYLOAD_HAS_OOM && payload->oom_score_adj < 0 &&
        !(options->grants & GRANT_OOM))
        return -EPERM;
    if (raises_a_limit(payload) && !(options->grants & GRANT_RLIMITS))
        return -EPERM;
    return 0;
}

static struct colony_spawn_job *new_job(struct keeper *keeper, uint32_t index, const int *fds,
                                        size_t fd_count)
{
    struct colony_spawn_job *job = calloc(1, sizeof *job);

    if (!job)
        return NULL;
    job->index = index;
    job->pid = &keeper->table.records[index].pid;
    job->cgroup_fd = -1;
    for (size_t i = 0; i < COLONY_MESSAGE_FDS_MAX; i++)
        job->passed[i] = i + 1 < fd_count ? fcntl(fds[i + 1], F_DUPFD_CLOEXEC, 0) : -1;
    return job;
}

static int prepare_job(struct keeper *keeper, const struct colony_message *message,
                       struct colony_spawn_job *job, int payload_fd)
{
    const struct colony_spawn_order *order = &message->u.spawn;
    struct colony_record *record = &keeper->table.records[job->index];
    int rc = colony_spawn_plan_init(&job->plan, payload_fd);

    if (rc == 0)
        rc = check_rights(keeper->options, job->plan.payload);
    if (rc == 0)
        rc = fill_descriptors(keeper, order, job);
    if (rc < 0)
        return rc;
    give_streams(&keeper->processes[job->index], job->plan.payload);
    job->cgroup_fd =
        order->flags & SPAWN_DETACHED
            ? colony_cgroup_enter_detached(&keeper->cgroups, record->name, record->id)
            : colony_cgroup_enter(&keeper->cgroups, record->name, record->slot);
    if (job->cgroup_fd >= 0)
        record->flags |= RECORD_HAS_CGROUP;
    return 0;
}

static int claim(struct keeper *keeper, const struct colony_spawn_order *order, uint32_t *index)
{
    struct colony_record *record;
    int rc = -EMFILE;

    if (keeper->table.used < keeper->capacity)
        rc = colony_table_claim(&keeper->table, order->name, order->slot, &keeper->boot, index);
    if (rc < 0)
        return rc;
    record = &keeper->table.records[*index];
    clear_process(&keeper->processes[*index]);
    memcpy(record->stream_kind, order->stream_kind, sizeof record->stream_kind);
    memcpy(record->note, order->note, sizeof record->note);
    if (order->flags & SPAWN_DETACHED)
        record->flags |= RECORD_DETACHED;
    return 0;
}

static bool is_ended(const struct colony_record *record)
{
    enum colony_record_state state = colony_record_state(record);

    return state == RECORD_EXITED || state == RECORD_FAILED;
}

/* fds[0] is the payload, the rest are passed to the child. They stay the caller's. */
int keeper_spawn(struct keeper *keeper, const struct colony_message *message, const int *fds,
                 size_t fd_count)
{
    const struct colony_spawn_order *order = &message->u.spawn;
    struct colony_spawn_job *job;
    uint32_t index = 0;
    int rc;

    if (fd_count < 1 || !memchr(order->name, '\0', sizeof order->name) || order->name[0] == '\0' ||
        strchr(order->name, '/') || order->slot == 0)
        return -EBADMSG;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        if (order->stream_kind[i] > STREAM_INPUT)
            return -EBADMSG;
    if (order->flags & SPAWN_REPLACES &&
        (message->index >= keeper->table.header->high_water ||
         keeper->table.records[message->index].id != message->id ||
         !is_ended(&keeper->table.records[message->index])))
        return -EBADMSG;
    rc = claim(keeper, order, &index);
    if (rc < 0)
        return rc;
    if (order->flags & SPAWN_REPLACES) {
        inherit_streams(keeper, message->index, index);
        keeper_forget(keeper, message->index);
    }
    job = new_job(keeper, index, fds, fd_count);
    rc = job ? prepare_job(keeper, message, job, fds[0]) : -ENOMEM;
    if (rc < 0) {
        if (job)
            colony_spawn_job_free(job);
        set_failed(keeper, index, STEP_PREPARE, rc);
        return 0; /* told by SPAWN_FAILED */
    }
    colony_spawner_submit(keeper->spawner, job);
    return 0;
}

static uint64_t wall_clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void finish_failed(struct keeper *keeper, const struct colony_spawn_job *job)
{
    const struct colony_spawn_result *result = &job->result;
    siginfo_t info = {0};
    int error = result->error;

    if (result->pidfd >= 0) {
        (void)waitid(P_PIDFD, (id_t)result->pidfd, &info, WEXITED);
        (void)close(result->pidfd);
    }
    if (error == 0) /* it was killed: by the kernel's timer or by somebody */
        error = result->is_late ? -ETIMEDOUT : -ECANCELED;
    set_failed(keeper, job->index, result->step, error);
}

/* A child that was killed before exec leaves no error: its step tells, or, within exec, its time. */
static bool has_failed(const struct colony_spawn_result *result)
{
    siginfo_t info = {0};

    if (result->error != 0 || result->step != STEP_EXEC)
        return true;
    return result->is_late &&
           waitid(P_PIDFD, (id_t)result->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0 && info.si_status == SIGKILL;
}

static void finish_spawn(struct keeper *keeper, const struct colony_spawn_job *job)
{
    struct colony_record *record = &keeper->table.records[job->index];
    struct keeper_process *process = &keeper->processes[job->index];

    if (job->result.cgroup_error < 0) {
        record->flags &= ~(uint32_t)RECORD_HAS_CGROUP;
        colony_log(SEVERITY_WARNING, "%s.%u runs outside its cgroup: %s", record->name,
                   record->slot, strerror(-job->result.cgroup_error));
    }
    if (has_failed(&job->result)) {
        finish_failed(keeper, job);
        return;
    }
    process->pidfd = job->result.pidfd;
    record->spawned_at_ms = wall_clock_ms();
    colony_record_set_state(record, RECORD_ALIVE);
    remember_pid(keeper, job->index);
    keeper_notify(keeper, job->index, NOTICE_SPAWN);
    keeper_flush(keeper); /* the engine goes on while we note the rest */
    record->start_ticks = colony_proc_start_ticks(record->pid);
    if (keeper_watch(keeper, process->pidfd, SOURCE_PROCESS, job->index) < 0)
        colony_log(SEVERITY_ERROR, "cannot watch %s.%u: %s", record->name, record->slot,
                   strerror(errno));
}

void keeper_finish_spawns(struct keeper *keeper)
{
    struct colony_spawn_job *job = colony_spawner_take_done(keeper->spawner);

    while (job) {
        struct colony_spawn_job *next = job->next;

        finish_spawn(keeper, job);
        colony_spawn_job_free(job);
        job = next;
    }
}

/* Ends. */

static void set_exited(struct keeper *keeper, uint32_t index)
{
    struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];

    forget_pid(keeper, index);
    close_fd(&process->pidfd); /* leaves the epoll set with it */
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        if (record->stream_kind[i] == STREAM_INPUT)
            close_fd(&process->streams[i]);
    record->exited_boot_ns = colony_boot_now_ns();
    process->awaits_status = false;
    colony_record_set_state(record, RECORD_EXITED);
    keeper_notify(keeper, index, NOTICE_EXIT);
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
 * An adopted one: its parent is another, and its status is there once that one has reaped it. Until
 * then only the hang-up of the pidfd is waited for.
 */
static void reap_adopted(struct keeper *keeper, uint32_t index)
{
    struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];
    struct epoll_event event = {.events = 0,
                                .data.u64 = (uint64_t)SOURCE_PROCESS << 32 | index};
    int rc = colony_exit_status(process->pidfd, &record->wait_status);

    if (rc == -EAGAIN && !process->awaits_status) {
        process->awaits_status = true;
        (void)epoll_ctl(keeper->epoll_fd, EPOLL_CTL_MOD, process->pidfd, &event);
        if (keeper->status_check_at_ms == 0)
            keeper->status_check_at_ms = keeper_now_ms() + STATUS_WAIT_MS;
        return;
    }
    if (rc == 0)
        record->flags |= RECORD_STATUS_KNOWN;
    set_exited(keeper, index);
}

void keeper_reap(struct keeper *keeper, uint32_t index)
{
    struct keeper_process *process = &keeper->processes[index];

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
    keeper->status_check_at_ms = 0;
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        if (colony_record_state(&keeper->table.records[i]) == RECORD_ALIVE &&
            keeper->processes[i].awaits_status)
            keeper_reap(keeper, i);
}

/*
 * Looks without reaping first: a known process that ended in this moment must be reaped through its
 * record, or its status would be lost.
 */
void keeper_reap_strays(struct keeper *keeper)
{
    siginfo_t info = {0};

    keeper->stray_check_at_ms = 0;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        int32_t index = find_pid(keeper, info.si_pid);

        if (index != NO_INDEX) {
            keeper_reap(keeper, (uint32_t)index);
        } else if (info.si_pid == keeper->engine_pid || is_being_spawned(keeper, info.si_pid)) {
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
}

static void sweep_by_mark(struct keeper *keeper, uint32_t index, int signo)
{
    struct keeper_process *process = &keeper->processes[index];
    const struct colony_record *record = &keeper->table.records[index];
    char mark[COLONY_INSTANCE_SIZE + COLONY_RECORD_NAME_SIZE + 16];
    struct colony_sweep sweep = {
        .mark = mark,
        .instance = keeper->table.header->instance,
        .leader = process->pidfd >= 0 ? record->pid : 0,
        .seen = &process->seen,
        .everywhere = record->flags & RECORD_ADOPTED,
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
    const struct colony_record *record = &keeper->table.records[index];
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

    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        close_fd(&process->streams[i]);
    colony_seen_clear(&process->seen);
    process->notices = 0;
    if (record->flags & RECORD_HAS_CGROUP && !(record->flags & RECORD_DETACHED))
        colony_cgroup_leave(&keeper->cgroups, record->name, record->slot);
    colony_table_free_record(&keeper->table, index);
}

void keeper_close_stream(struct keeper *keeper, uint32_t index, uint32_t stream)
{
    if (stream < COLONY_STREAMS_MAX &&
        keeper->table.records[index].stream_kind[stream] == STREAM_INPUT)
        close_fd(&keeper->processes[index].streams[stream]);
}

/* Taking over. */

static void adopt_streams(struct keeper *keeper, uint32_t index,
                          const struct colony_own_pipes *pipes)
{
    struct colony_record *record = &keeper->table.records[index];

    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++) {
        int fd;

        if (record->stream_kind[i] == STREAM_NONE || record->stream_inode[i] == 0)
            continue;
        fd = colony_adopt_stream(record, i, pipes);
        if (fd >= 0) {
            keeper->processes[index].streams[i] = fd;
        } else if (record->stream_kind[i] == STREAM_OUTPUT && !(record->flags & RECORD_OUTPUT_LOST)) {
            /* Its pipe could not be opened, or went with it while nobody else held it. */
            record->flags |= RECORD_OUTPUT_LOST;
            colony_log(SEVERITY_WARNING, "output of %s.%u may be lost: pid %d", record->name,
                       record->slot, (int)record->pid);
        }
    }
}

static void adopt_record(struct keeper *keeper, uint32_t index,
                         const struct colony_own_pipes *pipes)
{
    struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];
    bool was_claimed = colony_record_state(record) == RECORD_CLAIMED;

    if (is_ended(record)) {
        adopt_streams(keeper, index, pipes); /* of its slot */
        return;
    }
    process->pidfd = colony_adopt_process(record, &keeper->boot);
    if (process->pidfd < 0 && was_claimed && record->pid == 0) {
        record->failed_step = STEP_CLONE;
        record->failed_errno = ECANCELED;
        colony_record_set_state(record, RECORD_FAILED);
        return;
    }
    if (process->pidfd < 0) {
        /* Ended while nobody watched. Nothing can tell how. */
        record->flags &= ~(uint32_t)RECORD_STATUS_KNOWN;
        record->exited_boot_ns = colony_boot_now_ns();
        colony_record_set_state(record, RECORD_EXITED);
        adopt_streams(keeper, index, pipes);
        return;
    }
    if (!colony_is_our_child(process->pidfd))
        record->flags |= RECORD_ADOPTED;
    if (was_claimed)
        record->spawned_at_ms = wall_clock_ms();
    record->start_ticks = colony_proc_start_ticks(record->pid);
    colony_record_set_state(record, RECORD_ALIVE);
    remember_pid(keeper, index);
    adopt_streams(keeper, index, pipes);
    if (keeper_watch(keeper, process->pidfd, SOURCE_PROCESS, index) < 0)
        colony_log(SEVERITY_ERROR, "cannot watch %s.%u: %s", record->name, record->slot,
                   strerror(errno));
}

/* A process whose record was damaged is found by its mark; it gets a new id. */
static void recover_marked(const struct colony_marked *marked, void *data)
{
    struct keeper *keeper = data;
    struct colony_record *record;
    uint32_t index;

    if (find_pid(keeper, marked->pid) != NO_INDEX ||
        colony_table_claim(&keeper->table, marked->name, marked->slot, &keeper->boot, &index) < 0)
        return;
    record = &keeper->table.records[index];
    clear_process(&keeper->processes[index]);
    record->pid = marked->pid;
    record->start_ticks = colony_proc_start_ticks(marked->pid);
    if (marked->output_inode != 0) {
        record->stream_kind[0] = STREAM_OUTPUT;
        record->stream_inode[0] = marked->output_inode;
    }
    colony_log(SEVERITY_WARNING, "found %s.%u again as pid %d by its mark", record->name,
               record->slot, (int)record->pid);
}

static void recover_from_damage(struct keeper *keeper, uint32_t damaged)
{
    colony_log(SEVERITY_ERROR, "the table of processes was damaged%s",
               damaged == UINT32_MAX ? ": moved aside to table.damaged" : " in part");
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        if (colony_record_state(&keeper->table.records[i]) == RECORD_ALIVE)
            remember_pid(keeper, i);
    colony_find_marked(keeper->table.header->instance, recover_marked, keeper);
    memset(keeper->pid_buckets, 0xff, sizeof keeper->pid_buckets);
}

void keeper_take_over(struct keeper *keeper, uint32_t damaged)
{
    struct colony_own_pipes pipes;
    uint32_t alive = 0;

    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        init_process(&keeper->processes[i]);
    if (damaged > 0)
        recover_from_damage(keeper, damaged);
    if (colony_own_pipes_read(&pipes) < 0)
        colony_log(SEVERITY_WARNING, "cannot read /proc/self/fd: output may be lost");
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++) {
        struct colony_record *record = &keeper->table.records[i];

        if (colony_record_state(record) == RECORD_FREE)
            continue;
        if (memcmp(record->boot_id, keeper->boot.boot_id, sizeof record->boot_id) != 0 ||
            record->pid_namespace != keeper->boot.pid_namespace) {
            colony_table_free_record(&keeper->table, i); /* of before a reboot */
            continue;
        }
        adopt_record(keeper, i, &pipes);
        alive += colony_record_state(record) == RECORD_ALIVE;
    }
    colony_own_pipes_clear(&pipes);
    if (alive > 0)
        colony_log(SEVERITY_INFO, "took over %u running process%s", alive, alive == 1 ? "" : "es");
}
