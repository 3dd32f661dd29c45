/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_tree.h - a process and all its descendants, as /proc shows them (proc(5):
 * /proc/PID/task/TID/children, /proc/PID/cmdline).
 */
#ifndef COLONY_CORE_PROCESS_TREE_H
#define COLONY_CORE_PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    COLONY_PROCESS_TREE_DEPTH_MAX = 64, /* what is below is left out */
};

/* Who is told of each process: _enter, then its children, then _leave. */
struct colony_process_visitor {
    /* @command: its arguments with blanks between them, or "[NAME]"; lent. False: no more. */
    bool (*enter)(void *data, pid_t pid, const char *command);
    void (*leave)(void *data);
    void *data;
    size_t left; /* processes that may still be told; counted down */
};

/* Reads files: on a thread of workers. What ends meanwhile is left out. Any thread. */
void colony_process_tree_walk(pid_t pid, struct colony_process_visitor *visitor);

#endif
