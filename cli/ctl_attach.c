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

#include "attach_internal.h"
#include "core/error.h"

enum {
    QUIET_MS = 300, /* without output: after its end nothing more will come */
    FOREVER_MS = 3600000,
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
        colony__attach_close_input(attach);
        colony__attach_begin_end(attach, QUIET_MS);
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

/* --- all of it -------------------------------------------------------------------------------- */

enum {
    POLL_STDIN,
    POLL_LOG,
    POLL_EXITS,
    POLL_WRITE,
    POLL_STDOUT,
    POLL_COUNT,
};

/* Over once nothing is left to write, and nothing was printed for a while. */
static bool may_end(const struct attach *attach)
{
    return attach->end_ms > 0 && attach->input_size == 0;
}

static int wait_for_all(struct attach *attach, struct pollfd polls[POLL_COUNT])
{
    bool reads = !attach->input_is_over && (attach->input_size == 0 || attach->terminal.is_set);
    int wait_ms = colony_target_least_ms(colony_followed_timeout(&attach->log),
                                         colony_followed_timeout(&attach->exits));
    struct timespec span;

    polls[POLL_STDIN] = (struct pollfd){reads ? STDIN_FILENO : -1, POLLIN, 0};
    polls[POLL_LOG] = (struct pollfd){colony_followed_fd(&attach->log), POLLIN, 0};
    polls[POLL_EXITS] = (struct pollfd){colony_followed_fd(&attach->exits), POLLIN, 0};
    polls[POLL_WRITE] =
        (struct pollfd){attach->writing ? colony_exchange_fd(attach->writing) : -1, POLLIN, 0};
    polls[POLL_STDOUT] = (struct pollfd){STDOUT_FILENO, 0, 0};
    if (colony__attach_waits_to_write(attach))
        wait_ms = colony_target_least_ms(wait_ms, colony_target_until_ms(attach->write_at_ms));
    if (may_end(attach))
        wait_ms = colony_target_least_ms(wait_ms, colony_target_until_ms(attach->end_ms));
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
        rc = colony__attach_read_reply(attach);
    if (rc == 0 && polls[POLL_STDIN].revents != 0)
        colony__attach_read_input(attach);
    if (rc == 0 && colony__attach_waits_to_write(attach) &&
        colony_target_until_ms(attach->write_at_ms) == 0)
        rc = colony__attach_begin_write(attach);
    return rc;
}

static void run(struct attach *attach)
{
    int rc = 0;

    colony_terminal_begin(&attach->terminal, attach->ctl->is_raw);
    while (rc == 0 && !attach->is_left &&
           !(may_end(attach) && colony_target_until_ms(attach->end_ms) == 0))
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
