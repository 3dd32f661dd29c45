/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_internal.h - the settings of a template by topic, and their types (setting_internal.h).
 *
 * A topic has its tables and readers in a file of its own, template_TOPIC.c, and there what can
 * only be checked when all settings are read.
 */
#ifndef COLONY_CORE_TEMPLATE_INTERNAL_H
#define COLONY_CORE_TEMPLATE_INTERNAL_H

#include <stdint.h>

#include "core/setting_internal.h"
#include "core/template.h"

struct colony_value;

/* A template while it is read: what it points to is here or on the heap of its own. */
struct colony__draft {
    struct colony_template template;
    struct colony_value *source;
    struct colony_identity identity;
    struct colony_rlimit rlimits[COLONY_RLIMITS_MAX];
    struct colony_restart_policy restart;
    struct colony_ready_settings ready;
    struct colony_health_settings health;
    struct colony_limits limits;
    struct colony_restart_above restart_above;
    struct colony_schedule schedule;
};

/* The member of a template's source that holds what its env files said: colony's alone. */
#define COLONY__ENV_FILE_SAVED "colony.env_file"

/* All settings of a template. The tables below are the `detail` of one of its rows each. */
extern const struct colony__setting colony__template_settings[];
extern const struct colony__setting colony__restart_settings[];
extern const struct colony__setting colony__flapping_settings[];
extern const struct colony__setting colony__dependency_settings[]; /* of each of its members */
extern const struct colony__setting colony__ready_settings[];
extern const struct colony__setting colony__health_settings[];
extern const struct colony__setting colony__limits_settings[];
extern const struct colony__setting colony__restart_above_settings[];
extern const struct colony__setting colony__schedule_settings[];

/* Without a reader: read with others, see command_internal.h and identity_internal.h. */
extern const struct colony__setting_type colony__name;
extern const struct colony__setting_type colony__args;
extern const struct colony__setting_type colony__env;
extern const struct colony__setting_type colony__env_file;
extern const struct colony__setting_type colony__user;
extern const struct colony__setting_type colony__group;
extern const struct colony__setting_type colony__groups;

extern const struct colony__setting_type colony__labels;        /* char **: two labels at most */
extern const struct colony__setting_type colony__stream_labels; /* char **: five at most */
extern const struct colony__setting_type colony__env_names;     /* char **; names without `=` */
extern const struct colony__setting_type colony__umask;         /* the draft */
extern const struct colony__setting_type colony__nice;          /* the draft; detail is a range */
extern const struct colony__setting_type colony__oom_score_adj; /* the same */
extern const struct colony__setting_type colony__rlimits;       /* the draft */
extern const struct colony__setting_type colony__stop_signals;  /* uint8_t[] up to 0 */
extern const struct colony__setting_type colony__log;      /* log settings; detail is their table */
extern const struct colony__setting_type colony__log_mode; /* detail is the mode that true means */
extern const struct colony__setting_type colony__log_path; /* char *: absolute */
extern const struct colony__setting_type colony__log_forward;   /* enum colony_log_forward */
extern const struct colony__setting_type colony__restart;       /* a policy; detail is its table */
extern const struct colony__setting_type colony__flapping;      /* the same, in gaffer's spelling */
extern const struct colony__setting_type colony__depends_on;    /* the draft */
extern const struct colony__setting_type colony__condition;     /* struct colony_dependency */
extern const struct colony__setting_type colony__ready;         /* struct colony_ready_settings */
extern const struct colony__setting_type colony__ready_fd;      /* int; detail is a range */
extern const struct colony__setting_type colony__ready_tcp;     /* char *: HOST:PORT */
extern const struct colony__setting_type colony__ready_http;    /* char *: an URL */
extern const struct colony__setting_type colony__ready_exec;    /* char *: a command */
extern const struct colony__setting_type colony__health;        /* struct colony_health_settings */
extern const struct colony__setting_type colony__restart_above; /* struct colony_restart_above */
extern const struct colony__setting_type colony__schedule;      /* struct colony_schedule */

/* colony_template_new as @reading says. */
int colony__template_read(struct colony_template **out, const char *name,
                          const struct colony_value *source, const struct colony__reading *reading);

/* What contradicts what. -EINVAL with the reason. */
int colony__restart_check(const struct colony__draft *draft, const struct colony__reading *reading);
int colony__schedule_check(const struct colony__draft *draft,
                           const struct colony__reading *reading);
int colony__ready_check(const struct colony__draft *draft, const struct colony__reading *reading);
int colony__streams_check(const struct colony__draft *draft, const struct colony__reading *reading);
int colony__health_check(const struct colony__draft *draft, const struct colony__reading *reading);
int colony__limits_check(const struct colony__draft *draft, const struct colony__reading *reading);

/* Takes the member COLONY__ENV_FILE_SAVED out of @source; the caller's. NULL: there is none. */
struct colony_value *colony__env_file_take_saved(struct colony_value *source);

/*
 * Fills @draft's `env_file` from the files or from @saved (NULL: none), and puts it into its
 * source. `env` is read already. @saved is -EINVAL where colony did not write it: nobody else may
 * say what a file says.
 */
int colony__env_file_read(struct colony__draft *draft, const struct colony_value *saved,
                          const struct colony__reading *reading);

/* The hashes of struct colony_template. */
uint64_t colony__template_hash(const struct colony_value *source);
uint64_t colony__template_process_hash(const struct colony_value *source);

#endif
