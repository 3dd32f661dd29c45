/* SPDX-License-Identifier: Apache-2.0 */
/*
 * condition.h - what `colony session wait` waits for: a small expression over a process.
 *
 *     len(fp['listen'])>0 and state != 'starting'
 *
 * Names: fp (a map of lists), state, pid, alive, uptime (seconds), cpu (percent of one CPU), mem
 * (bytes). It means what it means in Python, but that what is not there (an item beyond the end) is
 * None instead of an error, and that there is `matches`. Pure; bounded in bytes, depth, parts and
 * steps.
 */
#ifndef COLONY_SESSION_CONDITION_H
#define COLONY_SESSION_CONDITION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_condition_tree;
struct colony_error;
struct colony_fingerprint;

struct colony_subject {
    const struct colony_fingerprint *fp; /* NULL: it has none, all lists are empty */
    const char *state;
    pid_t pid; /* 0: none */
    bool alive;
    double uptime_seconds;
    double cpu_percent;
    uint64_t mem_bytes;
};

enum colony_subject_part {
    SUBJECT_FP = 1 << 0,
    SUBJECT_STATE = 1 << 1,
    SUBJECT_STATS = 1 << 2, /* cpu, mem */
    SUBJECT_LIFE = 1 << 3,  /* alive, pid: it may wait for a process that is not there yet */
};

/* -EINVAL: "column N: …". */
int colony_condition_parse(struct colony_condition_tree **out, const char *text,
                           struct colony_error *err);
void colony_condition_free(struct colony_condition_tree *tree);
/* What it asks for, of enum colony_subject_part: the rest need not be read. */
unsigned colony_condition_wants(const struct colony_condition_tree *tree);
/* 1: met; 0: not; -EINVAL: types that do not go together, with the column; -E2BIG: too many steps.
 */
int colony_condition_evaluate(const struct colony_condition_tree *tree,
                              const struct colony_subject *subject, struct colony_error *err);

#endif
