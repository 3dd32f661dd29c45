/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - a process template: what to run and how (ORIGINALS §1, DESIGN §4).
 *
 * A template does not change once made; an update makes a new one. It is one block of memory, with
 * all that it points to but what is the same for everybody, because there may be thousands. It is
 * read from a colony_value tree by one table of settings, which also writes `colony check`'s
 * messages, the JSON of GET /processes/NAME and the reference page.
 */
#ifndef COLONY_CORE_TEMPLATE_H
#define COLONY_CORE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/restart.h"
#include "core/schedule.h"

struct cJSON;
struct colony_error;
struct colony_value;

enum {
    COLONY_NAME_MAX = 200,    /* bytes of a name, without the NUL (DESIGN §7) */
    COLONY_SLOTS_MAX = 10000, /* numprocesses of one template */
    COLONY_GROUPS_MAX = 64,   /* supplementary groups */
    COLONY_RLIMITS_MAX = 16,  /* RLIM_NLIMITS */
    COLONY_PRIORITY_LAST = 1000000,
    COLONY_DEPENDENCIES_MAX = 256, /* of one template */
    COLONY_STOP_SIGNALS_MAX = 8,   /* of one stop */
    COLONY_LABEL_MAX = 64,         /* bytes of the label of a stream */
    COLONY_CUSTOM_FD_FIRST = 3,    /* what the first of custom_streams is to the process */
};

enum colony_log_mode {
    LOG_CAPTURE, /* pipe to STATE/log/NAME.N.log, rotated */
    LOG_DIRECT,  /* the file itself is the child's stdout and stderr: append, no rotation */
    LOG_NONE,    /* /dev/null */
};

enum colony_log_full {
    LOG_FULL_DROP,  /* the child goes on, what is lost is counted */
    LOG_FULL_BLOCK, /* the child waits, nothing is lost */
};

enum colony_log_forward {
    LOG_FORWARD_UNSAID, /* as its directory has it; without one they do not */
    LOG_FORWARD_NO,
    LOG_FORWARD_YES,
};

struct colony_log_settings {
    enum colony_log_mode mode;
    enum colony_log_full on_full;
    uint64_t size_bytes;             /* rotate at this size; default 16 MiB */
    uint32_t count;                  /* rotated files kept; default 5 */
    enum colony_log_forward forward; /* lines also go to colony's own log */
    char *out;                       /* LOG_DIRECT: absolute paths; NULL: STATE/log/NAME.N.log */
    char *err;                       /* of stderr; NULL: the same as stdout */
};

struct colony_rlimit {
    int resource; /* RLIMIT_… */
    uint64_t soft;
    uint64_t hard;
};

/* Who a process runs as. When !is_set, it runs as colony itself does. */
struct colony_identity {
    bool is_set;
    uid_t uid;
    gid_t gid; /* the user's primary group unless `gid` is given */
    size_t group_count;
    gid_t groups[COLONY_GROUPS_MAX]; /* that of a template ends after group_count: never copy it */
};

/* What must be true of a dependency before the template may start (DESIGN §4, Gates). */
enum colony_condition {
    CONDITION_STARTED,   /* each of its slots has a process */
    CONDITION_READY,     /* each of its slots is ready; without `ready:` that is started */
    CONDITION_COMPLETED, /* each of its slots ended with a success and is not restarted */
    CONDITION_HEALTHY,   /* each of its slots was found healthy; without `health:` that is ready */
    CONDITION_STATE,     /* it is in the state `state`, as colony_engine_set_state() told */
};

#define COLONY_ANY_STATE "*" /* any but COLONY_STATE_STARTING */
#define COLONY_STATE_STARTING "starting"

/* What a running dependent does when a dependency is stopped, has failed for good or has left the
 * state of CONDITION_STATE. */
enum colony_when_down {
    WHEN_DOWN_STOP,    /* it is stopped first, and waits until the dependency is there again */
    WHEN_DOWN_KEEP,    /* it runs on */
    WHEN_DOWN_RESTART, /* as stop, and it is also restarted when the dependency was, for any cause
                        */
};

struct colony_dependency {
    char *name;
    char *state; /* of CONDITION_STATE: its name, or COLONY_ANY_STATE; else NULL */
    enum colony_condition condition;
    bool is_needed; /* else only waited for: one that is missing, stopped or failed holds up nobody
                     */
    enum colony_when_down when_down; /* KEEP when it is only waited for */
};

