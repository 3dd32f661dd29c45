/* SPDX-License-Identifier: Apache-2.0 */
/*
 * told.h - what clients of HTTP are told of events and samples, for those who tell it otherwise.
 */
#ifndef COLONY_API_TOLD_H
#define COLONY_API_TOLD_H

#include <stdint.h>

struct cJSON;
struct colony_event;
struct colony_process_stats;

/* As /watch and /stats/NAME/ID have it. The caller frees it; NULL: no memory. */
struct cJSON *colony_told_event(const struct colony_event *event);
struct cJSON *colony_told_sample(uint64_t id, const struct colony_process_stats *stats);

#endif
