/* SPDX-License-Identifier: Apache-2.0 */
/* Fingerprints as YAML: what is read can be written and read again as the same. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "session/fingerprint_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony_fingerprint before = {0};
    struct colony_fingerprint after = {0};
    struct colony_error err = {0};
    char *text = NULL;
    size_t length = 0;
    int rc = colony__fingerprint_parse(&before, (const char *)data, size, "x.yaml", &err);

    if (rc < 0) {
        CHECK(rc == -EINVAL && strncmp(err.message, "x.yaml:", 7) == 0);
        return 0;
    }
    CHECK(colony_fingerprint_format(&before, &text, &length) == 0);
    CHECK(strlen(text) == length);
    CHECK(colony__fingerprint_parse(&after, text, length, "y.yaml", &err) == 0);
    CHECK(colony_fingerprint_is_equal(&before, &after));
    for (unsigned field = 0; field < FIELD_COUNT; field++)
        if (before.fields[field].count > 0 && field != FIELD_UDP)
            CHECK(colony_fingerprint_score(&before, &after) > 0.999);
    colony_fingerprint_clear(&before);
    colony_fingerprint_clear(&after);
    free(text);
    return 0;
}
