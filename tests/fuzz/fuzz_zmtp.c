/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heads of a client's frames: the same are found whichever pieces the bytes arrive in, and none
 * that is small enough.
 *
 * The first byte of an input is the size of a piece; the rest is what the client sent.
 */
#include "rpc/zmtp_internal.h"

#include "fuzz.h"

enum {
    FRAME_MAX = 1000,
};

static uint64_t read_all(struct colony__zmtp *zmtp, const uint8_t *bytes, size_t size, size_t step)
{
    uint64_t found = 0;

    for (size_t at = 0; at < size && found == 0; at += step) {
        size_t given = size - at < step ? size - at : step;
        char *piece = fuzz_text(bytes + at, given);

        found = colony__zmtp_read(zmtp, (const unsigned char *)piece, given, FRAME_MAX);
        free(piece);
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct colony__zmtp whole = {0};
    struct colony__zmtp cut = {0};
    uint64_t found;

    if (size == 0)
        return 0;
    found = read_all(&whole, data + 1, size - 1, size);
    CHECK(found == 0 || found > FRAME_MAX);
    CHECK(found == read_all(&cut, data + 1, size - 1, 1 + (data[0] & 15U)));
    CHECK(whole.is_unknown == cut.is_unknown);
    CHECK(found || (whole.left == cut.left && whole.size_left == cut.size_left));
    return 0;
}
