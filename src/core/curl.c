/* SPDX-License-Identifier: Apache-2.0 */
#include "core/curl.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/error.h"
#include "core/library.h"

#define SONAME "libcurl.so.4"

COLONY_LIBRARY_NOTE(curl_note, "curl", "requests that colony makes: webhooks, checks", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_curl, function)},

static const struct colony_symbol symbols[] = {COLONY_CURL_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_curl functions;
static bool is_open;

static int open_once(struct colony_error *err)
{
    static const struct colony_library library = {SONAME, "libcurl4", "HTTP requests"};
    int rc = is_open ? 0 : colony_library_open(&library, symbols, &functions, err);

    if (rc < 0)
        return rc;
    if (!is_open && functions.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return colony_fail(err, -ENOMEM,
                           "cannot use HTTP requests: libcurl could not be made ready");
    is_open = true;
    return 0;
}

int colony_curl_get(const struct colony_curl **out, struct colony_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int rc;

    (void)pthread_mutex_lock(&lock);
    rc = open_once(err);
    (void)pthread_mutex_unlock(&lock);
    if (rc == 0)
        *out = &functions;
    return rc;
}
