/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait_internal.h - `?wait=`: answers when what was asked for has come about.
 */
#ifndef COLONY_API_WAIT_INTERNAL_H
#define COLONY_API_WAIT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/json_internal.h"
#include "core/template.h"

struct colony__connection;
struct colony__request;
struct colony_engine;
struct colony_error;

/* What a subject is waited for to be. */
enum colony__goal {
    GOAL_STOPPED, /* nothing of the template runs */
    GOAL_STARTED, /* each slot has a process newer than the subject's; ready, where it has `ready:`
                   */
    GOAL_SCALED,  /* the same, but what is stopped may stay so; and no slot is being stopped */
    GOAL_GONE,    /* the process that the subject names is gone, and what it has left behind */
    GOAL_COUNT,
};

/* One template that a request is about. */
struct colony__subject {
    char name[COLONY_NAME_MAX + 1];
    uint64_t id;   /* of the newest process that does not count; GOAL_GONE: of the one meant */
    uint32_t slot; /* GOAL_GONE: that it was last seen in; 0: in none yet */
    bool is_over;  /* it is as it should be, or can't become so any more */
};

/* A plain value; all-zero is empty. */
struct colony__subjects {
    struct colony__subject *items;
    size_t count;
    size_t capacity;
};

/* The template @name, any process of which counts. -ENOMEM. */
int colony__subjects_add(struct colony__subjects *subjects, const char *name);
/* From now on only newer processes count. */
void colony__subjects_note(struct colony__subjects *subjects, struct colony_engine *engine);
void colony__subjects_clear(struct colony__subjects *subjects);

/* *ms from ?wait=SECONDS or true (UINT64_MAX); 0 without. -EINVAL. */
int colony__wait_parse(const struct colony__request *request, uint64_t *ms,
                       struct colony_error *err);

struct colony__wait_options {
    enum colony__goal goal;
    uint64_t ms;                      /* 0: answer as soon as it is recorded */
    struct colony__subjects subjects; /* taken over, also on failure */
    struct colony__json answer;       /* so, too: an object that is still open */
    bool has_report;                  /* waited for, it tells what the stops had to do, too */
};

/*
 * Answers, recorded, once every subject has come to the goal; 409 not_running with the reason when
 * all are through and one has failed for good; 408 after options->ms, which says who is missing.
 */
int colony__wait_begin(struct colony__connection *connection,
                       const struct colony__wait_options *options, struct colony_error *err);

#endif