/* How a process tells that it is ready. */
enum colony_ready_kind {
    READY_NONE,   /* running is all there is */
    READY_NOTIFY, /* sd_notify(3): READY=1 */
    READY_FD,     /* a line on descriptor `fd` */
    READY_LINE,   /* a line of output that matches the POSIX extended regular expression `text` */
    READY_TCP,    /* something accepts connections at `text`, HOST:PORT */
    READY_EXEC,   /* the command `text` exits with 0 */
    READY_DELAY,  /* it has run for delay_ms */
    READY_HTTP,   /* a GET of the URL `text` is answered with a status below 400 */
};

struct colony_ready_settings {
    enum colony_ready_kind kind;
    int fd; /* READY_FD: 3 to 7 */
    char *text;
    uint64_t delay_ms;
    uint64_t interval_ms; /* between tries of tcp, http and exec; default 1 s */
    uint64_t try_ms;      /* how long one try may take; default 5 s */
};

/* By what is found out whether a process that is ready is well. */
enum colony_health_kind {
    HEALTH_NONE,      /* nobody looks */
    HEALTH_HEARTBEAT, /* it touches the file `text` within each period; NULL: one of colony's own */
    HEALTH_HTTP,      /* as READY_HTTP, READY_TCP and READY_EXEC */
    HEALTH_TCP,
    HEALTH_EXEC,
};

enum colony_health_then {
    HEALTH_RESTART, /* it is stopped, and the restart policy follows */
    HEALTH_REPORT,  /* it is told, and nothing else is done */
};

struct colony_health_settings {
    enum colony_health_kind kind;
    enum colony_health_then then;
    char *text;
    uint64_t period_ms;  /* between checks; default 10 s */
    uint64_t timeout_ms; /* how long one may take; default 5 s */
    uint64_t grace_ms;   /* from ready to the first check; default period_ms */
    uint32_t max_bad;    /* failures in a row that are no matter; default 2, of hearts 0 */
};

/* Of the slot's cgroup; 0: no limit. */
struct colony_limits {
    uint64_t memory_bytes;
    uint32_t cpu_milli; /* thousandths of one CPU */
    uint32_t pids;
    bool is_optional; /* go on without where the machine has no such controller */
};

/* Restarted when its process and that one's children stay above one of these for so long. */
struct colony_restart_above {
    uint64_t memory_bytes; /* 0: no limit */
    uint32_t cpu_percent;  /* of one CPU; 0: no limit */
    uint64_t for_ms;
};

struct colony_template {
    char *name;
    char *group; /* what stands before the first `:` of the name; NULL: none */
    char *cmd;
    char **argv;        /* what is run: cmd and args split and substituted; NULL-terminated */
    char **env;         /* the template's own, as KEY=VALUE; NULL-terminated; wins over env_file */
    char **env_file;    /* what the files of `env_file` say that `env` does not, as KEY=VALUE and
                           sorted by KEY; NULL-terminated */
    char **env_inherit; /* names; NULL-terminated */
    char **redirect_output; /* labels of stdout and stderr; NULL-terminated; both the same: one
                               stream; one that is left out can't be followed */
    char **custom_streams;  /* labels of its descriptors 3, 4, …; NULL-terminated */
    char *cwd;              /* NULL: where colony was started */
    char *source;           /* the settings as given, `name`, and what env files said, as JSON: for
                               comparing, and for colony_template_restore */
    const struct colony_identity *identity;      /* NULL: as colony itself runs */
    const struct colony_restart_policy *restart; /* of `restart` or `flapping` */
    const struct colony_ready_settings *ready;
    const struct colony_health_settings *health;
    const struct colony_limits *limits;
    const struct colony_restart_above *restart_above;
    const struct colony_schedule *schedule; /* NULL: it runs all the time */
    struct colony_rlimit *rlimits;
    struct colony_dependency *dependencies;
    uint32_t rlimit_count;
    uint32_t dependency_count;
    struct colony_log_settings log;
    uint64_t grace_ms;         /* graceful_timeout: after each of stop_signals */
    uint64_t start_timeout_ms; /* not ready after it: stopped, a failure; 0: no limit */
    uint64_t watchdog_ms;      /* WATCHDOG=1 must come so often, else it is restarted; 0: none */
    uint64_t max_age_ms;       /* restarted when it is so old; 0: never */
    uint64_t hash;             /* equal means nothing changed, env files included */
    uint64_t process_hash;     /* of what a running process is made of: a change means a new one */
    uint32_t numprocesses;
    uint32_t port;     /* PORT of slot 1, one more for each after it; 0: none */
    uint32_t priority; /* 0 first; COLONY_PRIORITY_LAST by default */
    uint8_t stop_signals[COLONY_STOP_SIGNALS_MAX]; /* each in turn, for grace_ms; 0 ends them */
    mode_t umask;
    int nice;
    int oom_score_adj;
    bool os_env;
    bool mark;           /* COLONY_ID is put into the environment */
    bool redirect_input; /* stdin is a pipe that can be written to */
    bool has_umask;
    bool has_nice;
    bool has_oom_score_adj;
    bool shell;
    bool stop_group;
    bool detach;
    bool start;
    bool essential; /* colony ends, with its exit code, when this one fails for good */
    bool critical;  /* /ping of the daemon endpoint fails unless all of it runs */
};

