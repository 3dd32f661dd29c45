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
#include <stdio.h>
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

/* The log of the library, all engines', which writes nothing by itself: @fn has each line, without
 * its end, on whatever thread it comes from. @severity: 0 error, 1 warning, 2 info, 3 debug. NULL:
 * no more. Not while anything of the library runs. */
COLONY_API void colony_set_logger(void (*fn)(int severity, const char *text, void *data),
                                  void *data);

/* --- the engine: processes kept alive ----------------------------------------------------------
 *
 * A struct colony is one engine in this program, and a keeper beside it: a process (`colony
 * keeper`) that is the parent of all that the engine runs, so that the program's own children are
 * its own. There may be several, each with a state folder of its own.
 */
struct colony;

/* What is said before it starts; each is a text, and NULL is its default. */
enum colony_engine_option {
    COLONY_STATE,   /* its state folder; the default is one of its own, removed at the end */
    COLONY_PROGRAM, /* the program run as keeper; the default is the installed colony */
    COLONY_LEAVES,  /* "yes": what runs goes on when the program ends, or dies, and is taken over by
                       the next engine of that state folder; what reads its redirected input sees
                       the end of that. The default: it is stopped */
    COLONY_NAME,    /* of this engine, as /status and logs have it; the default is the program's */
};

/* On the loop. Any may be NULL. */
struct colony_callbacks {
    /* All that lives is known, what is to run is started and controllers serve. */
    void (*ready)(struct colony *colony, void *data);
    /* It has ended; @error is why, code 0: it was asked to. Where it was to stop and no keeper
     * could be started any more, it tells that what ran lives on. Last of all callbacks; it may
     * free
     * @colony, or start it again. */
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
COLONY_API int colony_engine_set(struct colony *colony, enum colony_engine_option option,
                                 const char *value, struct colony_error *err);
/* Settings as in docs/configuration.md, of a file or of memory (YAML, which JSON is, too); once:
 * -EEXIST. Templates may be added without any. -EBUSY: it runs; errors begin with the place. */
COLONY_API int colony_engine_load(struct colony *colony, const char *path,
                                  struct colony_error *err);
COLONY_API int colony_engine_load_text(struct colony *colony, const char *text, size_t size,
                                       struct colony_error *err);
/*
 * Starts the keeper, and with it all there is; `ready` tells when. It may wait, half a second for
 * each: for a state folder whose last program was just killed, and for addresses. -EBUSY: another
 * engine holds its state folder, or what is left of a start that failed is not closed yet, which
 * the loop does; -ENOENT: there is no program to be run as keeper; -EPROTO: it is no colony, or
 * says nothing for 20 seconds (or `stopped` tells that).
 */
COLONY_API int colony_engine_start(struct colony *colony, struct colony_error *err);
/* Starts it unless it is, and runs its loop until `stopped`. Not inside a callback. 0, or why.
 * Where a callback frees @colony it ends when nothing of that is left. */
COLONY_API int colony_engine_run(struct colony *colony, struct colony_error *err);
/* Stops its processes, unless it leaves them, and then the engine; at the second time without
 * grace. Where the keeper does not answer, not longer than 20 seconds after that: then `stopped`
 * tells -ETIMEDOUT, and the keeper ends what still runs as soon as it can. Before it is started it
 * holds for the next start, which begins nothing and is told `stopped`. @why for people; copied.
 * Any thread. */
COLONY_API void colony_engine_stop(struct colony *colony, const char *why);
/* Closes what is open; a living engine as colony_engine_stop() does, unless that was called
 * already: then its processes have the grace that this gave them. From now on none of its
 * callbacks, listeners and routes is called any more, but what was posted or written before is
 * told, and controllers are closed. @cb (may be NULL) on the loop, when nothing of it is left: with
 * a loop of its own before this returns, unless colony_engine_run() is under way, in whose
 * callbacks this may be called, too: then before that returns. NULL is fine. */
COLONY_API void colony_engine_free(struct colony *colony, void (*cb)(void *data), void *data);
/* For handles of the program's own. */
COLONY_API struct uv_loop_s *colony_engine_loop(struct colony *colony);
/* Calls @fn on the loop, in a later turn; what one thread posts is called in that order, and what
 * still waits when @colony is freed before that is told. It keeps no loop running that has nothing
 * else to do. Any thread, until colony_engine_free(). -EAGAIN: 16 MiB of what was posted and
 * published wait already, half a million calls; -ENOMEM. */
COLONY_API int colony_engine_post(struct colony *colony,
                                  void (*fn)(struct colony *colony, void *arg), void *arg);

/* How settings are read again. All-zero: they are, and nobody is told. */
struct colony_reload {
    bool is_dry; /* nothing is changed: only the steps are told */
    /* On the loop; texts are borrowed for the call. Either may be NULL.
     * Each step of one that succeeds: @action is "start", "stop", "restart" or "update" (without a
     * restart) of the template @name, or "ignore" of a section that takes another start of the
     * engine. */
    void (*step)(const char *action, const char *name, const char *why, void *data);
    /* Once, after them: 0; or nothing was changed, because of @why ("FILE:LINE:COLUMN: …"), which
     * is NULL at 0. -ESHUTDOWN: the engine ended meanwhile, or began anew with another keeper. */
    void (*done)(int rc, const char *why, void *data);
    void *data;
};
/*
 * Has a living engine (else -EAGAIN) read the file of colony_engine_load() again, off the loop, and
 * go over to it, as SIGHUP to its keeper and `colony ctl reload` do. What the program added stays.
 * @reload (may be NULL) is copied; `done` is told later, unless this fails, also when @colony is
 * freed before. -ENOENT: there is no such file; -EALREADY: another one is under way; -ESHUTDOWN,
 * -ENOMEM.
 */
COLONY_API int colony_engine_reload(struct colony *colony, const struct colony_reload *reload,
                                    struct colony_error *err);

/* --- templates: what is to run -----------------------------------------------------------------
 *
 * What follows, up to the events, is asked of a living engine: from `ready` until `stopped`, on its
 * loop; else it is -EAGAIN. Where nothing of that name or id is there it is -ENOENT, and -ESHUTDOWN
 * while it ends. Changes are made at once, and events tell what becomes of them.
 *
 * A template of a program goes with this run of it: it is not remembered, and is added again by the
 * next one. What COLONY_LEAVES left running of it becomes the one of the template of that name that
 * is added then, and goes on.
 */

/*
 * Adds a template and starts it, unless it has `start: false`. @settings: the settings of one
 * process, as docs/configuration.md has them, with its `name`; YAML, which JSON is, too. -EEXIST:
 * the name is taken; -EINVAL: what is wrong, with its place.
 */
COLONY_API int colony_template_add(struct colony *colony, const char *settings,
                                   struct colony_error *err);
COLONY_API int colony_template_add_json(struct colony *colony, const struct cJSON *settings,
                                        struct colony_error *err);
/* Gives the template of that name new settings; its processes are started anew if these need that.
 * -EBUSY: it belongs to a file or to a session, which say what it is; that goes for removing and
 * scaling as well. */
COLONY_API int colony_template_update(struct colony *colony, const char *settings,
                                      struct colony_error *err);
COLONY_API int colony_template_update_json(struct colony *colony, const struct cJSON *settings,
                                           struct colony_error *err);
/* Stops it and forgets it. */
COLONY_API int colony_template_remove(struct colony *colony, const char *name,
                                      struct colony_error *err);
/* Starting what runs and stopping what is stopped succeed; restarting what is stopped starts it. */
COLONY_API int colony_template_start(struct colony *colony, const char *name,
                                     struct colony_error *err);
COLONY_API int colony_template_stop(struct colony *colony, const char *name,
                                    struct colony_error *err);
COLONY_API int colony_template_restart(struct colony *colony, const char *name,
                                       struct colony_error *err);
/* So many processes, or @change more or fewer; those of the highest numbers are stopped. How many
 * there are then, at most 10,000: -EINVAL. */
COLONY_API int colony_template_scale(struct colony *colony, const char *name, uint32_t count,
                                     struct colony_error *err);
COLONY_API int colony_template_scale_by(struct colony *colony, const char *name, int change,
                                        struct colony_error *err);
/* To each living process of it. @signal: its number, 1 to 64 (-EINVAL). -ESRCH: none lives. */
COLONY_API int colony_template_signal(struct colony *colony, const char *name, int signal,
                                      struct colony_error *err);
/* Its settings, with defaults, as GET /processes/NAME answers. The caller's, for cJSON_Delete. */
COLONY_API int colony_template_get(struct colony *colony, const char *name, struct cJSON **out,
                                   struct colony_error *err);

/* How it is doing. */
struct colony_template_state {
    const char *origin;    /* who it comes from: "program", "config", "http", "file", "session" */
    uint32_t numprocesses; /* how many it is to have */
    uint32_t running;      /* how many live */
    bool is_active;        /* something of it starts, runs or is being stopped */
};
COLONY_API int colony_template_state(struct colony *colony, const char *name,
                                     struct colony_template_state *out, struct colony_error *err);
/* All of them, in the order in which they were added. None is to be added or removed in @each. */
COLONY_API int colony_template_each(struct colony *colony,
                                    void (*each)(const char *name, void *data), void *data,
                                    struct colony_error *err);

/* --- processes: what runs ----------------------------------------------------------------------
 *
 * A process is meant by its internal id, which counts up and is never another's: an id that is kept
 * too long is -ENOENT. An os pid may be somebody else's by then.
 */
struct colony_process_info {
    uint64_t id; /* 0: none lives in this slot */
    pid_t os_pid;
    uint32_t slot;          /* its place among those of its template, from 1 */
    const char *name;       /* of the template; texts hold until the callback returns, or the loop
                               turns */
    const char *state;      /* of the slot: "running", "ready", "backoff", "stopped", … */
    uint64_t started_at_ms; /* time of day, since 1970 */
    uint64_t uptime_ms;
    uint64_t restarts; /* of the slot, since somebody last started it */
};
COLONY_API int colony_process_find(struct colony *colony, uint64_t id,
                                   struct colony_process_info *out, struct colony_error *err);
/* The slots of @name, in order; NULL: of all templates. Also those in which none lives. No template
 * is to be added, removed or scaled in @each. */
COLONY_API int colony_process_each(struct colony *colony, const char *name,
                                   void (*each)(const struct colony_process_info *info, void *data),
                                   void *data, struct colony_error *err);
/* Its slot stays stopped until somebody starts the template. */
COLONY_API int colony_process_stop(struct colony *colony, uint64_t id, struct colony_error *err);
COLONY_API int colony_process_signal(struct colony *colony, uint64_t id, int signal,
                                     struct colony_error *err);

/* --- events, stats and output: what happens ----------------------------------------------------
 *
 * All three tell by one callback, on the loop: @evtype says what happened, @msg what there is to
 * know of it, during the call only. Who listens goes on when the keeper had to be replaced, and may
 * end with the call that is under way, or begin others in it.
 */
struct colony_listener;
struct colony_msg;
typedef void (*colony_listen_cb)(const char *evtype, const struct colony_msg *msg, void *data);

/* As an object: of an event what GET /watch tells, of a sample what GET /stats/NAME/ID tells, of a
 * topic of the program's what was published. Made when it is asked for; NULL: it has none (output),
 * or there is no memory. */
COLONY_API const struct cJSON *colony_msg_json(const struct colony_msg *msg);
/* Of output, as it was written; no text: it may have any bytes and ends without a NUL. NULL: it has
 * none. */
COLONY_API const char *colony_msg_bytes(const struct colony_msg *msg, size_t *size);
/* Bytes of output before these that were not told, because the program was too slow. They are in
 * the log. */
COLONY_API uint64_t colony_msg_lost(const struct colony_msg *msg);
/* The internal id of the process; 0: it is about none. */
COLONY_API uint64_t colony_msg_id(const struct colony_msg *msg);

/*
 * Tells of events. @pattern: "spawn", "exit", …; "proc.NAME" for all about a template,
 * "proc.NAME.exit" for one of those; a topic of the program's; "." for everything. A topic is told
 * to all who have it or begin it, by whole parts: "orders" hears of "orders.paid". @evtype is
 * "exit", or "proc.NAME.exit" where the pattern begins with "proc".
 *
 * Any thread, also before the engine is started. What is published after its return is told, to
 * several in the order in which they came. *out is set before @cb is called, and for
 * colony_unsubscribe(). -EINVAL: no pattern; -ENOMEM.
 */
COLONY_API int colony_subscribe(struct colony *colony, const char *pattern, colony_listen_cb cb,
                                void *data, struct colony_listener **out, struct colony_error *err);
/*
 * Ends what colony_subscribe() or colony_monitor…() began, once, before colony_engine_free(). On
 * the loop, its callback is not called any more; from another thread, one that is under way is
 * finished, and what is posted afterwards (colony_engine_post) comes after it. Any thread; NULL is
 * fine.
 */
COLONY_API void colony_unsubscribe(struct colony_listener *listener);

/*
 * Tells those who subscribed in this program of something of its own, in a later turn of the loop;
 * and while its engine runs, those who ask colony for `topic.@topic`: at /watch, and webhooks.
 * @topic: words of letters, digits, `-`, `_` and `:` with dots between, 200 bytes at most; the
 * first is no event of the engine's, nor "proc" (-EINVAL). @message (may be NULL) is copied. Any
 * thread; what one thread publishes, posts and writes is carried out in that order. -EAGAIN: 16 MiB
 * that were published and posted wait already; -ENOMEM.
 */
COLONY_API int colony_publish(struct colony *colony, const char *topic, const struct cJSON *message,
                              struct colony_error *err);

/*
 * Samples of what processes use, ten a second of each: @evtype is "STATS", and the object has
 * mem_info1, mem_info2 (bytes), cpu, mem (percent), ctime (seconds), pid (of the system), username,
 * nice, cmdline, children (a list of the same) and id. Of all processes of a template, also of
 * those started later, or of one, until it has ended. On the loop, with a living engine. -ENOENT,
 * -EMFILE, -ENOMEM. colony_unsubscribe() or colony_unmonitor() ends it.
 */
COLONY_API int colony_monitor(struct colony *colony, const char *name, colony_listen_cb cb,
                              void *data, struct colony_listener **out, struct colony_error *err);
COLONY_API int colony_monitor_process(struct colony *colony, uint64_t id, colony_listen_cb cb,
                                      void *data, struct colony_listener **out,
                                      struct colony_error *err);

/* One stream of a process: a label of its template's redirect_output or custom_streams. */
struct colony_io {
    uint64_t id;
    const char *label;
};
/*
 * What a process writes from now on; label ".": to all its streams. @evtype is the label, and the
 * message has bytes; one without any is the last: the process has ended. What it writes while the
 * keeper is replaced is told, too, but to custom_streams if it ends meanwhile. Threads as above.
 * -ENOENT: no such process; -ENOTSUP: its output is not redirected; -EINVAL: it has no such stream;
 * -EMFILE, -ENOMEM. colony_unsubscribe() or colony_unmonitor_io() ends it, also after its last
 * message.
 */
COLONY_API int colony_monitor_io(struct colony *colony, struct colony_io stream,
                                 colony_listen_cb cb, void *data, struct colony_listener **out,
                                 struct colony_error *err);
static inline void colony_unmonitor(struct colony_listener *listener)
{
    colony_unsubscribe(listener);
}
static inline void colony_unmonitor_io(struct colony_listener *listener)
{
    colony_unsubscribe(listener);
}

/* --- input: what processes read ---------------------------------------------------------------
 *
 * Any thread. Each write is copied and arrives as a whole, with nothing of others in it, or as much
 * of it as the process took before it ended. It waits while the engine is started, or its keeper
 * replaced, and what is posted and published after it waits, too. What cannot be written is told to
 * `done`, or else logged.
 */

/* To its stdin, where its template has `redirect_input: true`. -EAGAIN: 16 MiB wait already;
 * -ENOMEM. */
COLONY_API int colony_write(struct colony *colony, uint64_t id, const void *bytes, size_t size,
                            struct colony_error *err);
/* The same, in one write, of @count lines; those that have no line end get one. */
COLONY_API int colony_writelines(struct colony *colony, uint64_t id, const char *const *lines,
                                 size_t count, struct colony_error *err);

struct colony_input {
    struct colony_io stream; /* label NULL: its stdin; else one of its custom_streams */
    const void *bytes;
    size_t size;
    /* On the loop, once: 0: all of it is in the pipe. -ENOENT: no such process; -EPERM: without
     * redirect_input; -EINVAL: no such stream; -ESRCH: it reads no more; -EAGAIN: there was no
     * engine.
     * @why: one line, NULL at 0. May be NULL. */
    void (*done)(int rc, const char *why, void *data);
    void *data;
};
/* As colony_write(), for who wants to know when it is done, or writes to a custom stream. */
COLONY_API int colony_write_to(struct colony *colony, const struct colony_input *input,
                               struct colony_error *err);

/* --- controllers: parts of a program around an engine ------------------------------------------
 *
 * A controller begins, and ends, with an engine. Those of colony itself, here as functions, are
 * what `colony serve` consists of; an engine in a program has those that were added to it. What the
 * settings say of one (`http`, `files`, `master`, `webhooks`, `juggler`, `rpc`, `session`) that was
 * not added keeps the engine from starting (-ENOTSUP, with which one to add).
 */
struct colony_controller {
    unsigned interface; /* COLONY_INTERFACE; another one is refused */
    const char *name;   /* one of a name in an engine */
    /* Makes one, which the others get: once an engine runs, before `ready`. @data is that of
     * colony_engine_add_controller(), NULL in a shared object. */
    int (*create)(void **out, struct colony *colony, void *data, struct colony_error *err);
    /* These may be NULL. Start comes after create; each is followed by a stop, also one that fails.
     * In an engine that has taken over processes it is tried again each second then, else nothing
     * is run. */
    int (*start)(void *controller, struct colony_error *err);
    void (*stop)(void *controller);
    /* NULL: a stop and a start. */
    int (*restart)(void *controller, struct colony_error *err);
    /* Frees it; calls @cb with @data once nothing of it is left, perhaps at once. */
    void (*close)(void *controller, void (*cb)(void *data), void *data);
};

/* Has @controller in this engine whenever that runs; now, if it does. Both are kept until
 * colony_engine_free(). -EBUSY: it runs, and those of http, daemon and rpc have sockets, which are
 * opened when it starts; -EEXIST: there is one of that name; -ENOTSUP: it is of another interface;
 * -ENOSPC: above 64; and what its own functions say. */
COLONY_API int colony_engine_add_controller(struct colony *colony,
                                            const struct colony_controller *controller, void *data,
                                            struct colony_error *err);
/* -ENOENT: there is none of that name; -ESRCH: the engine does not run; and what it says. */
COLONY_API int colony_engine_restart_controller(struct colony *colony, const char *name,
                                                struct colony_error *err);

/* Those of colony: "http" (the control endpoint: `colony.sock` in the state folder, and what `http`
 * says), "files", "daemon" (events and status, `master`), "webhooks", "juggler", "rpc", "session".
 * Any thread. They begin anew with a keeper, which those of programs do not notice. */
COLONY_API const struct colony_controller *colony_http_controller(void);
COLONY_API const struct colony_controller *colony_files_controller(void);
COLONY_API const struct colony_controller *colony_daemon_controller(void);
COLONY_API const struct colony_controller *colony_webhooks_controller(void);
COLONY_API const struct colony_controller *colony_juggler_controller(void);
COLONY_API const struct colony_controller *colony_rpc_controller(void);
COLONY_API const struct colony_controller *colony_session_controller(void);

/* What a shared object defines that `controllers: [./x.so]` in the settings names. It, and the
 * folder it is in, must belong to root or to the user who runs the engine, and be writable by
 * nobody else: it is code. Nothing of it is called before its interface was looked at, but its
 * constructors. */
COLONY_API extern const struct colony_controller colony_controller_main;

/* A request to a route of the program's. It is there until it is answered, also when the client has
 * gone. Texts are decoded; NULL: there is none. */
struct colony_http_request;
COLONY_API const char *colony_http_request_method(const struct colony_http_request *request);
/* What stands for the upper-case parts of the pattern, from 0. */
COLONY_API const char *colony_http_request_argument(const struct colony_http_request *request,
                                                    size_t number);
/* Of `?name=value`; "": it has no value. */
COLONY_API const char *colony_http_request_query(const struct colony_http_request *request,
                                                 const char *name);
/* Whatever the case of @name. */
COLONY_API const char *colony_http_request_header(const struct colony_http_request *request,
                                                  const char *name);
/* A NUL follows its bytes. */
COLONY_API const char *colony_http_request_body(const struct colony_http_request *request,
                                                size_t *size);
/* Answers it and frees it: now or later, once. @type of the content, NULL: none. Copies @body.
 * A @status that is none (200 to 599) is 500. On the loop. */
COLONY_API void colony_http_request_answer(struct colony_http_request *request, int status,
                                           const char *type, const void *body, size_t size);

/*
 * Has @fn answer @method ("GET", which is HEAD too, "POST", "PUT", "DELETE") of paths that fit
 * @pattern, "/greet/NAME": a part that begins with an upper-case letter stands for any. It stays
 * until it is removed, or the engine has ended. Reading (GET) takes the right to read, all else the
 * right to control, as with colony's own, which come first, also in /openapi.json.
 *
 * -EINVAL: no such method, or no path (512 bytes at most); -EEXIST: colony, or a route that was
 * added before, answers all these paths already; -ENOSPC: above 256; -ENOMEM.
 */
COLONY_API int colony_http_add_route(struct colony *colony, const char *method, const char *pattern,
                                     void (*fn)(struct colony_http_request *request, void *data),
                                     void *data, struct colony_error *err);
/* -ENOENT. */
COLONY_API int colony_http_remove_route(struct colony *colony, const char *method,
                                        const char *pattern, struct colony_error *err);

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
    /* Adds to what /status answers, or changes it. What is no UTF-8 becomes '?' there. */
    void (*status)(struct colony_daemon *daemon, struct cJSON *status, void *data);
    /* Whether all is well: colony_daemon_answer_ping(). NULL: it is. */
    void (*ping)(struct colony_daemon *daemon, struct colony_daemon_ping *ping, void *data);
    void *data;
};

