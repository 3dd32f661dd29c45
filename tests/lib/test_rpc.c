/* SPDX-License-Identifier: Apache-2.0 */
/* Daemons of RPC in this program, and proxies that ask them, as colony.h has both. */
#include "../test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <colony.h>

enum {
    PATIENCE_MS = 20000,
};

static char folder[64]; /* the registry's, and files of tests */

struct fixture {
    struct colony_rpc_daemon *daemon;
    struct colony_error err;
    sem_t begun; /* a slow call */
    sem_t free;
    atomic_int count;
};

static void fixture_init(struct fixture *f, const char *settings)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(sem_init(&f->begun, 0, 0), 0);
    assert_int_equal(sem_init(&f->free, 0, 0), 0);
    if (colony_rpc_open(&f->daemon, "Pot", settings, &f->err) < 0)
        fail_msg("%s", f->err.message);
}

static void start(struct fixture *f)
{
    if (colony_rpc_start(f->daemon, &f->err) < 0)
        fail_msg("%s", f->err.message);
}

static void fixture_clear(struct fixture *f)
{
    colony_rpc_close(f->daemon);
    assert_int_equal(sem_destroy(&f->begun), 0);
    assert_int_equal(sem_destroy(&f->free), 0);
}

static struct colony_rpc_proxy *connected(const char *place)
{
    struct colony_rpc_proxy *proxy;
    struct colony_error err = {0};

    if (colony_rpc_connect(&proxy, place, NULL, &err) < 0)
        fail_msg("%s", err.message);
    colony_rpc_set_timeout(proxy, PATIENCE_MS);
    return proxy;
}

/* What @method answers to @params, as text; of an error its message. */
static const char *called(struct colony_rpc_proxy *proxy, const char *method, const char *params)
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

static double number(struct colony_rpc_proxy *proxy, const char *name)
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

static int set_number(struct colony_rpc_proxy *proxy, const char *name, double to,
                      struct colony_error *err)
{
    cJSON *value = cJSON_CreateNumber(to);
    int rc = colony_rpc_set(proxy, name, value, err);

    cJSON_Delete(value);
    return rc;
}

/* --- methods of the program's ----------------------------------------------------------------- */

static int echo(const struct cJSON *params, struct cJSON **result, struct colony_rpc_error *error,
                void *data)
{
    struct fixture *f = data;

    (void)error;
    atomic_fetch_add(&f->count, 1);
    *result = params ? cJSON_Duplicate(params, true) : NULL;
    return 0;
}

static int refuse(const struct cJSON *params, struct cJSON **result, struct colony_rpc_error *error,
                  void *data)
{
    (void)params, (void)result, (void)data;
    return colony_rpc_throw(error, -EINVAL, "Burnt", "the pot is %s", "empty");
}

static int refuse_shortly(const struct cJSON *params, struct cJSON **result,
                          struct colony_rpc_error *error, void *data)
{
    (void)params, (void)result, (void)error, (void)data;
    return -ENOENT;
}

/* Holds its worker until the test lets it go. */
static int hold(const struct cJSON *params, struct cJSON **result, struct colony_rpc_error *error,
                void *data)
{
    struct fixture *f = data;

    (void)params, (void)error;
    (void)sem_post(&f->begun);
    while (sem_wait(&f->free) < 0)
        ;
    *result = cJSON_CreateTrue();
    return 0;
}

static int refuse_at_length(const struct cJSON *params, struct cJSON **result,
                            struct colony_rpc_error *error, void *data)
{
    (void)params, (void)result, (void)data;
    return colony_rpc_throw(error, -EIO, NULL, "%0510d\u00e9", 0); /* which is cut in two */
}

static int refuse_in_latin1(const struct cJSON *params, struct cJSON **result,
                            struct colony_rpc_error *error, void *data)
{
    int rc = colony_rpc_throw(error, -EIO, "\xe9t\xe9",
                              "caf\xe9 ferm\xe9"
                              "e, %s",
                              "so \u00e9");

    (void)params, (void)result, (void)data;
    error->code = 7;
    return rc;
}

static int bad_text(const struct cJSON *params, struct cJSON **result,
                    struct colony_rpc_error *error, void *data)
{
    (void)params, (void)error, (void)data;
    *result = cJSON_CreateString("\xff");
    return 0;
}

static _Atomic pthread_t loop_threads[2];

static int tell_thread(const struct cJSON *params, struct cJSON **result,
                       struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)params, (void)result, (void)error;
    loop_threads[atomic_fetch_add(&f->count, 1)] = pthread_self();
    return 0;
}

static int stop_it(const struct cJSON *params, struct cJSON **result,
                   struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)params, (void)error;
    colony_rpc_stop(f->daemon);
    *result = cJSON_CreateString("bye");
    return 0;
}

