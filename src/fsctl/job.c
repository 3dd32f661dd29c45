/* SPDX-License-Identifier: Apache-2.0 */
#include "fsctl/job_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int copy_settings(struct colony_files_settings *copy,
                         const struct colony_files_settings *settings)
{
    *copy = *settings;
    copy->config = strdup(settings->config);
    copy->messages = strdup(settings->messages);
    copy->pid = settings->pid ? strdup(settings->pid) : NULL;
    return copy->config && copy->messages && (!settings->pid || copy->pid) ? 0 : -ENOMEM;
}

int colony__job_new(struct colony__job **out, const struct colony_files_settings *settings)
{
    struct colony__job *job = calloc(1, sizeof *job);
    int rc;

    if (!job)
        return -ENOMEM;
    job->work.data = job;
    job->watch.fd = -1;
    rc = copy_settings(&job->settings, settings);
    if (rc == 0)
        rc = colony__directory_new(&job->directory, &job->settings);
    if (rc == 0)
        rc = colony__messages_new(&job->messages, job->settings.messages);
    if (rc < 0)
        colony__job_free(job);
    else
        *out = job;
    return rc;
}

void colony__job_free(struct colony__job *job)
{
    if (!job)
        return;
    colony__watch_close(&job->watch);
    colony__batch_clear(&job->batch);
    colony__post_clear(&job->post);
    colony__pids_clear(&job->pids);
    colony__directory_free(job->directory);
    colony__messages_free(job->messages);
    free(job->settings.config);
    free(job->settings.messages);
    free(job->settings.pid);
    free(job);
}

/* Messages are listed before the files are looked at: who wrote a file and then a message about it
 * is understood. */
static void look(struct colony__job *job)
{
    if (job->is_first) {
        (void)colony__watch_aim(&job->watch, job->settings.config, job->settings.messages,
                                &job->watch_err);
        colony__messages_list(job->messages, &job->post);
    }
    colony__directory_look(job->directory, &job->batch);
    if (job->batch.is_last)
        colony__messages_read(job->messages, &job->post);
}

void colony__job_run(uv_work_t *work)
{
    struct colony__job *job = work->data;

    if (job->step == STEP_LOOK) {
        look(job);
        return;
    }
    colony__messages_put_away(job->messages, &job->post);
    if (colony__pids_has_any(&job->pids))
        (void)colony__pids_write(&job->pids, job->settings.pid, &job->pids_err);
}
