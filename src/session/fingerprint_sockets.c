/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint_sockets.c - sockets of a network namespace by their inodes (proc_net(5)). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "session/fingerprint_internal.h"

enum {
    TCP_IS_ESTABLISHED = 1, /* states of the kernel's */
    TCP_IS_LISTEN = 10,
    HEX = 16,
    WORD_DIGITS = 8,
    MAPPED_PREFIX = 12, /* bytes before the IPv4 address of ::ffff:192.0.2.1 */
    FOLDER_SIZE = 32,
};

/* Words of a line. */
enum column {
    COLUMN_LOCAL = 1,
    COLUMN_REMOTE = 2,
    COLUMN_STATE = 3,
    COLUMN_INODE = 9,
    COLUMN_COUNT,
};

struct colony_socket_table {
    struct colony__socket *items; /* by inode */
    size_t count;
    size_t capacity;
    dev_t namespace_device;
    ino_t namespace_inode;
};

struct net_file {
    const char *name;
    bool is_udp;
    uint8_t family;
};

static const struct net_file net_files[] = {
    {"net/tcp", false, AF_INET},
    {"net/tcp6", false, AF_INET6},
    {"net/udp", true, AF_INET},
    {"net/udp6", true, AF_INET6},
};

/* --- one line --------------------------------------------------------------------------------- */

/* The kernel prints an address as words of the machine's own byte order: 0100007F. */
static bool parse_address(struct colony__socket *out, const char *text)
{
    size_t words = out->family == AF_INET ? 1 : 4;
    char digits[WORD_DIGITS + 1] = "";
    char *end;

    for (size_t i = 0; i < words; i++, text += WORD_DIGITS) {
        uint32_t word;

        if (strnlen(text, WORD_DIGITS) < WORD_DIGITS)
            return false;
        memcpy(digits, text, WORD_DIGITS);
        word = (uint32_t)strtoul(digits, &end, HEX);
        if (*end != '\0')
            return false;
        memcpy(out->address + i * sizeof word, &word, sizeof word);
    }
    if (*text != ':')
        return false;
    out->port = (uint16_t)strtoul(text + 1, &end, HEX);
    return end != text + 1 && *end == '\0';
}

bool colony__socket_parse(struct colony__socket *out, char *line, bool is_udp, uint8_t family)
{
    char *words[COLUMN_COUNT] = {NULL};
    char *rest = line;
    unsigned long state;

    for (int column = 0; column < COLUMN_COUNT; column++) {
        rest += strspn(rest, " \t\n");
        words[column] = strsep(&rest, " \t\n");
        if (!words[column] || !rest)
            return false;
    }
    *out = (struct colony__socket){.family = family};
    out->inode = strtoull(words[COLUMN_INODE], NULL, 10);
    state = strtoul(words[COLUMN_STATE], NULL, HEX);
    if (out->inode == 0)
        return false; /* nobody's any more, or not yet */
    if (is_udp)
        out->field = FIELD_UDP;
    else if (state == TCP_IS_LISTEN)
        out->field = FIELD_LISTEN;
    else if (state == TCP_IS_ESTABLISHED)
        out->field = FIELD_ESTABLISHED;
    else
        return false;
    return parse_address(out,
                         words[out->field == FIELD_ESTABLISHED ? COLUMN_REMOTE : COLUMN_LOCAL]);
}

