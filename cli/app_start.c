/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app_start.c - `colony app start`: the application in the foreground, under a colony of its own.
 *
 * That colony does all there is to do for processes; here is only one loop that waits for its
 * events, for output, for signals and for its end.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app_start_internal.h"
#include "core/error.h"
#include "core/exchange.h"

#define COLONY "colony" /* the label of what it says itself */

enum {
    CONNECT_MS = 10, /* from one try to the next until the new colony's socket is there */
};

enum source {
    SOURCE_SIGNAL,
    SOURCE_END,
    SOURCE_SCREEN,
    SOURCE_EVENTS,
    SOURCE_OUTPUT,
    SOURCE_COUNT,
};

/* --- stopping --------------------------------------------------------------------------------- */

void colony__app_start_say(struct app_start *start, const char *text)
{
    (void)colony__app_screen_say(&start->screen, COLONY, -1, "%s", text);
}

/* @how: what does it once more. */
static void stop(struct app_start *start, const char *how)
{
    start->stops++;
    if (start->own.pid == 0)
        return;
    if (start->stops == 1)
        (void)colony__app_screen_say(&start->screen, COLONY, -1, "stops all; %s kills them", how);
    else if (start->stops == 2)
        colony__app_start_say(start, "kills what still runs");
    colony__app_private_stop(&start->own, start->stops);
}

int colony__app_start_fail(struct app_start *start, int exit_code)
{
    if (start->exit_code == EXIT_OK)
        start->exit_code = exit_code;
    if (start->stops == 0)
        stop(start, "Ctrl-C");
    return exit_code;
}

static void take_signal(struct app_start *start)
{
    struct signalfd_siginfo info;

    while (read(start->signals, &info, sizeof info) == (ssize_t)sizeof info)
        stop(start, "Ctrl-C again");
}

/* --- the loop --------------------------------------------------------------------------------- */

static bool has_input(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    return poll(&wait, 1, 0) > 0;
}

/* What it has said by then is all there. */
static void take_end(struct app_start *start)
{
    int exit_code = colony__app_private_end(&start->own);

    start->has_ended = true;
    while (start->watch && has_input(colony_exchange_fd(start->watch)))
        colony__app_events_read(start);
    if (start->exit_code == EXIT_OK)
        start->exit_code = exit_code;
}

static void fill_sources(const struct app_start *start, struct pollfd *sources)
{
    bool is_full = colony__app_screen_is_full(&start->screen);
    bool has_output = start->screen.out.size > 0 && !start->screen.is_gone;

    sources[SOURCE_SIGNAL] = (struct pollfd){.fd = start->signals, .events = POLLIN};
    sources[SOURCE_END] =
        (struct pollfd){.fd = start->has_ended ? -1 : start->own.pidfd, .events = POLLIN};
    /* without events: to hear when nobody reads it any more */
    sources[SOURCE_SCREEN] = (struct pollfd){.fd = start->screen.is_gone ? -1 : STDOUT_FILENO,
                                             .events = has_output ? POLLOUT : 0};
    sources[SOURCE_EVENTS] = (struct pollfd){
        .fd = start->watch && !is_full ? colony_exchange_fd(start->watch) : -1, .events = POLLIN};
    sources[SOURCE_OUTPUT] =
        (struct pollfd){.fd = is_full ? -1 : start->tails.inotify, .events = POLLIN};
}

/* Waits until something happens, or not at all when there is more to show. */
static void turn(struct app_start *start, bool is_left)
{
    struct pollfd sources[SOURCE_COUNT];
    int wait_ms = is_left ? 0 : colony__app_tails_wait_ms(&start->tails);

    if (colony__app_screen_is_full(&start->screen))
        wait_ms = -1; /* until stdout takes some */
    fill_sources(start, sources);
    if (poll(sources, SOURCE_COUNT, wait_ms) < 0)
        return; /* EINTR */
    if (sources[SOURCE_SIGNAL].revents)
        take_signal(start);
    if (sources[SOURCE_OUTPUT].revents)
        colony__app_tails_notice(&start->tails);
    if (sources[SOURCE_EVENTS].revents)
        colony__app_events_read(start);
    if (sources[SOURCE_SCREEN].revents & (POLLERR | POLLNVAL))
        start->screen.is_gone = true;
    if (sources[SOURCE_SCREEN].revents)
        colony__app_screen_write(&start->screen);
    if (sources[SOURCE_END].revents)
        take_end(start);
    if (start->screen.is_gone && start->stops == 0)
        stop(start, "Ctrl-C");
}

static void follow(struct app_start *start)
{
    int rc = 0;

    while (!start->has_ended) {
        turn(start, rc > 0);
        rc = colony__app_tails_show(&start->tails, &start->screen, false);
        if (rc < 0)
            (void)colony__app_start_fail(
                start,
                colony__app_fail(EXIT_FAILED, "cannot show what it writes: %s", strerror(-rc)));
    }
    /* what was written last; who presses Ctrl-C twice does not want to see it */
    while (!start->screen.is_gone && start->stops < 2) {
        rc = colony__app_tails_show(&start->tails, &start->screen, true);
        if (rc < 0 || (rc == 0 && start->screen.out.size == 0))
            break;
        turn(start, rc > 0);
    }
}

