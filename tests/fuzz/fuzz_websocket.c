/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a WebSocket client: what comes out must not depend on how the bytes arrive, must be
 * what a strict reader of RFC 6455 sees in them, and each reply must be a frame that a server may
 * send.
 *
 * The first byte of an input says in which pieces it arrives; the rest are frames. Masks are what
 * stands there.
 */
#include "api/frames_internal.h"

#include "fuzz.h"

enum {
    MESSAGE_MAX = 512,
};

/* What was made of the bytes. */
struct reading {
    struct colony__frames *frames;
    struct colony__buffer messages; /* each with its size before it */
    struct colony__buffer replies;
    size_t pause_each; /* messages; 0: never */
    size_t count;
};

static void keep(struct colony__buffer *buffer, const void *bytes, size_t size)
{
    CHECK(colony__buffer_append(buffer, bytes, size, 1 << 24) == 0);
}

static void on_message(const char *bytes, size_t size, void *data)
{
    struct reading *reading = data;

    CHECK(size <= MESSAGE_MAX && !colony__frames_is_over(reading->frames));
    keep(&reading->messages, &size, sizeof size);
    keep(&reading->messages, bytes, size);
    if (reading->pause_each > 0 && ++reading->count % reading->pause_each == 0)
        colony__frames_pause(reading->frames, true);
}

/* Small frames without a mask; after a Close comes nothing. */
static void check_replies(const struct colony__buffer *replies, bool is_over)
{
    const unsigned char *at = (const unsigned char *)replies->data;
    const unsigned char *end = replies->size > 0 ? at + replies->size : at;
    bool has_close = false;

    while (at < end) {
        CHECK(end - at >= 2 && !has_close);
        CHECK((at[0] == 0x8a || at[0] == 0x88) && at[1] <= 125 && at[1] <= end - at - 2);
        has_close = at[0] == 0x88;
        CHECK(!has_close || at[1] != 1);
        at += 2 + at[1];
    }
    CHECK(has_close == is_over);
}

static void take_replies(struct reading *reading)
{
    struct colony__buffer *replies = colony__frames_replies(reading->frames);

    if (replies->size > 0)
        keep(&reading->replies, replies->data, replies->size);
    colony__buffer_reset(replies);
}

static void read_all(struct reading *reading, const uint8_t *bytes, size_t size, size_t step)
{
    struct colony__frames_options options = {
        .message_max = MESSAGE_MAX, .message = on_message, .data = reading};

    CHECK(colony__frames_new(&reading->frames, &options) == 0);
    for (size_t at = 0; at < size;) {
        size_t given = size - at < step ? size - at : step;
        char *piece = fuzz_text(bytes + at, given); /* just so large */
        size_t used = colony__frames_feed(reading->frames, piece, given);

        free(piece);
        CHECK(used <= given);
        take_replies(reading);
        colony__frames_pause(reading->frames, false);
        at += used;
    }
    check_replies(&reading->replies, colony__frames_is_over(reading->frames));
}

static void reading_clear(struct reading *reading)
{
    colony__frames_free(reading->frames);
    colony__buffer_clear(&reading->messages);
    colony__buffer_clear(&reading->replies);
}

/* --- a strict reader -------------------------------------------------------------------------- */

struct strict {
    const uint8_t *at;
    const uint8_t *end;
    struct colony__buffer message;
    struct colony__buffer messages;
    bool is_open; /* a message has begun */
};

/* The next frame into @payload; false: there is none that is whole and right in itself. */
static bool take_frame(struct strict *strict, unsigned *first, struct colony__buffer *payload)
{
    size_t left = (size_t)(strict->end - strict->at);
    uint64_t size;
    size_t head = 2;

    if (left < 2)
        return false;
    *first = strict->at[0];
    size = strict->at[1] & 0x7fU;
    if ((*first & 0x70U) || !(strict->at[1] & 0x80U) ||
        ((*first & 8U) && (size > 125 || !(*first & 0x80U))))
        return false;
    if (size >= 126) {
        size_t wide = size == 126 ? 2 : 8;

        if (left < 2 + wide)
            return false;
        size = 0;
        for (head = 2; head < 2 + wide; head++)
            size = size << 8 | strict->at[head];
    }
    if (size > MESSAGE_MAX || left < head + 4 + size)
        return false;
    colony__buffer_reset(payload);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = strict->at[head + 4 + i] ^ strict->at[head + i % 4];

        keep(payload, &byte, 1);
    }
    strict->at += head + 4 + size;
    return true;
}

/* Of one frame of a message; false: it is in a wrong place. */
static bool join(struct strict *strict, unsigned first, const struct colony__buffer *payload)
{
    unsigned opcode = first & 15U;

    if (opcode > 2 || strict->is_open != (opcode == 0))
        return false;
    strict->is_open = true;
    if (payload->size > 0)
        keep(&strict->message, payload->data, payload->size);
    if (strict->message.size > MESSAGE_MAX)
        return false;
    if (!(first & 0x80U))
        return true;
    keep(&strict->messages, &strict->message.size, sizeof strict->message.size);
    if (strict->message.size > 0)
        keep(&strict->messages, strict->message.data, strict->message.size);
    colony__buffer_reset(&strict->message);
    strict->is_open = false;
    return true;
}

/* All messages it sees up to the first fault or Close. It does not look at UTF-8. */
static void read_strictly(struct strict *strict)
{
    struct colony__buffer payload = {0};
    unsigned first;

    while (take_frame(strict, &first, &payload)) {
        if ((first & 15U) == FRAME_CLOSE)
            break;
        if ((first & 15U) == FRAME_PING || (first & 15U) == FRAME_PONG)
            continue;
        if (!join(strict, first, &payload))
            break;
    }
    colony__buffer_clear(&payload);
}

/* Of a Close in pieces, libwslay may see bad UTF-8 sooner or later. */
static bool is_half_close(const struct strict *strict)
{
    return strict->at < strict->end && (strict->at[0] & 15U) == FRAME_CLOSE;
}

static bool begins_with(const struct colony__buffer *all, const struct colony__buffer *part)
{
    return part->size <= all->size &&
           (part->size == 0 || memcmp(all->data, part->data, part->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole = {0};
    struct reading cut = {0};
    struct strict strict = {0};

    if (size == 0)
        return 0;
    strict.at = data + 1;
    strict.end = data + size;
    cut.pause_each = data[0] >> 4;
    read_all(&whole, data + 1, size - 1, size);
    read_all(&cut, data + 1, size - 1, 1 + (data[0] & 15U));
    read_strictly(&strict);
    CHECK(begins_with(&strict.messages, &whole.messages));
    if (!colony__frames_is_over(whole.frames))
        CHECK(whole.messages.size == strict.messages.size);
    CHECK(whole.messages.size == cut.messages.size && begins_with(&whole.messages, &cut.messages));
    CHECK(is_half_close(&strict) ||
          colony__frames_is_over(whole.frames) == colony__frames_is_over(cut.frames));
    reading_clear(&whole);
    reading_clear(&cut);
    colony__buffer_clear(&strict.message);
    colony__buffer_clear(&strict.messages);
    return 0;
}
