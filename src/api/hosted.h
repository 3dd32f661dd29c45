/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosted.h - the daemon endpoint (daemon.h) of a program that is a daemon itself: the same routes,
 * datagrams and queue, without an engine. Loop thread only.
 */
#ifndef COLONY_API_HOSTED_H
#define COLONY_API_HOSTED_H

#include <stddef.h>
#include <stdint.h>

struct cJSON;
struct colony_error;
struct colony_hosted;
struct colony_settings;
struct colony_store;
struct uv_loop_s;

/* What is asked of the program. Each is answered later, and not asked again before. */
struct colony_hosted_callbacks {
    /* Takes over what /status has of its own, to add to it: colony_hosted_tell_status(). */
    int (*find_status)(struct cJSON *status, void *data, struct colony_error *err);
    /* colony_hosted_tell_ping(). NULL: all is well. */
    int (*find_ping)(void *data, struct colony_error *err);
    /* An event: colony_hosted_event_done(). As in events.h. */
    int (*event)(uint64_t id, const char *json, size_t size, void *data);
    void *data;
};

/* All of it is borrowed for its life. */
struct colony_hosted_options {
    struct uv_loop_s *loop;
    const struct colony_settings *settings;
    struct colony_store *store; /* of `events.durable`; NULL: there is none */
    struct colony_hosted_callbacks callbacks;
};

/* -ENOMEM, and what its settings need and do not find; -ENOTSUP: an engine. */
int colony_hosted_new(struct colony_hosted **out, const struct colony_hosted_options *options,
                      struct colony_error *err);
/* Listens and serves. Blocks while names are looked up. As colony_daemon_listen(). */
int colony_hosted_start(struct colony_hosted *hosted, struct colony_error *err);
/* Accepts nothing any more; what is under way is finished. */
void colony_hosted_stop(struct colony_hosted *hosted);
/* Events that wait are handled if that takes no longer than 3 s. */
void colony_hosted_close(struct colony_hosted *hosted, void (*cb)(void *data), void *data);

/* Takes ownership of @status; NULL: there was no memory for it. */
void colony_hosted_tell_status(struct colony_hosted *hosted, struct cJSON *status);
/* @status of HTTP: 200 with a text, or another and why. */
void colony_hosted_tell_ping(struct colony_hosted *hosted, int status, const char *text);
void colony_hosted_event_done(struct colony_hosted *hosted);

/* That it listens on; 0: not yet. */
uint32_t colony_hosted_port(const struct colony_hosted *hosted);

/* "2018-02-01 18:41:37.876631", as /status has times. NULL: out of memory. */
struct cJSON *colony_hosted_make_time(uint64_t wall_us);

#endif