static void expose(struct fixture *f, const char *name, const char *params,
                   int (*call)(const struct cJSON *, struct cJSON **, struct colony_rpc_error *,
                               void *),
                   unsigned flags)
{
    const struct colony_rpc_method method = {name, params, "what it does", flags, call};

    if (colony_rpc_expose_method(f->daemon, &method, f, &f->err) < 0)
        fail_msg("%s", f->err.message);
}

static void expose_number(struct fixture *f, const char *name, double value, bool is_read_only)
{
    const struct colony_rpc_attribute attribute = {.name = name, .is_read_only = is_read_only};
    cJSON *json = cJSON_CreateNumber(value);

    if (colony_rpc_expose_attr(f->daemon, &attribute, json, NULL, &f->err) < 0)
        fail_msg("%s", f->err.message);
    cJSON_Delete(json);
}

/* --- calls ------------------------------------------------------------------------------------ */

TEST(test_a_method_is_given_what_came_or_its_parameters_by_name)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "raw", NULL, echo, 0);
    expose(&f, "named", "msg urgent?", echo, 0);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "raw", "[1, 0.10]"), "[1,0.1]");
    assert_string_equal(called(proxy, "raw", "{\"a\": null}"), "{\"a\":null}");
    assert_string_equal(called(proxy, "raw", NULL), "null");
    assert_string_equal(called(proxy, "named", "[\"x\"]"), "{\"msg\":\"x\"}");
    assert_string_equal(called(proxy, "named", "[1.50, true]"), "{\"msg\":1.5,\"urgent\":true}");
    assert_string_equal(called(proxy, "named", "{\"urgent\": 1, \"msg\": 2}"),
                        "{\"msg\":2,\"urgent\":1}");
    assert_string_equal(called(proxy, "named", "[]"),
                        "-22 TypeError: cannot call named: it needs the parameter msg");
    assert_string_equal(called(proxy, "doc", "[\"named\"]"), "\"what it does\"");
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_an_error_arrives_with_its_type_and_message)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "refuse", NULL, refuse, 0);
    expose(&f, "shortly", NULL, refuse_shortly, 0);
    expose(&f, "bad", NULL, bad_text, 0);
    expose(&f, "latin", NULL, refuse_in_latin1, 0);
    expose(&f, "long", NULL, refuse_at_length, 0);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "refuse", NULL), "-22 Burnt: the pot is empty");
    assert_non_null(colony_rpc_raised(proxy));
    assert_string_equal(colony_rpc_raised(proxy)->type, "Burnt");
    assert_string_equal(colony_rpc_raised(proxy)->message, "the pot is empty");
    assert_int_equal(colony_rpc_raised(proxy)->code, -32602);
    assert_string_equal(called(proxy, "shortly", NULL),
                        "-2 LookupError: cannot do shortly: No such file or directory");
    assert_memory_equal(called(proxy, "bad", NULL), "-121 RuntimeError: cannot answer", 32);
    assert_string_equal(called(proxy, "latin", NULL), "-121 ?t?: caf? ferm?e, so \u00e9");
    assert_int_equal(colony_rpc_raised(proxy)->code, 7);
    assert_memory_equal(called(proxy, "long", NULL), "-121 RuntimeError: 0000", 23);
    assert_int_equal(strlen(colony_rpc_raised(proxy)->message), 510);
    assert_string_equal(called(proxy, "refus", NULL),
                        "-2 AttributeError: cannot find refus: there is no such attribute; did you "
                        "mean refuse?");
    assert_string_equal(
        called(proxy, "dir", NULL),
        "{\"attributes\":[\"running\",\"uptime\"],\"methods\":[\"bad\",\"dir\","
        "\"doc\",\"getattr\",\"latin\",\"long\",\"refuse\",\"setattr\",\"shortly\",\"stop\"]}");
    assert_null(colony_rpc_raised(proxy));
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

static void *call_held(void *arg)
{
    struct colony_rpc_proxy *proxy = connected("Pot");

    assert_string_equal(called(proxy, arg ? arg : "hold", NULL), "true");
    colony_rpc_disconnect(proxy);
    return NULL;
}

TEST(test_a_slow_method_holds_up_nobody_else)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    pthread_t slow;

    fixture_init(&f, NULL);
    expose(&f, "hold", NULL, hold, 0);
    expose(&f, "echo", NULL, echo, 0);
    start(&f);
    assert_int_equal(pthread_create(&slow, NULL, call_held, NULL), 0);
    assert_int_equal(sem_wait(&f.begun), 0);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
    colony_rpc_set_timeout(proxy, 50);
    assert_memory_equal(called(proxy, "hold", NULL), "-110 cannot wait", 16);
    assert_int_equal(sem_post(&f.free), 0);
    assert_int_equal(sem_post(&f.free), 0);
    assert_int_equal(pthread_join(slow, NULL), 0);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

/* How many of the figure there are. */
static double figure(struct fixture *f, const char *name)
{
    cJSON *figures = colony_rpc_figures(f->daemon);
    double count = cJSON_GetNumberValue(cJSON_GetObjectItem(figures, name));

    cJSON_Delete(figures);
    return count;
}

