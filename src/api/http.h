/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h - the control endpoint as a controller (controller.h).
 *
 * It serves each socket that the keeper holds under a name that begins with "http:". The sockets
 * outlive it. The process that runs it ignores SIGPIPE.
 */
#ifndef COLONY_API_HTTP_H
#define COLONY_API_HTTP_H

struct colony_controller;

extern const struct colony_controller colony_http_controller;

#endif
