/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/curve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/paths.h"
#include "core/secret.h"
#include "core/zmq.h"

#define KEY_FILE "rpc.key"

enum {
    RAW_SIZE = 32,
    WORDS_MAX = 4,
};

/* A word of a line, where it stands. */
struct word {
    const char *text;
    size_t size;
};

/* The line that is being read. */
struct line {
    const char *path;
    unsigned number;
    size_t count;
    struct word words[WORDS_MAX];
    struct colony_error *err;
};

static int fail(const struct line *line, const char *reason)
{
    return colony_fail(line->err, -EINVAL, "%s:%u: cannot use this line: %s", line->path,
                       line->number, reason);
}

/* Splits the line at *at into words; false: it was the last one. */
static bool next_line(struct line *line, const char **at)
{
    const char *text = *at;

    if (*text == '\0')
        return false;
    line->number++;
    line->count = 0;
    for (;;) {
        size_t size;

        text += strspn(text, " \t\r");
        size = strcspn(text, " \t\r\n");
        if (size == 0 || (line->count == 0 && *text == '#'))
            break;
        if (line->count < WORDS_MAX)
            line->words[line->count++] = (struct word){text, size};
        text += size;
    }
    text += strcspn(text, "\n");
    *at = text + (*text == '\n');
    return true;
}

static bool is_word(const struct word *word, const char *text)
{
    return word->size == strlen(text) && memcmp(word->text, text, word->size) == 0;
}

/* Letters of Z85 are not looked at here: libzmq says no to others. */
static int take_key(char key[COLONY_RPC_KEY_SIZE], const struct line *line, const struct word *word)
{
    const struct colony_zmq *zmq;
    uint8_t raw[RAW_SIZE];
    int rc = colony_zmq_get(&zmq, line->err);

    if (rc < 0)
        return rc;
    if (word->size != COLONY_RPC_KEY_SIZE - 1)
        return fail(line, "a key has 40 characters");
    memcpy(key, word->text, word->size);
    key[word->size] = '\0';
    return zmq->zmq_z85_decode(raw, key) ? 0 : fail(line, "a key is 40 characters of Z85");
}

bool colony_rpc_is_key(const char *text)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  ".-:+=^!/*?&<>()[]{}@%$#";

    return strlen(text) == COLONY_RPC_KEY_SIZE - 1 &&
           strspn(text, letters) == COLONY_RPC_KEY_SIZE - 1;
}

int colony_rpc_keygen(struct colony_rpc_keys *out, struct colony_error *err)
{
    const struct colony_zmq *zmq;
    int rc = colony_zmq_get(&zmq, err);

    if (rc < 0)
        return rc;
    if (zmq->zmq_curve_keypair(out->public, out->secret) < 0)
        return errno == ENOTSUP
                   ? colony_fail(err, -ENOTSUP, "cannot make keys: libzmq was built without CURVE")
                   : colony_zmq_fail(zmq, err, "cannot make keys");
    return 0;
}

int colony_rpc_keys_save(const char *path, const struct colony_rpc_keys *keys,
                         struct colony_error *err)
{
    char text[4 * COLONY_RPC_KEY_SIZE];
    int size = snprintf(text, sizeof text, "public %s\nsecret %s\n", keys->public, keys->secret);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = 0;

    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot write the keys to %s", path);
    if (write(fd, text, (size_t)size) != size || fsync(fd) < 0)
        rc = errno ? -errno : -EIO;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    explicit_bzero(text, sizeof text);
    if (rc == 0)
        return 0;
    (void)unlink(path);
    return colony_fail_os(err, rc, "cannot write the keys to %s", path);
}

static int parse_keys(struct colony_rpc_keys *out, const char *text, struct line *line)
{
    int rc = 0;

    while (rc == 0 && next_line(line, &text)) {
        if (line->count == 0)
            continue;
        if (line->count == 2 && is_word(&line->words[0], "public"))
            rc = take_key(out->public, line, &line->words[1]);
        else if (line->count == 2 && is_word(&line->words[0], "secret"))
            rc = take_key(out->secret, line, &line->words[1]);
        else
            rc = fail(line, "it is neither `public KEY` nor `secret KEY`");
    }
    return rc;
}

