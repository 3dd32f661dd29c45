/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine in a program is told before it runs; its life is in tests/integration. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include <colony.h>

#define TEST(name) static void name(void **state)

struct fixture {
    uv_loop_t loop;
    struct colony *colony;
    struct colony_error err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    return f && uv_loop_init(&f->loop) == 0 &&
                   colony_engine_open(&f->colony, &f->loop, NULL, &f->err) == 0
               ? 0
               : -1;
}

static void count(void *data)
{
    ++*(int *)data;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int freed = 0;
    int rc;

    colony_engine_free(f->colony, count, &freed);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    rc = freed == 1 ? uv_loop_close(&f->loop) : -1;
    free(f);
    return rc;
}

static int create_nothing(void **out, struct colony *colony, void *data, struct colony_error *err)
{
    (void)out, (void)colony, (void)data, (void)err;
    return 0;
}

static void answer_nothing(struct colony_http_request *request, void *data)
{
    (void)data;
    colony_http_request_answer(request, 204, NULL, NULL, 0);
}

TEST(test_leaves_is_yes_or_no)
{
    struct fixture *f = *state;

    assert_int_equal(colony_engine_set(f->colony, COLONY_LEAVES, "yes", &f->err), 0);
    assert_int_equal(colony_engine_set(f->colony, COLONY_LEAVES, "no", &f->err), 0);
    assert_int_equal(colony_engine_set(f->colony, COLONY_LEAVES, "maybe", &f->err), -EINVAL);
}

TEST(test_settings_are_loaded_once_and_errors_begin_with_the_place)
{
    static const char wrong[] = "processes: [{name: a, cmd: b, nmae: c}]";
    static const char right[] = "{processes: []}";
    struct fixture *f = *state;

    assert_int_equal(colony_engine_load_text(f->colony, wrong, strlen(wrong), &f->err), -EINVAL);
    assert_memory_equal(f->err.message, "settings:1:", 11);
    assert_int_equal(colony_engine_load_text(f->colony, right, strlen(right), &f->err), 0);
    assert_int_equal(colony_engine_load_text(f->colony, right, strlen(right), &f->err), -EEXIST);
}

TEST(test_a_controller_is_added_once_and_only_of_this_interface)
{
    const struct colony_controller other = {
        .interface = COLONY_INTERFACE + 5, .name = "other", .create = create_nothing};
    const struct colony_controller nameless = {.interface = COLONY_INTERFACE};
    struct fixture *f = *state;

    assert_int_equal(
        colony_engine_add_controller(f->colony, colony_rpc_controller(), NULL, &f->err), 0);
    assert_int_equal(
        colony_engine_add_controller(f->colony, colony_rpc_controller(), NULL, &f->err), -EEXIST);
    assert_int_equal(colony_engine_add_controller(f->colony, &other, NULL, &f->err), -ENOTSUP);
    assert_non_null(strstr(f->err.message, "interface 5 "));
    assert_int_equal(colony_engine_add_controller(f->colony, &nameless, NULL, &f->err), -EINVAL);
    assert_int_equal(colony_engine_restart_controller(f->colony, "rpc", &f->err), -ESRCH);
    assert_int_equal(colony_engine_restart_controller(f->colony, "web", &f->err), -ENOENT);
}

TEST(test_routes_come_and_go)
{
    struct fixture *f = *state;
    struct colony *c = f->colony;

    assert_int_equal(colony_http_add_route(c, "GET", "/a/NAME", answer_nothing, NULL, &f->err), 0);
    assert_int_equal(colony_http_add_route(c, "PUT", "/a/NAME", answer_nothing, NULL, &f->err), 0);
    assert_int_equal(colony_http_add_route(c, "GET", "/a/NAME", answer_nothing, NULL, &f->err),
                     -EEXIST);
    assert_int_equal(colony_http_remove_route(c, "GET", "/a/NAME", &f->err), 0);
    assert_int_equal(colony_http_remove_route(c, "GET", "/a/NAME", &f->err), -ENOENT);
    assert_int_equal(colony_http_add_route(c, "GET", "/a/NAME", answer_nothing, NULL, &f->err), 0);
}

TEST(test_a_route_of_colony_is_not_taken)
{
    struct fixture *f = *state;

    assert_int_equal(
        colony_http_add_route(f->colony, "GET", "/ping", answer_nothing, NULL, &f->err), -EEXIST);
    assert_int_equal(
        colony_http_add_route(f->colony, "POST", "/ping", answer_nothing, NULL, &f->err), 0);
}

TEST(test_a_route_that_another_answers_is_not_taken)
{
    static const char *const of_colony[] = {"/processes/NAME", "/processes/ID", "/processes/one"};
    struct fixture *f = *state;
    struct colony *c = f->colony;

    for (size_t i = 0; i < sizeof of_colony / sizeof of_colony[0]; i++)
        assert_int_equal(
            colony_http_add_route(c, "GET", of_colony[i], answer_nothing, NULL, &f->err), -EEXIST);
    assert_int_equal(colony_http_add_route(c, "GET", "/a/NAME", answer_nothing, NULL, &f->err), 0);
    assert_int_equal(colony_http_add_route(c, "GET", "/a/ID", answer_nothing, NULL, &f->err),
                     -EEXIST);
    assert_int_equal(colony_http_add_route(c, "GET", "/a/ID/b", answer_nothing, NULL, &f->err), 0);
}

