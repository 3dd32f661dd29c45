/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /tree: every slot with its process and all descendants of that, as /proc shows them.
 *
 * The slots are copied on the loop; a worker thread reads /proc and writes the JSON.
 */
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/template.h"

enum {
    DEPTH_MAX = 64,
    PROCESSES_MAX = 100000, /* of one answer */
    COMMAND_MAX = 1024,
};

/* A slot, or, with a name, the template that the slots after it belong to. */
struct tree_slot {
    char *name;
    uint32_t slot;
    uint64_t id;
    pid_t os_pid;
    enum colony_slot_state state;
};

struct tree {
    struct colony__server *server;
    struct colony__connection *connection; /* NULL: it has gone */
    struct colony_engine *engine;
    uv_work_t work;
    struct tree_slot *slots;
    size_t slot_count;
    size_t slot_capacity;
    size_t process_count;
    bool is_working;
    bool failed;
    cJSON *json;
};

static void tree_release(struct tree *tree)
{
    struct colony__server *server = tree->server;

    if (tree->connection || tree->is_working)
        return;
    for (size_t i = 0; i < tree->slot_count; i++)
        free(tree->slots[i].name);
    free(tree->slots);
    cJSON_Delete(tree->json);
    free(tree);
    colony__server_release(server);
}

/* Reads a whole small file of /proc; returns its bytes, without any NUL at the end. */
static size_t read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got;

    text[0] = '\0';
    if (fd < 0)
        return 0;
    while (used < size - 1 && (got = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    (void)close(fd);
    text[used] = '\0';
    return used;
}

/* The arguments with blanks between them, or "[NAME]" where there are none to see. */
static void read_command(pid_t pid, char command[COMMAND_MAX])
{
    char path[64];
    char name[64];
    size_t size;

    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    size = read_proc(path, command, COMMAND_MAX);
    while (size > 0 && command[size - 1] == '\0')
        size--;
    for (size_t i = 0; i < size; i++)
        if (command[i] == '\0')
            command[i] = ' ';
    if (size == 0) {
        (void)snprintf(path, sizeof path, "/proc/%d/comm", pid);
        (void)read_proc(path, name, sizeof name);
        name[strcspn(name, "\n")] = '\0';
        (void)snprintf(command, COMMAND_MAX, "[%s]", name);
    }
    colony__utf8_repair(command);
}

static bool add_process(struct tree *tree, cJSON *list, pid_t pid, int depth);

/* The children that one thread has started: a list of numbers of any length. */
static bool add_children_of(struct tree *tree, cJSON *list, const char *path, int depth)
{
    char text[16];
    FILE *file = fopen(path, "re");
    bool ok = true;

    if (!file)
        return true; /* it has just ended */
    while (ok && fscanf(file, "%15s", text) == 1) {
        unsigned long long pid;

        if (colony__parse_number(text, INT32_MAX, &pid) < 0)
            break;
        ok = add_process(tree, list, (pid_t)pid, depth);
    }
    (void)fclose(file);
    return ok;
}

static bool add_children(struct tree *tree, cJSON *list, pid_t pid, int depth)
{
    char path[64];
    DIR *threads;
    const struct dirent *entry;
    bool ok = true;

    (void)snprintf(path, sizeof path, "/proc/%d/task", pid);
    threads = depth < DEPTH_MAX ? opendir(path) : NULL;
    if (!threads)
        return true;
    while (ok && (entry = readdir(threads))) {
        unsigned long long thread;

        if (colony__parse_number(entry->d_name, INT32_MAX, &thread) < 0)
            continue;
        (void)snprintf(path, sizeof path, "/proc/%d/task/%llu/children", pid, thread);
        ok = add_children_of(tree, list, path, depth + 1);
    }
    (void)closedir(threads);
    return ok;
}

static bool add_process(struct tree *tree, cJSON *list, pid_t pid, int depth)
{
    char command[COMMAND_MAX];
    cJSON *json;
    cJSON *children;

    if (tree->process_count++ >= PROCESSES_MAX)
        return true;
    read_command(pid, command);
    json = cJSON_CreateObject();
    if (!json || !cJSON_AddItemToArray(list, json)) {
        cJSON_Delete(json);
        return false;
    }
    if (!cJSON_AddNumberToObject(json, "pid", pid) ||
        !cJSON_AddStringToObject(json, "command", command))
        return false;
    children = cJSON_AddArrayToObject(json, "children");
    return children && add_children(tree, children, pid, depth);
}

static bool add_slot(struct tree *tree, cJSON *list, const struct tree_slot *slot)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *processes;
    bool lives = slot->id != 0;

    if (!json || !cJSON_AddItemToArray(list, json)) {
        cJSON_Delete(json);
        return false;
    }
    if (!cJSON_AddNumberToObject(json, "slot", slot->slot) ||
        !(lives ? cJSON_AddNumberToObject(json, "id", (double)slot->id)
                : cJSON_AddNullToObject(json, "id")) ||
        !(lives ? cJSON_AddNumberToObject(json, "os_pid", slot->os_pid)
                : cJSON_AddNullToObject(json, "os_pid")) ||
        !cJSON_AddStringToObject(json, "state", colony_slot_state_name(slot->state)))
        return false;
    processes = cJSON_AddArrayToObject(json, "processes");
    if (!processes)
        return false;
    return slot->os_pid <= 0 || add_process(tree, processes, slot->os_pid, 0);
}

