/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings.h - all that `colony serve` can be told, from files and the command line.
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
struct colony_events_settings; /* event_settings.h */
struct colony_juggler_settings;
struct colony_value;

/* Files of an endpoint with TLS; certfile NULL: it has none. */
struct colony_tls_settings {
    char *certfile;  /* its certificate, then those between it and the authority */
    char *keyfile;   /* NULL: in certfile */
    char *client_ca; /* who must have signed the certificate that a client needs; NULL: none is */
};

/* An endpoint with files of its own. */
struct colony_endpoint_settings {
    char *bind;
    struct colony_tls_settings tls;
};

enum {
    COLONY_ENDPOINTS_MAX = 64,
};

/* `http:` - the control endpoints (DESIGN §6, §7). */
struct colony_http_settings {
    char **bind;  /* "HOST:PORT", "[V6]:PORT", "unix:PATH"; NULL-terminated; {"none"}: no TCP;
                     an empty list: the defaults */
    char **allow; /* user names or uids that may control besides root and the owner */
    char **hosts; /* Host names known besides localhost, the bound ones and this machine's */
    char **cors_origins;            /* foreign Origins that may control */
    char *plugins;                  /* folder of site plugins; NULL: there are none */
    bool insecure;                  /* allow a TCP endpoint beyond loopback without token and TLS */
    char *tokens;                   /* file of tokens for such endpoints (DESIGN §7); NULL: none */
    struct colony_tls_settings tls; /* of the TCP addresses in @bind */
    struct colony_endpoint_settings *endpoints;
    size_t endpoint_count;
    uint64_t header_bytes_max;  /* 16 KiB */
    uint64_t body_bytes_max;    /* 1 MiB */
    uint64_t feed_bytes_max;    /* 1 MiB */
    uint64_t message_bytes_max; /* 1 MiB */
    uint64_t request_ms_max;    /* 30 s to finish a request */
    uint32_t connections_max;   /* 1,024 */
};

enum colony_log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_CLASSIC };
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

/* `history:` - what is kept of it. */
struct colony_history_settings {
    uint32_t events_max;
    uint64_t age_ms_max; /* 0: however old */
};

/* Whether the output of a process goes to colony's own log too. */
enum colony_forward {
    FORWARD_FOREGROUND, /* `serve` makes one of the others of it */
    FORWARD_ALWAYS,
    FORWARD_NEVER,
};

enum {
    COLONY_FREQUENCY_MS_MIN = 10, /* of looks at directories */
};

/* `files:` - control by the files of two directories, as ncolony has it. */
struct colony_files_settings {
    char *config;   /* one file a process; NULL: none of this is wanted */
    char *messages; /* one file a message */
    char *pid;      /* one file a process that runs, with its pid; NULL: none */
    uint64_t frequency_ms;
    uint64_t threshold_ms; /* what ended sooner waits before it is started again */
    uint64_t kill_ms;      /* its grace */
    uint64_t min_delay_ms;
    uint64_t max_delay_ms;
    enum colony_forward forward;
};

/* Where events are posted to (`webhooks:`). */
struct colony_webhook_settings {
    char *url;
    char **events;       /* patterns of events.h; NULL-terminated */
    char **headers;      /* "Name: value"; NULL-terminated */
    char *secret_file;   /* what it holds signs each body; NULL: nothing does */
    char *ca;            /* authorities of the server's certificate; NULL: the system's */
    uint64_t timeout_ms; /* of one attempt */
    uint64_t bytes_max;  /* that wait */
    uint32_t events_max; /* that wait */
    uint32_t retries;    /* of each event */
};

enum {
    COLONY_WEBHOOKS_MAX = 64,
};

struct colony_webhooks_settings {
    struct colony_webhook_settings *list;
    size_t count;
};

/* `master:` - the daemon endpoint: events and status, and nothing that controls. */
struct colony_master_settings {
    bool is_wanted; /* there is such a section, or --events */
    char *host;
    char **hidden_opts; /* of the user's own keys; NULL-terminated */
    uint32_t port;
};

/* `ping:` and `status:` - what is asked besides colony itself. NULL: nothing. */
struct colony_ping_settings {
    char *exec;
    char **argv; /* the same, split; NULL-terminated */
    uint64_t timeout_ms;
    uint64_t blocked_ms; /* a turn of the loop that takes longer is a failure */
};

