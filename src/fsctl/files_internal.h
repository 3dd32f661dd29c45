/* SPDX-License-Identifier: Apache-2.0 */
/* files_internal.h - the front-end as its own files see it. Loop thread only. */
#ifndef COLONY_FSCTL_FILES_INTERNAL_H
#define COLONY_FSCTL_FILES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "core/engine.h"
#include "core/front.h"
#include "fsctl/job_internal.h"

struct colony_subscription;

struct files {
    struct colony_engine *engine;
    struct colony__job *job; /* NULL: it is left to its thread */
    uv_timer_t timer;        /* the next look; while one is under way, when it takes too long */
    uv_poll_t poll;          /* of the watch */
    bool has_poll;
    unsigned open_handles;
    bool is_started;
    bool is_busy;      /* the job is the thread's */
    bool wants_look;   /* something has changed since the one under way began */
    bool is_soon;      /* a file was being written: look again soon */
    bool is_complete;  /* all of the directory was looked at once */
    bool is_slow_told; /* that this look takes too long */
    bool is_quiet;     /* what misses others is not told of yet: they may be on their way */
    uint32_t waiting;  /* files that miss others */
    uint32_t applied;  /* changes of this look */
    uint64_t began_ms; /* the look; on the loop's clock */
    uint64_t rests_until_ms;
    struct colony_subscription *subscriptions[2]; /* for pid files */
    struct colony__pid_list noted;                /* to be written */
    struct colony__pid_list written;              /* there are */
    char told[3][COLONY_ERROR_TEXT_MAX];          /* what is wrong with directories and watch */
    uint64_t looks_total;
    uint64_t messages_total;
    uint64_t refused_total;
    uint64_t dropped_total;
    struct colony_meters meters;
    bool is_closing;
    colony_front_closed_cb closed_cb;
    void *closed_data;
};

/* files_apply.c: what a look has found becomes what runs. */
void files_apply_batch(struct files *files);
/* False: memory was short, and some are left. */
bool files_drop_unknown(struct files *files);
void files_handle_post(struct files *files);

/* files_tell.c: the log, the bus, figures. */
enum files_subject { SUBJECT_CONFIG, SUBJECT_MESSAGES, SUBJECT_WATCH };
/* What is wrong with one of these, once; NULL: nothing any more. */
void files_tell(struct files *files, enum files_subject subject, const char *text);
/* A file or a message that cannot be used. */
void files_refuse(struct files *files, const char *name, const char *text);
/* Refused messages that were not kept. */
void files_tell_dropped(struct files *files);
void files_add_meters(struct files *files);

/* files_pids.c */
int files_watch_pids(struct files *files);
void files_forget_pids(struct files *files);

/* files_look.c. While nothing is under way: a look, or what comes next. */
void files_begin_look(struct files *files);
void files_go_on(struct files *files);
/* There is something to look at or to write. */
void files_look_soon(struct files *files);

/* files.c: the last thing there is. */
void files_close_handles(struct files *files);

#endif
