/* SPDX-License-Identifier: Apache-2.0 */
#include "core/forward.h"

#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/logs.h"

enum {
    LINE_BYTES_MAX = 900, /* a longer one is logged in parts */
};

struct forward {
    uint32_t slot;
    size_t used;
    char line[LINE_BYTES_MAX];
    char name[];
};

static void end_line(struct forward *forward)
{
    colony_log(SEVERITY_INFO, "%s.%u: %.*s", forward->name, forward->slot, (int)forward->used,
               forward->line);
    forward->used = 0;
}

static void on_output(const char *bytes, size_t size, void *data)
{
    struct forward *forward = data;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n' || forward->used == sizeof forward->line)
            end_line(forward);
        if (bytes[i] != '\n')
            forward->line[forward->used++] = bytes[i];
    }
    if (size > 0)
        return;
    if (forward->used > 0)
        end_line(forward);
    free(forward);
}

void colony_forward(struct colony_log *log, const char *name, uint32_t slot)
{
    struct forward *forward = calloc(1, sizeof *forward + strlen(name) + 1);
    int rc;

    if (!forward) {
        colony_log(SEVERITY_ERROR, "cannot forward the output of %s.%u: out of memory", name, slot);
        return;
    }
    forward->slot = slot;
    memcpy(forward->name, name, strlen(name) + 1);
    rc = colony_log_tap(log, on_output, forward);
    if (rc == 0)
        return;
    free(forward);
    colony_log(SEVERITY_ERROR, "cannot forward the output of %s.%u: %s", name, slot, strerror(-rc));
}
