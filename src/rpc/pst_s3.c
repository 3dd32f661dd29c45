/* SPDX-License-Identifier: Apache-2.0 */
/* pst_s3.c - a text as an object of S3, or of what speaks like it: GET and PUT, signed by libcurl
 * (AWS Signature Version 4). */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/curl.h"
#include "core/error.h"
#include "rpc/pst.h"
#include "rpc/pst_internal.h"

enum {
    TIMEOUT_S = 30,
};

/* What has come of an answer. */
struct answer {
    char *text;
    size_t size;
    long status;
    bool is_too_large;
};

/* What is sent, and how much of it was. */
struct body {
    const char *text;
    size_t size;
    size_t sent;
};

static size_t on_bytes(char *bytes, size_t one, size_t count, void *data)
{
    struct answer *answer = data;
    size_t size = one * count;
    char *text;

    if (answer->size + size > COLONY_RPC_PST_BYTES_MAX) {
        answer->is_too_large = true;
        return 0;
    }
    text = realloc(answer->text, answer->size + size + 1);
    if (!text)
        return 0;
    memcpy(text + answer->size, bytes, size);
    answer->text = text;
    answer->size += size;
    text[answer->size] = '\0';
    return size;
}

static size_t on_wanted(char *bytes, size_t one, size_t count, void *data)
{
    struct body *body = data;
    size_t room = one * count;
    size_t size = body->size - body->sent;

    if (size > room)
        size = room;
    memcpy(bytes, body->text + body->sent, size);
    body->sent += size;
    return size;
}

/* "aws:amz:REGION:s3" */
static CURLcode sign(const struct colony_curl *curl, CURL *easy, const struct rpc_place *place)
{
    char provider[128];
    CURLcode rc;

    (void)snprintf(provider, sizeof provider, "aws:amz:%.64s:s3", place->region);
    rc = curl->curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, provider);
    return rc == CURLE_OK ? curl->curl_easy_setopt(easy, CURLOPT_USERPWD, place->credentials) : rc;
}

static CURLcode set_up(const struct colony_curl *curl, CURL *easy, const struct rpc_place *place,
                       struct answer *answer)
{
    CURLcode rc = curl->curl_easy_setopt(easy, CURLOPT_URL, place->url);

    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    return rc == CURLE_OK ? sign(curl, easy, place) : rc;
}

/* PUT. The type is set, because that which libcurl would add is signed as another. */
static CURLcode set_body(const struct colony_curl *curl, CURL *easy, struct body *body,
                         struct curl_slist *headers)
{
    CURLcode rc = curl->curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);

    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_wanted);
    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_READDATA, body);
    if (rc == CURLE_OK)
        rc = curl->curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body->size);
    return rc == CURLE_OK ? curl->curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) : rc;
}

/* One request. @body NULL: a GET. */
static int perform(const struct rpc_place *place, struct body *body, struct answer *answer,
                   struct colony_error *err)
{
    const struct colony_curl *curl;
    struct curl_slist *headers = NULL;
    CURL *easy;
    CURLcode code;
    int rc = colony_curl_get(&curl, err);

    if (rc < 0)
        return rc;
    easy = curl->curl_easy_init();
    headers = curl->curl_slist_append(NULL, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    code = easy && headers ? set_up(curl, easy, place, answer) : CURLE_OUT_OF_MEMORY;
    if (code == CURLE_OK)
        code = body ? set_body(curl, easy, body, headers)
                    : curl->curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (code == CURLE_OK)
        code = curl->curl_easy_perform(easy);
    if (code == CURLE_OK)
        code = curl->curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    curl->curl_slist_free_all(headers);
    if (easy)
        curl->curl_easy_cleanup(easy);
    if (code == CURLE_OK)
        return 0;
    if (answer->is_too_large)
        return colony_fail(err, -EFBIG, "cannot use the attributes at %s: over 16 MiB", place->url);
    return colony_fail(err, code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO, "cannot reach %s: %s",
                       place->url, curl->curl_easy_strerror(code));
}

static int fail_status(const struct rpc_place *place, const char *what, long status,
                       struct colony_error *err)
{
    return colony_fail(err, status == 403 || status == 401 ? -EACCES : -EIO,
                       "cannot %s the attributes at %s: the answer was %ld", what, place->url,
                       status);
}

static int load(const struct rpc_place *place, char **text, size_t *size, struct colony_error *err)
{
    struct answer answer = {0};
    int rc = perform(place, NULL, &answer, err);

    *text = NULL;
    if (rc == 0 && answer.status != 200 && answer.status != 404)
        rc = fail_status(place, "read", answer.status, err);
    if (rc < 0 || answer.status == 404) {
        free(answer.text);
        return rc;
    }
    if (!answer.text)
        return -EBADMSG;
    *text = answer.text;
    *size = answer.size;
    return 0;
}

static int save(const struct rpc_place *place, const char *text, size_t size,
                struct colony_error *err)
{
    struct body body = {text, size, 0};
    struct answer answer = {0};
    int rc = perform(place, &body, &answer, err);

    free(answer.text);
    if (rc == 0 && answer.status / 100 != 2)
        rc = fail_status(place, "save", answer.status, err);
    return rc;
}

/* A copy under another key. */
static int put_aside(const struct rpc_place *place, struct colony_error *err)
{
    struct rpc_place aside = *place;
    struct answer answer = {0};
    struct body body = {0};
    char url[4096];
    int rc = perform(place, NULL, &answer, err);

    rpc_place_aside(place->url, url, sizeof url);
    aside.url = url;
    body.text = answer.text ? answer.text : "";
    body.size = answer.size;
    if (rc == 0)
        rc = save(&aside, body.text, body.size, err);
    free(answer.text);
    if (rc < 0)
        return rc;
    (void)colony_fail(err, 0, "the attributes at %s are damaged: begins anew, they are at %s",
                      place->url, url);
    return 0;
}

const struct rpc_place_kind rpc_place_s3 = {load, save, put_aside};
