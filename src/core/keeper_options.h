/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_options.h - what keeper and engine are started with, as a command line.
 *
 * `colony serve` reads and checks the settings, then becomes the keeper with these options; keeper
 * and engine hand them to each other, so that a takeover needs no settings file. libc only.
 */
#ifndef COLONY_CORE_KEEPER_OPTIONS_H
#define COLONY_CORE_KEEPER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/message.h"

struct colony_error;

enum {
    KEEPER_IDENTITIES_MAX = 64,
    KEEPER_SOCKETS_MAX = 64,
    KEEPER_ARGS_MAX = 320,
};

struct colony_keeper_identity {
    uint32_t uid;
    uint32_t gid;
    uint32_t group_count;
    uint32_t groups[COLONY_PAYLOAD_GROUPS];
};

enum colony_grant {
    GRANT_NICE = 1 << 0,
    GRANT_OOM = 1 << 1,
    GRANT_RLIMITS = 1 << 2,
};

struct colony_held_socket {
    char name[COLONY_SOCKET_NAME_SIZE];
    int fd;
    bool is_lent; /* a service manager made it: its file stays */
};

struct colony_keeper_options {
    char state_dir[4096];
    char program[4096]; /* what UPGRADE runs: where colony was installed when it was started */
    char pidfile[4096]; /* "": none */
    char config[4096];  /* what a reload reads; absolute; "": none */
    char name[4096];    /* of this colony, for its log */
    char title[4096];   /* what ps shows them as: `colony: TITLE`; "": as they were started */
    int lock_fd;        /* flock on the state folder */
    int link_fd;        /* engine: its end of the socketpair. Keeper with a host: where that sends
                           it links (keeper_host.c); -1 */
    int host_fd;        /* keeper: pidfd of the program whose engine is in it; -1: it starts one */
    int keeper_pid;     /* engine only: whose child it is while that one lives; -1 */
    int ready_fd;       /* gets one byte, the exit code, when it serves or fails; -1 */
    int ending_with;    /* keeper: colony was asked to end before this one began, with that exit
                           code; -1: it was not */
    int log_level;
    int log_style;
    bool is_managed;      /* a service manager restarts us: an engine without keeper just ends */
    bool leaves;          /* keeper: when its host is gone, what runs goes on */
    bool is_temporary;    /* keeper: the state folder is removed at the end */
    bool is_check;        /* keeper: tells whether it could go on with all of this, and ends */
    bool is_orphaned;     /* engine: its keeper's host is gone; it stops what runs, no more */
    bool has_user;        /* the engine runs as identities[0]; others may only be spawned as */
    uint32_t grants;      /* enum colony_grant */
    uint64_t nofile_soft; /* as it was before colony raised it */
    struct colony_keeper_identity identities[KEEPER_IDENTITIES_MAX];
    size_t identity_count;
    struct colony_held_socket sockets[KEEPER_SOCKETS_MAX];
    size_t socket_count;
};

/* All empty, descriptors -1. */
void colony_keeper_options_init(struct colony_keeper_options *options);

/* Removes the files of its unix sockets, but for those that a service manager has made. */
void colony_keeper_options_unlink(const struct colony_keeper_options *options);

/* Reads what colony_keeper_options_argv wrote. -EINVAL with the option's name. */
int colony_keeper_options_parse(struct colony_keeper_options *options, int argc, char **argv,
                                struct colony_error *err);

/*
 * argv for `colony ROLE` ("keeper" or "engine"): NULL-terminated, the caller frees the one block it
 * is. NULL: out of memory.
 */
char **colony_keeper_options_argv(const struct colony_keeper_options *options, const char *role);

#endif
