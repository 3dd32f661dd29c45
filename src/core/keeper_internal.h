/* SPDX-License-Identifier: Apache-2.0 */
/* keeper_internal.h - the keeper's own parts: its loop, its processes, its engine. */
#ifndef COLONY_CORE_KEEPER_INTERNAL_H
#define COLONY_CORE_KEEPER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/adopt.h"
#include "core/cgroup.h"
#include "core/keeper_options.h"
#include "core/manager.h"
#include "core/message.h"
#include "core/spawner.h"
#include "core/sweep.h"
#include "core/table.h"

enum {
    PID_BUCKETS = 4096, /* a power of two */
    NO_INDEX = -1,
    /* pidfd, outputs, notify socket, input or a cgroup in passing; custom streams are counted */
    KEEPER_FDS_A_PROCESS = COLONY_FDS_A_PROCESS,
    KEEPER_FDS_A_CUSTOM = 2, /* our end, and in passing the child's */
    KEEPER_FDS_A_STAGE = 12, /* what is set aside for one child on its way, and its pipe */
    KEEPER_FDS_OF_ENDED = 3, /* outputs and notify socket, which are its slot's */
};

#define KEEPER_NO_RECORD UINT32_MAX

/* What is behind an epoll event: the kind in the upper half, the record in the lower. */
enum keeper_source {
    SOURCE_SIGNALS,
    SOURCE_CHILDREN,
    SOURCE_LINK,
    SOURCE_ENGINE,
    SOURCE_SPAWNER,
    SOURCE_PROCESS,
    SOURCE_SCOPES,
    SOURCE_HOST,
};

/* What the engine has yet to be told of a process. */
enum keeper_notice {
    NOTICE_SPAWN = 1 << 0, /* spawned, or failed to */
    NOTICE_EXIT = 1 << 1,
    NOTICE_SWEPT = 1 << 2,
};

/* The keeper's side of one record; lives as long as the record is not free. */
struct keeper_process {
    int pidfd;                         /* -1: not alive */
    int streams[COLONY_STREAMS_FIXED]; /* the keeper's ends; -1. See keeper_stream() */
    uint16_t fresh_streams;            /* bit i: this engine has not got its end of stream i */
    uint8_t notices;                   /* enum keeper_notice */
    bool is_told;                      /* this engine knows of it */
    bool is_queued;
    uint64_t
        status_until_ms; /* adopted, ended, not reaped by its parent yet: so long it may take */
    int32_t next_queued;
    int32_t next_of_pid;          /* chain of its bucket */
    struct colony_spawn_job *job; /* its child is on its way, or cannot be ended; NULL */
    uint64_t oom_kills;           /* in its cgroup, before it ran */
    struct colony_swept swept;
    struct colony_seen seen;
};

struct keeper {
    struct colony_keeper_options *options;
    struct colony_boot boot;
    struct colony_table table;
    struct colony_cgroups cgroups;
    struct colony_spawner *spawner;
    struct colony_spawn_job *jobs; /* to be spawned, in the order of their orders */
    struct colony_spawn_job **jobs_end;
    bool has_one_event;                   /* in this turn of the loop */
    uint32_t jobs_done;                   /* since memory was last given back */
    struct keeper_process *processes;     /* one for each record of the table */
    int (*custom)[COLONY_STREAMS_CUSTOM]; /* the same, made for the first custom stream; 0: none */
    uint32_t custom_fds;                  /* open for them, the children's ends in passing too */
    int32_t pid_buckets[PID_BUCKETS];
    int state_fd;
    int notify_fd; /* its folder of sockets; -1: none was needed yet */
    int epoll_fd;
    int signal_fd;
    int children_fd; /* SIGCHLD */
    int notes_fd;
    uint32_t capacity; /* processes that can live at once, by descriptors */
    uint32_t living;   /* records that are claimed or alive */

    /* the engine */
    int link_fd;
    int engine_pidfd; /* -1: none runs */
    pid_t engine_pid;
    bool engine_is_ready;
    bool has_taken_over; /* strays of before that may be another's children */
    bool was_ready;      /* an engine has served since this keeper started */
    uint64_t engine_started_ms;
    uint64_t engine_restart_at_ms; /* 0: not due */
    uint64_t engine_delay_ms;

    /* what it has yet to be told */
    uint32_t hello_cursor;
    uint32_t hello_sockets;
    uint32_t hello_batch;
    bool hello_is_sent;
    bool hello_waits;
    bool is_welcomed;
    int32_t queue_head;
    int32_t queue_tail;
    uint32_t strays;
    uint32_t requests; /* bit N: signal N came */
    bool wants_write;
    uint64_t tell_again_at_ms; /* 0: not due; HELLO could not be made */

    /* the service manager */
    struct colony_manager manager;
    int scopes_fd;           /* a connection to it, while scopes are asked for; -1 */
    uint32_t scopes_asked;   /* and not answered yet */
    uint64_t ping_at_ms;     /* 0: it has no watchdog */
    uint64_t status_at_ms;   /* 0: nothing new to tell */
    uint64_t status_told_ms; /* 0: never */
    uint32_t living_told;
    uint32_t pings_missed;    /* times that the engine was waited for in vain; 0: it has answered */
    char reload_problem[256]; /* of the last reload; "": none */

    uint64_t stray_check_at_ms;  /* 0: not due */
    uint64_t status_check_at_ms; /* 0: not due; adopted ones that ended */
    uint32_t ended_requests;     /* how many signals asked it to end */
    bool is_asked_to_end;        /* by them, or by the engine: with exit_code */
    bool is_ending;              /* all is stopped; the engine is leaving */
    int exit_code;
};

