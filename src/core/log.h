/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - colony's own log: one line an event, on descriptor 2 once colony_log_init was called.
 *
 * Whoever starts colony puts its log file there. In a program that embeds colony nothing is
 * written: the program is told, if it asked for it. libc only; any thread; never fails. Where
 * colony_log_never_wait was called, never blocks for a reader that has stopped.
 */
#ifndef COLONY_CORE_LOG_H
#define COLONY_CORE_LOG_H

#include <stddef.h>

enum colony_log_severity {
    SEVERITY_ERROR,
    SEVERITY_WARNING,
    SEVERITY_INFO,
    SEVERITY_DEBUG,
};

enum colony_log_style {
    LOG_STYLE_TEXT,    /* 2026-11-22 12:54:16.123 info    engine: text */
    LOG_STYLE_JSON,    /* {"time": …, "level": …, "part": …, "message": …} */
    LOG_STYLE_CLASSIC, /* columns: time 24, thread 24, name 32, level 12, text */
    LOG_STYLE_PIPE,    /* a digit, the severity, and the text: for a program that reads it */
};

/* @part ("keeper", "engine") is kept, not copied. Lines above @level are left out. */
void colony_log_init(const char *part, enum colony_log_severity level, enum colony_log_style style);

/*
 * From now on a pipe, terminal or socket that is full holds up nobody: lines wait in 64 KiB, and
 * how many more there were is told once it goes on. Descriptor 2 may become another open file of
 * the same, which does not block. At exit as by colony_log_finish.
 */
void colony_log_never_wait(void);
/* Waits until all is written, a second at most: before an exec or _exit. */
void colony_log_finish(void);

/* Instead of writing: @sink has each event of any level, on the thread where it happens. NULL: no
 * more. Not while anything of colony runs. */
typedef void (*colony_log_sink)(enum colony_log_severity severity, const char *message, void *data);
void colony_log_set_sink(colony_log_sink sink, void *data);

/* What the style of columns calls this colony; kept, not copied. */
void colony_log_set_name(const char *name);

void colony_log(enum colony_log_severity severity, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Keeps the lines of the calling thread back until colony_log_flush, so that many are one write and
 * none is in the way of what is urgent. One thread of a process at most.
 */
void colony_log_hold(void);
/* Writes what is held back so far, before something after which nobody could tell it again. */
void colony_log_write_held(void);
/* Writes what is held back, and holds no more. */
void colony_log_flush(void);

/* From now on what the calling thread logs goes to @cb instead, at any level; NULL: no more. */
void colony_log_divert(colony_log_sink cb, void *data);

/* One line in the style of columns, '?' for control bytes and what is no UTF-8: its size without
 * the NUL. */
size_t colony_log_format_columns(char *line, size_t size, const char *const columns[2],
                                 enum colony_log_severity severity, const char *message);

/* Passes on what another process of ours has written in LOG_STYLE_PIPE. */
void colony_log_pass_on(const char *line);

/* "info" → SEVERITY_INFO; -EINVAL. */
int colony_log_parse_level(const char *text);

#endif
