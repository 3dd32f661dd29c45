/* SPDX-License-Identifier: Apache-2.0 */
#include "core/http_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <uv.h>

#include "core/curl.h"
#include "core/error.h"

enum {
    ANSWER_BYTES_MAX = 65536, /* more of an answer is not read */
    CONNECTIONS_MAX = 16,     /* kept for later */
};

struct colony_http_client {
    uv_loop_t *loop;
    const struct colony_curl *lib;
    CURLM *multi;
    uv_timer_t timer;
    size_t handle_count; /* the loop's: the timer, and a poll for each socket */
    colony_http_client_closed_cb closed_cb;
    void *closed_data;
};

struct colony_http_job {
    struct colony_http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    size_t answer_bytes;
    size_t answer_max;
    colony_http_done_cb cb;
    void *data;
    char reason[CURL_ERROR_SIZE];
    char answer[]; /* as much of it as is wanted */
};

/* A socket of libcurl's, which closes it itself. */
struct watch {
    uv_poll_t poll;
    struct colony_http_client *client;
    curl_socket_t fd;
};

/* --- jobs ------------------------------------------------------------------------------------- */

/* All of it but its memory. */
static void job_end(struct colony_http_job *job)
{
    const struct colony_curl *lib = job->client->lib;

    lib->curl_easy_cleanup(job->easy);
    lib->curl_slist_free_all(job->headers);
}

static void job_free(struct colony_http_job *job)
{
    job_end(job);
    free(job);
}

void colony_http_job_cancel(struct colony_http_job *job)
{
    (void)job->client->lib->curl_multi_remove_handle(job->client->multi, job->easy);
    job_free(job);
}

/* What the head of the answer says counts, also where its body was more than we read. */
static void finish(struct colony_http_job *job, CURLcode code)
{
    const struct colony_curl *lib = job->client->lib;
    struct colony_http_result result = {0};
    colony_http_done_cb cb = job->cb;
    void *data = job->data;
    char reason[CURL_ERROR_SIZE];
    curl_off_t retry_after = 0;
    long status = 0;

    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && job->answer_bytes > ANSWER_BYTES_MAX)) {
        (void)lib->curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
        (void)lib->curl_easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &retry_after);
    }
    result.status = (int)status;
    result.retry_after_s = retry_after > 0 ? (uint64_t)retry_after : 0;
    (void)snprintf(reason, sizeof reason, "%s",
                   *job->reason != '\0' ? job->reason : lib->curl_easy_strerror(code));
    result.reason = reason;
    result.body = job->answer;
    result.size = job->answer_bytes < job->answer_max ? job->answer_bytes : job->answer_max;
    (void)lib->curl_multi_remove_handle(job->client->multi, job->easy);
    job_end(job);
    cb(&result, data); /* it may close the client */
    free(job);
}

/* One job after the other, as what is told may begin and cancel others. */
static void tell_finished(struct colony_http_client *client)
{
    const struct colony_curl *lib = client->lib;
    CURLMsg *message;
    int left;

    while (!client->closed_cb && (message = lib->curl_multi_info_read(client->multi, &left))) {
        struct colony_http_job *job = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)lib->curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&job);
        finish(job, message->data.result);
    }
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *data)
{
    struct colony_http_job *job = data;

    if (job->answer_bytes < job->answer_max) {
        size_t room = job->answer_max - job->answer_bytes;

        memcpy(job->answer + job->answer_bytes, bytes, size * count < room ? size * count : room);
    }
    job->answer_bytes += size * count;
    return job->answer_bytes > ANSWER_BYTES_MAX ? 0 : size * count;
}

