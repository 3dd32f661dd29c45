/* SPDX-License-Identifier: Apache-2.0 */
/* pretty_internal.h - JSON as people read it: indented by 4, the keys of each object in order. */
#ifndef COLONY_API_PRETTY_INTERNAL_H
#define COLONY_API_PRETTY_INTERNAL_H

#include "api/buffer_internal.h"

struct cJSON;

/* Appends @json, whose depth is limited where it is made. -ENOMEM, -EMSGSIZE. */
int colony__pretty_append(struct colony__buffer *out, const struct cJSON *json);

#endif
