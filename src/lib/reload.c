/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - a program has its engine read the settings again. */
#include <errno.h>
#include <stdlib.h>

#include "core/engine.h"
#include "core/error.h"
#include "lib/colony_internal.h"

static void on_reloaded(int rc, const struct colony_error *err,
                        const struct colony_reload_step *steps, size_t count, void *data)
{
    struct colony_reload *reload = data;

    for (size_t i = 0; rc == 0 && reload->step && i < count; i++)
        reload->step(colony_reload_action_name(steps[i].action), steps[i].name, steps[i].text,
                     reload->data);
    if (reload->done)
        reload->done(rc, rc < 0 ? err->message : NULL, reload->data);
    free(reload);
}

int colony_engine_reload(struct colony *colony, const struct colony_reload *reload,
                         struct colony_error *err)
{
    struct colony_engine *engine = colony__running(colony, err);
    struct colony_error unread; /* the engine wants one to fill */
    struct colony_reload *kept;
    int rc;

    if (!engine)
        return -EAGAIN;
    kept = calloc(1, sizeof *kept);
    if (!kept)
        return colony_fail(err, -ENOMEM, "cannot reload: out of memory");
    if (reload)
        *kept = *reload;
    rc = colony_engine_reload_settings(engine, kept->is_dry, COLONY__WHO, on_reloaded, kept,
                                       err ? err : &unread);
    if (rc < 0)
        free(kept);
    return rc;
}
