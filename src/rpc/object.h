/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.h - what a server (server.h) serves: attributes and methods with names.
 *
 * A call is answered once, at once or later, by one of the functions that end with colony_rpc_…:
 * after that it is gone. That also holds when its client or the server is gone meanwhile. On the
 * loop only.
 */
#ifndef COLONY_RPC_OBJECT_H
#define COLONY_RPC_OBJECT_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;
struct colony_error;
struct colony_rpc_call;
struct colony_value;

enum {
    COLONY_RPC_NAME_MAX = 64,
    COLONY_RPC_PARAMS_MAX = 8,
};

enum colony_rpc_kind { RPC_ATTRIBUTE, RPC_METHOD };

struct colony_rpc_member {
    enum colony_rpc_kind kind;
    /* A method's parameters, "name signal? pid?": those with a `?` may be left out. NULL: the
     * method looks at colony_rpc_call_params() itself. */
    const char *params;
    const char *doc;     /* NULL: none */
    bool is_for_control; /* a method: whoever may only read may not call it */
    bool is_read_only;   /* an attribute that cannot be set */
};

typedef void (*colony_rpc_each_cb)(const char *name, enum colony_rpc_kind kind, void *data);

/* Any but `find` may be NULL where there is nothing of that kind. */
struct colony_rpc_object {
    const char *doc;
    /* False: there is no such name. @out is all-zero before. */
    bool (*find)(void *data, const char *name, struct colony_rpc_member *out);
    void (*each)(void *data, colony_rpc_each_cb cb, void *cb_data);
    /* Answers with the value; @name is borrowed for the call. */
    void (*get)(void *data, const char *name, struct colony_rpc_call *call);
    bool sets_only_found; /* `set` is for names that `find` knows */
    /* The value is colony_rpc_call_param(call, 1); answers with true. */
    void (*set)(void *data, const char *name, struct colony_rpc_call *call);
    void (*call)(void *data, const char *name, struct colony_rpc_call *call);
};

/* The parameter at that place of the member's `params`; NULL: it was left out. */
const struct colony_value *colony_rpc_call_param(const struct colony_rpc_call *call, size_t place);
/* All of them as they came: a list or a map, or NULL. */
const struct colony_value *colony_rpc_call_params(const struct colony_rpc_call *call);
/* Who asks, for logs: "rpc", "rpc key NAME". */
const char *colony_rpc_call_who(const struct colony_rpc_call *call);
/* False: whoever has asked is gone, and it may be ended without what was asked for. */
bool colony_rpc_call_is_wanted(const struct colony_rpc_call *call);
/* Whether that may control or only read. */
bool colony_rpc_call_may_control(const struct colony_rpc_call *call);

/* Ends with @result, which is freed. NULL says that there was no memory for it. */
void colony_rpc_answer(struct colony_rpc_call *call, struct cJSON *result);
/* The same with what is JSON already. */
void colony_rpc_answer_text(struct colony_rpc_call *call, const char *json);
/* Ends with the code and the type of err->code, as the table in core has it. */
void colony_rpc_fail(struct colony_rpc_call *call, const struct colony_error *err);
/* Ends with an error of any other kind. */
void colony_rpc_raise(struct colony_rpc_call *call, int code, const char *type,
                      const char *message);
/* Ends as what is too much for the server itself, and is counted with that. */
void colony_rpc_refuse(struct colony_rpc_call *call, const char *message);

/* A letter, then letters, digits and `_`, at most COLONY_RPC_NAME_MAX. */
bool colony_rpc_is_name(const char *name);

#endif
