/* SPDX-License-Identifier: Apache-2.0 */
#include "templates.h"

#include "core/zone.h"

#define FULL                                                                                       \
    "cmd: run\nargs: [a, 'b c']\ncwd: /tmp\nenv: {A: b}\nenv_inherit: [HOME]\ngid: 7\nuid: 0\n"    \
    "groups: [1, 2]\nrlimits: {nofile: 64}\nlimits: {memory: 64MiB}\n"                             \
    "restart: {when: never}\nrestart_above: {memory: 1MiB}\n"                                      \
    "schedule: {cron: '@daily', timezone: Europe/Berlin}\n"                                        \
    "log: {direct: true, out: /o, err: /e}\n"                                                      \
    "ready: {exec: 'test -e x'}\nhealth: {tcp: 'a:1'}\ndepends_on: {db: ready, cache: started}\n"

/* All that a template may point to, changed by nobody. */
static void assert_full(const struct colony_template *template)
{
    assert_string_equal(template->cmd, "run");
    assert_words(template->argv, "run|a|b c|");
    assert_words(template->env, "A=b|");
    assert_words(template->env_file, "");
    assert_words(template->env_inherit, "HOME|");
    assert_string_equal(template->cwd, "/tmp");
    assert_string_equal(template->log.out, "/o");
    assert_string_equal(template->log.err, "/e");
    assert_int_equal(template->identity->gid, 7);
    assert_int_equal(template->identity->group_count, 2);
    assert_int_equal(template->identity->groups[1], 2);
    assert_int_equal(template->rlimit_count, 1);
    assert_int_equal(template->rlimits[0].hard, 64);
    assert_int_equal(template->limits->memory_bytes, 64 << 20);
    assert_int_equal(template->restart->when, RESTART_NEVER);
    assert_int_equal(template->restart_above->memory_bytes, 1 << 20);
    assert_string_equal(template->ready->text, "test -e x");
    assert_int_equal(template->schedule->cron.hours, 1);
    assert_int_equal(colony_zone_offset(template->schedule->zone, 1767225600), 3600);
    assert_string_equal(template->health->text, "a:1");
    assert_int_equal(template->dependency_count, 2);
    assert_string_equal(template->dependencies[0].name, "db");
    assert_string_equal(template->dependencies[1].name, "cache");
}

TEST(test_a_copy_outlives_what_it_is_of)
{
    struct colony_template *template = web(FULL);
    struct colony_template *copy = NULL;
    char *source = strdup(template->source);

    assert_full(template);
    assert_int_equal(colony_template_copy(&copy, template), 0);
    memset(template->source, 'x', strlen(template->source));
    colony_template_free(template);
    assert_full(copy);
    assert_string_equal(copy->name, "web");
    assert_string_equal(copy->source, source);
    colony_template_free(copy);
    free(source);
}

TEST(test_a_copy_takes_what_was_changed_before)
{
    struct colony_template *template = web(FULL);
    struct colony_template *copy = NULL;
    struct colony_template changed = *template;
    char name[] = "check";
    char *argv[] = {"/bin/true", NULL};

    changed.name = name;
    changed.argv = argv;
    changed.ready = &colony_ready_none;
    changed.dependency_count = 0;
    assert_int_equal(colony_template_copy(&copy, &changed), 0);
    colony_template_free(template);
    name[0] = 'x';
    assert_string_equal(copy->name, "check");
    assert_words(copy->argv, "/bin/true|");
    assert_int_equal(copy->ready->kind, READY_NONE);
    assert_int_equal(copy->dependency_count, 0);
    assert_int_equal(copy->identity->groups[0], 1);
    colony_template_free(copy);
}

TEST(test_what_is_not_given_takes_no_room)
{
    struct colony_template *left = web("cmd: x");
    struct colony_template *right = web("cmd: y");

    assert_null(left->identity);
    assert_ptr_equal(left->restart, &colony_restart_default);
    assert_ptr_equal(left->ready, &colony_ready_none);
    assert_ptr_equal(left->health, &colony_health_none);
    assert_ptr_equal(left->limits, &colony_limits_none);
    assert_ptr_equal(left->restart_above, &colony_restart_above_none);
    assert_ptr_equal(left->env, right->env);
    colony_template_free(left);
    colony_template_free(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_copy_outlives_what_it_is_of),
        cmocka_unit_test(test_a_copy_takes_what_was_changed_before),
        cmocka_unit_test(test_what_is_not_given_takes_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
