/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h - decides what runs: starts, watches and restarts processes.
 *
 * The engine holds all policy; the keeper (keeper.h) holds the processes. It runs on one libuv
 * loop. Call from the loop thread only.
 */
#ifndef COLONY_CORE_ENGINE_H
#define COLONY_CORE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/slot.h"

struct colony_engine;
struct colony_error;
struct colony_events;
struct colony_settings;
struct colony_stats;
struct colony_store;
struct colony_template;
struct uv_loop_s;

typedef void (*colony_engine_close_cb)(void *data);

/* A look at one slot; pointers are borrowed until the loop's next turn. */
struct colony_slot_info {
    const char *name;   /* of its template */
    const char *origin; /* who owns that, as colony_engine_origin has it */
    uint32_t slot;      /* from 1 */
    bool is_wanted;     /* it runs, or will as soon as it may */
    bool is_leaving;    /* there are too many: it is gone once it is stopped */
    bool is_paused;     /* colony sent it SIGSTOP, and no SIGCONT since */
    enum colony_slot_state state;
    uint64_t id;            /* internal id of its process; 0: none lives */
    pid_t os_pid;           /* 0: none lives */
    uint64_t started_at_ms; /* wall clock, of the living process; 0: none lives */
    uint64_t uptime_ms;
    uint64_t restarts;    /* starts by the policy since the user last started it */
    uint64_t retry_in_ms; /* SLOT_BACKOFF: until the next start */
    uint64_t next_in_ms;  /* until it is time for its next run */
    bool has_next;        /* it has a schedule, and somebody wants it */
    bool has_exit;        /* a process of it has ended */
    bool exit_known;      /* false: the kernel could not tell the status */
    int exit_status;
    int term_signal;         /* 0: none */
    const char *failure;     /* why the last spawn failed ("chdir /nope: No such…"), or "" */
    const char *cause;       /* of its state: "uid 0 over TCP", "waits for db", … or "" */
    const char *status;      /* what the process said of itself (STATUS= of sd_notify), or "" */
    const char *health;      /* "unknown", "healthy" or "unhealthy"; NULL: nobody looks */
    const char *health_note; /* how its last check failed, or "" */
    uint64_t since_ms;       /* wall clock: when it came to its state */
    const char *output;      /* "captured", "direct", "none", "lost", "stalled" or "dropping" */
    uint64_t dropped_bytes;  /* output lost because the log could not be written */
    uint64_t dropped_lines;
    const char *streams;   /* custom ones of its process: "none", "open" or "lost" */
    uint64_t unread_bytes; /* that custom streams brought while nobody followed them */
};

/* What the last stop of a template had to do. */
struct colony_stop_report {
    uint32_t stopped;   /* slots that were running */
    uint32_t killed;    /* processes that had to be killed, strays included */
    uint32_t unclaimed; /* processes seen that bear no mark of ours and were left alone */
    bool is_partial;    /* an adopted process without a cgroup: strays may be left */
};

/* What the program around the engine is told; any may be NULL. On the loop. */
struct colony_engine_callbacks {
    void (*welcome)(void *data); /* all that lives is known and started: serve now */
    void (*stopped)(void *data); /* after a shutdown: no process is left, close now */
    void (*reload)(void *data);  /* colony got SIGHUP */
    void (*lost)(void *data);    /* the keeper is gone, or not understood (colony_engine_why_lost):
                                    colony_engine_become_keeper(), or end */
    void (*fatal)(void *data);   /* it cannot go on: end, another one carries on */
    void (*stuck)(void *data);   /* a thread of libuv's may never come back: it waits for them when
                                    the program ends */
    void *data;
};

struct colony_keeper_options;

/* Both are borrowed for the engine's life. */
struct colony_engine_options {
    struct colony_settings *settings; /* the engine takes the templates out of it */
    const struct colony_keeper_options *keeper;
    struct colony_engine_callbacks callbacks;
    /* At a shutdown nothing is stopped: what runs goes on, and the next engine takes it over. What
     * no settings know is left alone, too, until somebody puts it (colony_engine_put_owned). */
    bool leaves;
};

