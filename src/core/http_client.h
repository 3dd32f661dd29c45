/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.h - HTTP requests that colony makes, on its loop: libcurl's multi interface.
 *
 * Only http and https, redirects are not followed, certificates are checked. Connections are kept
 * for the next request. Nothing wakes the loop while no request is under way. Names are looked up
 * on a thread of libcurl's. Loop thread only.
 */
#ifndef COLONY_CORE_HTTP_CLIENT_H
#define COLONY_CORE_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_http_client;
struct colony_http_job;
struct uv_loop_s;

typedef void (*colony_http_client_closed_cb)(void *data);

/* How a request ended. */
struct colony_http_result {
    int status;             /* of the answer; 0: there was none, or not all of it */
    uint64_t retry_after_s; /* what the answer asks for; 0: nothing */
    const char *reason;     /* status 0: one line that says why; borrowed for the call */
    const char *body;       /* of the answer, as far as it was wanted; borrowed for the call */
    size_t size;
};

/* The job is gone when this is called, and new ones may be begun. */
typedef void (*colony_http_done_cb)(const struct colony_http_result *result, void *data);

/* A POST, or a GET. All but @body is borrowed for the call; @body until it is done or cancelled. */
struct colony_http_request {
    const char *url;
    const char *const *headers; /* "Name: value" up to NULL; or NULL */
    const char *body;           /* NULL: a GET, by no proxy */
    size_t size;
    const char *ca; /* file of authorities; NULL: the system's */
    uint64_t timeout_ms;
    size_t answer_max;      /* of the body of the answer, that is wanted: its first bytes */
    colony_http_done_cb cb; /* never during the call */
    void *data;
};

/*
 * Whether there can be one: opens libcurl. Any thread. -ENOENT, -ENOTSUP with what to do about it;
 * -ENOMEM.
 */
int colony_http_client_check(struct colony_error *err);
/* Errors of the check, and -ENOMEM. */
int colony_http_client_new(struct colony_http_client **out, struct uv_loop_s *loop,
                           struct colony_error *err);
/* -ENOMEM. */
int colony_http_client_send(struct colony_http_client *client,
                            const struct colony_http_request *request,
                            struct colony_http_job **out);
/* Its cb is not called. */
void colony_http_job_cancel(struct colony_http_job *job);
/* Once no job is left. */
void colony_http_client_close(struct colony_http_client *client, colony_http_client_closed_cb cb,
                              void *data);

#endif
