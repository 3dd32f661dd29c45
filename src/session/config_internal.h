/* SPDX-License-Identifier: Apache-2.0 */
/* config_internal.h - the session's own file, and dependences as values. */
#ifndef COLONY_SESSION_CONFIG_INTERNAL_H
#define COLONY_SESSION_CONFIG_INTERNAL_H

#include <stddef.h>

struct colony__look;
struct colony_dependence;
struct colony_error;
struct colony_session_config;
struct colony_workspace;

#define SESSION_CONFIG "etc/session.yaml"

/* The text of the file; @path stands in messages. -EINVAL with PATH:LINE:COLUMN. */
int colony__session_config_parse(struct colony_session_config *out, const char *path,
                                 const char *text, size_t size, struct colony_error *err);

void colony__session_config_defaults(struct colony_session_config *config);

/* What the file says, or where it is gone what it said when it was good; the caller frees *text,
 * which is NULL when there is neither. */
int colony__session_config_text(char **text, struct colony_workspace *workspace,
                                struct colony_error *err);

/* Of a look: what the file says is kept in the database while it is good; one that is gone is made
 * again. A bad one is told by who needs it. */
void colony__session_config_settle(struct colony__look *look);

void colony__dependence_clear(struct colony_dependence *dependence);

#endif
