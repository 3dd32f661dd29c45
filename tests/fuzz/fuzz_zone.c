/* SPDX-License-Identifier: Apache-2.0 */
/* Files of time zones: what is taken has an offset at any time, within bounds. */
#include "core/zone.h"
#include "core/zone_internal.h"

#include "fuzz.h"

static void check_rule(const char *text)
{
    struct colony__zone_rule rule;

    if (colony__zone_rule_parse(&rule, text) < 0)
        return;
    for (int64_t at = -5000000000; at < 10000000000; at += 777777777) {
        int64_t offset = colony__zone_rule_offset(&rule, at);

        CHECK(offset == rule.standard || (rule.has_summer && offset == rule.summer));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony_zone *zone = NULL;
    char *text = fuzz_text(data, size);

    check_rule(text);
    free(text);
    if (colony_zone_parse(&zone, "fuzzed", data, size, NULL) == 0) {
        for (int64_t at = -5000000000; at < 10000000000; at += 777777777) {
            int64_t offset = colony_zone_offset(zone, at);

            CHECK(offset <= COLONY_ZONE_OFFSET_MAX && offset >= -COLONY_ZONE_OFFSET_MAX);
        }
        colony_zone_free(zone);
    }
    return 0;
}