TEST(test_what_is_too_much_is_refused_and_counted)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    pthread_t slow;

    fixture_init(&f, NULL);
    expose(&f, "hold", NULL, hold, 0);
    expose(&f, "echo", NULL, echo, 0);
    expose(&f, "here", NULL, echo, COLONY_RPC_ON_LOOP);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 0, 0, NULL), -EINVAL);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 1, 2000, NULL), -EINVAL);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 1, 0, NULL), 0);
    start(&f);
    assert_int_equal(pthread_create(&slow, NULL, call_held, NULL), 0);
    assert_int_equal(sem_wait(&f.begun), 0);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "echo", NULL),
                        "-11 ConnectionError: cannot do this now: too many calls wait already");
    assert_string_equal(called(proxy, "here", "[2]"), "[2]");
    assert_int_equal(figure(&f, "refused"), 1);
    assert_int_equal(figure(&f, "requests"), 3);
    assert_int_equal(sem_post(&f.free), 0);
    assert_int_equal(pthread_join(slow, NULL), 0);
    assert_string_equal(called(proxy, "echo", "[3]"), "[3]");
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_calls_of_those_who_are_gone_make_room)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    struct colony_rpc_proxy *gone;
    const char *answer = "";
    pthread_t slow;

    fixture_init(&f, NULL);
    expose(&f, "hold", NULL, hold, 0);
    expose(&f, "echo", NULL, echo, 0);
    assert_int_equal(colony_rpc_set_workers(f.daemon, 1, 1, NULL), 0);
    start(&f);
    assert_int_equal(pthread_create(&slow, NULL, call_held, NULL), 0);
    assert_int_equal(sem_wait(&f.begun), 0);
    gone = connected("Pot");
    colony_rpc_set_timeout(gone, 200);
    assert_memory_equal(called(gone, "echo", "[1]"), "-110", 4);
    assert_int_equal(figure(&f, "waiting"), 1);
    proxy = connected("Pot");
    assert_memory_equal(called(proxy, "echo", "[2]"), "-11 ConnectionError", 19);
    colony_rpc_disconnect(gone);
    colony_rpc_set_timeout(proxy, 100);
    for (int i = 0; i < PATIENCE_MS && strncmp(answer, "-110", 4) != 0; i += 10) {
        assert_true(colony_rpc_sleep(f.daemon, 10)); /* for the hang-up to be seen */
        answer = called(proxy, "echo", "[3]");
    }
    assert_memory_equal(answer, "-110", 4); /* it waits now */
    assert_int_equal(figure(&f, "waiting"), 1);
    assert_int_equal(sem_post(&f.free), 0);
    assert_int_equal(pthread_join(slow, NULL), 0);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
    assert_int_equal(f.count, 1); /* the first one was never begun */
}

TEST(test_on_loop_is_one_thread)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "tell", NULL, tell_thread, COLONY_RPC_ON_LOOP);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "tell", NULL), "null");
    assert_string_equal(called(proxy, "tell", NULL), "null");
    assert_true(pthread_equal(loop_threads[0], loop_threads[1]));
    assert_false(pthread_equal(loop_threads[0], pthread_self()));
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

enum {
    ASKERS = 6,
    ASKED = 40,
};

static void *ask_often(void *arg)
{
    struct fixture *f = arg;
    struct colony_rpc_proxy *proxy = connected("Pot");
    struct colony_error err;
    cJSON *value = cJSON_CreateNumber(7);

    for (int i = 0; i < ASKED; i++) {
        assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
        assert_int_equal(set_number(proxy, "heat", i, &err), 0);
        assert_int_equal(colony_rpc_put(f->daemon, "pst_turns", value, &err), 0);
        assert_int_equal(number(proxy, "pst_turns"), 7);
    }
    cJSON_Delete(value);
    colony_rpc_disconnect(proxy);
    return NULL;
}

TEST(test_many_threads_ask_at_once)
{
    struct fixture f;
    pthread_t threads[ASKERS];

    fixture_init(&f, "pst: {class_name: none}");
    expose(&f, "echo", NULL, echo, 0);
    expose_number(&f, "heat", 1, false);
    expose_number(&f, "pst_turns", 1, false);
    start(&f);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &f), 0);
    for (size_t i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(f.count, ASKERS * ASKED);
    fixture_clear(&f);
}

/* --- attributes ------------------------------------------------------------------------------- */

static int get_heat(struct cJSON **value, struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    (void)error;
    *value = cJSON_CreateNumber(f->count);
    return 0;
}

static int set_heat(const struct cJSON *value, struct colony_rpc_error *error, void *data)
{
    struct fixture *f = data;

    if (!cJSON_IsNumber(value))
        return colony_rpc_throw(error, -EINVAL, NULL, "that is no heat");
    atomic_store(&f->count, value->valueint);
    return 0;
}

