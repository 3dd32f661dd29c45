/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/template.h"
#include "session/look_internal.h"
#include "session/workspace.h"

#include "../scratch.h"
#include "../test.h"

struct fixture {
    struct scratch scratch;
    struct colony_workspace *workspace;
    struct session_look look;
    struct colony_session_process processes[2];
    struct colony_dependence dependence;
};

/* A child that waits for a parent, which is called by its alias. */
static void fixture_init(struct fixture *f)
{
    static char *cmdline[] = {"/bin/echo", "cost $5", "a=b c", NULL};
    static char *env[] = {"LANG=C", "PRICE=$5=5", NULL};
    struct colony_error err = {0};
    size_t added;

    memset(f, 0, sizeof *f);
    scratch_init(&f->scratch);
    if (colony_workspace_init(f->scratch.path, &added, &err) < 0 ||
        colony_workspace_open(&f->workspace, f->scratch.path, &err) < 0)
        fail_msg("%s", err.message);
    f->processes[0] = (struct colony_session_process){
        .name = "red-fox", .alias = "kid", .cmdline = cmdline, .env = env, .restart = true};
    f->processes[1] =
        (struct colony_session_process){.name = "yellow-panda", .alias = "mum", .cmdline = cmdline};
    f->dependence = (struct colony_dependence){.child = "kid", .parent = "mum", .state = "good"};
    f->look.list.items = f->processes;
    f->look.list.count = 2;
    f->look.config.dependences = &f->dependence;
    f->look.config.dependence_count = 1;
    f->look.config.stop_signals[0] = SIGQUIT;
    f->look.config.stop_signals[1] = SIGTERM;
    f->look.config.stop_count = 2;
    f->look.config.stop_wait_ms = 1500;
}

static void fixture_clear(struct fixture *f)
{
    colony_workspace_close(f->workspace);
    scratch_clear(&f->scratch);
}

static struct colony_template *make(struct fixture *f, size_t i)
{
    struct colony_template *template = NULL;
    struct colony_error err = {0};

    if (session_template_make(&template, &f->processes[i], &f->look, f->workspace, &err) < 0)
        fail_msg("%s", err.message);
    return template;
}

TEST(test_what_is_run_is_what_is_written)
{
    struct fixture f;
    struct colony_template *template;

    fixture_init(&f);
    template = make(&f, 0);
    assert_string_equal(template->name, "red-fox");
    assert_string_equal(template->argv[0], "/bin/echo");
    assert_string_equal(template->argv[1], "cost $5");
    assert_string_equal(template->argv[2], "a=b c");
    assert_null(template->argv[3]);
    assert_string_equal(template->env[0], "LANG=C");
    assert_string_equal(template->env[1], "PRICE=$5=5");
    assert_string_equal(template->cwd, colony_workspace_path(f.workspace));
    assert_false(template->start);
    assert_true(template->os_env);
    assert_int_equal(template->grace_ms, 1500);
    assert_int_equal(template->stop_signals[0], SIGQUIT);
    assert_int_equal(template->stop_signals[1], SIGTERM);
    assert_int_equal(template->stop_signals[2], 0);
    assert_int_equal(template->log.mode, LOG_DIRECT);
    assert_non_null(strstr(template->log.out, "/out/red-fox.out"));
    assert_non_null(strstr(template->log.err, "/err/red-fox.out"));
    colony_template_free(template);
    fixture_clear(&f);
}

TEST(test_restart_is_always_or_never)
{
    struct fixture f;
    struct colony_template *template;

    fixture_init(&f);
    template = make(&f, 0);
    assert_int_equal(template->restart->when, RESTART_ALWAYS);
    colony_template_free(template);
    template = make(&f, 1);
    assert_int_equal(template->restart->when, RESTART_NEVER);
    colony_template_free(template);
    fixture_clear(&f);
}

TEST(test_a_dependence_is_a_gate_of_the_parents_name)
{
    static const enum colony_when_down expected[] = {[ON_LOSS_KEEP] = WHEN_DOWN_KEEP,
                                                     [ON_LOSS_STOP] = WHEN_DOWN_STOP,
                                                     [ON_LOSS_RESTART] = WHEN_DOWN_RESTART};
    struct fixture f;
    struct colony_template *template;

    fixture_init(&f);
    for (int on_loss = ON_LOSS_KEEP; on_loss <= ON_LOSS_RESTART; on_loss++) {
        f.dependence.on_loss = (enum colony_on_loss)on_loss;
        template = make(&f, 0);
        assert_int_equal(template->dependency_count, 1);
        assert_string_equal(template->dependencies[0].name, "yellow-panda");
        assert_int_equal(template->dependencies[0].condition, CONDITION_STATE);
        assert_string_equal(template->dependencies[0].state, "good");
        assert_int_equal(template->dependencies[0].when_down, expected[on_loss]);
        colony_template_free(template);
    }
    template = make(&f, 1);
    assert_int_equal(template->dependency_count, 0);
    colony_template_free(template);
    fixture_clear(&f);
}

TEST(test_who_waits_for_nobody_that_is_known_waits)
{
    struct fixture f;
    struct colony_template *template;

    fixture_init(&f);
    f.dependence.parent = "dad";
    template = make(&f, 0);
    assert_string_equal(template->dependencies[0].name, "dad");
    colony_template_free(template);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_run_is_what_is_written),
        cmocka_unit_test(test_restart_is_always_or_never),
        cmocka_unit_test(test_a_dependence_is_a_gate_of_the_parents_name),
        cmocka_unit_test(test_who_waits_for_nobody_that_is_known_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
