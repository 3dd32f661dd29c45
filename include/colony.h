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
 *
 * A struct colony_daemon is a program that is a daemon itself: work of its own (`run`, and slaves
 * beside it), events that others send it, and what it tells of itself, over HTTP and UDP just as
 * `colony serve` does with `master:` (docs/events.md). It has neither keeper nor processes.
 *
 * Threads: colony_daemon_start() runs the loop, which serves, on the thread that calls it. `run`,
 * each slave, `process_event`, `status` (with those of slaves) and `ping` have a thread of their
 * own each: none holds up the server or another one, and each is called once at a time.
 */
struct colony_daemon;
struct colony_daemon_ping;

/* Any may be NULL. */
struct colony_daemon_callbacks {
    /* The daemon's work. When it returns the daemon ends; it is to return soon after
     * colony_daemon_is_stopping(). NULL: the daemon ends by colony_daemon_stop(). */
    void (*run)(struct colony_daemon *daemon, void *data);
    /* An event, any JSON value, borrowed; in the order in which they came, one at a time.
     * `events_queue` counts it until this returns. NULL: the daemon logs it. */
    void (*process_event)(struct colony_daemon *daemon, const struct cJSON *event, void *data);
    /* Adds to what /status answers, or changes it. */
    void (*status)(struct colony_daemon *daemon, struct cJSON *status, void *data);
    /* Whether all is well: colony_daemon_answer_ping(). NULL: it is. */
    void (*ping)(struct colony_daemon *daemon, struct colony_daemon_ping *ping, void *data);
    void *data;
};

/* One slave. */
struct colony_daemon_slave {
    const char *name; /* copied. In logs it is NAME-1, NAME-2, …; in /status NAME alone, unless
                         there are several */
    void (*run)(struct colony_daemon *daemon, void *data);
    /* Adds to the object of the slave in /status. May be NULL. */
    void (*status)(struct colony_daemon *daemon, struct cJSON *status, void *data);
    /* Called once `run` has returned, and nobody uses @data any more. May be NULL. */
    void (*end)(void *data);
    void *data;
};

enum colony_daemon_level {
    COLONY_DAEMON_ERROR,
    COLONY_DAEMON_WARNING,
    COLONY_DAEMON_INFO,
    COLONY_DAEMON_DEBUG,
};

/* A daemon that does nothing yet; @name is what logs and /status call it, 64 bytes at most. Copies
 * both. -EINVAL, -ENOMEM, -EMFILE. */
COLONY_API int colony_daemon_open(struct colony_daemon **out, const char *name,
                                  const struct colony_daemon_callbacks *callbacks,
                                  struct colony_error *err);
/*
 * Settings of a file or of memory (YAML, which JSON is, too), once; without any it has all
 * defaults, and says so in its log. `master` (host, port, hidden_opts), `events` (limits, handlers
 * beside process_event: log, webhook and zmq; tokens) and `juggler` (where
 * colony_daemon_send_event_to_juggler() sends to) are as in docs/configuration.md; all else is the
 * program's. A program with a key of such a name has colony's under `colony:`. -EINVAL, and what
 * reading says; -EBUSY: it has settings.
 */
COLONY_API int colony_daemon_load(struct colony_daemon *daemon, const char *path,
                                  struct colony_error *err);
COLONY_API int colony_daemon_load_text(struct colony_daemon *daemon, const char *text, size_t size,
                                       struct colony_error *err);
/* The folder in which `events: {durable: true}` keeps them; made if it is not there, and nobody
 * else's. Copied. -ENOMEM. */
COLONY_API int colony_daemon_set_state(struct colony_daemon *daemon, const char *path,
                                       struct colony_error *err);

/* The program's own settings, an object, secrets and all; and host, port and hidden_opts. Borrowed,
 * and never changed after loading: any thread then. NULL before. */
COLONY_API const struct cJSON *colony_daemon_config(const struct colony_daemon *daemon);
COLONY_API const struct cJSON *colony_daemon_master_config(const struct colony_daemon *daemon);
/* That it listens on, once `run` is called; 0 before. Any thread. */
COLONY_API unsigned colony_daemon_port(const struct colony_daemon *daemon);

/*
 * Listens, begins `run` and serves until the daemon has ended: `run` has returned or somebody has
 * called colony_daemon_stop(), and `run` and all slaves are back. Then events that wait are handled
 * for 3 s at most. Once. 0; -EADDRINUSE, -EACCES, … (docs/events.md); -ENOTSUP: a handler of
 * `events` takes an engine (exec, stdin, bus); -EALREADY.
 */
