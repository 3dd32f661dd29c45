/* SPDX-License-Identifier: Apache-2.0 */
/* engine_internal.h - templates and slots as the engine's own files see them. */
#ifndef COLONY_CORE_ENGINE_INTERNAL_H
#define COLONY_CORE_ENGINE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/events.h"
#include "core/keeper_options.h"
#include "core/link.h"
#include "core/logs.h"
#include "core/message.h"
#include "core/notes.h"
#include "core/restart.h"
#include "core/settings.h"
#include "core/slot.h"
#include "core/table.h"
#include "core/template.h"
#include "core/timers.h"

/* Who owns the settings of a template (DESIGN §4), beside those of engine.h. */
#define ENGINE_ORIGIN_CONFIG "config" /* the settings file: what a reload goes by */
#define ENGINE_ORIGIN_HTTP "http"

#define ENGINE_CHECK_MARK "\x1f" /* begins the name of a check, and no other's */

enum {
    WHY_SIZE = 96,
    CAUSE_SIZE = 160,
    NOTE_VERSION = 2,
    NOTE_ONCE = 2,         /* a value of is_wanted */
    LIVING_BUCKETS = 1024, /* of processes, by id */
    RELOAD_PARTS_MAX = 8,  /* front-ends that have one */
    ENGINE_CUSTOM_BYTES = 64 << 10,
};

/* What a record keeps for the engine over its own death. COLONY_NOTE_SIZE at most. */
struct slot_note {
    uint8_t version;
    uint8_t is_wanted; /* NOTE_ONCE: and is not started again when it ends */
    uint8_t state;     /* enum colony_slot_state when it was written */
    uint8_t exit_is_told;
    uint32_t attempt;
    uint64_t restarts;
    uint64_t process_hash;  /* of the template the process was made of */
    uint64_t retry_boot_ms; /* SLOT_BACKOFF: when */
    uint32_t retries;
    uint32_t is_left_alone; /* no settings know it, because some were lost */
};

_Static_assert(sizeof(struct slot_note) <= COLONY_NOTE_SIZE, "a note must fit its record");

struct slot {
    struct template_entry *entry;
    uint32_t number; /* from 1 */
    enum colony_slot_state state;
    uint32_t moves;       /* how often the state changed */
    bool is_wanted : 1;   /* it should run */
    bool is_once : 1;     /* but not again once it has ended, whatever the policy says */
    bool is_leaving : 1;  /* there are too many, or its template goes: freed once it is stopped */
    bool is_stale : 1;    /* its template was replaced: it gets a new record, pipe and log */
    bool stop_is_due : 1; /* as soon as no dependent needs it */
    bool is_due : 1;      /* engine_schedule.c: it is time for its next run */
    bool is_overdue : 1;  /* it still ran when that was, and this was told */
    bool is_failing : 1;  /* the stop under way is colony's answer to a failure: the policy follows
                             it */
    bool is_spawning : 1; /* the keeper has been asked */
    bool is_retired : 1;  /* out of its template, freed on the loop's next turn */
    bool has_record : 1;
    bool output_lost : 1;
    bool is_unnoted : 1;     /* engine_save_note failed */
    bool strays_counted : 1; /* of the stop under way */
    uint8_t adopted_state;   /* enum colony_record_state it was told in, until WELCOME */
    pid_t adopting;          /* the keeper has been asked for this one; 0: to spawn one */
    const char *cause;       /* of its state; engine_set_text */
    uint64_t since_ms;       /* wall clock, of its state */

    /* the record of its process, or of its last one */
    uint32_t index;
    pid_t os_pid; /* 0: none lives */
    uint64_t id;
    uint64_t started_boot_ms;
    uint64_t started_at_ms; /* wall clock */
    uint64_t process_hash;  /* of the template it was made of */
    struct slot *next_living;

    struct colony_log *log;
    struct colony_log *error_log;  /* of stderr, where that has a pipe of its own */
    struct input *input;           /* engine_input.c: its stdin; NULL: it has none */
    struct custom_streams *custom; /* engine_custom.c; NULL: no process of it had some */
    struct colony_restart_state restart;
    uint64_t restarts;
    uint64_t retry_boot_ms;
    struct colony_timer timer; /* grace, sweep, backoff, or the nearest of the run's limits, by the
                                  state; at last its end */

    struct slot_run *run; /* engine_run.c: what a living process is watched for; NULL: nothing */
    struct check *check;  /* engine_check.c: a command run on its behalf; NULL: none */

