/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_follow.c - follows what has no end, also over the end of an engine. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "core/error.h"
#include "ctl_internal.h"

enum {
    PATIENCE_MS = 10000, /* for another engine, once one has answered */
    AGAIN_MS = 100,
};

/* False: nobody reads our output any more. */
static bool pause_briefly(void)
{
    struct pollfd wait = {.fd = STDOUT_FILENO, .events = 0};

    return poll(&wait, 1, AGAIN_MS) <= 0 || !(wait.revents & POLLERR);
}

/* What another engine may yet answer. */
static bool is_passing(int rc, const struct colony_reply *reply)
{
    return rc == -ECONNRESET || rc == -ECONNREFUSED || (rc == 0 && reply->status == 503);
}

int colony__ctl_follow(const struct ctl *ctl, const struct ctl_follow *follow)
{
    const struct ctl_question *question = &follow->question;
    bool was_answered = false;
    uint64_t deadline_ms = 0;

    for (;;) {
        const struct colony_request request = {
            .method = question->method,
            .path = question->path,
            .timeout_ms = question->timeout_ms,
            .on_body = question->on_body,
            .data = follow->data,
            .last_id = follow->last_id && follow->last_id[0] != '\0' ? follow->last_id : NULL,
            .watches_stdout = true,
        };
        struct colony_error err = {0};
        struct colony_reply reply;
        int rc = colony_client_request(&ctl->target, &request, &reply, &err);
        bool is_answered = reply.status / 100 == 2;
        int exit_code = EXIT_OK;

        if (is_answered)
            deadline_ms = colony_target_now_ms() + PATIENCE_MS;
        was_answered = was_answered || is_answered;
        if (!was_answered || !is_passing(rc, &reply) || colony_target_now_ms() >= deadline_ms) {
            exit_code = colony__ctl_conclude(ctl, question, rc, &reply, &err);
            colony_client_clear(&reply);
            return exit_code;
        }
        colony_client_clear(&reply);
        if (!pause_briefly())
            return EXIT_OK;
        if (follow->again)
            follow->again(follow->data);
    }
}
