/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verbs.h - what somebody has a session do: the command line (`colony session VERB`) and programs
 * (colony.h) alike.
 *
 * While the session has a supervisor, that acts; else whoever calls. All of these block, and take
 * the lock of the workspace, which they wait ten seconds for (-EBUSY). Any thread, one at a time
 * for each session. Whom they speak of is called by alias or name; -ENOENT with the nearest.
 */
#ifndef COLONY_SESSION_VERBS_H
#define COLONY_SESSION_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/config.h"
#include "session/launch.h"
#include "session/observe.h"
#include "session/process.h"

struct cJSON;
struct colony_error;
struct colony_workspace;

enum {
    COLONY_VERB_LOCK_MS = 10000,
    COLONY_VERB_STATE_SIZE = 512, /* of a condition that asks for a state */
};

/* A plain value. */
struct colony_session {
    struct colony_workspace *workspace;
    colony_session_problem_cb problem; /* told of what cannot be used; NULL: nobody */
    void *data;
    char *program; /* run as its supervisor; NULL: the installed colony */
};

enum colony_switch { SWITCH_AS_IT_IS, SWITCH_OFF, SWITCH_ON };

/* What is to be otherwise of a process; all-zero: nothing. */
struct colony_verb_change {
    const char *uri;   /* start: what is to run; NULL: what is known by its word */
    const char *state; /* attach, update: what it looks like now is that state */
    const char *alias;
    enum colony_switch restart;
    enum colony_switch shutdown;
    const char *const *cmdline; /* NULL-terminated */
    const char *cwd;            /* "": none, that is the workspace */
    const char *const *env;     /* KEY=VALUE, instead of what it had; NULL-terminated */
};

/*
 * Makes @folder (NULL: the current one) a workspace, or adds what is missing, and opens it. *added
 * counts what was made.
 */
int colony_verb_init(struct colony_session *session, const char *folder, size_t *added,
                     struct colony_error *err);

/*
 * Runs change->uri, or what @word calls. out->pid 0: it waits for others, and the supervisor will
 * start it. -EBUSY: it runs, or waits for others and nobody would start it later; -EIO: the program
 * cannot be run, and what was new with it is not kept. The caller clears @out, also after an error.
 */
int colony_verb_start(const struct colony_session *session, const char *word,
                      const struct colony_verb_change *change, struct colony_session_process *out,
                      struct colony_error *err);

enum colony_acquaintance {
    ATTACHED_NEW,
    ATTACHED_AGAIN, /* it was down, or so it seemed */
    ATTACHED_ALREADY,
};

struct colony_verb_attached {
    struct colony_session_process process;
    enum colony_acquaintance before;
};
/*
 * Takes the running process @pid, whoever started it. -EEXIST: the alias is another's; errors of
 * colony_origin_read(). The caller clears out->process, also after an error.
 */
int colony_verb_attach(const struct colony_session *session, pid_t pid,
                       const struct colony_verb_change *change, struct colony_verb_attached *out,
                       struct colony_error *err);

/* Changes what @word calls. -ESRCH: it is down, and its state was to be named. The caller clears
 * @out, also after an error. */
int colony_verb_update(const struct colony_session *session, const char *word,
                       const struct colony_verb_change *change, struct colony_session_process *out,
                       struct colony_error *err);

/* What was forgotten. */
struct colony_verb_detached {
    const char *title; /* borrowed */
    pid_t pid;         /* it runs on as that; 0: it is down */
    size_t dependences;
};
typedef void (*colony_verb_detached_cb)(const struct colony_verb_detached *detached, void *data);
/* Forgets each of @words (NULL-terminated), up to the first that fails. @tell may be NULL. */
int colony_verb_detach(const struct colony_session *session, char *const *words,
                       colony_verb_detached_cb tell, void *data, struct colony_error *err);