TEST(test_attributes_are_kept_or_told_by_functions)
{
    const struct colony_rpc_attribute heat = {.name = "heat", .get = get_heat, .set = set_heat};
    const struct colony_rpc_attribute fixed = {.name = "fixed", .get = get_heat};
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    cJSON *value = NULL;

    fixture_init(&f, NULL);
    expose_number(&f, "kept", 1.25, false);
    expose_number(&f, "read", 3, true);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &heat, NULL, &f, NULL), 0);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &fixed, NULL, &f, NULL), 0);
    start(&f);
    proxy = connected("Pot");
    assert_true(number(proxy, "kept") == 1.25);
    assert_int_equal(set_number(proxy, "kept", 2, NULL), 0);
    assert_int_equal(colony_rpc_value(f.daemon, "kept", &value, NULL), 0);
    assert_int_equal(cJSON_GetNumberValue(value), 2);
    cJSON_Delete(value);
    assert_int_equal(colony_rpc_put(f.daemon, "kept", NULL, NULL), 0);
    assert_int_equal(colony_rpc_get(proxy, "kept", &value, NULL), 0);
    assert_true(cJSON_IsNull(value));
    cJSON_Delete(value);
    assert_int_equal(set_number(proxy, "read", 2, &f.err), -EPERM);
    assert_int_equal(set_number(proxy, "fixed", 2, &f.err), -EPERM);
    assert_int_equal(set_number(proxy, "running", 2, &f.err), -EPERM);
    assert_int_equal(set_number(proxy, "heap", 2, &f.err), -ENOENT);
    assert_int_equal(set_number(proxy, "heat", 9, &f.err), 0);
    assert_int_equal(number(proxy, "heat"), 9);
    assert_int_equal(colony_rpc_set(proxy, "heat", NULL, &f.err), -EINVAL);
    assert_string_equal(f.err.message, "ValueError: that is no heat");
    assert_int_equal(colony_rpc_get(proxy, "stop", &value, &f.err), -EINVAL);
    assert_int_equal(colony_rpc_value(f.daemon, "heat", &value, &f.err), -ENOENT);
    assert_int_equal(colony_rpc_put(f.daemon, "nothing", NULL, &f.err), -ENOENT);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_a_value_has_a_limit)
{
    struct fixture f;
    size_t size = 300 << 10;
    char *text = malloc(size);
    cJSON *value;

    assert_non_null(text);
    memset(text, 'x', size);
    text[size - 1] = '\0';
    value = cJSON_CreateString(text);
    fixture_init(&f, NULL);
    expose_number(&f, "kept", 1, false);
    assert_int_equal(colony_rpc_put(f.daemon, "kept", value, &f.err), -EMSGSIZE);
    cJSON_Delete(value);
    free(text);
    fixture_clear(&f);
}

/* --- what is saved ---------------------------------------------------------------------------- */

/* A persister: what it was given last. */
struct shelf {
    pthread_mutex_t lock;
    char text[256];
    int saves;
    int rc; /* of both */
};

static int take_from(struct cJSON **saved, void *data, struct colony_error *err)
{
    struct shelf *shelf = data;

    (void)err;
    pthread_mutex_lock(&shelf->lock);
    if (shelf->text[0])
        *saved = cJSON_Parse(shelf->text);
    pthread_mutex_unlock(&shelf->lock);
    return shelf->rc;
}

static int put_on(const struct cJSON *attributes, void *data, struct colony_error *err)
{
    struct shelf *shelf = data;

    (void)err;
    pthread_mutex_lock(&shelf->lock);
    shelf->saves++;
    assert_true(
        cJSON_PrintPreallocated((cJSON *)attributes, shelf->text, sizeof shelf->text, false));
    pthread_mutex_unlock(&shelf->lock);
    return shelf->rc;
}

static void use(struct fixture *f, struct shelf *shelf)
{
    const struct colony_rpc_persister persister = {take_from, put_on, shelf};

    assert_int_equal(colony_rpc_set_persister(f->daemon, &persister, NULL), 0);
}

static void check_saved(struct fixture *f, struct shelf *shelf, const char *expected)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        bool is_there;

        pthread_mutex_lock(&shelf->lock);
        is_there = strcmp(shelf->text, expected) == 0;
        pthread_mutex_unlock(&shelf->lock);
        if (is_there)
            return;
        assert_true(colony_rpc_sleep(f->daemon, 1));
    }
    fail_msg("%s is not saved, but %s", expected, shelf->text);
}

