/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datagrams_internal.h - events by UDP: one datagram is one event, and nobody is answered.
 *
 * Read in batches, of which the loop gets its turn after a few. What cannot be used is counted by
 * the inbox and told in the log at most once a second. Loop thread only.
 */
#ifndef COLONY_API_DATAGRAMS_INTERNAL_H
#define COLONY_API_DATAGRAMS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

struct colony__datagrams;
struct colony_error;
struct colony_inbox;
struct uv_loop_s;

typedef void (*colony__datagrams_closed_cb)(void *data);

/* Of a duplicate of the bound socket @fd; borrows the others. -ENOMEM, -EMFILE. */
int colony__datagrams_new(struct colony__datagrams **out, struct uv_loop_s *loop, int fd,
                          struct colony_inbox *inbox, struct colony_error *err);
void colony__datagrams_start(struct colony__datagrams *datagrams);
void colony__datagrams_stop(struct colony__datagrams *datagrams);
void colony__datagrams_close(struct colony__datagrams *datagrams, colony__datagrams_closed_cb cb,
                             void *data);

/* Takes none from beyond this machine, which could show no token. */
void colony__datagrams_set_local(struct colony__datagrams *datagrams, bool is_local);

/* Those that the kernel dropped, as the socket was full, since that was made: the keeper has it. */
uint64_t colony__datagrams_dropped(const struct colony__datagrams *datagrams);

#endif
