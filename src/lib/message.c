/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - what a callback may ask of a message. */
#include "api/told.h"
#include "lib/listeners_internal.h"

const struct cJSON *colony_msg_json(const struct colony_msg *msg)
{
    if (!msg->json)
        return NULL;
    if (!*msg->json && msg->event)
        *msg->json = colony_told_event(msg->event);
    else if (!*msg->json && msg->stats)
        *msg->json = colony_told_sample(msg->id, msg->stats);
    return *msg->json;
}

const char *colony_msg_bytes(const struct colony_msg *msg, size_t *size)
{
    *size = msg->size;
    return msg->size > 0 ? msg->bytes : NULL;
}

uint64_t colony_msg_lost(const struct colony_msg *msg)
{
    return msg->lost;
}

uint64_t colony_msg_id(const struct colony_msg *msg)
{
    return msg->id;
}
