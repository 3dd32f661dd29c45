/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - the control endpoint as a controller (front.h).
 *
 * It serves each socket that the keeper holds under a name that begins as endpoint.h says. The
 * sockets outlive it. The process that runs it ignores SIGPIPE.
 */
#ifndef COLONY_API_HTTP_H
#define COLONY_API_HTTP_H

struct colony_engine;
struct colony_error;
struct colony_extras;
struct colony_front;
struct colony_http_settings;
struct colony_settings;

extern const struct colony_front colony_http_front;

/* Its create(), with routes beside its own (extras.h). */
int colony_http_create(void **out, struct colony_engine *engine,
                       const struct colony_settings *settings, const struct colony_extras *extras,
                       struct colony_error *err);

/*
 * Reads what the endpoints of @settings need, to tell before anything runs whether they can be
 * served. -EINVAL, -EACCES, what reading the files says.
 */
int colony_http_check(const struct colony_http_settings *settings, struct colony_error *err);

#endif
