/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn.h - makes one process, with nothing of colony's in it but what was ordered (DESIGN §2).
 *
 * The child shares the keeper's memory until exec (CLONE_VM), so making one costs the same however
 * large the keeper is; its descriptor table is cut off first, so that descriptors cost nothing
 * either. The keeper does not wait for it: a pipe hangs up when it runs its program. libc only.
 */
#ifndef COLONY_CORE_SPAWN_H
#define COLONY_CORE_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"

enum colony_spawn_step {
    STEP_NONE,
    STEP_PREPARE, /* in the keeper: payload, pipes, descriptors */
    STEP_CLONE,
    STEP_TIMER,
    STEP_DESCRIPTORS,
    STEP_SETSID,
    STEP_CGROUP,
    STEP_RLIMIT,
    STEP_NICE,
    STEP_OOM,
    STEP_SETGROUPS,
    STEP_SETGID,
    STEP_SETUID,
    STEP_CHDIR,
    STEP_SIGNALS,
    STEP_EXEC,
    /* In the keeper, before the rest; they stand here because a table keeps these numbers. */
    STEP_NOTIFY,
    STEP_LIMIT_MEMORY, /* these three in the order of enum colony_cgroup_controller */
    STEP_LIMIT_CPU,
    STEP_LIMIT_PIDS,
    STEP_COUNT,
};

/* A payload, checked and with pointers to its strings. */
struct colony_spawn_plan {
    const struct colony_payload *payload; /* ours, or mapped and sealed: it cannot change */
    size_t payload_size;
    bool is_mapped;
    char **paths; /* NULL-terminated; one block with the two below */
    char **argv;
    char **env;
    const char *cwd; /* NULL: the keeper's */
};

enum {
    COLONY_RESERVED_NULL_FD = 3, /* /dev/null, among the numbers that are set aside */
    COLONY_STAGES_MAX = 4,       /* places where descriptors wait for their child to take them */
};

struct colony_spawn_result {
    pid_t pid;
    int pidfd;              /* -1: there is no process */
    int step;               /* where it failed, or STEP_EXEC */
    int error;              /* negative errno, 0 */
    bool is_late;           /* it took as long as it may: a SIGKILL then was the timer's */
    uint64_t began_boot_ns; /* CLOCK_BOOTTIME before the clone … */
    uint64_t born_boot_ns;  /* … and after it */
    int cgroup_error;       /* negative errno: it runs outside the cgroup that was asked for */
};

/*
 * Maps the sealed memfd @fd and checks all of it; takes nothing of @fd. -EBADMSG: it lies;
 * -EPERM: not sealed; -ENOMEM.
 */
int colony_spawn_plan_init(struct colony_spawn_plan *plan, int fd);
/* The same of a payload of @size bytes, which is copied. -EBADMSG, -ENOMEM. */
int colony_spawn_plan_copy(struct colony_spawn_plan *plan, const void *payload, size_t size);
void colony_spawn_plan_clear(struct colony_spawn_plan *plan);
/* True when its process is to have limits of its cgroup. */
bool colony_spawn_plan_has_limits(const struct colony_spawn_plan *plan);

/* "chdir", "setuid", … of an enum colony_spawn_step. */
const char *colony_spawn_step_name(int step);

/*
 * Sets the lowest descriptor numbers aside, with @stages of the places above, so that all the
 * keeper opens later lies above them: a child's table is cut off there. Call once at start.
 * Negative errno.
 */
int colony_spawn_reserve_fds(int stages);
int colony_spawn_stages(void);
/* From here on all descriptors are the keeper's, with so many @stages. */
int colony_spawn_first_fd(int stages);
/* Moves the descriptor *fd to @first or above (close-on-exec). Negative errno. */
int colony_spawn_lift_fd(int *fd, int first);

/* A child between its clone and its program: its stack, and the pipe that tells when it is there.
 */
struct colony_flight;

int colony_flight_new(struct colony_flight **out); /* negative errno */
void colony_flight_free(struct colony_flight *flight);
/* Hangs up (watch it edge-triggered) when the child runs its program or has ended. */
int colony_flight_fd(const struct colony_flight *flight);

/* What is to be spawned; it must stay until colony_spawn_end(). */
struct colony_spawn_task {
    const struct colony_spawn_plan *plan;
    const int *fds; /* COLONY_CHILD_FDS_MAX: as descriptor i; -1: closed */
    int stage;      /* where they wait for the child: 0 … colony_spawn_stages() - 1 */
    int cgroup_fd;  /* -1: none */
    pid_t *pid;     /* the kernel writes it before the child runs */
};

/*
 * Begins to spawn. Afterwards result->pidfd says whether there is a process; if not, result->error
 * why.
 */
void colony_spawn_begin(struct colony_flight *flight, const struct colony_spawn_task *task,
                        struct colony_spawn_result *result);
/* True once the child has taken its descriptors: then the stage may be another's. */
bool colony_spawn_has_taken_fds(const struct colony_flight *flight);
/* Lets go of what is staged: until then it stays open here, too. */
void colony_spawn_clear_stage(int stage, const int fds[COLONY_CHILD_FDS_MAX]);

/* Where the child is (enum colony_spawn_step). */
int colony_spawn_step_of(const struct colony_flight *flight);

enum colony_flight_state {
    FLIGHT_GOES_ON,
    FLIGHT_LANDED, /* it runs its program, or was killed on the way */
    FLIGHT_FAILED, /* it has ended, or is about to: its pidfd tells */
};

enum colony_flight_state colony_spawn_look(const struct colony_flight *flight);
/* The child is at its program or has ended: completes *result, and the flight can be used again. */
void colony_spawn_end(struct colony_flight *flight, struct colony_spawn_result *result);

#endif
