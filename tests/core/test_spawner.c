/* SPDX-License-Identifier: Apache-2.0 */
#include "spawned.h"

#include "core/spawner.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>

enum {
    JOBS = 200,
};

/* What a loop that runs jobs has. Its threads end with the process. */
struct loop {
    struct colony_spawner *spawner;
    int event_fd;
    void (*run)(struct loop *loop);
    atomic_int leads; /* how many threads have led so far */
};

static void lead(void *data)
{
    struct loop *loop = data;

    loop->leads++;
    loop->run(loop);
}

/* The first leader: runs @run on this thread, which then waits as the spawner tells. */
static void run_loop(void (*run)(struct loop *loop))
{
    static struct loop loop;

    loop.run = run;
    CHECK(colony_spawner_new(&loop.spawner, &loop.event_fd, lead, &loop) == 0);
    CHECK(colony_spawner_take_done(loop.spawner) == NULL);
    colony_spawner_lead(loop.spawner);
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
        job->passed[i] = job->fds[i] = -1;
    for (size_t i = 0; i < COLONY_STREAMS_MAX; i++)
        job->ends[i] = -1;
    job->fds[0] = job->fds[2] = COLONY_RESERVED_NULL_FD;
    job->fds[1] = output >= 0 ? output : COLONY_RESERVED_NULL_FD;
    job->passed[0] = output;
    return job;
}

static void end_process(const struct colony_spawn_job *job)
{
    CHECK(job->result.error == 0);
    CHECK(waitpid(job->result.pid, NULL, 0) == job->result.pid);
    (void)close(job->result.pidfd);
}

static void run_many(struct loop *loop)
{
    pid_t pid;

    for (uint32_t i = 0; i < JOBS; i++) {
        struct colony_spawn_job *job = new_job(i, ":", -1);

        pid = 0;
        job->pid = &pid;
        CHECK(colony_spawner_run(loop->spawner, job));
        CHECK(pid == job->result.pid);
        end_process(job);
        colony_spawn_job_free(job);
    }
    CHECK(colony_spawner_until_late(loop->spawner) == -1); /* nothing to come back for */
    CHECK(!colony_spawner_is_stuck(loop->spawner));
    CHECK(loop->leads == 1);
    exit(0);
}

FORKED_TEST(test_jobs_are_done_one_after_the_other)
{
    prepare_to_spawn();
    run_loop(run_many);
}

static void run_one_that_fails(struct loop *loop)
{
    struct colony_spawn_job *job = new_job(0, ":", -1);
    pid_t pids[2] = {0};

    job->plan.paths[0] = "/"; /* no program */
    job->pid = &pids[0];
    CHECK(colony_spawner_run(loop->spawner, job));
    CHECK(job->result.step == STEP_EXEC && job->result.error == -EACCES);
    CHECK(waitpid(job->result.pid, NULL, 0) == job->result.pid);
    job = new_job(1, ":", -1);
    job->pid = &pids[1];
    CHECK(colony_spawner_run(loop->spawner, job));
    end_process(job);
    exit(0);
}

FORKED_TEST(test_a_failed_job_does_not_stop_the_next)
{
    prepare_to_spawn();
    run_loop(run_one_that_fails);
}

static void run_one_that_writes(struct loop *loop)
{
    struct pollfd ready = {.events = POLLIN};
    struct colony_spawn_job *job;
    char byte;
    pid_t pid = 0;
    int ends[2];

    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    job = new_job(0, "echo x", ends[1]);
    job->pid = &pid;
    CHECK(colony_spawner_run(loop->spawner, job));
    end_process(job);
    colony_spawn_job_free(job); /* and with it our end */
    ready.fd = ends[0];
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(read(ends[0], &byte, 1) == 1 && byte == '\n');
    CHECK(poll(&ready, 1, DEADLINE_MS) == 1);
    CHECK(read(ends[0], &byte, 1) == 0);
    exit(0);
}

FORKED_TEST(test_what_was_given_to_a_process_does_not_stay_open_in_us)
{
    prepare_to_spawn();
    run_loop(run_one_that_writes);
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

static struct colony_spawn_job *stuck_job(uint32_t index, pid_t *pid)
{
    struct colony_spawn_job *job = new_job(index, ":", -1);

    job->plan.cwd = hung;
    job->pid = pid;
    return job;
}

static void hang_and_go_on(struct loop *loop)
{
    static pid_t pids[3];
    struct pollfd ready = {.fd = loop->event_fd, .events = POLLIN};
    struct colony_spawn_job *job;
    int number = loop->leads;

    if (number <= 2) { /* two leaders in turn */
        CHECK(!colony_spawner_run(loop->spawner, stuck_job((uint32_t)number, &pids[number - 1])));
        return;
    }
    CHECK(colony_spawner_is_stuck(loop->spawner));
    CHECK(colony_spawner_until_late(loop->spawner) > 0);
    job = new_job(3, ":", -1);
    job->pid = &pids[2];
    CHECK(colony_spawner_run(loop->spawner, job)); /* the others hold up nobody */
    end_process(job);
    for (int i = 0; i < 2; i++)
        CHECK(kill(pids[i], SIGKILL) == 0);
    for (int left = 2; left > 0;) {
        CHECK(poll(&ready, 1, DEADLINE_MS) == 1);
        for (job = colony_spawner_take_done(loop->spawner); job; job = job->next) {
            CHECK(job->index == 1 || job->index == 2);
            CHECK(job->result.step == STEP_CHDIR);
            CHECK(waitpid(job->result.pid, NULL, 0) == job->result.pid);
            left--;
        }
    }
    CHECK(!colony_spawner_is_stuck(loop->spawner));
    exit(0);
}

static void hang_in(void *folder)
{
    prepare_to_spawn();
    mount_hung(folder);
    run_loop(hang_and_go_on);
}

TEST(test_a_stuck_job_leaves_the_lead_to_another_thread)
{
    struct scratch scratch;

    scratch_init(&scratch);
    run_forked(hang_in, scratch.path);
    scratch_clear(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_are_done_one_after_the_other),
        cmocka_unit_test(test_a_failed_job_does_not_stop_the_next),
        cmocka_unit_test(test_what_was_given_to_a_process_does_not_stay_open_in_us),
        cmocka_unit_test(test_a_stuck_job_leaves_the_lead_to_another_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
