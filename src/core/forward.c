/* SPDX-License-Identifier: Apache-2.0 */
#include "core/forward.h"

#include <errno.h>
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
    if (forward->slot > 0)
        colony_log(SEVERITY_INFO, "%s.%u: %.*s", forward->name, forward->slot, (int)forward->used,
                   forward->line);
    else
        colony_log(SEVERITY_INFO, "%s: %.*s", forward->name, (int)forward->used, forward->line);
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
        if (bytes[i] == '\0') /* a text would end here */
            forward->line[forward->used - 1] = '?';
    }
    if (size > 0)
        return;
    if (forward->used > 0)
        end_line(forward); /* that of a process which has ended without an end of line */
    if (bytes)
        free(forward);
}

int colony_forward_init(struct colony_log_options *options, const char *name, uint32_t slot)
{
    struct forward *forward = calloc(1, sizeof *forward + strlen(name) + 1);

    if (!forward)
        return -ENOMEM;
    forward->slot = slot;
    memcpy(forward->name, name, strlen(name) + 1);
    options->tap = on_output;
    options->tap_data = forward;
    return 0;
}

void colony_forward_clear(struct colony_log_options *options)
{
    if (options->tap == on_output)
        free(options->tap_data);
    options->tap = NULL;
}
