/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h - what the files of faults.so share; preload.c says what it is for. */
#ifndef COLONY_TESTS_FAULTS_H
#define COLONY_TESTS_FAULTS_H

#include <dlfcn.h>
#include <stdbool.h>

/* As in driver.py. */
enum kind {
    KIND_NONE,
    KIND_ALLOC,  /* malloc and its kin, also within libraries */
    KIND_OPEN,   /* what opens files */
    KIND_FD,     /* what makes descriptors otherwise */
    KIND_WRITE,  /* of files */
    KIND_READ,   /* of files */
    KIND_SEND,   /* to sockets */
    KIND_MAP,    /* mmap */
    KIND_WATCH,  /* epoll_ctl, timerfd_settime */
    KIND_SPAWN,  /* processes and threads */
    KIND_FOLDER, /* names: rename, unlink, mkdir, bind */
    KIND_COUNT,
};

/* An exported name without a prototype of ours: libc's headers declare it, if anybody does. */
#define EXPORTED __attribute__((visibility("default")))

#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(name) *found;                                                            \
        if (!found)                                                                                \
            *(void **)&found = dlsym(RTLD_NEXT, #name);                                            \
        found;                                                                                     \
    })

/* A name of ours, which colony must not come to see. */
#define OURS __attribute__((visibility("hidden")))

/* This process is looked at. */
OURS bool is_watched(void);
/* Counts a call; true: it is to fail, and errno says of what. */
OURS bool fails(enum kind kind, const char *call);
/* clone3 counts, too, from now on. */
OURS void watch_clones(void);

#endif
