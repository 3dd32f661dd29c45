/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.h - a keeper in a folder of its own, for one input: its loop is the target.
 *
 * It can do all but run a program or signal a process: an input can order what it likes, also to
 * take a process of somebody else's.
 * Nothing of it may be left when it is cleared.
 */
#ifndef COLONY_TESTS_FUZZ_KEEPER_H
#define COLONY_TESTS_FUZZ_KEEPER_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "core/error.h"
#include "core/keeper_internal.h"

#include "fuzz.h"

enum {
    FUZZ_RECORDS = 12,
    FUZZ_CAPACITY = 8,
    FUZZ_FDS_MAX = 256, /* more than it ever has */
    FUZZ_SPAWN_MS = 20000,
};

struct fuzz_keeper {
    struct keeper keeper;
    struct colony_keeper_options options;
    char folder[512];
    int engine;   /* its end of the link; -1: closed */
    unsigned fds; /* open before */
};

static inline unsigned fuzz_count_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < FUZZ_FDS_MAX; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static inline void fuzz_check_fds(unsigned expected)
{
    char path[32];
    char what[256];

    for (int fd = 0; fd < FUZZ_FDS_MAX && fuzz_count_fds() != expected; fd++) {
        ssize_t length;

        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        length = readlink(path, what, sizeof what);
        if (length > 0)
            (void)dprintf(fuzz_stderr, "open: %d %.*s\n", fd, (int)length, what);
    }
    CHECK(fuzz_count_fds() == expected);
}

static inline int fuzz_remove_one(const char *path, const struct stat *info, int kind,
                                  struct FTW *where)
{
    (void)info, (void)kind;
    return where->level > 0 ? remove(path) : 0;
}

static inline void fuzz_empty(const char *folder)
{
    CHECK(nftw(folder, fuzz_remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0);
}

/* Nothing that is spawned from now on runs, and no signal but 0 is sent: it only seems to be. */
static inline void fuzz_forbid_programs(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execveat, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 0),
    };
    struct sock_fprog filter = {sizeof steps / sizeof steps[0], steps};

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
    CHECK(execl("/", "/", (char *)NULL) < 0 && errno == EACCES);
}

/* Once a process. */
static inline void fuzz_prepare_to_spawn(void)
{
    static bool is_prepared;

    if (is_prepared)
        return;
    CHECK(colony_spawn_reserve_fds(COLONY_STAGES_MAX) == 0);
    fuzz_forbid_programs();
    is_prepared = true;
}

static inline void fuzz_make_folder(struct fuzz_keeper *fixture)
{
    const char *parent = getenv("TMPDIR");

    if (fixture->folder[0] != '\0')
        return;
    (void)snprintf(fixture->folder, sizeof fixture->folder, "%.400s/colony-fuzz-XXXXXX",
                   parent ? parent : "/tmp");
    CHECK(mkdtemp(fixture->folder));
}

