/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/attributes_internal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <uv.h>

/* Out of memory a table must say so instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "core/error.h"
#include "core/json_print.h"
#include "core/log.h"
#include "core/value.h"
#include "rpc/pst.h"

struct attribute {
    UT_hash_handle hh;
    char *json;
    char name[]; /* flexible */
};

struct rpc_attributes {
    uv_timer_t timer; /* runs while something has changed */
    struct attribute *table;
    size_t bytes;
    struct colony_rpc_pst *pst; /* NULL: nothing is saved */
    uint64_t frequency_ms;
    bool has_changed;
    bool is_saving;
    bool has_failed; /* and it was told */
    bool is_closing;
    bool has_loaded; /* or there is nothing to load: before that nothing is saved over it */
    rpc_attributes_cb loaded_cb;
    void *loaded_data;
    rpc_attributes_cb closed_cb;
    void *closed_data;
    struct colony_error unsaved; /* why the last of it could not be */
};

static void save(struct rpc_attributes *attributes);

/* NOLINTBEGIN(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc): the macros of uthash are counted as if they were written here */

static struct attribute *find(const struct rpc_attributes *attributes, const char *name)
{
    struct attribute *found;

    HASH_FIND_STR(attributes->table, name, found);
    return found;
}

static struct attribute *add(struct rpc_attributes *attributes, const char *name)
{
    size_t length = strlen(name);
    struct attribute *attribute = calloc(1, sizeof *attribute + length + 1);

    if (!attribute)
        return NULL;
    memcpy(attribute->name, name, length + 1);
    HASH_ADD_KEYPTR(hh, attributes->table, attribute->name, length, attribute);
    if (attribute->hh.tbl)
        return attribute;
    free(attribute);
    return NULL;
}

static void forget(struct rpc_attributes *attributes, struct attribute *attribute)
{
    HASH_DEL(attributes->table, attribute);
    free(attribute->json);
    free(attribute);
}

static void forget_all(struct rpc_attributes *attributes)
{
    struct attribute *attribute;
    struct attribute *next;

    HASH_ITER(hh, attributes->table, attribute, next)
    {
        forget(attributes, attribute);
    }
}

static size_t count_all(const struct rpc_attributes *attributes)
{
    return HASH_COUNT(attributes->table);
}

/* NOLINTEND(readability-function-size,readability-function-cognitive-complexity,
   clang-analyzer-unix.Malloc) */

int rpc_attributes_new(struct rpc_attributes **out, struct uv_loop_s *loop,
                       struct colony_rpc_pst *pst, uint64_t frequency_ms, struct colony_error *err)
{
    struct rpc_attributes *attributes = calloc(1, sizeof *attributes);

    if (!attributes)
        return colony_fail_os(err, -ENOMEM, "cannot serve RPC");
    (void)uv_timer_init(loop, &attributes->timer);
    attributes->timer.data = attributes;
    attributes->pst = pst;
    attributes->frequency_ms = frequency_ms;
    attributes->has_loaded = !pst;
    *out = attributes;
    return 0;
}

static int put(struct rpc_attributes *attributes, const char *name, const char *json)
{
    struct attribute *attribute = find(attributes, name);
    size_t before = attribute ? strlen(attribute->json) : 0;
    size_t size = strlen(json);
    char *copy;

    if (size > RPC_ATTRIBUTE_BYTES_MAX ||
        attributes->bytes - before + size > RPC_ATTRIBUTES_BYTES_MAX ||
        (!attribute && count_all(attributes) == RPC_ATTRIBUTES_MAX))
        return -EMSGSIZE;
    copy = strdup(json);
    if (copy && !attribute)
        attribute = add(attributes, name);
    if (!attribute || !copy) {
        free(copy);
        return -ENOMEM;
    }
    free(attribute->json);
    attribute->json = copy;
    attributes->bytes += size - before;
    return 0;
}

/* -ENOMEM: not all of them. What is no name of theirs, or too large, is left out. */
static int take_saved(struct rpc_attributes *attributes, const char *text)
{
    cJSON *json = cJSON_Parse(text); /* it was parsed before: memory is all that it can lack */
    const cJSON *item = json ? json->child : NULL;
    int rc = json ? 0 : -ENOMEM;

    for (; item && rc != -ENOMEM; item = item->next) {
        char *value;

        if (!colony_rpc_is_name(item->string) || strncmp(item->string, "pst", 3) != 0)
            continue;
        value = colony_json_print(item);
        rc = value ? put(attributes, item->string, value) : -ENOMEM;
        free(value);
    }
    cJSON_Delete(json);
    return rc == -ENOMEM ? rc : 0;
}

static void on_loaded(int rc, const char *text, const struct colony_error *err, void *data)
{
    struct rpc_attributes *attributes = data;
    rpc_attributes_cb cb = attributes->loaded_cb;
    struct colony_error short_of;

    if (rc == 0 && text)
        rc = take_saved(attributes, text);
    if (rc < 0 && text) {
        (void)colony_fail_os(&short_of, rc, "cannot take the attributes that were saved");
        err = &short_of;
    }
    attributes->has_loaded |= rc == 0; /* else nothing is saved over them */
    attributes->loaded_cb = NULL;
    cb(rc < 0 ? err : NULL, attributes->loaded_data);
    if (attributes->is_closing)
        save(attributes);
}

