/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl_attach.c - `colony ctl attach`: what is typed goes to the stdin of one process, and what it
 * prints is shown until it ends.
 *
 * Three questions at once: its log, as it grows; the events of its end; and one body after the
 * other for its stdin. The first two go on over the end of an engine.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "ctl_internal.h"
#include "event_source.h"
#include "exchange.h"
#include "followed.h"
#include "log_reader.h"
#include "terminal.h"

enum {
    INPUT_MAX = 65536, /* read from our stdin at once */
    QUIET_MS = 300,    /* without output: after its end nothing more will come */
    LINGER_MS = 1000,  /* the same after the end of what was to be written */
    BUSY_MS = 200,     /* before it is tried again when too much waits in colony */
    FOREVER_MS = 3600000,
};

struct attach {
    const struct ctl *ctl;
    struct ctl_slot_view view; /* of the slot, as it was at first */
    const char *name;
    char id[CTL_NUMBER_MAX]; /* of the process */

    struct colony_followed log;
    struct colony_log_reader reader;
    char log_path[CTL_PATH_MAX];
    char log_again[CTL_PATH_MAX + COLONY_LOG_QUERY_MAX];

    struct colony_followed exits;
    struct colony_event_source source;
    char exits_path[CTL_PATH_MAX];

    struct colony_exchange *writing; /* NULL: nothing is being written */
    struct colony_request body;
    char input_path[CTL_PATH_MAX];
    char input[INPUT_MAX];
    size_t input_size; /* that was read and is not known to be written */
    char ahead[INPUT_MAX];
    size_t ahead_size; /* that was typed meanwhile: ctrl-] leaves at any time */
    bool is_lost;      /* some was typed that there was no room for */
    uint64_t write_at_ms;
    bool input_is_over;

    struct colony_terminal terminal;
    uint64_t end_ms; /* 0: not yet; else when it is over if nothing more is printed */
    uint64_t quiet_ms;
    bool is_left;
    int exit_code;
};

/* --- what it prints --------------------------------------------------------------------------- */

static int on_piece(const char *bytes, size_t size, void *data)
{
    struct attach *attach = data;

    if (attach->end_ms > 0)
        attach->end_ms = colony_target_now_ms() + attach->quiet_ms;
    return colony__ctl_write_output(bytes, size, NULL);
}

static int on_log(const char *bytes, size_t size, void *data)
{
    struct attach *attach = data;

    return colony_log_reader_feed(&attach->reader, bytes, size);
}

static void on_log_again(void *data)
{
    struct attach *attach = data;
    char from[COLONY_LOG_QUERY_MAX];

    colony_log_reader_restart(&attach->reader, from, sizeof from);
    (void)snprintf(attach->log_again, sizeof attach->log_again, "%s%s", attach->log_path, from);
}

/* --- its end ---------------------------------------------------------------------------------- */

/* Nothing more can be written. */
static void close_input(struct attach *attach)
{
    attach->input_is_over = true;
    attach->input_size = 0;
    attach->ahead_size = 0;
}

static void begin_end(struct attach *attach, uint64_t quiet_ms)
{
    attach->quiet_ms = quiet_ms;
    attach->end_ms = colony_target_now_ms() + quiet_ms;
    attach->input_is_over = true;
}

static int on_exit_event(const char *kind, const char *text, void *data)
{
    struct attach *attach = data;
    struct cJSON *event = cJSON_Parse(text);
    char id[CTL_NUMBER_MAX];
    char what[CTL_NOTE_MAX];

    (void)kind;
    (void)snprintf(id, sizeof id, "%.0f", colony__ctl_number(event, "pid"));
    if (event && strcmp(id, attach->id) == 0) {
        colony__ctl_describe_event(what, event);
        close_input(attach);
        begin_end(attach, QUIET_MS);
        (void)snprintf(attach->view.note, sizeof attach->view.note, "%s", what);
    }
    cJSON_Delete(event);
    return 0;
}

static int on_exits(const char *bytes, size_t size, void *data)
{
    struct attach *attach = data;

    return colony_event_source_feed(&attach->source, bytes, size);
}

static void on_exits_again(void *data)
{
    struct attach *attach = data;

    colony_event_source_restart(&attach->source);
    attach->exits.request.last_id = attach->source.id[0] != '\0' ? attach->source.id : NULL;
}

/* --- what is typed ---------------------------------------------------------------------------- */

/* The bytes before ctrl-], which leaves; from a terminal only. */
static size_t find_leave(struct attach *attach, const char *bytes, size_t size)
{
    const char *leave = attach->terminal.is_set ? memchr(bytes, COLONY_TERMINAL_LEAVE, size) : NULL;

    if (!leave)
        return size;
    attach->is_left = true;
    return 0; /* a line that was not sent is not sent */
}

