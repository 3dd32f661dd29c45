/* SPDX-License-Identifier: Apache-2.0 */
#include "followed.h"

#include <errno.h>
#include <stddef.h>

#include "core/error.h"
#include "core/exchange.h"
#include "core/target.h"

int colony_followed_fd(const struct colony_followed *followed)
{
    return followed->exchange ? colony_exchange_fd(followed->exchange) : -1;
}

int colony_followed_timeout(const struct colony_followed *followed)
{
    uint64_t now = colony_target_now_ms();

    if (followed->exchange)
        return -1;
    return followed->next_ms > now ? (int)(followed->next_ms - now) : 0;
}

bool colony_followed_is_cut(const struct colony_followed *followed)
{
    return !followed->exchange || colony_exchange_reply(followed->exchange)->status == 0;
}

/* 0: it will be asked for again; else @rc, which is no passing failure or has lasted too long. */
static int come_again(struct colony_followed *followed, int rc)
{
    uint64_t now = colony_target_now_ms();
    bool may_pass = rc == -ECONNRESET || rc == -ECONNREFUSED || rc == -EAGAIN;

    colony_exchange_close(followed->exchange);
    followed->exchange = NULL;
    if (!may_pass ||
        (!followed->is_endless && (!followed->was_answered || now >= followed->deadline_ms)))
        return rc;
    followed->next_ms = now + COLONY_FOLLOWED_AGAIN_MS;
    if (followed->again)
        followed->again(followed->request.data);
    return 0;
}

static int connect_again(struct colony_followed *followed, struct colony_error *err)
{
    int rc = colony_exchange_open(&followed->exchange, followed->target, &followed->request, err);

    if (rc < 0)
        followed->exchange = NULL;
    return rc < 0 ? come_again(followed, rc) : 0;
}

int colony_followed_step(struct colony_followed *followed, bool is_readable,
                         const struct colony_reply **reply, struct colony_error *err)
{
    int rc;

    *reply = NULL;
    if (!followed->exchange)
        return colony_followed_timeout(followed) > 0 ? 0 : connect_again(followed, err);
    if (!is_readable)
        return 0;
    rc = colony_exchange_read(followed->exchange, err);
    if (colony_exchange_reply(followed->exchange)->status / 100 == 2) {
        followed->was_answered = true;
        followed->deadline_ms = colony_target_now_ms() + COLONY_FOLLOWED_PATIENCE_MS;
    }
    if (rc < 0)
        return come_again(followed, rc);
    *reply = colony_exchange_reply(followed->exchange);
    if (rc == 1 && (*reply)->status == 503 &&
        (followed->is_endless || colony_target_now_ms() < followed->deadline_ms)) {
        *reply = NULL;
        return come_again(followed, -EAGAIN);
    }
    return rc;
}

void colony_followed_clear(struct colony_followed *followed)
{
    colony_exchange_close(followed->exchange);
    followed->exchange = NULL;
}
