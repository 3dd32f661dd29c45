/* SPDX-License-Identifier: Apache-2.0 */
#include "api/webhook_kept_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/webhook_internal.h"
#include "api/webhook_queue_internal.h"
#include "core/error.h"
#include "core/events.h"
#include "core/log.h"

enum {
    KEY_DIGITS = 16,
};

static void find_place(char path[PATH_MAX], const char *state_dir, const char *suffix)
{
    (void)snprintf(path, PATH_MAX, "%.4000s/engine/webhooks%s", state_dir, suffix);
}

static FILE *make_file(const char *path)
{
    FILE *file = NULL;
    int fd;

    (void)unlink(path); /* of one that was killed while it wrote */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        file = fdopen(fd, "w");
    if (fd >= 0 && !file)
        (void)close(fd);
    return file;
}

/* A line each: whose it is, its name, its JSON, which has no newline. */
static void write_queue(FILE *file, const struct colony__webhook *hook)
{
    const struct colony__webhook_event *event = colony__webhook_first(hook);

    for (; event; event = event->next)
        (void)fprintf(file, "%0*" PRIx64 " %s %.*s\n", KEY_DIGITS, colony__webhook_key(hook),
                      event->name, (int)event->size, event->body);
}

void colony__webhooks_keep(const char *state_dir, struct colony__webhook *const *hooks,
                           size_t count)
{
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    uint64_t waiting = 0;
    bool is_kept;
    FILE *file;

    for (size_t i = 0; i < count; i++)
        waiting += colony__webhook_counts(hooks[i]).queued;
    if (waiting == 0)
        return;
    find_place(path, state_dir, "");
    find_place(fresh, state_dir, ".new");
    file = make_file(fresh);
    for (size_t i = 0; file && i < count; i++)
        write_queue(file, hooks[i]);
    is_kept = file && !ferror(file);
    is_kept = (!file || fclose(file) == 0) && is_kept && rename(fresh, path) == 0;
    if (!is_kept)
        colony_log(SEVERITY_ERROR,
                   "cannot keep %" PRIu64 " %s for webhooks: %s: they are not posted", waiting,
                   waiting == 1 ? "event" : "events", strerror(errno));
}

static struct colony__webhook *find_hook(uint64_t key, struct colony__webhook *const *hooks,
                                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (colony__webhook_key(hooks[i]) == key)
            return hooks[i];
    return NULL;
}

/* @line ends with its newline. False: nobody posts it. */
static bool restore_line(char *line, size_t size, struct colony__webhook *const *hooks,
                         size_t count)
{
    struct colony__webhook *hook;
    char *end;
    uint64_t key = strtoull(line, &end, 16);
    char *name = end + 1;
    char *body;
    int type;

    if (end != line + KEY_DIGITS || *end != ' ' || line[size - 1] != '\n')
        return false;
    line[size - 1] = '\0';
    body = strchr(name, ' ');
    if (!body)
        return false;
    *body++ = '\0';
    type = colony_event_parse(name);
    hook = find_hook(key, hooks, count);
    if (type < 0 || !hook)
        return false;
    colony__webhook_add(hook, &(const struct colony__webhook_news){
                                  .name = colony_event_name((enum colony_event_type)type),
                                  .body = body,
                                  .size = (size_t)(line + size - 1 - body)});
    return true;
}

/* All of it before anything is posted: where it cannot be read, it is tried again. */
static int read_kept(char **out, size_t *size, const char *path)
{
    FILE *file = fopen(path, "re");
    struct stat info;
    int rc = 0;

    if (!file)
        return -errno;
    if (fstat(fileno(file), &info) < 0)
        rc = -errno;
    *out = rc == 0 ? malloc((size_t)info.st_size + 1) : NULL;
    if (rc == 0 && !*out)
        rc = -ENOMEM;
    if (rc == 0) {
        *size = fread(*out, 1, (size_t)info.st_size, file);
        (*out)[*size] = '\0';
        rc = ferror(file) ? -EIO : 0;
    }
    (void)fclose(file);
    return rc;
}

static void restore(char *text, size_t size, struct colony__webhook *const *hooks, size_t count)
{
    uint64_t lost = 0;

    for (char *line = text, *end = text + size; line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        char *next = newline ? newline + 1 : end;

        lost += !restore_line(line, (size_t)(next - line), hooks, count);
        line = next;
    }
    if (lost > 0)
        colony_log(SEVERITY_WARNING, "gives up %" PRIu64 " %s for webhooks that are no more", lost,
                   lost == 1 ? "event" : "events");
}

int colony__webhooks_restore(const char *state_dir, struct colony__webhook *const *hooks,
                             size_t count)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t size = 0;
    int rc;

    find_place(path, state_dir, "");
    rc = read_kept(&text, &size, path);
    if (rc == -ENOENT)
        return 0;
    if (rc == 0)
        restore(text, size, hooks, count);
    free(text);
    if (colony_is_shortage(rc))
        return rc;
    if (rc < 0)
        colony_log(SEVERITY_ERROR, "cannot read %s: what waited for webhooks is not posted", path);
    (void)unlink(path);
    return 0;
}
