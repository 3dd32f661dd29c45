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
 *
 * A struct colony_rpc_daemon is what others find by its name (`colony rpc call NAME …`, a proxy as
 * below) and speak to as docs/rpc-protocol.md says. Beside what the program exposes it has, as
 * every daemon, the attributes `running` and `uptime` and the method `stop`. It serves on a thread
 * of its own; libzmq is opened when it starts.
 *
 * A struct colony_rpc_proxy is the other end: it asks one daemon and waits for the answer.
 */
struct colony_rpc_daemon;
struct colony_rpc_proxy;

/* What a method or an attribute is refused with, as clients see it. */
struct colony_rpc_error {
    int code;          /* JSON-RPC's; 0: the one of the errno that was returned */
    char type[64];     /* the name of an exception: Python's, or one of the program's own; "": the
                          code's */
    char message[512]; /* one line; "": that of the errno */
};
/* Fills @error by a format of printf's (@type may be NULL) and returns @code, a negative errno.
 * Any thread. */
COLONY_API int colony_rpc_throw(struct colony_rpc_error *error, int code, const char *type,
                                const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;

enum colony_rpc_flags {
    COLONY_RPC_ON_LOOP = 1,     /* its functions are called on the thread that serves, one after the
                                   other, and must not block: all clients wait meanwhile. Others are
                                   called on the workers, several at once */
    COLONY_RPC_FOR_READERS = 2, /* a method: a client whose key may only read may call it, too */
};

/* Copied when it is exposed; the functions are called with what was given there as @data. */
struct colony_rpc_method {
    const char *name;
    /* The names of its parameters, "msg urgent?": those with a `?` may be left out. It is given an
     * object of them, however the client has said them, and never more nor less. NULL: it is given
     * what came: a list, an object, or NULL. */
    const char *params;
    const char *doc; /* "insert_message(msg): …"; NULL: none */
    unsigned flags;
    /* @params is borrowed; *result becomes the library's (NULL stays null). Returns 0, or a
     * negative errno with *error, which begins empty. */
    int (*call)(const struct cJSON *params, struct cJSON **result, struct colony_rpc_error *error,
                void *data);
};

/* Without functions the library keeps the value: see colony_rpc_put(). */
struct colony_rpc_attribute {
    const char *name; /* those that begin with `pst` outlive the program */
    const char *doc;
    unsigned flags;
    bool is_read_only; /* for clients. So is one with `get` and no `set`, unless its name begins
                          with `pst`, which needs both */
    int (*get)(struct cJSON **value, struct colony_rpc_error *error, void *data);
    int (*set)(const struct cJSON *value, struct colony_rpc_error *error, void *data);
};

/* Where attributes are kept whose names begin with `pst`, if not where the settings say. Called on
 * threads of the library's, one call at a time, and may block. */
struct colony_rpc_persister {
    /* An object as it was saved last, the library's then; NULL: nothing was. An error keeps the
     * daemon from starting. */
    int (*load)(struct cJSON **saved, void *data, struct colony_error *err);
    /* All of them. 0: they outlive the program now; an error is told and it is tried again. */
    int (*save)(const struct cJSON *attributes, void *data, struct colony_error *err);
    void *data;
};

/*
 * A daemon that does nothing yet. @settings is a text of YAML or JSON with what stands below `rpc:`
 * in docs/configuration.md, but `name` and `program` ("pst: {class_name: sqlite, frequency: 10}");
 * NULL: all defaults. So it listens on the first free port of 51000 to 51100 of 127.0.0.1, or of
 * 0.0.0.0 where there are keys, and `pst` is saved each minute into STATE/rpc/NAME.json (.db:
 * sqlite), STATE being the user's state folder of colony. -EINVAL with the reason; -ENOMEM.
 */
COLONY_API int colony_rpc_open(struct colony_rpc_daemon **out, const char *name,
                               const char *settings, struct colony_error *err);

/* These say what it has and are called before it starts (-EBUSY). Names are a letter, then letters,
 * digits and `_`, 64 bytes at most, each once (-EEXIST), and 1,000 in all (-ENOSPC); `stop`,
 * `getattr`, `setattr`, `dir` and `doc` are taken, a `running` or `uptime` of the program's hides
 * the library's. -EINVAL; -ENOMEM. @data is kept. */
COLONY_API int colony_rpc_expose_method(struct colony_rpc_daemon *daemon,
                                        const struct colony_rpc_method *method, void *data,
                                        struct colony_error *err);
/* @value is the first one where the library keeps it (else NULL), and copied; saved ones replace
 * it. */
COLONY_API int colony_rpc_expose_attr(struct colony_rpc_daemon *daemon,
                                      const struct colony_rpc_attribute *attribute,
                                      const struct cJSON *value, void *data,
                                      struct colony_error *err);
/* One of several functions of the program's work, each called on a thread of its own when all is
 * served, with @data; it returns soon after colony_rpc_running() is false. The daemon ends when all
 * have returned; without any it serves until it is stopped. */
COLONY_API int colony_rpc_add_run(struct colony_rpc_daemon *daemon,
                                  void (*run)(struct colony_rpc_daemon *daemon, void *data),
                                  void *data, struct colony_error *err);
/* What `doc` without a name answers. Copied. */
COLONY_API int colony_rpc_describe(struct colony_rpc_daemon *daemon, const char *doc,
                                   struct colony_error *err);
/* How many calls are carried out at once (4 by default, 256 at most), and how many more may wait
 * (1,024 at most and by default; those above are refused with -32006, and counted). */
COLONY_API int colony_rpc_set_workers(struct colony_rpc_daemon *daemon, unsigned workers,
                                      unsigned waiting, struct colony_error *err);
/* Copied. */
COLONY_API int colony_rpc_set_persister(struct colony_rpc_daemon *daemon,
                                        const struct colony_rpc_persister *persister,
                                        struct colony_error *err);
/* SIGTERM, say, ends it from its start to its end: the one signal handler there is. Eight at most.
 */
COLONY_API int colony_rpc_stop_on_signal(struct colony_rpc_daemon *daemon, int signum,
                                         struct colony_error *err);

/*
 * Reads what was saved, listens, enters the registry and begins the run functions; clients are
 * served when it returns, and no sooner. Blocks as long as reading takes. Once in its life, after
 * any fork(). -EADDRINUSE, -EACCES (an address beyond this machine without keys); -EEXIST: this
 * program has a daemon of that name already; -EBUSY: another program saves its attributes in the
 * same place; -ENOENT: libzmq is not installed; what reading them says.
 */
COLONY_API int colony_rpc_start(struct colony_rpc_daemon *daemon, struct colony_error *err);
/* False from the moment it is asked to stop. Any thread. */
COLONY_API bool colony_rpc_running(const struct colony_rpc_daemon *daemon);
/* Waits that many milliseconds, or until it is asked to stop; returns colony_rpc_running(). Any
 * thread but the daemon's own (ON_LOOP). */
COLONY_API bool colony_rpc_sleep(struct colony_rpc_daemon *daemon, uint64_t ms);
/* Asks it to stop: no more calls are taken, those under way are finished, run functions return,
 * `pst` attributes are saved, and it leaves the registry. Returns at once; any thread, and signal
 * handlers. */
COLONY_API void colony_rpc_stop(struct colony_rpc_daemon *daemon);
/* Blocks until it has ended; not in any function of its own. 0; why attributes could not be saved
 * at the end; -EINVAL: it was never started. */
COLONY_API int colony_rpc_wait(struct colony_rpc_daemon *daemon, struct colony_error *err);
/* colony_rpc_start() and colony_rpc_wait(). */
COLONY_API int colony_rpc_run(struct colony_rpc_daemon *daemon, struct colony_error *err);
/* Stops and waits for it if it runs. When nobody uses it any more. NULL is fine. */
COLONY_API void colony_rpc_close(struct colony_rpc_daemon *daemon);

/* "tcp://127.0.0.1:51000"; "" before it has started. Lives as long as the daemon. */
COLONY_API const char *colony_rpc_endpoint(const struct colony_rpc_daemon *daemon);
/* The value of an attribute that the library keeps, the caller's; set by clients meanwhile.
 * -ENOENT; -ENOMEM. Any thread. */
COLONY_API int colony_rpc_value(struct colony_rpc_daemon *daemon, const char *name,
                                struct cJSON **value, struct colony_error *err);
/* Sets it, to a copy. -ENOENT; -EMSGSIZE above 256 KiB; -ENOMEM. Any thread. */
COLONY_API int colony_rpc_put(struct colony_rpc_daemon *daemon, const char *name,
                              const struct cJSON *value, struct colony_error *err);
/* {"requests": …, "repeated", "malformed", "too_large", "refused", "dropped", "connections",
 * "rejected", "waiting"}: how many there were, and wait for a worker now. The caller's; NULL: no
 * memory, or it does not run. Any thread. */
COLONY_API struct cJSON *colony_rpc_figures(struct colony_rpc_daemon *daemon);

/* What a daemon that wants keys needs; any may be NULL. */
struct colony_rpc_access {
    const char *key_file;   /* our own (`colony rpc keygen`); NULL: where that puts them */
    const char *server_key; /* its public key, where the registry does not tell */
};
/*
 * A proxy of the daemon at @place: NAME or NAME:PORT of this machine's registry; NAME:HOST, found
 * by ssh(1), which asks nobody for anything and is a child of the program's for 30 s at most;
 * HOST:PORT. @access may be NULL. It may
 * begin to connect only. -ENOENT: there is no such daemon, with the nearest name; -EINVAL; -EACCES:
 * the keys; -EHOSTUNREACH, -ETIMEDOUT: the other host did not tell. Any thread; each proxy is used
 * by one at a time, and blocks.
 */
COLONY_API int colony_rpc_connect(struct colony_rpc_proxy **out, const char *place,
                                  const struct colony_rpc_access *access, struct colony_error *err);
/* For each question from now on; UINT64_MAX, as in the beginning: as long as it takes. */
COLONY_API void colony_rpc_set_timeout(struct colony_rpc_proxy *proxy, uint64_t timeout_ms);
/*
 * These three ask and wait. A connection that is lost is made again, and what was asked is carried
 * out once. @params is a list, an object or NULL; results are the caller's.
 *
 * -ETIMEDOUT; -ECONNREFUSED: nothing listens there; -EACCES: our key is not taken; -EPROTO,
 * -EMSGSIZE, -ECONNRESET. What the daemon answered as an error is "TYPE: message": -ENOENT (there
 * is no such thing), -EINVAL (parameters), -EPERM, -EBUSY, -ESRCH (it does not run), -EAGAIN (not
 * now), -ETIMEDOUT, else -EREMOTEIO; colony_rpc_raised() has all of it.
 */
COLONY_API int colony_rpc_get(struct colony_rpc_proxy *proxy, const char *name,
                              struct cJSON **value, struct colony_error *err);
COLONY_API int colony_rpc_set(struct colony_rpc_proxy *proxy, const char *name,
                              const struct cJSON *value, struct colony_error *err);
COLONY_API int colony_rpc_call(struct colony_rpc_proxy *proxy, const char *method,
                               const struct cJSON *params, struct cJSON **result,
                               struct colony_error *err);
/* The error that the daemon answered the last question with; NULL: it did not. Until the next. */
COLONY_API const struct colony_rpc_error *colony_rpc_raised(const struct colony_rpc_proxy *proxy);
/* NULL is fine. */
COLONY_API void colony_rpc_disconnect(struct colony_rpc_proxy *proxy);

/* --- files: the folders of processes and messages ----------------------------------------------
 */

/* --- session: a working directory of related processes -----------------------------------------
 */

#ifdef __cplusplus
}
#endif

#endif