TEST(test_saved_attributes_are_back_before_anybody_asks)
{
    const struct colony_rpc_attribute heat = {.name = "pst_heat", .get = get_heat, .set = set_heat};
    struct shelf shelf = {PTHREAD_MUTEX_INITIALIZER, "{\"pst_a\":5,\"pst_heat\":6}", 0, 0};
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    cJSON *eight = cJSON_CreateNumber(8);

    fixture_init(&f, "pst: {frequency: 100ms}");
    use(&f, &shelf);
    expose_number(&f, "pst_a", 1, false);
    expose_number(&f, "pst_b", 2, false);
    expose_number(&f, "kept", 3, false);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &heat, NULL, &f, NULL), 0);
    start(&f);
    assert_int_equal(f.count, 6);
    proxy = connected("Pot");
    assert_int_equal(number(proxy, "pst_a"), 5);
    assert_int_equal(number(proxy, "pst_heat"), 6);
    check_saved(&f, &shelf, "{\"pst_a\":5,\"pst_heat\":6,\"pst_b\":2}");
    assert_int_equal(set_number(proxy, "pst_a", 7, NULL), 0);
    check_saved(&f, &shelf, "{\"pst_a\":7,\"pst_heat\":6,\"pst_b\":2}");
    assert_int_equal(set_number(proxy, "pst_heat", 8, NULL), 0);
    check_saved(&f, &shelf, "{\"pst_a\":7,\"pst_heat\":8,\"pst_b\":2}");
    atomic_store(&f.count, 9); /* told by its function only */
    check_saved(&f, &shelf, "{\"pst_a\":7,\"pst_heat\":9,\"pst_b\":2}");
    assert_int_equal(colony_rpc_put(f.daemon, "pst_b", eight, NULL), 0);
    check_saved(&f, &shelf, "{\"pst_a\":7,\"pst_heat\":9,\"pst_b\":8}");
    atomic_store(&f.count, 10);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
    assert_string_equal(shelf.text, "{\"pst_a\":7,\"pst_heat\":10,\"pst_b\":8}");
    cJSON_Delete(eight);
}

TEST(test_what_cannot_be_read_is_an_error_and_nothing_is_saved_over_it)
{
    struct shelf shelf = {PTHREAD_MUTEX_INITIALIZER, "", 0, -EIO};
    struct fixture f;

    fixture_init(&f, NULL);
    use(&f, &shelf);
    expose_number(&f, "pst_a", 1, false);
    assert_int_equal(colony_rpc_start(f.daemon, &f.err), -EIO);
    assert_string_equal(f.err.message, "cannot read what was saved: Input/output error");
    assert_false(colony_rpc_running(f.daemon));
    fixture_clear(&f);
    shelf.rc = 0;
    (void)snprintf(shelf.text, sizeof shelf.text, "[1]");
    fixture_init(&f, NULL);
    use(&f, &shelf);
    expose_number(&f, "pst_a", 1, false);
    assert_int_equal(colony_rpc_start(f.daemon, &f.err), -EBADMSG);
    fixture_clear(&f);
    assert_int_equal(shelf.saves, 0);
}

TEST(test_what_cannot_be_saved_at_the_end_is_told)
{
    struct shelf shelf = {PTHREAD_MUTEX_INITIALIZER, "", 0, 0};
    struct fixture f;

    fixture_init(&f, NULL);
    use(&f, &shelf);
    expose_number(&f, "pst_a", 1, false);
    start(&f);
    shelf.rc = -ENOSPC;
    colony_rpc_stop(f.daemon);
    assert_int_equal(colony_rpc_wait(f.daemon, &f.err), -ENOSPC);
    assert_string_equal(f.err.message, "cannot save the attributes: No space left on device");
    fixture_clear(&f);
}

TEST(test_a_file_is_of_one_daemon_at_a_time)
{
    struct fixture f;
    struct colony_rpc_daemon *other;
    struct colony_rpc_proxy *proxy;
    const struct colony_rpc_attribute attribute = {.name = "pst_a"};
    char settings[160];

    (void)snprintf(settings, sizeof settings, "pst: {file_path: %s/saved.json}", folder);
    fixture_init(&f, settings);
    expose_number(&f, "pst_a", 1, false);
    start(&f);
    assert_int_equal(colony_rpc_open(&other, "Pan", settings, NULL), 0);
    assert_int_equal(colony_rpc_expose_attr(other, &attribute, NULL, NULL, NULL), 0);
    assert_int_equal(colony_rpc_start(other, &f.err), -EBUSY);
    colony_rpc_close(other);
    proxy = connected("Pot");
    assert_int_equal(set_number(proxy, "pst_a", 4, NULL), 0);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
    fixture_init(&f, settings);
    expose_number(&f, "pst_a", 1, false);
    start(&f);
    proxy = connected("Pot");
    assert_int_equal(number(proxy, "pst_a"), 4);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

/* --- its life --------------------------------------------------------------------------------- */

static void run_until_stopped(struct colony_rpc_daemon *daemon, void *data)
{
    struct fixture *f = data;

    while (colony_rpc_running(daemon)) {
        (void)sem_post(&f->begun);
        (void)colony_rpc_sleep(daemon, UINT64_MAX);
    }
    atomic_fetch_add(&f->count, 1);
}

static void run_once(struct colony_rpc_daemon *daemon, void *data)
{
    (void)daemon;
    atomic_fetch_add(&((struct fixture *)data)->count, 10);
}

TEST(test_run_functions_have_a_thread_each_until_stop_is_called)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_until_stopped, &f, NULL), 0);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_until_stopped, &f, NULL), 0);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_once, &f, NULL), 0);
    start(&f);
    assert_int_equal(sem_wait(&f.begun), 0);
    assert_int_equal(sem_wait(&f.begun), 0);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "stop", NULL), "true");
    assert_int_equal(colony_rpc_wait(f.daemon, &f.err), 0);
    assert_int_equal(f.count, 12);
    colony_rpc_disconnect(proxy);
    assert_int_equal(colony_rpc_connect(&proxy, "Pot", NULL, &f.err), -ENOENT);
    fixture_clear(&f);
}

