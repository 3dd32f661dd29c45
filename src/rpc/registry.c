/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/registry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "core/array.h"
#include "core/error.h"
#include "core/fresh.h"
#include "core/json_print.h"
#include "core/paths.h"
#include "core/table.h"
#include "core/users.h"
#include "core/value.h"

enum {
    FILE_MAX = 4096,    /* bytes */
    ENTRIES_MAX = 4096, /* daemons that are looked at */
    FOLDER_MODE = 0751, /* of the folder of the control socket */
};

int colony_rpc_registry_folder(char *path, size_t size)
{
    const char *given = getenv("COLONY_RUNTIME_DIR");
    char socket[PATH_MAX];
    int used;
    int rc;

    if (given && given[0] == '/') {
        used = snprintf(path, size, "%s/rpc", given);
        return used < 0 || (size_t)used >= size ? -ENAMETOOLONG : 0;
    }
    rc = colony_default_socket(socket, sizeof socket);
    if (rc < 0)
        return rc;
    *strrchr(socket, '/') = '\0';
    used = snprintf(path, size, "%s/rpc", socket);
    return used < 0 || (size_t)used >= size ? -ENAMETOOLONG : 0;
}

/* The folder of the control socket, as that would be made: for the group `colony`, too. */
static int make_parent(const char *path)
{
    gid_t group;

    if (mkdir(path, FOLDER_MODE) < 0)
        return errno == EEXIST ? 0 : -errno;
    group = colony_group_of_colony();
    if (group != (gid_t)-1 && chown(path, (uid_t)-1, group) < 0 && errno != EPERM)
        return -errno;
    return chmod(path, FOLDER_MODE) < 0 ? -errno : 0; /* the umask may have taken more away */
}

static int make_folders(char *path)
{
    char *slash = strrchr(path, '/');
    int rc;

    *slash = '\0';
    rc = make_parent(path);
    *slash = '/';
    if (rc == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
        rc = -errno;
    return rc;
}

/* The folder's descriptor. -EACCES: what stands in it could be anybody's. */
static int open_folder(bool make, struct colony_error *err)
{
    char path[PATH_MAX];
    struct stat info;
    int rc = colony_rpc_registry_folder(path, sizeof path);
    int fd;

    if (rc == 0 && make)
        rc = make_folders(path);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot use the registry of RPC");
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return colony_fail_os(err, -errno, "cannot use the registry of RPC, %s", path);
    if (fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & 022) == 0)
        return fd;
    (void)close(fd);
    return colony_fail(err, -EACCES,
                       "cannot use the registry of RPC: %s belongs to somebody else, or others may "
                       "write it",
                       path);
}

static void name_file(const struct colony_rpc_entry *entry, char *name, size_t size)
{
    (void)snprintf(name, size, "%s.%d.json", entry->name,
                   (int)(entry->keeper ? entry->keeper : entry->pid));
}

static char *print_entry(const struct colony_rpc_entry *entry)
{
    cJSON *json = cJSON_CreateObject();
    char *text = NULL;
    bool is_whole =
        cJSON_AddStringToObject(json, "name", entry->name) &&
        cJSON_AddNumberToObject(json, "pid", entry->pid) &&
        cJSON_AddNumberToObject(json, "pid_start", (double)entry->pid_start) &&
        (!entry->keeper ||
         (cJSON_AddNumberToObject(json, "keeper", entry->keeper) &&
          cJSON_AddNumberToObject(json, "keeper_start", (double)entry->keeper_start))) &&
        cJSON_AddStringToObject(json, "endpoint", entry->endpoint) &&
        cJSON_AddNumberToObject(json, "port", entry->port) &&
        (entry->public_key[0] ? cJSON_AddStringToObject(json, "public_key", entry->public_key)
                              : cJSON_AddNullToObject(json, "public_key")) &&
        cJSON_AddNumberToObject(json, "max_message_bytes", (double)entry->message_bytes_max);

    if (is_whole)
        text = colony_json_print(json);
    cJSON_Delete(json);
    return text;
}

static bool read_entry(int folder, const char *name, struct colony_rpc_entry *out);

/* One that was there before stays if it is of a daemon that lives. Its name has the pid in it: who
 * tries the same at this moment is a thread of ours, and one of both gets it. */
static int link_new(int folder, const char *fresh, const char *name)
{
    struct colony_rpc_entry former;

    if (linkat(folder, fresh, folder, name, 0) == 0)
        return 0;
    if (errno != EEXIST || read_entry(folder, name, &former))
        return -errno;
    (void)unlinkat(folder, name, 0); /* of a process that had our pid */
    return linkat(folder, fresh, folder, name, 0) == 0 ? 0 : -errno;
}

