/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawned.h - spawns a hand-made payload and reads what it says to its end.
 *
 * For forked children (CHECK): descriptors are set aside once a process, and tests of spawning
 * change rights, limits and signals.
 */
#ifndef COLONY_TESTS_SPAWNED_H
#define COLONY_TESTS_SPAWNED_H

#include "made_payload.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/resource.h>

#include "core/spawn.h"

enum {
    OUTPUT_MAX = 8 << 20,
};

struct spawned {
    struct colony_spawn_result result;
    pid_t pid;       /* as the kernel wrote it */
    int wait_status; /* when it ran */
    char *output;    /* of descriptors 1 and 2 */
    size_t size;
    int extra_fd;      /* given to it as descriptor 5; -1 */
    int cgroup_fd;     /* -1 */
    bool has_no_stdin; /* descriptor 0 is closed */
};

static inline struct spawned spawned_none(void)
{
    return (struct spawned){.extra_fd = -1, .cgroup_fd = -1};
}

/* Also those that libc keeps to itself; the action is the kernel's struct sigaction. */
static inline void reset_signals(void)
{
    const unsigned long default_action[8] = {0};

    for (int signo = 1; signo < NSIG; signo++)
        (void)syscall(SYS_rt_sigaction, signo, default_action, NULL, sizeof(uint64_t));
}

/* What a process must be before it can spawn. */
static inline void prepare_to_spawn(void)
{
    (void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
    reset_signals();
    CHECK(colony_spawn_reserve_fds(COLONY_STAGES_MAX) == 0);
}

static inline void read_to_end(struct spawned *spawned, int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    ssize_t count = 1;

    spawned->output = realloc(spawned->output, OUTPUT_MAX);
    spawned->size = 0;
    while (count > 0 && spawned->size < OUTPUT_MAX - 1) {
        CHECK(poll(&ready, 1, DEADLINE_MS) == 1);
        count = read(fd, spawned->output + spawned->size, OUTPUT_MAX - 1 - spawned->size);
        spawned->size += count > 0 ? (size_t)count : 0;
    }
    spawned->output[spawned->size] = '\0';
}

static inline void wait_for_spawned(struct spawned *spawned)
{
    struct pollfd ended = {.fd = spawned->result.pidfd, .events = POLLIN};

    if (spawned->result.pidfd < 0)
        return;
    CHECK(poll(&ended, 1, DEADLINE_MS) == 1);
    CHECK(waitpid(spawned->result.pid, &spawned->wait_status, 0) == spawned->result.pid);
    (void)close(spawned->result.pidfd);
}

/* Spawns and waits until the child is at its program, or has ended without. */
static inline void spawn_and_land(const struct colony_spawn_plan *plan, const int *fds,
                                  struct spawned *spawned)
{
    static struct colony_flight *flight;
    struct pollfd ended = {.events = POLLIN};

    CHECK(flight || colony_flight_new(&flight) == 0);
    spawned->pid = 0;
    colony_spawn_begin(flight,
                       &(struct colony_spawn_task){plan, fds, 0, spawned->cgroup_fd, &spawned->pid},
                       &spawned->result);
    ended.fd = spawned->result.pidfd;
    if (ended.fd >= 0) {
        while (colony_spawn_look(flight) != FLIGHT_LANDED && poll(&ended, 1, 1) == 0)
            continue;
        colony_spawn_end(flight, &spawned->result);
    }
    colony_spawn_clear_stage(0, fds);
}

/* Spawns @made and takes all it says; @made is cleared. */
static inline void spawn_made(struct spawned *spawned, struct made_payload *made)
{
    int fds[COLONY_CHILD_FDS_MAX] = {3, -1, -1, -1, -1, -1, -1, -1};
    struct colony_spawn_plan plan;
    int payload = made_file(made, ALL_SEALS);
    int ends[2];

    CHECK(payload >= 0);
    CHECK(colony_spawn_plan_init(&plan, payload) == 0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    fds[0] = spawned->has_no_stdin ? -1 : fds[0];
    fds[1] = fds[2] = ends[1];
    fds[5] = spawned->extra_fd;
    spawn_and_land(&plan, fds, spawned);
    (void)close(ends[1]);
    read_to_end(spawned, ends[0]);
    wait_for_spawned(spawned);
    (void)close(ends[0]);
    (void)close(payload);
    colony_spawn_plan_clear(&plan);
    made_clear(made);
}

/* What a shell script says. */
static inline const char *spawn_shell(struct spawned *spawned, const char *script)
{
    struct made_payload made;

    made_init_shell(&made, script);
    spawn_made(spawned, &made);
    CHECK(spawned->result.error == 0);
    return spawned->output;
}

#define CHECK_FAILED(spawned, failed_step, code)                                                   \
    do {                                                                                           \
        if ((spawned).result.step != (failed_step) || (spawned).result.error != (code))            \
            (void)fprintf(stderr, "failed at %s: %s\n",                                            \
                          colony_spawn_step_name((spawned).result.step),                           \
                          strerror(-(spawned).result.error));                                      \
        CHECK((spawned).result.step == (failed_step) && (spawned).result.error == (code));         \
    } while (0)

/* From here on the kernel answers -@error to clone3(2) and close_range(2), as an old one does. */
static inline void forbid_new_calls(int error)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        skip_in_child("no seccomp filter here");
    CHECK(syscall(SYS_clone3, NULL, 0) < 0 && errno == error);
}

#endif
