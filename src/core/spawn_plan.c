/* SPDX-License-Identifier: Apache-2.0 */
/* spawn_plan.c - checks what the engine ordered before anything of it is used. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/spawn.h"

enum {
    SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW,
};

/* The next string of the payload; NULL when it does not end within it. */
static char *take_string(char **cursor, const char *end)
{
    char *text = *cursor;
    char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

    if (!nul)
        return NULL;
    *cursor = nul + 1;
    return text;
}

static int take_strings(char **out, uint32_t count, char **cursor, const char *end)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = take_string(cursor, end);
        if (!out[i])
            return -EBADMSG;
    }
    out[count] = NULL;
    return 0;
}

static int check_counts(const struct colony_payload *payload, size_t size)
{
    /* Each string has one byte at least, so no count can exceed the size. */
    if (payload->version < 1 || payload->path_count == 0 || payload->argc == 0 ||
        payload->path_count > size || payload->argc > size || payload->envc > size ||
        payload->group_count > COLONY_PAYLOAD_GROUPS ||
        payload->rlimit_count > COLONY_PAYLOAD_RLIMITS)
        return -EBADMSG;
    return 0;
}

static int point_to_strings(struct colony_spawn_plan *plan)
{
    const struct colony_payload *payload = plan->payload;
    char *cursor = (char *)plan->payload + sizeof *payload;
    const char *end = (const char *)plan->payload + plan->payload_size;
    size_t total = (size_t)payload->path_count + payload->argc + payload->envc + 3;
    int rc;

    plan->paths = calloc(total, sizeof *plan->paths);
    if (!plan->paths)
        return -ENOMEM;
    plan->argv = plan->paths + payload->path_count + 1;
    plan->env = plan->argv + payload->argc + 1;
    rc = take_strings(plan->paths, payload->path_count, &cursor, end);
    if (rc == 0)
        rc = take_strings(plan->argv, payload->argc, &cursor, end);
    if (rc == 0)
        rc = take_strings(plan->env, payload->envc, &cursor, end);
    if (rc == 0 && payload->flags & PAYLOAD_HAS_CWD) {
        plan->cwd = take_string(&cursor, end);
        rc = plan->cwd ? 0 : -EBADMSG;
    }
    return rc;
}

static int check(struct colony_spawn_plan *plan)
{
    int rc = check_counts(plan->payload, plan->payload_size);

    if (rc == 0)
        rc = point_to_strings(plan);
    if (rc < 0)
        colony_spawn_plan_clear(plan);
    return rc;
}

int colony_spawn_plan_init(struct colony_spawn_plan *plan, int fd)
{
    struct stat info;
    void *map;
    int seals;

    memset(plan, 0, sizeof *plan);
    seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS)
        return -EPERM;
    if (fstat(fd, &info) < 0)
        return -errno;
    if (info.st_size < (off_t)sizeof(struct colony_payload) || info.st_size > COLONY_PAYLOAD_MAX)
        return -EBADMSG;
    map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    plan->payload = map;
    plan->payload_size = (size_t)info.st_size;
    plan->is_mapped = true;
    return check(plan);
}

int colony_spawn_plan_copy(struct colony_spawn_plan *plan, const void *payload, size_t size)
{
    void *copy;

    memset(plan, 0, sizeof *plan);
    if (size < sizeof(struct colony_payload))
        return -EBADMSG;
    copy = malloc(size);
    if (!copy)
        return -ENOMEM;
    plan->payload = memcpy(copy, payload, size);
    plan->payload_size = size;
    return check(plan);
}

bool colony_spawn_plan_has_limits(const struct colony_spawn_plan *plan)
{
    const struct colony_payload *payload = plan->payload;

    return payload->memory_max_bytes > 0 || payload->cpu_max_milli > 0 || payload->pids_max > 0;
}

void colony_spawn_plan_clear(struct colony_spawn_plan *plan)
{
    free(plan->paths);
    if (plan->is_mapped)
        (void)munmap((void *)plan->payload, plan->payload_size);
    else
        free((void *)plan->payload);
    memset(plan, 0, sizeof *plan);
}
