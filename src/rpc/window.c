/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/window_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

enum {
    KEY_HEAD = 3, /* size of the routing id, and the key it came with */
};

struct client {
    UT_hash_handle hh;
    size_t under_way;
    size_t kept;
    struct colony__rpc_entry *oldest; /* answers, in their order */
    struct colony__rpc_client_id id;
};

struct colony__rpc_entry {
    UT_hash_handle hh; /* by key, where there is one */
    struct client *client;
    struct colony_rpc_call *call; /* NULL: it was answered */
    char *reply;
    size_t reply_size;
    uint64_t until_ms;
    struct colony__rpc_entry *prev; /* of all answers */
    struct colony__rpc_entry *next;
    struct colony__rpc_entry *client_prev;
    struct colony__rpc_entry *client_next;
    size_t key_size; /* 0: it cannot be found */
    char key[];      /* size of the routing id, key, routing id, id */
};

struct colony__rpc_window {
    struct client *clients;
    struct colony__rpc_entry *entries;
    struct colony__rpc_entry *oldest;
    size_t under_way;
    size_t kept;
    size_t kept_bytes;
};

/* NOLINTBEGIN(readability-function-cognitive-complexity,readability-function-size,
   bugprone-assignment-in-if-condition,bugprone-sizeof-expression,clang-analyzer-unix.Malloc,
   clang-analyzer-core.NullDereference,bugprone-suspicious-realloc-usage):
   the macros of uthash are counted as if they were written here */

int colony__rpc_window_new(struct colony__rpc_window **out)
{
    struct colony__rpc_window *window = calloc(1, sizeof *window);

    if (!window)
        return -ENOMEM;
    *out = window;
    return 0;
}

static struct client *find_client(const struct colony__rpc_window *window,
                                  const struct colony__rpc_client_id *id)
{
    struct client *found;

    HASH_FIND(hh, window->clients, id->peer, sizeof id->peer + id->size, found);
    return found;
}

static struct client *need_client(struct colony__rpc_window *window,
                                  const struct colony__rpc_client_id *id)
{
    struct client *client = find_client(window, id);

    if (client)
        return client;
    client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->id = *id;
    HASH_ADD_KEYPTR(hh, window->clients, client->id.peer, sizeof client->id.peer + client->id.size,
                    client);
    if (client->hh.tbl)
        return client;
    free(client);
    return NULL;
}

static void release_client(struct colony__rpc_window *window, struct client *client)
{
    if (client->under_way > 0 || client->kept > 0)
        return;
    HASH_DEL(window->clients, client);
    free(client);
}

static void free_entry(struct colony__rpc_window *window, struct colony__rpc_entry *entry)
{
    if (entry->hh.tbl)
        HASH_DEL(window->entries, entry);
    free(entry->reply);
    free(entry);
}

/* Forgets an answer. */
static void drop(struct colony__rpc_window *window, struct colony__rpc_entry *entry)
{
    struct client *client = entry->client;

    DL_DELETE(window->oldest, entry);
    DL_DELETE2(client->oldest, entry, client_prev, client_next);
    window->kept--;
    window->kept_bytes -= entry->reply_size;
    client->kept--;
    free_entry(window, entry);
    release_client(window, client);
}

static void drop_old(struct colony__rpc_window *window, uint64_t now_ms)
{
    while (window->oldest && window->oldest->until_ms <= now_ms)
        drop(window, window->oldest);
}

void colony__rpc_window_free(struct colony__rpc_window *window)
{
    if (!window)
        return;
    drop_old(window, UINT64_MAX);
    free(window);
}

static size_t fill_key(char *key, const struct colony__rpc_client_id *client, const char *id)
{
    size_t size = strlen(id);

    key[0] = (char)client->size;
    memcpy(key + 1, client->peer, sizeof client->peer);
    memcpy(key + KEY_HEAD, client->bytes, client->size);
    memcpy(key + KEY_HEAD + client->size, id, size);
    return KEY_HEAD + client->size + size;
}