/* What was typed while there was something to write. */
static void take_ahead(struct attach *attach, const char *bytes, size_t size)
{
    size_t room = sizeof attach->ahead - attach->ahead_size;
    size_t taken = size < room ? size : room;

    memcpy(attach->ahead + attach->ahead_size, bytes, taken);
    attach->ahead_size += taken;
    if (taken < size && !attach->is_lost)
        (void)colony__ctl_fail(EXIT_OK, "%s.%s does not read: what is typed from here on is lost",
                               attach->name, attach->view.slot);
    attach->is_lost = taken < size;
}

static void read_input(struct attach *attach)
{
    char bytes[INPUT_MAX];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    size_t size;

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count <= 0) {
        begin_end(attach, LINGER_MS); /* once what was read is written */
        return;
    }
    size = find_leave(attach, bytes, (size_t)count);
    if (attach->input_size > 0) {
        take_ahead(attach, bytes, size);
        return;
    }
    memcpy(attach->input, bytes, size);
    attach->input_size = size;
}

/* What was written is over; on with what was typed meanwhile. */
static void end_write(struct attach *attach)
{
    memcpy(attach->input, attach->ahead, attach->ahead_size);
    attach->input_size = attach->ahead_size;
    attach->ahead_size = 0;
    if (attach->end_ms > 0 && attach->input_size == 0)
        attach->end_ms = colony_target_now_ms() + attach->quiet_ms;
}

static int begin_write(struct attach *attach)
{
    struct colony_error err = {0};
    int rc;

    attach->body = (struct colony_request){.method = "POST",
                                           .path = attach->input_path,
                                           .body = attach->input,
                                           .body_size = attach->input_size,
                                           .type = "application/octet-stream"};
    rc = colony_exchange_open(&attach->writing, &attach->ctl->target, &attach->body, &err);
    if (rc == 0)
        return 0;
    attach->writing = NULL;
    attach->write_at_ms = colony_target_now_ms() + COLONY_FOLLOWED_AGAIN_MS;
    if (rc == -ECONNREFUSED)
        return 0; /* what follows the log knows when that has lasted too long */
    attach->exit_code = colony__ctl_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
    return rc;
}

/* What the answer to one body means. 0 to go on. */
static int judge_write(struct attach *attach, const struct colony_reply *reply)
{
    const struct ctl_question question = {
        .method = "POST", .path = attach->input_path, .doing = "write to", .name = attach->name};

    if (reply->status == 503) { /* too much waits already */
        attach->write_at_ms = colony_target_now_ms() + BUSY_MS;
        return 0;
    }
    end_write(attach);
    if (reply->status / 100 == 2)
        return 0;
    if (reply->status == 404) { /* it has ended: the event says how */
        close_input(attach);
        return 0;
    }
    if (reply->status == 409) {
        close_input(attach);
        (void)colony__ctl_fail(EXIT_OK, "%s.%s has closed its stdin", attach->name,
                               attach->view.slot);
        if (!attach->terminal.is_set)
            begin_end(attach, LINGER_MS);
        return 0;
    }
    attach->exit_code = colony__ctl_conclude(attach->ctl, &question, 0, reply, NULL);
    return -ECANCELED;
}

static int read_write_reply(struct attach *attach)
{
    struct colony_error err = {0};
    int rc = colony_exchange_read(attach->writing, &err);

    if (rc == 0)
        return 0;
    if (rc == 1) {
        rc = judge_write(attach, colony_exchange_reply(attach->writing));
    } else if (rc == -ECONNRESET) {
        end_write(attach);
        (void)colony__ctl_fail(EXIT_OK, "colony's engine was replaced: what was sent last may not "
                                        "have been read");
        rc = 0;
    } else {
        attach->exit_code =
            colony__ctl_fail((int)colony_error_info(rc)->exit_code, "%s", err.message);
    }
    colony_exchange_close(attach->writing);
    attach->writing = NULL;
    return rc;
}

/* --- all of it -------------------------------------------------------------------------------- */

enum {
    POLL_STDIN,
    POLL_LOG,
    POLL_EXITS,
    POLL_WRITE,
    POLL_STDOUT,
    POLL_COUNT,
};

static int least(int one, int other)
{
    if (one < 0 || other < 0)
        return one < 0 ? other : one;
    return one < other ? one : other;
}

static int until(uint64_t at_ms)
{
    uint64_t now = colony_target_now_ms();

    return at_ms > now ? (int)(at_ms - now) : 0;
}

static bool waits_to_write(const struct attach *attach)
{
    bool is_followed = attach->reader.place_count > 0; /* what comes of it will be seen */

    return attach->input_size > 0 && !attach->writing && is_followed;
}

