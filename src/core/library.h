/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library.h - opens a shared library on first use (DESIGN §8).
 *
 * What few need is not linked: it would cost every start of colony time and memory. A note in the
 * binary tells packagers what may be opened (COLONY_LIBRARY_NOTE).
 */
#ifndef COLONY_CORE_LIBRARY_H
#define COLONY_CORE_LIBRARY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct colony_error;

/* A function of it, and where in the caller's table its address goes. */
struct colony_symbol {
    const char *name; /* NULL ends a list */
    size_t offset;
};

/* One of the program's; PTHREAD_MUTEX_INITIALIZER is its @lock. */
struct colony_library {
    const char *soname;                          /* "libssl.so.3" */
    const char *package;                         /* Debian's, for people */
    const char *purpose;                         /* "TLS" */
    const struct colony_symbol *symbols;         /* also of what it depends on */
    void *table;                                 /* of the caller: gets their addresses */
    int (*make_ready)(struct colony_error *err); /* once they are there; may be NULL */
    pthread_mutex_t lock;
    bool is_open;
};

/*
 * Opens @library, once: it stays open. Any thread. -ENOENT with the package to install, -ENOTSUP:
 * it lacks a function; or as make_ready() says.
 */
int colony_library_open(struct colony_library *library, struct colony_error *err);

/* NOLINTBEGIN(bugprone-macro-parentheses): a name and literals, which take none */
/*
 * The ELF note of https://uapi-group.org/specifications/specs/elf_dlopen_metadata/. Texts are
 * literals without quotes.
 */
#define COLONY_LIBRARY_NOTE(variable, feature, description, soname)                                \
    __attribute__((used, section(".note.dlopen"), aligned(4))) static const struct {               \
        unsigned name_size;                                                                        \
        unsigned text_size;                                                                        \
        unsigned type;                                                                             \
        char name[4];                                                                              \
        char text[sizeof COLONY_LIBRARY_TEXT(feature, description, soname)];                       \
    } variable = {4, sizeof COLONY_LIBRARY_TEXT(feature, description, soname), 0x407c0c0aU, "FDO", \
                  COLONY_LIBRARY_TEXT(feature, description, soname)}
#define COLONY_LIBRARY_TEXT(feature, description, soname)                                          \
    "[{\"feature\":\"" feature "\",\"description\":\"" description                                 \
    "\",\"priority\":\"suggested\",\"soname\":[\"" soname "\"]}]"
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
