/* SPDX-License-Identifier: Apache-2.0 */
#include "spawned.h"

#include "core/spawner.h"

enum {
    JOBS = 200,
};

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

/* Waits until @count jobs are done; they come as one list. */
static struct colony_spawn_job *wait_for_jobs(struct colony_spawner *spawner, int event_fd,
                                              size_t count)
{
    struct pollfd ready = {.fd = event_fd, .events = POLLIN};
    struct colony_spawn_job *all = NULL;
    struct colony_spawn_job **end = &all;

    while (count > 0) {
        CHECK(poll(&ready, 1, DEADLINE_MS) == 1);
        *end = colony_spawner_take_done(spawner);
        for (; *end; end = &(*end)->next)
            count--;
    }
    CHECK(poll(&ready, 1, 0) == 0);
    return all;
}

static void end_process(const struct colony_spawn_job *job)
{
    CHECK(job->result.error == 0);
    CHECK(waitpid(job->result.pid, NULL, 0) == job->result.pid);
    (void)close(job->result.pidfd);
}

FORKED_TEST(test_jobs_come_back_done_and_in_order)
{
    static pid_t pids[JOBS];
    struct colony_spawn_job *jobs;
    struct colony_spawner *spawner;
    uint32_t expected = 0;
    int event_fd;

    prepare_to_spawn();
    CHECK(colony_spawner_new(&spawner, &event_fd) == 0);
    CHECK(colony_spawner_take_done(spawner) == NULL);
    for (uint32_t i = 0; i < JOBS; i++) {
        struct colony_spawn_job *job = new_job(i, ":", -1);

        job->pid = &pids[i];
        colony_spawner_submit(spawner, job);
    }
    jobs = wait_for_jobs(spawner, event_fd, JOBS);
    while (jobs) {
        struct colony_spawn_job *next = jobs->next;

        CHECK(jobs->index == expected++);
        CHECK(pids[jobs->index] == jobs->result.pid);
        end_process(jobs);
        colony_spawn_job_free(jobs);
        jobs = next;
    }
    CHECK(expected == JOBS);
    CHECK(colony_spawner_check(spawner) == -1); /* idle: nothing to come back for */
}

FORKED_TEST(test_a_failed_job_does_not_stop_the_next)
{
    struct colony_spawn_job *jobs;
    struct colony_spawner *spawner;
    pid_t pids[2] = {0};
    int event_fd;

    prepare_to_spawn();
    CHECK(colony_spawner_new(&spawner, &event_fd) == 0);
    jobs = new_job(0, ":", -1);
    jobs->plan.paths[0] = "/"; /* no program */
    jobs->pid = &pids[0];
    colony_spawner_submit(spawner, jobs);
    jobs = new_job(1, ":", -1);
    jobs->pid = &pids[1];
    colony_spawner_submit(spawner, jobs);
    jobs = wait_for_jobs(spawner, event_fd, 2);
    CHECK(jobs->result.step == STEP_EXEC && jobs->result.error == -EACCES);
    CHECK(waitpid(jobs->result.pid, NULL, 0) == jobs->result.pid);
    end_process(jobs->next);
}

FORKED_TEST(test_what_was_given_to_a_process_does_not_stay_open_in_us)
{
    struct pollfd ready = {.events = POLLIN};
    struct colony_spawn_job *job;
    struct colony_spawner *spawner;
    char byte;
    pid_t pid = 0;
    int event_fd;
    int ends[2];

    prepare_to_spawn();
    CHECK(colony_spawner_new(&spawner, &event_fd) == 0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    job = new_job(0, "echo x", ends[1]);
    job->pid = &pid;
    colony_spawner_submit(spawner, job);
    job = wait_for_jobs(spawner, event_fd, 1);
    end_process(job);
    colony_spawn_job_free(job); /* and with it our end */
    ready.fd = ends[0];
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'x');
    CHECK(read(ends[0], &byte, 1) == 1 && byte == '\n');
    CHECK(poll(&ready, 1, DEADLINE_MS) == 1);
    CHECK(read(ends[0], &byte, 1) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_come_back_done_and_in_order),
        cmocka_unit_test(test_a_failed_job_does_not_stop_the_next),
        cmocka_unit_test(test_what_was_given_to_a_process_does_not_stay_open_in_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
