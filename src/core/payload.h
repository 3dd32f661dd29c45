/* SPDX-License-Identifier: Apache-2.0 */
/*
 * payload.h - what a process is made of, as the sealed memfd that SPAWN carries.
 */
#ifndef COLONY_CORE_PAYLOAD_H
#define COLONY_CORE_PAYLOAD_H

#include <stdint.h>

struct colony_error;
struct colony_identity;
struct colony_template;

struct colony_payload_context {
    const char *instance;
    uint64_t nofile_soft; /* what children are given back of RLIMIT_NOFILE */
    uint64_t nofile_hard;
    const struct colony_identity *identity; /* for a template without one; NULL: none */
};

/*
 * The environment is, in this order: the mark COLONY_ID, what `os_env` or `env_inherit` take from
 * ours, the template's `env`. What our own service manager gave us never reaches a child (DESIGN
 * §4). Returns the descriptor, close-on-exec, or -E2BIG, -ENOMEM, other errors of memfd_create(2).
 */
int colony_payload_make(const struct colony_template *template, uint32_t slot,
                        const struct colony_payload_context *context, struct colony_error *err);

#endif
