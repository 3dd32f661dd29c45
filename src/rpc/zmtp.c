/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/zmtp_internal.h"

enum {
    GREETING_BYTES = 64,
    SIGNATURE_PLACE = 0, /* of a byte that is SIGNATURE since ZMTP 2 */
    SIGNATURE = 0xff,
    VERSION_PLACE = 10,
    VERSION_MIN = 3,
    FLAG_LONG = 2, /* its size has 8 bytes */
};

static void read_greeting(struct colony__zmtp *zmtp, unsigned char byte)
{
    if ((zmtp->passed == SIGNATURE_PLACE && byte != SIGNATURE) ||
        (zmtp->passed == VERSION_PLACE && byte < VERSION_MIN))
        zmtp->is_unknown = true;
    zmtp->passed++;
}

/* True: a frame's size is known. */
static bool read_head(struct colony__zmtp *zmtp, unsigned char byte)
{
    if (zmtp->size_left == 0) {
        zmtp->size_left = byte & FLAG_LONG ? 8 : 1;
        zmtp->size = 0;
        return false;
    }
    zmtp->size = zmtp->size << 8 | byte;
    zmtp->size_left--;
    return zmtp->size_left == 0;
}

uint64_t colony__zmtp_read(struct colony__zmtp *zmtp, const unsigned char *bytes, size_t size,
                           uint64_t size_max)
{
    size_t at = 0;

    while (at < size && !zmtp->is_unknown) {
        if (zmtp->passed < GREETING_BYTES) {
            read_greeting(zmtp, bytes[at++]);
        } else if (zmtp->left > 0) {
            size_t taken = size - at < zmtp->left ? size - at : (size_t)zmtp->left;

            zmtp->left -= taken;
            at += taken;
        } else if (read_head(zmtp, bytes[at++])) {
            if (zmtp->size > size_max)
                return zmtp->size;
            zmtp->left = zmtp->size;
        }
    }
    return 0;
}
