/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready_internal.h - one object that finds out whether a process is ready, as its parts see it:
 * ready.c (the object, descriptors, commands, delays), ready_notify.c (the notify socket),
 * ready_message.c (what stands in a datagram), ready_line.c (output), ready_tcp.c, ready_http.c.
 */
#ifndef COLONY_CORE_READY_INTERNAL_H
#define COLONY_CORE_READY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "core/ready.h"

enum {
    COLONY__NOTIFY_BYTES_MAX = 4096, /* of a datagram; systemd's PIPE_BUF */
    COLONY__NOTIFY_STATUS_MAX = 256, /* bytes of a STATUS, without the NUL */
    COLONY__HOST_MAX = 255,          /* of a name, RFC 1035, without the NUL */
    COLONY__READY_TEXT_MAX = 512,
};

struct colony__ready_line;
struct colony__ready_tcp;

/* A descriptor that is polled; -1: there is none, and then @poll is not initialised. */
struct colony__ready_source {
    uv_poll_t poll;
    int fd;
};

struct colony_ready {
    struct uv_loop_s *loop;
    const struct colony_template *template;
    struct colony_ready_runner runner;
    colony_ready_cb cb;
    void *data;

    uv_timer_t timer; /* the kind's: its delay, the end of a try or the time of the next one */
    struct colony__ready_source notify;
    struct colony__ready_source pipe;
    bool is_expected; /* what was left by an earlier process is thrown away */
    bool is_begun;
    bool is_ready;
    bool is_checking; /* a command of READY_EXEC runs */
    uint64_t round;   /* one more with each begin and end: what began before it is not told */
    uid_t uid;
    uint64_t ignored; /* datagrams, since that was told last */
    uint64_t ignored_told_ms;

    char **argv;                     /* READY_EXEC */
    struct colony__ready_line *line; /* READY_LINE */
    struct colony__ready_tcp *tcp;   /* READY_TCP */
    struct colony_http_job *job;     /* READY_HTTP; NULL: none is under way */

    unsigned open; /* handles and requests that must be closed before it is freed */
    colony_ready_close_cb close_cb; /* of colony_ready_close */
    void *close_data;
};

/* ready.c */

/* What is told may end, close or begin it anew: look at @round before going on. */
void colony__ready_tell(struct colony_ready *ready, enum colony_ready_news news, const char *text,
                        uint64_t ms);
/* Stops looking and tells that it is ready; the first time only. */
void colony__ready_set(struct colony_ready *ready);
/* A try failed: tells it, and calls @again after the interval. */
void colony__ready_tried(struct colony_ready *ready, const char *text, uv_timer_cb again);
/* One of what is counted in @open is closed. */
void colony__ready_release(struct colony_ready *ready);

/* ready_notify.c */

int colony__ready_listen(struct colony_ready *ready);
/* Throws away what waits in the socket. */
void colony__ready_drain_notify(struct colony_ready *ready);

/* ready_message.c: what a datagram of sd_notify(3) says. */

struct colony__notify {
    bool is_ready;
    bool is_alive;   /* WATCHDOG=1 */
    bool is_trigger; /* WATCHDOG=trigger */
    bool has_status;
    bool has_extend;
    uint64_t extend_ms; /* rounded up */
    char status[COLONY__NOTIFY_STATUS_MAX + 1];
};

/*
 * Reads @bytes. Unknown fields and values are passed over; of two the last counts. What stands in
 * STATUS is made UTF-8 without control characters and cut at a character. Pure.
 *
 * -EINVAL: there is a NUL before the end, which no text has; @out is then as it was.
 */
int colony__notify_parse(struct colony__notify *out, const char *bytes, size_t size);

/* The kinds: _init reads the template's text and _free undoes that, _begin looks and _end stops. */

int colony__ready_line_init(struct colony_ready *ready);
int colony__ready_line_take_log(struct colony_ready *ready, struct colony_log *log);
bool colony__ready_line_has_log(const struct colony_ready *ready);
int colony__ready_line_begin(struct colony_ready *ready);
void colony__ready_line_end(struct colony_ready *ready);
void colony__ready_line_free(struct colony__ready_line *line);

int colony__ready_tcp_init(struct colony_ready *ready);
int colony__ready_tcp_begin(struct colony_ready *ready);
void colony__ready_tcp_end(struct colony_ready *ready);
void colony__ready_tcp_free(struct colony__ready_tcp *tcp);

int colony__ready_http_init(struct colony_ready *ready);
int colony__ready_http_begin(struct colony_ready *ready);
void colony__ready_http_end(struct colony_ready *ready);

/* "HOST:PORT" or "[V6]:PORT". -EINVAL: it is neither. */
struct colony__ready_address {
    char host[COLONY__HOST_MAX + 1];
    char port[6];
};
int colony__ready_split_address(struct colony__ready_address *out, const char *text);

#endif