TEST(test_what_is_no_path_or_method_is_refused)
{
    static const char *const paths[] = {"",
                                        "a",
                                        "/a/",
                                        "//",
                                        "/a//b",
                                        "//a",
                                        "/a b",
                                        "/a%zz",
                                        "/a?b",
                                        "/A/B/C/D/E",
                                        "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(
            colony_http_add_route(f->colony, "GET", paths[i], answer_nothing, NULL, &f->err),
            -EINVAL);
    assert_int_equal(colony_http_add_route(f->colony, "HEAD", "/a", answer_nothing, NULL, &f->err),
                     -EINVAL);
}

static void free_in_stopped(struct colony *colony, const struct colony_error *error, void *data)
{
    assert_int_equal(error->code, 0);
    colony_engine_free(colony, count, data);
}

/* It needs no keeper: nothing of it was begun. */
TEST(test_a_stop_before_the_start_holds)
{
    struct fixture *f = *state;
    int freed = 0;
    const struct colony_callbacks callbacks = {.stopped = free_in_stopped, .data = &freed};
    struct colony *own;
    struct colony *shared;

    assert_int_equal(colony_engine_open(&own, NULL, &callbacks, &f->err), 0);
    colony_engine_stop(own, "before");
    assert_int_equal(colony_engine_run(own, &f->err), 0);
    assert_int_equal(freed, 1);
    assert_int_equal(colony_engine_open(&shared, &f->loop, &callbacks, &f->err), 0);
    colony_engine_stop(shared, "before");
    assert_int_equal(colony_engine_start(shared, &f->err), 0);
    assert_int_equal(freed, 1); /* not from inside */
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(freed, 2);
    colony_engine_stop(f->colony, "before");
    assert_int_equal(colony_engine_run(f->colony, &f->err), 0);
    assert_int_equal(colony_engine_set(f->colony, COLONY_PROGRAM, "/nowhere", &f->err), 0);
    assert_int_equal(colony_engine_run(f->colony, &f->err), -ENOENT); /* it held once */
}

TEST(test_what_is_wrong_is_told_by_its_code)
{
    struct fixture *f = *state;
    struct colony_listener *listener;

    assert_int_equal(colony_template_add_json(f->colony, NULL, &f->err), -EINVAL);
    assert_int_equal(colony_template_add(f->colony, "{", &f->err), -EAGAIN);
    assert_int_equal(colony_monitor(f->colony, "a", NULL, NULL, &listener, &f->err), -EAGAIN);
}

TEST(test_a_stop_of_what_does_not_run_is_nothing)
{
    struct fixture *f = *state;

    colony_engine_stop(f->colony, "nobody");
    colony_engine_stop(f->colony, NULL);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
}

TEST(test_an_open_engine_does_not_keep_its_loop)
{
    struct fixture *f = *state;

    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
}

/* Its engine is closed before the keeper has said a word. */
TEST(test_a_keeper_that_says_nothing_costs_the_program_no_descriptor)
{
    struct fixture *f = *state;
    int input = open("/dev/null", O_RDONLY);
    char keeper[] = "/tmp/colony-mute-XXXXXX";
    int script = mkstemp(keeper);

    assert_true(script >= 0 && dprintf(script, "#!/bin/sh\nexec sleep 2\n") > 0);
    assert_true(fchmod(script, 0700) == 0 && close(script) == 0);
    assert_true(input >= 0 && dup2(input, STDIN_FILENO) == STDIN_FILENO);
    assert_int_equal(colony_engine_set(f->colony, COLONY_PROGRAM, keeper, &f->err), 0);
    assert_int_equal(colony_engine_start(f->colony, &f->err), 0);
    colony_engine_stop(f->colony, "nobody waits");
    colony_engine_stop(f->colony, "at all");
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    assert_int_equal(unlink(keeper), 0);
    assert_true(input == STDIN_FILENO || close(input) == 0);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_leaves_is_yes_or_no),
        ROW(test_settings_are_loaded_once_and_errors_begin_with_the_place),
        ROW(test_a_controller_is_added_once_and_only_of_this_interface),
        ROW(test_routes_come_and_go),
        ROW(test_a_route_of_colony_is_not_taken),
        ROW(test_what_is_no_path_or_method_is_refused),
        ROW(test_a_route_that_another_answers_is_not_taken),
        ROW(test_a_stop_before_the_start_holds),
        ROW(test_what_is_wrong_is_told_by_its_code),
        ROW(test_a_stop_of_what_does_not_run_is_nothing),
        ROW(test_an_open_engine_does_not_keep_its_loop),
        ROW(test_a_keeper_that_says_nothing_costs_the_program_no_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
