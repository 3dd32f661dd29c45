/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job_internal.h - what is done on a thread: one look at the directories, and putting away after.
 *
 * While a job is queued all that it holds is the thread's, except the descriptor of the watch.
 */
#ifndef COLONY_FSCTL_JOB_INTERNAL_H
#define COLONY_FSCTL_JOB_INTERNAL_H

#include <stdbool.h>

#include <uv.h>

#include "core/error.h"
#include "core/settings.h"
#include "fsctl/directory_internal.h"
#include "fsctl/messages_internal.h"
#include "fsctl/pids_internal.h"
#include "fsctl/watch_internal.h"

enum colony__step {
    STEP_LOOK, /* a batch of files; the first one lists messages, the last one reads them */
    STEP_TIDY, /* messages that were handled are put away, pid files are written */
};

struct colony__job {
    uv_work_t work;
    void *owner; /* NULL: nobody waits for it any more */
    enum colony__step step;
    bool is_first;                         /* batch of a look */
    struct colony_files_settings settings; /* a copy: it may outlive the engine's */
    struct colony__directory *directory;
    struct colony__messages *messages;
    struct colony__watch watch;
    struct colony__batch batch;
    struct colony__post post;
    struct colony__pid_list pids;
    struct colony_error watch_err; /* code 0: all is well */
    struct colony_error pids_err;
};

/* -ENOMEM. */
int colony__job_new(struct colony__job **out, const struct colony_files_settings *settings);
void colony__job_free(struct colony__job *job);

/* On a thread of libuv's. */
void colony__job_run(uv_work_t *work);

#endif
