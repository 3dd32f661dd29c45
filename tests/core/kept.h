/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept.h - a real keeper whose engine is the test.
 *
 * The keeper starts /proc/self/exe as its engine; the test's own program in that role hands its
 * end of the link to the test and waits. So a test is both sides: it says what an engine would,
 * and when it ends its engine, the keeper starts the next, which the test gets hold of again.
 */
#ifndef COLONY_TESTS_KEPT_H
#define COLONY_TESTS_KEPT_H

#include "spawned.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/keeper.h"
#include "core/keeper_options.h"
#include "core/log.h"
#include "core/message.h"
#include "core/notes.h"
#include "core/spawn.h"
#include "core/sweep.h"

enum {
    CHILDREN_MAX = 4096,
};

struct kept {
    struct scratch scratch;
    struct colony_keeper_options *options; /* to be changed before kept_start */
    rlim_t nofile;                         /* of the keeper; 0: as it is */
    bool is_old_kernel;                    /* the keeper's has no clone3(2) */
    int log;                               /* gets the keeper's warnings; -1: it tells errors */
    int listener;                          /* where engines report */
    pid_t keeper;
    int control; /* to the engine's process */
    int link;    /* the engine's end */
    pid_t engine;
    struct colony_table table;
    struct colony_notes notes;
    struct colony_hello hello;
    uint32_t records; /* told in the last hello */
    uint32_t pauses;  /* and how often it waited for CONTINUE */
    int held_fd;      /* the last HELD; -1 */
    char held_name[COLONY_SOCKET_NAME_SIZE];
};

/* What came of one message. */
struct told {
    struct colony_message message;
    int fds[COLONY_MESSAGE_FDS_MAX];
    size_t fd_count;
};

/* The other roles of the test's program. */

static inline int be_engine(const struct colony_keeper_options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct colony_message message = {.version = 1, .type = MESSAGE_READY};
    int control = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    char byte;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.80s/test", options->state_dir);
    if (connect(control, (const struct sockaddr *)&address, sizeof address) < 0 ||
        colony_message_send(control, &message, &options->link_fd, 1) < 0)
        return 1;
    (void)close(options->link_fd); /* the test alone has it */
    return read(control, &byte, 1) < 0;
}

/* For main, when it is started with arguments: by the keeper. */
static inline int kept_role(int argc, char **argv)
{
    static struct colony_keeper_options options;

    if (colony_keeper_options_parse(&options, argc - 1, argv + 1, NULL) < 0)
        return 2;
    colony_log_init(argv[1], SEVERITY_ERROR, LOG_STYLE_TEXT);
    return strcmp(argv[1], "engine") == 0 ? be_engine(&options) : colony_keeper_run(&options);
}

/* The keeper. */

