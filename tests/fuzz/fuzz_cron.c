/* SPDX-License-Identifier: Apache-2.0 */
/* Cron expressions: what is taken has times, which come in order and are the clock's. */
#include "core/cron.h"
#include "core/zone.h"

#include "fuzz.h"

enum {
    TIMES = 20,
};

static const char *const names[] = {NULL, "UTC", "Europe/Berlin", "Australia/Lord_Howe"};

static void check_times(const struct colony_cron *cron, const struct colony_zone *zone,
                        int64_t after)
{
    for (unsigned i = 0; i < TIMES; i++) {
        int64_t next = colony_cron_next(cron, zone, after);

        CHECK(next > after);
        CHECK(colony_cron_next(cron, zone, next - 1) == next);
        CHECK((next + colony_zone_offset(zone, next)) % 60 == 0);
        after = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct colony_zone *zones[sizeof names / sizeof names[0]];
    struct fuzz_input input = {data, size};
    size_t which = fuzz_byte(&input) % (sizeof names / sizeof names[0]);
    struct colony_cron cron;
    uint32_t after;
    char *text;

    fuzz_take(&input, &after, sizeof after);
    text = fuzz_text(input.at, input.left);
    if (names[which] && !zones[which] && colony_zone_load(&zones[which], names[which], NULL) < 0)
        zones[which] = NULL; /* without tzdata */
    if (colony_cron_parse(&cron, text, NULL) == 0)
        check_times(&cron, zones[which], after);
    free(text);
    return 0;
}