static cJSON *add_template(cJSON *list, const char *name)
{
    cJSON *json = cJSON_CreateObject();

    if (!json || !cJSON_AddItemToArray(list, json)) {
        cJSON_Delete(json);
        return NULL;
    }
    if (!cJSON_AddStringToObject(json, "name", name))
        return NULL;
    return cJSON_AddArrayToObject(json, "slots");
}

static void on_work(uv_work_t *work)
{
    struct tree *tree = work->data;
    cJSON *slots = NULL;
    bool ok;

    tree->json = cJSON_CreateArray();
    ok = tree->json != NULL;
    for (size_t i = 0; i < tree->slot_count && ok; i++) {
        const struct tree_slot *slot = &tree->slots[i];

        if (slot->name)
            slots = add_template(tree->json, slot->name);
        ok = slots && (slot->name || add_slot(tree, slots, slot));
    }
    if (ok)
        return;
    cJSON_Delete(tree->json);
    tree->json = NULL;
}

static void on_worked(uv_work_t *work, int status)
{
    struct tree *tree = work->data;

    (void)status;
    if (tree->connection) {
        cJSON *json = tree->json;

        tree->json = NULL;
        (void)colony__respond_json(tree->connection, 200, json);
    }
    tree->is_working = false;
    tree_release(tree);
}

static void on_closed(void *data)
{
    struct tree *tree = data;

    tree->connection = NULL;
    tree_release(tree);
}

static const struct colony__source tree_source = {.closed = on_closed};

static struct tree_slot *next_slot(struct tree *tree)
{
    struct tree_slot *slots =
        colony_array_room(tree->slots, tree->slot_count, &tree->slot_capacity, sizeof *slots);

    if (!slots) {
        tree->failed = true;
        return NULL;
    }
    tree->slots = slots;
    return &tree->slots[tree->slot_count++];
}

static void copy_slot(const struct colony_slot_info *info, void *data)
{
    struct tree *tree = data;
    struct tree_slot *slot = next_slot(tree);

    if (!slot)
        return;
    *slot = (struct tree_slot){
        .slot = info->slot, .id = info->id, .os_pid = info->os_pid, .state = info->state};
}

static void copy_template(const struct colony_template *template, void *data)
{
    struct tree *tree = data;
    struct tree_slot *slot = next_slot(tree);

    if (!slot)
        return;
    *slot = (struct tree_slot){.name = strdup(template->name)};
    if (!slot->name)
        tree->failed = true;
    (void)colony_engine_each_slot(tree->engine, template->name, copy_slot, tree);
}

int colony__get_tree(struct colony__connection *connection, const struct colony__request *request,
                     struct colony_error *err)
{
    struct tree *tree = calloc(1, sizeof *tree);

    (void)request;
    if (!tree)
        return colony_fail_os(err, -ENOMEM, "cannot read the process tree");
    tree->server = connection->server;
    tree->engine = colony__connection_engine(connection);
    tree->work.data = tree;
    colony__server_hold(tree->server);
    colony_engine_each_template(tree->engine, copy_template, tree);
    if (tree->failed || uv_queue_work(tree->server->loop, &tree->work, on_work, on_worked) < 0) {
        tree_release(tree);
        return colony_fail_os(err, -ENOMEM, "cannot read the process tree");
    }
    tree->is_working = true;
    tree->connection = connection;
    colony__connection_set_source(connection, &tree_source, tree);
    return 0;
}
