/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/look.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/target.h"
#include "rpc/client.h"
#include "rpc/curve.h"

static int find_there(struct colony_rpc_found *found, const struct colony_rpc_look *look,
                      const struct colony_rpc_place *place, uint64_t deadline_ms,
                      struct colony_error *err)
{
    uint64_t now = colony_target_now_ms();
    struct colony_rpc_ssh ask = look->ssh;
    struct colony_error reason = {0};
    char *text = NULL;
    int rc;

    ask.host = place->host;
    ask.name = place->name;
    ask.deadline_ms = deadline_ms;
    if (look->ssh_ms != UINT64_MAX && now + look->ssh_ms < deadline_ms)
        ask.deadline_ms = now + look->ssh_ms;
    rc = colony_rpc_ssh_lookup(&ask, &text, err);
    if (rc < 0)
        return rc;
    rc = colony_rpc_find_told(found, text, place->host, &reason);
    free(text);
    return rc < 0 ? colony_fail(err, -EHOSTUNREACH, "%s", reason.message) : 0;
}

int colony_rpc_look_find(struct colony_rpc_look *look, uint64_t deadline_ms,
                         struct colony_error *err)
{
    struct colony_rpc_found found = {0};
    struct colony_rpc_place place;
    int rc = colony_rpc_place_parse(&place, look->place, err);

    if (rc == 0)
        rc = colony_rpc_find(&found, &place, err);
    if (rc == -EREMOTE)
        rc = find_there(&found, look, &place, deadline_ms, err);
    if (rc < 0)
        return rc;
    if (look->found.pid && !found.pid) /* NAME:PORT of a daemon is no host now that it is gone */
        return colony_fail(err, -ENOENT, "cannot find a daemon %s on port %u", place.name,
                           place.port);
    if (!found.pid && look->server_key) {
        if (!colony_rpc_is_key(look->server_key))
            return colony_fail(err, -EINVAL,
                               "cannot use the server's key: it is 40 characters of Z85");
        (void)snprintf(found.public_key, sizeof found.public_key, "%s", look->server_key);
    }
    look->found = found;
    return 0;
}

static int load_keys(struct colony_rpc_look *look, struct colony_error *err)
{
    char path[PATH_MAX];
    struct colony_error reason = {0};

    if (!look->key_file && colony_rpc_default_key(path, sizeof path) < 0)
        return colony_fail(err, -EACCES, "cannot find our keys: there is no home");
    if (colony_rpc_keys_load(&look->keys, look->key_file ? look->key_file : path, &reason) == 0)
        return 0;
    return colony_fail(err, -EACCES, "%s", reason.message);
}

static int look_again(struct colony_rpc_target *out, uint64_t deadline_ms, void *data,
                      struct colony_error *err)
{
    struct colony_rpc_look *look = data;
    int rc = colony_rpc_look_find(look, deadline_ms, err);

    return rc < 0 ? rc : colony_rpc_look_aim(look, out, err);
}

int colony_rpc_look_aim(struct colony_rpc_look *look, struct colony_rpc_target *out,
                        struct colony_error *err)
{
    *out = (struct colony_rpc_target){.place = look->found.endpoint,
                                      .pid = look->found.pid,
                                      .pid_start = look->found.pid_start,
                                      .look = look_again,
                                      .data = look};
    if (look->found.public_key[0] == '\0')
        return 0;
    out->server_key = look->found.public_key;
    out->public_key = look->keys.public;
    out->secret_key = look->keys.secret;
    return load_keys(look, err);
}

void colony_rpc_look_clear(struct colony_rpc_look *look)
{
    explicit_bzero(&look->keys, sizeof look->keys);
}
