/* SPDX-License-Identifier: Apache-2.0 */
#include "api/access_internal.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/request_internal.h"
#include "api/tokens_internal.h"
#include "core/error.h"
#include "core/settings.h"
#include "core/sockdiag.h"
#include "core/users.h"

enum {
    UIDS_MAX = 1024,
    TEXTS_MAX = 256,         /* hosts or origins */
    PEER_GROUPS_MAX = 65536, /* NGROUPS_MAX */
};

struct colony__access {
    uid_t owner;
    uid_t uids[UIDS_MAX]; /* whom the settings or the group name */
    size_t uid_count;
    gid_t group; /* (gid_t)-1: there is no group `colony` */
    char *hosts[TEXTS_MAX];
    char *origins[TEXTS_MAX];
    bool is_insecure;
    bool is_open; /* it controls nothing: the peer on this machine need not be known */
    struct colony__tokens *tokens; /* NULL: none */
    int diag_fd;
};

/* A host and a port, as Host and Origin have them. */
struct authority {
    const char *host; /* with the brackets of an IPv6 address */
    size_t host_size;
    unsigned long long port;
};

static int add_uid(struct colony__access *access, uid_t uid)
{
    for (size_t i = 0; i < access->uid_count; i++)
        if (access->uids[i] == uid)
            return 0;
    if (access->uid_count == UIDS_MAX)
        return -E2BIG;
    access->uids[access->uid_count++] = uid;
    return 0;
}

static int add_user(struct colony__access *access, const char *name, struct colony_error *err)
{
    unsigned long long uid;
    struct colony_user user;

    if (colony__parse_number(name, UINT32_MAX - 1, &uid) < 0) {
        int rc = colony_user_find(&user, name);

        if (rc == -ENOENT)
            return colony_fail(err, -EINVAL, "cannot allow %s: there is no such user", name);
        if (rc < 0)
            return colony_fail_os(err, rc, "cannot allow %s", name);
        uid = user.uid;
    }
    if (add_uid(access, (uid_t)uid) < 0)
        return colony_fail(err, -EINVAL, "cannot allow %s: over %d users", name, UIDS_MAX);
    return 0;
}

/* A TCP peer shows its uid only, so the members are looked up by name beforehand. */
static void add_member(const char *name, void *data)
{
    struct colony_user user;

    if (colony_user_find(&user, name) == 0)
        (void)add_uid(data, user.uid);
}

static void add_group(struct colony__access *access)
{
    struct colony_group group;
    bool is_there = colony_group_find(&group, "colony", add_member, access) == 0;

    access->group = is_there ? group.gid : (gid_t)-1;
}

static int add_text(char *list[TEXTS_MAX], const char *text)
{
    size_t i = 0;

    while (i < TEXTS_MAX && list[i])
        i++;
    if (i == TEXTS_MAX)
        return -E2BIG;
    list[i] = strdup(text);
    return list[i] ? 0 : -ENOMEM;
}

/* The names of this machine and those of the settings. */
static int add_hosts(struct colony__access *access, const struct colony_http_settings *settings)
{
    char machine[HOST_NAME_MAX + 1] = "localhost";
    struct colony_bind bind;
    int rc;

    (void)gethostname(machine, sizeof machine - 1);
    rc = add_text(access->hosts, machine);
    for (char **host = settings->hosts; host && *host && rc == 0; host++)
        rc = add_text(access->hosts, *host);
    for (char **text = settings->bind; text && *text && rc == 0; text++)
        if (colony_bind_parse(&bind, *text, NULL) == 0 && !bind.is_unix)
            rc = add_text(access->hosts, bind.host);
    for (size_t i = 0; i < settings->endpoint_count && rc == 0; i++)
        if (colony_bind_parse(&bind, settings->endpoints[i].bind, NULL) == 0 && !bind.is_unix)
            rc = add_text(access->hosts, bind.host);
    for (char **origin = settings->cors_origins; origin && *origin && rc == 0; origin++)
        rc = add_text(access->origins, *origin);
    return rc;
}

