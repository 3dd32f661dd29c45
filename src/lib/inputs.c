/* SPDX-License-Identifier: Apache-2.0 */
/* inputs.c - what any thread writes to a process: copied, handed to the loop, and counted until
 * done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/log.h"
#include "lib/calls_internal.h"
#include "lib/colony_internal.h"

struct writing {
    struct colony__call call; /* first */
    struct colony__calls *calls;
    struct colony_input input; /* its bytes and label are those below */
    char bytes[];              /* and the label behind them */
};

static const char *describe(int rc)
{
    switch (rc) {
    case -ENOENT:
        return "no such process lives";
    case -EPERM:
        return "its template has no `redirect_input`";
    case -EINVAL:
        return "it has no such stream";
    case -ESRCH:
        return "it reads no more";
    case -EAGAIN:
        return "the engine does not run";
    default:
        return strerror(-rc);
    }
}

/* @why NULL: as @rc says. */
static void finish(int rc, const char *why, void *data)
{
    struct writing *writing = data;
    const struct colony_input *input = &writing->input;

    if (rc < 0 && !why)
        why = describe(rc);
    colony__calls_release(writing->calls, CALLS_WRITES, input->size);
    if (input->done)
        input->done(rc < 0 ? rc : 0, rc < 0 ? why : NULL, input->data);
    else if (rc < 0)
        colony_log(SEVERITY_WARNING, "cannot write to the process %llu: %s",
                   (unsigned long long)input->stream.id, why);
    free(writing);
}

static void on_writing(struct colony *colony, struct colony__call *call)
{
    struct writing *writing = (struct writing *)call;
    const struct colony_input_wish wish = {
        .id = writing->input.stream.id,
        .label = writing->input.stream.label,
        .bytes = writing->bytes,
        .size = writing->input.size,
        .is_patient = true, /* what waits is bounded here, for all processes */
        .cb = finish,
        .data = writing,
    };
    struct colony_engine *engine = colony__running(colony, NULL);
    struct colony_input_write *job;
    int rc;

    if (!engine && colony__is_to_run(colony)) {
        colony__calls_put_off(writing->calls, call);
        return;
    }
    rc = engine ? colony_engine_write_input(engine, &wish, &job) : -EAGAIN;

    if (rc != 0) /* else it waits for room, and is told by itself */
        finish(rc, NULL, writing);
}

/* Room for @input; its bytes are still to be written there. */
static int hold(struct writing **out, struct colony *colony, const struct colony_input *input,
                struct colony_error *err)
{
    struct colony__calls *calls = colony__calls_of(colony);
    size_t label_size = input->stream.label ? strlen(input->stream.label) + 1 : 0;
    struct writing *writing;

    if (colony__calls_hold(calls, CALLS_WRITES, input->size) < 0)
        return colony_fail(err, -EAGAIN,
                           "cannot write to the process %llu: %d MiB wait to be written already",
                           (unsigned long long)input->stream.id, COLONY__CALLS_WAITING_MAX >> 20);
    writing = calloc(1, sizeof *writing + input->size + label_size);
    if (!writing) {
        colony__calls_release(calls, CALLS_WRITES, input->size);
        return colony_fail_os(err, -ENOMEM, "cannot write to the process %llu",
                              (unsigned long long)input->stream.id);
    }
    writing->call.fn = on_writing;
    writing->calls = calls;
    writing->input = *input;
    if (label_size > 0)
        writing->input.stream.label =
            memcpy(writing->bytes + input->size, input->stream.label, label_size);
    *out = writing;
    return 0;
}

int colony_write_to(struct colony *colony, const struct colony_input *input,
                    struct colony_error *err)
{
    struct writing *writing = NULL;
    int rc = hold(&writing, colony, input, err);

    if (!writing)
        return rc;
    if (input->size > 0)
        memcpy(writing->bytes, input->bytes, input->size);
    colony__calls_add(writing->calls, &writing->call);
    return 0;
}

int colony_write(struct colony *colony, uint64_t id, const void *bytes, size_t size,
                 struct colony_error *err)
{
    return colony_write_to(
        colony, &(struct colony_input){.stream = {.id = id}, .bytes = bytes, .size = size}, err);
}

/* Its bytes, with the line end that it may lack. */
static size_t line_size(const char *line)
{
    size_t length = strlen(line);

    return length > 0 && line[length - 1] == '\n' ? length : length + 1;
}

int colony_writelines(struct colony *colony, uint64_t id, const char *const *lines, size_t count,
                      struct colony_error *err)
{
    struct colony_input input = {.stream = {.id = id}};
    struct writing *writing = NULL;
    char *at;
    int rc;

    for (size_t i = 0; i < count; i++)
        input.size += line_size(lines[i]);
    rc = hold(&writing, colony, &input, err);
    if (!writing)
        return rc;
    at = writing->bytes;
    for (size_t i = 0; i < count; i++) {
        size_t size = line_size(lines[i]);

        memcpy(at, lines[i], size - 1);
        at[size - 1] = '\n';
        at += size;
    }
    colony__calls_add(writing->calls, &writing->call);
    return 0;
}
