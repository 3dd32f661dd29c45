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

struct colony_error;
struct colony_settings;

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

#endif
