/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_reader.h - reads followed logs piece by piece, and knows where each of them is to be read on
 * from, whichever engine is asked.
 *
 * A plain value. A piece is handed on once all of it is there, so that nothing is shown twice and
 * nothing is missing when the connection is cut in the middle of one.
 */
#ifndef COLONY_CLI_LOG_READER_H
#define COLONY_CLI_LOG_READER_H

#include <stddef.h>

enum {
    COLONY_LOG_PLACE_MAX = 96,
    COLONY_LOG_PLACES_MAX = 128, /* logs that are followed at once */
    COLONY_LOG_QUERY_MAX = COLONY_LOG_PLACE_MAX * COLONY_LOG_PLACES_MAX,
};

/* 0; a negative errno ends it. */
typedef int (*colony_log_reader_cb)(const char *bytes, size_t size, void *data);

struct colony_log_reader {
    colony_log_reader_cb cb;
    void *data;
    char places[COLONY_LOG_PLACES_MAX][COLONY_LOG_PLACE_MAX];
    size_t place_count;
    char head[COLONY_LOG_PLACE_MAX + 32]; /* of the piece that comes, as far as it has come */
    size_t head_size;
    char *piece;
    size_t piece_size; /* that has come */
    size_t wanted;     /* bytes of the piece */
    size_t capacity;
};

/* -ENOMEM, -EPROTO: that is no answer with places, or what the callback returned. */
int colony_log_reader_feed(struct colony_log_reader *reader, const char *bytes, size_t size);

/* What was begun is forgotten; writes `&from=PLACE,…` for the next request, or "". */
void colony_log_reader_restart(struct colony_log_reader *reader, char *query, size_t size);
void colony_log_reader_clear(struct colony_log_reader *reader);

#endif
