/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what the fuzz targets share: checks that end a run, and inputs that are taken apart.
 *
 * A target is one file, fuzz_NAME.c, with one LLVMFuzzerTestOneInput; its first inputs are in
 * corpus/NAME. It calls the code as colony does, and checks what that code promises of whatever it
 * accepts: not only that nothing crashes.
 */
#ifndef COLONY_TESTS_FUZZ_H
#define COLONY_TESTS_FUZZ_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FUZZ_FD_MIN = 64, /* a keeper has the lower ones */
};

static int fuzz_stderr = STDERR_FILENO;

/* colony's own log goes to descriptor 2, which libFuzzer closes for that reason. */
static __attribute__((constructor)) void fuzz_keep_stderr(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, FUZZ_FD_MIN);

    fuzz_stderr = fd >= 0 ? fd : STDERR_FILENO;
}

/* Ends the run; libFuzzer keeps the input that led here. */
static inline __attribute__((noreturn)) void fuzz_fail(const char *file, int line, const char *what)
{
    (void)dprintf(fuzz_stderr, "%s:%d: `%s` is not so\n", file, line, what);
    abort();
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)

/* A copy with a NUL behind it, in memory of just that size; the caller frees it. */
static inline char *fuzz_text(const void *bytes, size_t size)
{
    char *text = malloc(size + 1);

    CHECK(text);
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

/* An input while it is taken apart. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next @size bytes; zeros stand for what is missing. */
static inline void fuzz_take(struct fuzz_input *input, void *out, size_t size)
{
    size_t taken = size < input->left ? size : input->left;

    memset(out, 0, size);
    if (taken > 0)
        memcpy(out, input->at, taken);
    input->at += taken;
    input->left -= taken;
}

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    uint8_t byte;

    fuzz_take(input, &byte, 1);
    return byte;
}

#endif
