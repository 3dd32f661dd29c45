/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - all that `colony serve` can be told, from a YAML file and the command line.
 *
 * Every section is read by a static table. Sections of later parts are refused by name until they
 * are built; every other top-level key is the user's own and kept in @user.
 */
#ifndef COLONY_CORE_SETTINGS_H
#define COLONY_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/template.h"

struct cJSON;
struct colony_error;
struct colony_value;

/* `http:` - the control endpoints (DESIGN §6, §7). */
struct colony_http_settings {
    char **bind;  /* "HOST:PORT", "[V6]:PORT", "unix:PATH"; NULL-terminated; {"none"}: no TCP;
                     an empty list: the defaults */
    char **allow; /* user names or uids that may control besides root and the owner */
    char **hosts; /* Host names known besides localhost, the bound ones and this machine's */
    char **cors_origins;       /* foreign Origins that may control */
    bool insecure;             /* allow a TCP endpoint beyond loopback without token and TLS */
    uint64_t header_bytes_max; /* 16 KiB */
    uint64_t body_bytes_max;   /* 1 MiB */
    uint64_t request_ms_max;   /* 30 s to finish a request */
    uint32_t connections_max;  /* 1,024 */
};

enum colony_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum colony_log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* `user:` - the engine runs as @name; the keeper stays root and spawns only as these identities. */
struct colony_user_settings {
    char *name;                         /* NULL: keeper and engine run as they were started */
    struct colony_identity engine;      /* with the user's supplementary groups */
    struct colony_identity *identities; /* `run_as`: whom templates may run as */
    size_t identity_count;
    bool allow_nice;
    bool allow_oom_score_adj;
    bool allow_rlimits;
};

struct colony_settings {
    uint64_t load_id; /* of the reading they come from: tells one load from another */
    char *exit_with;  /* `exit_with`: colony ends with this template's first process; NULL */
    char *state_dir;  /* NULL: the default of DESIGN §5 */
    char *name;       /* the instance's name for people; default "colony" */
    char *log_file;   /* NULL: stderr */
    enum colony_log_level log_level;
    enum colony_log_format log_format;
    struct colony_http_settings http;
    struct colony_user_settings user;
    struct colony_template **templates; /* in file order */
    size_t template_count;
    struct colony_value *source; /* the whole tree as read */
};

/* Settings with all defaults and no template. */
int colony_settings_new(struct colony_settings **out, struct colony_error *err);
void colony_settings_free(struct colony_settings *settings);

/*
 * Reads a YAML file. Messages are `FILE:LINE:COLUMN: cannot …`, unknown keys get the nearest known
 * one. As root, a `user:` section is taken only from a file that belongs to root and that nobody
 * else may write.
 *
 * Returns 0, -EINVAL with the reason, -EPERM for such a `user:`, -EFBIG above 16 MiB, or what
 * opening and reading it says (-ENOENT, -EACCES, -EISDIR, …).
 */
int colony_settings_load(struct colony_settings **out, const char *path, struct colony_error *err);

/*
 * The settings as one JSON text that colony_settings_parse_json reads back to the same settings:
 * what the engine is given, so that it runs on what was checked. It shows what the struct holds
 * now, also where the command line has changed it after loading; templates are written as they were
 * given, and users are looked up again when it is read. The caller frees *text.
 *
 * Returns 0 or -ENOMEM; -EINVAL or -EBADMSG with the reason when it can't be read.
 */
int colony_settings_to_json(const struct colony_settings *settings, char **text);
int colony_settings_parse_json(struct colony_settings **out, const char *text, size_t size,
                               struct colony_error *err);

/* "500ms", "5s", "2m", "1h", "1d" or a number of seconds → ms, at most 100 years. -EINVAL. */
int colony_settings_parse_duration(const char *text, uint64_t *ms);
/* "64MiB", "64k", "1GB" or a number of bytes → bytes. k, M, G are powers of 1,024. -EINVAL. */
int colony_settings_parse_size(const char *text, uint64_t *bytes);

#endif
