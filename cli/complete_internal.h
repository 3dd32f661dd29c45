/* SPDX-License-Identifier: Apache-2.0 */
/* complete_internal.h - what the parts of `colony complete` share: the word, and how to offer one.
 */
#ifndef COLONY_CLI_COMPLETE_INTERNAL_H
#define COLONY_CLI_COMPLETE_INTERNAL_H

#include <stddef.h>

struct ctl;
struct session;

enum {
    COMPLETE_LIVE_MS = 300, /* what names from a running colony or a session may cost */
};

/* The word under the cursor. */
struct cursor {
    const char *word;
    size_t fixed;            /* bytes of `--option=` before the value that is completed */
    struct ctl *ctl;         /* where to ask for names; NULL: nowhere */
    struct session *session; /* whose processes; NULL: of none */
};

/* Offers @candidate with @suffix when it goes on from what is typed, and can be typed at all. */
void colony__complete_offer(const struct cursor *cursor, const char *candidate, const char *suffix,
                            const char *help);
/* Whatever hangs, the shell has its prompt back after @ms (0: no longer); what was found by then
 * was written. */
void colony__complete_deadline(int ms);

/* complete_session.c: processes, several of them with commas between, also `NAME:STATE`, and states
 * that are saved. */
void colony__complete_processes(const struct cursor *cursor, const char *data, const char *suffix);
void colony__complete_children(const struct cursor *cursor, const char *data, const char *suffix);
void colony__complete_parents(const struct cursor *cursor, const char *data, const char *suffix);
void colony__complete_states(const struct cursor *cursor, const char *data, const char *suffix);

#endif
