/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_screen.c - `12:00:01 web.1  | line`. What stdout does not take at once waits here, so that a
 * terminal that was halted keeps nobody from pressing Ctrl-C.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app_start_internal.h"
#include "columns.h"

enum {
    FULL_BYTES = 64 * 1024, /* no more is read then */
    OUT_MAX = 64 * 1024 * 1024,
    WRITE_BYTES = 4096, /* PIPE_BUF: a pipe that poll() calls writable takes them at once */
    SAY_MAX = 1024,
};

static const char *const colours[] = {"36", "33", "32", "35", "31", "34",
                                      "96", "93", "92", "95", "91", "94"};

enum {
    COLOURS = sizeof colours / sizeof colours[0],
};

void colony__app_screen_init(struct app_screen *screen, size_t width)
{
    *screen = (struct app_screen){.width = width, .has_colour = colony_columns_wants_colour()};
}

int colony__app_screen_line(struct app_screen *screen, const char *label, int colour,
                            const char *text, size_t size)
{
    const char *sgr = colour < 0 ? "1" : colours[colour % COLOURS];
    char prefix[APP_LABEL_MAX + 128];
    char stamp[16];
    time_t now = time(NULL);
    struct tm local;
    int used;
    int rc;

    if (screen->is_gone)
        return 0;
    (void)localtime_r(&now, &local);
    (void)strftime(stamp, sizeof stamp, "%H:%M:%S", &local);
    if (screen->has_colour)
        used = snprintf(prefix, sizeof prefix, "\x1b[%sm%s %-*s |\x1b[0m ", sgr, stamp,
                        (int)screen->width, label);
    else
        used = snprintf(prefix, sizeof prefix, "%s %-*s | ", stamp, (int)screen->width, label);
    rc = colony__buffer_append(&screen->out, prefix, (size_t)used, OUT_MAX);
    if (rc == 0)
        rc = colony__buffer_append(&screen->out, text, size, OUT_MAX);
    return rc < 0 ? rc : colony__buffer_append(&screen->out, "\n", 1, OUT_MAX);
}

int colony__app_screen_say(struct app_screen *screen, const char *label, int colour,
                           const char *format, ...)
{
    char text[SAY_MAX];
    char clean[SAY_MAX];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    (void)colony_columns_clean(clean, sizeof clean, text, 0);
    return colony__app_screen_line(screen, label, colour, clean, strlen(clean));
}

bool colony__app_screen_is_full(const struct app_screen *screen)
{
    return screen->out.size >= FULL_BYTES;
}

void colony__app_screen_write(struct app_screen *screen)
{
    struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};

    while (screen->out.size > 0 && !screen->is_gone) {
        size_t size = screen->out.size < WRITE_BYTES ? screen->out.size : WRITE_BYTES;
        ssize_t count;

        if (poll(&wait, 1, 0) <= 0)
            return;
        count = write(STDOUT_FILENO, screen->out.data, size);
        if (count > 0)
            colony__buffer_consume(&screen->out, (size_t)count);
        else if (count < 0 && errno == EAGAIN)
            return;
        else if (count < 0 && errno != EINTR)
            screen->is_gone = true;
    }
    if (screen->is_gone)
        colony__buffer_reset(&screen->out);
}

void colony__app_screen_clear(struct app_screen *screen)
{
    colony__buffer_clear(&screen->out);
}