void rpc_attributes_load(struct rpc_attributes *attributes, rpc_attributes_cb cb, void *data)
{
    struct colony_error err;
    int rc;

    attributes->loaded_cb = cb;
    attributes->loaded_data = data;
    if (!attributes->pst) {
        on_loaded(0, NULL, NULL, attributes);
        return;
    }
    rc = colony_rpc_pst_load(attributes->pst, on_loaded, attributes);
    if (rc == 0)
        return;
    (void)colony_fail_os(&err, rc, "cannot read the attributes");
    on_loaded(rc, NULL, &err, attributes);
}

const char *rpc_attributes_get(const struct rpc_attributes *attributes, const char *name)
{
    const struct attribute *attribute = find(attributes, name);

    return attribute ? attribute->json : NULL;
}

void rpc_attributes_each(const struct rpc_attributes *attributes, colony_rpc_each_cb cb, void *data)
{
    for (const struct attribute *at = attributes->table; at; at = at->hh.next)
        cb(at->name, RPC_ATTRIBUTE, data);
}

static void on_timer(uv_timer_t *timer)
{
    save(timer->data);
}

/* Saved within the frequency from the first change on. */
static void note_change(struct rpc_attributes *attributes)
{
    attributes->has_changed = true;
    if (attributes->pst && !attributes->is_closing && !attributes->is_saving &&
        !uv_is_active((uv_handle_t *)&attributes->timer))
        (void)uv_timer_start(&attributes->timer, on_timer, attributes->frequency_ms, 0);
}

int rpc_attributes_set(struct rpc_attributes *attributes, const char *name, const char *json,
                       struct colony_error *err)
{
    const struct attribute *attribute = find(attributes, name);
    int rc;

    if (attribute && strcmp(attribute->json, json) == 0)
        return 0;
    rc = put(attributes, name, json);
    if (rc == -EMSGSIZE)
        return colony_fail(err, rc,
                           "cannot set %s: a value may have 256 KiB, and there may be 1,000 of 8 "
                           "MiB in all",
                           name);
    if (rc < 0)
        return colony_fail_os(err, rc, "cannot set %s", name);
    if (strncmp(name, "pst", 3) == 0)
        note_change(attributes);
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct rpc_attributes *attributes = handle->data;

    forget_all(attributes);
    colony_rpc_pst_free(attributes->pst);
    attributes->closed_cb(attributes->unsaved.code < 0 ? &attributes->unsaved : NULL,
                          attributes->closed_data);
    free(attributes);
}

static void on_saved(int rc, const struct colony_error *err, void *data)
{
    struct rpc_attributes *attributes = data;

    attributes->is_saving = false;
    if (rc < 0 && attributes->is_closing)
        attributes->unsaved = *err;
    else if (rc < 0 && !attributes->has_failed)
        colony_log(SEVERITY_ERROR, "%s: tries again", err->message);
    attributes->has_failed = rc < 0;
    if (attributes->is_closing) {
        if (rc == 0 && attributes->has_changed)
            save(attributes);
        else
            uv_close((uv_handle_t *)&attributes->timer, on_timer_closed);
        return;
    }
    if (rc < 0 || attributes->has_changed)
        note_change(attributes);
}

/* {"pst…": …} of what there is; NULL: no memory. */
static char *print_saved(const struct rpc_attributes *attributes)
{
    cJSON *json = cJSON_CreateObject();
    char *text = NULL;
    bool failed = !json;

    for (const struct attribute *at = attributes->table; at && !failed; at = at->hh.next)
        if (strncmp(at->name, "pst", 3) == 0)
            failed = !cJSON_AddRawToObject(json, at->name, at->json);
    if (!failed)
        text = colony_json_print(json);
    cJSON_Delete(json);
    return text;
}

static void save(struct rpc_attributes *attributes)
{
    struct colony_error err;
    char *text = NULL;
    int rc = 0;

    if (attributes->is_saving)
        return; /* on_saved goes on */
    attributes->is_saving = true;
    if (!attributes->pst || !attributes->has_loaded)
        attributes->has_changed =
            false; /* nowhere to save it, or not over what could not be read */
    if (attributes->has_changed) {
        text = print_saved(attributes);
        rc = text ? colony_rpc_pst_save(attributes->pst, text, strlen(text), on_saved, attributes)
                  : -ENOMEM;
        attributes->has_changed = rc < 0;
        free(text);
        if (rc == 0)
            return;
        (void)colony_fail_os(&err, rc, "cannot save the attributes");
    }
    on_saved(rc, &err, attributes);
}

void rpc_attributes_close(struct rpc_attributes *attributes, rpc_attributes_cb cb, void *data)
{
    attributes->closed_cb = cb;
    attributes->closed_data = data;
    attributes->is_closing = true;
    (void)uv_timer_stop(&attributes->timer);
    if (!attributes->loaded_cb) /* else it is under way, and goes on from there */
        save(attributes);
}