TEST(test_it_ends_when_all_run_functions_have_returned)
{
    struct fixture f;

    fixture_init(&f, NULL);
    assert_int_equal(colony_rpc_add_run(f.daemon, run_once, &f, NULL), 0);
    assert_int_equal(colony_rpc_run(f.daemon, &f.err), 0);
    assert_int_equal(f.count, 10);
    assert_int_equal(colony_rpc_start(f.daemon, &f.err), -EBUSY);
    fixture_clear(&f);
}

TEST(test_a_method_may_stop_it_and_is_answered)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    expose(&f, "leave", NULL, stop_it, 0);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "leave", NULL), "\"bye\"");
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    assert_null(colony_rpc_figures(f.daemon));
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_a_call_under_way_is_finished_and_none_is_begun_at_the_end)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    pthread_t slow;

    fixture_init(&f, NULL);
    expose(&f, "hold", NULL, hold, 0);
    start(&f);
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "dir", "[1]"),
                        "-22 TypeError: cannot call dir: too many parameters");
    assert_int_equal(pthread_create(&slow, NULL, call_held, NULL), 0);
    assert_int_equal(sem_wait(&f.begun), 0);
    colony_rpc_stop(f.daemon);
    assert_string_equal(called(proxy, "hold", NULL),
                        "-11 ConnectionError: cannot do this: the daemon ends");
    assert_int_equal(sem_post(&f.free), 0);
    assert_int_equal(pthread_join(slow, NULL), 0);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_a_signal_stops_it_when_it_was_asked_to)
{
    struct fixture f;

    fixture_init(&f, NULL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, 0, NULL), -EINVAL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, SIGUSR1, NULL), 0);
    start(&f);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), 0);
    fixture_clear(&f);
}

TEST(test_a_program_has_several_of_different_names)
{
    struct fixture f;
    struct colony_rpc_daemon *other;
    struct colony_rpc_proxy *proxy;

    fixture_init(&f, NULL);
    start(&f);
    assert_int_equal(colony_rpc_open(&other, "Pan", NULL, NULL), 0);
    assert_int_equal(colony_rpc_describe(other, "a pan", NULL), 0);
    assert_int_equal(colony_rpc_start(other, &f.err), 0);
    assert_string_not_equal(colony_rpc_endpoint(other), colony_rpc_endpoint(f.daemon));
    proxy = connected("Pan");
    assert_string_equal(called(proxy, "doc", NULL), "\"a pan\"");
    colony_rpc_disconnect(proxy);
    proxy = connected(colony_rpc_endpoint(other) + strlen("tcp://"));
    assert_string_equal(called(proxy, "doc", NULL), "\"a pan\"");
    colony_rpc_disconnect(proxy);
    colony_rpc_close(other);
    assert_int_equal(colony_rpc_open(&other, "Pot", NULL, NULL), 0);
    assert_int_equal(colony_rpc_start(other, &f.err), -EEXIST);
    colony_rpc_close(other);
    proxy = connected("Pot"); /* the first one is still there */
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

TEST(test_what_cannot_be_is_told_before_it_starts)
{
    static const char *const bad[] = {"name: x",          "program: x",  "[1]",
                                      "bind: 127.0.0.1:", "keys: /none", "pst: {class_name: cake}"};
    static const struct colony_rpc_method twice = {"twice", NULL, NULL, 0, echo};
    static const struct colony_rpc_method taken = {"stop", NULL, NULL, 0, echo};
    static const struct colony_rpc_method hidden = {"_hidden", NULL, NULL, 0, echo};
    static const struct colony_rpc_method empty = {"empty", NULL, NULL, 0, NULL};
    static const struct colony_rpc_method odd = {"odd", "a b-c", NULL, 0, echo};
    static const struct colony_rpc_method many = {"many", "a b c d e f g h i", NULL, 0, echo};
    static const struct colony_rpc_method bytes = {"bytes", NULL, "\xff", 0, echo};
    static const struct colony_rpc_attribute told = {.name = "told", .get = get_heat};
    static const cJSON json_true = {.type = cJSON_True};
    static const struct colony_rpc_attribute half = {.name = "pst_half", .get = get_heat};
    struct colony_rpc_daemon *daemon;
    struct fixture f;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (i != 3)
            assert_int_equal(colony_rpc_open(&daemon, "Pot", bad[i], NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, "a/b", NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, "a:b", NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, ".a", NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_open(&daemon, "-a", NULL, NULL), -EINVAL);
    fixture_init(&f, "bind: 192.0.2.1:1\ninsecure: yes");
    assert_int_equal(colony_rpc_expose_method(f.daemon, &twice, NULL, NULL), 0);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &twice, NULL, NULL), -EEXIST);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &taken, NULL, NULL), -EEXIST);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &hidden, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &empty, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &odd, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &many, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_method(f.daemon, &bytes, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_describe(f.daemon, "\xff", NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &half, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_expose_attr(f.daemon, &told, &json_true, NULL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, SIGKILL, NULL), -EINVAL);
    assert_int_equal(colony_rpc_stop_on_signal(f.daemon, SIGSTOP, NULL), -EINVAL);
    assert_int_equal(colony_rpc_wait(f.daemon, NULL), -EINVAL);
    assert_true(colony_rpc_start(f.daemon, &f.err) < 0); /* that address is not ours */
    fixture_clear(&f);
    fixture_init(&f, "bind: 0.0.0.0");
    assert_int_equal(colony_rpc_start(f.daemon, &f.err), -EACCES);
    fixture_clear(&f);
}

