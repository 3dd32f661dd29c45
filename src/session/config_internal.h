/* SPDX-License-Identifier: Apache-2.0 */
/* config_internal.h - the session's own file, and dependences as values. */
#ifndef COLONY_SESSION_CONFIG_INTERNAL_H
#define COLONY_SESSION_CONFIG_INTERNAL_H

#include <stddef.h>

struct colony_dependence;
struct colony_error;
struct colony_session_config;

#define SESSION_CONFIG "etc/session.yaml"

/* The text of the file; @path stands in messages. -EINVAL with PATH:LINE:COLUMN. */
int colony__session_config_parse(struct colony_session_config *out, const char *path,
                                 const char *text, size_t size, struct colony_error *err);

void colony__dependence_clear(struct colony_dependence *dependence);

#endif