    /* a stop under way */
    uint64_t deadline_ms; /* on the loop's clock: SIGKILL from then on */
    uint32_t stop_step;   /* which of the stop signals has been sent */
    uint32_t sweep_delay_ms;
    int swept_with; /* the signal of the sweep under way; -1: none is */

    /* its last end */
    int sent_signo; /* what somebody asked us to send its process; 0: nothing */
    bool is_paused; /* by SIGSTOP, and no SIGCONT since */
    bool has_exit : 1;
    bool exit_known : 1;
    bool exit_is_told : 1;  /* that of the process in its record */
    bool is_left_alone : 1; /* see struct slot_note */
    bool is_let_go : 1;     /* its process is not stopped: it is nobody's from now on */
    int32_t wait_status;
    char *failure; /* why the last spawn failed; NULL: it did not */
};

struct template_entry {
    struct colony_engine *engine;
    struct colony_template *template; /* owned */
    const char *origin;               /* one of the names below, or "" for what nobody knows */
    struct slot **slots;              /* by number */
    struct slot *first_slot;          /* all of them, while there is but one */
    uint32_t slot_count;
    uint32_t open_slots;               /* whose memory the loop has not let go of */
    uint32_t counts[SLOT_STATE_COUNT]; /* slots in each state, those that are leaving left out */
    uint32_t up_count;                 /* slots with a process, or about to have one */
    bool is_wanted : 1;                /* by the settings or a user: what the store remembers */
    bool is_check : 1;                 /* runs commands for another one's sake (engine_check.c) */
    bool is_unconfirmed : 1; /* as recorded, until its file was seen again: what does not run waits
                              */
    bool is_unrecorded : 1;  /* the store lacked memory for what became of it */
    bool is_unlinked : 1;    /* there was none for all that its template now takes */
    bool is_removed : 1;     /* nobody sees it any more; freed with its last slot */
    bool is_given_up : 1;    /* flapped too often, all slots together */
    bool
        stop_is_due : 1; /* of its slots that say so, once no dependent needs it (engine_gates.c) */
    bool is_queued : 1;  /* to be looked at for that */
    struct slot *check_of;               /* of a check: the slot it is for */
    struct colony_job *job;              /* engine_job.c: what it is run for; NULL: nothing */
    int64_t scaled;                      /* slots a user asked for; -1: as its settings say */
    uint64_t file_hash;                  /* of the settings file's template; 0: it has none */
    int64_t file_numprocesses;           /* as it says; -1 */
    uint64_t seen_load_id;               /* of the last reload whose file had it */
    uint64_t flap_until_boot_ms;         /* all slots are down until then */
    struct colony_restart_state restart; /* of all slots together, where the policy is shared */

    struct entry_schedule *schedule; /* engine_schedule.c; NULL: it runs all the time */
    char *state; /* engine_state.c: what its process was told to be in; NULL: nobody knows */

    /* engine_gates.c */
    struct gate *gates;      /* one for each dependency, in order */
    struct gate *dependents; /* gates of others that lead here, a list */
    uint32_t gate_count;
    uint32_t dependents_up;   /* templates that run and depend on this one */
    uint32_t dependents_held; /* those of them that cannot do without */
    uint32_t place;           /* in the order of addition */
    struct template_entry *next_due;

    struct colony_stop_report report;
    const char *why;   /* who last asked for something; engine_set_text */
    UT_hash_handle hh; /* by name */
};

