/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zmtp_internal.h - how large the messages are that a client of ZMTP 3 sends, by the heads of its
 * frames (rfc.zeromq.org/spec/23). libzmq hangs up on one that is too large, and tells nobody.
 *
 * Reads in pieces, in one pass and without memory of its own. Of older protocols, and of what is
 * none, it says nothing.
 */
#ifndef COLONY_RPC_ZMTP_INTERNAL_H
#define COLONY_RPC_ZMTP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is the empty state. */
struct colony__zmtp {
    uint64_t passed;    /* bytes of the greeting */
    uint64_t left;      /* bytes of the frame */
    unsigned size_left; /* bytes of its size */
    uint64_t size;
    bool is_unknown;
};

/* The size of a frame in it that has more than @size_max bytes, of which the head ends in @bytes;
 * 0: there is none. */
uint64_t colony__zmtp_read(struct colony__zmtp *zmtp, const unsigned char *bytes, size_t size,
                           uint64_t size_max);

#endif