/* Under another name first, so that nobody reads half of it. */
static int write_file(int folder, const char *name, const char *text, bool is_new)
{
    char fresh[NAME_MAX + 1];
    size_t size = strlen(text);
    int fd;
    int rc = 0;

    fd = colony_fresh_open(folder, "", 0600, fresh, sizeof fresh);
    if (fd < 0)
        return fd;
    if (write(fd, text, size) != (ssize_t)size)
        rc = -EIO;
    if (rc == 0 && is_new)
        rc = link_new(folder, fresh, name);
    else if (rc == 0 && renameat(folder, fresh, folder, name) < 0)
        rc = -errno;
    if (rc < 0 || is_new)
        (void)unlinkat(folder, fresh, 0);
    (void)close(fd);
    return rc;
}

void colony_rpc_registry_remove(const struct colony_rpc_entry *entry)
{
    char name[NAME_MAX + 1];
    int folder = open_folder(false, NULL);

    if (folder < 0)
        return;
    name_file(entry, name, sizeof name);
    (void)unlinkat(folder, name, 0);
    (void)close(folder);
}

static bool take_text(const struct colony_value *map, const char *key, char *out, size_t size)
{
    const struct colony_value *value = colony_value_get(map, key);

    if (!value || value->type != VALUE_STRING || strlen(value->text) >= size)
        return false;
    (void)snprintf(out, size, "%s", value->text);
    return true;
}

static bool take_number(const struct colony_value *map, const char *key, double max, double *out)
{
    const struct colony_value *value = colony_value_get(map, key);

    if (!value || value->type != VALUE_NUMBER || !(value->number >= 0 && value->number <= max))
        return false;
    *out = value->number;
    return true;
}

static bool parse_entry(struct colony_rpc_entry *out, const char *text, size_t size)
{
    struct colony_value *value = NULL;
    double pid = 0;
    double start = 0;
    double keeper = 0;
    double keeper_start = 0;
    double port = 0;
    double message_bytes_max = 0;
    bool is_good;

    *out = (struct colony_rpc_entry){0};
    if (colony_value_parse_json(&value, text, size, NULL) < 0)
        return false;
    is_good = value->type == VALUE_MAP && take_text(value, "name", out->name, sizeof out->name) &&
              colony_name_check(out->name, NULL) == 0 &&
              take_text(value, "endpoint", out->endpoint, sizeof out->endpoint) &&
              take_number(value, "pid", INT_MAX, &pid) &&
              take_number(value, "pid_start", 9e15, &start) &&
              take_number(value, "port", 65535, &port);
    (void)take_text(value, "public_key", out->public_key, sizeof out->public_key);
    (void)take_number(value, "keeper", INT_MAX, &keeper);
    (void)take_number(value, "keeper_start", 9e15, &keeper_start);
    (void)take_number(value, "max_message_bytes", 1 << 30, &message_bytes_max);
    colony_value_free(value);
    out->pid = (pid_t)pid;
    out->pid_start = (uint64_t)start;
    out->keeper = (pid_t)keeper;
    out->keeper_start = (uint64_t)keeper_start;
    out->port = (int)port;
    out->message_bytes_max = (uint64_t)message_bytes_max;
    return is_good;
}

/* One that has ended serves nobody, also while its parent has yet to hear of it. */
static bool runs(pid_t pid, uint64_t start)
{
    struct pollfd process = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    bool is_running;

    if (process.fd < 0)
        return false;
    is_running = colony_proc_start_ticks(pid) == start && poll(&process, 1, 0) == 0;
    (void)close(process.fd);
    return is_running;
}

static bool is_living(const struct colony_rpc_entry *entry)
{
    return runs(entry->pid, entry->pid_start) ||
           (entry->keeper && runs(entry->keeper, entry->keeper_start));
}

/* False: there is nothing of use. A file of a process that has ended is removed. */
static bool read_entry(int folder, const char *name, struct colony_rpc_entry *out)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char text[FILE_MAX];
    char expected[NAME_MAX + 1];
    ssize_t size;

    if (fd < 0)
        return false;
    size = read(fd, text, sizeof text);
    (void)close(fd);
    if (size <= 0 || !parse_entry(out, text, (size_t)size))
        return false;
    name_file(out, expected, sizeof expected);
    if (strcmp(expected, name) != 0)
        return false;
    if (is_living(out))
        return true;
    (void)unlinkat(folder, name, 0);
    return false;
}

static int compare_entries(const void *left, const void *right)
{
    const struct colony_rpc_entry *one = left;
    const struct colony_rpc_entry *other = right;
    int order = strcmp(one->name, other->name);

    return order != 0 ? order : one->port - other->port;
}

static bool is_entry_name(const char *name)
{
    size_t size = strlen(name);

    return size > 5 && strcmp(name + size - 5, ".json") == 0;
}

