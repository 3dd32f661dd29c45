/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_input.c - what is written to a process: to its stdin, or to a custom stream.
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
    uv_poll_t
        poll; /* the loop has no two of one descriptor: what is read of it is told here, too */
    struct colony_engine *engine;
    int fd;
    int watched;                 /* what @poll waits for */
    engine_readable_cb readable; /* NULL: nothing is read of it */
    void *data;
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

/* As much as there is room for. */
static void write_queued(struct input *input)
{
    while (input->head) {
        struct colony_input_write *job = input->head;
        ssize_t count = write_some(input, job->bytes + job->done, job->size - job->done);

        if (count < 0) {
            fail_all(input, "it has closed it");
            return;
        }
        job->done += (size_t)count;
        if (job->done < job->size)
            return; /* wait for room again */
        pop(input, 0, NULL);
    }
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Waits for what there is to wait for. */
static int watch(struct input *input)
{
    int events = (input->head ? UV_WRITABLE : 0) | (input->readable ? UV_READABLE : 0);
    int rc;

    if (events == input->watched)
        return 0;
    rc = events ? uv_poll_start(&input->poll, events, on_ready) : uv_poll_stop(&input->poll);
    input->watched = rc == 0 ? events : 0;
    return rc;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct input *input = poll->data;

    if (status < 0)
        input->watched = 0; /* the loop has stopped it; what is tried now tells why */
    if (input->readable && (status < 0 || events & UV_READABLE))
        input->readable(input->data);
    if (!uv_is_closing((uv_handle_t *)poll))
        write_queued(input);
    if (!uv_is_closing((uv_handle_t *)poll))
        (void)watch(input);
}

int engine_input_open(struct input **out, struct colony_engine *engine, int fd)
{
    struct input *input = calloc(1, sizeof *input);
    int rc = input ? uv_poll_init(engine->loop, &input->poll, fd) : -ENOMEM;

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
    *out = input;
    return 0;
}

int engine_input_read(struct input *input, engine_readable_cb readable, void *data)
{
    input->readable = readable;
    input->data = data;
    return watch(input);
}

int engine_input_fd(const struct input *input)
{
    return input->fd;
}

void engine_input_end(struct input *input, const char *why)
{
    if (!input)
        return;
    input->readable = NULL;
    fail_all(input, why);
    uv_close((uv_handle_t *)&input->poll, on_closed);
}

void engine_input_each_fd(const struct input *input, void (*cb)(int fd, void *data), void *data)
{
    if (input)
        cb(input->fd, data);
}

/* The slot's stdin. */

int engine_input_take(struct slot *slot, int fd)
{
    engine_input_close(slot, "it has ended");
    return engine_input_open(&slot->input, slot->entry->engine, fd);
}

void engine_input_close(struct slot *slot, const char *why)
{
    struct input *input = slot->input;

    slot->input = NULL;
    engine_input_end(input, why);
}

static int queue(struct input *input, const char *bytes, size_t size,
                 struct colony_input_write **out)
{
    struct colony_input_write *job = malloc(sizeof *job + size);
    int rc;

    if (!job)
        return -ENOMEM;
    *job = (struct colony_input_write){.size = size};
    memcpy(job->bytes, bytes, size);
    *input->end = job;
    rc = watch(input);
    if (rc < 0) {
        *input->end = NULL;
        free(job);
        return rc;
    }
    input->end = &job->next;
    input->queued += size;
    *out = job;
    return 0;
}

static int write_input(struct input *input, const struct colony_input_wish *wish,
                       struct colony_input_write **out)
{
    ssize_t done = 0;
    int rc;

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

/* As it was started: its template may have changed since. */
static bool has_input(const struct slot *slot)
{
    const struct colony_table *table = &slot->entry->engine->table;

    return slot->input || (slot->has_record &&
                           table->records[slot->index].stream_kind[INPUT_STREAM] == STREAM_INPUT);
}

int colony_engine_write_input(struct colony_engine *engine, const struct colony_input_wish *wish,
                              struct colony_input_write **out)
{
    struct slot *slot = engine_find_living(engine, wish->id);
    bool is_stdin =
        !wish->label || strcmp(wish->label, "stdin") == 0 || strcmp(wish->label, "ttin") == 0;
    struct input *input = NULL;
    int rc = 0;

    if (!slot)
        return -ENOENT;
    if (is_stdin && !has_input(slot))
        return -EPERM;
    if (is_stdin)
        input = slot->input;
    else
        rc = engine_custom_input(slot, wish->label, &input);
    if (rc < 0)
        return rc;
    return input ? write_input(input, wish, out) : -ESRCH;
}

bool colony_engine_has_custom_stream(struct colony_engine *engine, uint64_t id, const char *label)
{
    const struct slot *slot = engine_find_living(engine, id);

    return slot && engine_custom_has(slot, label);
}

void colony_input_write_forget(struct colony_input_write *job)
{
    job->cb = NULL;
}
