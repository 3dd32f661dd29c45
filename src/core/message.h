/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h - what keeper and engine say to each other (DESIGN §2).
 *
 * One message is one packet of a SOCK_SEQPACKET pair, non-blocking on both sides, with the
 * descriptors of at most one process. What a message says of a process stands in its record of the
 * table (table.h), which the engine maps read-only: messages name the record and say what changed.
 * A shorter message of an older version is read with zeros for what it lacks. libc only.
 */
#ifndef COLONY_CORE_MESSAGE_H
#define COLONY_CORE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/table.h"

enum {
    COLONY_PROTOCOL_VERSION = 3,
    COLONY_PROTOCOL_ADOPTS = 2, /* a keeper from this one on knows ADOPT and LET_GO */
    COLONY_PROTOCOL_ENDING = 3, /* and ENDING */
    COLONY_CHILD_FDS_MAX = 8,   /* descriptors 0…7 of a child */
    COLONY_MESSAGE_FDS_MAX = 10,
    COLONY_FDS_A_PROCESS = 5,      /* keeper and engine have no more of one, custom streams aside */
    COLONY_HELLO_BATCH = 64,       /* HELLO waits for an answer every 64 (ETOOMANYREFS) */
    COLONY_SOCKET_NAME_SIZE = 384, /* a path among them */
    COLONY_PAYLOAD_MAX = 16 << 20, /* bytes; above what execve(2) takes */
    COLONY_PAYLOAD_INSIDE_MAX = 4096, /* a larger one comes as a memfd */
};

enum colony_message_type {
    MESSAGE_NONE,
    /* engine → keeper */
    MESSAGE_READY,    /* the engine serves */
    MESSAGE_CONTINUE, /* go on with HELLO */
    MESSAGE_SPAWN,    /* + payload, inside or as a memfd [+ passed descriptors] */
    MESSAGE_SIGNAL,   /* id, signo, flags */
    MESSAGE_SWEEP,    /* id, signo: all that is left of it, its leader having ended */
    MESSAGE_CLOSE,    /* id, stream */
    MESSAGE_FORGET,   /* id */
    MESSAGE_HOLD,     /* name + a listening socket */
    MESSAGE_RELEASE,  /* name */
    MESSAGE_SHUTDOWN, /* value: exit code; all is stopped, what has ended is forgotten */
    MESSAGE_UPGRADE,
    /* keeper → engine */
    MESSAGE_HELLO,   /* hello + table (to be read) and notes */
    MESSAGE_HELD,    /* name + a listening socket */
    MESSAGE_RECORD,  /* index, id + pipes: a process from before this engine */
    MESSAGE_MORE,    /* answer with CONTINUE */
    MESSAGE_WELCOME, /* all records told; spawning may begin */
    MESSAGE_SPAWNED, /* index, id + new pipes */
    MESSAGE_SPAWN_FAILED,
    MESSAGE_EXITED,
    MESSAGE_STRAY,   /* value: how many were reaped */
    MESSAGE_SWEPT,   /* id, swept */
    MESSAGE_REQUEST, /* value: the signal colony got */
    /* later than the others, whose numbers stay: old keepers and engines know them */
    MESSAGE_ADOPT,    /* engine → keeper; adopt: a process that somebody else started; SPAWNED or
                         SPAWN_FAILED */
    MESSAGE_LET_GO,   /* engine → keeper; id: it lives on, and nobody watches it */
    MESSAGE_PING,     /* keeper → engine, under a service manager: answer with ALIVE */
    MESSAGE_ALIVE,    /* engine → keeper */
    MESSAGE_RELOADED, /* engine → keeper; name: why not, "": it did */
    MESSAGE_LINK,     /* host → keeper, which has no engine of its own: + the link of another */
    MESSAGE_ENDING, /* engine → keeper; value: exit code; colony is to end: the next engine hears it
                     */
    MESSAGE_TYPE_COUNT,
};

enum colony_stream_kind {
    STREAM_NONE,
    STREAM_OUTPUT, /* the child writes; kept over restarts of the slot */
    STREAM_INPUT,  /* the child reads; new for each process */
    STREAM_NOTIFY, /* a datagram socket at NOTIFY_SOCKET (notify.h); kept over restarts of the slot
                    */
    STREAM_SOCKET, /* both read and write; new for each process. Custom streams, and only they */
};

/* Which of the streams is what; the keeper looks at it only when it has to find them by a mark. */
enum colony_stream {
    OUTPUT_STREAM = 0, /* stdout, and stderr in order unless that has its own */
    INPUT_STREAM = 1,  /* stdin */
    NOTIFY_STREAM = 2, /* the socket behind NOTIFY_SOCKET */
    READY_STREAM = 3,  /* the pipe of `ready: {fd: N}` */
    ERROR_STREAM = 4,  /* stderr */
    CUSTOM_STREAM_FIRST = COLONY_STREAMS_FIXED,
};

/* What a descriptor of the child is: one of these, with the number of the stream or passed fd. */
enum colony_fd_plan {
    FD_CLOSED = 0,
    FD_NULL = 0x10,   /* /dev/null */
    FD_STREAM = 0x20, /* | stream */
    FD_PASSED = 0x30, /* | which of the descriptors that came with SPAWN after a payload's */
    FD_KIND_MASK = 0xf0,
    FD_NUMBER_MASK = 0x0f,
};

