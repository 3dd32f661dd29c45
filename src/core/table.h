/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the keeper's memory: one record a process, in a file mapped shared (DESIGN §2).
 *
 * Only the keeper writes it; the engine maps it read-only. It is the only record of what lives:
 * the queue of exits, the source of ids and the state kept over a takeover. A record stays until
 * the engine lets go of it. A reboot voids it, so nothing is synced to disk. libc only.
 */
#ifndef COLONY_CORE_TABLE_H
#define COLONY_CORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;

enum {
    COLONY_TABLE_VERSION = 3,
    COLONY_TABLE_CAPACITY_MAX = 65536,
    COLONY_RECORD_NAME_SIZE = 208,
    COLONY_STREAMS_FIXED = 5,  /* pipes of one process, and its notify socket */
    COLONY_STREAMS_CUSTOM = 5, /* sockets, by the labels of its template */
    COLONY_STREAMS_MAX = COLONY_STREAMS_FIXED + COLONY_STREAMS_CUSTOM,
    COLONY_NOTE_SIZE = 64,
    COLONY_INSTANCE_SIZE = 17, /* 16 hexadecimal digits and a NUL */
};

enum colony_record_state {
    RECORD_FREE,
    RECORD_CLAIMED, /* is being spawned: pid is written by the kernel during the clone */
    RECORD_ALIVE,
    RECORD_EXITED,
    RECORD_FAILED, /* the spawn failed: step and errno say where */
};

enum colony_record_flag {
    RECORD_DETACHED = 1 << 0, /* left out of stop, sweep and shutdown */
    RECORD_HAS_CGROUP = 1 << 1,
    RECORD_ADOPTED = 1 << 2,      /* not our child: its parent keeper died, or was never ours */
    RECORD_OUTPUT_LOST = 1 << 3,  /* a pipe of it could not be reopened */
    RECORD_STATUS_KNOWN = 1 << 4, /* the exit status was told by the kernel */
    RECORD_OOM_KILLED = 1 << 5,   /* while it ran, something in its cgroup was killed for memory */
    RECORD_UNLIMITED = 1 << 6,    /* limits that are optional could not be set; told once a slot */
    RECORD_CGROUP_KILLED =
        1 << 7, /* by cgroup.kill, after which the kernel lets nobody be cloned in */
    RECORD_NOTICE_LOST = 1 << 8, /* what it said to its notify socket may be lost */
    RECORD_STREAMS_LOST =
        1 << 9, /* its custom streams are closed, as nobody held our ends; told once */
};

struct colony_record {
    /* Who it is: written before the clone and covered by the checksum. */
    uint64_t id;
    uint64_t claimed_boot_ns; /* CLOCK_BOOTTIME */
    uint64_t pid_namespace;   /* inode of /proc/self/ns/pid */
    uint8_t boot_id[16];
    uint32_t slot;
    char name[COLONY_RECORD_NAME_SIZE];
    uint64_t checksum;

    /* What became of it. */
    _Atomic uint32_t state; /* enum colony_record_state; stored last */
    uint32_t flags;
    pid_t pid;           /* written by the kernel (CLONE_PARENT_SETTID) */
    int32_t wait_status; /* as waitpid(2) gives it */
    int32_t failed_step;
    int32_t failed_errno;
    uint64_t start_ticks;   /* field 22 of /proc/PID/stat; 0: not known yet */
    uint64_t life_checksum; /* of id, pid and start_ticks, once these are known */
    uint64_t spawned_at_ms; /* wall clock, for people */
    uint64_t exited_boot_ns;
    uint64_t cpu_us; /* user and system time, from wait4(2) */
    uint64_t rss_max_bytes;
    uint32_t stream_inode[COLONY_STREAMS_MAX]; /* the kernel numbers pipes and sockets so */
    uint8_t stream_kind[COLONY_STREAMS_FIXED]; /* see colony_stream_kind_of() of message.h */
    uint8_t custom_count;                      /* sockets, from CUSTOM_STREAM_FIRST on */
    uint8_t note[COLONY_NOTE_SIZE];            /* the engine's, as of SPAWN; later ones: notes.h */
};

