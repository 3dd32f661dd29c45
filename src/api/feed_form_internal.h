/* SPDX-License-Identifier: Apache-2.0 */
/* feed_form_internal.h - how what a feed tells looks on the wire. Pure. */
#ifndef COLONY_API_FEED_FORM_INTERNAL_H
#define COLONY_API_FEED_FORM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/channel_internal.h"

enum {
    COLONY__DROPPED_MAX = 128, /* bytes of what tells of a loss */
    COLONY__RETRY_MS = 2000,   /* after which a browser comes again */
};

struct colony__form {
    enum colony__feed feed;
    bool is_raw;
    const char *unit;
};

/* The content type. */
const char *colony__form_type(const struct colony__form *form);
/* What a feed begins with; *size may be 0. */
const char *colony__form_begin(const struct colony__form *form, size_t *size);
/* What it ends with; *size may be 0. */
const char *colony__form_end(const struct colony__form *form, size_t *size);
/* It is sent over a WebSocket: as messages, without a head. */
bool colony__form_is_messages(const struct colony__form *form);
/* What is sent when there is nothing to tell. */
const char *colony__form_heartbeat(const struct colony__form *form, size_t *size);

/*
 * Lines end in CR and LF: gaffer's client splits at nothing else, and every reader of event streams
 * takes it. The data of an event source is made valid UTF-8, and each line of it is a line "data:".
 * Messages of a WebSocket are whole frames, which are the same for all who follow.
 */
/* Bytes that colony__form_write needs at most. */
size_t colony__form_size(const struct colony__form *form, const struct colony__tidings *tidings);
size_t colony__form_write(const struct colony__form *form, const struct colony__tidings *tidings,
                          char *out);
/* That @weight was lost, into @out of COLONY__DROPPED_MAX. Returns its size. */
size_t colony__form_dropped(const struct colony__form *form, char *out, uint64_t weight);

#endif
