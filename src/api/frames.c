/* SPDX-License-Identifier: Apache-2.0 */
#include "api/frames_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <wslay/wslay.h>

enum {
    REPLIES_MAX = 1 << 18, /* what one feed may be answered with at most is far below */
};

struct colony__frames {
    wslay_event_context_ptr wslay;
    struct colony__frames_options options;
    const char *bytes; /* being fed */
    size_t left;
    struct colony__buffer message; /* so far */
    struct colony__buffer replies;
    bool is_paused;
    bool is_control; /* the frame at hand is no part of a message */
    bool is_midway;
    bool is_over;
};

void colony__frames_close(struct colony__frames *frames, enum colony__close_code code,
                          const char *reason)
{
    char frame[COLONY__FRAME_HEAD_MAX + 2 + COLONY__CLOSE_REASON_MAX];
    size_t length = strnlen(reason, COLONY__CLOSE_REASON_MAX);
    size_t head;

    if (frames->is_over)
        return;
    head = colony__frame_head(frame, FRAME_CLOSE, 2 + length);
    frame[head] = (char)(unsigned char)((unsigned)code >> 8);
    frame[head + 1] = (char)(unsigned char)((unsigned)code & 0xff);
    memcpy(frame + head + 2, reason, length);
    /* Without memory for it the connection ends without a word. */
    (void)colony__buffer_append(&frames->replies, frame, head + 2 + length, REPLIES_MAX);
    frames->is_over = true;
    wslay_event_shutdown_read(frames->wslay);
}

/* What wslay calls. */

static ssize_t on_read(wslay_event_context_ptr wslay, uint8_t *out, size_t size, int flags,
                       void *data)
{
    struct colony__frames *frames = data;
    size_t count = size < frames->left ? size : frames->left;

    (void)flags;
    if (frames->is_paused || count == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(out, frames->bytes, count);
    frames->bytes += count;
    frames->left -= count;
    return (ssize_t)count;
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t size, int flags,
                       void *data)
{
    struct colony__frames *frames = data;

    (void)flags;
    if (colony__buffer_append(&frames->replies, bytes, size, REPLIES_MAX) == 0)
        return (ssize_t)size;
    wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void on_frame(wslay_event_context_ptr wslay,
                     const struct wslay_event_on_frame_recv_start_arg *frame, void *data)
{
    struct colony__frames *frames = data;

    (void)wslay;
    frames->is_control = wslay_is_ctrl_frame(frame->opcode);
    if (!frames->is_control)
        frames->is_midway = true;
}

/*
 * Messages are joined here and not by wslay: for each fragment, be it of one byte, that takes a
 * hundred bytes of its own, and it makes room for whatever length a frame announces.
 */
static void on_chunk(wslay_event_context_ptr wslay,
                     const struct wslay_event_on_frame_recv_chunk_arg *chunk, void *data)
{
    struct colony__frames *frames = data;
    int rc;

    (void)wslay;
    if (frames->is_control || frames->is_over)
        return;
    rc = colony__buffer_append(&frames->message, chunk->data, chunk->data_length,
                               frames->options.message_max);
    if (rc == -EMSGSIZE)
        colony__frames_close(frames, CLOSE_TOO_LARGE, "the message is over the limit");
    else if (rc < 0)
        colony__frames_close(frames, CLOSE_FAILED, "out of memory for the message");
}

static void on_message(wslay_event_context_ptr wslay,
                       const struct wslay_event_on_msg_recv_arg *told, void *data)
{
    struct colony__frames *frames = data;

    (void)wslay;
    if (frames->is_over)
        return;
    /* wslay takes half a code for none. */
    if (told->opcode == WSLAY_CONNECTION_CLOSE && told->msg_length == 1)
        colony__frames_close(frames, CLOSE_PROTOCOL, "a Close has no code of one byte");
    if (wslay_is_ctrl_frame(told->opcode))
        return;
    frames->is_midway = false;
    frames->options.message(frames->message.size > 0 ? frames->message.data : "",
                            frames->message.size, frames->options.data);
    colony__buffer_reset(&frames->message);
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_read,
    .send_callback = on_send,
    .on_frame_recv_start_callback = on_frame,
    .on_frame_recv_chunk_callback = on_chunk,
    .on_msg_recv_callback = on_message,
};

int colony__frames_new(struct colony__frames **out, const struct colony__frames_options *options)
{
    struct colony__frames *frames = calloc(1, sizeof *frames);

    if (!frames)
        return -ENOMEM;
    if (wslay_event_context_server_init(&frames->wslay, &callbacks, frames) != 0) {
        free(frames);
        return -ENOMEM;
    }
    wslay_event_config_set_no_buffering(frames->wslay, 1);
    wslay_event_config_set_max_recv_msg_length(frames->wslay, options->message_max);
    frames->options = *options;
    *out = frames;
    return 0;
}

void colony__frames_free(struct colony__frames *frames)
{
    if (!frames)
        return;
    wslay_event_context_free(frames->wslay);
    colony__buffer_clear(&frames->message);
    colony__buffer_clear(&frames->replies);
    free(frames);
}

/* What wslay itself has to say: pongs, and the Close that answers one or tells of a fault. */
static void take_replies(struct colony__frames *frames)
{
    if (wslay_event_send(frames->wslay) < 0)
        colony__frames_close(frames, CLOSE_FAILED, "out of memory for an answer");
    if (!wslay_event_get_read_enabled(frames->wslay))
        frames->is_over = true;
}

size_t colony__frames_feed(struct colony__frames *frames, const char *bytes, size_t size)
{
    int rc;

    if (frames->is_over || frames->is_paused || frames->replies.size > COLONY__REPLIES_PAUSE)
        return frames->is_over ? size : 0;
    frames->bytes = bytes;
    frames->left = size;
    rc = wslay_event_recv(frames->wslay);
    if (rc == WSLAY_ERR_NOMEM)
        colony__frames_close(frames, CLOSE_FAILED, "out of memory for the message");
    else if (rc < 0) /* a frame that wslay cannot even begin with, which it has no code for */
        colony__frames_close(frames, CLOSE_PROTOCOL, "this is no frame of a client's");
    if (!frames->is_over)
        take_replies(frames);
    return frames->is_over ? size : size - frames->left;
}

void colony__frames_pause(struct colony__frames *frames, bool is_paused)
{
    frames->is_paused = is_paused;
}

bool colony__frames_is_midway(const struct colony__frames *frames)
{
    return frames->is_midway && !frames->is_over;
}

struct colony__buffer *colony__frames_replies(struct colony__frames *frames)
{
    return &frames->replies;
}

bool colony__frames_is_over(const struct colony__frames *frames)
{
    return frames->is_over;
}
