/* SPDX-License-Identifier: Apache-2.0 */
#include "core/keeper_options.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"

void colony_keeper_options_init(struct colony_keeper_options *options)
{
    memset(options, 0, sizeof *options);
    options->lock_fd = -1;
    options->link_fd = -1;
    options->host_fd = -1;
    options->ready_fd = -1;
    options->keeper_pid = -1;
    options->ending_with = -1;
}

void colony_keeper_options_unlink(const struct colony_keeper_options *options)
{
    for (size_t i = 0; i < options->socket_count; i++) {
        const char *path = strstr(options->sockets[i].name, "unix:");

        if (path && !options->sockets[i].is_lent)
            (void)unlink(path + strlen("unix:"));
    }
}

enum option_type {
    TYPE_TEXT, /* char[4096] */
    TYPE_INT,
    TYPE_BOOL,
    TYPE_U32,
    TYPE_U64,
};

struct option {
    const char *name;
    enum option_type type;
    size_t offset;
};

#define AT(member) offsetof(struct colony_keeper_options, member)

/* clang-format off */
static const struct option option_table[] = {
    {"state",     TYPE_TEXT, AT(state_dir)},
    {"program",   TYPE_TEXT, AT(program)},
    {"pidfile",   TYPE_TEXT, AT(pidfile)},
    {"config",    TYPE_TEXT, AT(config)},
    {"name",      TYPE_TEXT, AT(name)},
    {"title",     TYPE_TEXT, AT(title)},
    {"lock-fd",   TYPE_INT,  AT(lock_fd)},
    {"link-fd",   TYPE_INT,  AT(link_fd)},
    {"ready-fd",  TYPE_INT,  AT(ready_fd)},
    {"host-fd",   TYPE_INT,  AT(host_fd)},
    {"keeper",    TYPE_INT,  AT(keeper_pid)},
    {"ending",    TYPE_INT,  AT(ending_with)},
    {"log-level", TYPE_INT,  AT(log_level)},
    {"log-style", TYPE_INT,  AT(log_style)},
    {"managed",   TYPE_BOOL, AT(is_managed)},
    {"leaves",    TYPE_BOOL, AT(leaves)},
    {"temporary", TYPE_BOOL, AT(is_temporary)},
    {"check",     TYPE_BOOL, AT(is_check)},
    {"orphaned",  TYPE_BOOL, AT(is_orphaned)},
    {"user",      TYPE_BOOL, AT(has_user)},
    {"grants",    TYPE_U32,  AT(grants)},
    {"nofile",    TYPE_U64,  AT(nofile_soft)},
};
/* clang-format on */

enum {
    OPTION_COUNT = sizeof option_table / sizeof option_table[0],
};

/* The number at *text, which is moved behind it. Digits alone: strtoull(3) takes signs and blanks.
 */
static int take_number(const char **text, uint64_t max, uint64_t *out)
{
    char *end;

    if (**text < '0' || **text > '9')
        return -EINVAL;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return errno != 0 || *out > max ? -EINVAL : 0;
}

static int take_u32(const char **text, uint32_t *out)
{
    uint64_t number = 0;
    int rc = take_number(text, UINT32_MAX, &number);

    *out = (uint32_t)number;
    return rc;
}

static uint64_t largest(enum option_type type)
{
    switch (type) {
    case TYPE_INT:
        return INT_MAX;
    case TYPE_BOOL:
        return 1;
    case TYPE_U32:
        return UINT32_MAX;
    case TYPE_U64:
    case TYPE_TEXT:
        break;
    }
    return UINT64_MAX;
}

static int parse_scalar(struct colony_keeper_options *options, const struct option *option,
                        const char *text)
{
    void *target = (char *)options + option->offset;
    uint64_t number = 0;

    if (option->type == TYPE_TEXT) {
        if (strlen(text) >= sizeof options->state_dir)
            return -ENAMETOOLONG;
        memcpy(target, text, strlen(text) + 1);
        return 0;
    }
    if (take_number(&text, largest(option->type), &number) < 0 || *text != '\0')
        return -EINVAL;
    switch (option->type) {
    case TYPE_INT:
        *(int *)target = (int)number;
        break;
    case TYPE_BOOL:
        *(bool *)target = number != 0;
        break;
    case TYPE_U32:
        *(uint32_t *)target = (uint32_t)number;
        break;
    case TYPE_U64:
        *(uint64_t *)target = number;
        break;
    case TYPE_TEXT:
        break;
    }
    return 0;
}

/* UID:GID[:GROUP,GROUP…] */
static int parse_identity(struct colony_keeper_options *options, const char *text)
{
    struct colony_keeper_identity *identity = &options->identities[options->identity_count];

    if (options->identity_count == KEEPER_IDENTITIES_MAX)
        return -E2BIG;
    if (take_u32(&text, &identity->uid) < 0 || *text++ != ':' ||
        take_u32(&text, &identity->gid) < 0)
        return -EINVAL;
    while (*text == (identity->group_count == 0 ? ':' : ',')) {
        text++;
        if (identity->group_count == COLONY_PAYLOAD_GROUPS ||
            take_u32(&text, &identity->groups[identity->group_count]) < 0)
            return -EINVAL;
        identity->group_count++;
    }
    options->identity_count++;
    return *text == '\0' ? 0 : -EINVAL;
}