/* Over once nothing is left to write, and nothing was printed for a while. */
static bool may_end(const struct attach *attach)
{
    return attach->end_ms > 0 && attach->input_size == 0;
}

static int wait_for_all(struct attach *attach, struct pollfd polls[POLL_COUNT])
{
    bool reads = !attach->input_is_over && (attach->input_size == 0 || attach->terminal.is_set);
    int wait_ms =
        least(colony_followed_timeout(&attach->log), colony_followed_timeout(&attach->exits));
    struct timespec span;

    polls[POLL_STDIN] = (struct pollfd){reads ? STDIN_FILENO : -1, POLLIN, 0};
    polls[POLL_LOG] = (struct pollfd){colony_followed_fd(&attach->log), POLLIN, 0};
    polls[POLL_EXITS] = (struct pollfd){colony_followed_fd(&attach->exits), POLLIN, 0};
    polls[POLL_WRITE] =
        (struct pollfd){attach->writing ? colony_exchange_fd(attach->writing) : -1, POLLIN, 0};
    polls[POLL_STDOUT] = (struct pollfd){STDOUT_FILENO, 0, 0};
    if (waits_to_write(attach))
        wait_ms = least(wait_ms, until(attach->write_at_ms));
    if (may_end(attach))
        wait_ms = least(wait_ms, until(attach->end_ms));
    if (wait_ms < 0)
        wait_ms = FOREVER_MS;
    span = (struct timespec){wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};
    return ppoll(polls, POLL_COUNT, &span, &attach->terminal.mask);
}

/* One of the two that are followed. 0 to go on. */
static int step(struct attach *attach, struct colony_followed *followed, bool is_readable)
{
    const struct ctl_question question = {.method = "GET",
                                          .path = followed->request.path,
                                          .doing = "attach to",
                                          .name = attach->name};
    const struct colony_reply *reply;
    struct colony_error err = {0};
    int rc = colony_followed_step(followed, is_readable, &reply, &err);

    if (rc == 0)
        return 0;
    if (rc == 1 && reply->status / 100 == 2) {
        attach->is_left = true; /* its template has gone */
        return 0;
    }
    if (rc == -EPIPE)
        return rc; /* whoever read our output has had enough */
    if (rc == -ENOMEM || rc == -EMSGSIZE)
        (void)colony_fail(&err, rc, "cannot attach to %s: out of memory", attach->name);
    attach->exit_code = colony__ctl_conclude(attach->ctl, &question, rc < 0 ? rc : 0, reply, &err);
    return rc < 0 ? rc : -ECANCELED;
}

static int turn(struct attach *attach)
{
    struct pollfd polls[POLL_COUNT] = {{0}};
    int rc = 0;

    if (wait_for_all(attach, polls) < 0) {
        if (errno != EINTR || colony_terminal_signal() != 0)
            return -EINTR;
        memset(polls, 0, sizeof polls);
    }
    if (polls[POLL_STDOUT].revents & POLLERR)
        return -EPIPE;
    rc = step(attach, &attach->log, polls[POLL_LOG].revents != 0);
    if (rc == 0)
        rc = step(attach, &attach->exits, polls[POLL_EXITS].revents != 0);
    if (rc == 0 && attach->writing && polls[POLL_WRITE].revents != 0)
        rc = read_write_reply(attach);
    if (rc == 0 && polls[POLL_STDIN].revents != 0)
        read_input(attach);
    if (rc == 0 && waits_to_write(attach) && until(attach->write_at_ms) == 0)
        rc = begin_write(attach);
    return rc;
}

static void run(struct attach *attach)
{
    int rc = 0;

    colony_terminal_begin(&attach->terminal, attach->ctl->is_raw);
    while (rc == 0 && !attach->is_left && !(may_end(attach) && until(attach->end_ms) == 0))
        rc = turn(attach);
    colony_terminal_end(&attach->terminal);
}

/* --- which process ---------------------------------------------------------------------------- */

static int fail_not_running(const struct ctl_slot_view *view, const char *name)
{
    return colony__ctl_fail(EXIT_NOT_RUNNING, "cannot attach to %s.%s: it is %s", name, view->slot,
                            view->state);
}

