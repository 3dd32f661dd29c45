/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_spawn.c - from an order of the engine to a process: record, pipes, rights, job, result. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/keeper_internal.h"
#include "core/log.h"

enum {
    TRIM_JOBS = 64, /* after so many, memory is given back */
    LATE_END_MS = 10,
};

static void set_failed(struct keeper *keeper, uint32_t index, int step, int error)
{
    struct colony_record *record = &keeper->table.records[index];

    record->failed_step = step;
    record->failed_errno = -error;
    record->pid = 0;
    record->exited_boot_ns = colony_boot_now_ns();
    colony_record_set_state(record, RECORD_FAILED);
    keeper->living--;
    keeper_close_custom(keeper, index); /* nobody had the other ends */
    keeper_notify(keeper, index, NOTICE_SPAWN);
}

/* A pipe of which we keep one end; *child_end goes to the child. */
static int make_pipe(struct keeper *keeper, uint32_t index, size_t stream, int *child_end)
{
    bool is_output = keeper->table.records[index].stream_kind[stream] == STREAM_OUTPUT;
    int ends[2];
    int kept;
    int rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    /*
     * Output: one end for both reading and writing, ours and the child's. With no reader left a
     * write waits instead of killing the child by SIGPIPE, and a successor finds it in /proc.
     */
    kept = is_output ? colony_pipe_reopen(ends[0], O_RDWR) : fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
    rc = kept < 0 ? kept : keeper_keep_stream(keeper, index, stream, kept);
    if (rc < 0 && kept >= 0)
        (void)close(kept);
    if (rc < 0 || is_output)
        (void)close(ends[0]);
    else
        *child_end = ends[0];
    (void)close(ends[1]);
    return rc;
}

/* Without this a child of another user could not open /dev/stdout. */
static void give_streams(const struct colony_record *record, const struct keeper_process *process,
                         const struct colony_payload *payload)
{
    if (!(payload->flags & PAYLOAD_HAS_IDENTITY))
        return;
    for (size_t i = 0; i < COLONY_STREAMS_FIXED; i++)
        if (process->streams[i] >= 0 && record->stream_kind[i] != STREAM_NOTIFY &&
            fchown(process->streams[i], payload->uid, payload->gid) < 0)
            colony_log(SEVERITY_DEBUG, "cannot give a pipe to uid %u: %s", payload->uid,
                       strerror(errno));
}

/* Output and notify socket are the slot's: they go from the ended process to its successor. */
static void inherit_streams(struct keeper *keeper, uint32_t from, uint32_t to)
{
    struct keeper_process *old = &keeper->processes[from];
    struct colony_record *old_record = &keeper->table.records[from];
    struct colony_record *record = &keeper->table.records[to];

    for (size_t i = 0; i < COLONY_STREAMS_FIXED; i++) {
        if (old->streams[i] < 0 || old_record->stream_kind[i] != record->stream_kind[i] ||
            record->stream_kind[i] == STREAM_INPUT)
            continue;
        keeper->processes[to].streams[i] = old->streams[i];
        keeper->processes[to].fresh_streams |= (uint16_t)(old->fresh_streams & 1U << i);
        record->stream_inode[i] = old_record->stream_inode[i];
        old->streams[i] = -1;
        old_record->stream_kind[i] = STREAM_NONE; /* forgetting it takes nothing away */
    }
    record->flags |= old_record->flags & RECORD_UNLIMITED;
}

/* Makes the pipes the slot does not have yet. The notify socket needs a uid: keeper_open_notify. */
static int fill_streams(struct keeper *keeper, struct colony_spawn_job *job)
{
    const struct colony_record *record = &keeper->table.records[job->index];
    int rc = 0;

    for (size_t i = 0; i < COLONY_STREAMS_MAX && rc == 0; i++) {
        enum colony_stream_kind kind = colony_stream_kind_of(record, i);

        if (keeper_stream(keeper, job->index, i) >= 0)
            continue;
        if (kind == STREAM_SOCKET)
            rc = keeper_make_custom(keeper, job->index, i, &job->ends[i]);
        else if (kind == STREAM_OUTPUT || kind == STREAM_INPUT)
            rc = make_pipe(keeper, job->index, i, &job->ends[i]);
    }
    return rc;
}

