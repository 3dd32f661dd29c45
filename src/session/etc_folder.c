/* SPDX-License-Identifier: Apache-2.0 */
/* etc_folder.c - reads all that etc has of processes. */
#include "session/etc_folder_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/array.h"
#include "core/error.h"
#include "session/etc_file_internal.h"
#include "session/process_internal.h"
#include "session/workspace_internal.h"

void colony__etc_path(char *path, size_t size, const char *base)
{
    (void)snprintf(path, size, "etc/%s" YAML_END, base);
}

void colony__etc_full_path(char *path, size_t size, const struct colony_workspace *workspace,
                           const char *base)
{
    (void)snprintf(path, size, "%s/etc/%s" YAML_END, workspace->path, base);
}

static void clear_entry(struct colony__etc_entry *entry)
{
    free(entry->base);
    free(entry->text);
    colony_session_process_clear(&entry->parsed);
}

void colony__etc_entries_clear(struct colony__etc_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        clear_entry(&entries->items[i]);
    free(entries->items);
    *entries = (struct colony__etc_entries){0};
}

/* The name of a process's file without its end; NULL: it is another file. What editors keep beside
 * a file begins with a dot. */
static char *base_of(const char *name)
{
    size_t length = strlen(name);
    size_t end = strlen(YAML_END);
    char *base;

    if (length <= end || strcmp(name + length - end, YAML_END) != 0 || name[0] == '.')
        return NULL;
    base = strndup(name, length - end);
    if (base && strcmp(base, SESSION_FILE) != 0)
        return base;
    free(base);
    return NULL;
}

/* A file that is gone by now is none. */
static int read_entry(struct colony_workspace *workspace, struct colony__etc_entry *entry)
{
    char path[WORKSPACE_PATH_MAX];
    char full[PATH_MAX + WORKSPACE_PATH_MAX];
    size_t size = 0;
    struct colony_error reason;
    int rc = colony__session_name_check(entry->base, &reason);

    colony__etc_path(path, sizeof path, entry->base);
    colony__etc_full_path(full, sizeof full, workspace, entry->base);
    if (rc < 0)
        (void)colony_fail(&entry->problem, rc, "%s: %s (rename the file)", full, reason.message);
    if (rc == 0)
        rc = colony__workspace_read(workspace, path, &entry->text, &size, &entry->problem);
    if (rc == 0)
        rc = colony__etc_parse(&entry->parsed, full, entry->text, size, &entry->problem);
    return rc == -ENOENT || rc == -ENOMEM ? rc : 0;
}

static int add_entry(struct colony_workspace *workspace, struct colony__etc_entries *entries,
                     size_t *capacity, char *base)
{
    struct colony__etc_entry entry = {.base = base, .owner = ETC_UNOWNED};
    void *items;
    int rc = read_entry(workspace, &entry);

    if (rc < 0) {
        clear_entry(&entry);
        return rc == -ENOENT ? 0 : rc;
    }
    items = colony_array_room(entries->items, entries->count, capacity, sizeof entry);
    if (!items) {
        clear_entry(&entry);
        return -ENOMEM;
    }
    entries->items = items;
    entries->items[entries->count++] = entry;
    return 0;
}

static int compare_entries(const void *left, const void *right)
{
    return strcmp(((const struct colony__etc_entry *)left)->base,
                  ((const struct colony__etc_entry *)right)->base);
}

static int read_folder(struct colony_workspace *workspace, DIR *folder,
                       struct colony__etc_entries *entries)
{
    size_t capacity = 0;

    for (;;) {
        const struct dirent *file;
        char *base;
        int rc;

        errno = 0;
        file = readdir(folder);
        if (!file)
            return -errno;
        base = base_of(file->d_name);
        if (!base)
            continue;
        if (entries->count >= COLONY_SESSION_PROCESSES_MAX) {
            free(base);
            return -E2BIG;
        }
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it is in @entries */
        rc = add_entry(workspace, entries, &capacity, base);
        if (rc < 0)
            return rc;
    }
}

int colony__etc_read_all(struct colony_workspace *workspace, struct colony__etc_entries *out,
                         struct colony_error *err)
{
    struct colony__etc_entries entries = {0};
    int fd = openat(workspace->fd, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    int rc = folder ? 0 : -errno;

    if (folder) {
        rc = read_folder(workspace, folder, &entries);
        (void)closedir(folder);
    } else if (fd >= 0) {
        (void)close(fd);
    }
    if (rc < 0) {
        colony__etc_entries_clear(&entries);
        return colony_fail_os(err, rc, "cannot read %s/etc", workspace->path);
    }
    if (entries.count > 1)
        qsort(entries.items, entries.count, sizeof *entries.items, compare_entries);
    *out = entries;
    return 0;
}
