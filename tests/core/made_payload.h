/* SPDX-License-Identifier: Apache-2.0 */
/*
 * made_payload.h - a SPAWN payload made by hand, so that a test can also make one that lies.
 */
#ifndef COLONY_TESTS_MADE_PAYLOAD_H
#define COLONY_TESTS_MADE_PAYLOAD_H

#include "../scratch.h"

#include <sys/mman.h>

#include "core/message.h"

enum {
    ALL_SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};

struct made_payload {
    struct colony_payload header;
    char *strings; /* paths, argv, env, cwd */
    size_t size;
};

static inline void made_clear(struct made_payload *made)
{
    free(made->strings);
    memset(made, 0, sizeof *made);
}

static inline void made_add_bytes(struct made_payload *made, const char *bytes, size_t size)
{
    made->strings = realloc(made->strings, made->size + size);
    memcpy(made->strings + made->size, bytes, size);
    made->size += size;
}

/* Appends the NULL-terminated list; returns how long it is. */
static inline uint32_t made_add(struct made_payload *made, const char *const *texts)
{
    uint32_t count = 0;

    for (; texts && texts[count]; count++)
        made_add_bytes(made, texts[count], strlen(texts[count]) + 1);
    return count;
}

static inline void made_init(struct made_payload *made, const char *const *paths,
                             const char *const *argv, const char *const *env)
{
    memset(made, 0, sizeof *made);
    made->header.version = COLONY_PROTOCOL_VERSION;
    made->header.path_count = made_add(made, paths);
    made->header.argc = made_add(made, argv);
    made->header.envc = made_add(made, env);
}

/* Runs @script by /bin/sh with an empty environment. */
static inline void made_init_shell(struct made_payload *made, const char *script)
{
    const char *const paths[] = {"/bin/sh", NULL};
    const char *const argv[] = {"sh", "-c", script, NULL};

    made_init(made, paths, argv, NULL);
}

static inline void made_set_identity(struct made_payload *made, uint32_t uid, uint32_t gid)
{
    made->header.flags |= PAYLOAD_HAS_IDENTITY;
    made->header.uid = uid;
    made->header.gid = gid;
}

static inline void made_set_rlimit(struct made_payload *made, int resource, uint64_t soft,
                                   uint64_t hard)
{
    made->header.rlimits[made->header.rlimit_count++] =
        (struct colony_payload_rlimit){.resource = (uint32_t)resource, .soft = soft, .hard = hard};
}

/* The memfd, with @seals; -1. */
static inline int made_file(const struct made_payload *made, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || write(fd, &made->header, sizeof made->header) != (ssize_t)sizeof made->header ||
        write(fd, made->strings, made->size) != (ssize_t)made->size ||
        (seals != 0 && fcntl(fd, F_ADD_SEALS, seals) < 0))
        return -1;
    return fd;
}

#endif