/*
 * An engine for the keeper behind options->keeper->link_fd, which it takes over. Nothing runs
 * before the loop does; then it takes over what lives, starts what is to run and calls welcome.
 * -ENOMEM, and libuv's errors: then *out is what there is of it, which can only be closed and needs
 * the settings until it is, or NULL.
 */
int colony_engine_new(struct colony_engine **out, struct uv_loop_s *loop,
                      const struct colony_engine_options *options, struct colony_error *err);

/* True when processes were taken over from an engine before this one. */
bool colony_engine_has_history(const struct colony_engine *engine);

/* Tells the keeper that the front-ends serve. */
void colony_engine_ready(struct colony_engine *engine);

/*
 * Lets go of everything, writes what the pipes hold to the logs, tells the keeper to end with
 * @exit_code if a shutdown was asked for, then calls @cb.
 */
void colony_engine_close(struct colony_engine *engine, int exit_code, colony_engine_close_cb cb,
                         void *data);

/* Nothing is heard of the keeper or said to it any more; to be closed next. */
void colony_engine_forsake(struct colony_engine *engine);
/* Once it was lost; code 0: it has ended. */
const struct colony_error *colony_engine_why_lost(const struct colony_engine *engine);

/*
 * Execs the keeper in this process, with the lock, the sockets and the pipes kept. Returns only if
 * that failed: negative errno.
 */
int colony_engine_become_keeper(struct colony_engine *engine, struct colony_error *err);

/* For a front-end that does not wait for a thread of its. */
void colony_engine_tell_stuck(struct colony_engine *engine);

/* Calls @cb for its ends of pipes: what a keeper that takes the place of one that is gone gets, so
 * that nothing is lost that is in them. */
void colony_engine_each_fd(struct colony_engine *engine, void (*cb)(int fd, void *data),
                           void *data);

typedef void (*colony_template_cb)(const struct colony_template *template, void *data);
typedef void (*colony_slot_cb)(const struct colony_slot_info *info, void *data);

struct colony_events *colony_engine_events(struct colony_engine *engine);
struct uv_loop_s *colony_engine_uv_loop(struct colony_engine *engine);
const struct colony_settings *colony_engine_settings(const struct colony_engine *engine);

/* In order of addition. Do not add or remove templates inside @cb. */
void colony_engine_each_template(struct colony_engine *engine, colony_template_cb cb, void *data);

/* NULL: no such template. */
const struct colony_template *colony_engine_find_template(struct colony_engine *engine,
                                                          const char *name);

/* The slots of @name in order. -ENOENT. */
int colony_engine_each_slot(struct colony_engine *engine, const char *name, colony_slot_cb cb,
                            void *data);

/* The slot whose living process has the internal id @id. -ENOENT. */
int colony_engine_find_process(struct colony_engine *engine, uint64_t id,
                               struct colony_slot_info *out);

/*
 * What follows changes what runs. It is done at once, and told to the store: whoever must not
 * answer before it is recorded waits with colony_engine_when_recorded. @why says who asked, through
 * which front-end ("uid 0 over TCP"); copied. -ESHUTDOWN while colony ends.
 */

/* A program that colony is embedded in: what it adds comes again each time it runs, so it is
 * remembered for another engine of the same settings, and not for the next run. */
#define COLONY_ORIGIN_PROGRAM "program"

/*
 * Adds and starts @template; takes ownership of it, also when it fails. @origin: who owns its
 * settings ("http", "program", …; kept as it is). Living processes of that name that were left
 * alone become its own. -EEXIST; -ELOOP and -ENOENT for its dependencies (gates.h); -ENOTSUP for
 * limits this machine has not.
 */
int colony_engine_add_template(struct colony_engine *engine, struct colony_template *template,
                               const char *origin, const char *why, struct colony_error *err);

