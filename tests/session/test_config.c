/* SPDX-License-Identifier: Apache-2.0 */
/* etc/session.yaml: read, refused with the place, its dependences written back. */
#include "spaces.h"

#include <errno.h>

#include "session/config.h"

static int read_text(struct space *space, struct colony_session_config *config, const char *text)
{
    space_write(space, "etc/session.yaml", text);
    return colony_session_config_read(config, space->workspace, &space->err);
}

TEST(test_without_the_file_there_are_defaults)
{
    struct colony_session_config config;
    struct space space;

    space_init(&space);
    assert_int_equal(colony_session_config_read(&config, space.workspace, &space.err), 0);
    assert_int_equal(config.period_ms, 5000);
    assert_int_equal(config.stop_count, 2);
    assert_int_equal(config.stop_signals[0], SIGQUIT);
    assert_int_equal(config.stop_signals[1], SIGTERM);
    assert_int_equal(config.stop_wait_ms, 1000);
    colony_session_config_clear(&config);
    space_clear(&space);
}

TEST(test_all_settings_are_read)
{
    struct colony_session_config config;
    struct space space;

    space_init(&space);
    assert_int_equal(read_text(&space, &config,
                               "period: 500ms\n"
                               "stop: {signals: [INT, 15, SIGQUIT], wait: 2}\n"
                               "schemes:\n  ib: [/usr/bin/ib, '{path}', '--account={account}']\n"
                               "dependences:\n"
                               "  trader: ['tws:operative', {parent: db, on_loss: stop}]\n"
                               "  web: a.b:c\n"
                               "  none:\n"),
                     0);
    assert_int_equal(config.period_ms, 500);
    assert_int_equal(config.stop_count, 3);
    assert_int_equal(config.stop_signals[0], SIGINT);
    assert_int_equal(config.stop_signals[1], SIGTERM);
    assert_int_equal(config.stop_wait_ms, 2000);
    assert_int_equal(config.scheme_count, 1);
    assert_string_equal(config.schemes[0].name, "ib");
    assert_string_equal(config.schemes[0].argv[2], "--account={account}");
    assert_int_equal(config.dependence_count, 3);
    assert_string_equal(config.dependences[0].child, "trader");
    assert_string_equal(config.dependences[0].parent, "tws");
    assert_string_equal(config.dependences[0].state, "operative");
    assert_int_equal(config.dependences[0].on_loss, ON_LOSS_KEEP);
    assert_null(config.dependences[1].state);
    assert_int_equal(config.dependences[1].on_loss, ON_LOSS_STOP);
    assert_string_equal(config.dependences[2].parent, "a.b");
    colony_session_config_clear(&config);
    space_clear(&space);
}

static const struct {
    const char *text;
    const char *why;
} mistakes[] = {
    {"period: 5s\nperoid: 5s\n", ":2:1: there is no setting peroid: did you mean period?"},
    {"period: soon\n", ":1:1: cannot use period: it must be a time"},
    {"period: 1ms\n", ":1:1: cannot use period: it must be 100ms at least"},
    {"period: [1\n", ":2:1: cannot read this YAML"},
    {"stop:\n  signals: [TERM, BOO]\n", ":2:19: cannot use this: it must be a signal"},
    {"stop:\n  signals: [1,1,1,1,1,1,1,1,1]\n", "eight signals are the most"},
    {"schemes: {Ib: [x]}\n", ":1:11: cannot use Ib: a scheme is small letters"},
    {"schemes: {exec: [x]}\n", "that scheme is the session's own"},
    {"schemes: {ib: []}\n", "it must be a list: a program and its arguments"},
    {"schemes: {ib: x}\n", "it must be a list: a program and its arguments"},
    {"dependences: [x]\n", "it must be a map"},
    {"dependences: {a: ['b:']}\n", "no state follows its `:`"},
    {"dependences: {a: ['../b']}\n", "it has a `/`"},
    {"dependences: {'a:b': [c]}\n", "it has a `:`"},
    {"dependences: {a: [{parent: b, on_loss: boo}]}\n", "it must be keep, stop or restart"},
    {"dependences: {a: [{on_loss: stop}]}\n", "it has no parent"},
    {"dependences: {a: [[b]]}\n", "it must be \"PARENT:STATE\""},
    {"- a\n", ":1:1: cannot use this: it must be a map"},
};

TEST(test_a_mistake_is_told_with_its_place)
{
    struct colony_session_config config;
    struct space space;

    space_init(&space);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        assert_int_equal(read_text(&space, &config, mistakes[i].text), -EILSEQ);
        if (!strstr(space.err.message, mistakes[i].why) ||
            !strstr(space.err.message, "/etc/session.yaml:"))
            fail_msg("%s: %s", mistakes[i].text, space.err.message);
    }
    space_clear(&space);
}

TEST(test_dependences_are_written_and_all_else_stays)
{
    struct colony_session_config config;
    struct space space;

    space_init(&space);
    assert_int_equal(read_text(&space, &config,
                               "# times\nperiod: 2s # short\n\ndependences:\n"
                               "  # traders\n  a: ['b:ready'] # why\n  c: [d]\n# the end\n"),
                     0);
    assert_int_equal(colony_session_config_add(&config, "c", "e:up", ON_LOSS_STOP, &space.err), 1);
    assert_int_equal(colony_session_config_add(&config, "c", "e:up", ON_LOSS_STOP, &space.err), 0);
    assert_int_equal(colony_session_config_add(&config, "f", "a", ON_LOSS_KEEP, &space.err), 1);
    assert_int_equal(colony_session_config_write_dependences(space.workspace, &config, &space.err),
                     0);
    assert_string_equal(space_read(&space, "etc/session.yaml"),
                        "# times\nperiod: 2s # short\n\ndependences:\n"
                        "  # traders\n  a: ['b:ready'] # why\n"
                        "  c: [\"d\", {parent: \"e:up\", on_loss: stop}]\n  f: [\"a\"]\n"
                        "# the end\n");
    colony_session_config_drop(&config, 0);
    assert_int_equal(colony_session_config_write_dependences(space.workspace, &config, &space.err),
                     0);
    assert_non_null(
        strstr(space_read(&space, "etc/session.yaml"), "dependences:\n  # traders\n  c:"));
    colony_session_config_clear(&config);
    space_clear(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_the_file_there_are_defaults),
        cmocka_unit_test(test_all_settings_are_read),
        cmocka_unit_test(test_a_mistake_is_told_with_its_place),
        cmocka_unit_test(test_dependences_are_written_and_all_else_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
