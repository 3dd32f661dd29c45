/* SPDX-License-Identifier: Apache-2.0 */
#include "core/http_client.h"

#include <errno.h>
#include <stddef.h>

#include "core/error.h"
#include "core/features.h"

int colony_http_client_check(struct colony_error *err)
{
    return colony_fail(err, -ENOTSUP,
                       "cannot make HTTP requests: " COLONY_LEFT_OUT("them", "curl"));
}

int colony_http_client_new(struct colony_http_client **out, struct uv_loop_s *loop,
                           struct colony_error *err)
{
    (void)out, (void)loop;
    return colony_http_client_check(err);
}

/* No client, no jobs: what follows is never called. */

int colony_http_client_send(struct colony_http_client *client,
                            const struct colony_http_request *request, struct colony_http_job **out)
{
    (void)client, (void)request, (void)out;
    return -ENOTSUP;
}

void colony_http_job_cancel(struct colony_http_job *job)
{
    (void)job;
}

void colony_http_client_close(struct colony_http_client *client, colony_http_client_closed_cb cb,
                              void *data)
{
    (void)client, (void)cb, (void)data;
}
