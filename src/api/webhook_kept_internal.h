/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook_kept_internal.h - what waits to be posted, in a file of the state folder, from an engine
 * that is replaced to the next one. Loop thread only.
 */
#ifndef COLONY_API_WEBHOOK_KEPT_INTERNAL_H
#define COLONY_API_WEBHOOK_KEPT_INTERNAL_H

#include <stddef.h>

struct colony__webhook;

/* Writes the queues of @hooks, which stay as they are. What cannot be kept is told in the log. */
void colony__webhooks_keep(const char *state_dir, struct colony__webhook *const *hooks,
                           size_t count);
/* Queues what was kept, each event for the hook that posts the same to the same URL, and removes
 * the file. Events whose hook is no more are counted in the log. A shortage: nothing was done. */
int colony__webhooks_restore(const char *state_dir, struct colony__webhook *const *hooks,
                             size_t count);

#endif
