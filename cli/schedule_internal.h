/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule_internal.h - the parts of `colony schedule`: what is run, one run of it, and its output.
 */
#ifndef COLONY_CLI_SCHEDULE_INTERNAL_H
#define COLONY_CLI_SCHEDULE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "core/schedule.h"
#include "options.h"

struct colony_clock_watch;
struct colony_heart;
struct colony_error;

enum {
    SCHEDULE_LINE_MAX = 8192,    /* a longer line is cut into pieces of so many bytes */
    SCHEDULE_OUTPUT_MAX = 65536, /* what waits for a reader; beyond that the child waits, too */
    SCHEDULE_STREAMS = 2,        /* stdout and stderr of a run */
};

/* --- schedule_output.c: `[1] line` on standard output, which may have a slow reader ---------- */

typedef void (*schedule_output_cb)(void *data);

struct schedule_output {
    char bytes[SCHEDULE_OUTPUT_MAX];
    size_t used;
    int epoll_fd; /* watches stdout, whose own flags are everybody's; -1: it never blocks */
    bool is_polling;
    int error;           /* negative errno: it cannot be written to; a file's may pass */
    uint64_t lost_lines; /* meanwhile */
    uv_poll_t poll;
    schedule_output_cb on_change; /* there is room again, or nobody reads any more */
    void *data;
};

int schedule_output_init(struct schedule_output *output, uv_loop_t *loop,
                         schedule_output_cb on_change, void *data, struct colony_error *err);
/* True when a line of any length has room. */
bool schedule_output_has_room(const struct schedule_output *output);
/* Adds `[NUMBER] LINE\n`, which has room. */
void schedule_output_line(struct schedule_output *output, int number, const char *line,
                          size_t size);
void schedule_output_close(struct schedule_output *output);

/* --- schedule_spawn.c ------------------------------------------------------------------------ */

/* Runs @argv with the pipes @ends as stdout and stderr. Negative errno. */
int schedule_spawn(char *const *argv, const int ends[SCHEDULE_STREAMS], pid_t *pid);

/* --- schedule_run.c: one run, from its start until nothing of it is left --------------------- */

struct schedule_stream {
    struct schedule_run *run;
    int number; /* 1 or 2 */
    int fd;     /* -1: it has ended */
    size_t used;
    uv_poll_t poll;
    char line[SCHEDULE_LINE_MAX];
};

enum schedule_run_state {
    RUN_NONE,
    RUN_GOES,
    RUN_ENDING, /* told to end: SIGTERM was sent */
    RUN_KILLED, /* SIGKILL was sent */
};

/* @status as waitpid(2) gives it. The next run may be started within. */
typedef void (*schedule_run_cb)(int status, void *data);

struct schedule_run {
    char *const *argv;
    uint64_t timeout_ms; /* 0: none */
    uint64_t grace_ms;
    uv_loop_t *loop;
    struct schedule_output *output;
    schedule_run_cb cb;
    void *data;

    enum schedule_run_state state;
    pid_t pid; /* also of its group; it is kept from being reused until all is over */
    int pidfd;
    bool has_exited;
    bool is_hurried;  /* nobody waits for a reader of its output any more */
    int open_handles; /* of this run */
    uv_poll_t exit_poll;
    uv_timer_t timer; /* timeout, then grace */
    struct schedule_stream streams[SCHEDULE_STREAMS];
};

/* Everything above `state` is set. */
int schedule_run_init(struct schedule_run *run);
/* Starts one; none goes on. Negative errno with the reason: it could not be run. */
int schedule_run_start(struct schedule_run *run, struct colony_error *err);
/* SIGTERM to its group, SIGKILL after the grace; asked again: at once. */
void schedule_run_end(struct schedule_run *run);
/* There is room for output again. */
void schedule_run_resume(struct schedule_run *run);
void schedule_run_close(struct schedule_run *run);

/* --- schedule_loop.c: one run after the other ------------------------------------------------ */

enum {
    SCHEDULE_SIGNALS = 4,
};

struct schedule {
    /* the command line */
    struct colony_option_list args;
    uint64_t frequency_ms; /* UINT64_MAX: not given */
    uint64_t grace_ms;
    uint64_t next; /* print so many times only; UINT64_MAX: not given */
    const char *cron;
    const char *timezone;
    bool is_once;

    struct colony_schedule when;
    struct colony_schedule_plan plan;
    uv_loop_t loop;
    uv_timer_t timer; /* until the next run; at last for the last words */
    uv_signal_t signals[SCHEDULE_SIGNALS];
    struct colony_clock_watch *clock;
    struct colony_heart *heart; /* NULL: nobody wants to know that we live */
    struct schedule_run run;
    struct schedule_output output;
    bool is_overdue;   /* what runs still ran when the next was due, and this was told */
    bool is_due_again; /* one more run as soon as this one has ended */
    bool is_ending;
    bool is_told; /* by a signal */
    bool is_closed;
    int exit_code;
};

/* Runs what the command line says, until somebody ends it. The exit code. */
int schedule_loop(struct schedule *schedule);

#endif
