/* SPDX-License-Identifier: Apache-2.0 */
/* handler_program.c - each event is handed to a function of the program that embeds colony. */
#include <string.h>

#include "api/inbox_internal.h"

static int handle(struct colony__stage *stage, struct colony__incoming *event)
{
    const struct colony_inbox_program *program = stage->inbox->program;

    int rc = program->handle(event->id, event->json, event->size, program->data);

    if (rc < 0) {
        colony__stage_failed(stage, event, "cannot hand it over: %s", strerror(-rc));
        return 1;
    }
    stage->own = event;
    return 0;
}

static void cancel(struct colony__stage *stage, struct colony__incoming *event)
{
    const struct colony_inbox_program *program = stage->inbox->program;

    stage->own = NULL;
    (void)program->handle(event->id, NULL, 0, program->data);
}

void colony_inbox_program_done(struct colony_inbox *inbox)
{
    struct colony__stage *stage = &inbox->stages[0];
    struct colony__incoming *event = stage->own;

    stage->own = NULL;
    colony__stage_done(stage, event);
}

const struct colony__handler_kind colony__handler_program = {
    .handle = handle,
    .cancel = cancel,
};
