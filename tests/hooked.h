/* SPDX-License-Identifier: Apache-2.0 */
/* hooked.h - an allocator of the program's own for cJSON, whose blocks are no others. */
#ifndef COLONY_TESTS_HOOKED_H
#define COLONY_TESTS_HOOKED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum {
    HOOKED_MARK_SIZE = 16, /* before each block, which stays aligned */
};

static const char hooked_mark[HOOKED_MARK_SIZE] = "a block of cJSON";

static inline void *hooked_malloc(size_t size)
{
    char *block = malloc(HOOKED_MARK_SIZE + size);

    if (!block)
        return NULL;
    memcpy(block, hooked_mark, HOOKED_MARK_SIZE);
    return block + HOOKED_MARK_SIZE;
}

static inline void hooked_free(void *bytes)
{
    char *block = bytes ? (char *)bytes - HOOKED_MARK_SIZE : NULL;

    if (!block)
        return;
    if (memcmp(block, hooked_mark, HOOKED_MARK_SIZE) != 0) {
        (void)fputs("what is not cJSON's is freed as if it were\n", stderr);
        abort();
    }
    free(block);
}

static inline void hook_cjson(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){hooked_malloc, hooked_free});
}

#endif
