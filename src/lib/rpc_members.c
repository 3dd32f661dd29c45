/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_members.c - methods and attributes: as the program exposes them, and as clients ask for them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "core/json_print.h"
#include "core/utf8.h"
#include "core/value.h"
#include "rpc/attributes_internal.h"
#include "rpc_internal.h"

/* --- exposing ----------------------------------------------------------------------------------
 */

static void free_member(struct colony__rpcd_member *member)
{
    free(member->name);
    free(member->params);
    free(member->doc);
    free(member->value);
    free(member);
}

void colony__rpcd_free_members(struct colony_rpc_daemon *daemon)
{
    while (daemon->members) {
        struct colony__rpcd_member *member = daemon->members;

        daemon->members = member->next;
        free_member(member);
    }
}

struct colony__rpcd_member *colony__rpcd_find(const struct colony_rpc_daemon *daemon,
                                              const char *name)
{
    struct colony__rpcd_member *member = daemon->members;

    while (member && strcmp(member->name, name) != 0)
        member = member->next;
    return member;
}

static int check_name(const struct colony_rpc_daemon *daemon, const char *name,
                      struct colony_error *err)
{
    static const char *const taken[] = {"getattr", "setattr", "dir", "doc", "stop"};
    int rc = colony__rpcd_check_idle(daemon, err);

    if (rc < 0)
        return rc;
    if (!name || !colony_rpc_is_name(name))
        return colony_fail(err, -EINVAL,
                           "cannot expose `%.64s`: a name is a letter, then letters, digits and _",
                           name ? name : "");
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(taken[i], name) == 0)
            return colony_fail(err, -EEXIST, "cannot expose %s: every daemon has that already",
                               name);
    if (colony__rpcd_find(daemon, name))
        return colony_fail(err, -EEXIST, "cannot expose %s: there is one already", name);
    if (daemon->member_count == COLONY__RPCD_MEMBERS_MAX)
        return colony_fail(err, -ENOSPC, "cannot expose %s: %d names are the most", name,
                           COLONY__RPCD_MEMBERS_MAX);
    return 0;
}

/* Names, perhaps with a `?` behind them. */
static bool are_params(const char *text)
{
    size_t count = 0;

    for (text += strspn(text, " "); *text != '\0'; text += strspn(text, " ")) {
        size_t size = strcspn(text, " ");
        char name[COLONY_RPC_NAME_MAX + 2] = "";

        if (size >= sizeof name || ++count > COLONY_RPC_PARAMS_MAX)
            return false;
        memcpy(name, text, size);
        if (name[size - 1] == '?')
            name[size - 1] = '\0';
        if (!colony_rpc_is_name(name))
            return false;
        text += size;
    }
    return true;
}

static int check_doc(const char *doc, const char *name, struct colony_error *err)
{
    if (!doc || colony_utf8_length(doc, strlen(doc)) == strlen(doc))
        return 0;
    return colony_fail(err, -EINVAL, "cannot expose %s: its `doc` is no UTF-8", name);
}

static int check_flags(unsigned flags, unsigned known, const char *name, struct colony_error *err)
{
    return flags & ~known
               ? colony_fail(err, -EINVAL, "cannot expose %s: it cannot have the flags 0x%x", name,
                             flags & ~known)
               : 0;
}

static int copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

/* An empty one of that name. NULL: no memory. */
static struct colony__rpcd_member *make_member(const char *name, const char *params,
                                               const char *doc)
{
    struct colony__rpcd_member *member = calloc(1, sizeof *member);

    if (member && copy(&member->name, name) == 0 && copy(&member->params, params) == 0 &&
        copy(&member->doc, doc) == 0)
        return member;
    if (member)
        free_member(member);
    return NULL;
}

static void add_member(struct colony_rpc_daemon *daemon, struct colony__rpcd_member *member)
{
    struct colony__rpcd_member **end = &daemon->members;

    while (*end)
        end = &(*end)->next;
    *end = member;
    daemon->member_count++;
}

int colony_rpc_expose_method(struct colony_rpc_daemon *daemon,
                             const struct colony_rpc_method *method, void *data,
                             struct colony_error *err)
{
    struct colony__rpcd_member *member;
    int rc = check_name(daemon, method->name, err);

    if (rc == 0)
        rc = check_doc(method->doc, method->name, err);
    if (rc == 0)
        rc = check_flags(method->flags, COLONY_RPC_ON_LOOP | COLONY_RPC_FOR_READERS, method->name,
                         err);
    if (rc < 0)
        return rc;
    if (!method->call || (method->params && !are_params(method->params)))
        return colony_fail(err, -EINVAL,
                           "cannot expose %s: it needs a function, and 8 parameters at most, which "
                           "are names",
                           method->name);
    member = make_member(method->name, method->params, method->doc);
    if (!member)
        return colony_fail_os(err, -ENOMEM, "cannot expose %s", method->name);
    member->is_method = true;
    member->flags = method->flags;
    member->method = *method;
    member->data = data;
    add_member(daemon, member);
    return 0;
}