int colony__access_new(struct colony__access **out, const struct colony_http_settings *settings,
                       struct colony_error *err)
{
    struct colony__access *access = calloc(1, sizeof *access);
    int rc = 0;

    if (!access)
        return colony_fail_os(err, -ENOMEM, "cannot open the control endpoint");
    access->is_insecure = settings->insecure;
    access->diag_fd = -1;
    add_group(access);
    for (char **name = settings->allow; name && *name && rc == 0; name++)
        rc = add_user(access, *name, err);
    if (rc < 0)
        goto out;
    rc = add_hosts(access, settings);
    if (rc == 0)
        rc = access->diag_fd = colony_sockdiag_open();
    if (rc < 0) {
        (void)colony_fail_os(err, rc, "cannot open the control endpoint");
        goto out;
    }
    *out = access;
    access = NULL;
    rc = 0;
out:
    colony__access_free(access);
    return rc;
}

void colony__access_free(struct colony__access *access)
{
    if (!access)
        return;
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        free(access->hosts[i]);
        free(access->origins[i]);
    }
    if (access->diag_fd >= 0)
        (void)close(access->diag_fd);
    colony__tokens_free(access->tokens);
    free(access);
}

int colony__access_open(struct colony__access *access, const char *host)
{
    int rc = host ? add_text(access->hosts, host) : 0;

    access->is_open = true;
    return rc == -E2BIG ? 0 : rc; /* the list of the settings is full */
}

void colony__access_set_tokens(struct colony__access *access, struct colony__tokens *tokens)
{
    colony__tokens_free(access->tokens);
    access->tokens = tokens;
}

void colony__access_set_owner(struct colony__access *access, uid_t owner)
{
    access->owner = owner;
}

static bool is_allowed_uid(const struct colony__access *access, uid_t uid)
{
    if (uid == 0 || uid == access->owner)
        return true;
    for (size_t i = 0; i < access->uid_count; i++)
        if (access->uids[i] == uid)
            return true;
    return false;
}

static bool is_in_group(const struct colony__access *access, int fd, gid_t primary)
{
    socklen_t size = 0;
    gid_t *groups;
    bool found = false;

    if (access->group == (gid_t)-1)
        return false;
    if (primary == access->group)
        return true;
    /* Asked without room, the kernel tells the size. */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE ||
        size > PEER_GROUPS_MAX * sizeof *groups)
        return false;
    groups = malloc(size);
    if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
        for (size_t i = 0; i < size / sizeof *groups && !found; i++)
            found = groups[i] == access->group;
    free(groups);
    return found;
}

static int check_unix_peer(const struct colony__access *access, int fd, struct colony__peer *peer)
{
    struct ucred cred;
    socklen_t size = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 || cred.uid == (uid_t)-1)
        return -ESRCH;
    (void)snprintf(peer->why, sizeof peer->why, "uid %u over the unix socket", cred.uid);
    if (!is_allowed_uid(access, cred.uid) && !is_in_group(access, fd, cred.gid))
        return -EACCES;
    peer->rights = ACCESS_READ | ACCESS_CONTROL;
    return 0;
}

enum colony__rule colony__access_rule(const struct colony__access *access, int listening_fd)
{
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;

    if (access->is_open)
        return RULE_NONE;
    if (getsockname(listening_fd, (struct sockaddr *)&own, &size) < 0 || own.ss_family == AF_UNIX ||
        colony_address_is_loopback(&own))
        return RULE_PEER;
    if (access->tokens)
        return RULE_TOKEN;
    return access->is_insecure ? RULE_NONE : RULE_PEER;
}