/*
 * Gives the template of that name new settings; takes ownership, also when it fails. Its processes
 * are stopped and started anew unless only such settings differ as need no new process. -ENOENT and
 * as above.
 */
int colony_engine_update_template(struct colony_engine *engine, struct colony_template *template,
                                  const char *why, struct colony_error *err);

/* Stops it and forgets it. -ENOENT. */
int colony_engine_remove_template(struct colony_engine *engine, const char *name, const char *why,
                                  struct colony_error *err);

/* Front-ends that make templates of something of their own, and own them. */
#define COLONY_ORIGIN_FILE "file"       /* of a configuration directory (`files:`) */
#define COLONY_ORIGIN_SESSION "session" /* of a workspace */

/*
 * The same for what @origin, one of those above, owns: the template of it comes or changes, and
 * nothing happens where it is as it was; it is gone. What these own only they change: for others
 * updating, removing and scaling it is -EBUSY, with what to do instead. -EEXIST: the name belongs
 * to somebody else; -ENOENT.
 *
 * A template of a file is recorded, and not started by a new engine before its file was seen again,
 * that is before one of these. One of a session is not recorded at all; a living process that
 * nobody has put yet is left alone in an engine that `leaves` (colony_engine_options) and becomes
 * the one of the template that is put, whatever that is made of. What runs of it goes on when it
 * changes: its next start is by the new settings.
 */
int colony_engine_put_owned(struct colony_engine *engine, const char *origin,
                            struct colony_template *template, const char *why,
                            struct colony_error *err);
/* It is there, and cannot be used as it is now: what it said last goes on. */
void colony_engine_keep_owned(struct colony_engine *engine, const char *origin, const char *name);
int colony_engine_drop_owned(struct colony_engine *engine, const char *origin, const char *name,
                             const char *why, struct colony_error *err);

/* Whether what @name is may be changed by anybody: 0, or -EBUSY as above. -ENOENT. */
int colony_engine_check_change(struct colony_engine *engine, const char *name,
                               struct colony_error *err);

/*
 * @change more or fewer slots than now, or @count of them when @change is 0; fewer stop the highest
 * numbered ones, at 0 it ends. *count is how many there are then. -EINVAL: over COLONY_SLOTS_MAX;
 * -ENOENT.
 */
int colony_engine_scale_template(struct colony_engine *engine, const char *name, int64_t change,
                                 uint32_t *count, const char *why, struct colony_error *err);

/*
 * Start, stop and restart all slots of @name. They return at once; events tell the rest. Starting
 * what runs and stopping what is stopped succeed and change nothing. Restarting a stopped template
 * starts it. What depends on it and cannot do without is stopped first, and started again after it.
 * -ENOENT, -ESHUTDOWN.
 */
int colony_engine_start_template(struct colony_engine *engine, const char *name, const char *why,
                                 struct colony_error *err);
/* The same start, of what is not started again when it ends, whatever its policy says: it is
 * completed or has failed then. What runs already goes on so. Until somebody starts it again. */
int colony_engine_start_template_once(struct colony_engine *engine, const char *name,
                                      const char *why, struct colony_error *err);
int colony_engine_stop_template(struct colony_engine *engine, const char *name, const char *why,
                                struct colony_error *err);
int colony_engine_restart_template(struct colony_engine *engine, const char *name, const char *why,
                                   struct colony_error *err);

/*
 * Takes a process that somebody else started for the slot @slot, which has none: it is watched,
 * stopped and restarted as one of colony's own, and no output of it is captured. @start_ticks is
 * field 22 of its /proc/PID/stat. Returns at once; the keeper looks at it, and `proc.NAME.spawn`
 * follows, or `proc.NAME.fail` with the reason: if it has ended, or @pid is another's by now, the
 * restart policy decides what comes next; if colony may not have it, the slot is stopped.
 *
 * -ENOENT: no such template or slot; -EBUSY: it has a process; -EINVAL: its settings ask for what
 * only a process of colony's own can do; -ENOTSUP: the keeper is an older one; -ESHUTDOWN, -ENOMEM.
 */
