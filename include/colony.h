/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colony.h - libcolony: keep processes alive, be a daemon, serve RPC, write control files and drive
 * sessions, from within a program.
 *
 * What holds for all of it:
 * - Every type is opaque but those whose members stand here; these never change within an
 *   interface (COLONY_INTERFACE).
 * - A function that can fail returns 0 (or a count), or a negative errno with the reason in its
 *   last parameter, struct colony_error (colony/error.h).
 * - Pointers are borrowed for the call unless the comment says that they are kept or owned. What a
 *   function hands out is borrowed until the next call on the same object unless it says otherwise.
 * - Threads: what may be called from any thread says so. All else is called from the thread that
 *   runs the object's loop, and callbacks run there.
 * - Nothing of it calls exit, prints, installs signal handlers, or touches children of the program.
 *   SIGPIPE is to be ignored by the program.
 *
 * docs/embedding.md is the guide; examples/embed has a program for each part.
 */
#ifndef COLONY_H
#define COLONY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <colony/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define COLONY_API __attribute__((visibility("default")))
#else
#define COLONY_API
#endif

/* The interface that this header describes; libcolony.so.0 has it, and nothing of it goes or
 * changes before libcolony.so.1. */
#define COLONY_INTERFACE 0

struct cJSON;
struct uv_loop_s;

/* The release of the library that runs: "0.1.0". Any thread. */
COLONY_API const char *colony_version(void);

/* --- the engine: processes kept alive ----------------------------------------------------------
 *
 * A struct colony is one engine in this program, and a keeper beside it: a process (`colony
 * keeper`) that is the parent of all that the engine runs, so that the program's own children are
 * its own. There may be several, each with a state folder of its own.
 */
struct colony;

/* What is said before it starts; each is a text, and NULL is its default. */
enum colony_option {
    COLONY_STATE,   /* its state folder; the default is one of its own, removed at the end */
    COLONY_PROGRAM, /* the program run as keeper; the default is the installed colony */
    COLONY_LEAVES,  /* "yes": what runs goes on when the program ends, or dies, and is taken over by
                       the next engine of that state folder. The default: it is stopped */
    COLONY_NAME,    /* of this engine, as /status and logs have it; the default is the program's */
};

/* On the loop. Any may be NULL. */
struct colony_callbacks {
    /* All that lives is known, what is to run is started and controllers serve. */
    void (*ready)(struct colony *colony, void *data);
    /* It has ended; @error is why, code 0: it was asked to. Last of all callbacks. */
    void (*stopped)(struct colony *colony, const struct colony_error *error, void *data);
    void *data;
};

/*
 * An engine that does nothing yet. @loop is the program's (which runs it, and on whose thread all
 * calls are made); NULL: one of its own, for colony_engine_run(). -ENOMEM, and libuv's errors.
 */
COLONY_API int colony_engine_open(struct colony **out, struct uv_loop_s *loop,
                                  const struct colony_callbacks *callbacks,
                                  struct colony_error *err);
/* Copies @value. -EINVAL; -EBUSY: it runs. */
COLONY_API int colony_engine_set(struct colony *colony, enum colony_option option,
                                 const char *value, struct colony_error *err);
/* Settings as in docs/configuration.md, of a file or of memory (YAML, which JSON is, too); twice is
 * an error. Templates may be added without any. -EBUSY; errors begin with the place. */
COLONY_API int colony_engine_load(struct colony *colony, const char *path,
                                  struct colony_error *err);
COLONY_API int colony_engine_load_text(struct colony *colony, const char *text, size_t size,
                                       struct colony_error *err);
/*
 * Starts the keeper, and with it all there is; `ready` tells when. -EBUSY: another engine holds its
 * state folder; -ENOENT: there is no program to be run as keeper.
 */
COLONY_API int colony_engine_start(struct colony *colony, struct colony_error *err);
/* Starts it unless it is, and runs its loop until `stopped`. Not inside a callback. 0, or why. */
COLONY_API int colony_engine_run(struct colony *colony, struct colony_error *err);
/* Stops its processes, unless it leaves them, and then the engine; at the second time without
 * grace. @why for people; copied. Any thread. */
COLONY_API void colony_engine_stop(struct colony *colony, const char *why);
/* Closes what is open; a living engine as colony_engine_stop() does. @cb (may be NULL) on the loop,
 * when nothing of it is left; with a loop of its own before this returns. NULL is fine. */