struct colony__rpc_known colony__rpc_window_find(struct colony__rpc_window *window,
                                                 const struct colony__rpc_client_id *client,
                                                 const char *id, uint64_t now_ms)
{
    struct colony__rpc_known known = {0};
    struct colony__rpc_entry *entry;
    char *key;
    size_t size;

    drop_old(window, now_ms);
    if (!window->entries)
        return known;
    key = malloc(KEY_HEAD + client->size + strlen(id));
    if (!key)
        return known;
    size = fill_key(key, client, id);
    HASH_FIND(hh, window->entries, key, size, entry);
    free(key);
    if (entry) {
        known.call = entry->call;
        known.reply = entry->reply;
    }
    return known;
}

bool colony__rpc_window_has_room(const struct colony__rpc_window *window,
                                 const struct colony__rpc_client_id *client, bool is_urgent)
{
    const struct client *known = find_client(window, client);
    size_t more = is_urgent ? COLONY__RPC_URGENT_MAX : 0;

    return window->under_way < COLONY__RPC_ALL_UNDER_WAY_MAX + more &&
           (!known || known->under_way < COLONY__RPC_UNDER_WAY_MAX + more);
}

int colony__rpc_window_add(struct colony__rpc_window *window,
                           const struct colony__rpc_client_id *id_of_client, const char *id,
                           struct colony_rpc_call *call, struct colony__rpc_entry **out)
{
    struct colony__rpc_entry *entry;
    struct client *client = need_client(window, id_of_client);

    if (!client)
        return -ENOMEM;
    entry = calloc(1, sizeof *entry + (id ? KEY_HEAD + client->id.size + strlen(id) : 0));
    if (entry && id) {
        entry->key_size = fill_key(entry->key, &client->id, id);
        HASH_ADD(hh, window->entries, key[0], (unsigned)entry->key_size, entry);
    }
    if (!entry || (id && !entry->hh.tbl)) {
        free(entry);
        release_client(window, client);
        return -ENOMEM;
    }
    entry->call = call;
    entry->client = client;
    client->under_way++;
    window->under_way++;
    *out = entry;
    return 0;
}

/* Takes the answer into the lists; what is too much goes, the oldest first. */
static void keep(struct colony__rpc_window *window, struct colony__rpc_entry *entry, size_t size)
{
    struct client *client = entry->client;

    entry->reply_size = size;
    DL_APPEND(window->oldest, entry);
    DL_APPEND2(client->oldest, entry, client_prev, client_next);
    window->kept++;
    window->kept_bytes += size;
    client->kept++;
    if (client->kept > COLONY__RPC_KEPT_MAX)
        drop(window, client->oldest);
    while (window->kept > COLONY__RPC_ALL_KEPT_MAX ||
           window->kept_bytes > COLONY__RPC_ALL_KEPT_BYTES_MAX)
        drop(window, window->oldest);
}

void colony__rpc_window_end(struct colony__rpc_window *window, struct colony__rpc_entry *entry,
                            const char *reply, uint64_t now_ms)
{
    struct client *client = entry->client;
    size_t size = reply ? strlen(reply) + 1 : 0;

    drop_old(window, now_ms); /* never @client: it has something under way */
    entry->call = NULL;
    client->under_way--;
    window->under_way--;
    if (entry->key_size > 0 && reply && size <= COLONY__RPC_KEPT_BYTES_MAX)
        entry->reply = strdup(reply);
    if (entry->reply) {
        entry->until_ms = now_ms + COLONY__RPC_KEPT_MS;
        keep(window, entry, size);
        return;
    }
    free_entry(window, entry);
    release_client(window, client);
}

/* NOLINTEND(readability-function-cognitive-complexity,readability-function-size,
   bugprone-assignment-in-if-condition,bugprone-sizeof-expression,clang-analyzer-unix.Malloc,
   clang-analyzer-core.NullDereference,bugprone-suspicious-realloc-usage) */
