/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "core/channel_internal.h"
#include "core/error.h"
#include "core/features.h"

int colony__channel_secure(struct colony_channel *channel, const struct colony_target *target,
                           struct colony_error *err)
{
    (void)channel, (void)target;
    return colony_fail(err, -ENOTSUP, "cannot use TLS: " COLONY_LEFT_OUT("it", "tls"));
}
