/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials_internal.h - what the endpoints are opened with beside their sockets: tokens and
 * certificates, as files say now.
 */
#ifndef COLONY_API_CREDENTIALS_INTERNAL_H
#define COLONY_API_CREDENTIALS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

struct colony__tls_context;
struct colony__tokens;
struct colony_error;
struct colony_http_settings;

/* A plain value; all-zero: neither. */
struct colony__credentials {
    struct colony__tokens *tokens;
    struct colony__tls_context **contexts; /* by the number of colony_http_tls(); NULL: plain */
    size_t context_count;
};

/* True when the settings name a file that can be read again. */
bool colony__credentials_are_wanted(const struct colony_http_settings *settings);

/* Reads all of them. May run on any thread, but for the first time. Errors of the readers. */
int colony__credentials_load(struct colony__credentials *out,
                             const struct colony_http_settings *settings, struct colony_error *err);
void colony__credentials_clear(struct colony__credentials *credentials);

/* The context of an endpoint, or NULL. */
struct colony__tls_context *colony__credentials_tls(const struct colony__credentials *credentials,
                                                    size_t number);

#endif