enum colony_spawn_flag {
    SPAWN_DETACHED = 1 << 0,
    SPAWN_REPLACES = 1 << 1, /* message.id: the ended process whose slot and output pipes it gets */
};

enum colony_signal_flag {
    SIGNAL_GROUP = 1 << 0, /* to its process group */
    SIGNAL_STOP =
        1 << 1, /* it is to end: its descendants are noted first, for the sweep; SIGCONT follows */
};

struct colony_spawn_order {
    char name[COLONY_RECORD_NAME_SIZE];
    uint32_t slot;
    uint32_t flags; /* enum colony_spawn_flag */
    uint8_t plan[COLONY_CHILD_FDS_MAX];
    uint8_t stream_kind[COLONY_STREAMS_FIXED];
    uint8_t custom_count;
    uint8_t note[COLONY_NOTE_SIZE];
};

/* Begins as a spawn_order does: what is refused without a record is told by name and slot. */
struct colony_adopt_order {
    char name[COLONY_RECORD_NAME_SIZE];
    uint32_t slot;
    int32_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat: another one's is a stranger */
    uint8_t note[COLONY_NOTE_SIZE];
};

struct colony_hello {
    int32_t keeper_pid;
    uint32_t owner_uid;
    uint32_t capacity;     /* processes that can live at once */
    uint32_t record_count; /* RECORD messages that follow */
    uint32_t has_cgroups;
    uint32_t is_ending;   /* colony was asked to end: nothing is to be started */
    uint64_t nofile_soft; /* what children are given back */
    uint64_t nofile_hard;
    int32_t exit_code; /* of colony, where is_ending; an older keeper sends 0 */
};

struct colony_swept {
    uint32_t found;     /* of it, still there at the time */
    uint32_t unclaimed; /* strays that bear no mark of ours */
    uint32_t is_partial;
};

struct colony_message {
    uint16_t version;
    uint16_t type; /* enum colony_message_type */
    uint32_t index;
    uint64_t id;
    int32_t signo;
    uint32_t flags;
    int32_t value;
    uint32_t payload_size; /* of what is in `payload`: only that is sent */
    union {
        struct colony_spawn_order spawn;
        struct colony_adopt_order adopt;
        struct colony_hello hello;
        struct colony_swept swept;
        char name[COLONY_SOCKET_NAME_SIZE];
    } u;
    uint8_t payload[COLONY_PAYLOAD_INSIDE_MAX]; /* of SPAWN; see struct colony_payload */
};

/*
 * What a process is made of: this, then NUL-terminated strings. It is in the message, or, as an
 * environment may have megabytes, in a sealed memfd that comes with it.
 */
enum colony_payload_flag {
    PAYLOAD_HAS_IDENTITY = 1 << 0, /* uid, gid and groups are to be set */
    PAYLOAD_HAS_CWD = 1 << 1,
    PAYLOAD_HAS_UMASK = 1 << 2,
    PAYLOAD_HAS_NICE = 1 << 3,
    PAYLOAD_HAS_OOM = 1 << 4,
    PAYLOAD_LIMITS_OPTIONAL = 1 << 5, /* go on without limits that cannot be set */
};

struct colony_payload_rlimit {
    uint32_t resource;
    uint32_t reserved;
    uint64_t soft;
    uint64_t hard;
};

enum {
    COLONY_PAYLOAD_GROUPS = 64,
    COLONY_PAYLOAD_RLIMITS = 16,
};

struct colony_payload {
    uint32_t version; /* COLONY_PROTOCOL_VERSION */
    uint32_t flags;
    uint32_t path_count; /* candidates for exec, tried as execvp(3) does */
    uint32_t argc;
    uint32_t envc;
    uint32_t uid;
    uint32_t gid;
    uint32_t group_count;
    uint32_t groups[COLONY_PAYLOAD_GROUPS];
    uint32_t umask;
    int32_t nice;
    int32_t oom_score_adj;
    uint32_t rlimit_count;
    struct colony_payload_rlimit rlimits[COLONY_PAYLOAD_RLIMITS];
    uint64_t memory_max_bytes; /* of its cgroup; 0: no limit, as the next two */
    uint32_t cpu_max_milli;
    uint32_t pids_max;
    /* then: paths, argv, env, and cwd when it has one */
};

/* What the stream of that number is. */
enum colony_stream_kind colony_stream_kind_of(const struct colony_record *record, size_t stream);

/* What is sent of @message, in bytes. */
size_t colony_message_size(const struct colony_message *message);

/*
 * Sends @message with @fd_count descriptors, which stay the caller's.
 * 0; -EAGAIN: the queue is full; -EPIPE, -ECONNRESET: the other side is gone; -ETOOMANYREFS.
 */
int colony_message_send(int socket, const struct colony_message *message, const int *fds,
                        size_t fd_count);

/*
 * Receives one message; its descriptors (close-on-exec) are the caller's. 0; -EAGAIN: none is
 * there; -ECONNRESET: the other side is gone; -EBADMSG: not of this protocol; -EMFILE: descriptors
 * were lost (MSG_CTRUNC): those that arrived are closed.
 */
int colony_message_receive(int socket, struct colony_message *message, int *fds, size_t *fd_count);

#endif
