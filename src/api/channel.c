/* SPDX-License-Identifier: Apache-2.0 */
#include "api/channel_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/feed_form_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"

enum {
    BATCH_BYTES = 16384, /* handed to a connection at once */
    RING_MIN = 16,
};

/* Something told, in the channel's form. */
struct item {
    uint64_t id;
    uint64_t position; /* of the channel's weight before it */
    uint64_t weight;
    size_t size;
    char bytes[];
};

struct colony__channel {
    struct colony__server *server;
    struct colony__channel *next; /* of the server's */
    struct colony__channel *previous;
    struct colony__form form;
    void (*closed)(void *data);
    void *data;
    struct item **ring; /* its capacity is a power of two */
    size_t capacity;
    uint64_t first; /* number of the oldest item that is kept */
    uint64_t end;   /* number of the next item */
    size_t bytes;
    uint64_t position; /* all weight that was told */
    uint64_t next_id;
    struct colony__follower *followers;
    size_t count;
    size_t done_count; /* of those who have been sent all */
    bool is_telling;
    bool is_ended;
    char subject[];
};

struct colony__follower {
    struct colony__channel *channel;
    struct colony__follower *next;
    struct colony__follower *previous;
    struct colony__connection *connection; /* NULL: it has gone */
    const struct colony__prelude *prelude; /* NULL: it follows */
    void *prelude_data;
    uint64_t heartbeat_ms;
    uint64_t number;   /* of the next item */
    uint64_t position; /* weight that it has been told, or of which it was told that it missed it */
    uint64_t last_id;
    bool has_all;
    bool is_sending;
    bool is_over; /* it gets no more: its answer is complete */
    bool is_busy; /* in use: freed after it */
};

static struct item *item_at(const struct colony__channel *channel, uint64_t number)
{
    return channel->ring[number & (channel->capacity - 1)];
}

const char *const colony__feed_units[COLONY__FEED_UNITS] = {"events", "samples", "bytes"};

/* Somebody who follows misses it. */
static void count_dropped(struct colony__channel *channel, uint64_t weight)
{
    for (size_t i = 0; i < COLONY__FEED_UNITS; i++)
        if (strcmp(colony__feed_units[i], channel->form.unit) == 0)
            channel->server->feed_dropped[i] += weight;
}

/* The oldest item that somebody has yet to be sent. */
static uint64_t find_oldest_needed(const struct colony__channel *channel)
{
    uint64_t oldest = channel->end;

    for (const struct colony__follower *at = channel->followers; at; at = at->next)
        if (at->number < oldest)
            oldest = at->number;
    return oldest;
}

static void drop_first(struct colony__channel *channel)
{
    struct item *item = item_at(channel, channel->first++);

    channel->bytes -= sizeof *item + item->size;
    free(item);
}

static void drop_all(struct colony__channel *channel)
{
    while (channel->first < channel->end)
        drop_first(channel);
    free(channel->ring);
    channel->ring = NULL;
    channel->capacity = 0;
}

struct colony__channel *colony__channel_find(struct colony__server *server, const char *subject,
                                             enum colony__feed feed)
{
    struct colony__channel *channel = server->channels;

    while (channel && (channel->is_ended || channel->form.feed != feed ||
                       strcmp(channel->subject, subject) != 0))
        channel = channel->next;
    return channel;
}

int colony__channel_new(struct colony__channel **out, struct colony__server *server,
                        const struct colony__channel_options *options)
{
    struct colony__channel *channel = calloc(1, sizeof *channel + strlen(options->subject) + 1);

    if (!channel)
        return -ENOMEM;
    channel->server = server;
    channel->form = (struct colony__form){options->feed, options->is_raw, options->unit};
    channel->closed = options->closed;
    channel->data = options->data;
    channel->next_id = 1;
    memcpy(channel->subject, options->subject, strlen(options->subject) + 1);
    channel->next = server->channels;
    if (channel->next)
        channel->next->previous = channel;
    server->channels = channel;
    *out = channel;
    return 0;
}

