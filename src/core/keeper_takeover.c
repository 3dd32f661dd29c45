/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_takeover.c - what an earlier keeper left: processes, pipes, ends that nobody saw. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/keeper_internal.h"
#include "core/log.h"
#include "core/notify.h"

/* Its pipe could not be opened, or went with it while nobody else held it. */
static void tell_output_lost(struct colony_record *record)
{
    if (record->flags & RECORD_OUTPUT_LOST)
        return;
    record->flags |= RECORD_OUTPUT_LOST;
    if (record->pid > 0)
        colony_log(SEVERITY_WARNING, "output of %s.%u may be lost: pid %d", record->name,
                   record->slot, (int)record->pid);
    else
        colony_log(SEVERITY_WARNING, "output of %s.%u may be lost", record->name, record->slot);
}

/* Its socket went with whoever held it: no other end can be made. */
static void tell_custom_lost(struct colony_record *record)
{
    if (record->flags & RECORD_STREAMS_LOST)
        return;
    record->flags |= RECORD_STREAMS_LOST;
    colony_log(SEVERITY_WARNING,
               "custom streams of %s.%u are closed until it is restarted, as keeper and engine "
               "ended together: pid %d",
               record->name, record->slot, (int)record->pid);
}

static void adopt_stream(struct keeper *keeper, uint32_t index, size_t stream,
                         const struct colony_own_pipes *pipes)
{
    struct colony_record *record = &keeper->table.records[index];
    enum colony_stream_kind kind = colony_stream_kind_of(record, stream);
    int fd = colony_adopt_stream(record, stream, pipes);

    if (fd >= 0 && keeper_set_stream(keeper, index, stream, fd) == 0)
        return;
    if (fd >= 0)
        (void)close(fd);
    if (kind == STREAM_OUTPUT)
        tell_output_lost(record);
    else if (kind == STREAM_SOCKET && !keeper_is_ended(record))
        tell_custom_lost(record);
}

static void adopt_streams(struct keeper *keeper, uint32_t index,
                          const struct colony_own_pipes *pipes)
{
    const struct colony_record *record = &keeper->table.records[index];

    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++) {
        enum colony_stream_kind kind = colony_stream_kind_of(record, i);

        if (kind != STREAM_NONE && kind != STREAM_NOTIFY && record->stream_inode[i] != 0)
            adopt_stream(keeper, index, i, pipes);
    }
    keeper_adopt_notify(keeper, index, pipes);
}

static void adopt_record(struct keeper *keeper, uint32_t index,
                         const struct colony_own_pipes *pipes)
{
    struct colony_record *record = &keeper->table.records[index];
    struct keeper_process *process = &keeper->processes[index];
    bool was_claimed = colony_record_state(record) == RECORD_CLAIMED;

    if (keeper_is_ended(record)) {
        adopt_streams(keeper, index, pipes); /* of its slot */
        return;
    }
    process->pidfd = colony_adopt_process(record, &keeper->boot);
    if (process->pidfd < 0 && was_claimed && record->pid == 0) {
        record->failed_step = STEP_CLONE;
        record->failed_errno = ECANCELED;
        colony_record_set_state(record, RECORD_FAILED);
        adopt_streams(keeper, index, pipes); /* of its slot: what those before it wrote */
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
        record->spawned_at_ms = colony_wall_now_ms();
    colony_record_set_start(record, colony_proc_start_ticks(record->pid));
    colony_record_set_state(record, RECORD_ALIVE);
    keeper_remember_pid(keeper, index);
    process->oom_kills = keeper_count_oom_kills(keeper, record);
    adopt_streams(keeper, index, pipes);
    if (keeper_watch(keeper, process->pidfd, SOURCE_PROCESS, index) < 0)
        colony_log(SEVERITY_ERROR, "cannot watch %s.%u: %s", record->name, record->slot,
                   strerror(errno));
}

struct recovery {
    struct keeper *keeper;
    uint64_t first_id; /* records from here on were found by a mark */
};

/* The record of a process that the table says lives in this slot, or that was found there. */
static struct colony_record *find_in_slot(const struct keeper *keeper,
                                          const struct colony_marked *marked)
{
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++) {
        struct colony_record *record = &keeper->table.records[i];
        enum colony_record_state state = colony_record_state(record);

        if ((state == RECORD_CLAIMED || state == RECORD_ALIVE) && record->slot == marked->slot &&
            strcmp(record->name, marked->name) == 0)
            return record;
    }
    return NULL;
}

static struct colony_record *claim_for(struct keeper *keeper, const struct colony_marked *marked)
{
    uint32_t index;

    if (colony_table_claim(&keeper->table, marked->name, marked->slot, &keeper->boot, &index) < 0)
        return NULL;
    keeper_clear_process(&keeper->processes[index]);
    return &keeper->table.records[index];
}

/*
 * A process whose record was damaged is found by its mark; it gets a new id. Strays that lead a
 * session of their own bear the same mark: of all that are found for a slot the oldest leads it.
 */
static void recover_marked(const struct colony_marked *marked, void *data)
{
    struct recovery *recovery = data;
    struct colony_record *record = find_in_slot(recovery->keeper, marked);
    uint64_t start_ticks = colony_proc_start_ticks(marked->pid);

    if (start_ticks == 0)
        return;
    if (record && (record->id < recovery->first_id || record->start_ticks < start_ticks ||
                   (record->start_ticks == start_ticks && record->pid < marked->pid)))
        return;
    if (!record)
        record = claim_for(recovery->keeper, marked);
    if (!record)
        return;
    record->pid = marked->pid;
    colony_record_set_start(record, start_ticks);
    record->stream_kind[OUTPUT_STREAM] = marked->output_inode ? STREAM_OUTPUT : STREAM_NONE;
    record->stream_inode[OUTPUT_STREAM] = (uint32_t)marked->output_inode;
    record->stream_kind[ERROR_STREAM] = marked->error_inode ? STREAM_OUTPUT : STREAM_NONE;
    record->stream_inode[ERROR_STREAM] = (uint32_t)marked->error_inode;
    if (keeper_find_notify(recovery->keeper, record))
        record->stream_kind[NOTIFY_STREAM] = STREAM_NOTIFY;
    colony_log(SEVERITY_WARNING, "found %s.%u again as pid %d by its mark", record->name,
               record->slot, (int)record->pid);
}

static void recover_from_damage(struct keeper *keeper, uint32_t damaged)
{
    struct recovery recovery = {keeper, keeper->table.header->next_id};

    colony_log(SEVERITY_ERROR, "the table of processes %s: looks for them by their marks",
               damaged == UINT32_MAX ? "is gone or was no table (then it is kept as table.damaged)"
                                     : "was damaged in part");
    colony_find_marked(keeper->table.header->instance, recover_marked, &recovery);
}

void keeper_take_over(struct keeper *keeper, uint32_t damaged)
{
    struct colony_own_pipes pipes;
    uint32_t alive = 0;

    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        keeper_init_process(&keeper->processes[i]);
    if (damaged > 0)
        recover_from_damage(keeper, damaged);
    if (colony_own_pipes_read(&pipes, keeper->options->ready_fd) < 0)
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
        keeper->has_taken_over = true;
        adopt_record(keeper, i, &pipes);
        alive += colony_record_state(record) == RECORD_ALIVE;
    }
    colony_own_pipes_clear(&pipes);
    if (keeper->table.used == 0)
        colony_notify_remove_folder(keeper->state_fd); /* of before a reboot */
    keeper->living = alive;
    if (alive > 0)
        colony_log(SEVERITY_INFO, "took over %u running process%s", alive, alive == 1 ? "" : "es");
}
