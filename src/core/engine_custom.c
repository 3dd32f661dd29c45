/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_custom.c - the custom streams of a process: sockets that are its descriptors 3, 4, …
 *
 * All that it writes is read at once, so that it never waits for who follows; where nobody does, it
 * is dropped and counted. Only after a takeover those who followed have a while to come again.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/engine_internal.h"

enum {
    READS_A_TURN = 8,
    LAST_BYTES_MAX = 1 << 20, /* that are read of a process that has ended */
    COME_AGAIN_MS = 5000,
};

struct custom_tap {
    struct custom_tap *next;
    struct custom *custom;
    engine_custom_cb cb; /* NULL: taken off */
    void *data;
};

struct custom {
    struct custom_streams *streams;
    struct input *input; /* NULL: there is none, or its process has ended */
    struct custom_tap *taps;
    bool has_ended; /* nothing comes any more */
    bool is_telling;
};

struct custom_streams {
    struct colony_engine *engine;
    struct colony_timer timer; /* runs while those of an adopted process wait for who follows */
    uint64_t unread_bytes;
    struct custom items[COLONY_STREAMS_CUSTOM];
};

/* Reading. */

/* Frees those that were taken off. */
static void sweep(struct custom *custom)
{
    struct custom_tap **link = &custom->taps;

    while (*link) {
        struct custom_tap *tap = *link;

        if (tap->cb) {
            link = &tap->next;
            continue;
        }
        *link = tap->next;
        free(tap);
    }
}

/* Tells all who follow; who comes meanwhile stands before them. @size 0: the end. */
static void tell(struct custom *custom, const char *bytes, size_t size)
{
    bool is_heard = false;

    custom->is_telling = true;
    for (struct custom_tap *tap = custom->taps; tap; tap = tap->next) {
        engine_custom_cb cb = tap->cb;

        if (!cb)
            continue;
        is_heard = true;
        if (size == 0)
            tap->cb = NULL;
        cb(bytes, size, tap->data);
    }
    custom->is_telling = false;
    sweep(custom);
    if (!is_heard)
        custom->streams->unread_bytes += size;
}

static void tell_end(struct custom *custom)
{
    if (custom->has_ended)
        return;
    custom->has_ended = true;
    tell(custom, "", 0);
}