COLONY_API void colony_engine_free(struct colony *colony, void (*cb)(void *data), void *data);
/* For handles of the program's own. */
COLONY_API struct uv_loop_s *colony_engine_loop(struct colony *colony);
/* Calls @fn on the loop, soon. Any thread, until colony_engine_free(). -ENOMEM. */
COLONY_API int colony_engine_post(struct colony *colony,
                                  void (*fn)(struct colony *colony, void *arg), void *arg);

/* --- controllers: parts of a program around an engine ------------------------------------------
 */

/* --- daemon: events, status and ping over HTTP and UDP -----------------------------------------
 */

/* --- RPC: methods and attributes over ZeroMQ ---------------------------------------------------
 */

/* --- files: the folders of processes and messages ----------------------------------------------
 */

/* --- session: a working directory of related processes -----------------------------------------
 *
 * What `colony session` does (docs/sessions.md), without the command line. While the workspace has
 * a supervisor (colony_session_activate), that starts and stops; else the calling program does, of
 * which what it starts is no child.
 *
 * All of these block: up to ten seconds for others who change the workspace (then -EBUSY), as long
 * as a stop takes, or a condition. Any thread, one at a time for each session. A process is called
 * by its alias or its name; -ENOENT, with the nearest name, when there is none. What is handed out
 * as struct cJSON is the caller's, to be freed by cJSON_Delete(); values of parameters whose names
 * speak of a secret are hidden in it.
 */
struct colony_session;

#define COLONY_SESSION_FOREVER UINT64_MAX

/* Makes @folder (NULL: the current one) a workspace, or adds to one what is missing. How many
 * folders and files were made. -EPERM: somebody else's. */
COLONY_API int colony_session_init(const char *folder, struct colony_error *err);
/*
 * The workspace @folder, or with NULL the one of COLONY_SESSION, else the first from the current
 * folder upwards. -ENOENT: there is none.
 */
COLONY_API int colony_session_open(struct colony_session **out, const char *folder,
                                   struct colony_error *err);
/* What runs goes on. NULL is fine. */
COLONY_API void colony_session_close(struct colony_session *session);
/* Its folder, absolute; of the session's life. */
COLONY_API const char *colony_session_path(const struct colony_session *session);
/* @cb (NULL: nobody) is told of each file that cannot be used, "FILE:LINE:COLUMN: why", on the
 * thread of the call that has met it; what it said when it was good counts. */
COLONY_API void colony_session_on_problem(struct colony_session *session,
                                          void (*cb)(const char *line, void *data), void *data);
/* What is run as supervisor; NULL: the installed colony. Copies. -ENOMEM. */
COLONY_API int colony_session_set_program(struct colony_session *session, const char *program,
                                          struct colony_error *err);

enum colony_choice { COLONY_AS_IT_IS, COLONY_NO, COLONY_YES };

/* What is to be otherwise of a process. All-zero: nothing, or of a new one the default. Borrowed
 * for the call. */
struct colony_session_change {
    const char *alias;           /* a name for people */
    enum colony_choice restart;  /* the supervisor starts it, and again when it ends */
    enum colony_choice shutdown; /* colony_session_deactivate() stops it */
    const char *const *cmdline;  /* of its next start; NULL-terminated, as the next */
    const char *const *env;      /* KEY=VALUE, instead of what its file says; empty: nothing */
    const char *cwd;             /* "": the workspace */
    const char *state;           /* what it looks like now is that state (attach, update) */
};

struct colony_session_started {
    char name[256]; /* two words, or those of its file */
    pid_t pid;      /* 0: it waits for others, and the supervisor will start it */
};

/* What a stop came to; left: how many of the session run on (deactivate). */
struct colony_session_ended {
    size_t stopped;
    size_t killed;
    size_t left;
};

/*
 * Runs @what: an uri, or a process by its alias or name. @change and @started may be NULL. -EINVAL:
 * not an uri that can be run; -EEXIST: the alias is another's; -EBUSY: it runs, or waits for others
 * while no supervisor would start it later; -EIO: its program cannot be run (a new process is not
 * kept then).
 */
COLONY_API int colony_session_start(struct colony_session *session, const char *what,
                                    const struct colony_session_change *change,
                                    struct colony_session_started *started,
                                    struct colony_error *err);
/*
 * Takes the running process @pid, whoever started it; one that is taken already is changed. @change
 * and @taken may be NULL. -ESRCH; -EPERM: another user's; -EEXIST: the alias is another's.
 */
COLONY_API int colony_session_attach(struct colony_session *session, pid_t pid,
                                     const struct colony_session_change *change,
                                     struct colony_session_started *taken,
                                     struct colony_error *err);