int colony_engine_adopt(struct colony_engine *engine, const char *name, uint32_t slot, pid_t pid,
                        uint64_t start_ticks, const char *why, struct colony_error *err);

/*
 * Removes a template and leaves its processes running: nobody watches them any more, and what
 * depends on it goes on as it is. -EBUSY: one of them is being started or stopped, or its output
 * goes through colony, which would leave it without a reader; -ENOTSUP, -ENOENT, -ESHUTDOWN.
 */
int colony_engine_let_go(struct colony_engine *engine, const char *name, const char *why,
                         struct colony_error *err);
/* The same for all that was left alone since it was taken over, as nobody has put it. */
void colony_engine_let_go_unclaimed(struct colony_engine *engine, const char *why);

/* A restart that counts as an end: what has run too briefly waits as long as its policy says. One
 * that would not be started again then is restarted. */
int colony_engine_cycle_template(struct colony_engine *engine, const char *name, const char *why,
                                 struct colony_error *err);

/* Stops the one process with the internal id @id; its slot stays stopped. -ENOENT. */
int colony_engine_stop_process(struct colony_engine *engine, uint64_t id, const char *why,
                               struct colony_error *err);
/* The same as gaffer has it: where its template runs and is always started again, another process
 * takes its place as soon as it is gone, which counts neither as an end nor as a restart. */
int colony_engine_replace_process(struct colony_engine *engine, uint64_t id, const char *why,
                                  struct colony_error *err);

/* Sends @signo (1…64) to every living process of @name: -ENOENT, -EINVAL, -ESRCH: none lives. */
int colony_engine_signal_template(struct colony_engine *engine, const char *name, int signo,
                                  struct colony_error *err);
int colony_engine_signal_process(struct colony_engine *engine, uint64_t id, int signo,
                                 struct colony_error *err);

/* True while a slot of @name is starting, running or stopping; false also when there is none. */
bool colony_engine_is_active(struct colony_engine *engine, const char *name);
/* True while processes of @name, which was removed, are still to end. */
bool colony_engine_is_leaving(struct colony_engine *engine, const char *name);
/* What the last stop of @name did so far, also the one of its removal. -ENOENT. */
int colony_engine_stop_report(struct colony_engine *engine, const char *name,
                              struct colony_stop_report *out);

/* Path of the log of a slot into @path, which other slots may share (`log: {out: PATH}`). -ENOENT:
 * no such slot; -ENOTSUP: `log: none`. */
int colony_engine_log_path(struct colony_engine *engine, const char *name, uint32_t slot,
                           char *path, size_t size);

/* The same of its stderr, where that has a log of its own. -ENOENT: it has not. */
int colony_engine_error_log_path(struct colony_engine *engine, const char *name, uint32_t slot,
                                 char *path, size_t size);

/* A piece of what a process writes, perhaps of no bytes; valid during the call. label NULL: the
 * end, and all is told. */
struct colony_output_part {
    const char *label;
    const char *bytes;
    size_t size;
    uint64_t lost; /* bytes before these that the loop was too slow for */
};
struct colony_output;
typedef void (*colony_output_cb)(const struct colony_output_part *part, void *data);

struct colony_output_wish {
    uint64_t id;       /* of the process */
    const char *label; /* NULL: the first one */
    colony_output_cb cb;
    void *data;
    bool may_be_silent; /* without a first output only the end is told, and it is no -ENOTSUP */
};

/*
 * Follows what a process writes from now on to the output of that label in its template's
 * `redirect_output` or `custom_streams`, "." for all of them, until it has ended and all of it is
 * told. Inside `welcome` also of the last process of a slot, which has ended meanwhile:
 * colony_engine_end_output(). -ENOENT: no such process; -ENOTSUP: its output is not redirected;
 * -EINVAL: no such label; -ESRCH: it has closed that custom stream; -ENOMEM, -EMFILE.
 */
