/* SPDX-License-Identifier: Apache-2.0 */
/* invoke.c - the names that every daemon has, and what its object has beside them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/template.h"
#include "core/value.h"
#include "rpc/call_internal.h"

enum {
    QUOTED_MAX = 64, /* bytes of a name that is none */
};

/* What a call is carried out on. */
struct target {
    const struct colony_rpc_object *object;
    void *data;
};

/* Those of a daemon, as they are gathered. */
struct names {
    const char **list[2]; /* by kind */
    size_t count[2];
    size_t capacity[2];
    bool failed;
};

/* A builtin of the protocol. */
struct builtin {
    const char *name;
    const char *params;
    void (*invoke)(struct colony_rpc_call *call, const struct target *target);
    const char *doc;
};

/* "cannot call NAME: @what @word". */
static void raise_type(struct colony_rpc_call *call, const char *what, const char *word)
{
    char text[256];

    (void)snprintf(text, sizeof text, "cannot call %.64s: %s %s", call->method, what, word);
    colony_rpc_raise(call, -32602, "TypeError", text);
}

/* The word of @names that begins at *at: its size, and whether it may be left out. */
static size_t take_name(const char **at, const char **name, bool *is_optional)
{
    size_t size;

    *at += strspn(*at, " ");
    *name = *at;
    size = strcspn(*at, " ");
    *at += size;
    *is_optional = size > 0 && (*name)[size - 1] == '?';
    return size - (size_t)*is_optional;
}

static const struct colony_value *find_member(const struct colony_value *map, const char *name,
                                              size_t size)
{
    for (const struct colony_value *at = map->child; at; at = at->next)
        if (strncmp(at->key, name, size) == 0 && at->key[size] == '\0')
            return at;
    return NULL;
}

static size_t count_children(const struct colony_value *value)
{
    size_t count = 0;

    for (const struct colony_value *at = value ? value->child : NULL; at; at = at->next)
        count++;
    return count;
}

bool colony__rpc_bind(struct colony_rpc_call *call, const char *names)
{
    const struct colony_value *params = call->params;
    const struct colony_value *next = params ? params->child : NULL;
    bool is_map = params && params->type == VALUE_MAP;
    size_t used = 0;
    const char *name;
    bool is_optional;
    size_t size;

    for (size_t i = 0; (size = take_name(&names, &name, &is_optional)) > 0; i++) {
        const struct colony_value *value = is_map ? find_member(params, name, size) : next;
        char text[COLONY_RPC_NAME_MAX + 1];

        (void)snprintf(text, sizeof text, "%.*s", (int)size, name);
        if (!value && !is_optional) {
            raise_type(call, "it needs the parameter", text);
            return false;
        }
        call->bound[i] = value;
        used += value != NULL;
        if (!is_map && next)
            next = next->next;
    }
    if (count_children(params) == used)
        return true;
    raise_type(call, is_map ? "an unknown" : "too many", is_map ? "parameter" : "parameters");
    return false;
}

/* The first parameter as a name; NULL: it has been answered. */
static const char *take_text(struct colony_rpc_call *call)
{
    const struct colony_value *value = call->bound[0];

    if (value->type == VALUE_STRING)
        return value->text;
    raise_type(call, "it needs a text as", "name");
    return NULL;
}

static bool find(const struct target *target, const char *name, struct colony_rpc_member *out)
{
    *out = (struct colony_rpc_member){0};
    return colony_rpc_is_name(name) && target->object->find(target->data, name, out);
}

static void answer_method(struct colony_rpc_call *call, const char *name, const char *doc)
{
    cJSON *result = cJSON_CreateObject();

    if (!cJSON_AddStringToObject(result, "method", name) ||
        !cJSON_AddStringToObject(result, "doc", doc ? doc : "")) {
        cJSON_Delete(result);
        result = NULL;
    }
    colony_rpc_answer(call, result);
}

static const struct builtin *find_builtin(const char *name);
static void add_builtins(struct names *names);
static void raise_unknown(struct colony_rpc_call *call, const struct target *target,
                          const char *name);

static void get_attribute(struct colony_rpc_call *call, const struct target *target)
{
    const char *name = take_text(call);
    struct colony_rpc_member member;

    if (!name)
        return;
    if (find_builtin(name)) {
        answer_method(call, name, find_builtin(name)->doc);
    } else if (!find(target, name, &member)) {
        raise_unknown(call, target, name);
    } else if (member.kind == RPC_METHOD) {
        answer_method(call, name, member.doc);
    } else {
        call->wraps_value = true;
        target->object->get(target->data, name, call);
    }
}

static void set_attribute(struct colony_rpc_call *call, const struct target *target)
{
    const char *name = take_text(call);
    struct colony_rpc_member member;
    bool is_there;
    char text[160];

    if (!name)
        return;
    is_there = find(target, name, &member);
    if (!colony_rpc_call_may_control(call)) {
        colony_rpc_raise(call, -32004, "PermissionError", "cannot set this: you may only read");
    } else if (!colony_rpc_is_name(name) || !target->object->set ||
               (target->object->sets_only_found && !is_there && !find_builtin(name))) {
        raise_unknown(call, target, name);
    } else if (find_builtin(name) ||
               (is_there && (member.kind == RPC_METHOD || member.is_read_only))) {
        (void)snprintf(text, sizeof text, "cannot set %s: it can only be read", name);
        colony_rpc_raise(call, -32004, "PermissionError", text);
    } else {
        target->object->set(target->data, name, call);
    }
}

