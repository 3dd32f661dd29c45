/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers_internal.h - what the rows of the table of routes call (routes.c).
 */
#ifndef COLONY_API_HANDLERS_INTERNAL_H
#define COLONY_API_HANDLERS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/route_internal.h"

struct colony__json;
struct colony__feed_wish;
struct colony_engine;
struct colony_process_stats;
struct colony_slot_info;
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
int colony__post_signal(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* actions.c */
int colony__post_once(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);
int colony__post_start(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);
int colony__post_stop(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);
int colony__post_restart(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err);
int colony__delete_process(struct colony__connection *connection,
                           const struct colony__request *request, struct colony_error *err);

/* templates.c */
int colony__post_process(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err);
int colony__put_process(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* scale.c */
int colony__post_add(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);
int colony__post_sub(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);
int colony__post_scale(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);

/* groups.c */
int colony__get_groups(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);
int colony__get_group(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);
int colony__post_group_once(struct colony__connection *connection,
                            const struct colony__request *request, struct colony_error *err);
int colony__post_group_start(struct colony__connection *connection,
                             const struct colony__request *request, struct colony_error *err);
int colony__post_group_stop(struct colony__connection *connection,
                            const struct colony__request *request, struct colony_error *err);
int colony__post_group_restart(struct colony__connection *connection,
                               const struct colony__request *request, struct colony_error *err);
int colony__delete_group(struct colony__connection *connection,
                         const struct colony__request *request, struct colony_error *err);

/* health.c */
int colony__get_readyz(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);

/* metrics.c */
int colony__get_metrics(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* reload.c */
int colony__post_reload(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* explain.c */
int colony__get_why(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err);
int colony__get_env(struct colony__connection *connection, const struct colony__request *request,
                    struct colony_error *err);

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

/* All that gaffer's keys tell of the process @id, as an object. */
void colony__stats_add_json(struct colony__json *json, uint64_t id,
                            const struct colony_process_stats *stats);

/* stats_feed.c: samples of the template @name, or of the one process @id of it unless that is 0. */
int colony__stats_follow(struct colony__connection *connection, const char *name, uint64_t id,
                         const struct colony__feed_wish *wish, struct colony_error *err);

/* logs.c */
int colony__get_logs(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);

/* tree.c */
int colony__get_tree(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err);

/* history.c */
int colony__get_history(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);
/* What ?template= (or name=) &slot= &limit= &before= &since= ask for; the name is borrowed from
 * @request. -EINVAL. */
int colony__history_parse(const struct colony__request *request, struct colony_store_query *query,
                          struct colony_error *err);
/* The list that is the answer. */
void colony__history_add_json(struct colony__json *json, const char *key,
                              const struct colony_store_event *rows, size_t count);

/* streams.c */
int colony__get_stream(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);
int colony__post_stream(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* websocket.c */
int colony__get_websocket(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err);
/* plugins.c */
int colony__get_plugin(struct colony__connection *connection, const struct colony__request *request,
                       struct colony_error *err);

/* openapi.c */
int colony__get_openapi(struct colony__connection *connection,
                        const struct colony__request *request, struct colony_error *err);

/* watch.c */
int colony__get_watch(struct colony__connection *connection, const struct colony__request *request,
                      struct colony_error *err);
int colony__get_watch_event(struct colony__connection *connection,
                            const struct colony__request *request, struct colony_error *err);
int colony__get_watch_process(struct colony__connection *connection,
                              const struct colony__request *request, struct colony_error *err);

/* What a path means by NAME_OR_ID. */
struct colony__target {
    const char *name; /* borrowed until the loop's next turn */
    uint64_t id;      /* of the one process that is meant; 0: the template is */
};

/* Digits are an id; "name:8080" is the template 8080. -ENOENT. */
int colony__target_find(struct colony__target *target, struct colony_engine *engine,
                        const char *text, struct colony_error *err);

/* The same where only a template will do: digits are refused. */
int colony__target_find_template(struct colony__target *target, struct colony_engine *engine,
                                 const char *text, struct colony_error *err);

/* slots.c: all that is known of one slot, as an object in a list that is still open. */
void colony__slot_open_json(struct colony__json *json, const struct colony_slot_info *info);

#endif
