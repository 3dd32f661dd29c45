/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.h - what a process is made of, as SPAWN carries it.
 */
#ifndef COLONY_CORE_PAYLOAD_H
#define COLONY_CORE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_error;
struct colony_identity;
struct colony_template;

struct colony_payload_context {
    const char *instance;
    const char *state_dir; /* where the keeper makes notify sockets */
    uint64_t nofile_soft;  /* what children are given back of RLIMIT_NOFILE */
    uint64_t nofile_hard;
    const struct colony_identity *identity; /* for a template without one; NULL: none */
};

/* True when a process of it has a socket to notify us through: its slot needs a STREAM_NOTIFY. */
bool colony_payload_has_notify(const struct colony_template *template);

/* True for a variable, NAME or NAME=VALUE, of ours that no process inherits. */
bool colony_payload_withholds(const char *entry);

/* @source is "colony", "colony's environment", "env_file" or "env". All are valid during the call.
 */
typedef void (*colony_variable_cb)(const char *name, const char *value, const char *source,
                                   void *data);

/*
 * Calls @cb for each variable of the environment, by name. Of each name the last in this order
 * wins: what `os_env` or `env_inherit` take from ours, `env_file`, the template's `env`, what
 * colony says (its mark COLONY_ID, NOTIFY_SOCKET, WATCHDOG_USEC). What our own service manager gave
 * us never reaches a child (DESIGN §4). Reads and changes nothing else: it is the truth at the time
 * of asking.
 *
 * Returns 0, -ENOMEM, or -ENAMETOOLONG: the state folder's path is too long for a notify socket.
 */
int colony_payload_each_variable(const struct colony_template *template, uint32_t slot,
                                 const struct colony_payload_context *context,
                                 colony_variable_cb cb, void *data);

struct colony_payload_bytes {
    char *data; /* a struct colony_payload and its strings */
    size_t size;
};

/* With that environment. 0, -E2BIG, -ENOMEM, -ENAMETOOLONG. */
int colony_payload_make(struct colony_payload_bytes *out, const struct colony_template *template,
                        uint32_t slot, const struct colony_payload_context *context,
                        struct colony_error *err);
void colony_payload_clear(struct colony_payload_bytes *bytes);

/* A sealed memfd of them, for what a message does not hold. The descriptor, close-on-exec, or
 * errors of memfd_create(2) and write(2). */
int colony_payload_seal(const struct colony_payload_bytes *bytes);

/* The file that a process of @template touches (HEALTH_HEARTBEAT). -ENAMETOOLONG. */
int colony_payload_heart_path(char *path, size_t size, const struct colony_template *template,
                              uint32_t slot, const char *state_dir);

#endif