/* What a template has that gives none of these. */
extern const struct colony_ready_settings colony_ready_none;
extern const struct colony_health_settings colony_health_none;
extern const struct colony_limits colony_limits_none;
extern const struct colony_restart_above colony_restart_above_none;

/*
 * Makes a template from the map @source. @file stands in messages before LINE:COLUMN (NULL for
 * JSON over HTTP: then no place is given). With @strict an unknown key is an error that names the
 * nearest known one; without, it is kept and given back (gaffer's clients expect that).
 * `name` in the map may be left out when @name is given; if both are, they must be equal. A null
 * means that a setting is not given.
 *
 * `args` absent: `cmd` is split as a shell splits words. `args` a text: split as shlex.split does.
 * $VAR and ${VAR} in args are replaced from `env`; an unknown one is -EINVAL. `shell: true` runs
 * `/bin/sh -c "CMD ARGS…"`, with CMD as it is. Users and groups are names or numbers, looked up
 * now. The files of `env_file` are read now too, from the folder of @file unless their paths are
 * absolute; $VAR in args may also stand for a variable of theirs.
 *
 * Returns 0, -EINVAL with the reason, or -ENOMEM. Copies what it needs of @source.
 */
int colony_template_new(struct colony_template **out, const char *name,
                        const struct colony_value *source, const char *file, bool strict,
                        struct colony_error *err);

/*
 * The same, strictly, for a file of a configuration directory: its name may be digits alone, as it
 * may for colony_template_restore.
 */
int colony_template_new_of_file(struct colony_template **out, const char *name,
                                const struct colony_value *source, const char *file,
                                struct colony_error *err);

/*
 * Makes a template again from the source of one: the files of `env_file` are not read again.
 * Unknown keys are kept. Fails as colony_template_new, and with -EBADMSG when @source is no JSON.
 */
int colony_template_restore(struct colony_template **out, const char *source,
                            struct colony_error *err);

/* A deep copy, in one block, of @template, which may have been put together otherwise. -ENOMEM. */
int colony_template_copy(struct colony_template **out, const struct colony_template *template);
void colony_template_free(struct colony_template *template);

/*
 * The template's own settings as given plus defaults for the rest (never the environment of the
 * supervisor): what GET /processes/NAME answers. The caller owns the result. NULL: out of memory.
 */
struct cJSON *colony_template_to_json(const struct colony_template *template);

/*
 * The names of the settings in which @left and @right differ, joined by ", ", into @text, which may
 * cut them short; "" when their hashes are equal.
 */
void colony_template_difference(const struct colony_template *left,
                                const struct colony_template *right, char *text, size_t size);

/*
 * 0 when @name may name a template, a session or a group: 1 to 200 bytes of UTF-8, no `/`, no
 * control bytes, not `.` or `..`, not digits alone (gaffer's ids; files may, see ORIGINALS §1).
 * -EINVAL with the reason otherwise.
 */
int colony_name_check(const char *name, struct colony_error *err);
/* The same for a file of a configuration directory, which may be digits alone. */
int colony_name_check_file(const char *name, struct colony_error *err);

/* The name in the NULL-terminated list @names that is most like @word (edit distance at most 1 + a
 * sixth of its length, and less than that), else the only one that begins with it; or NULL. */
const char *colony_name_nearest(const char *word, const char *const *names);

#endif
