/* SPDX-License-Identifier: Apache-2.0 */
/*
 * juggler.h - the front-end that reports states of templates to Juggler (`juggler:`), and the words
 * that are spoken with it.
 *
 * Juggler takes a POST to URL/events of `{"source", "events": [{"host", "service", "status",
 * "description", "tags"}]}`, and answers `{"events": [{"code": 200}]}`, one for each.
 */
#ifndef COLONY_API_JUGGLER_H
#define COLONY_API_JUGGLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_juggler_settings;
struct colony_settings;
struct uv_loop_s;

extern const struct colony_front colony_juggler_front;

/* Opens libcurl if there is something to report to: what is wrong is told before anything runs. */
int colony_juggler_check(const struct colony_settings *settings, struct colony_error *err);

enum colony_juggler_status {
    JUGGLER_OK,
    JUGGLER_WARN,
    JUGGLER_CRIT,
    JUGGLER_INFO,
    JUGGLER_STATUS_COUNT,
};

enum {
    COLONY_JUGGLER_ANSWER_MAX = 65536, /* of an answer */
    COLONY_JUGGLER_URL_MAX = 4096,
    COLONY_JUGGLER_OK_CODE = 200,
};

struct colony_juggler_event {
    const char *host;
    const char *service;
    enum colony_juggler_status status;
    const char *description;
    char *const *tags; /* up to NULL; NULL: none */
};

/* "CRIT" */
const char *colony_juggler_status_name(enum colony_juggler_status status);
/* -EINVAL. */
int colony_juggler_status_parse(const char *name);

/* URL/events. -ENAMETOOLONG. */
int colony_juggler_url(char *out, size_t size, const char *url);

/* The body that tells of @events, to be freed by the caller. NULL: out of memory. */
char *colony_juggler_body(const char *source, const struct colony_juggler_event *events,
                          size_t count, size_t *size);

/*
 * What became of each of @count events, into @codes: 200 is well. -EBADMSG with the reason: that is
 * not in the answer; -ENOMEM.
 */
int colony_juggler_read_answer(const char *body, size_t size, int *codes, size_t count,
                               struct colony_error *err);

/* Where events come from. On the loop. */
struct colony_juggler_source {
    /* Fills in what is to be told next (host NULL: that of the settings), @max at most: how many.
     * They stay until they are told or this is called again. 0: nothing, for now. */
    size_t (*next)(struct colony_juggler_event *events, size_t max, void *data);
    void (*told)(size_t index, void *data); /* one of these, whatever Juggler thinks of it */
    void *data;
};

struct colony_juggler_counts {
    uint64_t sent;            /* that Juggler took */
    uint64_t refused;         /* that it answered with another code */
    uint64_t failed_requests; /* after which the same is tried again */
};

/* Tells what a source has, a batch after the other, again and again until it is told. Borrows
 * @settings. Opens libcurl: its errors, and -ENOMEM. */
struct colony_juggler_sender;
int colony_juggler_sender_new(struct colony_juggler_sender **out, struct uv_loop_s *loop,
                              const struct colony_juggler_settings *settings,
                              const struct colony_juggler_source *source, struct colony_error *err);
/* There is something to be told; nothing while a batch is under way, or waits to be tried again. */
void colony_juggler_sender_wake(struct colony_juggler_sender *sender);
struct colony_juggler_counts
colony_juggler_sender_counts(const struct colony_juggler_sender *sender);
/* What is under way is given up; the source is not asked any more. */
void colony_juggler_sender_close(struct colony_juggler_sender *sender, void (*cb)(void *data),
                                 void *data);

#endif
