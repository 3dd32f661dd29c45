/* SPDX-License-Identifier: Apache-2.0 */
/* placeholders.c - until there are calls.c and listeners.c. */
#include "lib/colony_internal.h"

int colony__calls_new(struct colony__calls **out, struct colony *colony, struct uv_loop_s *loop)
{
    (void)colony, (void)loop;
    *out = NULL;
    return 0;
}

void colony__calls_close(struct colony__calls *calls, void (*cb)(void *data), void *data)
{
    (void)calls;
    cb(data);
}

int colony__listeners_new(struct colony__listeners **out, struct colony *colony)
{
    (void)colony;
    *out = NULL;
    return 0;
}

void colony__listeners_attach(struct colony__listeners *listeners, struct colony_engine *engine)
{
    (void)listeners, (void)engine;
}

void colony__listeners_detach(struct colony__listeners *listeners)
{
    (void)listeners;
}

void colony__listeners_free(struct colony__listeners *listeners)
{
    (void)listeners;
}