/* One slave. */
struct colony_daemon_slave {
    const char *name; /* as a daemon's; copied. In logs it is NAME-1, NAME-2, …; in /status NAME
                         alone, unless there are several */
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

/* A daemon that does nothing yet; @name is what logs and /status call it, 64 bytes of UTF-8 at
 * most, without control bytes. Copies both. -EINVAL, -ENOMEM, -EMFILE. */
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
/* Adds a line of the program's, 1,023 bytes at most, with '?' for control bytes and what is no
 * UTF-8. Any thread. */
COLONY_API void colony_daemon_log(struct colony_daemon *daemon, enum colony_daemon_level level,
                                  const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/*
 * Sends an event to Juggler, soon, and again until it has it; the daemon waits 3 s for that when it
 * ends. @host NULL: this machine, or what `juggler: host` says; @status: "OK", "WARN", "CRIT" or
 * "INFO". All is copied; what is no UTF-8 is sent as '?'. Any thread, once there are settings. 0;
 * -EINVAL: another status; -ENOENT: there is no `juggler: url`; -EMSGSIZE: over 16 KiB in all;
 * -EAGAIN: 1,000 wait; -ESHUTDOWN, -ENOMEM.
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
 * 0: in the new process. Errors are told in the calling one, which goes on: -EINVAL: @flags has
 * others; -EBUSY: there are threads; -EEXIST: a process holds @pid_file, with its pid; what writing
 * that and forking say; -ECHILD: with WAIT, it ended before it was ready.
 */
COLONY_API int colony_daemonize(const char *pid_file, unsigned flags, struct colony_error *err);
/* After COLONY_DAEMONIZE_WAIT: the calling process may end now. Any thread. */
COLONY_API void colony_daemonize_ready(void);

/* --- RPC: methods and attributes over ZeroMQ ---------------------------------------------------
 *
 * A struct colony_rpc_daemon is what others find by its name (`colony rpc call NAME …`, a proxy as
 * below) and speak to as docs/rpc-protocol.md says. Beside what the program exposes it has, as
 * every daemon, the attributes `running` and `uptime` and the method `stop`. It serves on a thread
 * of its own; libzmq is opened when it starts. Functions of the program's are called with the
 * signal mask of the thread that started it, but those ON_LOOP, where all signals are blocked.
 *
 * A struct colony_rpc_proxy is the other end: it asks one daemon and waits for the answer.
 */
struct colony_rpc_daemon;
struct colony_rpc_proxy;

/* What a method or an attribute is refused with, as clients see it. */
struct colony_rpc_error {
    int code;          /* JSON-RPC's, or one of the program's own; 0: that of the errno that was
                          returned */
    char type[64];     /* the name of an exception: Python's, or one of the program's own; "": the
                          code's */
    char message[512]; /* one line; "": that of the errno. `?` for what is no UTF-8, as in type */
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
    /* @params is borrowed; *result becomes the library's (NULL stays null; numbers that JSON does
     * not have, infinite ones, become null). Returns 0 (or more, which is the same), or a negative
     * errno with *error, which begins empty. */
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
 * sqlite), STATE being the user's state folder of colony. @name is one of processes', without `:`
 * and without `-` at its beginning. -EINVAL with the reason, and its place in @settings; -ENOMEM.
 */
COLONY_API int colony_rpc_open(struct colony_rpc_daemon **out, const char *name,
                               const char *settings, struct colony_error *err);

/* These say what it has and are called before it starts (-EBUSY). Names are a letter, then letters,
 * digits and `_`, 64 bytes at most, each once (-EEXIST), and 1,000 in all (-ENOSPC); `stop`,
 * `getattr`, `setattr`, `dir` and `doc` are taken (-EEXIST), a `running` or `uptime` of the
 * program's hides the library's. -EINVAL, also for flags that are none of the above, or not for
 * attributes; -ENOMEM. @data is kept. */
COLONY_API int colony_rpc_expose_method(struct colony_rpc_daemon *daemon,
                                        const struct colony_rpc_method *method, void *data,
                                        struct colony_error *err);
/* @value is the first one where the library keeps it (else NULL, or it is -EINVAL), and copied;
 * saved ones replace it. */
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
 * -EINVAL: there is no such signal, or nothing can catch it. */
COLONY_API int colony_rpc_stop_on_signal(struct colony_rpc_daemon *daemon, int signum,
                                         struct colony_error *err);

/*
 * Reads what was saved, listens, enters the registry and begins the run functions; clients are
 * served when it returns, and no sooner. Blocks as long as reading takes. Once in its life, after
 * any fork(). -EADDRINUSE, -EACCES (an address beyond this machine without keys); -EEXIST: this
 * program has a daemon of that name already; -EBUSY: another program saves its attributes in the
 * same place; -ENOENT: libzmq is not installed; -EMFILE: fewer than 16 descriptors are free, where
 * libzmq might end the program; what reading them says.
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
 * the keys; -EHOSTUNREACH, -ETIMEDOUT: the other host did not tell; -EMFILE as above. Any thread;
 * each proxy is used by one at a time, and blocks.
 */
COLONY_API int colony_rpc_connect(struct colony_rpc_proxy **out, const char *place,
                                  const struct colony_rpc_access *access, struct colony_error *err);
/* For each question from now on; UINT64_MAX, as in the beginning: as long as it takes. */
COLONY_API void colony_rpc_set_timeout(struct colony_rpc_proxy *proxy, uint64_t timeout_ms);
/*
 * These three ask and wait. When the connection was lost, the daemon is looked for as
 * colony_rpc_connect() did, and nobody is asked but the one who is found. One that has ended has 10
 * seconds to come back; then it is -ENOENT for a name and -ECONNREFUSED for HOST:PORT, and the next
 * question looks once, without waiting. What was asked is carried out once, by one life of the
 * daemon: one that ends before it has answered is asked again in its next. @params is a list, an
 * object or NULL; results are the caller's. A method is no attribute: to get one is -EINVAL.
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
 *
 * ncolony's two folders, as `colony ctl --messages DIR --config DIR` writes them (docs/files.md).
 * No engine is needed, and none need run: who watches the folders finds what is written. A file is
 * complete when it appears, and on disk when these return. They block on the disk: any thread, but
 * better not that of a loop.
 */

/* Where they are. Both must be there, whichever a call needs, also in a dry run; -ENOTDIR: one is
 * not. */
struct colony_places {
    const char *config;   /* a file for each process */
    const char *messages; /* a file for each message */
    FILE *dry_run; /* not NULL: what would be written, or "remove FILE", goes there, a line each,
                      and the folders stay as they are */
};

/* A process. Lists end with NULL; what is NULL is not said in its file. */
struct colony_file {
    const char *cmd; /* the program; required */
    const char *const *args;
    const char *const *env;         /* KEY=VALUE; of two with one KEY the last counts */
    const char *const *env_inherit; /* names of variables of whoever runs it */
    const uid_t *uid;               /* who it runs as; else whoever runs it decides */
    const gid_t *gid;
    const char *extras; /* more members of it, which win over what is said here: a JSON object, or
                           the path of a regular file with one */
};

/*
 * Writes the file of the process @name, which adds the process or changes it. 1: done; 0: that is
 * what stands there, and nothing was touched. -EINVAL: colony could not use it (also as it is more
 * than a variable of an environment can hold, 128 KiB), or @name, or `extras` are no regular file;
 * -EBADMSG: `extras` are no JSON; -ENOENT: they are in no file; -EFBIG: in one of more than 16 MiB;
 * -EISDIR: a folder is called @name; -EACCES, -ENOSPC, … -ENOMEM. A `uid` without `gid` that no
 * user has here may be one elsewhere: it is written, and @err says it all the same.
 */
COLONY_API int colony_files_add(const struct colony_places *places, const char *name,
                                const struct colony_file *file, struct colony_error *err);
/* Removes its file: the process is stopped. -ENOENT: there is none, and the nearest is named;
 * -EISDIR: it is a folder. */
COLONY_API int colony_files_remove(const struct colony_places *places, const char *name,
                                   struct colony_error *err);
/* Sends a message: restart it, all, or those whose `group` has @group. Messages of one program are
 * acted on in the order they were sent. -ENOENT: there is no process of that name. */
COLONY_API int colony_files_restart(const struct colony_places *places, const char *name,
                                    struct colony_error *err);
COLONY_API int colony_files_restart_all(const struct colony_places *places,
                                        struct colony_error *err);
COLONY_API int colony_files_restart_group(const struct colony_places *places, const char *group,
                                          struct colony_error *err);
/* The names of the processes, in order, up to NULL: how many. For colony_files_free(). */
COLONY_API int colony_files_list(const struct colony_places *places, char ***names,
                                 struct colony_error *err);
/* NULL is fine. */
COLONY_API void colony_files_free(char **names);
/* The file of a process as it stands there, NUL-terminated after @size bytes, for free(). -ENOENT;
 * -EINVAL: it is no regular file; -EFBIG: it has more than 1 MiB. */
COLONY_API int colony_files_read(const struct colony_places *places, const char *name, char **text,
                                 size_t *size, struct colony_error *err);

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
 * folders and files were made. -ENOENT: there is no folder to make it in; -EPERM: somebody else's.
 */
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

/* What a stop came to. killed: had to be, also of what the stopped had left behind, which stopped
 * does not count; left: how many of the session run on (deactivate). */
struct colony_session_ended {
    size_t stopped;
    size_t killed;
    size_t left;
};

/*
 * Runs @what: an uri, or a process by its alias or name. @change and @started may be NULL. When it
 * fails nothing is changed, and a new process not kept. -EINVAL: not an uri that can be run, or
 * @change has what cannot be; -ENOENT: no such process, or no such scheme in etc/session.yaml;
 * -EEXIST: the alias is another's; -EBUSY: it runs, or waits for others while no supervisor would
 * start it later; -EIO: its program cannot be run.
 */
COLONY_API int colony_session_start(struct colony_session *session, const char *what,
                                    const struct colony_session_change *change,
                                    struct colony_session_started *started,
                                    struct colony_error *err);
/*
 * Takes the running process @pid, whoever started it; one that is taken already is changed. @change
 * and @taken may be NULL. -ESRCH; -EINVAL: it is the calling program, or a thread, or @change has
 * what cannot be; -EPERM: another user's; -EEXIST: the alias is another's.
 */
COLONY_API int colony_session_attach(struct colony_session *session, pid_t pid,
                                     const struct colony_session_change *change,
                                     struct colony_session_started *taken,
                                     struct colony_error *err);
/* Changes what its file in etc says, and has the supervisor look at it; what runs is left as it is.
 * -ESRCH: it is down, and its state was to be named; -EINVAL: @change has what cannot be; -EEXIST:
 * the alias is another's; -EILSEQ: a file in etc that is to be changed cannot be used. */
COLONY_API int colony_session_update(struct colony_session *session, const char *who,
                                     const struct colony_session_change *change,
                                     struct colony_error *err);
/* Forgets it, with all dependences on it, and leaves it running. */
COLONY_API int colony_session_detach(struct colony_session *session, const char *who,
                                     struct colony_error *err);
/* Stops @who (NULL: all, who waits for others first), and waits until all is gone; each takes a
 * descriptor meanwhile. @ended (may be NULL) is filled also when some could not be stopped: -EPERM,
 * -ETIMEDOUT, -EMFILE. */
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
 * {"kept", "gone", "added"}, …}}}}; pid and fingerprint are null while it is down, and no state has
 * a score then; changes are there with compares. @how and @out may be NULL. -ESRCH: it is down and
 * was to be saved or compared; -ENOENT: no such state, either.
 */
COLONY_API int colony_session_fingerprint(struct colony_session *session, const char *who,
                                          const struct colony_session_look *how, struct cJSON **out,
                                          struct colony_error *err);

/*
 * @child is to be started once @parent, "NAME:STATE" or "NAME" (any state but stopped and
 * starting), is as it says; each may be several with commas between them. STATE is one that was
 * saved or can be, or colony's own: running, starting or stopped. @on_loss, when it leaves that
 * state: "keep" (the child runs on), "stop" or "restart"; NULL: as it is, at first keep. How many
 * are new or changed; 0: it was so. -EINVAL: STATE can be none's, or @on_loss is none; -ENOENT;
 * -ELOOP with the circle.
 */
COLONY_API int colony_session_dependence_add(struct colony_session *session, const char *parent,
                                             const char *child, const char *on_loss,
                                             struct colony_error *err);
/* @parent without a state: in all states. How many there were; -ENOENT: no such process. */
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