void colony__channel_free(struct colony__channel *channel)
{
    if (channel->next)
        channel->next->previous = channel->previous;
    if (channel->previous)
        channel->previous->next = channel->next;
    else
        channel->server->channels = channel->next;
    drop_all(channel);
    free(channel);
}

/* Once nobody follows. False: it is gone. */
static bool channel_release(struct colony__channel *channel)
{
    if (channel->count > 0 || channel->is_telling)
        return true;
    channel->closed(channel->data);
    colony__channel_free(channel);
    return false;
}

static void set_has_all(struct colony__follower *follower, bool has_all)
{
    struct colony__channel *channel = follower->channel;

    if (follower->has_all == has_all)
        return;
    follower->has_all = has_all;
    channel->done_count += has_all ? 1 : (size_t)-1;
}

/* Sending to one client. */

/* Begins to use @follower, which is freed by end_use() if its connection goes meanwhile. */
static bool begin_use(struct colony__follower *follower)
{
    bool was_busy = follower->is_busy;

    follower->is_busy = true;
    return was_busy;
}

static void end_use(struct colony__follower *follower, bool was_busy)
{
    follower->is_busy = was_busy;
    if (!was_busy && !follower->connection)
        free(follower);
}

static bool can_send(const struct colony__follower *follower)
{
    return follower->connection && !follower->is_over;
}

static void send_bytes(struct colony__follower *follower, const char *bytes, size_t size)
{
    follower->is_sending = true;
    colony__stream_put(follower->connection, bytes, size); /* may be the end of the connection */
}

static void finish(struct colony__follower *follower)
{
    size_t size;
    const char *text = colony__form_end(&follower->channel->form, &size);

    follower->is_over = true;
    if (size > 0)
        send_bytes(follower, text, size);
    if (follower->connection)
        colony__stream_end(follower->connection);
}

static void send_dropped(struct colony__follower *follower, uint64_t weight)
{
    char text[COLONY__DROPPED_MAX];
    size_t size = colony__form_dropped(&follower->channel->form, text, weight);

    send_bytes(follower, text, size);
}

/* What goes on at @position: how much has gone before this client was sent it. */
static void tell_missed(struct colony__follower *follower, uint64_t position)
{
    uint64_t weight = position - follower->position;

    if (follower->position >= position)
        return;
    follower->position = position;
    send_dropped(follower, weight);
}

/* Hands over what there is, a batch at most. */
static void send_items(struct colony__follower *follower)
{
    struct colony__channel *channel = follower->channel;
    size_t sent = 0;

    while (can_send(follower) && sent < BATCH_BYTES && follower->number < channel->end) {
        const struct item *item;

        if (follower->number < channel->first)
            follower->number = channel->first;
        item = item_at(channel, follower->number++);
        tell_missed(follower, item->position);
        if (!can_send(follower))
            return;
        follower->position = item->position + item->weight;
        if (item->id <= follower->last_id)
            continue; /* it was told before it followed */
        sent += item->size;
        send_bytes(follower, item->bytes, item->size);
        if (can_send(follower) && channel->form.feed == FEED_LONGPOLL)
            finish(follower);
    }
}

static void send_more(struct colony__follower *follower)
{
    struct colony__channel *channel = follower->channel;
    bool was_busy = begin_use(follower);

    if (can_send(follower) && !follower->is_sending && !follower->prelude) {
        send_items(follower);
        if (can_send(follower) && follower->number == channel->end)
            tell_missed(follower, channel->position);
        if (follower->connection && follower->is_sending)
            colony__connection_flush(follower->connection);
        if (can_send(follower) && channel->is_ended && follower->number == channel->end)
            finish(follower);
        else if (can_send(follower) && !follower->is_sending && follower->heartbeat_ms)
            colony__connection_set_timeout(follower->connection, follower->heartbeat_ms);
        if (follower->connection)
            set_has_all(follower, follower->number == channel->end);
    }
    end_use(follower, was_busy);
}

/* Nobody needs what is kept. */
static void forget_sent(struct colony__channel *channel)
{
    if (channel->done_count == channel->count)
        drop_all(channel);
}

