/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link.h - the engine's end of the socket to its keeper.
 *
 * Loop thread only.
 */
#ifndef COLONY_CORE_LINK_H
#define COLONY_CORE_LINK_H

#include <stddef.h>

#include "core/message.h"

struct colony_link;
struct uv_loop_s;

/* The descriptors are the callee's. @message NULL: the keeper is gone or has let go of us. */
typedef void (*colony_link_cb)(const struct colony_message *message, const int *fds,
                               size_t fd_count, void *data);
typedef void (*colony_link_close_cb)(void *data);

/* Takes ownership of @fd. -ENOMEM and libuv's errors: then @fd is still the caller's. */
int colony_link_new(struct colony_link **out, struct uv_loop_s *loop, int fd, colony_link_cb cb,
                    void *data);
/* Why the keeper was lost: -ECONNRESET, -EPIPE: it has ended; -EMFILE: what it sent along did not
 * fit here; -EBADMSG: it is no keeper of ours. 0: it was not. */
int colony_link_error(const struct colony_link *link);
/* Nothing is heard or said any more; the callback is not called. */
void colony_link_drop(struct colony_link *link);
void colony_link_close(struct colony_link *link, colony_link_close_cb cb, void *data);

/*
 * Sends, or queues while the keeper is busy, in order; sets the version. Descriptors stay the
 * caller's. 0; -ENOMEM; -EMFILE: they could not be kept; -ESHUTDOWN: the keeper is gone.
 */
int colony_link_send(struct colony_link *link, struct colony_message *message, const int *fds,
                     size_t fd_count);

#endif
