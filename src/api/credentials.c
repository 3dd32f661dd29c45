/* SPDX-License-Identifier: Apache-2.0 */
#include "api/credentials_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "api/tls_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"
#include "core/settings.h"

bool colony__credentials_are_wanted(const struct colony_http_settings *settings)
{
    for (size_t i = 0; i <= settings->endpoint_count; i++)
        if (colony_http_tls(settings, i)->certfile)
            return true;
    return settings->tokens != NULL;
}

static int load_contexts(struct colony__credentials *credentials,
                         const struct colony_http_settings *settings, struct colony_error *err)
{
    size_t count = settings->endpoint_count + 1;
    int rc = 0;

    credentials->contexts = calloc(count, sizeof(struct colony__tls_context *));
    if (!credentials->contexts)
        return colony_fail(err, -ENOMEM, "cannot read the certificates: out of memory");
    credentials->context_count = count;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (colony_http_tls(settings, i)->certfile)
            rc = colony__tls_context_new(&credentials->contexts[i], colony_http_tls(settings, i),
                                         err);
    return rc;
}

int colony__credentials_load(struct colony__credentials *out,
                             const struct colony_http_settings *settings, struct colony_error *err)
{
    struct colony__credentials made = {0};
    int rc = 0;

    if (settings->tokens)
        rc = colony__tokens_load(&made.tokens, settings->tokens, err);
    if (rc == 0)
        rc = load_contexts(&made, settings, err);
    if (rc < 0) {
        colony__credentials_clear(&made);
        return rc;
    }
    *out = made;
    return 0;
}

void colony__credentials_clear(struct colony__credentials *credentials)
{
    colony__tokens_free(credentials->tokens);
    for (size_t i = 0; i < credentials->context_count; i++)
        colony__tls_context_free(credentials->contexts[i]);
    free(credentials->contexts);
    *credentials = (struct colony__credentials){0};
}

struct colony__tls_context *colony__credentials_tls(const struct colony__credentials *credentials,
                                                    size_t number)
{
    return number < credentials->context_count ? credentials->contexts[number] : NULL;
}