struct colony_engine {
    uv_loop_t *loop;
    struct colony_settings *settings; /* the engine takes the templates out of it */
    const struct colony_keeper_options *keeper;
    struct colony_engine_callbacks callbacks;
    struct colony_link *link;
    struct colony_logs *logs;
    struct colony_timers *timers; /* of slots; closed last */
    struct colony_events *events;
    struct colony_store *store;       /* NULL: it could not be opened */
    struct colony_timer record_timer; /* engine_record.c: while something is unrecorded */
    struct colony_history *history;
    struct colony_stats *stats;
    struct reload *reload; /* under way */
    struct {
        const struct colony_reload_part *part; /* NULL: none */
        void *data;
    } reload_parts[RELOAD_PARTS_MAX];
    struct colony_meters *meters;
    struct colony_leaver *leavers;
    struct colony_clock_watch *clock_watch; /* NULL: nobody has needed it */
    uint64_t away_ms; /* while it takes over: so long there may have been no engine */
    struct colony_http_client *http; /* engine_http.c; NULL: nobody has asked for it */
    struct colony_table table;       /* the keeper's, read-only */
    struct colony_notes notes;
    struct colony_hello hello;
    uint16_t keeper_version; /* of the protocol */
    struct colony_held_socket sockets[KEEPER_SOCKETS_MAX];
    size_t socket_count;
    struct template_entry *entries;      /* uthash by name, in order of addition */
    struct slot *living[LIVING_BUCKETS]; /* by id, chained */
    uint32_t living_count;
    uint32_t custom_fds;    /* open for custom streams */
    uint64_t job_count;     /* so far */
    uint32_t last_jobs;     /* that colony waits for when it ends */
    uint64_t last_until_ms; /* for so long, by the loop's clock */
    uint32_t next_place;
    uint32_t missing_gates;          /* dependencies that name nobody */
    struct template_entry *due_head; /* whose stop is to be looked at */
    struct template_entry *due_tail;
    bool is_stopping_due;
    bool has_held_logs;    /* nothing of what was in the pipes at its welcome has been moved */
    uv_timer_t trim_timer; /* engine_trim.c */
    uint32_t stirred;      /* moves since it was started */
    uv_poll_t keeper_poll; /* its pidfd */
    int keeper_pidfd;
    uint32_t up_count; /* slots that are not SLOT_STOPPED */
    bool is_welcomed;
    bool drops_groups; /* ours, where a template names no identity */
    bool leaves;       /* it ends without stopping anything */
    bool is_stopping;
    bool is_hurried; /* nobody gets a grace any more */
    bool is_lost;
    bool is_closing;
    bool is_closed;      /* all that closing takes is under way */
    bool has_unrecorded; /* an entry is, or unlinked, or a slot unnoted */
    bool has_forgotten;  /* not all that was recorded could be read: what lives may be known */
    int load_rc;         /* what kept it from going on with all that was recorded */
    int exit_code;       /* of colony, once it has stopped */
    struct colony_error lost_why; /* code 0: the keeper has ended */
    size_t open_handles;          /* slots among them */
    colony_engine_close_cb close_cb;
    void *close_data;
    char custom_bytes[ENGINE_CUSTOM_BYTES]; /* read of custom streams; nothing is kept in it */
};