int colony_engine_follow_output(struct colony_engine *engine, const struct colony_output_wish *wish,
                                struct colony_output **out);
/* Inside `welcome`, when all who follow do: where the process has ended before it, what is left of
 * its output is told, and the end. */
void colony_engine_end_output(struct colony_output *output);
/*
 * The engine is going to be closed: what leaves the pipes until then is still told, then the end;
 * where that has not come when the engine is closed (a disk that hangs), it does not come.
 */
void colony_engine_drain_output(struct colony_output *output);
/* Also after its end was told, or its engine was closed, and inside @cb; once. NULL is fine. */
void colony_engine_unfollow_output(struct colony_output *output);

struct colony_input_write;
typedef void (*colony_input_cb)(int rc, const char *why, void *data);

struct colony_input_wish {
    uint64_t id;       /* of the process */
    const char *label; /* of a custom stream; "stdin", "ttin" or NULL: its stdin */
    const char *bytes; /* borrowed for the call */
    size_t size;
    bool is_patient; /* it sends no more until this is written: it waits whatever waits already */
    colony_input_cb cb;
    void *data;
};

/*
 * Writes to a process, all of it or, when that ends meanwhile, as much as it takes;
 * two never mix. 1: it is in the pipe; 0: it waits for room there, and wish->cb (rc 0, or -ESRCH
 * and why) tells of it, with *out to forget that cb. -ENOENT: no such process; -EPERM: its template
 * does not redirect_input; -EINVAL: no such label; -ESRCH: it reads no more; -EAGAIN: too much
 * waits already; -ENOMEM.
 */
int colony_engine_write_input(struct colony_engine *engine, const struct colony_input_wish *wish,
                              struct colony_input_write **out);
/* True when @label is one of the custom streams of the process @id. */
bool colony_engine_has_custom_stream(struct colony_engine *engine, uint64_t id, const char *label);
/* @cb is not called; what is not written yet still will be. */
void colony_input_write_forget(struct colony_input_write *job);

/* @cb on the loop once all changes before this call are safe on disk (rc 0), or could not be
 * recorded. -ENOMEM. */
typedef void (*colony_recorded_cb)(int rc, void *data);
int colony_engine_when_recorded(struct colony_engine *engine, colony_recorded_cb cb, void *data);

/*
 * What the process of @name is in, by somebody who looks at it (copied; NULL: nobody knows). What
 * waits for `state:STATE` of it is started; what needed the state that it has left is stopped, as
 * its `when_down` says. Forgotten as often as a process of it ends. Nothing where there is no such
 * template, or the state is the same.
 */
void colony_engine_set_state(struct colony_engine *engine, const char *name, const char *state);
/* NULL: nobody knows, or there is no such template. */
const char *colony_engine_state(struct colony_engine *engine, const char *name);

/* What keeps @name from starting: a line for each ("waits for db to be ready: db is starting").
 * Nothing when its gate is open. -ENOENT. */
typedef void (*colony_line_cb)(const char *line, void *data);
int colony_engine_each_wait(struct colony_engine *engine, const char *name, colony_line_cb cb,
                            void *data);

/* The templates that a stop or the removal of @name stops, too, because they need it; they wait for
 * it. To be asked after that. */
typedef void (*colony_name_cb)(const char *name, void *data);
void colony_engine_each_held(struct colony_engine *engine, const char *name, colony_name_cb cb,
                             void *data);

/* One variable a process of @name would get now: where it comes from ("env", "env_file PATH",
 * "colony's environment", "colony"). Values are as they are: mask secrets before showing them. */
typedef void (*colony_variable_cb)(const char *name, const char *value, const char *source,
                                   void *data);
int colony_engine_each_variable(struct colony_engine *engine, const char *name,
                                colony_variable_cb cb, void *data);