static inline void kept_init(struct kept *kept)
{
    static struct colony_keeper_options options;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memset(kept, 0, sizeof *kept);
    scratch_init(&kept->scratch);
    assert_int_equal(chmod(kept->scratch.path, 0711), 0);
    kept->control = kept->link = kept->held_fd = kept->table.fd = kept->log = -1;
    kept->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/test", kept->scratch.path);
    assert_int_equal(bind(kept->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(chmod(address.sun_path, 0777), 0);
    assert_int_equal(listen(kept->listener, 8), 0);
    kept->options = &options;
    colony_keeper_options_init(kept->options);
    (void)snprintf(options.state_dir, sizeof options.state_dir, "%s", kept->scratch.path);
    assert_true(readlink("/proc/self/exe", options.program, sizeof options.program - 1) > 0);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* whatever is left of it is ours to end */
}

static inline void run_keeper(const struct kept *kept)
{
    struct rlimit limit = {kept->nofile, kept->nofile};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
    if (kept->log >= 0)
        (void)dup2(kept->log, STDERR_FILENO);
    colony_log_init("keeper", kept->log >= 0 ? SEVERITY_WARNING : SEVERITY_ERROR, LOG_STYLE_TEXT);
    if (kept->is_old_kernel)
        forbid_new_calls(ENOSYS);
    kept->options->lock_fd = openat(kept->scratch.fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (kept->nofile > 0 && setrlimit(RLIMIT_NOFILE, &limit) < 0)
        _exit(99);
    _exit(colony_keeper_run(kept->options));
}

/* Starts a keeper on the folder; a second time: another one, over the table of the first. */
static inline void kept_start(struct kept *kept)
{
    (void)fflush(NULL);
    kept->keeper = fork();
    assert_true(kept->keeper >= 0);
    if (kept->keeper == 0)
        run_keeper(kept);
}

static inline void await(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (poll(&ready, 1, DEADLINE_MS) != 1)
        fail_msg("nothing came in time");
}

static inline struct told hear(struct kept *kept)
{
    struct told told;

    await(kept->link);
    assert_int_equal(colony_message_receive(kept->link, &told.message, told.fds, &told.fd_count),
                     0);
    return told;
}

static inline void close_told(struct told *told)
{
    for (size_t i = 0; i < told->fd_count; i++)
        (void)close(told->fds[i]);
}

/* The next message, which must be of @type. Strays may be told at any time. */
static inline struct told expect(struct kept *kept, enum colony_message_type type)
{
    struct told told = hear(kept);

    while (told.message.type == MESSAGE_STRAY && type != MESSAGE_STRAY)
        told = hear(kept);
    if (told.message.type != type)
        fail_msg("message %u instead of %u", told.message.type, type);
    return told;
}

/* Nothing more is on its way: all that was caused before a known answer has been heard. */
static inline bool is_quiet(struct kept *kept)
{
    struct pollfd ready = {.fd = kept->link, .events = POLLIN};

    return poll(&ready, 1, 0) == 0;
}

static inline void say(struct kept *kept, struct colony_message *message, const int *fds,
                       size_t count)
{
    struct pollfd ready = {.fd = kept->link, .events = POLLOUT};
    int rc;

    message->version = COLONY_PROTOCOL_VERSION;
    while ((rc = colony_message_send(kept->link, message, fds, count)) == -EAGAIN)
        assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
    assert_int_equal(rc, 0);
}

static inline void say_simple(struct kept *kept, enum colony_message_type type, int32_t value)
{
    struct colony_message message = {.type = (uint16_t)type, .value = value};

    say(kept, &message, NULL, 0);
}

/* An order about the record @index, by its own id. */
static inline struct colony_message about(const struct kept *kept, enum colony_message_type type,
                                          uint32_t index)
{
    return (struct colony_message){
        .type = (uint16_t)type, .index = index, .id = kept->table.records[index].id};
}

/* Gets hold of the engine that the keeper has started. */
static inline void meet_engine(struct kept *kept)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    struct told told;

    await(kept->listener);
    kept->control = accept4(kept->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(kept->control >= 0);
    await(kept->control);
    assert_int_equal(colony_message_receive(kept->control, &told.message, told.fds, &told.fd_count),
                     0);
    assert_int_equal(told.fd_count, 1);
    kept->link = told.fds[0];
    assert_int_equal(getsockopt(kept->control, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
    kept->engine = peer.pid;
}

static inline void close_fd_of(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static inline void leave_engine(struct kept *kept)
{
    close_fd_of(&kept->link);
    close_fd_of(&kept->control);
    close_fd_of(&kept->held_fd);
    if (kept->table.header)
        colony_table_close(&kept->table);
    colony_notes_clear(&kept->notes);
}

static inline void kill_engine(struct kept *kept)
{
    int pidfd = pidfd_of(kept->engine);

    assert_true(pidfd >= 0);
    assert_int_equal(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), 0);
    (void)close(pidfd);
    leave_engine(kept);
}

/* Hears the hello of a new engine up to WELCOME; @on_record is called for each RECORD. */
static inline void hear_hello(struct kept *kept, void (*on_record)(struct told *told, void *data),
                              void *data)
{
    struct told told = expect(kept, MESSAGE_HELLO);

    kept->hello = told.message.u.hello;
    kept->records = kept->pauses = 0;
    assert_int_equal(told.fd_count, 2);
    assert_int_equal(colony_notes_map(&kept->notes, told.fds[1], NULL), 0);
    assert_int_equal(colony_table_map(&kept->table, told.fds[0], NULL), 0);
    for (told = hear(kept); told.message.type != MESSAGE_WELCOME; told = hear(kept)) {
        if (told.message.type == MESSAGE_MORE) {
            kept->pauses++;
            say_simple(kept, MESSAGE_CONTINUE, 0);
        } else if (told.message.type == MESSAGE_HELD) {
            assert_int_equal(told.fd_count, 1);
            close_fd_of(&kept->held_fd);
            kept->held_fd = told.fds[0];
            memcpy(kept->held_name, told.message.u.name, sizeof kept->held_name);
        } else {
            assert_int_equal(told.message.type, MESSAGE_RECORD);
            kept->records++;
            if (on_record)
                on_record(&told, data);
            close_told(&told);
        }
    }
    say_simple(kept, MESSAGE_READY, 0);
}

/* A keeper with its engine, that knows of nothing yet. */
static inline void kept_begin(struct kept *kept)
{
    kept_start(kept);
    meet_engine(kept);
    hear_hello(kept, NULL, NULL);
}

static inline void next_engine(struct kept *kept)
{
    kill_engine(kept);
    meet_engine(kept);
    hear_hello(kept, NULL, NULL);
}

/* Waits for the keeper to end; its exit code. */
static inline int keeper_code(struct kept *kept)
{
    int status = wait_for_child(kept->keeper);

    kept->keeper = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline int remove_cgroup(const char *path, const struct stat *info, int kind,
                                struct FTW *where)
{
    (void)info, (void)where;
    if (kind == FTW_DP)
        (void)rmdir(path);
    return 0;
}

/* Ends the keeper, if it still runs, and all that it has started. */
static inline void kept_clear(struct kept *kept)
{
    static pid_t left[CHILDREN_MAX];
    char cgroup[4096] = "";
    size_t count;
    int fd;

    leave_engine(kept);
    if (kept->keeper > 0) {
        (void)kill(kept->keeper, SIGKILL);
        (void)waitpid(kept->keeper, NULL, 0);
    }
    while ((count = colony_proc_children(getpid(), left, CHILDREN_MAX)) > 0)
        for (size_t i = 0; i < count; i++) {
            (void)kill(left[i], SIGKILL);
            (void)waitpid(left[i], NULL, 0);
        }
    fd = openat(kept->scratch.fd, "cgroup", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, cgroup, sizeof cgroup - 1) > 0)
        (void)nftw(cgroup, remove_cgroup, 8, FTW_DEPTH | FTW_PHYS);
    close_fd_of(&fd);
    close_fd_of(&kept->listener);
    scratch_clear(&kept->scratch);
}

/* Processes. */

static inline struct colony_message spawn_order(const char *name, uint32_t slot)
{
    struct colony_message message = {.type = MESSAGE_SPAWN};

    (void)snprintf(message.u.spawn.name, sizeof message.u.spawn.name, "%s", name);
    message.u.spawn.slot = slot;
    message.u.spawn.plan[0] = FD_NULL;
    message.u.spawn.plan[1] = message.u.spawn.plan[2] = FD_STREAM;
    message.u.spawn.stream_kind[0] = STREAM_OUTPUT;
    return message;
}

/* Orders a process of @made, which is cleared. */
static inline void order_spawn(struct kept *kept, struct colony_message *order,
                               struct made_payload *made)
{
    int payload = made_file(made, ALL_SEALS);

    assert_true(payload >= 0);
    say(kept, order, &payload, 1);
    (void)close(payload);
    made_clear(made);
}

/* web.1 running @script; its record, and in *output its pipe. */
static inline struct told spawn_script(struct kept *kept, const char *script, int *output)
{
    struct colony_message order = spawn_order("web", 1);
    struct made_payload made;
    struct told told;

    made_init_shell(&made, script);
    order_spawn(kept, &order, &made);
    told = expect(kept, MESSAGE_SPAWNED);
    assert_int_equal(told.fd_count, 1);
    assert_int_equal(told.message.flags, 1);
    if (output)
        *output = told.fds[0];
    else
        (void)close(told.fds[0]);
    return told;
}

/* Reads @wanted and no more from a pipe that does not block. */
static inline void expect_output(int fd, const char *wanted)
{
    char text[256] = "";
    size_t size = 0;

    while (size < strlen(wanted)) {
        ssize_t count;

        await(fd);
        count = read(fd, text + size, sizeof text - 1 - size);
        assert_true(count > 0);
        size += (size_t)count;
    }
    assert_string_equal(text, wanted);
}

static inline unsigned count_keeper_fds(const struct kept *kept)
{
    char path[64];
    unsigned count = 0;
    DIR *folder;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)kept->keeper);
    folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    (void)closedir(folder);
    return count;
}

#endif
