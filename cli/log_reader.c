/* SPDX-License-Identifier: Apache-2.0 */
#include "log_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_MAX = 64 * 1024 * 1024,
};

/* In place of the one of the same log. A place is `LOG.…`. */
static int keep_place(struct colony_log_reader *reader, const char *place)
{
    size_t log = strcspn(place, ".") + 1;
    size_t length = strlen(place);
    size_t i = 0;

    while (i < reader->place_count && strncmp(reader->places[i], place, log) != 0)
        i++;
    if (i == COLONY_LOG_PLACES_MAX || length >= COLONY_LOG_PLACE_MAX)
        return -EPROTO;
    if (i == reader->place_count)
        reader->place_count++;
    memcpy(reader->places[i], place, length + 1);
    return 0;
}

/* The head `PLACE SIZE` is there. */
static int begin_piece(struct colony_log_reader *reader)
{
    char *blank = strchr(reader->head, ' ');
    char *end = NULL;
    unsigned long long size;

    if (!blank || blank == reader->head || blank[1] < '0' || blank[1] > '9' ||
        strspn(reader->head, "0123456789.e") != (size_t)(blank - reader->head))
        return -EPROTO;
    size = strtoull(blank + 1, &end, 10);
    if (*end != '\0' || size > PIECE_MAX)
        return -EPROTO;
    *blank = '\0';
    if (size > reader->capacity) {
        char *piece = realloc(reader->piece, size);

        if (!piece)
            return -ENOMEM;
        reader->piece = piece;
        reader->capacity = size;
    }
    reader->wanted = size;
    reader->piece_size = 0;
    return 0;
}

static int end_piece(struct colony_log_reader *reader)
{
    int rc = reader->wanted > 0 ? reader->cb(reader->piece, reader->wanted, reader->data) : 0;

    if (rc == 0)
        rc = keep_place(reader, reader->head);
    reader->wanted = 0;
    reader->piece_size = 0;
    reader->head_size = 0;
    return rc;
}

/* Takes bytes of a head, up to its end. Returns how many, or a negative errno. */
static int take_head(struct colony_log_reader *reader, const char *bytes, size_t size)
{
    size_t taken = 0;

    while (taken < size) {
        char byte = bytes[taken++];

        if (byte == '\n') {
            int rc;

            reader->head[reader->head_size] = '\0';
            rc = begin_piece(reader);
            if (rc == 0 && reader->wanted == 0)
                rc = end_piece(reader);
            return rc < 0 ? rc : (int)taken;
        }
        if (reader->head_size + 1 >= sizeof reader->head)
            return -EPROTO;
        reader->head[reader->head_size++] = byte;
    }
    return (int)taken;
}

int colony_log_reader_feed(struct colony_log_reader *reader, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t taken;
        int rc = 0;

        if (reader->wanted > 0) {
            taken = reader->wanted - reader->piece_size;
            taken = taken < size ? taken : size;
            memcpy(reader->piece + reader->piece_size, bytes, taken);
            reader->piece_size += taken;
            if (reader->piece_size == reader->wanted)
                rc = end_piece(reader);
        } else {
            rc = take_head(reader, bytes, size);
            taken = rc < 0 ? 0 : (size_t)rc;
        }
        if (rc < 0)
            return rc;
        bytes += taken;
        size -= taken;
    }
    return 0;
}

void colony_log_reader_restart(struct colony_log_reader *reader, char *query, size_t size)
{
    size_t used = 0;

    reader->head_size = 0;
    reader->wanted = 0;
    reader->piece_size = 0;
    query[0] = '\0';
    for (size_t i = 0; i < reader->place_count; i++) {
        int length =
            snprintf(query + used, size - used, "%s%s", i == 0 ? "&from=" : ",", reader->places[i]);

        if (length < 0 || (size_t)length >= size - used) {
            query[used] = '\0';
            return;
        }
        used += (size_t)length;
    }
}

void colony_log_reader_clear(struct colony_log_reader *reader)
{
    free(reader->piece);
    memset(reader, 0, sizeof *reader);
}
