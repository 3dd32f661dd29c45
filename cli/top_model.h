/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_model.h - what `colony top` knows of the templates: figures, where they come from, and in
 * which order they are shown.
 *
 * It is fed with answers of GET /slots?stats=true, and turns the CPU time of each process into what
 * it used since the answer before.
 */
#ifndef COLONY_CLI_TOP_MODEL_H
#define COLONY_CLI_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/template.h"
#include "ctl_internal.h"

struct cJSON;

enum {
    TOP_HISTORY = 16, /* figures of CPU that are kept */
    TOP_FILTER_MAX = 64,
};

enum top_sort {
    TOP_SORT_NAME,
    TOP_SORT_CPU,
    TOP_SORT_MEM,
    TOP_SORT_RESTARTS,
    TOP_SORT_UPTIME,
    TOP_SORT_STATE,
    TOP_SORT_COUNT,
};

/* One process, to tell what it used since the last answer. */
struct top_process {
    double id;
    double cpu_time;
};

struct top_row {
    char name[COLONY_NAME_MAX + 1];
    unsigned slots;
    unsigned running;
    char state[CTL_NUMBER_MAX]; /* of the slot that needs most attention */
    int rank;                   /* of that state: more needs more */
    double cpu;                 /* percent of one CPU */
    double mem;                 /* bytes */
    double restarts;
    double uptime; /* of the process that has run longest; -1: none runs */
    char note[CTL_NOTE_MAX];
    float history[TOP_HISTORY]; /* of cpu, a ring */
    unsigned history_count;     /* ever */
    struct top_process *processes;
    size_t process_count;
    size_t process_capacity;
    bool is_seen; /* in the answer being read */
};

struct top_model {
    struct top_row *rows;
    size_t count;
    size_t capacity;
    size_t *order; /* of those that are shown */
    size_t shown;
    enum top_sort sort;
    bool is_reversed;
    char filter[TOP_FILTER_MAX + 1]; /* part of the names; "": all */
    char selected[COLONY_NAME_MAX + 1];
    unsigned slots;
    unsigned running;
    double cpu;
    double mem;
    uint64_t taken_ms; /* when the last answer came; 0: none has */
};

/* Reads an answer that came at @now_ms. 0; -EPROTO: it is no list; -ENOMEM. */
int colony__top_take(struct top_model *model, const struct cJSON *slots, uint64_t now_ms);

/* Filters and sorts again, after a change of sort, is_reversed or filter. */
void colony__top_arrange(struct top_model *model);

/* The row that is selected, or NULL; a selected name that is not shown gives way to the first. */
const struct top_row *colony__top_selected(struct top_model *model);
/* Where it is shown, from 0. */
size_t colony__top_selected_index(const struct top_model *model);
/* Moves the selection by @by rows, as far as there are any. */
void colony__top_move(struct top_model *model, long by);

/* The last @count figures of CPU, oldest first; what there is none of is -1. */
void colony__top_history(const struct top_row *row, float *figures, size_t count);

const char *colony__top_sort_name(enum top_sort sort);

void colony__top_clear(struct top_model *model);

#endif
