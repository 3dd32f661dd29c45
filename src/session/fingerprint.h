/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint.h - what a process has open and was started with, and which of the states that were
 * saved of it that resembles (ORIGINALS §4; proc(5)).
 *
 * Reads files of /proc: off the loop. Any thread, each value by one at a time.
 */
#ifndef COLONY_SESSION_FINGERPRINT_H
#define COLONY_SESSION_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct colony_error;
struct colony_workspace;

enum colony_fingerprint_field {
    FIELD_FILES,       /* paths of open regular files */
    FIELD_LISTEN,      /* "ip:port", local; IPv6 as ::1:5151 */
    FIELD_UDP,         /* "ip:port", local */
    FIELD_ESTABLISHED, /* "ip:port", remote */
    FIELD_CMDLINE,     /* argv, in order */
    FIELD_COUNT,
};

struct colony_fingerprint {
    struct {
        char **items; /* sorted but for the cmdline; NULL when there are none */
        size_t count;
    } fields[FIELD_COUNT];
};

#define COLONY_FINGERPRINT_SAME 0.9 /* from here on it is that state */

const char *colony_fingerprint_field_name(enum colony_fingerprint_field field);

/*
 * Sockets of the machine, read once (/proc/net of the process's own network namespace) and used for
 * as many processes of it as there are.
 */
struct colony_socket_table;
int colony_socket_table_read(struct colony_socket_table **out, pid_t pid, struct colony_error *err);
void colony_socket_table_free(struct colony_socket_table *table);

/* Of @pid now. @sockets NULL: they are read for it alone. -ESRCH; -EACCES: it is not ours to see.
 */
int colony_fingerprint_take(struct colony_fingerprint *out, pid_t pid,
                            const struct colony_socket_table *sockets, struct colony_error *err);
void colony_fingerprint_clear(struct colony_fingerprint *fingerprint);

/* What has become of one field since it was saved, in items. */
struct colony_fingerprint_change {
    size_t kept;
    size_t gone;
    size_t added;
};
void colony_fingerprint_compare(const struct colony_fingerprint *saved,
                                const struct colony_fingerprint *live,
                                enum colony_fingerprint_field field,
                                struct colony_fingerprint_change *out);
/* Between -1 and 1, of a saved and a live one. */
double colony_fingerprint_score(const struct colony_fingerprint *saved,
                                const struct colony_fingerprint *live);
/* Nothing differs. */
bool colony_fingerprint_is_equal(const struct colony_fingerprint *a,
                                 const struct colony_fingerprint *b);

/* fp/NAME.yaml, or fp/NAME.STATE.yaml with a state; an old .fp is read and written anew as YAML.
 * -ENOENT; -EINVAL with FILE:LINE:COLUMN. */
int colony_fingerprint_load(struct colony_fingerprint *out, struct colony_workspace *workspace,
                            const char *name, const char *state, struct colony_error *err);
int colony_fingerprint_save(const struct colony_fingerprint *fingerprint,
                            struct colony_workspace *workspace, const char *name, const char *state,
                            struct colony_error *err);

/* As YAML, as it is saved; the caller frees *text. -ENOMEM; -E2BIG: more than could be read again.
 */
int colony_fingerprint_format(const struct colony_fingerprint *fingerprint, char **text,
                              size_t *size);

/* What was saved of one process: its states, by name. */
struct colony_saved_state {
    char *state;
    struct colony_fingerprint fingerprint;
};
struct colony_saved_states {
    struct colony_saved_state *items;
    size_t count;
    char *problem; /* of the first one that cannot be used and is left out; NULL: all can be */
};
/* -EIO, -ENOMEM; a file that cannot be used is none: see problem. */
int colony_saved_states_load(struct colony_saved_states *out, struct colony_workspace *workspace,
                             const char *name, struct colony_error *err);
void colony_saved_states_clear(struct colony_saved_states *states);

/* The state that scores best, if that is COLONY_FINGERPRINT_SAME at least; else NULL. *score (may
 * be NULL) is the best there is. Borrowed of @states. */
const char *colony_saved_states_match(const struct colony_saved_states *states,
                                      const struct colony_fingerprint *live, double *score);

/*
 * The command lines of all living processes of our own user, read once: many are then looked for
 * among them at no further walk over /proc. What is started later is not in it.
 */
struct colony_process_index;
/* -ENOMEM; what /proc says. */
int colony_process_index_new(struct colony_process_index **out, struct colony_error *err);
/* NULL is fine. */
void colony_process_index_free(struct colony_process_index *index);
/* @pid is somebody's already: it is not found any more. */
void colony_process_index_take(struct colony_process_index *index, pid_t pid);

/*
 * A process of @index that is the one @saved was taken of: the same command line, and of several
 * the one that scores best, then the eldest. @mark: its COLONY_ID; who bears another is somebody
 * else's (NULL: whoever). Returns its pid, which is taken from then on, or 0.
 */
pid_t colony_process_index_find(struct colony_process_index *index,
                                const struct colony_fingerprint *saved, const char *mark);

#endif
