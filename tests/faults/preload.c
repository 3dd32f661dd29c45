/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preload.c - makes the n-th call of a kind fail, in colony's keeper or engine alone.
 *
 * Loaded by LD_PRELOAD. COLONY_FAULTS names a file of one `struct block` for the keeper and one for
 * the engine, which tests/faults/driver.py maps: it arms a fault in a colony that runs, and reads
 * what was counted. Who is neither keeper nor engine (by its command line) is left alone.
 *
 * Here is what is armed, and memory; preload_calls.c has the other calls, preload_clones.c clone3.
 */
#include "faults.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum mode {
    MODE_ONCE,  /* the n-th */
    MODE_ON,    /* the n-th and all that follow */
    MODE_OFTEN, /* by chance, from the n-th on */
};

enum {
    TRACE_DEPTH = 24,
    BLOCK_BYTES = 4096,
};

struct block {
    uint32_t kind; /* what is armed; written last */
    uint32_t mode;
    uint64_t first;
    uint64_t seen; /* of that kind, since it was armed */
    uint64_t failed;
    uint64_t random;
    uint32_t chance; /* of 65536 */
    uint32_t pid;
    uint64_t counts[KIND_COUNT];
    int64_t living;              /* allocations that are not freed */
    char call[16];               /* the first that failed */
    uint32_t depth;              /* of trace; written last */
    uint64_t trace[TRACE_DEPTH]; /* where it was called */
};

static const int errors[KIND_COUNT] = {
    [KIND_ALLOC] = ENOMEM, [KIND_OPEN] = EMFILE,  [KIND_FD] = EMFILE,  [KIND_WRITE] = ENOSPC,
    [KIND_READ] = EIO,     [KIND_SEND] = ENOBUFS, [KIND_MAP] = ENOMEM, [KIND_WATCH] = ENOSPC,
    [KIND_SPAWN] = EAGAIN, [KIND_FOLDER] = ENOSPC};

static struct block *block; /* NULL: left alone */

static bool is_hit(uint64_t nth)
{
    uint64_t random;

    switch ((enum mode)block->mode) {
    case MODE_ONCE:
        return nth == block->first;
    case MODE_ON:
        return nth >= block->first;
    case MODE_OFTEN:
        random = __atomic_add_fetch(&block->random, 0x9e3779b97f4a7c15U, __ATOMIC_RELAXED);
        random = (random ^ random >> 30) * 0xbf58476d1ce4e5b9U;
        random = (random ^ random >> 27) * 0x94d049bb133111ebU;
        return nth >= block->first && (random >> 40) % 65536 < block->chance;
    }
    return false;
}

static void remember_place(const char *call)
{
    static __thread bool is_here;
    void *trace[TRACE_DEPTH];
    int depth;

    if (__atomic_fetch_add(&block->failed, 1, __ATOMIC_RELAXED) > 0 || is_here)
        return;
    is_here = true;
    depth = backtrace(trace, TRACE_DEPTH);
    is_here = false;
    for (int i = 0; i < depth; i++)
        block->trace[i] = (uintptr_t)trace[i];
    (void)snprintf(block->call, sizeof block->call, "%s", call);
    __atomic_store_n(&block->depth, (uint32_t)depth, __ATOMIC_RELEASE);
}

bool is_watched(void)
{
    return block;
}

bool fails(enum kind kind, const char *call)
{
    uint64_t nth;

    if (!block)
        return false;
    (void)__atomic_fetch_add(&block->counts[kind], 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&block->kind, __ATOMIC_ACQUIRE) != kind)
        return false;
    nth = __atomic_add_fetch(&block->seen, 1, __ATOMIC_RELAXED);
    if (!is_hit(nth))
        return false;
    remember_place(call);
    errno = errors[kind];
    return true;
}

/* Memory. */

EXPORTED void *__libc_malloc(size_t size);
EXPORTED void *__libc_calloc(size_t count, size_t size);
EXPORTED void *__libc_realloc(void *old, size_t size);
EXPORTED void *__libc_memalign(size_t alignment, size_t size);
EXPORTED void __libc_free(void *memory);

static void *count_living(void *memory, int change)
{
    if (block && memory)
        (void)__atomic_fetch_add(&block->living, change, __ATOMIC_RELAXED);
    return memory;
}

EXPORTED void *malloc(size_t size)
{
    return fails(KIND_ALLOC, "malloc") ? NULL : count_living(__libc_malloc(size), 1);
}

EXPORTED void *calloc(size_t count, size_t size)
{
    return fails(KIND_ALLOC, "calloc") ? NULL : count_living(__libc_calloc(count, size), 1);
}

EXPORTED void *realloc(void *old, size_t size)
{
    void *memory;

    if (size > 0 && fails(KIND_ALLOC, "realloc"))
        return NULL;
    memory = __libc_realloc(old, size);
    if (!old)
        (void)count_living(memory, 1);
    else if (size == 0)
        (void)count_living(old, -1);
    return memory;
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(KIND_ALLOC, "aligned_alloc") ? NULL
                                              : count_living(__libc_memalign(alignment, size), 1);
}

EXPORTED int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = aligned_alloc(alignment, size);

    if (!memory)
        return ENOMEM;
    *out = memory;
    return 0;
}

EXPORTED void free(void *memory)
{
    (void)count_living(memory, -1);
    __libc_free(memory);
}

/* Who we are. */

static int role(void)
{
    static const char *const starts[] = {"colony\0keeper", "colony\0engine"};
    char line[32] = "";
    int fd = REAL(open)("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    (void)REAL(read)(fd, line, sizeof line - 1);
    (void)close(fd);
    for (int i = 0; i < 2; i++)
        if (memcmp(line, starts[i], sizeof "colony\0keeper") == 0)
            return i;
    return -1;
}

static __attribute__((constructor)) void begin(void)
{
    const char *path = getenv("COLONY_FAULTS");
    int who = role();
    void *warm[1];
    void *map;
    int fd;

    if (!path || who < 0)
        return;
    fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    map = REAL(mmap)(NULL, 2 * (size_t)BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (map == MAP_FAILED)
        return;
    (void)backtrace(warm, 1); /* what it loads, it loads now */
    if (who == 0)
        watch_clones();
    block = (struct block *)((char *)map + (size_t)who * BLOCK_BYTES);
    block->living = 0;
    block->pid = (uint32_t)getpid();
}