static int gather(DIR *stream, struct colony_rpc_entry **list, size_t *count)
{
    size_t capacity = 0;
    const struct dirent *item;

    while ((item = readdir(stream)) && *count < ENTRIES_MAX) {
        struct colony_rpc_entry *room;

        if (!is_entry_name(item->d_name))
            continue;
        room = colony_array_room(*list, *count, &capacity, sizeof **list);
        if (!room)
            return -ENOMEM;
        *list = room;
        if (read_entry(dirfd(stream), item->d_name, &room[*count]))
            (*count)++;
    }
    return 0;
}

int colony_rpc_registry_list(struct colony_rpc_entry **out, size_t *count, struct colony_error *err)
{
    struct colony_rpc_entry *list = NULL;
    size_t found = 0;
    int folder = open_folder(false, err);
    DIR *stream;
    int rc;

    *out = NULL;
    *count = 0;
    if (folder < 0)
        return folder == -ENOENT ? 0 : folder;
    stream = fdopendir(folder);
    if (!stream) {
        rc = -errno;
        (void)close(folder);
        return colony_fail_os(err, rc, "cannot read the registry of RPC");
    }
    rc = gather(stream, &list, &found);
    (void)closedir(stream);
    if (rc < 0) {
        free(list);
        return colony_fail_os(err, rc, "cannot read the registry of RPC");
    }
    if (found > 0)
        qsort(list, found, sizeof *list, compare_entries);
    *out = list;
    *count = found;
    return 0;
}

/* What an engine wrote that was here before @entry, and has become its keeper, say: nobody else can
 * have its endpoint. */
static void remove_former(const struct colony_rpc_entry *entry)
{
    struct colony_rpc_entry *list;
    size_t count;

    if (colony_rpc_registry_list(&list, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, entry->name) == 0 &&
            strcmp(list[i].endpoint, entry->endpoint) == 0 &&
            (list[i].pid != entry->pid || list[i].keeper != entry->keeper))
            colony_rpc_registry_remove(&list[i]);
    free(list);
}

static int add(struct colony_rpc_entry *entry, bool is_new, struct colony_error *err)
{
    char name[NAME_MAX + 1];
    char *text;
    int folder;
    int rc = colony_name_check(entry->name, err);

    if (rc < 0)
        return rc;
    entry->pid = getpid();
    entry->pid_start = colony_proc_start_ticks(entry->pid);
    entry->keeper_start = entry->keeper > 0 ? colony_proc_start_ticks(entry->keeper) : 0;
    if (entry->keeper_start == 0)
        entry->keeper = 0; /* it is gone, or not to be seen */
    folder = open_folder(true, err);
    if (folder < 0)
        return folder;
    name_file(entry, name, sizeof name);
    text = print_entry(entry);
    rc = text ? write_file(folder, name, text, is_new) : -ENOMEM;
    free(text);
    (void)close(folder);
    if (rc == -EEXIST)
        return colony_fail(err, rc,
                           "cannot serve %s: this program has a daemon of that name already",
                           entry->name);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot write the registry of RPC");
    remove_former(entry);
    return 0;
}

int colony_rpc_registry_add(struct colony_rpc_entry *entry, struct colony_error *err)
{
    return add(entry, false, err);
}

int colony_rpc_registry_add_new(struct colony_rpc_entry *entry, struct colony_error *err)
{
    return add(entry, true, err);
}

static int fail_missing(const struct colony_rpc_entry *list, size_t count, const char *name,
                        int port, struct colony_error *err)
{
    const char **names = calloc(count + 1, sizeof *names);
    const char *nearest = NULL;

    for (size_t i = 0; names && i < count; i++)
        names[i] = list[i].name;
    if (names)
        nearest = colony_name_nearest(name, names);
    free(names);
    if (nearest && strcmp(nearest, name) == 0)
        return colony_fail(err, -ENOENT, "cannot find a daemon %s on port %d", name, port);
    if (nearest)
        return colony_fail(err, -ENOENT,
                           "cannot find a daemon named %s: none runs here (did you mean %s?)", name,
                           nearest);
    return colony_fail(err, -ENOENT, "cannot find a daemon named %s: none runs here", name);
}

int colony_rpc_registry_find(struct colony_rpc_entry *out, const char *name, int port,
                             struct colony_error *err)
{
    struct colony_rpc_entry *list;
    size_t count;
    size_t i = 0;
    int rc = colony_rpc_registry_list(&list, &count, err);

    if (rc < 0)
        return rc;
    while (i < count && (strcmp(list[i].name, name) != 0 || (port != 0 && list[i].port != port)))
        i++;
    if (i < count)
        *out = list[i];
    else
        rc = fail_missing(list, count, name, port, err);
    free(list);
    return rc;
}