TEST(test_it_may_be_told_to_stop_before_it_starts_or_never_start)
{
    struct fixture f;

    fixture_init(&f, NULL);
    fixture_clear(&f);
    fixture_init(&f, NULL);
    colony_rpc_stop(f.daemon);
    assert_int_equal(colony_rpc_run(f.daemon, NULL), 0);
    fixture_clear(&f);
    colony_rpc_close(NULL);
    colony_rpc_disconnect(NULL);
}

TEST(test_a_proxy_goes_on_when_its_daemon_is_started_again)
{
    struct fixture f;
    struct colony_rpc_proxy *proxy;
    char settings[160];

    fixture_init(&f, NULL);
    expose(&f, "echo", NULL, echo, 0);
    start(&f);
    (void)snprintf(settings, sizeof settings, "bind: %s",
                   colony_rpc_endpoint(f.daemon) + strlen("tcp://"));
    proxy = connected("Pot");
    assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
    fixture_clear(&f);
    colony_rpc_set_timeout(proxy, 50);
    assert_memory_equal(called(proxy, "echo", "[2]"), "-110", 4);
    colony_rpc_set_timeout(proxy, PATIENCE_MS);
    fixture_init(&f, settings);
    expose(&f, "echo", NULL, echo, 0);
    start(&f);
    assert_string_equal(called(proxy, "echo", "[3]"), "[3]");
    colony_rpc_disconnect(proxy);
    fixture_clear(&f);
}

/* On an address of this test's own, whose ports nobody else takes when they are free again. */
static void start_pot(struct fixture *f)
{
    char settings[32];

    (void)snprintf(settings, sizeof settings, "bind: 127.%d.%d.9", getpid() / 200 % 200 + 1,
                   getpid() % 200);
    fixture_init(f, settings);
    expose(f, "echo", NULL, echo, 0);
    start(f);
}

static void open_kettle(struct fixture *f, const char *settings)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(colony_rpc_open(&f->daemon, "Kettle", settings, &f->err), 0);
    start(f);
}

/* @is_used: it was asked before its daemon's place was taken. */
static void check_taken_place(bool is_used)
{
    struct fixture pot;
    struct fixture kettle;
    struct colony_rpc_proxy *proxy;
    char settings[160];
    cJSON *figures;

    start_pot(&pot);
    (void)snprintf(settings, sizeof settings, "bind: %s",
                   colony_rpc_endpoint(pot.daemon) + strlen("tcp://"));
    proxy = connected("Pot");
    if (is_used)
        assert_string_equal(called(proxy, "echo", "[1]"), "[1]");
    fixture_clear(&pot);
    open_kettle(&kettle, settings);
    start_pot(&pot);
    assert_string_equal(called(proxy, "echo", "[2]"), "[2]");
    assert_string_equal(called(proxy, "stop", NULL), "true");
    assert_int_equal(colony_rpc_wait(pot.daemon, NULL), 0);
    assert_true(colony_rpc_running(kettle.daemon));
    figures = colony_rpc_figures(kettle.daemon);
    assert_int_equal(cJSON_GetObjectItem(figures, "requests")->valueint, 0);
    cJSON_Delete(figures);
    colony_rpc_disconnect(proxy);
    fixture_clear(&pot);
    colony_rpc_close(kettle.daemon);
}

TEST(test_whoever_has_got_the_place_of_a_daemon_is_asked_nothing)
{
    check_taken_place(true);
    check_taken_place(false);
}

