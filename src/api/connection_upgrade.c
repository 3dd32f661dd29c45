/* SPDX-License-Identifier: Apache-2.0 */
/* connection_upgrade.c - a connection that has ceased to speak HTTP: both directions at once. */
#include "api/connection_internal.h"
#include "api/server_internal.h"

enum {
    PENDING_MAX = 2 * COLONY__READ_SIZE, /* nothing is read while anything is pending */
};

void colony__connection_upgrade(struct colony__connection *connection,
                                const struct colony__duplex *duplex, void *data)
{
    connection->duplex = duplex;
    connection->duplex_data = data;
    connection->keeps_alive = false;
}

void colony__connection_drop_duplex(struct colony__connection *connection)
{
    const struct colony__duplex *duplex = connection->duplex;

    connection->duplex = NULL;
    if (duplex)
        duplex->closed(connection->duplex_data);
}

static bool is_open(const struct colony__connection *connection)
{
    return connection->duplex && !connection->is_ended && connection->phase == PHASE_ANSWERING;
}

void colony__connection_take_upgraded(struct colony__connection *connection, const char *data,
                                      size_t size)
{
    size_t used = 0;

    if (!is_open(connection))
        return; /* it comes after the last word */
    if (connection->pending.size == 0)
        used = connection->duplex->received(connection, data, size, connection->duplex_data);
    if (!is_open(connection))
        return;
    if (colony__buffer_append(&connection->pending, data + used, size - used, PENDING_MAX) < 0)
        colony__connection_close(connection);
    else
        colony__connection_set_reading(connection, connection->pending.size == 0);
}

void colony__connection_resume(struct colony__connection *connection)
{
    struct colony__buffer *pending = &connection->pending;
    struct colony__buffer taken = *pending;
    size_t used;

    if (!is_open(connection))
        return;
    *pending = (struct colony__buffer){0}; /* what is being received is pending no more */
    used =
        connection->duplex->received(connection, taken.data, taken.size, connection->duplex_data);
    if (!is_open(connection)) {
        colony__buffer_clear(&taken);
        return;
    }
    colony__buffer_consume(&taken, used);
    *pending = taken;
    if (pending->size == 0 && connection->has_eof)
        colony__connection_close(connection);
    else
        colony__connection_set_reading(connection, pending->size == 0);
}

void colony__connection_hang_up(struct colony__connection *connection)
{
    colony__connection_drop_source(connection);
    colony__connection_end(connection);
    if (connection->is_writing)
        colony__connection_watch_stall(connection); /* nobody is waited for any more */
}
