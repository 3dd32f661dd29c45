/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h - a process template: what to run and how (ORIGINALS §1, DESIGN §4).
 *
 * A template is a heap object that does not change once made; an update makes a new one. It is
 * read from a colony_value tree by one table of settings, which also writes `colony check`'s
 * messages, the JSON of GET /processes/NAME and the reference page.
 */
#ifndef COLONY_CORE_TEMPLATE_H
#define COLONY_CORE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cJSON;
struct colony_error;
struct colony_value;

enum {
    COLONY_NAME_MAX = 200,    /* bytes of a name, without the NUL (DESIGN §7) */
    COLONY_SLOTS_MAX = 10000, /* numprocesses of one template */
    COLONY_GROUPS_MAX = 64,   /* supplementary groups */
    COLONY_RLIMITS_MAX = 16,  /* RLIM_NLIMITS */
    COLONY_PRIORITY_LAST = 1000000,
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

struct colony_log_settings {
    enum colony_log_mode mode;
    enum colony_log_full on_full;
    uint64_t size_bytes; /* rotate at this size; default 16 MiB */
    uint32_t count;      /* rotated files kept; default 5 */
    bool forward;        /* lines also go to colony's own log */
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
    gid_t groups[COLONY_GROUPS_MAX];
};

struct colony_template {
    char *name;
    char *cmd;
    char **argv;        /* what is run: cmd and args split and substituted; NULL-terminated */
    char **env;         /* the template's own, as KEY=VALUE; NULL-terminated */
    char **env_inherit; /* names; NULL-terminated */
    bool os_env;
    struct colony_identity identity;
    char *cwd; /* NULL: where colony was started */
    bool has_umask;
    mode_t umask;
    bool has_nice;
    int nice;
    size_t rlimit_count;
    struct colony_rlimit rlimits[COLONY_RLIMITS_MAX];
    bool shell;
    uint32_t numprocesses;
    uint64_t grace_ms; /* graceful_timeout */
    int stop_signal;
    bool stop_group;
    bool detach;
    bool start;
    uint32_t priority; /* 0 first; COLONY_PRIORITY_LAST by default */
    struct colony_log_settings log;
    struct colony_value *source; /* the settings as given and `name`: for GET and for comparing */
    uint64_t hash;               /* of @source and @name: equal means nothing changed */
};

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
 * now.
 *
 * Returns 0, -EINVAL with the reason, or -ENOMEM. Copies what it needs of @source.
 */
int colony_template_new(struct colony_template **out, const char *name,
                        const struct colony_value *source, const char *file, bool strict,
                        struct colony_error *err);
void colony_template_free(struct colony_template *template);

/*
 * The template's own settings as given plus defaults for the rest (never the environment of the
 * supervisor): what GET /processes/NAME answers. The caller owns the result. NULL: out of memory.
 */
struct cJSON *colony_template_to_json(const struct colony_template *template);

/*
 * 0 when @name may name a template, a session or a group: 1 to 200 bytes of UTF-8, no `/`, no
 * control bytes, not `.` or `..`, not digits alone (gaffer's ids; files may, see ORIGINALS §1).
 * -EINVAL with the reason otherwise.
 */
int colony_name_check(const char *name, struct colony_error *err);

/* The name in the NULL-terminated list @names that is most like @word, or NULL when none is near
 * (edit distance at most 1 + a third of its length). */
const char *colony_name_nearest(const char *word, const char *const *names);

#endif
