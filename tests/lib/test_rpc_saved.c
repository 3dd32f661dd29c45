/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes that are saved, and are back at the next start. */
#include "../hooked.h"
#include "exposed.h"

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
    for (int i = 0; i < DEADLINE_MS; i++) {
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

    (void)snprintf(settings, sizeof settings, "pst: {file_path: %s/saved.json}", registry.path);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved_attributes_are_back_before_anybody_asks),
        cmocka_unit_test(test_what_cannot_be_read_is_an_error_and_nothing_is_saved_over_it),
        cmocka_unit_test(test_what_cannot_be_saved_at_the_end_is_told),
        cmocka_unit_test(test_a_file_is_of_one_daemon_at_a_time),
    };

    hook_cjson(); /* as a program may have: what is freed by whom shows */
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
