/* SPDX-License-Identifier: Apache-2.0 */
/* zone.c - files of zones (RFC 8536): changes that are told one by one, then a rule. */
#include "core/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/zone_internal.h"

#define FOLDER "/usr/share/zoneinfo"

enum {
    NAME_MAX_BYTES = 100,
    FILE_MAX_BYTES = 65536, /* the largest there is has under 4 KB */
    HEADER_SIZE = 44,
    TYPE_SIZE = 6,
    COUNTS = 6,
    RULE_MAX = 127,
};

struct colony_zone {
    bool has_rule;
    struct colony__zone_rule rule;
    int32_t first_offset; /* before all changes */
    size_t count;
    struct change {
        int64_t at;
        int64_t offset; /* from then on */
    } changes[];
};

/* In the order of the header. */
enum count {
    COUNT_UT,
    COUNT_STANDARD,
    COUNT_LEAPS,
    COUNT_TIMES,
    COUNT_TYPES,
    COUNT_CHARS,
};

struct header {
    uint32_t counts[COUNTS];
    char version;
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_i64(const uint8_t *at)
{
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* How long what follows a header is, with times of @time_size bytes. */
static size_t body_size(const struct header *header, size_t time_size)
{
    const uint32_t *counts = header->counts;

    return counts[COUNT_TIMES] * (time_size + 1) + (size_t)counts[COUNT_TYPES] * TYPE_SIZE +
           counts[COUNT_CHARS] + counts[COUNT_LEAPS] * (time_size + 4) + counts[COUNT_STANDARD] +
           counts[COUNT_UT];
}

static bool read_header(struct header *header, const uint8_t *at, size_t size, size_t time_size)
{
    if (size < HEADER_SIZE || memcmp(at, "TZif", 4) != 0)
        return false;
    header->version = (char)at[4];
    for (size_t i = 0; i < COUNTS; i++) {
        header->counts[i] = read_u32(at + 20 + 4 * i);
        if (header->counts[i] > FILE_MAX_BYTES)
            return false;
    }
    return body_size(header, time_size) <= size - HEADER_SIZE;
}

/* The changes of a body with long times. */
static bool read_changes(struct colony_zone *zone, const struct header *header,
                         const uint8_t *times)
{
    const uint8_t *indexes = times + (size_t)header->counts[COUNT_TIMES] * 8;
    const uint8_t *types = indexes + header->counts[COUNT_TIMES];

    zone->count = header->counts[COUNT_TIMES];
    zone->first_offset = (int32_t)read_u32(types);
    for (size_t i = 0; i < zone->count; i++) {
        struct change *change = &zone->changes[i];

        if (indexes[i] >= header->counts[COUNT_TYPES])
            return false;
        change->at = read_i64(times + 8 * i);
        change->offset = (int32_t)read_u32(types + (size_t)indexes[i] * TYPE_SIZE);
        if (change->offset > COLONY_ZONE_OFFSET_MAX || change->offset < -COLONY_ZONE_OFFSET_MAX ||
            (i > 0 && change->at <= zone->changes[i - 1].at))
            return false;
    }
    return zone->first_offset <= COLONY_ZONE_OFFSET_MAX &&
           zone->first_offset >= -COLONY_ZONE_OFFSET_MAX;
}

/* `\nRULE\n`, where the rule may be empty. */
static bool read_footer(struct colony_zone *zone, const uint8_t *at, size_t size)
{
    char text[RULE_MAX + 1];
    const uint8_t *end = size > 0 && at[0] == '\n' ? memchr(at + 1, '\n', size - 1) : NULL;
    size_t length = end ? (size_t)(end - at) - 1 : 0;

    if (!end || length > RULE_MAX || memchr(at + 1, '\0', length))
        return false;
    memcpy(text, at + 1, length);
    text[length] = '\0';
    zone->has_rule = length > 0;
    return length == 0 || colony__zone_rule_parse(&zone->rule, text) == 0;
}

int colony_zone_parse(struct colony_zone **out, const char *name, const void *bytes, size_t size,
                      struct colony_error *err)
{
    static const char refusal[] = "cannot use the time zone %s: its file is damaged, or of a kind "
                                  "that colony cannot read";
    const uint8_t *at = bytes;
    struct colony_zone *zone;
    struct header header;
    size_t skipped;

    if (!read_header(&header, at, size, 4) || header.version < '2')
        return colony_fail(err, -EINVAL, refusal, name);
    skipped = HEADER_SIZE + body_size(&header, 4); /* the same with short times */
    at += skipped;
    size -= skipped;
    if (!read_header(&header, at, size, 8) || header.counts[COUNT_TYPES] == 0 ||
        header.counts[COUNT_LEAPS] > 0)
        return colony_fail(err, -EINVAL, refusal, name);
    zone = calloc(1, sizeof *zone + header.counts[COUNT_TIMES] * sizeof zone->changes[0]);
    if (!zone)
        return colony_fail(err, -ENOMEM, "cannot use the time zone %s: out of memory", name);
    skipped = HEADER_SIZE + body_size(&header, 8);
    if (read_changes(zone, &header, at + HEADER_SIZE) &&
        read_footer(zone, at + skipped, size - skipped)) {
        *out = zone;
        return 0;
    }
    free(zone);
    return colony_fail(err, -EINVAL, refusal, name);
}

/* Letters, digits and `_+-`, in parts between slashes: nothing that leads out of the folder. */
static bool is_name(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > NAME_MAX_BYTES || name[0] == '/' || name[size - 1] == '/' ||
        strstr(name, "//"))
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
           size;
}

static int open_file(const char *name, struct colony_error *err)
{
    char path[sizeof FOLDER + 1 + NAME_MAX_BYTES];
    struct stat info;
    int fd;

    if (!is_name(name))
        return colony_fail(err, -EINVAL,
                           "cannot use the time zone `%s`: it is a name such as Europe/Berlin",
                           name);
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return colony_fail(
            err, -ENOENT,
            access(FOLDER, F_OK) < 0
                ? "cannot use the time zone %s: there is no " FOLDER ": install tzdata"
                : "cannot use the time zone %s: there is none of that name in " FOLDER,
            name);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot use the time zone %s", name);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= FILE_MAX_BYTES)
        return fd;
    (void)close(fd);
    return colony_fail(err, -EINVAL, "cannot use the time zone %s: it is no file of a zone", name);
}

int colony_zone_load(struct colony_zone **out, const char *name, struct colony_error *err)
{
    uint8_t *bytes;
    ssize_t size;
    int fd = open_file(name, err);
    int rc;

    if (fd < 0)
        return fd;
    bytes = malloc(FILE_MAX_BYTES);
    size = bytes ? read(fd, bytes, FILE_MAX_BYTES) : 0; /* a small regular file comes at once */
    if (!bytes)
        rc = colony_fail(err, -ENOMEM, "cannot use the time zone %s: out of memory", name);
    else if (size < 0)
        rc = colony_fail_os(err, -errno, "cannot read the time zone %s", name);
    else
        rc = colony_zone_parse(out, name, bytes, (size_t)size, err);
    free(bytes);
    (void)close(fd);
    return rc;
}

size_t colony_zone_size(const struct colony_zone *zone)
{
    return sizeof *zone + zone->count * sizeof zone->changes[0];
}

void colony_zone_free(struct colony_zone *zone)
{
    free(zone);
}

static int64_t own_offset(int64_t at)
{
    struct tm parts;
    time_t time = (time_t)at;

    return localtime_r(&time, &parts) ? parts.tm_gmtoff : 0;
}

/* The number of changes that are not after @at. */
static size_t changes_until(const struct colony_zone *zone, int64_t at)
{
    size_t low = 0;
    size_t high = zone->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->changes[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t colony_zone_offset(const struct colony_zone *zone, int64_t at)
{
    size_t passed;

    if (!zone)
        return own_offset(at);
    passed = changes_until(zone, at);
    if (passed == zone->count && zone->has_rule)
        return colony__zone_rule_offset(&zone->rule, at);
    return passed > 0 ? zone->changes[passed - 1].offset : zone->first_offset;
}
