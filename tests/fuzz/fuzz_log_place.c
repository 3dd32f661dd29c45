/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of places, as clients give them back: what is found is in the list, as it would be written.
 */
#include <errno.h>

#include "api/log_place_internal.h"
#include "api/logfile_internal.h"

#include "fuzz.h"

static void check_found(const struct colony__log_place *place)
{
    const struct colony__logfile file = {
        .fd = 0, .device = place->device, .inode = place->inode, .offset = place->offset};
    struct colony__log_place again = {.slot = place->slot, .is_error = place->is_error};
    char text[COLONY__LOG_PLACE_MAX];

    colony__log_place_set(&again, &file, 0);
    CHECK(colony__log_place_write(&again, 0, text) < sizeof text);
    *strchr(text, ' ') = '\0';
    memset(&again.device, 0, sizeof again.device);
    CHECK(colony__log_place_find(&again, text) == 0);
    CHECK(again.device == place->device && again.inode == place->inode &&
          again.offset == place->offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    for (uint32_t slot = 1; slot < 4; slot++)
        for (int is_error = 0; is_error < 2; is_error++) {
            struct colony__log_place place = {.slot = slot, .is_error = is_error};
            int rc = colony__log_place_find(&place, text);

            CHECK(rc == 0 || rc == -ENOENT || rc == -EINVAL);
            CHECK(place.slot == slot && place.is_error == (is_error != 0));
            if (rc == 0)
                check_found(&place);
        }
    free(text);
    return 0;
}
