/* SPDX-License-Identifier: Apache-2.0 */
#include "session/job_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/table.h"
#include "session/held_internal.h"
#include "session/workspace.h"

enum {
    LOCK_MS = 10000, /* for a command to be done with the workspace */
};

int session_job_new(struct session_job **out, const char *dir, struct colony_error *err)
{
    struct session_job *job = calloc(1, sizeof *job);

    if (job)
        job->dir = strdup(dir);
    if (!job || !job->dir) {
        free(job);
        return colony_fail_os(err, -ENOMEM, "cannot keep the session %s", dir);
    }
    job->work.data = job;
    (void)colony_session_boot_id(job->boot); /* "": nothing is known of a number after a reboot */
    *out = job;
    return 0;
}

void session_job_clear_lives(struct session_job *job)
{
    for (size_t i = 0; i < job->life_count; i++) {
        free(job->lives[i].name);
        free(job->lives[i].state);
    }
    free(job->lives);
    job->lives = NULL;
    job->life_count = 0;
}

void session_job_free(struct session_job *job)
{
    if (!job)
        return;
    session_job_clear_lives(job);
    session_job_forget_states(job);
    session_look_free(job->look);
    free(job->held);
    colony_workspace_close(job->workspace);
    free(job->dir);
    free(job);
}

int session_job_begin_lives(struct session_job *job, size_t count)
{
    session_job_clear_lives(job);
    job->lives = calloc(count, sizeof *job->lives);
    return job->lives ? 0 : -ENOMEM;
}

/* --- what has become of processes is written down ----------------------------------------------
 */

static void write_date(char *date, size_t size)
{
    time_t now = time(NULL);
    struct tm utc;

    date[0] = '\0';
    if (gmtime_r(&now, &utc))
        (void)strftime(date, size, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static int put_lives(struct session_job *job, struct colony_session_process *processes)
{
    char date[32];

    write_date(date, sizeof date);
    for (size_t i = 0; i < job->life_count; i++) {
        struct session_life *life = &job->lives[i];

        if (life->pid > 0 && life->start_ticks == 0)
            life->start_ticks = colony_proc_start_ticks(life->pid);
        processes[i] = (struct colony_session_process){
            .name = life->name,
            .state = life->state,
            .pid = life->pid,
            .start_ticks = life->start_ticks,
            .boot = life->pid > 0 ? job->boot : NULL,
            .date = date,
        };
    }
    return colony_session_process_put_life(job->workspace, processes, job->life_count, &job->err);
}

static int write_down(struct session_job *job)
{
    struct colony_session_process *processes = calloc(job->life_count + 1, sizeof *processes);
    int rc = 0;

    if (!processes)
        return colony_fail_os(&job->err, -ENOMEM, "cannot write down what became of processes");
    if (job->held)
        rc = session_held_write(job->workspace, job->held, &job->err);
    if (rc == 0 && job->life_count > 0)
        rc = colony_workspace_lock(job->workspace, LOCK_MS, &job->err);
    if (rc == 0 && job->life_count > 0) {
        rc = put_lives(job, processes);
        colony_workspace_unlock(job->workspace);
    }
    free(processes);
    return rc;
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static int open_workspace(struct session_job *job)
{
    return job->workspace ? 0 : colony_workspace_open(&job->workspace, job->dir, &job->err);
}

void session_job_run(uv_work_t *work)
{
    struct session_job *job = work->data;

    job->err = (struct colony_error){0};
    job->rc = open_workspace(job);
    if (job->rc < 0)
        return;
    switch (job->step) {
    case STEP_LOOK:
        job->rc = session_look_take(&job->look, job->workspace, job->finds, &job->err);
        if (job->rc == 0)
            session_job_forget_others(job, &job->look->list);
        break;
    case STEP_STATES:
        session_job_look_at_states(job);
        break;
    case STEP_WRITE:
        job->rc = write_down(job);
        break;
    }
}