COLONY_API int colony_daemon_start(struct colony_daemon *daemon, struct colony_error *err);
/* Any thread until colony_daemon_free(), and signal handlers. Returns at once. */
COLONY_API void colony_daemon_stop(struct colony_daemon *daemon);
/* Has SIGTERM and SIGINT stop it from colony_daemon_start() on: handlers of signals that are
 * installed. The second one does what it does to a program without. */
COLONY_API void colony_daemon_stop_on_signals(struct colony_daemon *daemon);
/* Not while it runs. NULL is fine. */
COLONY_API void colony_daemon_free(struct colony_daemon *daemon);

/* For threads of the program's, any of them. */
COLONY_API bool colony_daemon_is_stopping(const struct colony_daemon *daemon);
/* Waits so long, or until the daemon stops, or, in a slave, until colony_daemon_wake(). False: it
 * stops. */
COLONY_API bool colony_daemon_sleep(struct colony_daemon *daemon, uint64_t ms);
/* Has the slaves called @name wake up, or not fall asleep the next time. */
COLONY_API void colony_daemon_wake(struct colony_daemon *daemon, const char *name);
/* Begins a slave on a thread of its own; once colony_daemon_start() was called, any thread.
 * -EINVAL; -ESHUTDOWN: the daemon stops; -EAGAIN, -ENOMEM. On failure @slave->end is not called. */
COLONY_API int colony_daemon_run_slave(struct colony_daemon *daemon,
                                       const struct colony_daemon_slave *slave,
                                       struct colony_error *err);

/* What /ping answers, 1,023 bytes at most: @status 200 and a text ("OK\n" unless something is
 * said), or another status (400…599) and why: {"message": TEXT, "result": false}. Inside `ping`. */
COLONY_API void colony_daemon_answer_ping(struct colony_daemon_ping *ping, int status,
                                          const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/*
 * Has one line for each event from @least upwards written to @fd (1: stdout), which is borrowed:
 * time, thread, name, level and text, in columns. Before colony_daemon_start(); without this
 * nothing is written anywhere.
 */
COLONY_API void colony_daemon_log_to(struct colony_daemon *daemon, int fd,
                                     enum colony_daemon_level least);
/* Adds a line of the program's, 1,023 bytes at most. Any thread. */
COLONY_API void colony_daemon_log(struct colony_daemon *daemon, enum colony_daemon_level level,
                                  const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/*
 * Sends an event to Juggler, soon, and again until it has it; the daemon waits 3 s for that when it
 * ends. @host NULL: this machine, or what `juggler: host` says; @status: "OK", "WARN", "CRIT" or
 * "INFO". All is copied. Any thread, once there are settings. 0; -EINVAL: another status; -ENOENT:
 * there is no `juggler: url`; -EMSGSIZE: over 16 KiB in all; -EAGAIN: 1,000 wait; -ESHUTDOWN,
 * -ENOMEM.
 */
COLONY_API int colony_daemon_send_event_to_juggler(struct colony_daemon *daemon, const char *host,
                                                   const char *service, const char *status,
                                                   const char *description);

enum colony_daemonize_flags {
    COLONY_DAEMONIZE_WAIT = 1, /* the calling process ends only at colony_daemonize_ready() */
};

/*
 * Has the program go on in a process of its own, away from its terminal: a session of its own, / as
 * working folder, umask 022, and /dev/null as standard input, output and error. The process that
 * calls ends by _exit(0), and that is the point; so call it before there are threads, loops and
 * anything else of colony's. @pid_file (may be NULL) gets its pid, is locked as long as the new
 * process lives, and is left behind.
 *
 * 0: in the new process. Errors are told in the calling one, which goes on: -EBUSY: there are
 * threads; -EEXIST: a process holds @pid_file, with its pid; what writing that and forking say;
 * -ECHILD: with WAIT, it ended before it was ready.
 */
COLONY_API int colony_daemonize(const char *pid_file, unsigned flags, struct colony_error *err);
/* After COLONY_DAEMONIZE_WAIT: the calling process may end now. Any thread. */
COLONY_API void colony_daemonize_ready(void);

/* --- RPC: methods and attributes over ZeroMQ ---------------------------------------------------
 */

/* --- files: the folders of processes and messages ----------------------------------------------
 */

/* --- session: a working directory of related processes -----------------------------------------
 */

#ifdef __cplusplus
}
#endif

#endif