/* The slot @number (NULL: the only one) of @slots, which runs. EXIT_OK, or told. */
static int choose(struct attach *attach, const struct cJSON *slots, const char *number)
{
    const struct cJSON *slot;
    bool is_found = false;

    if (!number && cJSON_GetArraySize(slots) > 1)
        return colony__ctl_fail(EXIT_USAGE,
                                "cannot attach to %s: it has %d slots: say which, as %s.1",
                                attach->name, cJSON_GetArraySize(slots), attach->name);
    cJSON_ArrayForEach(slot, slots)
    {
        colony__ctl_view_slot(&attach->view, slot);
        is_found = !number || strtoul(number, NULL, 10) == strtoul(attach->view.slot, NULL, 10);
        if (is_found)
            break;
    }
    if (!is_found)
        return colony__ctl_fail(EXIT_NO_SUCH_NAME, "cannot attach to %s.%s: it has no such slot",
                                attach->name, number ? number : "1");
    if (strcmp(attach->view.id, "-") == 0)
        return fail_not_running(&attach->view, attach->name);
    (void)snprintf(attach->id, sizeof attach->id, "%s", attach->view.id);
    return EXIT_OK;
}

static int find_process(struct attach *attach, const char *number)
{
    struct cJSON *settings = NULL;
    struct cJSON *slots = NULL;
    int exit_code =
        colony__ctl_get(attach->ctl, "/processes/", "attach to", attach->name, &settings);

    if (exit_code == EXIT_OK && !colony__ctl_is_true(settings, "redirect_input"))
        exit_code = colony__ctl_fail(EXIT_NOT_ALLOWED,
                                     "cannot attach to %s: set redirect_input: true to give it a "
                                     "stdin (`colony ctl logs -f` shows what it prints)",
                                     attach->name);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_get(attach->ctl, "/slots?name=", "attach to", attach->name, &slots);
    if (exit_code == EXIT_OK)
        exit_code = choose(attach, slots, number);
    if (exit_code == EXIT_OK)
        attach->view.name = attach->name; /* not the answer's, which goes */
    cJSON_Delete(settings);
    cJSON_Delete(slots);
    return exit_code;
}

static int write_paths(struct attach *attach)
{
    char after[128];
    int exit_code;

    (void)snprintf(after, sizeof after, "?follow=true&places=true&lines=0&slot=%s",
                   attach->view.slot);
    exit_code = colony__ctl_path(attach->log_path, "/logs/", attach->name, after);
    if (exit_code == EXIT_OK)
        exit_code = colony__ctl_path(attach->exits_path, "/watch/proc/", attach->name,
                                     "/exit?feed=eventsource");
    (void)snprintf(attach->log_again, sizeof attach->log_again, "%s", attach->log_path);
    (void)snprintf(attach->input_path, sizeof attach->input_path, "/streams/%s/stdin", attach->id);
    return exit_code;
}

static void begin(struct attach *attach, const char *last_id)
{
    attach->reader = (struct colony_log_reader){.cb = on_piece, .data = attach};
    attach->source = (struct colony_event_source){.cb = on_exit_event, .data = attach};
    (void)snprintf(attach->source.id, sizeof attach->source.id, "%s", last_id);
    attach->log = (struct colony_followed){
        .target = &attach->ctl->target,
        .request = {.method = "GET", .path = attach->log_again, .on_body = on_log, .data = attach},
        .again = on_log_again,
    };
    attach->exits = (struct colony_followed){
        .target = &attach->ctl->target,
        .request = {.method = "GET",
                    .path = attach->exits_path,
                    .on_body = on_exits,
                    .data = attach},
        .again = on_exits_again,
    };
    on_exits_again(attach);
}

static void attach_free(struct attach *attach)
{
    colony_followed_clear(&attach->log);
    colony_followed_clear(&attach->exits);
    colony_exchange_close(attach->writing);
    colony_log_reader_clear(&attach->reader);
    colony_event_source_clear(&attach->source);
    free(attach);
}

int colony__ctl_attach(struct ctl *ctl, int argc, char **argv)
{
    struct attach *attach = calloc(1, sizeof *attach);
    char last_id[CTL_NUMBER_MAX];
    const char *number;
    int exit_code;

    (void)argc;
    if (!attach)
        return colony__ctl_fail(EXIT_FAILED, "cannot attach: out of memory");
    attach->ctl = ctl;
    attach->name = argv[1];
    exit_code = colony__ctl_split_slot(ctl, argv[1], &number);
    colony__ctl_write_last_id(last_id, ctl); /* before the look: its end is not missed */
    if (exit_code == EXIT_OK)
        exit_code = find_process(attach, number);
    if (exit_code == EXIT_OK)
        exit_code = write_paths(attach);
    if (exit_code == EXIT_OK) {
        begin(attach, last_id);
        attach->view.note[0] = '\0';
        run(attach);
        exit_code = attach->exit_code;
        if (exit_code == EXIT_OK && attach->view.note[0] != '\0')
            (void)colony__ctl_fail(EXIT_OK, "%s.%s %s", attach->name, attach->view.slot,
                                   attach->view.note);
    }
    attach_free(attach);
    return exit_code;
}