int colony_rpc_keys_load(struct colony_rpc_keys *out, const char *path, struct colony_error *err)
{
    struct line line = {.path = path, .err = err};
    const struct colony_zmq *zmq;
    char *text = NULL;
    size_t size = 0;
    char public[COLONY_RPC_KEY_SIZE];
    int rc = colony_secret_read(&text, &size, path, err);

    if (rc < 0)
        return rc;
    memset(out, 0, sizeof *out);
    rc = parse_keys(out, text, &line);
    colony_secret_free(text, size);
    if (rc == 0 && (!out->public[0] || !out->secret[0]))
        rc = colony_fail(err, -EINVAL,
                         "cannot use the keys of %s: it takes `public KEY` and `secret KEY` "
                         "(`colony rpc keygen` makes them)",
                         path);
    if (rc == 0)
        rc = colony_zmq_get(&zmq, err);
    if (rc == 0 &&
        (zmq->zmq_curve_public(public, out->secret) < 0 || strcmp(public, out->public) != 0))
        rc = colony_fail(err, -EINVAL, "cannot use the keys of %s: they are not a pair", path);
    return rc;
}

static int add_peer(struct colony_rpc_curve *out, const struct line *line)
{
    struct colony_rpc_peer *peer = &out->peers[out->peer_count];
    const struct word *name = &line->words[0];
    int rc;

    if (line->count != 3)
        return fail(line, "it is not `NAME SCOPE KEY`");
    if (out->peer_count == COLONY_RPC_PEERS_MAX)
        return fail(line, "there are too many: 256 at most");
    if (name->size > COLONY_RPC_PEER_NAME_MAX)
        return fail(line, "the name is longer than 63 bytes");
    memcpy(peer->name, name->text, name->size);
    peer->name[name->size] = '\0';
    for (const char *at = peer->name; *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at > '~')
            return fail(line, "a name has letters, digits and signs of ASCII only");
    for (size_t i = 0; i < out->peer_count; i++)
        if (strcmp(out->peers[i].name, peer->name) == 0)
            return fail(line, "the name is there twice");
    peer->may_control = is_word(&line->words[1], "control");
    if (!peer->may_control && !is_word(&line->words[1], "read"))
        return fail(line, "the scope is neither `read` nor `control`");
    rc = take_key(peer->key, line, &line->words[2]);
    if (rc == 0 && colony_rpc_curve_find(out, peer->key))
        rc = fail(line, "the key is there twice");
    out->peer_count += rc == 0;
    return rc;
}

int colony_rpc_peers_parse(struct colony_rpc_curve *out, const char *text, const char *path,
                           struct colony_error *err)
{
    struct line line = {.path = path, .err = err};
    int rc = 0;

    while (rc == 0 && next_line(&line, &text))
        if (line.count > 0)
            rc = add_peer(out, &line);
    return rc;
}

int colony_rpc_curve_load(struct colony_rpc_curve *out, const char *keys, const char *allow,
                          struct colony_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int rc;

    memset(out, 0, sizeof *out);
    rc = colony_rpc_keys_load(&out->keys, keys, err);
    if (rc == 0)
        rc = colony_secret_read(&text, &size, allow, err);
    if (rc == 0)
        rc = colony_rpc_peers_parse(out, text, allow, err);
    colony_secret_free(text, size);
    return rc;
}

const struct colony_rpc_peer *colony_rpc_curve_find(const struct colony_rpc_curve *curve,
                                                    const char *key)
{
    for (size_t i = 0; i < curve->peer_count; i++)
        if (strcmp(curve->peers[i].key, key) == 0)
            return &curve->peers[i];
    return NULL;
}

int colony_rpc_default_key(char *path, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int used;

    if (geteuid() == 0)
        used = snprintf(path, size, "%s/" KEY_FILE, COLONY_ETC);
    else if (config && config[0] == '/')
        used = snprintf(path, size, "%s/colony/" KEY_FILE, config);
    else if (home && home[0] == '/')
        used = snprintf(path, size, "%s/.config/colony/" KEY_FILE, home);
    else
        return -ENOENT;
    return used > 0 && (size_t)used < size ? 0 : -ENAMETOOLONG;
}
