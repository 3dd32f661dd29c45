/* SPDX-License-Identifier: Apache-2.0 */
#include "core/curl.h"

#include <errno.h>
#include <stddef.h>

#include "core/error.h"
#include "core/library.h"

#define SONAME "libcurl.so.4"

COLONY_LIBRARY_NOTE(curl_note, "curl", "requests that colony makes: webhooks, checks", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_curl, function)},

static const struct colony_symbol symbols[] = {COLONY_CURL_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_curl functions;

static int make_ready(struct colony_error *err)
{
    if (functions.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return 0;
    return colony_fail(err, -ENOMEM, "cannot use HTTP requests: libcurl could not be made ready");
}

static struct colony_library library = {.soname = SONAME,
                                        .package = "libcurl4",
                                        .purpose = "HTTP requests",
                                        .symbols = symbols,
                                        .table = &functions,
                                        .make_ready = make_ready,
                                        .lock = PTHREAD_MUTEX_INITIALIZER};

int colony_curl_get(const struct colony_curl **out, struct colony_error *err)
{
    int rc = colony_library_open(&library, err);

    if (rc == 0)
        *out = &functions;
    return rc;
}
