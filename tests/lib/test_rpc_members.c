/* SPDX-License-Identifier: Apache-2.0 */
/* Methods and attributes: what comes back of a call, and what is refused. */
#include "../hooked.h"
#include "exposed.h"

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
    assert_int_equal(strlen(colony_rpc_raised(proxy)->message), 511);
    assert_string_equal(colony_rpc_raised(proxy)->message + 509, "0?"); /* half a character */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_method_is_given_what_came_or_its_parameters_by_name),
        cmocka_unit_test(test_an_error_arrives_with_its_type_and_message),
        cmocka_unit_test(test_attributes_are_kept_or_told_by_functions),
        cmocka_unit_test(test_a_value_has_a_limit),
    };

    hook_cjson(); /* as a program may have: what is freed by whom shows */
    return cmocka_run_group_tests(tests, make_registry, remove_registry);
}
