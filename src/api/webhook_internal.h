/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook_internal.h - one webhook: posts events to its URL, one after the other, in their order.
 *
 * An attempt that fails is made again after a while, and meanwhile the others wait. Loop thread
 * only, but for _new and _drop.
 */
#ifndef COLONY_API_WEBHOOK_INTERNAL_H
#define COLONY_API_WEBHOOK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony__webhook;
struct colony__webhook_event;
struct colony__webhook_news; /* webhook_queue_internal.h */
struct colony_error;
struct colony_event;
struct colony_http_client;
struct colony_webhook_settings;
struct uv_loop_s;

/* A hook has nothing more to do, or is gone. */
typedef void (*colony__webhook_cb)(void *data);

struct colony__webhook_counts {
    uint64_t sent;     /* events */
    uint64_t failed;   /* events that were given up */
    uint64_t dropped;  /* events, because too many waited */
    uint64_t attempts; /* that failed */
    uint64_t queued;   /* events, now */
};

/*
 * Reads the secret file. The log calls it @kind, which is kept, and @number: its place in the
 * settings from 1. Any thread. Borrows @settings until _use() replaces them. Errors of secret.h,
 * -EINVAL for an empty secret, -ENOMEM.
 */
int colony__webhook_new(struct colony__webhook **out,
                        const struct colony_webhook_settings *settings, const char *kind,
                        size_t number, struct colony_error *err);
/* Of one that was never started; NULL is fine. */
void colony__webhook_drop(struct colony__webhook *hook);

/* True when both post the same events to the same URL: then one may go on as the other. */
bool colony__webhook_is_same(const struct colony__webhook *left,
                             const struct colony__webhook *right);
/* A number for all that is so alike. */
uint64_t colony__webhook_key(const struct colony__webhook *hook);
/* @hook goes on with the settings and the secret of @next, which is dropped. */
void colony__webhook_use(struct colony__webhook *hook, struct colony__webhook *next);

/* @idle is called whenever its queue has become empty. -ENOMEM. */
int colony__webhook_start(struct colony__webhook *hook, struct uv_loop_s *loop,
                          struct colony_http_client *client, colony__webhook_cb idle, void *data);
bool colony__webhook_wants(const struct colony__webhook *hook, const struct colony_event *event);
/* Queues a copy of @news. */
void colony__webhook_add(struct colony__webhook *hook, const struct colony__webhook_news *news);
/* From now on no attempt is made twice, and one that waits for its time is made now. */
void colony__webhook_hurry(struct colony__webhook *hook);
/* Drops what waits and says so in the log; @closed once it is gone. */
void colony__webhook_close(struct colony__webhook *hook, colony__webhook_cb closed, void *data);

/* What waits, oldest first; NULL: nothing does. Borrowed until it is posted. */
const struct colony__webhook_event *colony__webhook_first(const struct colony__webhook *hook);
/* Drops what waits without a word: it was taken elsewhere. */
void colony__webhook_forget(struct colony__webhook *hook);
const char *colony__webhook_url(const struct colony__webhook *hook);
struct colony__webhook_counts colony__webhook_counts(const struct colony__webhook *hook);

/* After the @attempt-th failure (from 0) the next one is made in so many ms. */
uint64_t colony__webhook_delay_ms(uint32_t attempt, uint64_t retry_after_s, uint32_t random);

#endif
