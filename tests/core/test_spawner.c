/* SPDX-License-Identifier: Apache-2.0 */
#include "spawned.h"

#include "core/spawner.h"

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>

enum {
    JOBS = 400,
};

static const uint64_t of_spawner = 1ULL << 32;
static const uint64_t of_pidfd = 2ULL << 32;

/* What a loop that spawns has. */
struct loop {
    struct colony_spawner *spawner;
    int epoll_fd;
    struct colony_spawn_job *jobs[JOBS]; /* on their way, by their index */
    pid_t pids[JOBS];
    unsigned landed;
    unsigned crashed;
};

static struct loop *open_loop(void)
{
    static struct loop loop;

    loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(loop.epoll_fd >= 0);
    CHECK(colony_spawner_new(&loop.spawner, loop.epoll_fd, of_spawner) == 0);
    CHECK(colony_spawner_until_room(loop.spawner) == 0);
    CHECK(colony_spawner_until_late(loop.spawner) == -1);
    return &loop;
}

static struct colony_spawn_job *new_job(uint32_t index, const char *script, int output)
{
    struct colony_spawn_job *job = calloc(1, sizeof *job);
    struct made_payload made;
    int payload;

    made_init_shell(&made, script);
    payload = made_file(&made, ALL_SEALS);
    CHECK(job && colony_spawn_plan_init(&job->plan, payload) == 0);
    (void)close(payload);
    made_clear(&made);
    job->index = index;
    job->cgroup_fd = -1;
    for (size_t i = 0; i < COLONY_MESSAGE_FDS_MAX; i++)
        job->passed[i] = -1;
    for (size_t i = 0; i < COLONY_CHILD_FDS_MAX; i++)
        job->fds[i] = -1;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        job->ends[i] = -1;
    job->fds[0] = job->fds[2] = COLONY_RESERVED_NULL_FD;
    job->fds[1] = output >= 0 ? output : COLONY_RESERVED_NULL_FD;
    job->passed[0] = output;
    return job;
}

/* There must be room. */
static void begin(struct loop *loop, struct colony_spawn_job *job)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = of_pidfd | job->index};

    job->pid = &loop->pids[job->index];
    loop->jobs[job->index] = job;
    colony_spawner_begin(loop->spawner, job);
    CHECK(job->result.pidfd >= 0 && *job->pid == job->result.pid);
    CHECK(epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, job->result.pidfd, &event) == 0);
}

/* It is at its program, or has ended without. */
static void finish(struct loop *loop, struct colony_spawn_job *job)
{
    loop->jobs[job->index] = NULL;
    colony_spawner_finish(loop->spawner, job);
    if (job->result.error == 0 && job->result.step == STEP_EXEC)
        loop->landed++;
    else
        loop->crashed++;
    CHECK(waitpid(job->result.pid, NULL, 0) == job->result.pid);
    (void)close(job->result.pidfd);
    colony_spawn_job_free(job);
}

/* One turn; false: nothing has happened within @wait_ms. */
static bool turn(struct loop *loop, int wait_ms)
{
    struct epoll_event events[16];
    int count = epoll_wait(loop->epoll_fd, events, 16, wait_ms);

    for (int i = 0; i < count; i++) {
        uint32_t number = (uint32_t)events[i].data.u64;
        struct colony_spawn_job *job = events[i].data.u64 & of_spawner
                                           ? colony_spawner_take_landed(loop->spawner, number)
                                           : loop->jobs[number];

        if (job)
            finish(loop, job);
    }
    return count > 0;
}

static void run_until(struct loop *loop, unsigned landed, unsigned crashed)
{
    while (loop->landed < landed || loop->crashed < crashed)
        CHECK(turn(loop, DEADLINE_MS));
    CHECK(loop->landed == landed && loop->crashed == crashed);
}

static void wait_for_room(struct loop *loop)
{
    int wait_ms;

    while ((wait_ms = colony_spawner_until_room(loop->spawner)) != 0)
        (void)turn(loop, wait_ms);
}

FORKED_TEST(test_one_that_has_landed_is_not_late_however_long_nobody_looked)
{
    struct loop *loop;
    struct colony_spawn_job *job;
    struct pollfd ended = {.events = POLLIN};

    prepare_to_spawn();
    loop = open_loop();
    job = new_job(0, ":", -1);
    begin(loop, job);
    ended.fd = job->result.pidfd;
    CHECK(poll(&ended, 1, DEADLINE_MS) == 1);
    job->since_ms = 0; /* as for who was stopped since */
    CHECK(colony_spawner_until_late(loop->spawner) == 0);
    CHECK(!colony_spawner_next_late(loop->spawner));
    run_until(loop, 1, 0);
    CHECK(colony_spawner_until_late(loop->spawner) == -1);
}

