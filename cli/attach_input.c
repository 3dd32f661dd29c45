/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach_input.c - what is typed goes to the stdin of the process, one body after the other.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach_internal.h"
#include "core/error.h"

enum {
    LINGER_MS = 1000, /* without output after the end of what was to be written */
    BUSY_MS = 200,    /* before it is tried again when too much waits in colony */
};

void colony__attach_close_input(struct attach *attach)
{
    attach->input_is_over = true;
    attach->input_size = 0;
    attach->ahead_size = 0;
}

void colony__attach_begin_end(struct attach *attach, uint64_t quiet_ms)
{
    attach->quiet_ms = quiet_ms;
    attach->end_ms = colony_target_now_ms() + quiet_ms;
    attach->input_is_over = true;
}

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

void colony__attach_read_input(struct attach *attach)
{
    char bytes[ATTACH_INPUT_MAX];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    size_t size;

    if (count < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (count <= 0) {
        colony__attach_begin_end(attach, LINGER_MS); /* once what was read is written */
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

int colony__attach_begin_write(struct attach *attach)
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
        colony__attach_close_input(attach);
        return 0;
    }
    if (reply->status == 409) {
        colony__attach_close_input(attach);
        (void)colony__ctl_fail(EXIT_OK, "%s.%s has closed its stdin", attach->name,
                               attach->view.slot);
        if (!attach->terminal.is_set)
            colony__attach_begin_end(attach, LINGER_MS);
        return 0;
    }
    attach->exit_code = colony__ctl_conclude(attach->ctl, &question, 0, reply, NULL);
    return -ECANCELED;
}

int colony__attach_read_reply(struct attach *attach)
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

bool colony__attach_waits_to_write(const struct attach *attach)
{
    bool is_followed = attach->reader.place_count > 0; /* what comes of it will be seen */

    return attach->input_size > 0 && !attach->writing && is_followed;
}