/* engine_slot.c: the state machine. */
int engine_slot_new(struct slot **out, struct template_entry *entry, uint32_t number);
void engine_slot_handle(struct slot *slot, enum colony_slot_event event);
void engine_slot_start(struct slot *slot);
void engine_slot_start_once(struct slot *slot);
void engine_slot_want(struct slot *slot);
void engine_slot_stop(struct slot *slot);
void engine_slot_end(struct slot *slot);
void engine_slot_begin(struct slot *slot);
void engine_slot_fail(struct slot *slot);
void engine_slot_hurry(struct slot *slot);
void engine_slot_retry_later(struct slot *slot, uint64_t delay_ms);
void engine_slot_outdate(struct slot *slot);
/* Its next process begins with a record, a pipe and a log of its own. */
void engine_slot_drop_record(struct slot *slot);
void engine_slot_close_logs(struct slot *slot);
void engine_slot_leave(struct slot *slot, bool in_turn);
void engine_slot_stay(struct slot *slot);
void engine_slot_retire(struct slot *slot);
void engine_slot_time(struct slot *slot, colony_timer_cb cb, uint64_t delay_ms);
void engine_slot_stop_timer(struct slot *slot);
struct slot *engine_timed_slot(struct colony_timer *timer);
void engine_slot_because(struct slot *slot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool engine_state_is_up(enum colony_slot_state state);
bool engine_slot_is_detached(const struct slot *slot);

/* engine_process.c: what the keeper tells of a slot's process. */
void engine_slot_on_spawned(struct slot *slot);
void engine_slot_on_failed(struct slot *slot, int step, int error);
void engine_slot_on_exited(struct slot *slot);
void engine_slot_on_swept(struct slot *slot, const struct colony_swept *swept);
void engine_publish_process(const struct slot *slot, enum colony_event_type type, const char *text);
void engine_begin_sweep(struct slot *slot, int signo);
void engine_ask_to_end(struct slot *slot);
/* So long a stop may take, all its signals together. */
uint64_t engine_stop_ms(const struct colony_template *template);
/* The signal that a stop under way has come to. */
int engine_stop_signal(const struct slot *slot);

/* engine_policy.c: what comes after an end. */
void engine_policy_follow(struct slot *slot, const struct colony_restart_end *end);
void engine_policy_forget(struct slot *slot);
void engine_policy_on_exit(struct slot *slot);
void engine_policy_on_failed(struct slot *slot);
bool engine_policy_holds(struct slot *slot);

/* engine_schedule.c: templates that are run again and again. */
int engine_schedule_link(struct template_entry *entry);
void engine_schedule_unlink(struct template_entry *entry);
void engine_schedule_look(struct template_entry *entry);
void engine_schedule_look_back(struct colony_engine *engine);
void engine_schedule_close(struct colony_engine *engine);
bool engine_schedule_has(const struct slot *slot);
bool engine_schedule_holds(struct slot *slot);
void engine_schedule_on_up(struct slot *slot);
void engine_schedule_follow(struct slot *slot, bool is_success);
void engine_schedule_want_now(struct template_entry *entry, bool is_restart);
void engine_schedule_forget(struct template_entry *entry);
bool engine_schedule_describe(const struct slot *slot, char *text, size_t size);
bool engine_schedule_next(const struct slot *slot, uint64_t *left_ms);
bool engine_schedule_is_done(const struct slot *slot);

/* engine_run.c: ready, watchdog, age and limits of a living process. */
int engine_run_prepare(struct slot *slot);
int engine_run_expect(struct slot *slot, struct colony_error *err);
int engine_run_take_fd(struct slot *slot, int fd);
int engine_run_take_log(struct slot *slot);
void engine_run_set_template(struct slot *slot);
void engine_run_begin(struct slot *slot, bool is_adopted);
void engine_run_each_fd(const struct slot *slot, void (*cb)(int fd, void *data), void *data);
void engine_run_end(struct slot *slot);
void engine_run_free(struct slot *slot);
void engine_run_arm(struct slot *slot);
const char *engine_run_status(const struct slot *slot);
const struct slot_health *engine_run_health(const struct slot *slot);
uid_t engine_run_uid(const struct slot *slot);

/* engine_health.c: whether it is well. NULL: nobody looks. */
int engine_health_new(struct slot_health **out, struct slot *slot);
void engine_health_free(struct slot_health *health);
void engine_health_set_template(struct slot_health *health);
int engine_health_expect(const struct slot *slot, struct colony_error *err);
void engine_health_begin(struct slot_health *health, uint64_t now);
void engine_health_check(struct slot_health *health);
void engine_health_end(struct slot_health *health);
uint64_t engine_health_due(const struct slot_health *health);
bool engine_health_is_good(const struct slot_health *health);
/* "unknown", "healthy" or "unhealthy"; NULL. */
const char *engine_health_state(const struct slot *slot);
const char *engine_health_note(const struct slot_health *health);

/* engine_gates.c: what depends on what. */
int engine_gates_link(struct template_entry *entry);
void engine_gates_attach_missing(struct template_entry *target);
void engine_gates_break_circles(struct colony_engine *engine);
void engine_gates_unlink(struct template_entry *entry);
void engine_gates_leave(struct template_entry *entry);
bool engine_gates_are_open(const struct template_entry *entry);
void engine_gates_on_healthy(struct template_entry *entry);
/* It was in the state @was (NULL: in none), and is in entry->state now. */
void engine_gates_on_state(struct template_entry *entry, const char *was);
void engine_gates_on_move(struct slot *slot, enum colony_slot_state from);
void engine_gates_stop(struct template_entry *entry);
void engine_gates_look(struct template_entry *entry);
void engine_gates_describe(const struct template_entry *entry, char *text, size_t size);

/* engine_state.c: what somebody who looks at its process says it is in. */
bool engine_state_meets(const struct colony_dependency *dependency, const char *state);
/* A process of it has ended. */
void engine_state_forget(struct template_entry *entry);

/* engine_check.c: commands run on a slot's behalf. */
int engine_check_run(void *slot, char *const *argv, uint64_t timeout_ms,
                     void (*cb)(int exit_status, const char *why, void *data), void *data);
void engine_check_cancel(void *slot);
void engine_check_on_move(struct slot *slot);
void engine_check_drop(struct slot *owner);

/* engine_job.c: a job's slot has moved; what goes along with its SPAWN into @fds, which the caller
 * closes: how many. */
void engine_job_on_move(struct slot *slot);
size_t engine_job_plan(struct colony_job *job, struct colony_spawn_order *order, int *fds);
/* Whether it goes on when colony ends (NULL: no); those that do are given so much time from now. */
enum {
    ENGINE_LAST_JOBS_MS = 3000,
};
bool engine_job_is_last(const struct colony_job *job);
void engine_jobs_limit(struct colony_engine *engine, uint64_t time_ms);

/* engine_http.c: what requests are made by; made at its first use. */
struct colony_http_client *engine_http(void *slot, struct colony_error *err);
void engine_http_close(struct colony_engine *engine);

/* engine_strangers.c: processes that somebody else started. */
void engine_on_not_adopted(struct slot *slot, int error);
/* It was left alone when it was taken over, and nobody has put it since. */
bool engine_is_unclaimed(const struct template_entry *entry);
/* Instead of a stop. */
void engine_leave_process(struct slot *slot);

/* engine_spawn.c: orders to the keeper. */
bool engine_may_drop_groups(void);
int engine_order_spawn(struct slot *slot, struct colony_error *err);
void engine_order_signal(struct slot *slot, int signo, uint32_t flags);
void engine_order_sweep(struct slot *slot, int signo);
int engine_order_adopt(struct slot *slot, pid_t pid, uint64_t start_ticks);
void engine_order_let_go(struct slot *slot);
void engine_order_forget(struct colony_engine *engine, uint32_t index, uint64_t id);
void engine_save_note(struct slot *slot);
void engine_describe_failure(struct slot *slot, int step, int error);

/* engine_link.c: what the keeper says. */
void engine_on_message(const struct colony_message *message, const int *fds, size_t fd_count,
                       void *data);

/* engine_adopt.c: how an engine carries on where another ended. */
void engine_on_welcome(struct colony_engine *engine);
void engine_start_wanted(struct colony_engine *engine);
void engine_start_entry(struct template_entry *entry);

/* engine_index.c */
struct template_entry *engine_find_entry(struct colony_engine *engine, const char *name);
int engine_add_entry(struct colony_engine *engine, struct colony_template *template,
                     const char *origin, struct template_entry **out);
void engine_swap_template(struct template_entry *entry, struct colony_template *template);
void engine_free_entry(struct template_entry *entry);
void engine_free_entries(struct colony_engine *engine);
struct slot *engine_find_living(struct colony_engine *engine, uint64_t id);
void engine_add_living(struct slot *slot);
void engine_remove_living(struct slot *slot);

/* engine_templates.c */
int engine_make_entry(struct colony_engine *engine, struct colony_template *template,
                      const char *origin, struct template_entry **out);
int engine_set_slots(struct template_entry *entry, uint32_t count);
/* Would the templates make sense with @template among them, in place of its namesake? */
int engine_check_template(struct colony_engine *engine, const struct colony_template *template,
                          struct colony_error *err);
uint32_t engine_count_slots(const struct template_entry *entry);
void engine_want_again(struct template_entry *entry);
int engine_exchange_template(struct template_entry *entry, struct colony_template *template);
/* What it lacked memory for, once more. -ENOMEM. */
int engine_link_rest(struct template_entry *entry);
int engine_renew_template(struct template_entry *entry, struct colony_template *template);
void engine_remove_entry(struct template_entry *entry);

/* engine_owned.c: templates that belong to a file of a configuration directory, or to a session. */
bool engine_is_of_directory(const struct template_entry *entry);
bool engine_is_of_session(const struct template_entry *entry);
/* Of the program that colony is embedded in, which others may change. */
bool engine_is_of_program(const struct template_entry *entry);
bool engine_is_forwarded(const struct template_entry *entry);
/* -EBUSY with what to do instead: others may not change what its owner says. */
int engine_check_free(const struct template_entry *entry, struct colony_error *err);

/* engine_record.c: the store's side of it. */
int engine_load_templates(struct colony_engine *engine, struct colony_error *err);
/* Where memory is short, it is tried again; colony_engine_when_recorded tells. */
void engine_record(struct template_entry *entry);
/* The same for what is marked: a slot unnoted, an entry unlinked. */
void engine_record_later(struct colony_engine *engine);
/* What was tried in vain, now. -ENOMEM: again so. */
int engine_record_rest(struct colony_engine *engine);
/* As much of the history as the settings say. */
void engine_keep_history(struct colony_engine *engine);
/* -ENOMEM: an engine that takes over has it again, unless its file or its directory says else. */
int engine_record_removed(const struct template_entry *entry);

/* engine_trim.c: once it is quiet after many moves of slots, or @is_much, memory is given back. */
void engine_trim_init(struct colony_engine *engine);
void engine_stir(struct colony_engine *engine, bool is_much);
void engine_trim_close(struct colony_engine *engine);

/* engine_control.c */
struct template_entry *engine_entry_to_change(struct colony_engine *engine, const char *name,
                                              const char *why, struct colony_error *err);
struct template_entry *engine_visible_entry(struct colony_engine *engine, const char *name);

/* engine_look.c */
int engine_slot_log_path(const struct slot *slot, bool is_error, char *path, size_t size);
/* True when stderr of @template has a pipe and a log of its own. */
bool engine_has_error_log(const struct colony_template *template);
/* The same of a file of its own that its process writes itself. */
bool engine_has_error_file(const struct colony_template *template);
/* Where that is, or its stdout. */
int engine_direct_path(const struct slot *slot, bool is_error, char *path, size_t size);

/* engine_input.c: what can be written to, by colony_engine_write_input(). Takes over @fd. */
typedef void (*engine_readable_cb)(void *data);
int engine_input_open(struct input **out, struct colony_engine *engine, int fd);
/* @readable is called when there is something to be read of it, or an end; NULL: no more. */
int engine_input_read(struct input *input, engine_readable_cb readable, void *data);
int engine_input_fd(const struct input *input);
void engine_input_end(struct input *input, const char *why);
void engine_input_each_fd(const struct input *input, void (*cb)(int fd, void *data), void *data);
/* The stdin of the slot's process: takes over the pipe, and lets go of it. */
int engine_input_take(struct slot *slot, int fd);
void engine_input_close(struct slot *slot, const char *why);

/* engine_custom.c: the sockets that are the custom streams of the slot's process. */
struct custom_tap;
typedef void (*engine_custom_cb)(const char *bytes, size_t size, void *data); /* 0: the end */
struct engine_custom_wish {
    engine_custom_cb cb;
    void *data;
};
int engine_custom_take(struct slot *slot, uint32_t number, int fd);
/* Tells what its process wrote up to now, and the end. */
void engine_custom_close(struct slot *slot, const char *why);
void engine_custom_free(struct slot *slot);
void engine_custom_each_fd(const struct slot *slot, void (*cb)(int fd, void *data), void *data);
bool engine_custom_has(const struct slot *slot, const char *label);
/* *out is NULL when it is closed. -EINVAL: no such label. */
int engine_custom_input(const struct slot *slot, const char *label, struct input **out);
/* *out is gone once the end is told. -EINVAL: no such label; -ESRCH: it is closed; -ENOMEM. */
int engine_custom_follow(struct slot *slot, const char *label,
                         const struct engine_custom_wish *wish, struct custom_tap **out);
/* Safe inside callbacks; NULL is fine. */
void engine_custom_unfollow(struct custom_tap *tap);
/* False: nobody held on to them while the engine was replaced. */
bool engine_custom_is_held(const struct slot *slot);
/* Bytes that nobody followed, of all processes of the slot. */
uint64_t engine_custom_unread(const struct slot *slot);

/* engine.c. A text of a slot or template: begun and ended by _clear, never NULL. Without memory for
 * it, it says so: nothing fails for the want of a text. */
void engine_set_text(const char **text, const char *value);
void engine_clear_text(const char **text);
struct slot *engine_entry_slot(struct template_entry *entry, uint32_t number);
void engine_set_why(struct template_entry *entry, const char *why);
void engine_publish(struct template_entry *entry, enum colony_event_type type);
void engine_publish_because(struct template_entry *entry, enum colony_event_type type,
                            const char *text);
void engine_check_stopped(struct colony_engine *engine);
void engine_stop_all(struct colony_engine *engine, const char *why);
void engine_end_with(struct colony_engine *engine, int exit_code, const char *why);
void engine_on_part_closed(struct colony_engine *engine);
void engine_lose(struct colony_engine *engine);
/* It cannot go on; the caller returns, too. */
void engine_give_up(struct colony_engine *engine, const char *why);
uint64_t engine_boot_ms(void);
const struct colony_record *engine_slot_record(const struct slot *slot);

#endif
