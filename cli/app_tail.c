/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_tail.c - what processes wrote, from their logs: these have every byte, also those of the last
 * moment, and who reads slowly lags behind in them.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "app_start_internal.h"
#include "core/error.h"

enum {
    BLOCK_BYTES = 16384,
    LINE_MAX_BYTES = 32768, /* longer ones are shown in parts */
    OLD_FILES = 5,          /* that a log is rotated into */
    EVENTS_BYTES = 4096,
    NOTES_MAX = 65536,
    /* An end may be told before all that was written is in the log: it is when no more comes. */
    LAST_WORDS_MS = 200,
    LAST_WORDS_MAX_MS = 2000, /* of somebody it left behind, who never stops */
};

void colony__app_tails_init(struct app_tails *tails)
{
    *tails = (struct app_tails){.inotify = -1};
}

int colony__app_tails_open(struct app_tails *tails, const char *folder, struct colony_error *err)
{
    (void)snprintf(tails->folder, sizeof tails->folder, "%s", folder);
    tails->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (tails->inotify < 0 ||
        inotify_add_watch(tails->inotify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
        return colony_fail_os(err, -errno, "cannot watch %s", folder);
    return 0;
}

/* @label is NAME.SLOT, as a log's file is called. */
static struct app_tail *add(struct app_tails *tails, const char *label, int colour)
{
    char path[PATH_MAX + APP_LABEL_MAX];
    struct app_tail *grown = realloc(tails->items, (tails->count + 1) * sizeof *grown);
    struct app_tail *tail;

    if (!grown)
        return NULL;
    tails->items = grown;
    tail = &grown[tails->count];
    *tail = (struct app_tail){.colour = colour, .is_dirty = true, .is_held = true};
    (void)snprintf(tail->label, sizeof tail->label, "%s", label);
    (void)snprintf(path, sizeof path, "%s/%s.log", tails->folder, label);
    if (colony__logfile_init(&tail->file, path, OLD_FILES) < 0)
        return NULL;
    tails->count++;
    return tail;
}

struct app_tail *colony__app_tails_get(struct app_tails *tails, const char *name, unsigned slot,
                                       int colour)
{
    char label[APP_LABEL_MAX];

    (void)snprintf(label, sizeof label, "%s.%u", name, slot);
    for (size_t i = 0; i < tails->count; i++)
        if (strcmp(tails->items[i].label, label) == 0)
            return &tails->items[i];
    return add(tails, label, colour);
}

/* NAME.SLOT.log, or what it was renamed to. */
static bool is_of(const struct app_tail *tail, const char *file)
{
    size_t length = strlen(tail->label);

    return strncmp(file, tail->label, length) == 0 && strncmp(file + length, ".log", 4) == 0;
}

static void mark(struct app_tails *tails, const struct inotify_event *event)
{
    bool is_all = (event->mask & IN_Q_OVERFLOW) || event->len == 0;

    for (size_t i = 0; i < tails->count; i++)
        if (is_all || is_of(&tails->items[i], event->name))
            tails->items[i].is_dirty = true;
}

void colony__app_tails_notice(struct app_tails *tails)
{
    _Alignas(struct inotify_event) char buffer[EVENTS_BYTES];
    ssize_t size;

    while ((size = read(tails->inotify, buffer, sizeof buffer)) > 0) {
        const char *at = buffer;

        while (at < buffer + size) {
            const struct inotify_event *event = (const void *)at;

            mark(tails, event);
            at += sizeof *event + event->len;
        }
    }
}

/* What waits in @tail as a line. */
static int end_line(struct app_tail *tail, struct app_screen *screen)
{
    size_t size = tail->carry.size;
    int rc;

    if (size > 0 && tail->carry.data[size - 1] == '\r')
        size--;
    rc = colony__app_screen_line(screen, tail->label, tail->colour, tail->carry.data, size);
    colony__buffer_reset(&tail->carry);
    return rc;
}

static int take(struct app_tail *tail, struct app_screen *screen, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    int rc = 0;

    while (bytes < end && rc == 0) {
        const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
        const char *stop = newline ? newline : end;
        size_t room = LINE_MAX_BYTES - tail->carry.size;
        bool is_long = (size_t)(stop - bytes) > room;

        if (is_long)
            stop = bytes + room;
        rc = colony__buffer_append(&tail->carry, bytes, (size_t)(stop - bytes), LINE_MAX_BYTES);
        if (rc == 0 && (newline || is_long))
            rc = end_line(tail, screen);
        bytes = stop + (newline && !is_long);
    }
    return rc;
}

static int tell_gap(struct app_tail *tail, struct app_screen *screen)
{
    tail->file.has_gap = false;
    return colony__app_screen_say(screen, tail->label, tail->colour,
                                  "[colony: lines are missing here: they came faster than they "
                                  "could be shown]");
}

/* More has come of what it wrote before its end. */
static void put_off(struct app_tail *tail)
{
    uint64_t due_ms = colony_target_now_ms() + LAST_WORDS_MS;

    tail->due_ms = due_ms < tail->latest_ms ? due_ms : tail->latest_ms;
}

/* With @is_end also the last line, if nothing ended it. */
static int show(struct app_tail *tail, struct app_screen *screen, bool is_end)
{
    char block[BLOCK_BYTES];
    ssize_t got = 1;
    int rc = 0;

    if (tail->file.fd < 0) /* from its first byte on, wherever that is by now */
        rc = colony__logfile_seek(&tail->file, COLONY__LINES_ALL);
    tail->file.has_end = false;
    while (rc == 0 && got > 0 && !colony__app_screen_is_full(screen)) {
        got = colony__logfile_read(&tail->file, block, sizeof block);
        if (got < 0)
            return (int)got;
        if (tail->file.has_gap)
            rc = tell_gap(tail, screen);
        if (rc == 0)
            rc = take(tail, screen, block, (size_t)got);
        if (got > 0)
            put_off(tail);
    }
    tail->is_dirty = got > 0;
    if (rc == 0 && is_end && !tail->is_dirty && tail->carry.size > 0)
        rc = end_line(tail, screen);
    return rc;
}

/* What it wrote, and then what became of it. */
static int show_end(struct app_tail *tail, struct app_screen *screen)
{
    int rc = show(tail, screen, true);
    const char *at = tail->notes.data;
    const char *end = at + tail->notes.size;

    while (rc == 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        rc = colony__app_screen_say(screen, tail->label, tail->colour, "%.*s", (int)(newline - at),
                                    at);
        at = newline + 1;
    }
    colony__buffer_reset(&tail->notes);
    return rc;
}

int colony__app_tail_begin(struct app_tail *tail, struct app_screen *screen, double pid)
{
    int rc = tail->is_held ? 0 : show_end(tail, screen);

    tail->is_held = false;
    if (rc < 0)
        return rc;
    return colony__app_screen_say(screen, tail->label, tail->colour, "started with pid %.0f", pid);
}

int colony__app_tail_note(struct app_tail *tail, const char *text)
{
    int rc = colony__buffer_append(&tail->notes, text, strlen(text), NOTES_MAX);

    tail->is_held = false;
    tail->latest_ms = colony_target_now_ms() + LAST_WORDS_MAX_MS;
    put_off(tail);
    return rc < 0 ? rc : colony__buffer_append(&tail->notes, "\n", 1, NOTES_MAX);
}

int colony__app_tails_wait_ms(const struct app_tails *tails)
{
    uint64_t now = colony_target_now_ms();
    int wait_ms = -1;

    for (size_t i = 0; i < tails->count; i++) {
        const struct app_tail *tail = &tails->items[i];
        int left_ms = tail->due_ms > now ? (int)(tail->due_ms - now) : 0;

        if (tail->notes.size > 0 && (wait_ms < 0 || left_ms < wait_ms))
            wait_ms = left_ms;
    }
    return wait_ms;
}

static int show_one(struct app_tail *tail, struct app_screen *screen, bool is_end)
{
    int rc = 0;

    if (colony__app_screen_is_full(screen) || (tail->is_held && !is_end))
        return 0;
    if (is_end)
        return show_end(tail, screen);
    if (tail->is_dirty)
        rc = show(tail, screen, false); /* which may put the end off */
    if (rc == 0 && tail->notes.size > 0 && tail->due_ms <= colony_target_now_ms())
        rc = show_end(tail, screen);
    return rc;
}

int colony__app_tails_show(struct app_tails *tails, struct app_screen *screen, bool is_end)
{
    bool is_left = false;
    int rc = 0;

    for (size_t i = 0; i < tails->count && rc == 0; i++) {
        const struct app_tail *tail = &tails->items[i];

        rc = show_one(&tails->items[i], screen, is_end);
        is_left = is_left || (is_end ? tail->is_dirty || tail->notes.size > 0
                                     : tail->is_dirty && !tail->is_held);
    }
    return rc < 0 ? rc : is_left;
}

void colony__app_tails_clear(struct app_tails *tails)
{
    for (size_t i = 0; i < tails->count; i++) {
        colony__logfile_clear(&tails->items[i].file);
        colony__buffer_clear(&tails->items[i].carry);
        colony__buffer_clear(&tails->items[i].notes);
    }
    free(tails->items);
    if (tails->inotify >= 0)
        (void)close(tails->inotify);
    colony__app_tails_init(tails);
}
