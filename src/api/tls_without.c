/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "api/connection_internal.h"
#include "api/tls_internal.h"
#include "core/error.h"
#include "core/features.h"

int colony__tls_context_new(struct colony__tls_context **out,
                            const struct colony_tls_settings *settings, struct colony_error *err)
{
    (void)out, (void)settings;
    return colony_fail(err, -ENOTSUP, "cannot use TLS: " COLONY_LEFT_OUT("it", "tls"));
}

void colony__tls_context_free(struct colony__tls_context *context)
{
    (void)context;
}

/* Without a context nobody listens for it. */
void colony__connection_secure(struct colony__connection *connection,
                               struct colony__tls_context *context)
{
    (void)context;
    colony__connection_close(connection);
}
