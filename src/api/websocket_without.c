/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "api/handlers_internal.h"
#include "core/error.h"
#include "core/features.h"

int colony__get_websocket(struct colony__connection *connection,
                          const struct colony__request *request, struct colony_error *err)
{
    (void)connection, (void)request;
    return colony_fail(err, -ENOSYS, "cannot open a WebSocket: " COLONY_LEFT_OUT("them", "ws"));
}
