/* SPDX-License-Identifier: Apache-2.0 */
/* logger.c - what the library logs, for the program that wants to have it. */
#include <colony.h>

#include "core/log.h"

static struct {
    void (*fn)(int severity, const char *text, void *data);
    void *data;
} logger;

static void pass_on(enum colony_log_severity severity, const char *message, void *data)
{
    (void)data;
    logger.fn((int)severity, message, logger.data);
}

void colony_set_logger(void (*fn)(int severity, const char *text, void *data), void *data)
{
    logger.fn = fn;
    logger.data = data;
    colony_log_set_sink(fn ? pass_on : NULL, NULL);
}
