/* SPDX-License-Identifier: Apache-2.0 */
#include "core/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/error.h"
#include "core/message.h"
#include "core/template.h"

extern char **environ;

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* What is ours or our service manager's alone; a name that ends in `_` is a prefix. */
static const char *const own_variables[] = {
    "NOTIFY_SOCKET", "LISTEN_",          "WATCHDOG_",  "MAINPID", "JOURNAL_STREAM",
    "INVOCATION_ID", "SYSTEMD_EXEC_PID", "MANAGERPID", "COLONY_",
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
        size_t capacity = (buffer->size + size) * 2;
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

static bool has_key(char *const *entries, const char *entry)
{
    size_t length = key_length(entry);

    for (; *entries; entries++)
        if (strncmp(*entries, entry, length) == 0 && (*entries)[length] == '=')
            return true;
    return false;
}

static bool is_our_own(const char *entry)
{
    for (size_t i = 0; i < sizeof own_variables / sizeof own_variables[0]; i++) {
        size_t length = strlen(own_variables[i]);

        if (strncmp(entry, own_variables[i], length) == 0 &&
            (entry[length] == '=' || own_variables[i][length - 1] == '_'))
            return true;
    }
    return false;
}

static bool is_inherited(const struct colony_template *template, const char *entry)
{
    size_t length = key_length(entry);

    if (entry[length] != '=' || is_our_own(entry) || has_key(template->env, entry))
        return false;
    if (template->os_env)
        return true;
    for (char **name = template->env_inherit; *name; name++)
        if (strlen(*name) == length && strncmp(*name, entry, length) == 0)
            return true;
    return false;
}

static uint32_t put_environment(struct buffer *buffer, const struct colony_template *template,
                                uint32_t slot, const char *instance, const char **path)
{
    char mark[COLONY_INSTANCE_SIZE + COLONY_RECORD_NAME_SIZE + 32];
    uint32_t count = 1;

    *path = NULL;
    (void)snprintf(mark, sizeof mark, "%s=%s/%s/%u",
                   template->detach ? "COLONY_DETACHED_ID" : "COLONY_ID", instance, template->name,
                   slot);
    put_string(buffer, mark);
    for (char **entry = environ; *entry; entry++) {
        if (!is_inherited(template, *entry))
            continue;
        if (strncmp(*entry, "PATH=", 5) == 0)
            *path = *entry + 5;
        put_string(buffer, *entry);
        count++;
    }
    for (char **entry = template->env; *entry; entry++) {
        if (strncmp(*entry, "PATH=", 5) == 0)
            *path = *entry + 5;
        put_string(buffer, *entry);
        count++;
    }
    return count;
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
    if (template->identity.is_set)
        set_identity(payload, &template->identity);
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
    set_rlimits(payload, template, context);
}

static int seal(const struct buffer *buffer)
{
    int fd = memfd_create("colony-spawn", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;

    if (fd < 0)
        return -errno;
    while (done < buffer->size) {
        ssize_t count = write(fd, buffer->data + done, buffer->size - done);

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

/* The strings stand in the order paths, argv, env; which paths there are, the env says. */
static int put_strings(struct buffer *out, const struct colony_template *template, uint32_t slot,
                       const struct colony_payload_context *context)
{
    struct colony_payload header = {0};
    struct buffer env = {0};
    const char *path;

    fill_header(&header, template, context);
    header.envc = put_environment(&env, template, slot, context->instance, &path);
    put(out, &header, sizeof header); /* its place; filled in below */
    header.path_count = put_paths(out, template->argv[0], path);
    for (char **arg = template->argv; *arg; arg++) {
        put_string(out, *arg);
        header.argc++;
    }
    if (env.data)
        put(out, env.data, env.size);
    if (template->cwd)
        put_string(out, template->cwd);
    if (out->error == 0)
        out->error = env.error;
    if (out->error == 0)
        memcpy(out->data, &header, sizeof header);
    free(env.data);
    return out->error;
}

int colony_payload_make(const struct colony_template *template, uint32_t slot,
                        const struct colony_payload_context *context, struct colony_error *err)
{
    struct buffer buffer = {0};
    int rc = put_strings(&buffer, template, slot, context);

    if (rc == 0)
        rc = seal(&buffer);
    free(buffer.data);
    return rc < 0 ? colony_fail_os(err, rc, "cannot prepare %s.%u", template->name, slot) : rc;
}