/* What the library keeps of @value, NULL being null. */
static int print_value(char **out, const char *name, const cJSON *value, struct colony_error *err)
{
    struct colony_value *tree = NULL;
    struct colony_error reason = {0};
    char *text = value ? colony_json_print(value) : colony_json_print(&(cJSON){.type = cJSON_NULL});
    int rc = text ? colony_value_parse_json(&tree, text, strlen(text), &reason) : -ENOMEM;

    colony_value_free(tree);
    if (rc == 0 && strlen(text) > RPC_ATTRIBUTE_BYTES_MAX)
        rc = colony_fail(err, -EMSGSIZE, "cannot set %s: a value may have 256 KiB", name);
    else if (rc == -ENOMEM)
        (void)colony_fail_os(err, rc, "cannot set %s", name);
    else if (rc < 0)
        (void)colony_fail(err, rc, "cannot set %s: %s", name, reason.message);
    if (rc == 0)
        *out = text;
    else
        free(text);
    return rc;
}

static int check_attribute(const struct colony_rpc_attribute *attribute, bool is_saved,
                           bool has_value, struct colony_error *err)
{
    if (attribute->get && has_value)
        return colony_fail(err, -EINVAL, "cannot expose %s: it has `get`, which knows its value",
                           attribute->name);
    if (attribute->set && !attribute->get)
        return colony_fail(err, -EINVAL, "cannot expose %s: it has `set` and no `get`",
                           attribute->name);
    if (attribute->get && !attribute->set && is_saved)
        return colony_fail(err, -EINVAL,
                           "cannot expose %s: what is saved has to be `set` again by its function",
                           attribute->name);
    return 0;
}

int colony_rpc_expose_attr(struct colony_rpc_daemon *daemon,
                           const struct colony_rpc_attribute *attribute, const struct cJSON *value,
                           void *data, struct colony_error *err)
{
    bool is_saved = attribute->name && strncmp(attribute->name, "pst", 3) == 0;
    struct colony__rpcd_member *member;
    int rc = check_name(daemon, attribute->name, err);

    if (rc == 0)
        rc = check_doc(attribute->doc, attribute->name, err);
    if (rc == 0)
        rc = check_flags(attribute->flags, COLONY_RPC_ON_LOOP, attribute->name, err);
    if (rc == 0)
        rc = check_attribute(attribute, is_saved, value != NULL, err);
    if (rc < 0)
        return rc;
    member = make_member(attribute->name, NULL, attribute->doc);
    if (!member)
        return colony_fail_os(err, -ENOMEM, "cannot expose %s", attribute->name);
    member->is_saved = is_saved;
    member->is_read_only = attribute->is_read_only || (attribute->get && !attribute->set);
    member->flags = attribute->flags;
    member->attribute = *attribute;
    member->data = data;
    if (!attribute->get)
        rc = print_value(&member->value, member->name, value, err);
    if (rc < 0)
        free_member(member);
    else
        add_member(daemon, member);
    return rc;
}

/* --- values that the library keeps -------------------------------------------------------------
 */

/* NULL: there is none, which @err says. */
static struct colony__rpcd_member *find_kept(const struct colony_rpc_daemon *daemon,
                                             const char *name, struct colony_error *err)
{
    struct colony__rpcd_member *member = colony__rpcd_find(daemon, name);

    if (member && !member->is_method && !member->attribute.get)
        return member;
    (void)colony_fail(err, -ENOENT, "cannot find an attribute %.64s that the library keeps", name);
    return NULL;
}

static char *copy_value(struct colony_rpc_daemon *daemon, const struct colony__rpcd_member *member)
{
    char *text;

    (void)pthread_mutex_lock(&daemon->lock);
    text = strdup(member->value);
    (void)pthread_mutex_unlock(&daemon->lock);
    return text;
}

/* Takes ownership of @text. */
static void put_value(struct colony_rpc_daemon *daemon, struct colony__rpcd_member *member,
                      char *text)
{
    char *before;

    (void)pthread_mutex_lock(&daemon->lock);
    before = member->value;
    member->value = text;
    member->has_changed |= member->is_saved;
    daemon->has_changes |= member->is_saved;
    (void)pthread_mutex_unlock(&daemon->lock);
    free(before);
}

int colony_rpc_value(struct colony_rpc_daemon *daemon, const char *name, struct cJSON **value,
                     struct colony_error *err)
{
    struct colony__rpcd_member *member = find_kept(daemon, name, err);
    char *text;
    cJSON *json;

