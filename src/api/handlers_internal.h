/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers_internal.h - what the rows of the table of routes call (routes.c).
 */
#ifndef COLONY_API_HANDLERS_INTERNAL_H
#define COLONY_API_HANDLERS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/route_internal.h"

struct cJSON;
struct colony_engine;
struct colony_store_event;
struct colony_store_query;

/* manager.c */
int colony__get_welcome(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);
int colony__get_ping(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);
int colony__post_shutdown(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err);
int colony__post_upgrade(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err);

/* processes.c */
int colony__get_processes(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err);
int colony__get_process(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);
int colony__get_pids(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);
int colony__get_status(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);
int colony__post_start(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);
int colony__post_stop(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);
int colony__post_restart(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err);
int colony__post_signal(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* slots.c */
int colony__get_slots(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);

/* stats.c */
int colony__get_stats(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);
int colony__get_template_stats(struct colony__connection *connection,
                               const struct colony__request *request, struct colony_error *err);
int colony__get_process_stats(struct colony__connection *connection,
                              const struct colony__request *request, struct colony_error *err);

/* logs.c */
int colony__get_logs(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);

/* tree.c */
int colony__get_tree(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);

/* history.c */
int colony__get_history(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);
/* What ?name= &slot= &limit= &before= ask for; the name is borrowed from @request. -EINVAL. */
int colony__history_parse(const struct colony__request *request, struct colony_store_query *query,
                          struct colony_error *err);
/* The array that is the answer. NULL: out of memory. */
struct cJSON *colony__history_to_json(const struct colony_store_event *rows, size_t count);

/* What a path means by NAME_OR_ID. */
struct colony__target {
    const char *name; /* borrowed until the loop's next turn */
    uint64_t id;      /* of the one process that is meant; 0: the template is */
};

/* Digits are an id; "name:8080" is the template 8080. -ENOENT. */
int colony__target_find(struct colony__target *target, struct colony_engine *engine,
                        const char *text, struct colony_error *err);

/* wait.c: `?wait=` */
enum colony__wait {
    WAIT_STOPPED,   /* until nothing of the template runs */
    WAIT_RESTARTED, /* until all its slots run a process newer than target->id */
    WAIT_GONE,      /* until the process target->id is gone */
};

/* *ms from ?wait=SECONDS or true (UINT64_MAX); 0 without. -EINVAL. */
int colony__wait_parse(const struct colony__request *request, uint64_t *ms,
                       struct colony_error *err);
/* Answers once that is so, or 408 after @ms. */
int colony__wait_begin(struct colony__connection *connection, enum colony__wait wait,
                       const struct colony__target *target, uint64_t ms, struct colony_error *err);

#endif
