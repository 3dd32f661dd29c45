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
 * several in the order in which they came. *out is for colony_unsubscribe(). -EINVAL: no pattern;
 * -ENOMEM.
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
 * Tells those who subscribed in this program of something of its own, in a later turn of the loop.
 * @topic: words of letters, digits, `-`, `_` and `:` with dots between, 200 bytes at most; the
 * first is no event of the engine's, nor "proc" (-EINVAL). @message (may be NULL) is copied. Any
 * thread; what one thread publishes, posts and writes is carried out in that order. -ENOMEM.
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
 * message has bytes; one without any is the last: the process has ended. Threads as above. -ENOENT:
 * no such process; -ENOTSUP: its output is not redirected; -EINVAL: it has no such stream; -EMFILE,
 * -ENOMEM. colony_unsubscribe() or colony_unmonitor_io() ends it, also after its last message.
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
 * of it as the process took before it ended. What cannot be written is told to `done`, or else
 * logged.
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
    /* These may be NULL. Start and stop alternate; start comes after create. In an engine that has
     * taken over processes a start that fails is tried again each second, else nothing is run. */
    int (*start)(void *controller, struct colony_error *err);
    void (*stop)(void *controller);
    /* NULL: a stop and a start. */
    int (*restart)(void *controller, struct colony_error *err);
    /* Frees it, after a stop; calls @cb with @data once nothing of it is left, perhaps at once. */
    void (*close)(void *controller, void (*cb)(void *data), void *data);
};

/* Has @controller in this engine whenever that runs; now, if it does. Both are kept until
 * colony_engine_free(). -EEXIST: there is one of that name; -ENOTSUP: it is of another interface;
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
 * right to control, as with colony's own, which come first. Not in /openapi.json.
 *
 * -EINVAL; -EEXIST: it is there, or colony's own; -ENOSPC: above 256; -ENOMEM.
 */
COLONY_API int colony_http_add_route(struct colony *colony, const char *method, const char *pattern,
                                     void (*fn)(struct colony_http_request *request, void *data),
                                     void *data, struct colony_error *err);
/* -ENOENT. */
COLONY_API int colony_http_remove_route(struct colony *colony, const char *method,
                                        const char *pattern, struct colony_error *err);

/* --- daemon: events, status and ping over HTTP and UDP -----------------------------------------
 */

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
