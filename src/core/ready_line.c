/* SPDX-License-Identifier: Apache-2.0 */
/* ready_line.c - ready when a line of output matches a regular expression. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/logs.h"
#include "core/pattern.h"
#include "core/ready_internal.h"
#include "core/template.h"

enum {
    LINE_BYTES_MAX = 64 << 10, /* what follows in a longer line is not looked at */
};

struct colony__ready_line {
    struct colony_pattern *pattern;
    struct colony_log_tap *tap; /* NULL: output is not looked at */
    bool has_matched;
    size_t used;
    char bytes[LINE_BYTES_MAX]; /* the line that has not ended yet */
};

static void keep(struct colony__ready_line *line, const char *bytes, size_t size)
{
    size_t space = LINE_BYTES_MAX - line->used;

    if (size > space)
        size = space;
    memcpy(line->bytes + line->used, bytes, size);
    line->used += size;
}

/* True when a line of what has come so far matches. */
static bool feed(struct colony__ready_line *line, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    const char *newline;

    while ((newline = memchr(bytes, '\n', (size_t)(end - bytes)))) {
        keep(line, bytes, (size_t)(newline - bytes));
        if (colony_pattern_matches(line->pattern, line->bytes, line->used))
            return true;
        line->used = 0;
        bytes = newline + 1;
    }
    keep(line, bytes, (size_t)(end - bytes));
    return false;
}

static void on_output(const char *bytes, size_t size, void *data)
{
    struct colony_ready *ready = data;
    struct colony__ready_line *line = ready->line;

    if (size == 0) {
        line->tap = NULL; /* the log is closed */
        return;
    }
    if (!feed(line, bytes, size))
        return;
    line->has_matched = true; /* perhaps before the news that the process runs */
    colony_log_untap(line->tap);
    line->tap = NULL;
    if (ready->is_begun)
        colony__ready_set(ready);
}

int colony__ready_line_init(struct colony_ready *ready)
{
    struct colony__ready_line *line = calloc(1, sizeof *line);
    int rc;

    if (!line)
        return -ENOMEM;
    rc = colony_pattern_new(&line->pattern, ready->template->ready->text, NULL);
    if (rc < 0) {
        free(line);
        return rc;
    }
    ready->line = line;
    return 0;
}

void colony__ready_line_free(struct colony__ready_line *line)
{
    if (!line)
        return;
    colony_pattern_free(line->pattern);
    free(line);
}

int colony__ready_line_take_log(struct colony_ready *ready, struct colony_log *log)
{
    colony__ready_line_end(ready);
    return colony_log_tap(log, on_output, ready, &ready->line->tap);
}

bool colony__ready_line_has_log(const struct colony_ready *ready)
{
    return ready->line->tap || ready->line->has_matched;
}

static void on_matched_before(uv_timer_t *timer)
{
    colony__ready_set(timer->data);
}

int colony__ready_line_begin(struct colony_ready *ready)
{
    if (ready->line->has_matched)
        return uv_timer_start(&ready->timer, on_matched_before, 0, 0);
    return ready->line->tap ? 0 : -EINVAL;
}

void colony__ready_line_end(struct colony_ready *ready)
{
    struct colony__ready_line *line = ready->line;

    colony_log_untap(line->tap);
    line->tap = NULL;
    line->used = 0;
    line->has_matched = false;
}
