/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_strangers.c - what is refused before the keeper is asked, and states of templates. */
#include "turned.h"

#include <errno.h>

#include "core/engine_internal.h"
#include "core/value.h"

enum {
    OLD_KEEPER = 1,
};

struct fixture {
    uv_loop_t loop;
    struct colony_settings settings;
    struct colony_engine engine;
    struct slot *slot;
};

static void fixture_init(struct fixture *f, const char *settings)
{
    struct colony_template *template = NULL;
    struct colony_value *source = NULL;
    struct template_entry *entry = NULL;
    struct colony_error err;

    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->engine.loop = &f->loop;
    f->engine.settings = &f->settings;
    f->engine.keeper_version = COLONY_PROTOCOL_VERSION;
    assert_int_equal(colony_events_new(&f->engine.events), 0);
    assert_int_equal(colony_timers_new(&f->engine.timers, &f->loop), 0);
    assert_int_equal(colony_value_parse_json(&source, settings, strlen(settings), &err), 0);
    assert_int_equal(colony_template_new(&template, "web", source, NULL, false, &err), 0);
    colony_value_free(source);
    assert_int_equal(engine_add_entry(&f->engine, template, COLONY_ORIGIN_SESSION, &entry), 0);
    assert_int_equal(engine_slot_new(&f->slot, entry, 1), 0);
}

static void fixture_clear(struct fixture *f)
{
    engine_slot_retire(f->slot);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0); /* it is freed on its next turn */
    colony_timers_close(f->engine.timers, NULL, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    engine_free_entries(&f->engine);
    colony_events_free(f->engine.events);
}

static void assert_refused(struct fixture *f, int rc, const char *text)
{
    struct colony_error err = {0};

    assert_int_equal(colony_engine_adopt(&f->engine, "web", 1, 77, 1, "test", &err), rc);
    assert_non_null(strstr(err.message, text));
    assert_int_equal(f->slot->state, SLOT_STOPPED);
    assert_false(f->slot->is_spawning);
}

TEST(test_a_keeper_of_before_an_upgrade_is_not_asked)
{
    struct colony_error err = {0};
    struct fixture f;

    fixture_init(&f, "{\"cmd\": \"x\"}");
    f.engine.keeper_version = OLD_KEEPER;
    assert_refused(&f, -ENOTSUP, "`colony ctl upgrade`");
    assert_int_equal(colony_engine_let_go(&f.engine, "web", "test", &err), -ENOTSUP);
    assert_non_null(strstr(err.message, "`colony ctl upgrade`"));
    fixture_clear(&f);
}

TEST(test_settings_that_take_a_start_of_ours_are_told)
{
    struct fixture f;

    fixture_init(&f, "{\"cmd\": \"x\", \"detach\": true}");
    assert_refused(&f, -EINVAL, "`detach` takes a process that colony started itself");
    fixture_clear(&f);
    fixture_init(&f, "{\"cmd\": \"x\", \"ready\": {\"fd\": 3}}");
    assert_refused(&f, -EINVAL, "`ready`");
    fixture_clear(&f);
}

TEST(test_an_ending_colony_takes_nobody)
{
    struct fixture f;

    fixture_init(&f, "{\"cmd\": \"x\"}");
    f.engine.is_stopping = true;
    assert_refused(&f, -ESHUTDOWN, "colony is ending");
    fixture_clear(&f);
}

TEST(test_what_a_session_owns_is_not_for_others)
{
    struct colony_error err = {0};
    struct fixture f;

    fixture_init(&f, "{\"cmd\": \"x\"}");
    assert_int_equal(colony_engine_check_change(&f.engine, "web", &err), -EBUSY);
    assert_non_null(strstr(err.message, "`colony session`"));
    assert_int_equal(colony_engine_drop_owned(&f.engine, COLONY_ORIGIN_FILE, "web", "test", &err),
                     -EEXIST);
    fixture_clear(&f);
}

TEST(test_a_state_is_kept_until_it_is_taken_back)
{
    char text[] = "operative";
    struct fixture f;

    fixture_init(&f, "{\"cmd\": \"x\"}");
    assert_null(colony_engine_state(&f.engine, "web"));
    colony_engine_set_state(&f.engine, "web", text);
    text[0] = 'x';
    assert_string_equal(colony_engine_state(&f.engine, "web"), "operative");
    colony_engine_set_state(&f.engine, "web", "login");
    assert_string_equal(colony_engine_state(&f.engine, "web"), "login");
    colony_engine_set_state(&f.engine, "web", NULL);
    assert_null(colony_engine_state(&f.engine, "web"));
    colony_engine_set_state(&f.engine, "web", "left");
    colony_engine_set_state(&f.engine, "nobody", "operative");
    assert_null(colony_engine_state(&f.engine, "nobody"));
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_keeper_of_before_an_upgrade_is_not_asked),
        cmocka_unit_test(test_settings_that_take_a_start_of_ours_are_told),
        cmocka_unit_test(test_an_ending_colony_takes_nobody),
        cmocka_unit_test(test_what_a_session_owns_is_not_for_others),
        cmocka_unit_test(test_a_state_is_kept_until_it_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
