/* SPDX-License-Identifier: Apache-2.0 */
/* engine_tree.c - the processes of slots with all their descendants, read on a thread. */
#include <stdlib.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/engine.h"
#include "core/error.h"
#include "core/process_tree.h"
#include "rpc/engine_internal.h"

enum {
    PROCESSES_MAX = 100000, /* of one answer */
};

/* One answer on its way: first the slots, which the loop knows, then what /proc shows of them. */
struct tree {
    uv_work_t work;
    struct colony_rpc_call *call;
    struct rpc_walk walk;                           /* a list of templates */
    cJSON *slots;                                   /* of the one that is added */
    cJSON *open[COLONY_PROCESS_TREE_DEPTH_MAX + 2]; /* where children of each depth go */
    size_t depth;
};

/* Takes ownership of @item, which may be NULL. False: no memory. */
static bool add_member(cJSON *object, const char *key, cJSON *item)
{
    if (item && cJSON_AddItemToObject(object, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static void add_slot(const struct colony_slot_info *info, void *data)
{
    struct tree *tree = data;
    bool lives = info->id != 0;
    cJSON *slot = cJSON_CreateObject();

    if (!slot || !cJSON_AddItemToArray(tree->slots, slot)) {
        cJSON_Delete(slot);
        tree->walk.failed = true;
        return;
    }
    tree->walk.failed |=
        !add_member(slot, "slot", cJSON_CreateNumber(info->slot)) ||
        !add_member(slot, "id",
                    lives ? cJSON_CreateNumber((double)info->id) : cJSON_CreateNull()) ||
        !add_member(slot, "os_pid",
                    lives ? cJSON_CreateNumber(info->os_pid) : cJSON_CreateNull()) ||
        !add_member(slot, "state", cJSON_CreateString(colony_slot_state_name(info->state))) ||
        !add_member(slot, "processes", cJSON_CreateArray());
}

static void add_template(const struct colony_template *template, void *data)
{
    struct tree *tree = data;
    cJSON *json = cJSON_CreateObject();

    if (tree->walk.failed || !json || !cJSON_AddStringToObject(json, "name", template->name) ||
        !(tree->slots = cJSON_AddArrayToObject(json, "slots"))) {
        cJSON_Delete(json);
        tree->walk.failed = true;
        return;
    }
    rpc_walk_add(&tree->walk, json);
    if (!tree->walk.failed)
        (void)colony_engine_each_slot(tree->walk.rpc->engine, template->name, add_slot, tree);
}

static bool enter_process(void *data, pid_t pid, const char *command)
{
    struct tree *tree = data;
    cJSON *process = cJSON_CreateObject();
    cJSON *children = cJSON_CreateArray();

    if (!process || !children || !cJSON_AddItemToArray(tree->open[tree->depth], process)) {
        cJSON_Delete(process);
        cJSON_Delete(children);
        tree->walk.failed = true;
        return false;
    }
    tree->walk.failed |= !add_member(process, "pid", cJSON_CreateNumber(pid)) ||
                         !add_member(process, "command", rpc_text(command)) ||
                         !add_member(process, "children", children);
    tree->open[++tree->depth] = children;
    return !tree->walk.failed;
}

static void leave_process(void *data)
{
    struct tree *tree = data;

    tree->depth--;
}

static void on_work(uv_work_t *work)
{
    struct tree *tree = work->data;
    struct colony_process_visitor visitor = {
        .enter = enter_process, .leave = leave_process, .data = tree, .left = PROCESSES_MAX};
    const cJSON *template;
    const cJSON *slot;

    cJSON_ArrayForEach(template, tree->walk.json)
    {
        cJSON_ArrayForEach(slot, cJSON_GetObjectItemCaseSensitive(template, "slots"))
        {
            const cJSON *pid = cJSON_GetObjectItemCaseSensitive(slot, "os_pid");

            tree->depth = 0;
            tree->open[0] = cJSON_GetObjectItemCaseSensitive(slot, "processes");
            if (cJSON_IsNumber(pid) && !tree->walk.failed)
                colony_process_tree_walk((pid_t)pid->valuedouble, &visitor);
        }
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct tree *tree = work->data;

    (void)status;
    rpc_walk_answer(tree->call, &tree->walk);
    free(tree);
}

void rpc_tree(struct rpc_engine *rpc, struct colony_rpc_call *call)
{
    bool has_name = colony_rpc_call_param(call, 0) != NULL;
    struct rpc_target target = {0};
    struct tree *tree;

    if (has_name && !rpc_take_template(rpc, call, 0, &target))
        return;
    tree = calloc(1, sizeof *tree);
    if (!tree) {
        colony_rpc_answer(call, NULL);
        return;
    }
    tree->call = call;
    tree->walk = rpc_walk_begin(rpc);
    tree->walk.failed |= !tree->walk.json;
    tree->work.data = tree;
    if (has_name)
        add_template(colony_engine_find_template(rpc->engine, target.name), tree);
    else
        colony_engine_each_template(rpc->engine, add_template, tree);
    if (tree->walk.failed ||
        uv_queue_work(colony_engine_uv_loop(rpc->engine), &tree->work, on_work, on_worked) < 0) {
        tree->walk.failed = true;
        on_worked(&tree->work, 0);
    }
}
