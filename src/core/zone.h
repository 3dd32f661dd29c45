/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zone.h - how far the clocks of a time zone are from UTC, at any time.
 *
 * libc knows one zone a process, that of TZ. What else is named is read here, from the system's own
 * files (RFC 8536), so that templates may have a zone each, and threads that ask for the time
 * never see another one's.
 */
#ifndef COLONY_CORE_ZONE_H
#define COLONY_CORE_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_zone;

enum {
    COLONY_ZONE_OFFSET_MAX = 26 * 3600, /* seconds: more than any zone has */
};

/*
 * Reads the zone @name ("Europe/Berlin"). -EINVAL: it is no name, or its file is no zone; -ENOENT:
 * there is none of that name; -ENOMEM.
 */
int colony_zone_load(struct colony_zone **out, const char *name, struct colony_error *err);

/* The same from what the file @name holds, which is borrowed. */
int colony_zone_parse(struct colony_zone **out, const char *name, const void *bytes, size_t size,
                      struct colony_error *err);

/* A zone is one block of so many bytes, and a copy of them is as good. */
size_t colony_zone_size(const struct colony_zone *zone);

void colony_zone_free(struct colony_zone *zone);

/* What is added to @at (seconds, UTC) to get what its clocks show. NULL: the process's zone. */
int64_t colony_zone_offset(const struct colony_zone *zone, int64_t at);

#endif
