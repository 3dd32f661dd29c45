/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exposed.h - a daemon of RPC in the test, some of what it exposes, and proxies that ask it.
 *
 * The registry is in a folder of the tests' own: groups run between make_registry and
 * remove_registry.
 */
#ifndef COLONY_TESTS_LIB_EXPOSED_H
#define COLONY_TESTS_LIB_EXPOSED_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <cjson/cJSON.h>
#include <colony.h>

#include "../scratch.h"

static struct scratch registry; /* and files of tests */

static inline int make_registry(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    scratch_init(&registry);
    return setenv("COLONY_RUNTIME_DIR", registry.path, 1);
}

static inline int remove_registry(void **state)
{
    (void)state;
    scratch_clear(&registry);
    return 0;
}

struct fixture {
    struct colony_rpc_daemon *daemon;
    struct colony_error err;
    sem_t begun; /* a slow call */
    sem_t free;
    pthread_t slow; /* who waits for it */
    atomic_int count;
};

static inline void fixture_init(struct fixture *f, const char *settings)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(sem_init(&f->begun, 0, 0), 0);
    assert_int_equal(sem_init(&f->free, 0, 0), 0);
    if (colony_rpc_open(&f->daemon, "Pot", settings, &f->err) < 0)
        fail_msg("%s", f->err.message);
}

static inline void start(struct fixture *f)
{
    if (colony_rpc_start(f->daemon, &f->err) < 0)
        fail_msg("%s", f->err.message);
}

static inline void fixture_clear(struct fixture *f)
{
    colony_rpc_close(f->daemon);
    assert_int_equal(sem_destroy(&f->begun), 0);
    assert_int_equal(sem_destroy(&f->free), 0);
}

static inline struct colony_rpc_proxy *connected(const char *place)
{
    struct colony_rpc_proxy *proxy;
    struct colony_error err = {0};

    if (colony_rpc_connect(&proxy, place, NULL, &err) < 0)
        fail_msg("%s", err.message);
    colony_rpc_set_timeout(proxy, DEADLINE_MS);
    return proxy;
}

/* What @method answers to @params, as text; of an error its message. */
static inline const char *called(struct colony_rpc_proxy *proxy, const char *method,
                                 const char *params)
{
    static _Thread_local char text[COLONY_ERROR_TEXT_MAX + 16];
    struct colony_error err = {0};
    cJSON *given = params ? cJSON_Parse(params) : NULL;
    cJSON *result = NULL;

    (void)snprintf(text, sizeof text, "none");
    if (colony_rpc_call(proxy, method, given, &result, &err) < 0)
        (void)snprintf(text, sizeof text, "%d %s", err.code, err.message);
    else
        assert_true(cJSON_PrintPreallocated(result, text, sizeof text, false));
    cJSON_Delete(result);
    cJSON_Delete(given);
    return text;
}

static inline double number(struct colony_rpc_proxy *proxy, const char *name)
{
    struct colony_error err = {0};
    cJSON *value = NULL;
    double found;

    if (colony_rpc_get(proxy, name, &value, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(cJSON_IsNumber(value));
    found = cJSON_GetNumberValue(value);
    cJSON_Delete(value);
    return found;
}

static inline int set_number(struct colony_rpc_proxy *proxy, const char *name, double to,
                             struct colony_error *err)
{
    cJSON *value = cJSON_CreateNumber(to);
    int rc = colony_rpc_set(proxy, name, value, err);

    cJSON_Delete(value);
    return rc;
}

/* --- what it exposes -------------------------------------------------------------------------- */

static inline int echo(const struct cJSON *params, struct cJSON **result,
                       struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)error;
    atomic_fetch_add(&f->count, 1);
    *result = params ? cJSON_Duplicate(params, true) : NULL;
    return 0;
}

/* Holds its worker until the test lets it go. */
static inline int hold(const struct cJSON *params, struct cJSON **result,
                       struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)params, (void)error;
    (void)sem_post(&f->begun);
    while (sem_wait(&f->free) < 0)
        ;
    *result = cJSON_CreateTrue();
    return 0;
}

static inline int get_heat(struct cJSON **value, struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)error;
    *value = cJSON_CreateNumber(f->count);
    return 0;
}

static inline int set_heat(const struct cJSON *value, struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    if (!cJSON_IsNumber(value))
        return colony_rpc_throw(error, -EINVAL, NULL, "that is no heat");
    atomic_store(&f->count, value->valueint);
    return 0;
}

static inline void expose(struct fixture *f, const char *name, const char *params,
                          int (*call)(const struct cJSON *, struct cJSON **,
                                      struct colony_rpc_error *, void *),
                          unsigned flags)
{
    const struct colony_rpc_method method = {name, params, "what it does", flags, call};

    if (colony_rpc_expose_method(f->daemon, &method, f, &f->err) < 0)
        fail_msg("%s", f->err.message);
}

static inline void expose_number(struct fixture *f, const char *name, double value,
                                 bool is_read_only)
{
    const struct colony_rpc_attribute attribute = {.name = name, .is_read_only = is_read_only};
    cJSON *json = cJSON_CreateNumber(value);

    if (colony_rpc_expose_attr(f->daemon, &attribute, json, NULL, &f->err) < 0)
        fail_msg("%s", f->err.message);
    cJSON_Delete(json);
}

static inline void *call_held(void *data)
{
    struct colony_rpc_proxy *proxy = connected("Pot");

    (void)data;
    assert_string_equal(called(proxy, "hold", NULL), "true");
    colony_rpc_disconnect(proxy);
    return NULL;
}

/* Another thread calls `hold`, which is under way then. */
static inline void begin_slow(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->slow, NULL, call_held, NULL), 0);
    assert_int_equal(sem_wait(&f->begun), 0);
}

static inline void end_slow(struct fixture *f)
{
    assert_int_equal(sem_post(&f->free), 0);
    assert_int_equal(pthread_join(f->slow, NULL), 0);
}

#endif
