/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - where a running colony is reached: `unix:PATH`, `http://HOST:PORT` or https.
 */
#ifndef COLONY_CORE_TARGET_H
#define COLONY_CORE_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct colony_error;

enum {
    COLONY_TARGET_TOKEN_MAX = 128,
};

struct colony_target {
    bool is_unix;
    bool is_tls;
    bool is_for_events;  /* the endpoint of events, where nothing is controlled */
    char path[PATH_MAX]; /* of the socket */
    char host[256];      /* without the brackets of an IPv6 address */
    char port[8];
    char text[PATH_MAX + 8]; /* for people */
    const char *cacert; /* TLS: who may have signed its certificate; NULL: whom the system trusts */
    const char *cert;   /* TLS: our own certificate, or NULL */
    const char *key;    /* its key; NULL: it is in the same file */
    char token[COLONY_TARGET_TOKEN_MAX + 1]; /* "": none */
};

/*
 * Reads `unix:PATH`, `http://HOST[:PORT]`, the same with https (a trailing / is fine) and what
 * `serve --bind` takes: `HOST:PORT`, `[V6]:PORT`, `PORT` of 127.0.0.1. Port 5000 unless given.
 * -EINVAL with the reason.
 */
int colony_target_parse(struct colony_target *target, const char *text, struct colony_error *err);

/*
 * The socket of the colony that this user most likely means: the user's own if something listens
 * there, else the system's if that is so there, else the user's own. -EACCES when the user's own
 * stands in a folder of somebody else's.
 */
int colony_target_find(struct colony_target *target, struct colony_error *err);

/*
 * Connects within 5 seconds. Returns a blocking descriptor that the caller closes, or -EACCES when
 * the system forbids it, -ECONNREFUSED for every other reason (so its exit code is 69). @err says
 * what to do.
 */
int colony_target_connect(const struct colony_target *target, struct colony_error *err);

/*
 * The token to show there: what the file @path holds, or @text if that is NULL; both may be NULL.
 * -EINVAL: it is none, or would go over the network in clear; what secret.h says of the file.
 */
int colony_target_set_token(struct colony_target *target, const char *path, const char *text,
                            struct colony_error *err);

/* Milliseconds of the monotonic clock, for deadlines. */
uint64_t colony_target_now_ms(void);
/* Milliseconds from now until then, for poll(2): 0 when it is over. */
int colony_target_until_ms(uint64_t at_ms);
/* The shorter of two times to wait, of which -1 is for ever. */
int colony_target_least_ms(int one, int other);

#endif