uint64_t keeper_now_ms(void);
int keeper_watch(struct keeper *keeper, int fd, enum keeper_source source, uint32_t index);

/* keeper_processes.c */
void keeper_init_process(struct keeper_process *process);
void keeper_clear_process(struct keeper_process *process);
void keeper_remember_pid(struct keeper *keeper, uint32_t index);
/* Nothing of it is watched any more. */
void keeper_unwatch(struct keeper *keeper, uint32_t index);
int32_t keeper_find_pid(struct keeper *keeper, pid_t pid);
bool keeper_is_being_spawned(struct keeper *keeper, pid_t pid);
bool keeper_is_ended(const struct colony_record *record);
uint64_t keeper_count_oom_kills(const struct keeper *keeper, const struct colony_record *record);
void keeper_reap(struct keeper *keeper, uint32_t index);
void keeper_reap_strays(struct keeper *keeper);
void keeper_check_statuses(struct keeper *keeper);
void keeper_signal(struct keeper *keeper, uint32_t index, const struct colony_message *message);
void keeper_sweep(struct keeper *keeper, uint32_t index, int signo);
void keeper_forget(struct keeper *keeper, uint32_t index);
void keeper_close_stream(struct keeper *keeper, uint32_t index, uint32_t stream);

/* keeper_streams.c */
/* The keeper's end of a stream; -1: there is none. */
int keeper_stream(const struct keeper *keeper, uint32_t index, size_t stream);
/* Takes over @fd where there is none. -ENOMEM. */
int keeper_set_stream(struct keeper *keeper, uint32_t index, size_t stream, int fd);
/* The same of one that is new to the record and to the engine. Negative errno. */
int keeper_keep_stream(struct keeper *keeper, uint32_t index, size_t stream, int fd);
/* Makes a custom stream; *child_end is the job's. Negative errno. */
int keeper_make_custom(struct keeper *keeper, uint32_t index, size_t stream, int *child_end);
/* Once the engine knows that their process has ended: what is in them it can still read. */
void keeper_close_custom(struct keeper *keeper, uint32_t index);
void keeper_free_job(struct keeper *keeper, struct colony_spawn_job *job);

/* keeper_notify.c */
int keeper_open_notify(struct keeper *keeper, uint32_t index, uid_t uid);
void keeper_adopt_notify(struct keeper *keeper, uint32_t index,
                         const struct colony_own_pipes *pipes);
bool keeper_find_notify(struct keeper *keeper, const struct colony_record *record);
void keeper_remove_notify(struct keeper *keeper, const struct colony_record *record);

/* keeper_spawn.c; @fds are a payload that is not in the message and what is passed to the child */
int keeper_spawn(struct keeper *keeper, const struct colony_message *message, const int *fds,
                 size_t fd_count);
/* For one process more. */
bool keeper_has_room(const struct keeper *keeper, uint32_t replaced, uint32_t custom_count);
bool keeper_is_slot_name(const char *name, size_t size, uint32_t slot);
/* Begins the next of keeper->jobs, if there is one and room for it. */
void keeper_begin_job(struct keeper *keeper);
/* Milliseconds until there is a job that can begin; -1: not before something else happens. */
int keeper_until_job(const struct keeper *keeper);
/* The pipe of a child on its way has hung up. */
void keeper_on_landed(struct keeper *keeper, uint32_t number);
/* A child has ended before it was known to run its program. */
void keeper_on_crashed(struct keeper *keeper, uint32_t index);
void keeper_fail_late_spawns(struct keeper *keeper);

/* keeper_adopt.c: processes that somebody else started. Negative errno: nothing was done. */
int keeper_adopt(struct keeper *keeper, const struct colony_message *message);
int keeper_let_go(struct keeper *keeper, uint32_t index);

/* keeper_takeover.c */
void keeper_take_over(struct keeper *keeper, uint32_t damaged);

/* keeper_host.c: an engine in a program, which started us and tells us its links. */
int keeper_watch_host(struct keeper *keeper);
void keeper_on_host(struct keeper *keeper);

/* keeper_engine.c */
/* Nothing where a host has the engine. */
int keeper_start_engine(struct keeper *keeper);
/* An engine is at the other end of @fd, which it takes over: it is told all. Negative errno. */
int keeper_take_link(struct keeper *keeper, int fd);
void keeper_on_engine_exit(struct keeper *keeper);
int keeper_send_message(struct keeper *keeper, struct colony_message *message, const int *fds,
                        size_t fd_count);
void keeper_drop_link(struct keeper *keeper);
void keeper_notify(struct keeper *keeper, uint32_t index, enum keeper_notice notice);
void keeper_flush(struct keeper *keeper);
void keeper_upgrade(struct keeper *keeper);

void keeper_send_ping(struct keeper *keeper);

/* keeper_manager.c: all of it does nothing where no service manager runs us. */
void keeper_open_manager(struct keeper *keeper);
/* An engine serves. */
void keeper_tell_ready(struct keeper *keeper);
void keeper_tell_reloading(struct keeper *keeper);
/* A reload is over; "": it went well. */
void keeper_on_reloaded(struct keeper *keeper, const char *problem);
void keeper_tell_ending(struct keeper *keeper);
/* The engine has answered. */
void keeper_on_alive(struct keeper *keeper);
/* Does what is due; returns when it is to be called again at the latest, 0: never. */
uint64_t keeper_run_manager(struct keeper *keeper, uint64_t now);
/* Has a detached process taken out of our service's cgroup. */
void keeper_ask_scope(struct keeper *keeper, const struct colony_record *record);
void keeper_on_scopes(struct keeper *keeper);

/* keeper_orders.c */
void keeper_on_link(struct keeper *keeper, uint32_t events);

#endif