/* All but the table and what stands in it. */
static inline struct fuzz_keeper *fuzz_keeper_begin(void)
{
    static struct fuzz_keeper fixture; /* too large for the stack */
    struct keeper *keeper = &fixture.keeper;

    fuzz_make_folder(&fixture);
    memset(keeper, 0, sizeof *keeper);
    fuzz_prepare_to_spawn();
    fixture.fds = fuzz_count_fds();
    fixture.engine = -1;
    colony_keeper_options_init(&fixture.options);
    (void)snprintf(fixture.options.state_dir, sizeof fixture.options.state_dir, "%s",
                   fixture.folder);
    (void)snprintf(fixture.options.program, sizeof fixture.options.program, "/nonexistent/colony");
    keeper->options = &fixture.options;
    keeper->link_fd = keeper->engine_pidfd = keeper->notify_fd = keeper->cgroups.base_fd = -1;
    keeper->signal_fd = keeper->children_fd = keeper->notes_fd = -1;
    keeper->manager.fd = keeper->scopes_fd = -1;
    keeper->jobs_end = &keeper->jobs;
    keeper->queue_head = keeper->queue_tail = NO_INDEX;
    keeper->capacity = FUZZ_CAPACITY;
    memset(keeper->pid_buckets, 0xff, sizeof keeper->pid_buckets);
    CHECK(colony_boot_read(&keeper->boot, NULL) == 0);
    keeper->state_fd = open(fixture.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    keeper->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(keeper->state_fd >= 0 && keeper->epoll_fd >= 0);
    CHECK(colony_spawner_new(&keeper->spawner, keeper->epoll_fd, (uint64_t)SOURCE_SPAWNER << 32) ==
          0);
    return &fixture;
}

static inline uint32_t fuzz_keeper_open(struct fuzz_keeper *fixture)
{
    struct keeper *keeper = &fixture->keeper;
    struct colony_error err = {0};
    uint32_t damaged;

    if (colony_table_open(&keeper->table, keeper->state_fd, FUZZ_RECORDS, &damaged, &err) < 0)
        fuzz_fail(__FILE__, __LINE__, err.message);
    keeper->processes = calloc(keeper->table.header->capacity, sizeof *keeper->processes);
    CHECK(keeper->processes);
    return damaged;
}

static inline void fuzz_keeper_connect(struct fuzz_keeper *fixture)
{
    struct keeper *keeper = &fixture->keeper;
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    keeper->link_fd = ends[0];
    fixture->engine = ends[1];
    CHECK(keeper_watch(keeper, ends[0], SOURCE_LINK, 0) == 0);
    keeper_flush(keeper);
}

/* What must be so whenever the keeper has nothing to do. */
static inline void fuzz_keeper_check(const struct keeper *keeper)
{
    const struct colony_table *table = &keeper->table;
    uint32_t used = 0;
    uint32_t living = 0;
    uint32_t queued = 0;

    CHECK(table->header->high_water <= table->header->capacity);
    for (uint32_t i = 0; i < table->header->high_water; i++) {
        const struct colony_record *record = &table->records[i];
        enum colony_record_state state = colony_record_state(record);

        CHECK(state <= RECORD_FAILED);
        queued += keeper->processes[i].is_queued;
        if (state == RECORD_FREE) {
            for (size_t j = 0; j < COLONY_STREAMS_MAX; j++)
                CHECK(keeper_stream(keeper, i, j) < 0);
            CHECK(keeper->processes[i].pidfd < 0);
            continue;
        }
        used++;
        living += state == RECORD_CLAIMED || state == RECORD_ALIVE;
        CHECK(colony_record_is_sound(record) && record->id < table->header->next_id);
        CHECK(state != RECORD_ALIVE || keeper->processes[i].pidfd >= 0);
    }
    CHECK(used == table->used && living == keeper->living);
    for (int32_t i = keeper->queue_head; i != NO_INDEX; i = keeper->processes[i].next_queued)
        CHECK(keeper->processes[i].is_queued && queued-- > 0);
    CHECK(queued == 0);
}

static inline bool fuzz_keeper_is_spawning(const struct keeper *keeper)
{
    for (uint32_t i = 0; i < keeper->table.header->high_water; i++)
        if (colony_record_state(&keeper->table.records[i]) == RECORD_CLAIMED)
            return true;
    return false;
}

/* What the keeper's loop does about children on their way. */
static inline void fuzz_keeper_on_event(struct keeper *keeper, const struct epoll_event *event)
{
    uint32_t index = (uint32_t)event->data.u64;

    if (event->data.u64 >> 32 == SOURCE_SPAWNER)
        keeper_on_landed(keeper, index);
    else if (event->data.u64 >> 32 == SOURCE_PROCESS)
        keeper_reap(keeper, index);
}

/* Turns the keeper's loop until nothing is under way. */
static inline void fuzz_keeper_settle(struct keeper *keeper)
{
    struct epoll_event event;

    while (fuzz_keeper_is_spawning(keeper)) {
        int wait_ms = keeper_until_job(keeper);
        int count = epoll_wait(keeper->epoll_fd, &event, 1, wait_ms < 0 ? FUZZ_SPAWN_MS : wait_ms);

        CHECK(count >= 0 || errno == EINTR); /* libFuzzer's clock ticks */
        CHECK(count != 0 || wait_ms >= 0);
        if (count == 1)
            fuzz_keeper_on_event(keeper, &event);
        keeper_begin_job(keeper);
    }
    keeper_flush(keeper);
    fuzz_keeper_check(keeper);
}

static inline void fuzz_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Lets go of everything; no descriptor may be left. */
static inline void fuzz_keeper_end(struct fuzz_keeper *fixture)
{
    struct keeper *keeper = &fixture->keeper;

    for (uint32_t i = 0; i < keeper->table.header->high_water; i++) {
        if (colony_record_state(&keeper->table.records[i]) == RECORD_FREE)
            continue;
        fuzz_close(&keeper->processes[i].pidfd);
        keeper_forget(keeper, i);
    }
    for (size_t i = 0; i < fixture->options.socket_count; i++)
        fuzz_close(&fixture->options.sockets[i].fd);
    fuzz_close(&fixture->engine);
    fuzz_close(&keeper->link_fd);
    fuzz_close(&keeper->notify_fd);
    colony_spawner_free(keeper->spawner);
    fuzz_close(&keeper->epoll_fd);
    fuzz_close(&keeper->state_fd);
    CHECK(keeper->custom_fds == 0);
    free(keeper->custom);
    free(keeper->processes);
    colony_table_close(&keeper->table);
    fuzz_check_fds(fixture->fds);
    fuzz_empty(fixture->folder);
}

#endif