/* Who owns its settings: "http", "program", "file" (of a configuration directory), "session" or
 * "config" (the settings file); NULL: no such template. */
const char *colony_engine_origin(struct colony_engine *engine, const char *name);

/* History and samples. NULL store: it could not be opened, and the log says why. */
struct colony_store *colony_engine_store(struct colony_engine *engine);
struct colony_stats *colony_engine_stats(struct colony_engine *engine);

/* What a reload does, or would do. */
enum colony_reload_action {
    RELOAD_START,   /* a new template */
    RELOAD_STOP,    /* it is gone from the file */
    RELOAD_RESTART, /* @text: which settings differ */
    RELOAD_UPDATE,  /* the same, without a restart */
    RELOAD_IGNORE,  /* @name: a section that takes a restart of colony to change */
    RELOAD_ACTION_COUNT,
};
struct colony_reload_step {
    enum colony_reload_action action;
    const char *name;
    const char *text; /* why, one line */
};
const char *colony_reload_action_name(enum colony_reload_action action);

/*
 * Reads the settings again, off the loop, and goes over to them unless @is_dry. @cb is told the
 * steps (borrowed for the call), or rc < 0 and why nothing changed at all. -EALREADY: one is under
 * way; -ENOENT: colony was started without a file; -ENOMEM.
 */
typedef void (*colony_reload_cb)(int rc, const struct colony_error *err,
                                 const struct colony_reload_step *steps, size_t count, void *data);
int colony_engine_reload_settings(struct colony_engine *engine, bool is_dry, const char *why,
                                  colony_reload_cb cb, void *data, struct colony_error *err);

/*
 * Tells the service manager, by the keeper, how a reload that it may have asked for went; @problem
 * is why it was not done, NULL: it was. Reloads that have begun tell it themselves.
 */
void colony_engine_tell_reloaded(struct colony_engine *engine, const char *problem);

/* What a front-end makes of the settings and of files beside them, and a reload makes anew. */
struct colony_reload_part {
    const char *name; /* of the step that is told, and what it says */
    const char *text;
    bool is_of_file; /* there is nothing of it where colony was started without a settings file */
    /*
     * On a thread of libuv's: *out from the settings as they are going to be, and the files they
     * name as these are now, or an error. *out may stay NULL: there is nothing to apply.
     */
    int (*load)(void **out, const struct colony_settings *next, const struct colony_settings *now,
                struct colony_error *err);
    void (*apply)(void *loaded, void *data); /* on the loop, when colony_engine_settings() are the
                                                new ones, if all else can be used; owns @loaded */
    void (*drop)(void *loaded);
};
/* @part is borrowed for ever, @data until it is removed. One that is there already stays. */
void colony_engine_add_reload_part(struct colony_engine *engine,
                                   const struct colony_reload_part *part, void *data);
void colony_engine_remove_reload_part(struct colony_engine *engine,
                                      const struct colony_reload_part *part);

/* Figures that a front-end has of its own, for whoever shows them all. */
struct colony_label {
    const char *name;
    const char *value;
};
typedef void (*colony_figure_cb)(const struct colony_label *labels, size_t count, uint64_t figure,
                                 void *to);
struct colony_meter {
    const char *name; /* "colony_webhook_sent_events_total"; NULL ends a list */
    const char *type; /* "counter" or "gauge" */
    const char *help;
    void (*each)(colony_figure_cb cb, void *to, void *data); /* calls @cb with all there are */
};
struct colony_meters {
    const struct colony_meter *list;
    void *data; /* for `each` */
    struct colony_meters *next;
};
/* Keeps @meters until they are removed; both may be done again. */
void colony_engine_add_meters(struct colony_engine *engine, struct colony_meters *meters);
void colony_engine_remove_meters(struct colony_engine *engine, struct colony_meters *meters);
/* The first; the others by `next`. */
const struct colony_meters *colony_engine_meters(const struct colony_engine *engine);