/* Asks until its daemon, which has ended, is given up. */
static void *give_up(void *data)
{
    struct colony_rpc_proxy *proxy = data;
    struct colony_error err = {0};
    static _Thread_local int code;

    assert_true(colony_rpc_call(proxy, "echo", NULL, NULL, &err) < 0);
    code = err.code;
    colony_rpc_set_timeout(proxy, PATIENCE_MS);
    assert_int_equal(colony_rpc_call(proxy, "echo", NULL, NULL, &err), code); /* at once */
    return (void *)(intptr_t)code;
}

TEST(test_a_daemon_that_does_not_come_back_is_given_up_after_ten_seconds)
{
    struct fixture f;
    struct colony_rpc_proxy *by_name;
    struct colony_rpc_proxy *by_address;
    struct timespec begun;
    struct timespec ended;
    pthread_t thread;
    void *code;

    start_pot(&f);
    by_name = connected("Pot");
    by_address = connected(colony_rpc_endpoint(f.daemon) + strlen("tcp://"));
    assert_string_equal(called(by_name, "echo", "[1]"), "[1]");
    assert_string_equal(called(by_address, "echo", "[1]"), "[1]");
    colony_rpc_set_timeout(by_name, UINT64_MAX);
    colony_rpc_set_timeout(by_address, UINT64_MAX);
    fixture_clear(&f);
    (void)clock_gettime(CLOCK_MONOTONIC, &begun);
    assert_int_equal(pthread_create(&thread, NULL, give_up, by_address), 0);
    assert_int_equal((intptr_t)give_up(by_name), -ENOENT);
    assert_int_equal(pthread_join(thread, &code), 0);
    assert_int_equal((intptr_t)code, -ECONNREFUSED);
    (void)clock_gettime(CLOCK_MONOTONIC, &ended);
    assert_in_range(ended.tv_sec - begun.tv_sec, 9, 12);
    colony_rpc_disconnect(by_name);
    colony_rpc_disconnect(by_address);
}

TEST(test_a_proxy_tells_where_nobody_is)
{
    struct colony_rpc_proxy *proxy;
    struct colony_error err = {0};
    cJSON *value;

    assert_int_equal(colony_rpc_connect(&proxy, "Nobody", NULL, &err), -ENOENT);
    assert_int_equal(colony_rpc_connect(&proxy, "", NULL, &err), -EINVAL);
    assert_int_equal(colony_rpc_connect(&proxy, "127.0.0.1:1", NULL, &err), 0);
    assert_int_equal(colony_rpc_get(proxy, "x", &value, &err), -ECONNREFUSED);
    assert_null(colony_rpc_raised(proxy));
    colony_rpc_disconnect(proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_method_is_given_what_came_or_its_parameters_by_name),
        cmocka_unit_test(test_an_error_arrives_with_its_type_and_message),
        cmocka_unit_test(test_a_slow_method_holds_up_nobody_else),
        cmocka_unit_test(test_what_is_too_much_is_refused_and_counted),
        cmocka_unit_test(test_calls_of_those_who_are_gone_make_room),
        cmocka_unit_test(test_on_loop_is_one_thread),
        cmocka_unit_test(test_many_threads_ask_at_once),
        cmocka_unit_test(test_attributes_are_kept_or_told_by_functions),
        cmocka_unit_test(test_a_value_has_a_limit),
        cmocka_unit_test(test_saved_attributes_are_back_before_anybody_asks),
        cmocka_unit_test(test_what_cannot_be_read_is_an_error_and_nothing_is_saved_over_it),
        cmocka_unit_test(test_what_cannot_be_saved_at_the_end_is_told),
        cmocka_unit_test(test_a_file_is_of_one_daemon_at_a_time),
        cmocka_unit_test(test_run_functions_have_a_thread_each_until_stop_is_called),
        cmocka_unit_test(test_it_ends_when_all_run_functions_have_returned),
        cmocka_unit_test(test_a_method_may_stop_it_and_is_answered),
        cmocka_unit_test(test_a_call_under_way_is_finished_and_none_is_begun_at_the_end),
        cmocka_unit_test(test_a_signal_stops_it_when_it_was_asked_to),
        cmocka_unit_test(test_a_program_has_several_of_different_names),
        cmocka_unit_test(test_what_cannot_be_is_told_before_it_starts),
        cmocka_unit_test(test_it_may_be_told_to_stop_before_it_starts_or_never_start),
        cmocka_unit_test(test_a_proxy_goes_on_when_its_daemon_is_started_again),
        cmocka_unit_test(test_whoever_has_got_the_place_of_a_daemon_is_asked_nothing),
        cmocka_unit_test(test_a_daemon_that_does_not_come_back_is_given_up_after_ten_seconds),
        cmocka_unit_test(test_a_proxy_tells_where_nobody_is),
    };
    char command[96];
    int failed;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(folder, sizeof folder, "/tmp/colony-test-XXXXXX");
    if (!mkdtemp(folder) || setenv("COLONY_RUNTIME_DIR", folder, 1) < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? failed : 1;
}
