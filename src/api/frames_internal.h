/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frames_internal.h - frames of a WebSocket client into messages, and what is to be said to them
 * (RFC 6455; libwslay inside).
 *
 * It does no I/O: bytes are fed, replies are taken away. A fragmented message is joined within a
 * limit, pings are answered, and whoever breaks the rules gets a Close that says how.
 */
#ifndef COLONY_API_FRAMES_INTERNAL_H
#define COLONY_API_FRAMES_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/buffer_internal.h"

struct colony__frames;

enum colony__opcode {
    FRAME_TEXT = 1,
    FRAME_BINARY = 2,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
};

/* Why a WebSocket is closed. */
enum colony__close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_GOING_AWAY = 1001,
    CLOSE_PROTOCOL = 1002,
    CLOSE_NOT_UTF8 = 1007,
    CLOSE_POLICY = 1008,
    CLOSE_TOO_LARGE = 1009,
    CLOSE_FAILED = 1011,
};

enum {
    COLONY__FRAME_HEAD_MAX = 10,     /* of a server's frame, which is not masked */
    COLONY__CLOSE_REASON_MAX = 123,  /* bytes */
    COLONY__REPLIES_PAUSE = 1 << 14, /* bytes not taken away, from which on nothing more is read */
};

struct colony__frames_options {
    size_t message_max; /* bytes */
    /* A complete one, borrowed for the call; may pause or close. */
    void (*message)(const char *bytes, size_t size, void *data);
    void *data;
};

/* -ENOMEM. */
int colony__frames_new(struct colony__frames **out, const struct colony__frames_options *options);
void colony__frames_free(struct colony__frames *frames);

/*
 * Reads from the @size bytes at @bytes; returns how many it took, which are all of them unless it
 * is paused, or too many replies wait. A few messages may still come while it is paused: those
 * which were in what it took before.
 */
size_t colony__frames_feed(struct colony__frames *frames, const char *bytes, size_t size);
void colony__frames_pause(struct colony__frames *frames, bool is_paused);
/* A message has begun and is not complete. */
bool colony__frames_is_midway(const struct colony__frames *frames);

/* What is to be sent; the caller resets it. */
struct colony__buffer *colony__frames_replies(struct colony__frames *frames);
/* A Close is the last of the replies: nothing more is read, and nothing may be sent after it. */
bool colony__frames_is_over(const struct colony__frames *frames);
/* Closes, unless it is over. @reason: valid UTF-8. */
void colony__frames_close(struct colony__frames *frames, enum colony__close_code code,
                          const char *reason);

/* The head of a whole message of @size bytes, into @out of COLONY__FRAME_HEAD_MAX. Its size. In
 * frame_head.c, for who sends without reading. */
size_t colony__frame_head(char *out, enum colony__opcode opcode, size_t size);

#endif
