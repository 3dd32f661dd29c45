/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_internal.h - what stats.c is made of: one process (stats_proc.c), who descends from whom
 * (stats_kin.c), and a process with its descendants from sample to sample (stats_family.c).
 */
#ifndef COLONY_CORE_STATS_INTERNAL_H
#define COLONY_CORE_STATS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/stats.h"

enum {
    STATS_COMM_SIZE = 64, /* 16 for most; the kernel's own threads have more */
    STATS_USERNAME_SIZE = 64,
    STATS_USERS_MAX = 64,     /* names kept */
    STATS_CMDLINE_MAX = 4096, /* bytes; the rest is not read */
};

/* Of one line of /proc/PID/stat, and of statm: the memory in stat is off by what each CPU has yet
 * to add to the sum. */
struct colony__proc_stat {
    char comm[STATS_COMM_SIZE];
    char state;
    pid_t parent;
    int nice;
    uint64_t thread_count;
    uint64_t start_ticks;
    uint64_t vms_bytes;
    uint64_t rss_bytes;
    uint64_t stack; /* where it begins: another one after each exec; 0: not ours to know */
};

/* -EPROTO: that is no such line. */
int colony__proc_stat_parse(struct colony__proc_stat *out, const char *text);

/* A descriptor of /proc/@pid/@file, or a negative errno; -ESRCH: there is no such process. */
int colony__proc_open_file(pid_t pid, const char *file);
/* From a descriptor of stat that may have been read before. -ESRCH: it has ended, or is a zombie.
 */
int colony__proc_read_stat(struct colony__proc_stat *out, int fd);

/* Of statm: only the memory, all zero when it is a zombie. -ESRCH: it has ended. */
int colony__proc_read_memory(struct colony__proc_stat *out, int fd);

/* Descriptors; -1: none. */
struct colony__proc_files {
    int stat_fd;
    int memory_fd;   /* statm */
    int children_fd; /* of its first thread; -1 also where the kernel does not list them */
};

extern const struct colony__proc_files colony__proc_files_none;

/* Errors of colony__proc_open_file. */
int colony__proc_open(struct colony__proc_files *out, pid_t pid);
void colony__proc_close(struct colony__proc_files *files);
/* May be called again and again. -ESRCH: it has ended, or is a zombie. */
int colony__proc_read(struct colony__proc_stat *out, const struct colony__proc_files *files);

/* The children of the first thread of @pid; @files may be none. How many were put in @pids. */
size_t colony__proc_children(const struct colony__proc_files *files, pid_t pid, pid_t *pids,
                             size_t max);

/* Nanoseconds of CPU time of all threads of @pid, living and ended. -ESRCH. */
int colony__proc_cpu_ns(pid_t pid, uint64_t *out);

/*
 * The arguments joined by blanks, as UTF-8 without control bytes; "[@comm]" where there are none to
 * see. The caller frees it; NULL: no memory.
 */
char *colony__proc_cmdline(pid_t pid, const char *comm);

/* Names of users; a new one takes the place of an old one. All-zero is empty. */
struct colony__users {
    struct colony__user {
        bool is_known;
        uid_t uid;
        char name[STATS_USERNAME_SIZE];
    } items[STATS_USERS_MAX];
};

/* A number when it has no name. Borrowed until the next call. */
const char *colony__user_name(struct colony__users *users, uid_t uid);

/* All processes by their parents, for kernels that do not list children (CONFIG_PROC_CHILDREN). */
struct colony__kin {
    struct colony__kin_pair {
        pid_t parent;
        pid_t pid;
    } * pairs; /* sorted */
    size_t count;
};

/* True when this kernel lists children: then colony_proc_children() of sweep.h is cheaper. */
bool colony__kin_is_listed(void);
/* Reads all of /proc anew; what cannot be read is left out. -ENOMEM, and errors of opendir(3). */
int colony__kin_scan(struct colony__kin *kin);
void colony__kin_clear(struct colony__kin *kin);
size_t colony__kin_children(const struct colony__kin *kin, pid_t pid, pid_t *pids, size_t max);

/* What all families share. */
struct colony__sampler {
    size_t kept_count; /* processes whose files stay open */
    size_t kept_max;
    bool has_listed_children;
    struct colony__kin kin;
    uint64_t kin_read_at_ns; /* 0: never */
    struct colony__users users;
    uint64_t memory_bytes;
    uint64_t ns_per_tick;
};

void colony__sampler_init(struct colony__sampler *sampler);
/* Frees what it keeps only to be faster; it can be used on. */
void colony__sampler_rest(struct colony__sampler *sampler);

struct colony__member;

/* A process and its descendants, as remembered from one sample to the next. */
struct colony__family {
    struct colony__member *self;
    struct colony__member **members; /* self too; by pid */
    size_t count;
    size_t capacity;
    uint32_t round; /* of samples */
};

/* One sample, breadth first, so that the children of each are side by side. */
struct colony__sample {
    size_t count;
    struct colony_process_stats items[COLONY_STATS_CHILDREN_MAX + 1]; /* the first: itself */
    struct {
        struct colony__member *member;
        uint8_t depth;
        bool has_threads;
    } places[COLONY_STATS_CHILDREN_MAX + 1];
    pid_t pids[COLONY_STATS_CHILDREN_MAX];
};

/* @start_ticks 0: known with the first sample. -ENOMEM. */
int colony__family_init(struct colony__family *family, pid_t pid, uint64_t start_ticks);
void colony__family_clear(struct colony__family *family, struct colony__sampler *sampler);

/* True while its first process lives and is @pid, started at @start_ticks (0: does not matter). */
bool colony__family_is(struct colony__family *family, struct colony__sampler *sampler, pid_t pid,
                       uint64_t start_ticks);

/* Texts in @out are the family's until its next sample. -ESRCH: the first process has ended. */
int colony__family_sample(struct colony__family *family, struct colony__sampler *sampler,
                          struct colony__sample *out);

/* Of its first process, in the last sample. */
double colony__family_cpu(const struct colony__family *family);

/* colony_stats_look of a process that is not watched. */
int colony__sampler_look(const struct colony__sampler *sampler, pid_t pid, uint64_t uptime_ms,
                         struct colony_process_stats *out);

#endif
