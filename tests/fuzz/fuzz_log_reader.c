/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Followed logs as `colony ctl logs -f` reads them: the same output whichever pieces it arrives in,
 * and a query that names each log once and is never cut.
 *
 * The first byte of an input is the size of a piece; the rest is what the server sends.
 */
#include "../../cli/log_reader.h"

#include "fuzz.h"

struct reading {
    struct colony_log_reader reader;
    char *seen;
    size_t size;
    int rc;
};

static int on_piece(const char *bytes, size_t size, void *data)
{
    struct reading *reading = data;

    CHECK(size > 0);
    reading->seen = realloc(reading->seen, reading->size + size);
    CHECK(reading->seen);
    memcpy(reading->seen + reading->size, bytes, size);
    reading->size += size;
    return 0;
}

static void read_all(struct reading *reading, const uint8_t *bytes, size_t size, size_t step)
{
    reading->reader.cb = on_piece;
    reading->reader.data = reading;
    for (size_t at = 0; at < size && reading->rc == 0; at += step) {
        size_t given = size - at < step ? size - at : step;
        char *piece = fuzz_text(bytes + at, given);

        reading->rc = colony_log_reader_feed(&reading->reader, piece, given);
        free(piece);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole_query[COLONY_LOG_QUERY_MAX + 8];
    static char cut_query[COLONY_LOG_QUERY_MAX + 8];
    static struct reading whole;
    static struct reading cut;

    if (size == 0)
        return 0;
    whole = cut = (struct reading){0};
    read_all(&whole, data + 1, size - 1, size);
    read_all(&cut, data + 1, size - 1, 1 + (data[0] & 15U));
    CHECK(whole.rc == cut.rc && whole.size == cut.size);
    CHECK(whole.size == 0 || memcmp(whole.seen, cut.seen, whole.size) == 0);
    CHECK(whole.reader.place_count == cut.reader.place_count);
    colony_log_reader_restart(&whole.reader, whole_query, sizeof whole_query);
    colony_log_reader_restart(&cut.reader, cut_query, sizeof cut_query);
    CHECK(strcmp(whole_query, cut_query) == 0);
    CHECK((whole.reader.place_count == 0) == (whole_query[0] == '\0'));
    for (size_t i = 0; i < whole.reader.place_count; i++)
        CHECK(strstr(whole_query, whole.reader.places[i]));
    CHECK(strspn(whole_query, "&from=,.0123456789e") == strlen(whole_query));
    colony_log_reader_clear(&whole.reader);
    colony_log_reader_clear(&cut.reader);
    free(whole.seen);
    free(cut.seen);
    return 0;
}