static int check_tcp_peer(const struct colony__access *access, int fd,
                          const struct sockaddr_storage *own, struct colony__peer *peer)
{
    struct sockaddr_storage address;
    char text[COLONY_ADDRESS_TEXT_MAX];
    socklen_t size = sizeof address;
    uid_t uid;

    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
        return -ESRCH;
    colony_address_format(own, peer->own);
    if (access->is_open) /* tokens may have come since it listens */
        peer->rule =
            access->tokens && !colony_address_is_loopback(&address) ? RULE_TOKEN : RULE_NONE;
    if (peer->rule != RULE_PEER) {
        colony_address_format(&address, text);
        (void)snprintf(peer->why, sizeof peer->why, "http from %s", text);
        peer->rights = peer->rule == RULE_NONE ? ACCESS_READ | ACCESS_CONTROL : 0;
        return 0;
    }
    if (colony_sockdiag_uid(access->diag_fd, &address, own, &uid) < 0)
        return -ESRCH;
    if (!is_allowed_uid(access, uid))
        return -EACCES;
    (void)snprintf(peer->why, sizeof peer->why, "uid %u over TCP", uid);
    peer->rights = ACCESS_READ | ACCESS_CONTROL;
    return 0;
}

int colony__access_check_peer(const struct colony__access *access, int fd, enum colony__rule rule,
                              struct colony__peer *peer)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof own;

    memset(peer, 0, sizeof *peer);
    memset(&own, 0, sizeof own);
    peer->rule = rule;
    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
        return -ESRCH;
    peer->is_unix = own.ss_family == AF_UNIX;
    if (peer->is_unix)
        return check_unix_peer(access, fd, peer);
    return check_tcp_peer(access, fd, &own, peer);
}

/* What follows `Bearer ` in the one Authorization header there is, or NULL. */
static const char *bearer_token(const struct colony__request *request)
{
    static const char scheme[] = "Bearer ";
    size_t count;
    const char *value = colony__request_header(request, "Authorization", &count);

    if (count != 1 || strncasecmp(value, scheme, sizeof scheme - 1) != 0)
        return NULL;
    value += sizeof scheme - 1;
    return value + strspn(value, " ");
}

/* Whose token it was stands before where it came from. */
static void name_token(struct colony__peer *peer, const char *name)
{
    const char *from = strstr(peer->why, "from ");
    char text[COLONY_ADDRESS_TEXT_MAX + 8];

    (void)snprintf(text, sizeof text, "%s", from ? from : "");
    (void)snprintf(peer->why, sizeof peer->why, "http token %s %s", name, text);
}

int colony__access_check_token(const struct colony__access *access, struct colony__peer *peer,
                               const struct colony__request *request, struct colony_error *err)
{
    const char *token;
    const char *name;

    if (peer->rule != RULE_TOKEN)
        return 0;
    peer->rights = 0;
    token = bearer_token(request);
    if (!token)
        return colony_fail(err, -EACCES,
                           "cannot do this without a token: send one header `Authorization: Bearer "
                           "TOKEN`");
    if (access->tokens)
        peer->rights = colony__tokens_find(access->tokens, token, &name);
    if (peer->rights == 0)
        return colony_fail(err, -EACCES, "cannot do this: the token is none of this colony's");
    name_token(peer, name);
    return 0;
}

/* "localhost:5000", "[::1]" → host and port (that of the scheme when there is none). -EINVAL. */
static int parse_authority(const char *text, bool is_tls, struct authority *authority)
{
    size_t size = text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");

    if (size > strlen(text) || size == 0)
        return -EINVAL;
    authority->host = text;
    authority->host_size = size;
    authority->port = is_tls ? 443 : 80;
    if (text[size] == '\0')
        return 0;
    if (text[size] != ':')
        return -EINVAL;
    return colony__parse_number(text + size + 1, 65535, &authority->port);
}

static bool is_host(const struct authority *authority, const char *host)
{
    return strlen(host) == authority->host_size &&
           strncasecmp(host, authority->host, authority->host_size) == 0;
}

