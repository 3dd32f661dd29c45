/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fingerprint_internal.h - how a fingerprint is put together (fingerprint.c), from /proc
 * (fingerprint_take.c, fingerprint_sockets.c) or from a file (fingerprint_file.c).
 */
#ifndef COLONY_SESSION_FINGERPRINT_INTERNAL_H
#define COLONY_SESSION_FINGERPRINT_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "session/fingerprint.h"

enum {
    COLONY__FINGERPRINT_ITEMS_MAX = 100000, /* in one field */
    COLONY__SOCKETS_MAX = 1 << 20,          /* of one network namespace */
    COLONY__CMDLINE_MAX = 8 << 20,          /* bytes; more than the kernel takes by default */
    COLONY__ADDRESS_SIZE = 64,              /* "ip:port" */
};

/* A field while it grows. All-zero is empty. */
struct colony__items {
    char **items;
    size_t count;
    size_t capacity;
};

/*
 * Appends the @size bytes of @text as UTF-8: bytes that are none become `\xNN`, so that whatever a
 * process is called can be written as YAML and read again as the same. -ENOMEM; -E2BIG: too many.
 */
int colony__items_add(struct colony__items *items, const char *text, size_t size);
/* The bytes as they are. */
int colony__items_add_raw(struct colony__items *items, const char *text, size_t size);
void colony__items_clear(struct colony__items *items);
/* Moves them into @out, sorted if the field is; they are empty then. */
void colony__items_settle(struct colony__items *items, enum colony_fingerprint_field field,
                          struct colony_fingerprint *out);

/* The argv of the process behind @folder, a descriptor of /proc/PID. -ESRCH, -E2BIG, -ENOMEM. */
int colony__cmdline_read(struct colony__items *out, int folder);
/* The same of its file @name, which is cmdline or environ, byte for byte. */
int colony__strings_read(struct colony__items *out, int folder, const char *name);

/* One socket as a fingerprint has it. */
struct colony__socket {
    uint64_t inode;
    uint8_t address[16]; /* IPv4: the first four */
    uint16_t port;
    uint8_t family;
    uint8_t field; /* enum colony_fingerprint_field */
};

/* The socket of @table with that @inode. NULL: it has none that counts. */
const struct colony__socket *colony__socket_find(const struct colony_socket_table *table,
                                                 uint64_t inode);
void colony__socket_format(char text[COLONY__ADDRESS_SIZE], const struct colony__socket *socket);
/* True when @table is of the network namespace of the process behind @folder. */
bool colony__socket_table_is_of(const struct colony_socket_table *table, int folder);
/* One line of /proc/net/tcp and so on. False: nothing that counts. */
bool colony__socket_parse(struct colony__socket *out, char *line, bool is_udp, uint8_t family);

/* What a file of fp/ says; @name begins messages. -EINVAL, -ENOMEM. */
int colony__fingerprint_parse(struct colony_fingerprint *out, const char *text, size_t size,
                              const char *name, struct colony_error *err);
#endif
