/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text/event-stream as colony's commands read it: the same events whichever pieces it arrives in,
 * and none of them with a line end in its kind or its id.
 *
 * The first byte of an input is the size of a piece; the rest is the stream.
 */
#include "../../cli/event_source.h"

#include "fuzz.h"

/* All events with their kinds, texts and ids. */
struct reading {
    struct colony_event_source source;
    char *seen;
    size_t size;
    int rc;
};

static void keep(struct reading *reading, const char *text)
{
    size_t length = strlen(text) + 1;

    reading->seen = realloc(reading->seen, reading->size + length);
    CHECK(reading->seen);
    memcpy(reading->seen + reading->size, text, length);
    reading->size += length;
}

static int on_event(const char *event, const char *text, void *data)
{
    struct reading *reading = data;

    CHECK(!strpbrk(event, "\r\n") && strlen(event) <= COLONY_EVENT_NAME_MAX);
    CHECK(!strpbrk(reading->source.id, "\r\n"));
    keep(reading, event);
    keep(reading, text);
    keep(reading, reading->source.id);
    return 0;
}

static void read_all(struct reading *reading, const uint8_t *bytes, size_t size, size_t step)
{
    reading->source = (struct colony_event_source){.cb = on_event, .data = reading};
    for (size_t at = 0; at < size && reading->rc == 0; at += step) {
        size_t given = size - at < step ? size - at : step;
        char *piece = fuzz_text(bytes + at, given);

        reading->rc = colony_event_source_feed(&reading->source, piece, given);
        free(piece);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole = {0};
    struct reading cut = {0};

    if (size == 0)
        return 0;
    read_all(&whole, data + 1, size - 1, size);
    read_all(&cut, data + 1, size - 1, 1 + (data[0] & 15U));
    CHECK(whole.rc == cut.rc && whole.size == cut.size);
    CHECK(whole.size == 0 || memcmp(whole.seen, cut.seen, whole.size) == 0);
    CHECK(strcmp(whole.source.id, cut.source.id) == 0);
    colony_event_source_restart(&cut.source);
    CHECK(strcmp(whole.source.id, cut.source.id) == 0);
    CHECK(colony_event_source_feed(&cut.source, "data: x\n\n", 9) == 0);
    CHECK(cut.size > whole.size);
    colony_event_source_clear(&whole.source);
    colony_event_source_clear(&cut.source);
    free(whole.seen);
    free(cut.seen);
    return 0;
}