    if (!member)
        return -ENOENT;
    text = copy_value(daemon, member);
    json = text ? cJSON_Parse(text) : NULL;
    free(text);
    if (!json)
        return colony_fail_os(err, -ENOMEM, "cannot read %s", name);
    *value = json;
    return 0;
}

int colony_rpc_put(struct colony_rpc_daemon *daemon, const char *name, const struct cJSON *value,
                   struct colony_error *err)
{
    struct colony__rpcd_member *member = find_kept(daemon, name, err);
    char *text = NULL;
    int rc = member ? print_value(&text, name, value, err) : -ENOENT;

    if (rc < 0)
        return rc;
    put_value(daemon, member, text);
    if (member->is_saved && atomic_load(&daemon->has_loop))
        (void)uv_async_send(&daemon->async);
    return 0;
}

/* --- what every daemon has ---------------------------------------------------------------------
 */

static cJSON *get_running(const struct colony_rpc_daemon *daemon)
{
    return cJSON_CreateBool(colony_rpc_running(daemon));
}

static cJSON *get_uptime(const struct colony_rpc_daemon *daemon)
{
    return cJSON_CreateNumber((double)(uv_now(&daemon->loop) - daemon->started_ms) / 1000);
}

static void call_stop(struct colony_rpc_daemon *daemon, struct colony_rpc_call *call)
{
    colony_rpc_answer(call, cJSON_CreateTrue()); /* it goes out while the daemon ends */
    colony_rpc_stop(daemon);
}

/* clang-format off */
static const struct own_member {
    const char *name;
    struct colony_rpc_member member;
    cJSON *(*get)(const struct colony_rpc_daemon *daemon);
    void (*call)(struct colony_rpc_daemon *daemon, struct colony_rpc_call *call);
} own_members[] = {
    {"running", {RPC_ATTRIBUTE, NULL, "whether the program takes calls", false, true}, get_running, NULL},
    {"stop",    {RPC_METHOD, "", "stop(): saves what is to be saved, and ends the daemon.", true, false}, NULL, call_stop},
    {"uptime",  {RPC_ATTRIBUTE, NULL, "for how many seconds the program has run", false, true}, get_uptime, NULL},
};
/* clang-format on */

enum {
    OWN_COUNT = sizeof own_members / sizeof own_members[0],
};

/* NULL also when the program hides it. */
static const struct own_member *find_own(const struct colony_rpc_daemon *daemon, const char *name)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (strcmp(own_members[i].name, name) == 0)
            return colony__rpcd_find(daemon, name) ? NULL : &own_members[i];
    return NULL;
}

/* --- as clients ask ----------------------------------------------------------------------------
 */

static bool find(void *data, const char *name, struct colony_rpc_member *out)
{
    const struct colony_rpc_daemon *daemon = data;
    const struct colony__rpcd_member *member = colony__rpcd_find(daemon, name);
    const struct own_member *own = find_own(daemon, name);

    if (own)
        *out = own->member;
    if (!member)
        return own != NULL;
    out->kind = member->is_method ? RPC_METHOD : RPC_ATTRIBUTE;
    out->params = member->params;
    out->doc = member->doc;
    out->is_for_control = !(member->flags & COLONY_RPC_FOR_READERS);
    out->is_read_only = member->is_read_only;
    return true;
}

static void each(void *data, colony_rpc_each_cb cb, void *cb_data)
{
    const struct colony_rpc_daemon *daemon = data;

    for (const struct colony__rpcd_member *at = daemon->members; at; at = at->next)
        cb(at->name, at->is_method ? RPC_METHOD : RPC_ATTRIBUTE, cb_data);
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (!colony__rpcd_find(daemon, own_members[i].name))
            cb(own_members[i].name, own_members[i].member.kind, cb_data);
}

/* NULL: there is nothing. */
static const char *take_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
    colony_utf8_repair(out, strlen(out));
    return out[0] != '\0' ? out : NULL;
}

static void raise_error(const struct colony__rpcd_job *job)
{
    const struct colony_rpc_error *error = &job->error;
    char type[sizeof error->type];
    char message[sizeof error->message];
    const char *told = take_text(message, sizeof message, error->message);
    struct colony_error err = {0};

    (void)colony_fail_os(&err, job->rc, "cannot do %s", job->member->name);
    colony_rpc_raise(job->call, error->code ? error->code : colony_error_info(job->rc)->rpc_code,
                     take_text(type, sizeof type, error->type), told ? told : err.message);
}

