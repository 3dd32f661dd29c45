/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <uv.h>

#include "core/error.h"
#include "rpc/attributes_internal.h"
#include "rpc/pst.h"

struct fixture {
    uv_loop_t loop;
    struct rpc_attributes *attributes;
    char saved[256]; /* what there is */
    int saves;
    int closes;
    char why[COLONY_ERROR_TEXT_MAX]; /* what the last callback said; "": it went well */
};

static int load(void *data, char **text, struct colony_error *err)
{
    const struct fixture *f = data;

    (void)err;
    *text = strdup(f->saved);
    return 0;
}

static int save(void *data, const char *text, struct colony_error *err)
{
    struct fixture *f = data;

    (void)err;
    (void)snprintf(f->saved, sizeof f->saved, "%s", text);
    f->saves++;
    return 0;
}

static void note(const struct colony_error *err, void *data)
{
    struct fixture *f = data;

    (void)snprintf(f->why, sizeof f->why, "%s", err ? err->message : "");
}

static void on_closed(const struct colony_error *err, void *data)
{
    note(err, data);
    ((struct fixture *)data)->closes++;
}

static void fixture_init(struct fixture *f, const char *saved)
{
    const struct colony_rpc_keeping keeping = {.load = load, .save = save, .data = f};
    struct colony_rpc_pst *pst;

    memset(f, 0, sizeof *f);
    (void)snprintf(f->saved, sizeof f->saved, "%s", saved);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(colony_rpc_pst_new_kept(&pst, &f->loop, &keeping, NULL), 0);
    assert_int_equal(rpc_attributes_new(&f->attributes, &f->loop, pst, 10000, NULL), 0);
}

static void fixture_close(struct fixture *f)
{
    rpc_attributes_close(f->attributes, on_closed, f);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(f->closes, 1);
    assert_int_equal(uv_loop_close(&f->loop), 0);
}

static size_t left; /* allocations of cJSON that succeed */

static void *allocate(size_t size)
{
    if (left == 0)
        return NULL;
    left--;
    return malloc(size);
}

static void load_with(struct fixture *f, size_t allocations)
{
    cJSON_Hooks hooks = {.malloc_fn = allocate, .free_fn = free};

    left = allocations;
    cJSON_InitHooks(&hooks);
    rpc_attributes_load(f->attributes, note, f);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    cJSON_InitHooks(NULL);
}

TEST(test_what_was_saved_is_there_and_what_is_set_is_saved)
{
    struct fixture f;

    fixture_init(&f, "{\"pst_a\":1,\"pst_b\":[2]}");
    load_with(&f, SIZE_MAX);
    assert_string_equal(f.why, "");
    assert_string_equal(rpc_attributes_get(f.attributes, "pst_b"), "[2]");
    assert_int_equal(rpc_attributes_set(f.attributes, "pst_a", "3", NULL), 0);
    fixture_close(&f);
    assert_string_equal(f.saved, "{\"pst_a\":3,\"pst_b\":[2]}");
}

TEST(test_nothing_is_saved_over_what_there_was_no_memory_to_take)
{
    const char *saved = "{\"pst_a\":1,\"pst_b\":[2]}";
    size_t allocations = 0;
    bool was_told;

    do {
        struct fixture f;

        fixture_init(&f, saved);
        load_with(&f, allocations++);
        was_told = *f.why != '\0';
        assert_int_equal(rpc_attributes_set(f.attributes, "pst_c", "3", NULL), 0);
        fixture_close(&f);
        assert_int_equal(f.saves, !was_told);
        assert_string_equal(f.saved, was_told ? saved : "{\"pst_a\":1,\"pst_b\":[2],\"pst_c\":3}");
    } while (was_told);
    assert_true(allocations > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_saved_is_there_and_what_is_set_is_saved),
        cmocka_unit_test(test_nothing_is_saved_over_what_there_was_no_memory_to_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