/*
 * What a front-end has to save when this engine is replaced by another: at an upgrade, or when its
 * keeper is gone. Called at once, without another turn of the loop.
 */
struct colony_leaver {
    void (*leave)(void *data);
    void *data;
    struct colony_leaver *next;
};
/* Keeps @leaver until it is removed; both may be done again. */
void colony_engine_add_leaver(struct colony_engine *engine, struct colony_leaver *leaver);
void colony_engine_remove_leaver(struct colony_engine *engine, struct colony_leaver *leaver);

/* @stats: of a process of the template; NULL: that one has ended. */
struct colony_monitor;
struct colony_process_stats;
typedef void (*colony_monitor_cb)(const struct colony_slot_info *slot,
                                  const struct colony_process_stats *stats, void *data);

/* What is monitored: all processes of @name, or the one with the internal id @id if it is NULL. */
struct colony_monitor_wish {
    const char *name;
    uint64_t id;
    uint32_t every; /* of the samples, one each COLONY_STATS_MS */
    colony_monitor_cb cb;
    void *data;
};

/*
 * Calls wish->cb with samples (stats.h) of what runs, also of what is started later, and once with
 * the end of each. -ENOENT, -EMFILE, -ENOMEM.
 */
int colony_engine_monitor(struct colony_engine *engine, const struct colony_monitor_wish *wish,
                          struct colony_monitor **out);
/* Safe inside its callback; NULL is fine. Before the engine is closed. */
void colony_engine_unmonitor(struct colony_engine *engine, struct colony_monitor *monitor);

/* Stops all processes unless it `leaves` them, then the engine, then the keeper: `colony serve`
 * ends with status 0. */
void colony_engine_shutdown(struct colony_engine *engine, const char *why);

/* 0: there is something to upgrade to; -EIO: not, with the reason in @err; -ESHUTDOWN. */
typedef void (*colony_upgrade_check_cb)(int rc, const struct colony_error *err, void *data);

/*
 * Asks what is installed whether it can go on with the options and settings of this colony, for 5
 * seconds at most, and calls @cb once, on the loop. Under `user:` a program in a folder that the
 * engine may not look into passes, inside this call: only the keeper can tell. -EIO: it cannot be
 * run at all; -ESHUTDOWN, -ENOMEM, -EMFILE: then @cb is not called.
 */
int colony_engine_check_upgrade(struct colony_engine *engine, colony_upgrade_check_cb cb,
                                void *data, struct colony_error *err);

/*
 * Replaces keeper and engine by what is installed now; no process is restarted. The keeper kills
 * this engine at once: whatever is to be answered must have been. Nothing while colony ends.
 */
void colony_engine_upgrade(struct colony_engine *engine);

/* The settings file that a reload reads, or NULL. */
const char *colony_engine_config(const struct colony_engine *engine);

/*
 * Calls @cb for each listening socket the keeper holds ("http:unix:/run/colony/colony.sock"); they
 * outlive the engine, so that no client is refused while it is restarted. The sockets stay the
 * keeper's: a caller that wants one dups it.
 */
typedef void (*colony_socket_cb)(const char *name, int fd, void *data);
void colony_engine_each_socket(struct colony_engine *engine, colony_socket_cb cb, void *data);

/* The state folder; what is the engine's own is in `engine` there. */
const char *colony_engine_state_dir(const struct colony_engine *engine);

/* uid of the keeper: the owner, who may control it. */
uid_t colony_engine_owner(const struct colony_engine *engine);

/* Its keeper, whose child the engine is; it may have ended. 0: there is none. */
pid_t colony_engine_keeper_pid(const struct colony_engine *engine);

/* With what colony is to end once it has stopped: 0, or the code of the process it ended with. */
int colony_engine_exit_code(const struct colony_engine *engine);
/* The same where colony was asked to end; -1: it was not. */
int colony_engine_ending_with(const struct colony_engine *engine);

#endif