/* The descriptor that @plan (enum colony_fd_plan) stands for; -1: closed. -EBADMSG. */
static int plan_descriptor(const struct keeper *keeper, const struct colony_spawn_job *job,
                           uint8_t plan, int *fd)
{
    uint8_t number = plan & FD_NUMBER_MASK;

    *fd = -1;
    switch (plan & FD_KIND_MASK) {
    case FD_NULL:
        *fd = COLONY_RESERVED_NULL_FD;
        return 0;
    case FD_STREAM:
        if (number < COLONY_STREAMS_MAX)
            *fd = job->ends[number] >= 0 ? job->ends[number]
                                         : keeper_stream(keeper, job->index, number);
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
    int rc = fill_streams(keeper, job);

    for (size_t i = 0; i < COLONY_CHILD_FDS_MAX && rc == 0; i++)
        rc = plan_descriptor(keeper, job, order->plan[i], &job->fds[i]);
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
    job->result.step = STEP_PREPARE;
    for (size_t i = 0; i < COLONY_MESSAGE_FDS_MAX; i++)
        job->passed[i] = i < fd_count ? fcntl(fds[i], F_DUPFD_CLOEXEC, 0) : -1;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        job->ends[i] = -1;
    return job;
}

/* Into its cgroup before it is born there. */
static int set_limits(struct keeper *keeper, struct colony_spawn_job *job)
{
    struct colony_record *record = &keeper->table.records[job->index];
    enum colony_cgroup_controller failed = CONTROLLER_MEMORY;
    int rc = colony_cgroup_limit(&keeper->cgroups, job->cgroup_fd, job->plan.payload, &failed);

    if (rc == 0) {
        record->flags &= ~(uint32_t)RECORD_UNLIMITED;
        return 0;
    }
    if (!(job->plan.payload->flags & PAYLOAD_LIMITS_OPTIONAL)) {
        job->result.step = STEP_LIMIT_MEMORY + (int)failed;
        return rc;
    }
    if (!(record->flags & RECORD_UNLIMITED))
        colony_log(SEVERITY_WARNING, "%s.%u runs without its limit of %s: %s", record->name,
                   record->slot, colony_cgroup_controller_name(failed), strerror(-rc));
    record->flags |= RECORD_UNLIMITED;
    return 0;
}

static int prepare_job(struct keeper *keeper, const struct colony_message *message,
                       struct colony_spawn_job *job, const int *fds)
{
    const struct colony_spawn_order *order = &message->u.spawn;
    struct colony_record *record = &keeper->table.records[job->index];
    struct keeper_process *process = &keeper->processes[job->index];
    const struct colony_payload *payload;
    int rc = message->payload_size > 0
                 ? colony_spawn_plan_copy(&job->plan, message->payload, message->payload_size)
                 : colony_spawn_plan_init(&job->plan, fds[0]);

    payload = job->plan.payload;
    if (rc == 0)
        rc = check_rights(keeper->options, payload);
    if (rc == 0)
        rc = fill_descriptors(keeper, order, job);
    if (rc < 0)
        return rc;
    give_streams(record, process, payload);
    job->result.step = STEP_NOTIFY;
    rc = keeper_open_notify(keeper, job->index,
                            payload->flags & PAYLOAD_HAS_IDENTITY ? payload->uid : geteuid());
    if (rc < 0)
        return rc;
    job->cgroup_fd = order->flags & SPAWN_DETACHED
                         ? colony_cgroup_enter_detached(&keeper->cgroups, record->name, record->id)
                         : colony_cgroup_enter(&keeper->cgroups, record->name, record->slot);
    if (job->cgroup_fd >= 0)
        record->flags |= RECORD_HAS_CGROUP;
    process->oom_kills = keeper_count_oom_kills(keeper, record);
    rc = set_limits(keeper, job);
    if (rc == 0)
        job->result.step = STEP_PREPARE;
    return rc;
}

/* An ended one still holds what is its slot's; one that replaces it takes that over. */
bool keeper_has_room(const struct keeper *keeper, uint32_t replaced, uint32_t custom_count)
{
    uint32_t ended = keeper->table.used - keeper->living - replaced;
    uint32_t needed = (keeper->living + 1) * KEEPER_FDS_A_PROCESS + ended * KEEPER_FDS_OF_ENDED;

    needed += keeper->custom_fds + custom_count * KEEPER_FDS_A_CUSTOM;
    if (keeper->custom_fds > 0 || custom_count > 0)
        needed += COLONY_STREAMS_CUSTOM; /* what is sent to the engine, of one process at a time */
    return needed <= keeper->capacity * KEEPER_FDS_A_PROCESS;
}

bool keeper_is_slot_name(const char *name, size_t size, uint32_t slot)
{
    return memchr(name, '\0', size) && name[0] != '\0' && !strchr(name, '/') && slot > 0;
}

static int claim(struct keeper *keeper, const struct colony_spawn_order *order, uint32_t *index)
{
    struct colony_record *record;
    int rc = -EMFILE;

    if (keeper_has_room(keeper, order->flags & SPAWN_REPLACES ? 1 : 0, order->custom_count))
        rc = colony_table_claim(&keeper->table, order->name, order->slot, &keeper->boot, index);
    if (rc < 0)
        return rc;
    keeper->living++;
    record = &keeper->table.records[*index];
    keeper_clear_process(&keeper->processes[*index]);
    memcpy(record->stream_kind, order->stream_kind, sizeof record->stream_kind);
    record->custom_count = order->custom_count;
    memcpy(record->note, order->note, sizeof record->note);
    if (order->flags & SPAWN_DETACHED)
        record->flags |= RECORD_DETACHED;
    return 0;
}

/*
 * A child that hangs where SIGKILL does not reach it (a FUSE server that took the request and never
 * answers): it will end before it runs anything, but nobody can say when. Its slot is told that it
 * failed and starts no other until it is gone.
 */
static void set_late(struct keeper *keeper, struct colony_spawn_job *job)
{
    struct colony_record *record = &keeper->table.records[job->index];

    keeper->processes[job->index].job = job;
    record->flags &= ~(uint32_t)RECORD_HAS_CGROUP; /* a sweep of it would never be done */
    set_failed(keeper, job->index, job->result.step, -ETIMEDOUT);
}

void keeper_fail_late_spawns(struct keeper *keeper)
{
    struct colony_spawn_job *job;

    while ((job = colony_spawner_next_late(keeper->spawner))) {
        const struct colony_record *record = &keeper->table.records[job->index];

        colony_log(SEVERITY_ERROR, "%s.%u hangs in %s, where it cannot even be killed: pid %d",
                   record->name, record->slot, colony_spawn_step_name(job->result.step),
                   (int)record->pid);
        (void)epoll_ctl(keeper->epoll_fd, EPOLL_CTL_DEL, job->result.pidfd, NULL);
        set_late(keeper, job);
        keeper_flush(keeper);
    }
}

/* The child of a late job has ended after all: its failure was told long ago. */
static void finish_late(struct keeper *keeper, const struct colony_spawn_job *job)
{
    siginfo_t info = {0};

    if (job->result.pidfd >= 0) {
        /* Should it have come to its program, it must not run it. */
        (void)syscall(SYS_pidfd_send_signal, job->result.pidfd, SIGKILL, NULL, 0);
        (void)waitid(P_PIDFD, (id_t)job->result.pidfd, &info, WEXITED);
        (void)close(job->result.pidfd);
    }
    if (job->index != KEEPER_NO_RECORD)
        keeper->processes[job->index].job = NULL;
}

/* A slot has one notify socket: a second one would take its path away. Sockets are for custom ones.
 */
static bool has_sound_streams(const struct colony_spawn_order *order)
{
    unsigned notify = 0;

    if (order->custom_count > COLONY_STREAMS_CUSTOM)
        return false;
    for (size_t i = 0; i < COLONY_STREAMS_FIXED; i++) {
        if (order->stream_kind[i] > STREAM_NOTIFY)
            return false;
        notify += order->stream_kind[i] == STREAM_NOTIFY;
    }
    return notify <= 1;
}

/* The slot's cgroup stays for its next process, where the kernel lets it in. */
static void keep_cgroup(struct colony_record *old, const struct colony_spawn_order *order)
{
    if (!(order->flags & SPAWN_DETACHED) && !(old->flags & RECORD_CGROUP_KILLED) &&
        colony_record_state(old) == RECORD_EXITED)
        old->flags &= ~(uint32_t)RECORD_HAS_CGROUP;
}

int keeper_spawn(struct keeper *keeper, const struct colony_message *message, const int *fds,
                 size_t fd_count)
{
    const struct colony_spawn_order *order = &message->u.spawn;
    const size_t first_passed = message->payload_size > 0 ? 0 : 1;
    struct colony_spawn_job *late = NULL;
    struct colony_spawn_job *job;
    uint32_t index = 0;
    int rc;

    if (fd_count < first_passed ||
        !keeper_is_slot_name(order->name, sizeof order->name, order->slot))
        return -EBADMSG;
    if (!has_sound_streams(order))
        return -EBADMSG;
    if (order->flags & SPAWN_REPLACES && (message->index >= keeper->table.header->high_water ||
                                          keeper->table.records[message->index].id != message->id ||
                                          !keeper_is_ended(&keeper->table.records[message->index])))
        return -EBADMSG;
    rc = claim(keeper, order, &index);
    if (rc < 0)
        return rc;
    if (order->flags & SPAWN_REPLACES) {
        inherit_streams(keeper, message->index, index);
        late = keeper->processes[message->index].job;
        keep_cgroup(&keeper->table.records[message->index], order);
        keeper_forget(keeper, message->index);
    }
    if (late) { /* another child would hang beside it */
        late->index = index;
        set_late(keeper, late);
        return 0;
    }
    job = new_job(keeper, index, fds + first_passed, fd_count - first_passed);
    rc = job ? prepare_job(keeper, message, job, fds) : -ENOMEM;
    if (rc < 0) {
        set_failed(keeper, index, job ? job->result.step : STEP_PREPARE, rc);
        if (job)
            keeper_free_job(keeper, job);
        return 0; /* told by SPAWN_FAILED */
    }
    *keeper->jobs_end = job;
    keeper->jobs_end = &job->next;
    return 0;
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

/* A child that was killed before exec leaves no error: its step tells, or, within exec, its time.
 */
static bool has_failed(const struct colony_spawn_result *result)
{
    struct pollfd ended = {.fd = result->pidfd, .events = POLLIN};
    siginfo_t info = {0};

    if (result->error != 0 || result->step != STEP_EXEC)
        return true;
    /* Its pipe hangs up a moment before it has ended: that is waited for, this once in 5 s. */
    return result->is_late && poll(&ended, 1, LATE_END_MS) == 1 &&
           waitid(P_PIDFD, (id_t)result->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0 && info.si_status == SIGKILL;
}

/* When the clock has not ticked since before it was born, nobody need be asked. */
static uint64_t start_ticks_of(const struct keeper *keeper, const struct colony_spawn_job *job)
{
    const uint64_t tick_ns = 1000000000ULL / keeper->boot.ticks_per_second;
    uint64_t ticks = job->result.began_boot_ns / tick_ns;

    return job->result.born_boot_ns / tick_ns == ticks
               ? ticks
               : colony_proc_start_ticks(keeper->table.records[job->index].pid);
}

static void finish_spawn(struct keeper *keeper, const struct colony_spawn_job *job)
{
    struct colony_record *record = &keeper->table.records[job->index];
    struct keeper_process *process = &keeper->processes[job->index];

    process->job = NULL;
    if (job->result.cgroup_error < 0) {
        record->flags &= ~(uint32_t)RECORD_HAS_CGROUP;
        if (colony_spawn_plan_has_limits(&job->plan))
            record->flags |= RECORD_UNLIMITED;
        colony_log(SEVERITY_WARNING, "%s.%u runs outside its cgroup: %s", record->name,
                   record->slot, strerror(-job->result.cgroup_error));
    }
    if (has_failed(&job->result)) {
        finish_failed(keeper, job);
        return;
    }
    process->pidfd = job->result.pidfd;
    record->spawned_at_ms = colony_wall_now_ms();
    colony_record_set_state(record, RECORD_ALIVE);
    keeper_remember_pid(keeper, job->index);
    keeper_notify(keeper, job->index, NOTICE_SPAWN);
    colony_record_set_start(record, start_ticks_of(keeper, job));
    if (record->flags & RECORD_DETACHED)
        keeper_ask_scope(keeper, record);
}

static void free_job(struct keeper *keeper, struct colony_spawn_job *job)
{
    keeper_free_job(keeper, job);
    if (++keeper->jobs_done < TRIM_JOBS || keeper->jobs)
        return;
    keeper->jobs_done = 0;
    (void)malloc_trim(0); /* what many that waited took */
}

/* Its child is at its program, or has ended. */
static void finish_job(struct keeper *keeper, struct colony_spawn_job *job)
{
    colony_spawner_finish(keeper->spawner, job);
    if (job->is_late)
        finish_late(keeper, job);
    else
        finish_spawn(keeper, job);
    free_job(keeper, job);
}

int keeper_until_job(const struct keeper *keeper)
{
    return keeper->jobs ? colony_spawner_until_room(keeper->spawner) : -1;
}

void keeper_begin_job(struct keeper *keeper)
{
    struct colony_spawn_job *job = keeper->jobs;

    if (keeper_until_job(keeper) != 0)
        return;
    keeper->jobs = job->next;
    if (!keeper->jobs)
        keeper->jobs_end = &keeper->jobs;
    colony_spawner_begin(keeper->spawner, job);
    if (job->result.pidfd < 0) {
        set_failed(keeper, job->index, job->result.step, job->result.error);
        free_job(keeper, job);
        return;
    }
    keeper->processes[job->index].job = job;
    if (keeper_watch(keeper, job->result.pidfd, SOURCE_PROCESS, job->index) < 0)
        colony_log(SEVERITY_ERROR, "cannot watch %s.%u: %s", keeper->table.records[job->index].name,
                   keeper->table.records[job->index].slot, strerror(errno));
}

void keeper_on_landed(struct keeper *keeper, uint32_t number)
{
    struct colony_spawn_job *job = colony_spawner_take_landed(keeper->spawner, number);

    if (job)
        finish_job(keeper, job);
}

void keeper_on_crashed(struct keeper *keeper, uint32_t index)
{
    struct colony_spawn_job *job = keeper->processes[index].job;

    if (!job->is_late) /* else its pipe tells */
        finish_job(keeper, job);
}