static bool is_known_host(const struct colony__access *access, const struct colony__peer *peer,
                          const struct authority *authority)
{
    struct authority own;

    if (is_host(authority, "localhost") || is_host(authority, "127.0.0.1") ||
        is_host(authority, "[::1]"))
        return true;
    /* The address that was connected to: a name cannot lead here under it. */
    if (parse_authority(peer->own, false, &own) == 0 && own.host_size == authority->host_size &&
        strncasecmp(own.host, authority->host, own.host_size) == 0)
        return true;
    for (size_t i = 0; i < TEXTS_MAX && access->hosts[i]; i++)
        if (is_host(authority, access->hosts[i]))
            return true;
    return false;
}

static int check_host(const struct colony__access *access, const struct colony__peer *peer,
                      const struct colony__request *request, struct authority *authority,
                      struct colony_error *err)
{
    size_t count;
    const char *host = colony__request_header(request, "Host", &count);

    authority->host_size = 0;
    if (count > 1)
        return colony_fail(err, -EINVAL, "cannot tell the host: there are %zu Host headers", count);
    if (!host && !request->is_http10 && !peer->is_unix)
        return colony_fail(err, -EINVAL, "cannot tell the host: HTTP/1.1 needs a Host header");
    if (request->authority)
        host = request->authority;
    if (!host)
        return 0;
    if (parse_authority(host, peer->is_tls, authority) < 0) {
        authority->host_size = 0;
        return peer->is_unix ? 0
                             : colony_fail(err, -EINVAL, "cannot tell the host from '%s'", host);
    }
    if (is_known_host(access, peer, authority))
        return 0;
    authority->host_size = 0;
    if (peer->is_unix) /* no browser gets there, so the name means nothing */
        return 0;
    return colony_fail(err, -EACCES,
                       "cannot serve the host '%s': it is not one of this endpoint's (list it "
                       "under http: hosts:)",
                       host);
}

/* Whether a page of @origin, which must be of that @scheme, is of the host that was asked. */
static bool is_page_of(const char *origin, const char *scheme, bool is_tls,
                       const struct authority *host)
{
    struct authority from = {0};

    return strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
           parse_authority(origin + strlen(scheme), is_tls, &from) == 0 && host->host &&
           from.host_size == host->host_size && from.port == host->port &&
           strncasecmp(from.host, host->host, host->host_size) == 0;
}

int colony__access_check_request(const struct colony__access *access,
                                 const struct colony__peer *peer,
                                 const struct colony__request *request, const char **cors_origin,
                                 struct colony_error *err)
{
    const char *origin;
    struct authority host = {0};
    size_t count;
    int rc = check_host(access, peer, request, &host, err);

    *cors_origin = NULL;
    if (rc < 0)
        return rc;
    origin = colony__request_header(request, "Origin", &count);
    if (count > 1)
        return colony_fail(err, -EINVAL, "cannot tell the origin: there are %zu", count);
    if (!origin)
        return 0;
    if (is_page_of(origin, peer->is_tls ? "https://" : "http://", peer->is_tls, &host))
        return 0;
    for (size_t i = 0; i < TEXTS_MAX && access->origins[i]; i++)
        if (strcasecmp(access->origins[i], origin) == 0 && strcasecmp(origin, "null") != 0) {
            *cors_origin = origin;
            return 0;
        }
    /* Anybody on the way can have written it, so it is no page of ours. */
    if (peer->is_tls && is_page_of(origin, "http://", true, &host))
        return colony_fail(err, -EACCES,
                           "cannot serve a page of '%s': it came without TLS (send an Origin of "
                           "https:// or none, or list it under http: cors_origins:)",
                           origin);
    return colony_fail(err, -EACCES,
                       "cannot serve a page of '%s': it is not one of this endpoint's (list it "
                       "under http: cors_origins:)",
                       origin);
}