static void add_name(const char *name, enum colony_rpc_kind kind, void *data)
{
    struct names *names = data;
    const char **list = names->list[kind];

    if (names->count[kind] == names->capacity[kind]) {
        size_t capacity = names->capacity[kind] ? names->capacity[kind] * 2 : 32;

        list = realloc(list, capacity * sizeof *list);
        if (!list) {
            names->failed = true;
            return;
        }
        names->list[kind] = list;
        names->capacity[kind] = capacity;
    }
    list[names->count[kind]++] = name;
}

static void gather_names(struct names *names, const struct target *target)
{
    add_builtins(names);
    if (target->object->each)
        target->object->each(target->data, add_name, names);
}

static void clear_names(struct names *names)
{
    free(names->list[RPC_ATTRIBUTE]);
    free(names->list[RPC_METHOD]);
}

/* The one that @name was probably meant to be; lent. NULL: none is near. */
static const char *find_nearest(const struct target *target, const char *name)
{
    static const enum colony_rpc_kind kinds[] = {RPC_METHOD, RPC_ATTRIBUTE};
    struct names names = {0};
    const char *nearest = NULL;

    gather_names(&names, target);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !nearest; i++) {
        add_name(NULL, kinds[i], &names); /* the end of the list */
        if (!names.failed)
            nearest = colony_name_nearest(name, names.list[kinds[i]]);
    }
    clear_names(&names);
    return nearest;
}

/* The size of what is quoted of @name: no letter is cut in half. */
static size_t cut_size(const char *name)
{
    size_t size = strnlen(name, QUOTED_MAX + 1);

    if (size <= QUOTED_MAX)
        return size;
    for (size = QUOTED_MAX; size > 0 && ((unsigned char)name[size] & 0xc0) == 0x80; size--)
        ;
    return size;
}

static void raise_unknown(struct colony_rpc_call *call, const struct target *target,
                          const char *name)
{
    const char *nearest = colony_rpc_is_name(name) ? find_nearest(target, name) : NULL;
    char text[256];

    if (nearest)
        (void)snprintf(text, sizeof text,
                       "cannot find %s: there is no such attribute; did you mean %s?", name,
                       nearest);
    else if (colony_rpc_is_name(name))
        (void)snprintf(text, sizeof text, "cannot find %s: there is no such attribute", name);
    else
        (void)snprintf(text, sizeof text,
                       "cannot find `%.*s`: a name is a letter, then letters, digits and _",
                       (int)cut_size(name), name);
    colony_rpc_raise(call, -32601, "AttributeError", text);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void add_list(cJSON *result, const char *key, const char **list, size_t count)
{
    cJSON *array;

    if (count > 0)
        qsort(list, count, sizeof *list, compare_names);
    array = list ? cJSON_CreateStringArray(list, (int)count) : cJSON_CreateArray();
    if (!cJSON_AddItemToObject(result, key, array))
        cJSON_Delete(array);
}

static void list_names(struct colony_rpc_call *call, const struct target *target)
{
    struct names names = {0};
    cJSON *result = cJSON_CreateObject();

    gather_names(&names, target);
    add_list(result, "attributes", names.list[RPC_ATTRIBUTE], names.count[RPC_ATTRIBUTE]);
    add_list(result, "methods", names.list[RPC_METHOD], names.count[RPC_METHOD]);
    if (names.failed || cJSON_GetArraySize(result) != 2) {
        cJSON_Delete(result);
        result = NULL;
    }
    clear_names(&names);
    colony_rpc_answer(call, result);
}

static void tell_doc(struct colony_rpc_call *call, const struct target *target)
{
    const char *doc = target->object->doc;
    const char *name = NULL;
    struct colony_rpc_member member;

    if (call->bound[0]) {
        name = take_text(call);
        if (!name)
            return;
    }
    if (name && find_builtin(name)) {
        doc = find_builtin(name)->doc;
    } else if (name && !find(target, name, &member)) {
        raise_unknown(call, target, name);
        return;
    } else if (name) {
        doc = member.doc;
    }
    colony_rpc_answer(call, cJSON_CreateString(doc ? doc : ""));
}

static const struct builtin builtins[] = {
    {"getattr", "name", get_attribute,
     "getattr(name): the value of an attribute, or what the method is for."},
    {"setattr", "name value", set_attribute, "setattr(name, value): sets an attribute."},
    {"dir", "", list_names, "dir(): the names of attributes and methods."},
    {"doc", "name?", tell_doc,
     "doc(name?): what an attribute, a method or the daemon itself is for."},
    {0},
};

static void add_builtins(struct names *names)
{
    for (const struct builtin *at = builtins; at->name; at++)
        add_name(at->name, RPC_METHOD, names);
}

static const struct builtin *find_builtin(const char *name)
{
    for (const struct builtin *at = builtins; at->name; at++)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

void colony__rpc_invoke(struct colony_rpc_call *call, const struct colony_rpc_object *object,
                        void *data)
{
    const struct target target = {object, data};
    const struct builtin *builtin = find_builtin(call->method);
    struct colony_rpc_member member;

    if (builtin) {
        if (colony__rpc_bind(call, builtin->params))
            builtin->invoke(call, &target);
        return;
    }
    if (!find(&target, call->method, &member)) {
        raise_unknown(call, &target, call->method);
        return;
    }
    if (member.kind != RPC_METHOD) {
        raise_type(call, "it is", "an attribute");
        return;
    }
    if (member.is_for_control && !colony_rpc_call_may_control(call)) {
        colony_rpc_raise(call, -32004, "PermissionError", "cannot call this: you may only read");
        return;
    }
    if (!member.params || colony__rpc_bind(call, member.params))
        object->call(data, call->method, call);
}
