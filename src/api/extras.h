/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extras.h - routes of the control endpoint beside its own, which come and go while it serves.
 *
 * They outlive an endpoint; a request to one of them outlives its client. On the loop's thread.
 */
#ifndef COLONY_API_EXTRAS_H
#define COLONY_API_EXTRAS_H

#include <stddef.h>

struct colony_error;
struct colony_extras;
struct colony_http_request;
struct colony_engine;
struct colony_settings;

typedef void (*colony_extra_cb)(struct colony_http_request *request, void *data);

int colony_extras_new(struct colony_extras **out);
void colony_extras_free(struct colony_extras *extras);
/* As colony_http_add_route() of colony.h says. */
int colony_extras_add(struct colony_extras *extras, const char *method, const char *pattern,
                      colony_extra_cb cb, void *data, struct colony_error *err);
int colony_extras_remove(struct colony_extras *extras, const char *method, const char *pattern,
                         struct colony_error *err);
void colony_extras_clear(struct colony_extras *extras);

const char *colony_extra_method(const struct colony_http_request *request);
const char *colony_extra_argument(const struct colony_http_request *request, size_t number);
const char *colony_extra_query(const struct colony_http_request *request, const char *name);
const char *colony_extra_header(const struct colony_http_request *request, const char *name);
const char *colony_extra_body(const struct colony_http_request *request, size_t *size);
void colony_extra_answer(struct colony_http_request *request, int status, const char *type,
                         const void *body, size_t size);

#endif