void colony__socket_format(char text[COLONY__ADDRESS_SIZE], const struct colony__socket *socket)
{
    static const uint8_t mapped[MAPPED_PREFIX] = {[10] = 0xff, [11] = 0xff};
    char ip[INET6_ADDRSTRLEN] = "";
    const uint8_t *address = socket->address;
    int family = socket->family;

    if (family == AF_INET6 && memcmp(address, mapped, sizeof mapped) == 0) {
        family = AF_INET; /* the same peer, whatever kind of socket it was accepted on */
        address += sizeof mapped;
    }
    (void)inet_ntop(family, address, ip, sizeof ip);
    (void)snprintf(text, COLONY__ADDRESS_SIZE, "%s:%u", ip, socket->port);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int compare_inodes(const void *left, const void *right)
{
    const struct colony__socket *a = left;
    const struct colony__socket *b = right;

    return a->inode < b->inode ? -1 : a->inode > b->inode;
}

static int add_socket(struct colony_socket_table *table, const struct colony__socket *socket)
{
    struct colony__socket *room;

    if (table->count == COLONY__SOCKETS_MAX)
        return -E2BIG;
    room = colony_array_room(table->items, table->count, &table->capacity, sizeof *table->items);
    if (!room)
        return -ENOMEM;
    table->items = room;
    table->items[table->count++] = *socket;
    return 0;
}

/* A kernel without IPv6 has no such file. */
static int read_net_file(struct colony_socket_table *table, int folder, const struct net_file *from)
{
    int fd = openat(folder, from->name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    struct colony__socket socket;
    char *line = NULL;
    size_t size = 0;
    int rc = 0;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!file) {
        (void)close(fd);
        return -ENOMEM;
    }
    while (rc == 0 && getline(&line, &size, file) >= 0)
        if (colony__socket_parse(&socket, line, from->is_udp, from->family))
            rc = add_socket(table, &socket);
    if (rc == 0 && ferror(file))
        rc = -EIO;
    free(line);
    (void)fclose(file);
    return rc;
}

static int note_namespace(struct colony_socket_table *table, int folder)
{
    struct stat info;

    if (fstatat(folder, "ns/net", &info, 0) < 0)
        return -errno;
    table->namespace_device = info.st_dev;
    table->namespace_inode = info.st_ino;
    return 0;
}

bool colony__socket_table_is_of(const struct colony_socket_table *table, int folder)
{
    struct stat info;

    return fstatat(folder, "ns/net", &info, 0) == 0 && info.st_dev == table->namespace_device &&
           info.st_ino == table->namespace_inode;
}

static int fill(struct colony_socket_table *table, int folder)
{
    int rc = note_namespace(table, folder);

    for (size_t i = 0; rc == 0 && i < sizeof net_files / sizeof *net_files; i++)
        rc = read_net_file(table, folder, &net_files[i]);
    if (rc == 0 && table->count > 1)
        qsort(table->items, table->count, sizeof *table->items, compare_inodes);
    return rc;
}

static int fail(struct colony_error *err, int rc, pid_t pid)
{
    if (rc == -ENOENT || rc == -ESRCH)
        return colony_fail(err, -ESRCH, "cannot read the sockets of process %d: it has ended",
                           (int)pid);
    if (rc == -E2BIG)
        return colony_fail(err, rc, "cannot read the sockets of process %d: there are more than %d",
                           (int)pid, (int)COLONY__SOCKETS_MAX);
    return colony_fail_os(err, rc, "cannot read the sockets of process %d", (int)pid);
}

int colony_socket_table_read(struct colony_socket_table **out, pid_t pid, struct colony_error *err)
{
    struct colony_socket_table *table = calloc(1, sizeof *table);
    char path[FOLDER_SIZE];
    int folder;
    int rc;

    if (!table)
        return fail(err, -ENOMEM, pid);
    (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
    folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    rc = folder < 0 ? -errno : fill(table, folder);
    if (folder >= 0)
        (void)close(folder);
    if (rc < 0) {
        colony_socket_table_free(table);
        return fail(err, rc, pid);
    }
    *out = table;
    return 0;
}

void colony_socket_table_free(struct colony_socket_table *table)
{
    if (!table)
        return;
    free(table->items);
    free(table);
}

const struct colony__socket *colony__socket_find(const struct colony_socket_table *table,
                                                 uint64_t inode)
{
    struct colony__socket key = {.inode = inode};

    if (table->count == 0)
        return NULL;
    return bsearch(&key, table->items, table->count, sizeof *table->items, compare_inodes);
}
