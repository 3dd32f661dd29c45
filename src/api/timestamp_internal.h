/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp_internal.h - wall clock times as JSON shows them: ISO 8601, UTC, milliseconds. */
#ifndef COLONY_API_TIMESTAMP_INTERNAL_H
#define COLONY_API_TIMESTAMP_INTERNAL_H

#include <stdint.h>

struct cJSON;

/* "2026-03-01T12:00:00.250Z"; null for 0. NULL: out of memory. */
struct cJSON *colony__json_time(uint64_t wall_ms);

#endif
