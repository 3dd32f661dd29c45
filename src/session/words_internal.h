/* SPDX-License-Identifier: Apache-2.0 */
/* words_internal.h - friendly words, no two the same. */
#ifndef COLONY_SESSION_WORDS_INTERNAL_H
#define COLONY_SESSION_WORDS_INTERNAL_H

enum {
    COLONY__WORDS = 256, /* of each kind: a byte picks one */
};

extern const char *const colony__adjectives[COLONY__WORDS];
extern const char *const colony__nouns[COLONY__WORDS];

#endif
