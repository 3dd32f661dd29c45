/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "core/log_out_internal.h"
#include "core/utf8.h"

enum {
    LINE_MAX_BYTES = 2048,
    STAMP_SIZE = 32,
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char *const classic_names[] = {"ERROR", "WARNING", "INFO", "DEBUG"};

static struct {
    const char *part;
    enum colony_log_severity level;
    enum colony_log_style style;
    const char *name;
    bool is_written; /* on descriptor 2 */
    colony_log_sink sink;
    void *sink_data;
} logger = {"colony", SEVERITY_INFO, LOG_STYLE_TEXT, "colony", false, NULL, NULL};

static _Thread_local struct {
    colony_log_sink cb;
    void *data;
} diverted;

static _Thread_local bool is_holding;
static struct {
    char text[8192]; /* above the longest line */
    size_t size;
} held; /* of the one thread that holds */

void colony_log_init(const char *part, enum colony_log_severity level, enum colony_log_style style)
{
    logger.part = part;
    logger.level = level;
    logger.style = style;
    logger.is_written = true;
}

void colony_log_set_sink(colony_log_sink sink, void *data)
{
    logger.sink = sink;
    logger.sink_data = data;
}

void colony_log_set_name(const char *name)
{
    logger.name = name;
}

int colony_log_parse_level(const char *text)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcasecmp(text, level_names[i]) == 0)
            return (int)i;
    return -EINVAL;
}

/* Quotes @text for JSON, cutting it where @out is full. A line holds no control bytes raw. */
static void quote_json(char *out, size_t size, const char *text)
{
    size_t used = 0;

    for (; *text != '\0' && used + 7 < size; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\') {
            out[used++] = '\\';
            out[used++] = (char)byte;
        } else if (byte < 0x20) {
            used += (size_t)snprintf(out + used, size - used, "\\u%04x", byte);
        } else {
            out[used++] = (char)byte;
        }
    }
    out[used] = '\0';
}

static void make_line(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    colony_utf8_repair(text, size);
}

/* On the clocks of people here; for programs as the history has it, to which they add a `Z`. */
static struct timespec stamp_now(char stamp[STAMP_SIZE], bool is_for_programs)
{
    struct timespec now = {0};
    struct tm local = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)(is_for_programs ? gmtime_r(&now.tv_sec, &local) : localtime_r(&now.tv_sec, &local));
    (void)strftime(stamp, STAMP_SIZE, is_for_programs ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S",
                   &local);
    return now;
}

/* As a daemon that logged by threads had it: the engine is its main one. */
static const char *thread_name(void)
{
    return strcmp(logger.part, "keeper") == 0 ? "Keeper" : "MainThread";
}

size_t colony_log_format_columns(char *line, size_t size, const char *const columns[2],
                                 enum colony_log_severity severity, const char *message)
{
    char stamp[STAMP_SIZE];
    struct timespec now = stamp_now(stamp, false);
    int length;

    length = snprintf(line, size - 1, "%s,%03ld %-24s%-32s%-12s%s", stamp, now.tv_nsec / 1000000,
                      columns[0], columns[1], classic_names[severity], message);
    if (length < 0)
        return 0;
    if ((size_t)length > size - 2)
        length = (int)size - 2;
    make_line(line, (size_t)length);
    line[length++] = '\n';
    line[length] = '\0';
    return (size_t)length;
}

static int format_line(char *line, size_t size, enum colony_log_severity severity, char *message)
{
    const char *const columns[] = {thread_name(), logger.name};
    char stamp[STAMP_SIZE];
    char quoted[LINE_MAX_BYTES];
    struct timespec now = stamp_now(stamp, logger.style == LOG_STYLE_JSON);

    if (logger.style == LOG_STYLE_JSON) {
        colony_utf8_repair(message, strlen(message));
        quote_json(quoted, sizeof quoted, message);
        return snprintf(line, size,
                        "{\"time\": \"%s.%03ldZ\", \"level\": \"%s\", \"part\": \"%s\", "
                        "\"message\": \"%s\"}\n",
                        stamp, now.tv_nsec / 1000000, level_names[severity], logger.part, quoted);
    }
    if (logger.style == LOG_STYLE_CLASSIC)
        return (int)colony_log_format_columns(line, size, columns, severity, message);
    make_line(message, strlen(message));
    if (logger.style == LOG_STYLE_PIPE)
        return snprintf(line, size, "%d%s\n", (int)severity, message);
    return snprintf(line, size, "%s.%03ld %-7s %s: %s\n", stamp, now.tv_nsec / 1000000,
                    level_names[severity], logger.part, message);
}

static void keep(const char *line, size_t size)
{
    if (held.size + size > sizeof held.text) {
        colony__log_out(held.text, held.size);
        held.size = 0;
    }
    memcpy(held.text + held.size, line, size);
    held.size += size;
}

/* A program that embeds engines, each in a thread of its own, writes its lines itself. */
void colony_log_hold(void)
{
    is_holding = logger.is_written;
}

void colony_log_write_held(void)
{
    if (!is_holding)
        return;
    if (held.size > 0)
        colony__log_out(held.text, held.size);
    held.size = 0;
}

void colony_log_flush(void)
{
    colony_log_write_held();
    is_holding = false;
}

void colony_log_divert(colony_log_sink cb, void *data)
{
    diverted.cb = cb;
    diverted.data = data;
}

/* Its size, cut where @line is full. */
static size_t make_whole_line(char *line, size_t size, enum colony_log_severity severity,
                              char *message)
{
    int length = format_line(line, size, severity, message);

    if (length <= 0)
        return 0;
    return (size_t)length < size ? (size_t)length : size - 1;
}

static size_t tell_lost(char *line, size_t size, uint64_t lost)
{
    char message[64];

    (void)snprintf(message, sizeof message, "%" PRIu64 " lines of this log were lost", lost);
    return make_whole_line(line, size, SEVERITY_WARNING, message);
}

void colony_log_never_wait(void)
{
    colony__log_out_never_wait(tell_lost);
    (void)atexit(colony_log_finish);
}

void colony_log_finish(void)
{
    colony_log_write_held();
    colony__log_out_finish();
}

static void write_line(enum colony_log_severity severity, char *message)
{
    char line[LINE_MAX_BYTES + 256];
    size_t count = make_whole_line(line, sizeof line, severity, message);

    if (count == 0)
        return;
    if (is_holding)
        keep(line, count);
    else
        colony__log_out(line, count);
}

void colony_log(enum colony_log_severity severity, const char *format, ...)
{
    char message[LINE_MAX_BYTES / 2];
    int saved = errno;
    va_list args;
    int length;

    if (!diverted.cb && !logger.sink && (!logger.is_written || severity > logger.level))
        return;
    va_start(args, format);
    length = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (length >= 0 && diverted.cb)
        diverted.cb(severity, message, diverted.data);
    else if (length >= 0 && logger.sink)
        logger.sink(severity, message, logger.sink_data);
    else if (length >= 0)
        write_line(severity, message);
    errno = saved;
}

void colony_log_pass_on(const char *line)
{
    int severity = line[0] - '0';

    if (severity >= SEVERITY_ERROR && severity <= SEVERITY_DEBUG)
        colony_log((enum colony_log_severity)severity, "%s", line + 1);
}
