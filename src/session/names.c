/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - the first byte of the uri's SHA-256 picks the adjective, the second one the noun; the
 * next two are the next candidate, and so on. When all sixteen are taken, the first gets a number.
 */
#include "session/names.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "session/process.h"
#include "session/words_internal.h"

void colony_session_name(char name[COLONY_WORDS_MAX], const char *uri, colony_name_taken_cb taken,
                         void *data)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&context);
    sha256_update(&context, strlen(uri), (const uint8_t *)uri);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i + 1 < sizeof digest; i += 2) {
        (void)snprintf(name, COLONY_WORDS_MAX, "%s-%s", colony__adjectives[digest[i]],
                       colony__nouns[digest[i + 1]]);
        if (!taken || !taken(name, data))
            return;
    }
    for (unsigned number = 2; number < COLONY_SESSION_PROCESSES_MAX + 2; number++) {
        (void)snprintf(name, COLONY_WORDS_MAX, "%s-%s-%u", colony__adjectives[digest[0]],
                       colony__nouns[digest[1]], number);
        if (!taken(name, data))
            return;
    }
}
