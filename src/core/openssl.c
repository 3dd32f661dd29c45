/* SPDX-License-Identifier: Apache-2.0 */
#include "core/openssl.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/library.h"

#define TEXT_OF(value) #value
#define SONAME_OF(version) "libssl.so." TEXT_OF(version)
#define SONAME SONAME_OF(OPENSSL_SHLIB_VERSION)

COLONY_LIBRARY_NOTE(openssl_note, "tls", "TLS of the control endpoint and of colony ctl", SONAME);

#define SYMBOL(function) {#function, offsetof(struct colony_openssl, function)},

static const struct colony_symbol symbols[] = {COLONY_OPENSSL_FUNCTIONS(SYMBOL){NULL, 0}};

static struct colony_openssl functions;
static bool is_open;

int colony_openssl_get(const struct colony_openssl **out, struct colony_error *err)
{
    static const struct colony_library library = {SONAME, "libssl3", "TLS"};
    int rc = is_open ? 0 : colony_library_open(&library, symbols, &functions, err);

    if (rc < 0)
        return rc;
    is_open = true;
    *out = &functions;
    return 0;
}

const char *colony_openssl_reason(const struct colony_openssl *ssl)
{
    unsigned long code = ssl->ERR_get_error();
    const char *reason = code ? ssl->ERR_reason_error_string(code) : NULL;

    ssl->ERR_clear_error();
    return reason ? reason : "unknown reason";
}
