/* SPDX-License-Identifier: Apache-2.0 */
#include "core/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/error.h"
#include "core/message.h"
#include "core/notify.h"
#include "core/template.h"

extern char **environ;

enum {
    PORT_MAX = 65535,
    BUFFER_BYTES_FIRST = 2048, /* most texts fit: no holes are left between what stays */
};

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/*
 * What is ours or our service manager's alone; a name that ends in `_` is a prefix. Ours are what a
 * colony above us says to us, and the token, which is a secret.
 */
static const char *const own_variables[] = {
    "NOTIFY_SOCKET",      "LISTEN_",          "WATCHDOG_",        "MAINPID",
    "JOURNAL_STREAM",     "INVOCATION_ID",    "SYSTEMD_EXEC_PID", "MANAGERPID",
    "COLONY_ID",          "COLONY_HEARTBEAT", "COLONY_TOKEN",     "COLONY_HEARTBEAT_USEC",
    "COLONY_DETACHED_ID",
};

/* A text that grows; after a failure it takes nothing more. */
struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    int error;
};

static void put(struct buffer *buffer, const void *data, size_t size)
{
    if (buffer->error < 0)
        return;
    if (buffer->size + size > COLONY_PAYLOAD_MAX) {
        buffer->error = -E2BIG;
        return;
    }
    if (buffer->size + size > buffer->capacity) {
        size_t wanted = (buffer->size + size) * 2;
        size_t capacity = wanted > BUFFER_BYTES_FIRST ? wanted : BUFFER_BYTES_FIRST;
        char *grown = realloc(buffer->data, capacity);

        if (!grown) {
            buffer->error = -ENOMEM;
            return;
        }
        buffer->data = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

static void put_string(struct buffer *buffer, const char *text)
{
    put(buffer, text, strlen(text) + 1);
}

static size_t key_length(const char *entry)
{
    return strcspn(entry, "=");
}

bool colony_payload_withholds(const char *entry)
{
    for (size_t i = 0; i < sizeof own_variables / sizeof own_variables[0]; i++) {
        size_t length = strlen(own_variables[i]);

        if (strncmp(entry, own_variables[i], length) == 0 &&
            (entry[length] == '=' || entry[length] == '\0' || own_variables[i][length - 1] == '_'))
            return true;
    }
    return false;
}

static bool is_inherited(const struct colony_template *template, const char *entry)
{
    size_t length = key_length(entry);

    if (length == 0 || entry[length] != '=' || colony_payload_withholds(entry))
        return false;
    if (template->os_env)
        return true;
    for (char **name = template->env_inherit; *name; name++)
        if (strlen(*name) == length && strncmp(*name, entry, length) == 0)
            return true;
    return false;
}

/* The environment. */

enum source {
    SOURCE_INHERITED,
    SOURCE_ENV_FILE,
    SOURCE_ENV,
    SOURCE_PORT,
    SOURCE_COLONY, /* last: a sweep and sd_notify(3) must be able to rely on them */
};

static const char *const source_names[] = {
    [SOURCE_INHERITED] = "colony's environment",
    [SOURCE_ENV_FILE] = "env_file",
    [SOURCE_ENV] = "env",
    [SOURCE_PORT] = "port",
    [SOURCE_COLONY] = "colony",
};

struct variable {
    const char *entry; /* KEY=VALUE */
    size_t key_length;
    size_t place; /* in the order of arrival: a later one of the same name wins */
    enum source source;
};

/* What colony itself says to a process. */
struct own_texts {
    char mark[COLONY_INSTANCE_SIZE + COLONY_RECORD_NAME_SIZE + 32];
    char notify[sizeof "NOTIFY_SOCKET=" + COLONY_NOTIFY_PATH_SIZE];
    char watchdog[sizeof "WATCHDOG_USEC=" + 24];
    char heart[sizeof "COLONY_HEARTBEAT=" + PATH_MAX];
    char heart_period[sizeof "COLONY_HEARTBEAT_USEC=" + 24];
    char port[sizeof "PORT=" + 12];
};

struct variables {
    struct variable *items;
    size_t count;
    struct own_texts own;
};

bool colony_payload_has_notify(const struct colony_template *template)
{
    return !template->detach &&
           (template->ready->kind == READY_NOTIFY || template->watchdog_ms > 0);
}

static void add(struct variables *list, const char *entry, enum source source)
{
    list->items[list->count] = (struct variable){entry, key_length(entry), list->count, source};
    list->count++;
}

static void add_all(struct variables *list, char *const *entries, enum source source)
{
    for (; entries && *entries; entries++)
        add(list, *entries, source);
}

/* Processes of one template must not listen on one port. */
static int add_port(struct variables *list, const struct colony_template *template, uint32_t slot)
{
    uint32_t port = template->port + slot - 1;

    if (template->port == 0)
        return 0;
    if (port > PORT_MAX)
        return -ERANGE;
    (void)snprintf(list->own.port, sizeof list->own.port, "PORT=%" PRIu32, port);
    add(list, list->own.port, SOURCE_PORT);
    return 0;
}

int colony_payload_heart_path(char *path, size_t size, const struct colony_template *template,
                              uint32_t slot, const char *state_dir)
{
    const char *own = template->health->text;
    int length =
        own ? snprintf(path, size, "%s", own)
            : snprintf(path, size, "%s/hearts/%s.%" PRIu32, state_dir, template->name, slot);

    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* What it is to touch, and how often at least. */
static int add_heart(struct variables *list, const struct colony_template *template, uint32_t slot,
                     const struct colony_payload_context *context)
{
    static const char name[] = "COLONY_HEARTBEAT=";
    struct own_texts *own = &list->own;
    int rc;

    if (template->health->kind != HEALTH_HEARTBEAT)
        return 0;
    memcpy(own->heart, name, sizeof name);
    rc = colony_payload_heart_path(own->heart + sizeof name - 1, PATH_MAX, template, slot,
                                   context->state_dir);
    if (rc < 0)
        return rc;
    add(list, own->heart, SOURCE_COLONY);
    (void)snprintf(own->heart_period, sizeof own->heart_period, "COLONY_HEARTBEAT_USEC=%" PRIu64,
                   template->health->period_ms * 1000);
    add(list, own->heart_period, SOURCE_COLONY);
    return 0;
}

static int add_own(struct variables *list, const struct colony_template *template, uint32_t slot,
                   const struct colony_payload_context *context)
{
    struct own_texts *own = &list->own;
    int length;
    int rc = add_port(list, template, slot);

    if (rc < 0)
        return rc;
    (void)snprintf(own->mark, sizeof own->mark, "%s=%s/%s/%u",
                   template->detach ? "COLONY_DETACHED_ID" : "COLONY_ID", context->instance,
                   template->name, slot);
    if (template->mark)
        add(list, own->mark, SOURCE_COLONY);
    rc = add_heart(list, template, slot, context);
    if (rc < 0 || !colony_payload_has_notify(template))
        return rc;
    length = snprintf(own->notify, sizeof own->notify, "NOTIFY_SOCKET=");
    rc = colony_notify_path(own->notify + length, COLONY_NOTIFY_PATH_SIZE, context->state_dir,
                            template->name, slot);
    if (rc < 0)
        return rc;
    add(list, own->notify, SOURCE_COLONY);
    if (template->watchdog_ms == 0)
        return 0;
    (void)snprintf(own->watchdog, sizeof own->watchdog, "WATCHDOG_USEC=%" PRIu64,
                   template->watchdog_ms * 1000);
    add(list, own->watchdog, SOURCE_COLONY);
    return 0;
}

static size_t count_of(char *const *entries)
{
    size_t count = 0;

    while (entries && entries[count])
        count++;
    return count;
}

static int by_name(const void *left, const void *right)
{
    const struct variable *a = left;
    const struct variable *b = right;
    size_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->entry, b->entry, shorter);

    if (order != 0)
        return order;
    if (a->key_length != b->key_length)
        return a->key_length < b->key_length ? -1 : 1;
    return a->place < b->place ? -1 : 1;
}

/* Of each name the last one stays. */
static void remove_overruled(struct variables *list)
{
    size_t kept = 0;

    qsort(list->items, list->count, sizeof *list->items, by_name);
    for (size_t i = 0; i < list->count; i++) {
        const struct variable *it = &list->items[i];
        const struct variable *next = it + 1;

        if (i + 1 < list->count && next->key_length == it->key_length &&
            memcmp(next->entry, it->entry, it->key_length) == 0)
            continue;
        list->items[kept++] = *it;
    }
    list->count = kept;
}

static int collect(struct variables *list, const struct colony_template *template, uint32_t slot,
                   const struct colony_payload_context *context)
{
    const size_t most =
        count_of(environ) + count_of(template->env_file) + count_of(template->env) + 6;
    int rc;

    list->items = calloc(most, sizeof *list->items);
    if (!list->items)
        return -ENOMEM;
    for (char **entry = environ; entry && *entry; entry++)
        if (is_inherited(template, *entry))
            add(list, *entry, SOURCE_INHERITED);
    add_all(list, template->env_file, SOURCE_ENV_FILE);
    add_all(list, template->env, SOURCE_ENV);
    rc = add_own(list, template, slot, context);
    if (rc == 0)
        remove_overruled(list);
    return rc;
}

/* A copy of one entry, cut in two. */
static int tell(const struct variable *variable, colony_variable_cb cb, void *data)
{
    char *name = strdup(variable->entry);
    char *value;

    if (!name)
        return -ENOMEM;
    value = name + variable->key_length;
    if (*value == '=')
        *value++ = '\0';
    cb(name, value, source_names[variable->source], data);
    free(name);
    return 0;
}

int colony_payload_each_variable(const struct colony_template *template, uint32_t slot,
                                 const struct colony_payload_context *context,
                                 colony_variable_cb cb, void *data)
{
    struct variables list = {0};
    int rc = collect(&list, template, slot, context);

    for (size_t i = 0; rc == 0 && i < list.count; i++)
        rc = tell(&list.items[i], cb, data);
    free(list.items);
    return rc;
}

struct environment {
    struct buffer text;
    uint32_t count;
    char *path; /* the child's PATH; NULL: it has none */
};

static void put_variable(const char *name, const char *value, const char *source, void *data)
{
    struct environment *env = data;

    (void)source;
    put(&env->text, name, strlen(name));
    put(&env->text, "=", 1);
    put_string(&env->text, value);
    env->count++;
    if (strcmp(name, "PATH") != 0)
        return;
    env->path = strdup(value);
    if (!env->path)
        env->text.error = -ENOMEM;
}

/* The files that execvp(3) would try, in the child's PATH. */
static uint32_t put_paths(struct buffer *buffer, const char *program, const char *path)
{
    uint32_t count = 0;

    if (strchr(program, '/')) {
        put_string(buffer, program);
        return 1;
    }
    if (!path)
        path = default_path;
    for (;;) {
        const char *end = strchrnul(path, ':');

        put(buffer, end > path ? path : ".", end > path ? (size_t)(end - path) : 1);
        put(buffer, "/", 1);
        put_string(buffer, program);
        count++;
        if (*end == '\0')
            return count;
        path = end + 1;
    }
}

static void set_identity(struct colony_payload *payload, const struct colony_identity *identity)
{
    payload->flags |= PAYLOAD_HAS_IDENTITY;
    payload->uid = identity->uid;
    payload->gid = identity->gid;
    payload->group_count = (uint32_t)identity->group_count;
    for (size_t i = 0; i < identity->group_count; i++)
        payload->groups[i] = identity->groups[i];
}

static void set_rlimits(struct colony_payload *payload, const struct colony_template *template,
                        const struct colony_payload_context *context)
{
    bool has_nofile = false;

    for (size_t i = 0; i < template->rlimit_count; i++) {
        payload->rlimits[payload->rlimit_count++] = (struct colony_payload_rlimit){
            .resource = (uint32_t) template->rlimits[i].resource,
            .soft = template->rlimits[i].soft,
            .hard = template->rlimits[i].hard,
        };
        has_nofile |= template->rlimits[i].resource == RLIMIT_NOFILE;
    }
    if (!has_nofile && payload->rlimit_count < COLONY_PAYLOAD_RLIMITS)
        payload->rlimits[payload->rlimit_count++] = (struct colony_payload_rlimit){
            .resource = RLIMIT_NOFILE,
            .soft = context->nofile_soft,
            .hard = context->nofile_hard,
        };
}

static void fill_header(struct colony_payload *payload, const struct colony_template *template,
                        const struct colony_payload_context *context)
{
    payload->version = COLONY_PROTOCOL_VERSION;
    if (template->identity)
        set_identity(payload, template->identity);
    else if (context->identity)
        set_identity(payload, context->identity);
    if (template->cwd)
        payload->flags |= PAYLOAD_HAS_CWD;
    if (template->has_umask)
        payload->flags |= PAYLOAD_HAS_UMASK;
    payload->umask = template->umask;
    if (template->has_nice)
        payload->flags |= PAYLOAD_HAS_NICE;
    payload->nice = template->nice;
    if (template->has_oom_score_adj)
        payload->flags |= PAYLOAD_HAS_OOM;
    payload->oom_score_adj = template->oom_score_adj;
    if (template->limits->is_optional)
        payload->flags |= PAYLOAD_LIMITS_OPTIONAL;
    payload->memory_max_bytes = template->limits->memory_bytes;
    payload->cpu_max_milli = template->limits->cpu_milli;
    payload->pids_max = template->limits->pids;
    set_rlimits(payload, template, context);
}

/* The strings stand in the order paths, argv, env; which paths there are, the env says. */
static int put_strings(struct buffer *out, const struct colony_template *template, uint32_t slot,
                       const struct colony_payload_context *context)
{
    struct colony_payload header = {0};
    struct environment env = {0};
    int rc = colony_payload_each_variable(template, slot, context, put_variable, &env);

    fill_header(&header, template, context);
    header.envc = env.count;
    put(out, &header, sizeof header); /* its place; filled in below */
    header.path_count = put_paths(out, template->argv[0], env.path);
    for (char **arg = template->argv; *arg; arg++) {
        put_string(out, *arg);
        header.argc++;
    }
    if (env.text.data)
        put(out, env.text.data, env.text.size);
    if (template->cwd)
        put_string(out, template->cwd);
    if (rc == 0)
        rc = env.text.error < 0 ? env.text.error : out->error;
    if (rc == 0)
        memcpy(out->data, &header, sizeof header);
    free(env.text.data);
    free(env.path);
    return rc;
}

int colony_payload_make(struct colony_payload_bytes *out, const struct colony_template *template,
                        uint32_t slot, const struct colony_payload_context *context,
                        struct colony_error *err)
{
    struct buffer buffer = {0};
    int rc = put_strings(&buffer, template, slot, context);

    if (rc == 0) {
        *out = (struct colony_payload_bytes){buffer.data, buffer.size};
        return 0;
    }
    free(buffer.data);
    if (rc == -ENAMETOOLONG)
        return colony_fail(err, rc,
                           "cannot prepare %s.%u: a path of %d bytes is the longest that a notify "
                           "socket can have (choose a shorter --state than %.200s)",
                           template->name, slot, COLONY_NOTIFY_PATH_SIZE - 1, context->state_dir);
    if (rc == -ERANGE)
        return colony_fail(err, rc,
                           "cannot prepare %s.%u: its PORT would be above %d (`port` is %u)",
                           template->name, slot, PORT_MAX, template->port);
    return colony_fail_os(err, rc, "cannot prepare %s.%u", template->name, slot);
}

void colony_payload_clear(struct colony_payload_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct colony_payload_bytes){0};
}

int colony_payload_seal(const struct colony_payload_bytes *bytes)
{
    int fd = memfd_create("colony-spawn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;

    if (fd < 0)
        return -errno;
    while (done < bytes->size) {
        ssize_t count = write(fd, bytes->data + done, bytes->size - done);

        if (count < 0) {
            int rc = -errno;

            (void)close(fd);
            return rc;
        }
        done += (size_t)count;
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        int rc = -errno;

        (void)close(fd);
        return rc;
    }
    return fd;
}