/* Changes what its file in etc says, and has the supervisor look at it; what runs is left as it is.
 * -ESRCH: it is down, and its state was to be named. */
COLONY_API int colony_session_update(struct colony_session *session, const char *who,
                                     const struct colony_session_change *change,
                                     struct colony_error *err);
/* Forgets it, with all dependences on it, and leaves it running. */
COLONY_API int colony_session_detach(struct colony_session *session, const char *who,
                                     struct colony_error *err);
/* Stops @who (NULL: all, who waits for others first), and waits until all is gone. @ended (may be
 * NULL) is filled also when some could not be stopped: -EPERM, -ETIMEDOUT. */
COLONY_API int colony_session_stop(struct colony_session *session, const char *who,
                                   struct colony_session_ended *ended, struct colony_error *err);

/*
 * Waits until @condition holds, such as "len(fp['listen']) > 0" or "state == 'operative'".
 * -ETIMEDOUT after @timeout_ms; -ESRCH: it is down, and nobody starts it again; -EINVAL, -E2BIG: of
 * the condition, with the column.
 */
COLONY_API int colony_session_wait(struct colony_session *session, const char *who,
                                   const char *condition, uint64_t timeout_ms,
                                   struct colony_error *err);

/* All-zero: the fingerprint of now and all that were saved. */
struct colony_session_look {
    const char *state; /* of those that were saved only this one; with saves: save it as this */
    bool saves;        /* keep the one of now, for the state or as what it was seen like last */
    bool compares;     /* with what differs between now and each saved one */
};
/*
 * What @who has open: {"name", "alias", "state", "pid", "fingerprint": {"files", "listen", "udp",
 * "established", "cmdline"}, "states": {STATE: {"fingerprint", "score", "changes": {"files":
 * {"kept", "gone", "added"}, …}}}}; pid and fingerprint are null while it is down. @how and @out
 * may be NULL. -ESRCH: it is down and was to be saved or compared; -ENOENT: no such state, either.
 */
COLONY_API int colony_session_fingerprint(struct colony_session *session, const char *who,
                                          const struct colony_session_look *how, struct cJSON **out,
                                          struct colony_error *err);

/*
 * @child is to be started once @parent, "NAME:STATE" or "NAME" (any state but starting), is as it
 * says. @on_loss, when it leaves that state: "keep" (the child runs on), "stop" or "restart"; NULL:
 * as it is, at first keep. 1; 0: it was so. -ELOOP with the circle.
 */
COLONY_API int colony_session_dependence_add(struct colony_session *session, const char *parent,
                                             const char *child, const char *on_loss,
                                             struct colony_error *err);
/* @parent without a state: in all states. How many there were. */
COLONY_API int colony_session_dependence_remove(struct colony_session *session, const char *parent,
                                                const char *child, struct colony_error *err);
/* [{"child", "parent", "state" (or null), "on_loss"}, …]. */
COLONY_API int colony_session_dependence_list(struct colony_session *session, struct cJSON **out,
                                              struct colony_error *err);

/*
 * Begins to supervise, in the background, by a process of its own that outlives the program: takes
 * over what runs, starts what has restart, each once those it waits for are as they must be. 1 once
 * that is under way; 0: it was supervised. -EILSEQ: etc/session.yaml cannot be used; -ENOENT: there
 * is no program to run; -EIO with why it did not begin.
 */
COLONY_API int colony_session_activate(struct colony_session *session, struct colony_error *err);
/* Stops what has shutdown, and ends the supervisor. @ended may be NULL. */
COLONY_API int colony_session_deactivate(struct colony_session *session,
                                         struct colony_session_ended *ended,
                                         struct colony_error *err);
/* Its supervisor's pid, or 0. */
COLONY_API pid_t colony_session_supervisor(const struct colony_session *session);

/*
 * {"name", "alias", "uri", "state", "pid", "uptime" (seconds), "restart", "shutdown", "parents":
 * [{"parent", "state", "on_loss", "met"}], "score", "cmdline"}, as they are now; null is what there
 * is not.
 */
COLONY_API int colony_session_find(struct colony_session *session, const char *who,
                                   struct cJSON **out, struct colony_error *err);
/* The same of all, by name, each borrowed by @cb for the call; until it returns something else than
 * 0, which is returned then, or a negative errno. It may use the session. */
COLONY_API int colony_session_each(struct colony_session *session,
                                   int (*cb)(const struct cJSON *process, void *data), void *data,
                                   struct colony_error *err);

#ifdef __cplusplus
}
#endif

#endif