static void answer(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job)
{
    if (job->rc < 0)
        raise_error(job);
    else if (job->kind == RPCD_SET)
        colony_rpc_answer_text(job->call, "true");
    else
        colony_rpc_answer_text(job->call, job->result ? job->result : "null");
    if (job->kind == RPCD_SET && job->rc >= 0 && job->member->is_saved)
        colony__rpcd_look_at(daemon, job->member); /* it may have made something else of it */
}

/* Has a function called; @given is freed with cJSON_Delete (NULL: there is nothing). */
static void call_program(struct colony_rpc_daemon *daemon, struct colony__rpcd_job *job,
                         struct colony_rpc_call *call, cJSON *given)
{
    char *text = given ? colony_json_print(given) : NULL;

    cJSON_Delete(given);
    if (!job || (given && !text)) {
        free(job);
        colony_rpc_answer(call, NULL); /* no memory */
        return;
    }
    job->call = call;
    job->given = text;
    job->done = answer;
    if (colony_rpc_running(daemon) && colony__rpcd_submit(daemon, job))
        return;
    colony__rpcd_free_job(job);
    colony_rpc_refuse(call, colony_rpc_running(daemon)
                                ? "cannot do this now: too many calls wait already"
                                : "cannot do this: the daemon ends");
}

static void get(void *data, const char *name, struct colony_rpc_call *call)
{
    struct colony_rpc_daemon *daemon = data;
    struct colony__rpcd_member *member = colony__rpcd_find(daemon, name);
    char *text;

    if (!member) {
        colony_rpc_answer(call, find_own(daemon, name)->get(daemon));
    } else if (member->attribute.get) {
        call_program(daemon, colony__rpcd_make_job(RPCD_GET, member, NULL), call, NULL);
    } else {
        text = copy_value(daemon, member);
        if (text)
            colony_rpc_answer_text(call, text);
        else
            colony_rpc_answer(call, NULL);
        free(text);
    }
}

/* One that the library keeps. */
static void set_value(struct colony_rpc_daemon *daemon, struct colony__rpcd_member *member,
                      const cJSON *value, struct colony_rpc_call *call)
{
    struct colony_error err = {0};
    char *text = NULL;
    int rc = print_value(&text, member->name, value, &err);

    if (rc == 0 && member->is_saved) /* whether there is room for it, too */
        rc = rpc_attributes_set(daemon->attributes, member->name, text, &err);
    if (rc < 0) {
        free(text);
        colony_rpc_fail(call, &err);
        return;
    }
    put_value(daemon, member, text);
    colony_rpc_answer_text(call, "true");
}

static void set(void *data, const char *name, struct colony_rpc_call *call)
{
    struct colony_rpc_daemon *daemon = data;
    struct colony__rpcd_member *member = colony__rpcd_find(daemon, name);
    cJSON *value = colony_value_to_json(colony_rpc_call_param(call, 1));

    if (!value) {
        colony_rpc_answer(call, NULL);
    } else if (member->attribute.set) {
        call_program(daemon, colony__rpcd_make_job(RPCD_SET, member, NULL), call, value);
    } else {
        set_value(daemon, member, value, call);
        cJSON_Delete(value);
    }
}

/* {NAME: value} of those that were given. NULL: no memory. */
static cJSON *name_params(const struct colony_rpc_call *call, const char *names)
{
    cJSON *params = cJSON_CreateObject();
    bool is_whole = params != NULL;

    for (size_t i = 0; is_whole && names[strspn(names, " ")] != '\0'; i++) {
        const struct colony_value *value = colony_rpc_call_param(call, i);
        char name[COLONY_RPC_NAME_MAX + 1];

        names += strspn(names, " ");
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(names, " ?"), names);
        names += strcspn(names, " ");
        if (value)
            is_whole = cJSON_AddItemToObject(params, name, colony_value_to_json(value));
    }
    if (is_whole)
        return params;
    cJSON_Delete(params);
    return NULL;
}

static void call_method(void *data, const char *name, struct colony_rpc_call *call)
{
    struct colony_rpc_daemon *daemon = data;
    struct colony__rpcd_member *member = colony__rpcd_find(daemon, name);
    const struct colony_value *came = colony_rpc_call_params(call);
    bool has_params = member && (member->params || came);
    cJSON *params = NULL;

    if (!member) {
        find_own(daemon, name)->call(daemon, call);
        return;
    }
    if (has_params)
        params = member->params ? name_params(call, member->params) : colony_value_to_json(came);
    if (has_params && !params)
        colony_rpc_answer(call, NULL);
    else
        call_program(daemon, colony__rpcd_make_job(RPCD_CALL, member, NULL), call, params);
}

const struct colony_rpc_object colony__rpcd_object = {
    .find = find,
    .each = each,
    .get = get,
    .sets_only_found = true, /* a slip would be lost without a word */
    .set = set,
    .call = call_method,
};