/* FD=NAME */
static int parse_socket(struct colony_keeper_options *options, const char *text, bool is_lent)
{
    struct colony_held_socket *held = &options->sockets[options->socket_count];
    uint64_t fd = 0;

    if (options->socket_count == KEEPER_SOCKETS_MAX)
        return -E2BIG;
    if (take_number(&text, INT_MAX, &fd) < 0 || *text++ != '=' || strlen(text) >= sizeof held->name)
        return -EINVAL;
    held->fd = (int)fd;
    held->is_lent = is_lent;
    memcpy(held->name, text, strlen(text) + 1);
    options->socket_count++;
    return 0;
}

static int parse_option(struct colony_keeper_options *options, const char *name, size_t length,
                        const char *value)
{
    if (length == strlen("identity") && strncmp(name, "identity", length) == 0)
        return parse_identity(options, value);
    if (length == strlen("socket") && strncmp(name, "socket", length) == 0)
        return parse_socket(options, value, false);
    if (length == strlen("lent-socket") && strncmp(name, "lent-socket", length) == 0)
        return parse_socket(options, value, true);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(option_table[i].name) == length &&
            strncmp(option_table[i].name, name, length) == 0)
            return parse_scalar(options, &option_table[i], value);
    return -EINVAL;
}

int colony_keeper_options_parse(struct colony_keeper_options *options, int argc, char **argv,
                                struct colony_error *err)
{
    colony_keeper_options_init(options);
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        int rc = -EINVAL;

        if (value && strncmp(argv[i], "--", 2) == 0)
            rc = parse_option(options, argv[i] + 2, (size_t)(value - argv[i] - 2), value + 1);
        if (rc < 0)
            return colony_fail(err, rc,
                               "cannot use `%s`: this command is for colony's own use, start "
                               "`colony serve`",
                               argv[i]);
    }
    if (options->state_dir[0] == '\0' || options->lock_fd < 0)
        return colony_fail(err, -EINVAL,
                           "cannot run: this command is for colony's own use, start "
                           "`colony serve`");
    return 0;
}

/* A block that holds both the pointers and the texts. */
struct builder {
    char **argv;
    size_t count;
    char *text;
    size_t size;
    size_t used;
    bool overflow;
};

__attribute__((format(printf, 2, 3))) static void add(struct builder *builder, const char *format,
                                                      ...)
{
    size_t space = builder->size - builder->used;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(builder->text + builder->used, space, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= space || builder->count + 1 >= KEEPER_ARGS_MAX) {
        builder->overflow = true;
        return;
    }
    builder->argv[builder->count++] = builder->text + builder->used;
    builder->used += (size_t)length + 1;
}

static void add_scalar(struct builder *builder, const struct colony_keeper_options *options,
                       const struct option *option)
{
    const void *source = (const char *)options + option->offset;

    switch (option->type) {
    case TYPE_TEXT:
        if (*(const char *)source != '\0')
            add(builder, "--%s=%s", option->name, (const char *)source);
        break;
    case TYPE_INT:
        if (*(const int *)source >= 0)
            add(builder, "--%s=%d", option->name, *(const int *)source);
        break;
    case TYPE_BOOL:
        if (*(const bool *)source)
            add(builder, "--%s=1", option->name);
        break;
    case TYPE_U32:
        add(builder, "--%s=%" PRIu32, option->name, *(const uint32_t *)source);
        break;
    case TYPE_U64:
        add(builder, "--%s=%" PRIu64, option->name, *(const uint64_t *)source);
        break;
    }
}

static void add_identity(struct builder *builder, const struct colony_keeper_identity *identity)
{
    char groups[COLONY_PAYLOAD_GROUPS * 12] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < identity->group_count; i++)
        used += (size_t)snprintf(groups + used, sizeof groups - used, "%c%" PRIu32,
                                 i == 0 ? ':' : ',', identity->groups[i]);
    add(builder, "--identity=%" PRIu32 ":%" PRIu32 "%s", identity->uid, identity->gid, groups);
}

char **colony_keeper_options_argv(const struct colony_keeper_options *options, const char *role)
{
    const size_t pointers = KEEPER_ARGS_MAX * sizeof(char *);
    const size_t texts = 7 * sizeof options->state_dir +
                         (size_t)KEEPER_SOCKETS_MAX * (COLONY_SOCKET_NAME_SIZE + 32) +
                         (size_t)KEEPER_IDENTITIES_MAX * (COLONY_PAYLOAD_GROUPS * 12 + 64) + 1024;
    struct builder builder = {.size = texts};
    char *block = calloc(1, pointers + texts);

    if (!block)
        return NULL;
    builder.argv = (char **)(void *)block;
    builder.text = block + pointers;
    if (options->title[0] != '\0')
        add(&builder, "colony: %s", options->title);
    else
        add(&builder, "colony");
    add(&builder, "%s", role);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        add_scalar(&builder, options, &option_table[i]);
    for (size_t i = 0; i < options->identity_count; i++)
        add_identity(&builder, &options->identities[i]);
    for (size_t i = 0; i < options->socket_count; i++)
        add(&builder, "--%ssocket=%d=%s", options->sockets[i].is_lent ? "lent-" : "",
            options->sockets[i].fd, options->sockets[i].name);
    if (builder.overflow) {
        free(block);
        return NULL;
    }
    return builder.argv;
}
