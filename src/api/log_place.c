/* SPDX-License-Identifier: Apache-2.0 */
#include "api/log_place_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/logfile_internal.h"

void colony__log_place_set(struct colony__log_place *place, const struct colony__logfile *file,
                           size_t unsent)
{
    place->device = file->fd >= 0 ? (uint64_t)file->device : 0;
    place->inode = file->fd >= 0 ? (uint64_t)file->inode : 0;
    /* A line over two files is given from where it goes on: files end with lines. */
    place->offset = file->fd >= 0 && file->offset > unsent ? file->offset - unsent : 0;
}

size_t colony__log_place_write(const struct colony__log_place *place, size_t size,
                               char text[COLONY__LOG_PLACE_MAX])
{
    return (size_t)snprintf(
        text, COLONY__LOG_PLACE_MAX, "%" PRIu32 "%s.%" PRIu64 ".%" PRIu64 ".%" PRIu64 " %zu\n",
        place->slot, place->is_error ? "e" : "", place->device, place->inode, place->offset, size);
}

/* Digits and nothing else before them, then @after. NULL: it is something else. */
static const char *parse_number(const char *text, uint64_t *number, char after)
{
    char *end;

    if (*text < '0' || *text > '9')
        return NULL;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno != 0 || (after != '\0' && *end != after))
        return NULL;
    return after != '\0' ? end + 1 : end;
}

/* The place @text begins with. Where it ends, or NULL. */
static const char *parse_place(const char *text, struct colony__log_place *place)
{
    uint64_t slot;
    const char *at = parse_number(text, &slot, '\0');

    if (!at || slot == 0 || slot > UINT32_MAX)
        return NULL;
    place->slot = (uint32_t)slot;
    place->is_error = *at == 'e';
    at += place->is_error;
    if (*at != '.')
        return NULL;
    at = parse_number(at + 1, &place->device, '.');
    if (at)
        at = parse_number(at, &place->inode, '.');
    if (at)
        at = parse_number(at, &place->offset, '\0');
    return at && (*at == ',' || *at == '\0') && place->offset <= INT64_MAX ? at : NULL;
}

int colony__log_place_find(struct colony__log_place *place, const char *list)
{
    int rc = -ENOENT;

    for (const char *at = list; *at != '\0'; at += *at == ',') {
        struct colony__log_place one = {0};

        at = parse_place(at, &one);
        if (!at)
            return -EINVAL;
        if (one.slot != place->slot || one.is_error != place->is_error)
            continue;
        *place = one;
        rc = 0;
    }
    return rc;
}