FORKED_TEST(test_many_are_on_their_way_at_once)
{
    struct loop *loop;
    unsigned before;

    prepare_to_spawn();
    loop = open_loop();
    before = count_fds();
    for (uint32_t i = 0; i < JOBS; i++) {
        wait_for_room(loop);
        begin(loop, new_job(i, ":", -1));
    }
    run_until(loop, JOBS, 0);
    CHECK(colony_spawner_until_late(loop->spawner) == -1); /* nothing to come back for */
    colony_spawner_free(loop->spawner);
    CHECK(count_fds() == before);
}

FORKED_TEST(test_a_failed_job_does_not_stop_the_next)
{
    struct colony_spawn_job *job = NULL;
    struct loop *loop;

    prepare_to_spawn();
    loop = open_loop();
    job = new_job(0, ":", -1);
    job->plan.paths[0] = "/"; /* no program */
    begin(loop, job);
    begin(loop, new_job(1, ":", -1));
    run_until(loop, 1, 1);
}

FORKED_TEST(test_what_was_given_to_a_process_does_not_stay_open_in_us)
{
    struct pollfd ready = {.events = POLLIN};
    struct loop *loop;
    char byte;
    int ends[2];

    prepare_to_spawn();
    loop = open_loop();
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    begin(loop, new_job(0, "echo x", ends[1]));
    run_until(loop, 1, 0); /* and with the job goes our end */
    ready.fd = ends[0];
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(read(ends[0], &byte, 1) == 1 && byte == '\n');
    CHECK(poll(&ready, 1, DEADLINE_MS) == 1);
    CHECK(read(ends[0], &byte, 1) == 0);
}

static char hung[PATH_MAX]; /* nobody serves what is mounted there */

static void mount_hung(const char *folder)
{
    char options[128];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

    (void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (fd < 0 || geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("hung", folder, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
        skip_in_child("needs root and /dev/fuse, to make a folder that hangs");
    (void)snprintf(hung, sizeof hung, "%s/cwd", folder);
}

static void begin_hung(struct loop *loop, uint32_t index)
{
    struct colony_spawn_job *job = new_job(index, ":", -1);

    job->plan.cwd = hung;
    wait_for_room(loop);
    begin(loop, job);
}

static void hang_some(void *folder)
{
    struct loop *loop;

    prepare_to_spawn();
    mount_hung(folder);
    loop = open_loop();
    for (uint32_t i = 0; i < 2 * COLONY_STAGES_MAX; i++)
        begin_hung(loop, i);
    CHECK(colony_spawner_until_late(loop->spawner) > 0);
    wait_for_room(loop);
    begin(loop, new_job(JOBS - 1, ":", -1)); /* the others hold it up nowhere */
    run_until(loop, 1, 0);
    for (uint32_t i = 0; i < 2 * COLONY_STAGES_MAX; i++)
        CHECK(kill(loop->pids[i], SIGKILL) == 0);
    run_until(loop, 1, 2 * COLONY_STAGES_MAX);
    CHECK(colony_spawner_until_late(loop->spawner) == -1);
}

/* As many as there can be: the next one waits until they are gone. */
static void hang_all(void *folder)
{
    struct loop *loop;

    prepare_to_spawn();
    mount_hung(folder);
    loop = open_loop();
    for (uint32_t i = 0; i < SPAWNER_FLIGHTS_MAX; i++)
        begin_hung(loop, i);
    CHECK(colony_spawner_until_room(loop->spawner) == -1);
    for (uint32_t i = 0; i < SPAWNER_FLIGHTS_MAX; i++)
        CHECK(kill(loop->pids[i], SIGKILL) == 0);
    run_until(loop, 0, SPAWNER_FLIGHTS_MAX);
    CHECK(colony_spawner_until_room(loop->spawner) == 0);
    begin(loop, new_job(0, ":", -1));
    run_until(loop, 1, SPAWNER_FLIGHTS_MAX);
}

static void run_in_scratch(void (*body)(void *path))
{
    struct scratch scratch;

    scratch_init(&scratch);
    run_forked(body, scratch.path);
    scratch_clear(&scratch);
}

TEST(test_those_that_hang_hold_up_nobody)
{
    run_in_scratch(hang_some);
}

TEST(test_there_is_a_limit_to_those_that_hang)
{
    run_in_scratch(hang_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_are_on_their_way_at_once),
        cmocka_unit_test(test_one_that_has_landed_is_not_late_however_long_nobody_looked),
        cmocka_unit_test(test_a_failed_job_does_not_stop_the_next),
        cmocka_unit_test(test_what_was_given_to_a_process_does_not_stay_open_in_us),
        cmocka_unit_test(test_those_that_hang_hold_up_nobody),
        cmocka_unit_test(test_there_is_a_limit_to_those_that_hang),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