struct colony_table_header {
    char magic[8];
    uint32_t version;
    uint32_t record_size;
    uint32_t capacity;
    uint32_t reserved;
    char instance[COLONY_INSTANCE_SIZE + 7];
    uint64_t checksum; /* of all above */
    uint64_t next_id;
    uint32_t high_water; /* records from here on were never used */
};

struct colony_table {
    struct colony_table_header *header;
    struct colony_record *records;
    size_t size_bytes;
    int fd;
    uint32_t free_hint;
    uint32_t used;
};

/* Facts a record is matched by. */
struct colony_boot {
    uint8_t boot_id[16];
    uint64_t pid_namespace;
    uint64_t ticks_per_second;
};

int colony_boot_read(struct colony_boot *out, struct colony_error *err);
uint64_t colony_boot_now_ns(void);
/* For people. */
uint64_t colony_wall_now_ms(void);
/*
 * Where a counter of ids goes on when nobody knows how far it had come: above all that it gave, for
 * a process or a question takes longer than the ten microseconds that are counted here. Below 10^15
 * (until 2286): printers of JSON write it in digits.
 */
uint64_t colony_id_after_loss(void);

/*
 * Opens or makes the table `table` in the folder @state_fd, to be written. A file that is not a
 * table or of another shape is moved aside to `table.damaged` and *was_damaged is set; records
 * whose checksums do not hold are freed and counted in *damaged_records. UINT32_MAX: all are gone,
 * or the table itself is while there was one once.
 */
int colony_table_open(struct colony_table *table, int state_fd, uint32_t capacity,
                      uint32_t *damaged_records, struct colony_error *err);
/*
 * The instance of the state folder @state_fd, which stands in COLONY_ID of its processes: what is
 * there, else a new one, which the keepers to come go by. Any process may ask, also while a keeper
 * runs.
 */
int colony_instance_settle(int state_fd, char out[COLONY_INSTANCE_SIZE], struct colony_error *err);
/* Maps the table behind @fd read-only; takes ownership of @fd. -EBADMSG: not a table of ours. */
int colony_table_map(struct colony_table *table, int fd, struct colony_error *err);
void colony_table_close(struct colony_table *table);

/*
 * Takes a free record, fills in who it is and makes it CLAIMED: from here on a takeover knows of
 * it. -ENOSPC when all are taken.
 */
int colony_table_claim(struct colony_table *table, const char *name, uint32_t slot,
                       const struct colony_boot *boot, uint32_t *index);
/* A process that lives already, and that somebody else started. */
struct colony_newcomer {
    const char *name;
    uint32_t slot;
    pid_t pid;
    uint64_t start_ticks;
    uint32_t flags; /* enum colony_record_flag */
    const uint8_t *note;
};

/* Takes a free record for it, which is ALIVE at once: whoever is killed here has left nothing of it
 * or all. */
int colony_table_enter(struct colony_table *table, const struct colony_newcomer *newcomer,
                       const struct colony_boot *boot, uint32_t *index);
void colony_table_free_record(struct colony_table *table, uint32_t index);

enum colony_record_state colony_record_state(const struct colony_record *record);
void colony_record_set_state(struct colony_record *record, enum colony_record_state state);

/* True when @record's checksums hold. */
bool colony_record_is_sound(const struct colony_record *record);

/* Notes when its process, whose pid is there, was started (0: gone already). */
void colony_record_set_start(struct colony_record *record, uint64_t start_ticks);

/* Start time of @pid in ticks since boot, 0 when there is no such process. */
uint64_t colony_proc_start_ticks(pid_t pid);
/* Its parent's pid, 0 when there is no such process. */
pid_t colony_proc_parent(pid_t pid);

#endif