struct colony_status_settings {
    char *exec;
    char **argv;
    uint64_t timeout_ms;
};

/* Where attributes that start with `pst` are kept. The first is malacoda's word for the second. */
enum colony_pst_class { PST_FILE_STORAGE, PST_FILE, PST_SQLITE, PST_S3, PST_NONE };

struct colony_pst_settings {
    enum colony_pst_class class_name;
    char *file_path;   /* NULL: in the state folder */
    char *url;         /* s3: of the object */
    char *region;      /* s3 */
    char *credentials; /* s3: a file with `KEY SECRET` */
    uint64_t frequency_ms;
};

/* The custom stream that a program which is served talks on. */
#define COLONY_RPC_STREAM "rpc"

/* `rpc:` - control over ZeroMQ. */
struct colony_rpc_settings {
    bool is_wanted;
    char *bind;    /* "HOST:PORT", or without a port; NULL: the default of rpc/listen.h */
    char *name;    /* in the registry; NULL: that of colony */
    char *program; /* the process that is served (rpc/program.h); NULL: colony itself */
    char *keys;    /* rpc/curve.h; both or none */
    char *allow;
    bool insecure;
    uint64_t message_bytes_max;
    struct colony_pst_settings pst;
};

/* `session:` - the processes of a workspace (session/session.h). */
struct colony_session_settings {
    char *dir; /* NULL: none of this is wanted */
};

/* A file that settings were read from. */
struct colony_settings_file {
    char *path;   /* for messages: as it was given, or from where it was included */
    bool is_ini;  /* unknown keys of its processes are kept, as gaffer does */
    dev_t device; /* by which it is known again */
    ino_t inode;
    bool is_roots;         /* it belongs to root and nobody else may write it */
    size_t template_count; /* that it gives */
};

enum {
    COLONY_SECTIONS_MAX = 32,
};

struct colony_settings {
    uint64_t section_hashes[COLONY_SECTIONS_MAX]; /* of what the file says of each; 0: nothing */
    uint64_t load_id; /* of the reading they come from: tells one load from another */
    char *exit_with;  /* `exit_with`: colony ends with this template's first process; NULL */
    char *state_dir;  /* NULL: the default of DESIGN §5 */
    char *name;       /* the instance's name for people; that of the file without its ending unless
                         it is given, else "colony" */
    char *log_file;   /* NULL: stderr */
    enum colony_log_level log_level;
    enum colony_log_format log_format;
    struct colony_http_settings http;
    struct colony_user_settings user;
    struct colony_history_settings history;
    struct colony_webhooks_settings webhooks;
    struct colony_files_settings directories; /* `files:` */
    struct colony_master_settings master;
    struct colony_ping_settings ping;
    struct colony_status_settings status;
    struct colony_events_settings *events;
    struct colony_juggler_settings *juggler;
    struct colony_rpc_settings rpc;
    struct colony_session_settings session;
    char **controllers;                 /* shared objects, absolute; NULL-terminated; NULL: none */
    struct colony_template **templates; /* in file order */
    size_t template_count;
    struct colony_settings_file *files; /* that was read first, then what it includes */
    size_t file_count;
    struct colony_value *source; /* the user's own keys, of all files; while settings are read also
                                    {colony: {SECTION: …}} */
};

/* Of which endpoint: 0 is those of `bind`, others are one more than their place in `endpoints`. */
const struct colony_tls_settings *colony_http_tls(const struct colony_http_settings *http,
                                                  size_t number);

/* {"hidden_opts", "host", "port"}. NULL: out of memory. */
struct cJSON *colony_master_to_json(const struct colony_master_settings *master);

/* Whether the value of the user's key @key is not to be shown. */
bool colony_master_hides(const struct colony_master_settings *master, const char *key);

/* Has the endpoint at "HOST:PORT", "[V6]:PORT" or "PORT" of all addresses. -EINVAL, -ENOMEM. */
int colony_master_set_address(struct colony_master_settings *master, const char *text,
                              struct colony_error *err);

/* Sets `bind` to the NULL-terminated @addresses, of which there is one at least; copies. -ENOMEM,
 * -EINVAL: an address is longer than any can be. */
int colony_http_set_bind(struct colony_http_settings *http, const char *const *addresses);
/* Leaves the control socket alone: `bind: none`, and no endpoints. -ENOMEM. */
int colony_http_set_no_tcp(struct colony_http_settings *http);

