/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_input.c - stdin of processes whose template says `redirect_input`.
 *
 * What is to be written is one piece, and the next one's turn comes when all of it is in the pipe.
 * A piece whose writer went away is finished all the same: half of it would be worse than either.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine_internal.h"

enum {
    QUEUE_BYTES_MAX = 1 << 20, /* that wait for room in the pipe of one process */
};

struct colony_input_write {
    struct colony_input_write *next;
    colony_input_cb cb; /* NULL: nobody waits for it */
    void *data;
    size_t size;
    size_t done;
    char bytes[];
};

struct input {
    uv_poll_t poll;
    struct colony_engine *engine;
    int fd;
    struct colony_input_write *head;
    struct colony_input_write **end;
    size_t queued; /* bytes */
};

static void on_closed(uv_handle_t *handle)
{
    struct input *input = handle->data;
    struct colony_engine *engine = input->engine;

    (void)close(input->fd);
    free(input);
    engine_on_part_closed(engine);
}

static void pop(struct input *input, int rc, const char *why)
{
    struct colony_input_write *job = input->head;

    input->head = job->next;
    if (!input->head)
        input->end = &input->head;
    input->queued -= job->size;
    if (job->cb)
        job->cb(rc, why, job->data);
    free(job);
}

static void fail_all(struct input *input, const char *why)
{
    while (input->head)
        pop(input, -ESRCH, why);
}

/* How much of it the pipe takes now. Negative errno: nobody reads it any more. */
static ssize_t write_some(const struct input *input, const char *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = write(input->fd, bytes + done, size - done);

        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0 && errno != EINTR)
            return -errno;
        done += count > 0 ? (size_t)count : 0;
    }
    return (ssize_t)done;
}

static void on_room(uv_poll_t *poll, int status, int events)
{
    struct input *input = poll->data;

    (void)status; /* the write tells */
    (void)events;
    while (input->head) {
        struct colony_input_write *job = input->head;
        ssize_t count = write_some(input, job->bytes + job->done, job->size - job->done);

        if (count < 0) {
            fail_all(input, "it has closed its stdin");
            break;
        }
        job->done += (size_t)count;
        if (job->done < job->size)
            return; /* wait for room again */
        pop(input, 0, NULL);
    }
    (void)uv_poll_stop(&input->poll);
}

int engine_input_take(struct slot *slot, int fd)
{
    struct colony_engine *engine = slot->entry->engine;
    struct input *input = calloc(1, sizeof *input);
    int rc = input ? uv_poll_init(engine->loop, &input->poll, fd) : -ENOMEM;

    engine_input_close(slot, "it has ended");
    if (rc < 0) {
        free(input);
        (void)close(fd);
        return rc;
    }
    engine->open_handles++;
    input->poll.data = input;
    input->engine = engine;
    input->fd = fd;
    input->end = &input->head;
    slot->input = input;
    return 0;
}

void engine_input_close(struct slot *slot, const char *why)
{
    struct input *input = slot->input;

    if (!input)
        return;
    slot->input = NULL;
    fail_all(input, why);
    uv_close((uv_handle_t *)&input->poll, on_closed);
}

void engine_input_keep_over_exec(const struct slot *slot)
{
    if (slot->input)
        (void)fcntl(slot->input->fd, F_SETFD, 0);
}

static int queue(struct input *input, const char *bytes, size_t size,
                 struct colony_input_write **out)
{
    struct colony_input_write *job = malloc(sizeof *job + size);
    int rc;

    if (!job)
        return -ENOMEM;
    rc = input->head ? 0 : uv_poll_start(&input->poll, UV_WRITABLE, on_room);
    if (rc < 0) {
        free(job);
        return rc;
    }
    *job = (struct colony_input_write){.size = size};
    memcpy(job->bytes, bytes, size);
    *input->end = job;
    input->end = &job->next;
    input->queued += size;
    *out = job;
    return 0;
}

int colony_engine_write_input(struct colony_engine *engine, const struct colony_input_wish *wish,
                              struct colony_input_write **out)
{
    struct slot *slot = engine_find_living(engine, wish->id);
    struct input *input = slot ? slot->input : NULL;
    ssize_t done = 0;
    int rc;

    if (!slot)
        return -ENOENT;
    if (!slot->entry->template->redirect_input)
        return -EPERM;
    if (!input)
        return -ESRCH;
    if (input->head && !wish->is_patient && input->queued + wish->size > QUEUE_BYTES_MAX)
        return -EAGAIN;
    if (!input->head)
        done = write_some(input, wish->bytes, wish->size);
    if (done < 0)
        return -ESRCH;
    if ((size_t)done == wish->size && !input->head)
        return 1;
    rc = queue(input, wish->bytes, wish->size, out);
    if (rc < 0)
        return rc;
    (*out)->done = (size_t)done;
    (*out)->cb = wish->cb;
    (*out)->data = wish->data;
    return 0;
}

void colony_input_write_forget(struct colony_input_write *job)
{
    job->cb = NULL;
}
