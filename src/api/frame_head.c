/* SPDX-License-Identifier: Apache-2.0 */
#include "api/frames_internal.h"

size_t colony__frame_head(char *out, enum colony__opcode opcode, size_t size)
{
    size_t wide = size < 126 ? 0 : size <= UINT16_MAX ? 2 : 8;

    out[0] = (char)(unsigned char)(0x80U | opcode);
    out[1] = (char)(wide == 0 ? size : wide == 2 ? 126 : 127);
    for (size_t i = 0; i < wide; i++)
        out[2 + i] = (char)(unsigned char)((uint64_t)size >> (8 * (wide - 1 - i)));
    return 2 + wide;
}