/* How many of @size bytes there were; 0: no more now, or for ever. */
static size_t read_some(struct custom *custom, size_t size)
{
    char *buffer = custom->streams->engine->custom_bytes;
    ssize_t count = read(engine_input_fd(custom->input), buffer,
                         size < ENGINE_CUSTOM_BYTES ? size : ENGINE_CUSTOM_BYTES);

    if (count > 0) {
        tell(custom, buffer, (size_t)count);
        return (size_t)count;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    (void)engine_input_read(custom->input, NULL, NULL); /* it may still be written to */
    tell_end(custom);
    return 0;
}

static void on_readable(void *data)
{
    struct custom *custom = data;

    for (int i = 0; i < READS_A_TURN && custom->input; i++)
        if (read_some(custom, ENGINE_CUSTOM_BYTES) == 0)
            return;
}

static void on_waited(struct colony_timer *timer)
{
    struct custom_streams *streams =
        (struct custom_streams *)((char *)timer - offsetof(struct custom_streams, timer));

    for (size_t i = 0; i < COLONY_STREAMS_CUSTOM; i++)
        if (streams->items[i].input && !streams->items[i].has_ended)
            (void)engine_input_read(streams->items[i].input, on_readable, &streams->items[i]);
}

/* What it wrote before it ended; not what others write who still have its streams. */
static void read_last(struct custom *custom)
{
    size_t count = 1;
    size_t left = 0;
    int waiting = 0;

    if (ioctl(engine_input_fd(custom->input), FIONREAD, &waiting) == 0 && waiting > 0)
        left = (size_t)waiting;
    if (left > LAST_BYTES_MAX) {
        custom->streams->unread_bytes += left - LAST_BYTES_MAX;
        left = LAST_BYTES_MAX;
    }
    for (; left > 0 && count > 0 && custom->input && !custom->has_ended; left -= count)
        count = read_some(custom, left);
}

/* Beginning and ending. */

static void close_one(struct custom *custom, const char *why)
{
    struct input *input = custom->input;

    if (!input)
        return;
    custom->input = NULL;
    custom->streams->engine->custom_fds--;
    engine_input_end(input, why);
    tell_end(custom);
}

/* The slot has no streams yet. */
static int make_streams(struct slot *slot)
{
    struct colony_engine *engine = slot->entry->engine;
    struct custom_streams *streams = calloc(1, sizeof *streams);

    if (!streams || colony_timers_add(engine->timers) < 0) {
        free(streams);
        return -ENOMEM;
    }
    streams->engine = engine;
    for (size_t i = 0; i < COLONY_STREAMS_CUSTOM; i++)
        streams->items[i].streams = streams;
    slot->custom = streams;
    return 0;
}

int engine_custom_take(struct slot *slot, uint32_t number, int fd)
{
    struct colony_engine *engine = slot->entry->engine;
    int rc = slot->custom ? 0 : make_streams(slot);
    struct custom *custom;

    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    custom = &slot->custom->items[number];
    close_one(custom, "it has ended");
    rc = engine_input_open(&custom->input, engine, fd);
    if (rc < 0)
        return rc;
    custom->has_ended = false;
    engine->custom_fds++;
    if (!slot->adopted_state)
        return engine_input_read(custom->input, on_readable, custom);
    colony_timer_start(engine->timers, &slot->custom->timer, on_waited, COME_AGAIN_MS);
    return 0;
}

void engine_custom_close(struct slot *slot, const char *why)
{
    if (!slot->custom)
        return;
    colony_timer_stop(slot->custom->engine->timers, &slot->custom->timer);
    for (size_t i = 0; i < COLONY_STREAMS_CUSTOM; i++) {
        struct custom *custom = &slot->custom->items[i];

        if (custom->input)
            read_last(custom);
        close_one(custom, why);
    }
}

void engine_custom_free(struct slot *slot)
{
    if (!slot->custom)
        return;
    colony_timers_remove(slot->custom->engine->timers);
    free(slot->custom);
    slot->custom = NULL;
}

void engine_custom_each_fd(const struct slot *slot, void (*cb)(int fd, void *data), void *data)
{
    for (size_t i = 0; slot->custom && i < COLONY_STREAMS_CUSTOM; i++)
        engine_input_each_fd(slot->custom->items[i].input, cb, data);
}

/* By label. */

/* -1: there is none; so too while a process of other settings is being replaced. */
static int find_number(const struct slot *slot, const char *label)
{
    const struct colony_template *template = slot->entry->template;

    if (slot->process_hash != template->process_hash || !template->custom_streams)
        return -1;
    for (int i = 0; template->custom_streams[i]; i++)
        if (strcmp(template->custom_streams[i], label) == 0)
            return i;
    return -1;
}

bool engine_custom_has(const struct slot *slot, const char *label)
{
    return find_number(slot, label) >= 0;
}

int engine_custom_input(const struct slot *slot, const char *label, struct input **out)
{
    int number = find_number(slot, label);

    if (number < 0)
        return -EINVAL;
    *out = slot->custom ? slot->custom->items[number].input : NULL;
    return 0;
}

int engine_custom_follow(struct slot *slot, const char *label,
                         const struct engine_custom_wish *wish, struct custom_tap **out)
{
    int number = find_number(slot, label);
    struct custom *custom;
    struct custom_tap *tap;

    if (number < 0)
        return -EINVAL;
    custom = slot->custom ? &slot->custom->items[number] : NULL;
    if (!custom || !custom->input || custom->has_ended)
        return -ESRCH;
    tap = malloc(sizeof *tap);
    if (!tap)
        return -ENOMEM;
    *tap = (struct custom_tap){custom->taps, custom, wish->cb, wish->data};
    custom->taps = tap;
    *out = tap;
    return engine_input_read(custom->input, on_readable, custom); /* where it waited for this */
}

void engine_custom_unfollow(struct custom_tap *tap)
{
    if (!tap)
        return;
    tap->cb = NULL;
    if (!tap->custom->is_telling)
        sweep(tap->custom);
}

bool engine_custom_is_held(const struct slot *slot)
{
    for (size_t i = 0; slot->custom && i < COLONY_STREAMS_CUSTOM; i++)
        if (slot->custom->items[i].input)
            return true;
    return false;
}

uint64_t engine_custom_unread(const struct slot *slot)
{
    return slot->custom ? slot->custom->unread_bytes : 0;
}
