/* SPDX-License-Identifier: Apache-2.0 */
/* settings_internal.h - the sections of settings, read and written. */
#ifndef COLONY_CORE_SETTINGS_INTERNAL_H
#define COLONY_CORE_SETTINGS_INTERNAL_H

#include "core/setting_internal.h"
#include "core/settings.h"

struct cJSON;
struct colony_handler_settings; /* event_settings.h */
struct colony_value;

/* @value is never null. */
typedef int (*colony__section_read_cb)(struct colony_settings *settings,
                                       const struct colony_value *value,
                                       const struct colony__reading *reading);
/* NULL: out of memory. */
typedef struct cJSON *(*colony__section_write_cb)(const struct colony_settings *settings);

struct colony__section {
    const char *name;
    colony__section_read_cb read; /* NULL: a later version has it */
    colony__section_write_cb write;
    const char *help;
    const struct colony__setting *settings; /* what it is a table of; NULL: it is none */
    bool is_fixed;                          /* a change of it takes a restart of colony */
};

/* All sections, up to one without a name. */
extern const struct colony__section colony__sections[COLONY_SECTIONS_MAX];

/* Notes what settings->source says of each section now. */
void colony__sections_hash(struct colony_settings *settings);

extern const struct colony__setting colony__user_settings[];
extern const struct colony__setting colony__http_settings[];
extern const struct colony__setting colony__webhook_settings[];
extern const struct colony__setting colony__files_settings[];
extern const struct colony__setting colony__master_settings[];
extern const struct colony__setting colony__ping_settings[];
extern const struct colony__setting colony__status_settings[];
extern const struct colony__setting colony__events_settings[];
extern const struct colony__setting colony__juggler_settings[];
extern const struct colony__setting_type colony__headers; /* char **: a map of names and texts */
extern const struct colony__setting colony__handler_settings[];
extern const struct colony__setting_type colony__handlers; /* rows of that table for each */
extern const struct colony__setting colony__rpc_settings[];
extern const struct colony__setting colony__session_settings[];
extern const struct colony__setting_type colony__http_endpoints; /* rows of a table for each */

/* The section @name, or NULL. */
const struct colony__section *colony__section_find(const char *name);

/*
 * Adds what one file says to settings->source, which has one shape whatever is read: all sections
 * under `colony`, beside it the user's own keys. Takes ownership of @tree. In a file a section may
 * stand under `colony:`, and then a top-level key of that name is the user's. Processes are added
 * to those that are there; any other section may be given once.
 *
 * The value of `include` goes to *include, to be freed by the caller; NULL: it is a section too.
 */
int colony__settings_add(struct colony_settings *settings, struct colony_value *tree,
                         struct colony_value **include, const struct colony__reading *reading);

/* -EINVAL when two files have the same key of the user's. */
int colony__settings_check_users_keys(const struct colony_settings *settings,
                                      const struct colony__reading *reading);

/*
 * Reads @path, all it includes, and @etc/conf.d when @path is @etc/colony.yaml, into
 * settings->source and settings->files.
 */
int colony__include_load(struct colony_settings *settings, const char *path, const char *etc,
                         struct colony_error *err);

/* The same of a text, which is called @path. */
int colony__include_text(struct colony_settings *settings, const char *path, const char *text,
                         size_t size, struct colony_error *err);

/* colony_settings_load and colony_settings_default_path with another folder than /etc/colony. */
int colony__settings_load(struct colony_settings **out, const char *path, const char *etc,
                          struct colony_error *err);
bool colony__settings_has_default(const char *etc);

/* Sets what a section holds that is not given. */
int colony__sections_default(struct colony_settings *settings,
                             const struct colony__reading *reading);

/*
 * Frees what settings->source says of colony's own sections, which are read: templates are most of
 * it. The user's keys stay.
 */
void colony__settings_drop_sections(struct colony_settings *settings);

/* Reads every section of settings->source. */
int colony__sections_read(struct colony_settings *settings, const struct colony__reading *reading);

int colony__processes_read(struct colony_settings *settings, const struct colony_value *value,
                           const struct colony__reading *reading);
struct cJSON *colony__processes_write(const struct colony_settings *settings);

int colony__controllers_read(struct colony_settings *settings, const struct colony_value *value,
                             const struct colony__reading *reading);
struct cJSON *colony__controllers_write(const struct colony_settings *settings);
void colony__controllers_clear(struct colony_settings *settings);

int colony__http_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading);
struct cJSON *colony__http_write(const struct colony_settings *settings);
void colony__http_clear(struct colony_http_settings *http);

int colony__user_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading);
struct cJSON *colony__user_write(const struct colony_settings *settings);
void colony__user_clear(struct colony_user_settings *user);

/* Those of the daemon endpoint (settings_daemon.c). */
int colony__daemon_default(struct colony_settings *settings, const struct colony__reading *reading);
int colony__master_read(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading);
int colony__ping_read(struct colony_settings *settings, const struct colony_value *value,
                      const struct colony__reading *reading);
int colony__status_read(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading);
struct cJSON *colony__master_write(const struct colony_settings *settings);
struct cJSON *colony__ping_write(const struct colony_settings *settings);
struct cJSON *colony__status_write(const struct colony_settings *settings);
void colony__daemon_clear(struct colony_settings *settings);

int colony__webhooks_read(struct colony_settings *settings, const struct colony_value *value,
                          const struct colony__reading *reading);
struct cJSON *colony__webhooks_write(const struct colony_settings *settings);
void colony__webhooks_clear(struct colony_webhooks_settings *webhooks);

int colony__files_read(struct colony_settings *settings, const struct colony_value *value,
                       const struct colony__reading *reading);
struct cJSON *colony__files_write(const struct colony_settings *settings);
void colony__files_clear(struct colony_files_settings *files);

/* A text, or a map of colony__handler_settings. What was filled stays the caller's to clear. */
int colony__handler_read(const struct colony__reading *reading, const struct colony_value *value,
                         struct colony_handler_settings *handler);
void colony__handler_clear(struct colony_handler_settings *handler);

/* Those without handlers, or without a URL: what `settings` begin with. -ENOMEM. */
int colony__events_default(struct colony_settings *settings, const struct colony__reading *reading);
int colony__events_read(struct colony_settings *settings, const struct colony_value *value,
                        const struct colony__reading *reading);
struct cJSON *colony__events_write(const struct colony_settings *settings);
/* What is to be said of handlers and templates of files together; settings->source is still there.
 */
int colony__events_check(const struct colony_settings *settings,
                         const struct colony__reading *reading);
/* From now on there are none. */
void colony__events_clear_handlers(struct colony_events_settings *events);
void colony__events_free(struct colony_events_settings *events);

int colony__juggler_default(struct colony_settings *settings,
                            const struct colony__reading *reading);
int colony__juggler_read(struct colony_settings *settings, const struct colony_value *value,
                         const struct colony__reading *reading);
struct cJSON *colony__juggler_write(const struct colony_settings *settings);
void colony__juggler_free(struct colony_juggler_settings *juggler);
int colony__rpc_read(struct colony_settings *settings, const struct colony_value *value,
                     const struct colony__reading *reading);
struct cJSON *colony__rpc_write(const struct colony_settings *settings);
void colony__rpc_clear(struct colony_rpc_settings *rpc);

int colony__session_read(struct colony_settings *settings, const struct colony_value *value,
                         const struct colony__reading *reading);
struct cJSON *colony__session_write(const struct colony_settings *settings);
void colony__session_clear(struct colony_session_settings *session);

#endif