static void on_writable(struct colony__connection *connection, void *data)
{
    struct colony__follower *follower = data;
    struct colony__channel *channel = follower->channel;

    (void)connection;
    follower->is_sending = false;
    if (follower->is_over)
        return;
    if (follower->prelude) { /* may be the end of it */
        follower->prelude->writable(follower, follower->prelude_data);
        return;
    }
    channel->is_telling = true;
    send_more(follower);
    channel->is_telling = false;
    forget_sent(channel);
    (void)channel_release(channel);
}

static void on_silence(struct colony__connection *connection, void *data)
{
    struct colony__follower *follower = data;
    bool was_busy = begin_use(follower);
    size_t size;
    const char *beat = colony__form_heartbeat(&follower->channel->form, &size);

    send_bytes(follower, beat, size);
    if (follower->connection)
        colony__connection_flush(connection);
    end_use(follower, was_busy);
}

static void on_closed(void *data)
{
    struct colony__follower *follower = data;
    struct colony__channel *channel = follower->channel;

    if (follower->prelude)
        follower->prelude->closed(follower->prelude_data);
    follower->prelude = NULL;
    set_has_all(follower, false);
    if (follower->next)
        follower->next->previous = follower->previous;
    if (follower->previous)
        follower->previous->next = follower->next;
    else
        channel->followers = follower->next;
    channel->count--;
    follower->connection = NULL;
    if (!follower->is_busy)
        free(follower);
    (void)channel_release(channel);
}

static const struct colony__source follower_source = {
    .writable = on_writable,
    .timed_out = on_silence,
    .closed = on_closed,
    .is_patient = true,
};

/* Telling all. */

static bool send_to_all(struct colony__channel *channel)
{
    struct colony__follower *next;

    for (struct colony__follower *at = channel->followers; at; at = at->next)
        set_has_all(at, false);
    channel->is_telling = true;
    for (struct colony__follower *at = channel->followers; at; at = next) {
        next = at->next;
        send_more(at);
    }
    channel->is_telling = false;
    forget_sent(channel);
    return channel_release(channel);
}

static bool make_room(struct colony__channel *channel)
{
    size_t count = (size_t)(channel->end - channel->first);
    size_t capacity = channel->capacity ? channel->capacity * 2 : RING_MIN;
    struct item **ring;

    if (count < channel->capacity)
        return true;
    ring = malloc(capacity * sizeof(struct item *));
    if (!ring)
        return false;
    for (uint64_t number = channel->first; number < channel->end; number++)
        ring[number & (capacity - 1)] = item_at(channel, number);
    free(channel->ring);
    channel->ring = ring;
    channel->capacity = capacity;
    return true;
}

static void make_fit(struct colony__channel *channel)
{
    uint64_t needed = find_oldest_needed(channel);

    while (channel->bytes > channel->server->feed_max && channel->end - channel->first > 1) {
        if (channel->first >= needed)
            count_dropped(channel, item_at(channel, channel->first)->weight);
        drop_first(channel);
    }
}

/* False: there is no memory for it. */
static bool add_item(struct colony__channel *channel, const struct colony__tidings *tidings)
{
    size_t size = colony__form_size(&channel->form, tidings);
    struct item *item = make_room(channel) ? malloc(sizeof *item + size) : NULL;

    if (!item)
        return false;
    item->id = tidings->id;
    item->position = channel->position;
    item->weight = tidings->weight;
    item->size = colony__form_write(&channel->form, tidings, item->bytes);
    channel->ring[channel->end++ & (channel->capacity - 1)] = item;
    channel->bytes += sizeof *item + item->size;
    if (channel->bytes > channel->server->feed_max)
        make_fit(channel);
    return true;
}

bool colony__channel_tell(struct colony__channel *channel, const struct colony__tidings *tidings)
{
    struct colony__tidings told = *tidings;

    if (channel->is_ended)
        return true;
    if (told.id == 0)
        told.id = channel->next_id++;
    if (!add_item(channel, &told)) /* its weight is what all have missed */
        count_dropped(channel, told.weight);
    channel->position += told.weight;
    return send_to_all(channel);
}

