/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenarios.h - what programs with an engine in them are made of, for test_embed_calls.py.
 *
 * `PROGRAM SCENARIO COLONY STATE`, made as anybody's program is: of colony.h and the library. Each
 * scenario is written as it happens: what comes by the loop is waited for by turning it.
 */
#ifndef COLONY_TESTS_SCENARIOS_H
#define COLONY_TESTS_SCENARIOS_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <colony.h>
#include <uv.h>

#include "../hooked.h"

enum {
    DEADLINE_MS = 20000,
};

static struct colony_error err;
static uv_loop_t loop;
static uv_timer_t deadline;
static struct colony *colony;
static const char *keeper_program;
static const char *state;
static int is_ready;
static int has_stopped;

static inline void fail(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: %s is not so; the last error: %d %s\n", file, line, what,
                  err.code, err.message);
    colony_engine_free(colony, NULL, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    exit(1);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail(__FILE__, __LINE__, #condition);                                                  \
    } while (0)
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            CHECK(uv_is_active((uv_handle_t *)&deadline));                                         \
            (void)uv_run(&loop, UV_RUN_ONCE);                                                      \
        }                                                                                          \
    } while (0)

static inline void on_deadline(uv_timer_t *timer)
{
    (void)timer;
}

static inline void on_ready(struct colony *it, void *data)
{
    (void)it, (void)data;
    is_ready = 1;
}

static inline void on_stopped(struct colony *it, const struct colony_error *error, void *data)
{
    (void)it, (void)data;
    err = *error;
    has_stopped = 1;
}

static inline void begin(const char *leaves)
{
    const struct colony_callbacks callbacks = {.ready = on_ready, .stopped = on_stopped};

    is_ready = has_stopped = 0;
    CHECK(colony_engine_open(&colony, &loop, &callbacks, &err) == 0);
    CHECK(colony_engine_set(colony, COLONY_PROGRAM, keeper_program, &err) == 0);
    CHECK(colony_engine_set(colony, COLONY_STATE, state, &err) == 0);
    CHECK(colony_engine_set(colony, COLONY_LEAVES, leaves, &err) == 0);
}

static inline void start(void)
{
    CHECK(colony_engine_start(colony, &err) == 0);
    UNTIL(is_ready);
}

static inline void on_freed(void *data)
{
    *(int *)data = 1;
}

static inline void end(void)
{
    int is_freed = 0;

    colony_engine_free(colony, on_freed, &is_freed);
    UNTIL(is_freed);
    colony = NULL;
}

/* What was heard last, and how much of it. */
struct heard {
    struct colony_listener *listener;
    unsigned count;
    uint64_t id;
    char evtype[64];
    size_t size;
    size_t ends; /* messages without bytes or object */
    char bytes[1 << 20];
    double memory; /* mem_info1 */
};

static inline void on_heard(const char *evtype, const struct colony_msg *msg, void *data)
{
    struct heard *heard = data;
    size_t size;
    const char *bytes = colony_msg_bytes(msg, &size);
    const struct cJSON *json = colony_msg_json(msg);
    const struct cJSON *memory = cJSON_GetObjectItem(json, "mem_info1");

    heard->count++;
    heard->id = colony_msg_id(msg);
    heard->ends += !bytes && !json;
    (void)snprintf(heard->evtype, sizeof heard->evtype, "%s", evtype);
    if (memory)
        heard->memory = memory->valuedouble;
    CHECK(heard->size + size < sizeof heard->bytes);
    if (bytes)
        memcpy(heard->bytes + heard->size, bytes, size);
    heard->size += size;
}

__attribute__((unused)) static struct heard first, second, third;

static inline void hear(struct heard *heard, const char *pattern)
{
    memset(heard, 0, sizeof *heard);
    CHECK(colony_subscribe(colony, pattern, on_heard, heard, &heard->listener, &err) == 0);
}

static inline void hear_io(struct heard *heard, struct colony_io io)
{
    memset(heard, 0, sizeof *heard);
    CHECK(colony_monitor_io(colony, io, on_heard, heard, &heard->listener, &err) == 0);
}

static inline struct colony_template_state look(const char *name)
{
    struct colony_template_state it = {0};

    CHECK(colony_template_state(colony, name, &it, &err) == 0);
    return it;
}

static inline void keep_living(const struct colony_process_info *info, void *data)
{
    if (info->id != 0)
        *(struct colony_process_info *)data = *info;
}

/* A living process of @name; its id is 0 when there is none. */
static inline struct colony_process_info one_of(const char *name)
{
    struct colony_process_info info = {0};

    CHECK(colony_process_each(colony, name, keep_living, &info, &err) == 0);
    return info;
}

static inline void count_name(const char *name, void *data)
{
    CHECK(*name != '\0');
    ++*(unsigned *)data;
}

static inline unsigned count_templates(void)
{
    unsigned count = 0;

    CHECK(colony_template_each(colony, count_name, &count, &err) == 0);
    return count;
}

/* A process that gives back all it is told; returns its id. */
static inline uint64_t add_cat(void)
{
    CHECK(colony_template_add(colony,
                              "{name: cat, cmd: cat, redirect_output: [out], redirect_input: true}",
                              &err) == 0);
    UNTIL(one_of("cat").id != 0);
    return one_of("cat").id;
}

struct scenario {
    const char *name;
    void (*run)(void);
};

/* Of `PROGRAM SCENARIO COLONY STATE`, as main() does; an entry without a name is the last. */
static inline int run_scenario(int argc, char **argv, const struct scenario *scenarios)
{
    if (argc != 4)
        return 2;
    while (scenarios->name && strcmp(scenarios->name, argv[1]) != 0)
        scenarios++;
    if (!scenarios->name)
        return 2;
    if (getenv("HOOKED"))
        hook_cjson();
    keeper_program = argv[2];
    state = argv[3];
    (void)signal(SIGPIPE, SIG_IGN);
    (void)uv_loop_init(&loop);
    (void)uv_timer_init(&loop, &deadline);
    (void)uv_timer_start(&deadline, on_deadline, DEADLINE_MS, 0);
    scenarios->run();
    uv_close((uv_handle_t *)&deadline, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 3; /* no handle is left behind */
}

#endif