/* Sets the certificate of `bind` (@keyfile NULL: it is in @certfile); copies. -ENOMEM. */
int colony_http_set_tls(struct colony_http_settings *http, const char *certfile,
                        const char *keyfile);

/* http:// or https://, a host, and no blanks. */
bool colony_is_http_url(const char *url);

/* Whether what is said of `files:` goes together. -EINVAL. */
int colony_files_check_settings(const struct colony_files_settings *files,
                                struct colony_error *err);

/* What people may know of a webhook's URL, which may have a secret in it: "https://host:port". */
void colony_webhook_origin(const char *url, char *text, size_t size);

/* Calls @cb for each section that the files of @left and @right say different things of, and that a
 * running colony cannot go over to. */
void colony_settings_each_fixed(const struct colony_settings *left,
                                const struct colony_settings *right,
                                void (*cb)(const char *section, void *data), void *data);

/* Whether the files they come from have the section @name. */
bool colony_settings_has(const struct colony_settings *settings, const char *name);

/* Settings with all defaults and no template. */
int colony_settings_new(struct colony_settings **out, struct colony_error *err);
void colony_settings_free(struct colony_settings *settings);
/* As if they had been read anew: what was changed while colony ran on them is of another load. */
void colony_settings_renew(struct colony_settings *settings);

/*
 * Reads a file and what it includes: a path, a pattern of glob(7), a folder (its *.yaml, *.yml and
 * *.ini in the order of their names) or a list of these, from the folder of the file that includes.
 * It is gaffer's INI when its name ends in `.ini`, or, unless that ends in `.yaml`, `.yml` or
 * `.json`, when it begins with a [section] or such a file includes it; else it is YAML. To
 * /etc/colony/colony.yaml belongs the folder conf.d beside it, even when the file itself is
 * missing. A name of a template, a section or a key of the user's that two files give is an error;
 * a file that is reached twice is read once. Then what the templates depend on is looked over
 * (gates.h).
 *
 * Messages are `FILE:LINE:COLUMN: cannot …`, unknown keys get the nearest known one. As root, a
 * `user:` section is taken only when every file belongs to root and nobody else may write it.
 *
 * Returns 0, -EINVAL with the reason, -ELOOP (files that include, or templates that depend on, each
 * other), -ENOENT (a file, a template named in `exit_with` or `depends_on`), -EPERM for such a
 * `user:`, -EFBIG above 16 MiB, or what opening and reading says (-EACCES, -EISDIR, …).
 */
int colony_settings_load(struct colony_settings **out, const char *path, struct colony_error *err);

/* The same of YAML (which JSON is, too) in memory, which messages call `settings`: what it includes
 * is found from the working directory. @name: what it is called unless it says so. */
int colony_settings_load_text(struct colony_settings **out, const char *text, size_t size,
                              const char *name, struct colony_error *err);

/*
 * Settings of a program that is a daemon of its own, from @tree (value.h), which it takes over also
 * when it fails; @path stands in messages. Its sections are `master`, `events` and `juggler`, at
 * the top or below `colony:`, where a key of that name is the program's then; so is all else.
 * -EINVAL, -ENOMEM.
 */
int colony_settings_of_program(struct colony_settings **out, struct colony_value *tree,
                               const char *path, struct colony_error *err);

/* Settings of a program that serves RPC itself: @map has what stands below `rpc:`, but `name` and
 * `program`; @path stands in messages. All else is as by default. -EINVAL, -ENOMEM. */
int colony_settings_of_rpc(struct colony_settings **out, const struct colony_value *map,
                           const char *path, struct colony_error *err);

/* What is read when no file is given: /etc/colony/colony.yaml; NULL when there is nothing. */
const char *colony_settings_default_path(void);

/* Sets `exit_with`. -ENOENT with the nearest name when there is no such template; -ENOMEM. */
int colony_settings_set_exit_with(struct colony_settings *settings, const char *name,
                                  struct colony_error *err);

/*
 * The settings as one JSON text that colony_settings_parse_json reads back to the same settings:
 * what the engine is given, so that it runs on what was checked. It shows what the struct holds
 * now, also where the command line has changed it after loading; templates are written as they were
 * given, and users are looked up again when it is read. load_id is kept. The caller frees *text.
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
