/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /tree: every slot with its process and all descendants of that, as /proc shows them.
 *
 * The slots are copied on the loop; a worker thread reads /proc and writes the JSON.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/connection_internal.h"
#include "api/handlers_internal.h"
#include "api/json_internal.h"
#include "api/response_internal.h"
#include "api/server_internal.h"
#include "core/array.h"
#include "core/engine.h"
#include "core/error.h"
#include "core/process_tree.h"
#include "core/template.h"

enum {
    PROCESSES_MAX = 100000, /* of one answer */
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
    struct colony_process_visitor visitor;
    bool is_working;
    bool failed;
    struct colony__json json;
};

static void tree_release(struct tree *tree)
{
    struct colony__server *server = tree->server;

    if (tree->connection || tree->is_working)
        return;
    for (size_t i = 0; i < tree->slot_count; i++)
        free(tree->slots[i].name);
    free(tree->slots);
    colony__json_clear(&tree->json);
    free(tree);
    colony__server_release(server);
}

static bool enter_process(void *data, pid_t pid, const char *command)
{
    struct colony__json *json = data;

    colony__json_open(json, NULL, '{');
    colony__json_add_signed(json, "pid", pid);
    colony__json_add_text(json, "command", command);
    colony__json_open(json, "children", '[');
    return !json->failed;
}

static void leave_process(void *data)
{
    struct colony__json *json = data;

    colony__json_close(json, ']');
    colony__json_close(json, '}');
}

static void add_slot(struct tree *tree, const struct tree_slot *slot)
{
    struct colony__json *json = &tree->json;

    colony__json_open(json, NULL, '{');
    colony__json_add_number(json, "slot", slot->slot);
    if (slot->id != 0) {
        colony__json_add_number(json, "id", slot->id);
        colony__json_add_signed(json, "os_pid", slot->os_pid);
    } else {
        colony__json_add_null(json, "id");
        colony__json_add_null(json, "os_pid");
    }
    colony__json_add_text(json, "state", colony_slot_state_name(slot->state));
    colony__json_open(json, "processes", '[');
    if (slot->os_pid > 0)
        colony_process_tree_walk(slot->os_pid, &tree->visitor);
    colony__json_close(json, ']');
    colony__json_close(json, '}');
}

/* The template at @at with its slots. Returns where the next one is. */
static size_t add_template(struct tree *tree, size_t at)
{
    colony__json_open(&tree->json, NULL, '{');
    colony__json_add_text(&tree->json, "name", tree->slots[at].name);
    colony__json_open(&tree->json, "slots", '[');
    for (at++; at < tree->slot_count && !tree->slots[at].name; at++)
        add_slot(tree, &tree->slots[at]);
    colony__json_close(&tree->json, ']');
    colony__json_close(&tree->json, '}');
    return at;
}

static void on_work(uv_work_t *work)
{
    struct tree *tree = work->data;

    colony__json_open(&tree->json, NULL, '[');
    for (size_t at = 0; at < tree->slot_count && !tree->json.failed;)
        at = add_template(tree, at);
    colony__json_close(&tree->json, ']');
}

static void on_worked(uv_work_t *work, int status)
{
    struct tree *tree = work->data;

    (void)status;
    if (tree->connection)
        (void)colony__respond_json(tree->connection, 200, &tree->json);
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
    tree->visitor = (struct colony_process_visitor){
        .enter = enter_process, .leave = leave_process, .data = &tree->json, .left = PROCESSES_MAX};
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