/* --- the beginning ---------------------------------------------------------------------------- */

/* The new colony makes its socket as soon as it can; should it end instead, it has told why. */
static int connect_to(struct app_start *start)
{
    struct pollfd sources[SOURCE_COUNT];
    struct colony_error err = {0};

    while (colony__app_events_open(start, &err) < 0) {
        fill_sources(start, sources);
        if (poll(sources, SOURCE_SCREEN, CONNECT_MS) > 0) {
            if (sources[SOURCE_SIGNAL].revents)
                take_signal(start);
            if (sources[SOURCE_END].revents)
                take_end(start);
        }
        if (start->has_ended)
            return start->exit_code == EXIT_OK && start->stops == 0 ? EXIT_FAILED
                                                                    : start->exit_code;
    }
    /* from the head of its answer on it tells of everything */
    while (start->watch && colony_exchange_reply(start->watch)->status == 0 && !start->has_ended &&
           start->stops == 0)
        turn(start, false);
    return EXIT_OK;
}

static int load_type(struct app_start *start, size_t index)
{
    struct cJSON *json =
        colony__app_template(start->app, index, start->app->procfile.types[index].name);
    char warning[APP_WARNING_MAX];
    int exit_code;

    if (colony__app_find_taken_port(start->app, index, warning, sizeof warning))
        colony__app_start_say(start, warning);

    if (start->app->aborts && !cJSON_AddStringToObject(json, "restart", "never")) {
        cJSON_Delete(json);
        json = NULL;
    }
    exit_code = colony__app_send(&start->own.target, json, "start");
    cJSON_Delete(json);
    for (unsigned slot = 1; slot <= start->app->counts[index] && exit_code == EXIT_OK; slot++)
        if (!colony__app_tails_get(&start->tails, start->app->procfile.types[index].name, slot,
                                   (int)index))
            exit_code = colony__app_fail(EXIT_FAILED, "cannot show what it writes: out of memory");
    return exit_code;
}

static bool is_asked_for(const struct app_start *start, const char *type)
{
    bool is_any = start->types[0] == NULL;

    for (const char *const *one = start->types; *one && !is_any; one++)
        is_any = strcmp(*one, type) == 0;
    return is_any;
}

static int load(struct app_start *start)
{
    const struct colony_procfile *procfile = &start->app->procfile;
    char folder[PATH_MAX + 16];
    struct colony_error err = {0};
    int exit_code = EXIT_OK;

    (void)snprintf(folder, sizeof folder, "%s/state/log", start->own.folder);
    if (colony__app_tails_open(&start->tails, folder, &err) < 0)
        exit_code = colony__app_fail(EXIT_FAILED, "%s", err.message);
    for (size_t i = 0; i < procfile->count && exit_code == EXIT_OK; i++)
        if (is_asked_for(start, procfile->types[i].name))
            exit_code = load_type(start, i);
    return exit_code;
}

static int open_signals(struct app_start *start)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        (void)sigaddset(&set, caught[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    start->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (start->signals >= 0)
        return EXIT_OK;
    return colony__app_fail(EXIT_FAILED, "cannot wait for signals: %s", strerror(errno));
}

static void run(struct app_start *start)
{
    struct colony_error err = {0};
    int exit_code;

    if (colony__app_private_start(&start->own, &err) < 0) {
        start->exit_code = colony__app_fail(EXIT_FAILED, "%s", err.message);
        start->has_ended = start->own.pid == 0;
    }
    exit_code = start->has_ended ? start->exit_code : connect_to(start);
    if (exit_code == EXIT_OK && !start->has_ended && start->stops == 0)
        exit_code = load(start);
    if (exit_code != EXIT_OK)
        (void)colony__app_start_fail(start, exit_code);
    follow(start);
    colony_exchange_close(start->watch);
}

/* The longest `TYPE.N`. */
static size_t label_width(const struct app_start *start)
{
    size_t width = strlen(COLONY);

    for (size_t i = 0; i < start->app->procfile.count; i++) {
        const char *name = start->app->procfile.types[i].name;
        int length = snprintf(NULL, 0, "%s.%u", name, start->app->counts[i]);

        if (is_asked_for(start, name) && (size_t)length > width)
            width = (size_t)length;
    }
    return width;
}

int colony__app_start(struct app *app, int argc, char **argv)
{
    struct app_start start = {
        .app = app, .types = (const char *const *)argv + 1, .own = {.lock_fd = -1, .pidfd = -1}};
    int exit_code = colony__app_read(app);

    for (int i = 1; i < argc && exit_code == EXIT_OK; i++)
        if (colony__app_find_or_fail(app, "start", argv[i]) < 0)
            exit_code = EXIT_USAGE;
    if (exit_code == EXIT_OK)
        exit_code = open_signals(&start);
    if (exit_code != EXIT_OK)
        return exit_code;
    colony__app_screen_init(&start.screen, label_width(&start));
    colony__app_tails_init(&start.tails);
    run(&start);
    colony__app_tails_clear(&start.tails);
    colony__app_screen_clear(&start.screen);
    colony__buffer_clear(&start.event);
    colony__app_private_clear(&start.own);
    (void)close(start.signals);
    return start.exit_code;
}
