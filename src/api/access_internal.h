/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_internal.h - who may control colony (DESIGN §7).
 *
 * The peer is judged by its socket at accept, before a byte is read; then each request by the
 * rules against browsers that were led here by a foreign page.
 */
#ifndef COLONY_API_ACCESS_INTERNAL_H
#define COLONY_API_ACCESS_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/address.h"

struct colony__access;
struct colony__request;
struct colony__tokens;
struct colony_error;
struct colony_http_settings;

enum colony__rights {
    ACCESS_READ = 1 << 0,
    ACCESS_CONTROL = 1 << 1,
};

/* What opens an endpoint. */
enum colony__rule {
    RULE_PEER,  /* who the peer is, which its socket tells */
    RULE_TOKEN, /* a token in each request: beyond this machine, where there is a file of them */
    RULE_NONE,  /* nothing: beyond this machine, `insecure: true` and no tokens */
};

enum {
    COLONY__WHY_MAX = 96 + COLONY_ADDRESS_TEXT_MAX,
};

/* What a connection is known by. A plain value. */
struct colony__peer {
    bool is_unix;
    bool is_tls;
    enum colony__rule rule;
    unsigned rights;                   /* enum colony__rights; RULE_TOKEN: of the request at hand */
    char why[COLONY__WHY_MAX];         /* "uid 1000 over TCP", "http token NAME from …" */
    char own[COLONY_ADDRESS_TEXT_MAX]; /* TCP: the address it came to, "127.0.0.1:5000" */
};

/* Looks up the users and the group named in @settings; copies what it needs. -EINVAL, -ENOMEM. */
int colony__access_new(struct colony__access **out, const struct colony_http_settings *settings,
                       struct colony_error *err);
void colony__access_free(struct colony__access *access);

/*
 * Makes it that of an endpoint that controls nothing: anybody may come, from beyond this machine
 * with a token where there are some. @host (may be NULL) is one of its names. -ENOMEM.
 */
int colony__access_open(struct colony__access *access, const char *host);

/* Until it is told, root counts as the owner. */
void colony__access_set_owner(struct colony__access *access, uid_t owner);

/* Takes ownership of @tokens, in place of those it had; NULL: there are none. */
void colony__access_set_tokens(struct colony__access *access, struct colony__tokens *tokens);

/* The rule of an endpoint, as things are now. */
enum colony__rule colony__access_rule(const struct colony__access *access, int listening_fd);

/*
 * Judges the accepted socket @fd. -EACCES when its peer may not control colony, -ESRCH when nobody
 * can tell who that is; @peer->is_unix is set in any case.
 */
int colony__access_check_peer(const struct colony__access *access, int fd, enum colony__rule rule,
                              struct colony__peer *peer);

/*
 * Where a token is the rule, sets @peer->rights to what that of @request allows. -EACCES, which is
 * to be told as 401, when it has none or an unknown one.
 */
int colony__access_check_token(const struct colony__access *access, struct colony__peer *peer,
                               const struct colony__request *request, struct colony_error *err);

/*
 * Judges a request by its Host and Origin. *cors_origin is set to the Origin when it is a foreign
 * one that may read the answer, else to NULL. -EINVAL (no Host or several), -EACCES.
 */
int colony__access_check_request(const struct colony__access *access,
                                 const struct colony__peer *peer,
                                 const struct colony__request *request, const char **cors_origin,
                                 struct colony_error *err);

#endif