/* No program that colony becomes by exec shall have it. */
static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)data, (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- what libcurl waits for ------------------------------------------------------------------- */

static void act(struct colony_http_client *client, curl_socket_t fd, int events)
{
    int running;

    (void)client->lib->curl_multi_socket_action(client->multi, fd, events, &running);
    tell_finished(client);
}

static void on_timer(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct watch *watch = poll->data;
    int flags = 0;

    if (status < 0)
        flags |= CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(watch->client, watch->fd, flags);
}

static void on_handle_gone(struct colony_http_client *client)
{
    colony_http_client_closed_cb cb = client->closed_cb;
    void *data = client->closed_data;

    if (--client->handle_count > 0)
        return;
    free(client);
    cb(data); /* last, so that the caller may close the loop */
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct colony_http_client *client = watch->client;

    free(watch);
    on_handle_gone(client);
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_handle_gone(handle->data);
}

static struct watch *watch_new(struct colony_http_client *client, curl_socket_t fd)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->client = client;
    watch->fd = fd;
    if (uv_poll_init_socket(client->loop, &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    client->handle_count++;
    (void)client->lib->curl_multi_assign(client->multi, fd, watch);
    return watch;
}

/* -1 ends what is under way. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    struct colony_http_client *client = data;
    struct watch *watch = socket_data;
    int events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        (void)client->lib->curl_multi_assign(client->multi, fd, NULL);
        return 0;
    }
    if (!watch)
        watch = watch_new(client, fd);
    if (!watch)
        return -1;
    if (what & CURL_POLL_IN)
        events |= UV_READABLE;
    if (what & CURL_POLL_OUT)
        events |= UV_WRITABLE;
    return uv_poll_start(&watch->poll, events, on_poll) < 0 ? -1 : 0;
}

/* Not at once, even when it asks for that: it is in the middle of something. */
static int on_timeout(CURLM *multi, long ms, void *data)
{
    struct colony_http_client *client = data;

    (void)multi;
    if (ms < 0)
        (void)uv_timer_stop(&client->timer);
    else
        (void)uv_timer_start(&client->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

/* --- the client ------------------------------------------------------------------------------- */

int colony_http_client_check(struct colony_error *err)
{
    const struct colony_curl *lib;

    return colony_curl_get(&lib, err);
}

int colony_http_client_new(struct colony_http_client **out, struct uv_loop_s *loop,
                           struct colony_error *err)
{
    const struct colony_curl *lib;
    struct colony_http_client *client;
    int rc = colony_curl_get(&lib, err);

    if (rc < 0)
        return rc;
    client = calloc(1, sizeof *client);
    if (!client)
        return colony_fail(err, -ENOMEM, "cannot make HTTP requests: out of memory");
    client->multi = lib->curl_multi_init();
    if (!client->multi || uv_timer_init(loop, &client->timer) < 0) {
        if (client->multi)
            (void)lib->curl_multi_cleanup(client->multi);
        free(client);
        return colony_fail(err, -ENOMEM, "cannot make HTTP requests: out of memory");
    }
    client->lib = lib;
    client->loop = loop;
    client->timer.data = client;
    client->handle_count = 1;
    (void)lib->curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    (void)lib->curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void)lib->curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    (void)lib->curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    (void)lib->curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    *out = client;
    return 0;
}

/* Adds @line to the job's list. -ENOMEM. */
static int add_header(struct colony_http_job *job, const char *line)
{
    struct curl_slist *list = job->client->lib->curl_slist_append(job->headers, line);

    if (!list)
        return -ENOMEM;
    job->headers = list;
    return 0;
}

#define SET(option, value) failed |= lib->curl_easy_setopt(easy, option, value) != CURLE_OK

/* -ENOMEM: it is what a setting that is known can fail for. */
static int set_up(struct colony_http_job *job, const struct colony_http_request *request)
{
    const struct colony_curl *lib = job->client->lib;
    CURL *easy = job->easy;
    bool failed = false;

    SET(CURLOPT_URL, request->url);
    if (request->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->size);
        SET(CURLOPT_POSTFIELDS, request->body);
    } else {
        SET(CURLOPT_PROXY, ""); /* what is asked for shall answer itself */
    }
    SET(CURLOPT_HTTPHEADER, job->headers);
    SET(CURLOPT_USERAGENT, "colony/" COLONY_VERSION);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_WRITEFUNCTION, on_answer);
    SET(CURLOPT_WRITEDATA, job);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_ERRORBUFFER, job->reason);
    SET(CURLOPT_PRIVATE, job);
    if (request->ca)
        SET(CURLOPT_CAINFO, request->ca);
    /* A name server that does not answer must not hold up whoever gives up on it. */
    (void)lib->curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return failed ? -ENOMEM : 0;
}

#undef SET

int colony_http_client_send(struct colony_http_client *client,
                            const struct colony_http_request *request, struct colony_http_job **out)
{
    struct colony_http_job *job = calloc(1, sizeof *job + request->answer_max);
    int rc = 0;

    if (!job)
        return -ENOMEM;
    job->client = client;
    job->cb = request->cb;
    job->data = request->data;
    job->answer_max = request->answer_max;
    job->easy = client->lib->curl_easy_init();
    if (!job->easy) {
        free(job);
        return -ENOMEM;
    }
    for (const char *const *line = request->headers; line && *line && rc == 0; line++)
        rc = add_header(job, *line);
    if (rc == 0)
        rc = add_header(job, "Expect:"); /* without it there is no waiting for 100 Continue */
    if (rc == 0)
        rc = set_up(job, request);
    if (rc == 0 && client->lib->curl_multi_add_handle(client->multi, job->easy) != CURLM_OK)
        rc = -ENOMEM;
    if (rc < 0) {
        job_free(job);
        return rc;
    }
    *out = job;
    return 0;
}

void colony_http_client_close(struct colony_http_client *client, colony_http_client_closed_cb cb,
                              void *data)
{
    client->closed_cb = cb;
    client->closed_data = data;
    (void)client->lib->curl_multi_cleanup(client->multi); /* may still let go of sockets */
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}