bool colony__channel_tell_dropped(struct colony__channel *channel, uint64_t weight)
{
    channel->position += weight;
    count_dropped(channel, weight);
    return send_to_all(channel);
}

void colony__channel_end(struct colony__channel *channel)
{
    if (channel->is_ended)
        return;
    channel->is_ended = true;
    (void)send_to_all(channel);
}

/* One client. */

/* False: no more is wanted. */
static bool begin_answer(struct colony__follower *follower)
{
    const struct colony__form *form = &follower->channel->form;

    if (!colony__form_is_messages(form))
        return colony__stream_begin(follower->connection, colony__form_type(form), &follower_source,
                                    follower);
    colony__connection_set_source(follower->connection, &follower_source, follower);
    return follower->connection != NULL;
}

static void begin(struct colony__follower *follower)
{
    const struct colony__form *form = &follower->channel->form;
    bool was_busy = begin_use(follower);
    size_t size;
    const char *text = colony__form_begin(form, &size);

    follower->is_sending = true; /* then it is told that it is writable */
    if (!begin_answer(follower))
        follower->is_over = true;
    if (can_send(follower) && size > 0)
        send_bytes(follower, text, size);
    if (can_send(follower))
        colony__connection_flush(follower->connection);
    end_use(follower, was_busy);
}

int colony__channel_follow(struct colony__channel *channel, struct colony__connection *connection,
                           const struct colony__feed_wish *wish,
                           const struct colony__prelude *prelude, void *data)
{
    bool is_open = connection->phase == PHASE_ANSWERING;
    struct colony__follower *follower = is_open ? calloc(1, sizeof *follower) : NULL;

    if (!follower) {
        (void)channel_release(channel);
        return -ENOMEM;
    }
    follower->channel = channel;
    follower->connection = connection;
    follower->prelude = prelude;
    follower->prelude_data = data;
    follower->heartbeat_ms = wish->heartbeat_ms;
    follower->next = channel->followers;
    if (follower->next)
        follower->next->previous = follower;
    channel->followers = follower;
    channel->count++;
    colony__follower_catch_up(follower);
    begin(follower);
    return 0;
}

void colony__follower_catch_up(struct colony__follower *follower)
{
    follower->number = follower->channel->end;
    follower->position = follower->channel->position;
    set_has_all(follower, true);
}

bool colony__follower_tell(struct colony__follower *follower, const struct colony__tidings *tidings)
{
    const struct colony__form *form = &follower->channel->form;
    char *bytes = malloc(colony__form_size(form, tidings));
    bool was_busy = begin_use(follower);
    bool goes_on;

    if (!bytes)
        colony__connection_close(follower->connection);
    else
        send_bytes(follower, bytes, colony__form_write(form, tidings, bytes));
    free(bytes);
    if (can_send(follower) && form->feed == FEED_LONGPOLL)
        finish(follower);
    goes_on = can_send(follower);
    end_use(follower, was_busy);
    return goes_on;
}

bool colony__follower_tell_dropped(struct colony__follower *follower, uint64_t weight)
{
    bool was_busy = begin_use(follower);
    bool goes_on;

    send_dropped(follower, weight);
    goes_on = can_send(follower);
    end_use(follower, was_busy);
    return goes_on;
}

bool colony__follower_flush(struct colony__follower *follower)
{
    bool is_sending = follower->is_sending;

    if (is_sending)
        colony__connection_flush(follower->connection); /* may be the end of it */
    return is_sending;
}

void colony__follower_release(struct colony__follower *follower, uint64_t last_id)
{
    struct colony__channel *channel = follower->channel;

    follower->prelude = NULL;
    follower->last_id = last_id;
    channel->is_telling = true;
    if (follower->is_sending)
        colony__connection_flush(follower->connection);
    else
        send_more(follower);
    channel->is_telling = false;
    forget_sent(channel);
    (void)channel_release(channel);
}

void colony__follower_close(struct colony__follower *follower)
{
    colony__connection_close(follower->connection);
}
