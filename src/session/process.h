/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.h - a process of a session, as database and files together have it (ORIGINALS §4).
 *
 * What is unique stands in db/session.db: u_process(name, alias, uri, state, pid, date), and
 * u_life(name, start_ticks, boot) beside it, so that a number that the kernel gave again is known
 * for what it is. What a user may edit stands in etc/ALIAS.yaml or etc/NAME.yaml. Either is made
 * again from the other where that can be.
 */
#ifndef COLONY_SESSION_PROCESS_H
#define COLONY_SESSION_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;
struct colony_workspace;

enum {
    COLONY_SESSION_PROCESSES_MAX = 10000,
    COLONY_SESSION_BOOT_SIZE = 37, /* of a boot id as the kernel writes it, with its NUL */
};

/* States that are the supervisor's own; every other one is a tag of a fingerprint. */
#define COLONY_STATE_STOPPED "stopped"
#define COLONY_STATE_STARTING "starting"
#define COLONY_STATE_RUNNING "running"

/* All strings are the owner's heap memory; NULL: not there. All-zero is the empty one. */
struct colony_session_process {
    /* db */
    char *name; /* two words, or those of a collision; the engine's name of its template, too */
    char *alias;
    char *uri;
    char *state;
    pid_t pid;            /* 0: none */
    uint64_t start_ticks; /* of that pid (proc(5), field 22); 0: not known */
    char *boot;           /* boot id it was started in; NULL: not known */
    char *date;           /* ISO 8601, UTC: of the last change of state */
    /* etc */
    char **cmdline; /* NULL-terminated; NULL: nothing is known that could be run */
    char *cwd;
    char **env;      /* KEY=VALUE, sorted; NULL-terminated; over what a launch has anyway */
    char **keywords; /* KEY=VALUE of the uri's scheme; NULL-terminated */
    char *uid;       /* numbers, as whom it is started; NULL: as whoever starts it */
    char *gid;
    char **groups; /* supplementary; NULL-terminated */
    bool restart;
    bool shutdown;
};

struct colony_session_list {
    struct colony_session_process *items; /* by name */
    size_t count;
};

void colony_session_process_clear(struct colony_session_process *process);
int colony_session_process_copy(struct colony_session_process *out,
                                const struct colony_session_process *process);
/* Its alias, or its name. */
const char *colony_session_process_title(const struct colony_session_process *process);

/* All there are. A YAML file that cannot be used leaves what was known of its process as it was in
 * @problems (may be NULL): a line "FILE:LINE:COLUMN: why" each. -EIO, -ENOMEM. */
typedef void (*colony_session_problem_cb)(const char *line, void *data);
int colony_session_list_read(struct colony_session_list *out, struct colony_workspace *workspace,
                             colony_session_problem_cb problem, void *data,
                             struct colony_error *err);
void colony_session_list_clear(struct colony_session_list *list);
/* By alias first, then by name. NULL: there is none. */
struct colony_session_process *colony_session_list_find(const struct colony_session_list *list,
                                                        const char *word);

/* Fills @err: @list has no process called @word; with the nearest name there is. -ENOENT. */
int colony_session_list_complain(const struct colony_session_list *list, const char *word,
                                 struct colony_error *err);

/* One process. -ENOENT with the nearest name there is. */
int colony_session_process_find(struct colony_session_process *out,
                                struct colony_workspace *workspace, const char *word,
                                struct colony_error *err);

/*
 * Adds or changes it, row and files in one step that a kill leaves done or undone: the row in a
 * transaction, files by write, fsync and rename; an alias that changed renames its file. What a
 * user wrote in the file besides is kept. With the lock held. -EEXIST: the alias is another's;
 * -EINVAL: a name or alias that cannot be one (names, never paths, no `:`, no `,`).
 */
int colony_session_process_put(struct colony_workspace *workspace,
                               const struct colony_session_process *process,
                               struct colony_error *err);
/* Only what lives: state, pid, start time, date, and pid/NAME.pid. Cheap; many in one transaction.
 */
int colony_session_process_put_life(struct colony_workspace *workspace,
                                    const struct colony_session_process *processes, size_t count,
                                    struct colony_error *err);
/* Its row and its files in etc, fp and pid; out and err stay. */
int colony_session_process_remove(struct colony_workspace *workspace, const char *name,
                                  struct colony_error *err);

/* The boot id of this machine, as struct colony_session_process has it. -EIO. */
int colony_session_boot_id(char boot[COLONY_SESSION_BOOT_SIZE]);

/* A pidfd of the living process that @process notes; -ESRCH: it has ended, or its number is
 * another's by now. */
int colony_session_process_pidfd(const struct colony_session_process *process);
/* It lives, as far as that can be told a moment later. */
bool colony_session_process_is_alive(const struct colony_session_process *process);

#endif