/* Those that were to stop, also when some failed. */
struct colony_verb_stopped {
    struct colony_session_stopped those;
    bool has_begun; /* it came to that */
    size_t left;    /* deactivate: how many run on */
};
/* Stops each of @words (NULL-terminated; NULL: all), who waits for others first, and waits until
 * they are gone. */
int colony_verb_stop(const struct colony_session *session, char *const *words,
                     struct colony_verb_stopped *out, struct colony_error *err);

/* Stops those with shutdown=1 in the same way, and ends the supervisor. */
int colony_verb_deactivate(const struct colony_session *session, struct colony_verb_stopped *out,
                           struct colony_error *err);

/* With the lock held: whether there is a supervisor that answers (*pid; 0: none), and if not,
 * whether one could begin; who was stopped by hand is to run again then. -EILSEQ. */
int colony_verb_prepare(const struct colony_session *session, pid_t *pid, struct colony_error *err);
struct colony_verb_active {
    pid_t pid;           /* of the supervisor's keeper */
    struct cJSON *slots; /* what it says of all processes, as `GET /slots`; NULL: it was there */
};
/* Begins to supervise, by `session->program serve --session … --daemon`, and returns once what runs
 * was looked at and the rest is under way. The caller frees out->slots. -EIO: it did not begin. */
int colony_verb_activate(const struct colony_session *session, struct colony_verb_active *out,
                         struct colony_error *err);

/* Who is to wait for whom: each of @children for each of @parents (NAME:STATE), which are
 * NULL-terminated; each text may be several with commas between them. */
struct colony_verb_bonds {
    const char *const *parents;
    const char *const *children;
    const char *on_loss; /* keep, stop, restart; NULL: as it is, at first keep */
    bool is_removal;     /* they are not to wait any more */
};
/* How many dependences are otherwise than before. -ELOOP; -ENOENT. */
int colony_verb_bind(const struct colony_session *session, const struct colony_verb_bonds *bonds,
                     struct colony_error *err);
/* The dependences there are, with all else of the configuration; the caller clears it. */
int colony_verb_bonds_read(const struct colony_session *session,
                           struct colony_session_config *config, struct colony_error *err);
/* As JSON; NULL: out of memory. */
struct cJSON *colony_verb_bonds_json(const struct colony_session_config *config);

/*
 * Waits until @condition (condition.h) holds of what @word calls. -ETIMEDOUT after @timeout_ms
 * (UINT64_MAX: never); -ESRCH: it is down, and nobody starts it again; -EINVAL, -E2BIG: of the
 * condition.
 */
int colony_verb_wait(const struct colony_session *session, const char *word, const char *condition,
                     uint64_t timeout_ms, struct colony_error *err);
/* The condition that a process is in @state, where `running` is any but stopped and starting. */
int colony_verb_wait_state(char text[COLONY_VERB_STATE_SIZE], const char *state,
                           struct colony_error *err);

/* What one process has open, and what was saved of it. */
struct colony_verb_fingerprint {
    struct colony_session_process process;
    struct colony_observer observer; /* live.last: now, while it lives */
    bool is_alive;
    const char *state; /* now; borrowed */
};
/* The caller clears @out, also after an error. */
int colony_verb_fingerprint(const struct colony_session *session, const char *word,
                            struct colony_verb_fingerprint *out, struct colony_error *err);
/* Keeps the one of now for @state, or with NULL as what it was seen like last. */
int colony_verb_fingerprint_save(const struct colony_session *session,
                                 struct colony_verb_fingerprint *of, const char *state,
                                 struct colony_error *err);
/* NULL: no such state was saved. */
struct colony_saved_state *colony_verb_fingerprint_state(const struct colony_verb_fingerprint *of,
                                                         const char *state);
/* All of it as JSON; NULL: out of memory. @only: of its saved states that one; @compares: with what
 * differs. */
struct cJSON *colony_verb_fingerprint_json(const struct colony_verb_fingerprint *of,
                                           const char *only, bool compares);
void colony_verb_fingerprint_clear(struct colony_verb_fingerprint *of);

#endif
