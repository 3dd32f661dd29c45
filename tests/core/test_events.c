/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <errno.h>
#include <string.h>

#include "core/events.h"

enum {
    PROBES_MAX = 4,
};

/* A subscriber that counts, and does one thing more the first time it is called. */
struct probe {
    struct colony_events *events;
    struct colony_subscription *subscription;
    struct colony_event last;
    int count;
    void (*act)(struct probe *probe);
    struct probe *other;
};

struct fixture {
    struct colony_events *events;
    struct probe probes[PROBES_MAX];
};

static void on_event(const struct colony_event *event, void *data)
{
    struct probe *probe = data;

    probe->last = *event;
    if (probe->count++ == 0 && probe->act)
        probe->act(probe);
}

static void subscribe(struct probe *probe, const char *pattern)
{
    assert_int_equal(
        colony_events_subscribe(probe->events, pattern, on_event, probe, &probe->subscription), 0);
}

static void unsubscribe(struct probe *probe)
{
    colony_events_unsubscribe(probe->events, probe->subscription);
    probe->subscription = NULL;
}

static void publish(struct colony_events *events, enum colony_event_type type, const char *name)
{
    struct colony_event event = {.type = type, .name = name, .text = ""};

    colony_events_publish(events, &event);
}

static void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    assert_int_equal(colony_events_new(&f->events), 0);
    for (size_t i = 0; i < PROBES_MAX; i++)
        f->probes[i].events = f->events;
}

static void fixture_clear(struct fixture *f)
{
    colony_events_free(f->events);
}

/* How often @pattern is told of that one event. */
static int count_matches(const char *pattern, enum colony_event_type type, const char *name)
{
    struct fixture f;
    int count;

    fixture_init(&f);
    subscribe(&f.probes[0], pattern);
    publish(f.events, type, name);
    count = f.probes[0].count;
    fixture_clear(&f);
    return count;
}

TEST(test_a_dot_matches_everything)
{
    assert_int_equal(count_matches(".", EVENT_EXIT, "web"), 1);
    assert_int_equal(count_matches(".", EVENT_STRAY, NULL), 1);
}

TEST(test_an_event_alone_matches_that_event_of_every_template)
{
    assert_int_equal(count_matches("exit", EVENT_EXIT, "web"), 1);
    assert_int_equal(count_matches("exit", EVENT_EXIT, "db"), 1);
    assert_int_equal(count_matches("exit", EVENT_SPAWN, "web"), 0);
    assert_int_equal(count_matches("stray", EVENT_STRAY, NULL), 1);
}

TEST(test_a_pattern_is_a_prefix_of_whole_parts)
{
    assert_int_equal(count_matches("proc", EVENT_EXIT, "web"), 1);
    assert_int_equal(count_matches("proc.web", EVENT_EXIT, "web"), 1);
    assert_int_equal(count_matches("proc.web.exit", EVENT_EXIT, "web"), 1);
    assert_int_equal(count_matches("pro", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("proc.we", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("proc.webs", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("proc.web.ex", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("proc.web.exits", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("proc.web.exit.more", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("proc.web.spawn", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("exits", EVENT_EXIT, "web"), 0);
    assert_int_equal(count_matches("stop", EVENT_STOP_PID, "web"), 0);
}

TEST(test_a_name_with_dots_is_one_part)
{
    assert_int_equal(count_matches("proc.master", EVENT_EXIT, "master.tws"), 0);
    assert_int_equal(count_matches("proc.master.tws", EVENT_EXIT, "master.tws"), 1);
    assert_int_equal(count_matches("proc.master.tws.exit", EVENT_EXIT, "master.tws"), 1);
    assert_int_equal(count_matches("proc.master.tws", EVENT_EXIT, "master"), 0);
    assert_int_equal(count_matches("proc.master.exit", EVENT_EXIT, "master.tws"), 0);
    assert_int_equal(count_matches("proc.a.b", EVENT_EXIT, "a.b.c"), 0);
}

TEST(test_an_event_of_no_template_has_no_second_topic)
{
    assert_int_equal(count_matches("proc", EVENT_STRAY, NULL), 0);
    assert_int_equal(count_matches("proc.web", EVENT_STRAY, NULL), 0);
}

TEST(test_a_subscriber_is_told_once_even_if_both_topics_match)
{
    assert_int_equal(count_matches(".", EVENT_SPAWN, "spawn"), 1);
    assert_int_equal(count_matches("proc.spawn", EVENT_SPAWN, "spawn"), 1);
}

TEST(test_an_empty_pattern_is_refused)
{
    struct colony_subscription *subscription = NULL;
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(colony_events_subscribe(f.events, "", on_event, NULL, &subscription), -EINVAL);
    assert_null(subscription);
    fixture_clear(&f);
}

TEST(test_the_event_is_handed_over_as_it_was_published)
{
    struct colony_event event = {.type = EVENT_EXIT,
                                 .name = "web",
                                 .slot = 3,
                                 .id = 77,
                                 .os_pid = 42,
                                 .exit_known = true,
                                 .exit_status = 9,
                                 .text = "why"};
    struct fixture f;

    fixture_init(&f);
    subscribe(&f.probes[0], "proc.web.exit");
    colony_events_publish(f.events, &event);
    assert_int_equal(f.probes[0].last.slot, 3);
    assert_int_equal(f.probes[0].last.id, 77);
    assert_int_equal(f.probes[0].last.os_pid, 42);
    assert_int_equal(f.probes[0].last.exit_status, 9);
    assert_ptr_equal(f.probes[0].last.text, event.text);
    fixture_clear(&f);
}

TEST(test_after_unsubscribing_nothing_comes)
{
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < 3; i++)
        subscribe(&f.probes[i], ".");
    unsubscribe(&f.probes[1]); /* from the middle, the front and the end */
    publish(f.events, EVENT_EXIT, "web");
    unsubscribe(&f.probes[0]);
    publish(f.events, EVENT_EXIT, "web");
    unsubscribe(&f.probes[2]);
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 1);
    assert_int_equal(f.probes[1].count, 0);
    assert_int_equal(f.probes[2].count, 2);
    colony_events_unsubscribe(f.events, NULL);
    fixture_clear(&f);
}

static void leave(struct probe *probe)
{
    unsubscribe(probe);
}

TEST(test_one_may_unsubscribe_oneself_in_its_callback)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[1].act = leave;
    for (size_t i = 0; i < 3; i++)
        subscribe(&f.probes[i], ".");
    publish(f.events, EVENT_EXIT, "web");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 2);
    assert_int_equal(f.probes[1].count, 1);
    assert_int_equal(f.probes[2].count, 2);
    fixture_clear(&f);
}

static void remove_other(struct probe *probe)
{
    unsubscribe(probe->other);
}

TEST(test_one_who_is_unsubscribed_by_an_earlier_callback_is_not_told)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[0].act = remove_other;
    f.probes[0].other = &f.probes[2]; /* the last, at which publishing ends */
    for (size_t i = 0; i < 3; i++)
        subscribe(&f.probes[i], ".");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 1);
    assert_int_equal(f.probes[1].count, 1);
    assert_int_equal(f.probes[2].count, 0);
    fixture_clear(&f);
}

TEST(test_one_may_unsubscribe_an_earlier_one)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[2].act = remove_other;
    f.probes[2].other = &f.probes[0];
    for (size_t i = 0; i < 3; i++)
        subscribe(&f.probes[i], ".");
    publish(f.events, EVENT_EXIT, "web");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 1);
    assert_int_equal(f.probes[1].count, 2);
    fixture_clear(&f);
}

static void add_other(struct probe *probe)
{
    subscribe(probe->other, ".");
}

TEST(test_one_subscribed_in_a_callback_is_told_of_the_next_event)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[0].act = add_other;
    f.probes[0].other = &f.probes[1];
    subscribe(&f.probes[0], ".");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[1].count, 0);
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[1].count, 1);
    fixture_clear(&f);
}

static void replace_self(struct probe *probe)
{
    unsubscribe(probe);
    subscribe(probe, ".");
}

TEST(test_one_may_subscribe_anew_in_its_callback)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[0].act = replace_self;
    subscribe(&f.probes[0], ".");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 1); /* the new subscription was not there yet */
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 2);
    fixture_clear(&f);
}

static void publish_spawn(struct probe *probe)
{
    publish(probe->events, EVENT_SPAWN, "web");
}

TEST(test_an_event_published_in_a_callback_reaches_everybody_once)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[0].act = publish_spawn;
    subscribe(&f.probes[0], "exit");
    subscribe(&f.probes[1], ".");
    subscribe(&f.probes[2], "spawn");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 1);
    assert_int_equal(f.probes[1].count, 2);
    assert_int_equal(f.probes[1].last.type, EVENT_EXIT); /* the inner one came before */
    assert_int_equal(f.probes[2].count, 1);
    fixture_clear(&f);
}

static void leave_in_an_inner_event(struct probe *probe)
{
    unsubscribe(probe->other);
    publish(probe->events, EVENT_SPAWN, "web");
    unsubscribe(probe);
    subscribe(probe, "spawn");
}

TEST(test_unsubscribing_around_an_inner_event_is_safe)
{
    struct fixture f;

    fixture_init(&f);
    f.probes[0].act = leave_in_an_inner_event;
    f.probes[0].other = &f.probes[1];
    for (size_t i = 0; i < 3; i++)
        subscribe(&f.probes[i], ".");
    publish(f.events, EVENT_EXIT, "web");
    assert_int_equal(f.probes[0].count, 2);
    assert_int_equal(f.probes[1].count, 0);
    assert_int_equal(f.probes[2].count, 2);
    publish(f.events, EVENT_SPAWN, "web");
    assert_int_equal(f.probes[0].count, 3);
    fixture_clear(&f);
}

TEST(test_every_type_has_a_name_of_its_own)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        assert_non_null(colony_event_name((enum colony_event_type)type));
        for (int other = 0; other < type; other++)
            assert_string_not_equal(colony_event_name((enum colony_event_type)type),
                                    colony_event_name((enum colony_event_type)other));
    }
}

static uint64_t record_it(const struct colony_event *event, void *data)
{
    struct probe *probe = data;

    probe->last = *event;
    return event->type == EVENT_SPAWN ? (uint64_t)++probe->count : 0;
}

TEST(test_an_event_is_recorded_before_it_is_told_and_told_with_its_seq)
{
    struct fixture f;

    fixture_init(&f);
    colony_events_set_recorder(f.events, record_it, &f.probes[0]);
    publish(f.events, EVENT_SPAWN, "web"); /* also while nobody listens */
    assert_int_equal(f.probes[0].count, 1);
    subscribe(&f.probes[1], ".");
    publish(f.events, EVENT_SPAWN, "web");
    assert_true(f.probes[1].last.seq == 2);
    assert_true(f.probes[1].last.at_ms > 0 && f.probes[1].last.at_ms == f.probes[0].last.at_ms);
    publish(f.events, EVENT_STRAY, NULL);
    assert_true(f.probes[1].last.seq == 0);
    colony_events_set_recorder(f.events, NULL, NULL);
    publish(f.events, EVENT_SPAWN, "web");
    assert_true(f.probes[1].last.seq == 0);
    assert_int_equal(f.probes[0].count, 2);
    fixture_clear(&f);
}

TEST(test_a_word_is_parsed_to_its_type_and_nothing_else_is)
{
    assert_int_equal(colony_event_parse("stop_pid"), EVENT_STOP_PID);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        assert_int_equal(colony_event_parse(colony_event_name((enum colony_event_type)type)), type);
    assert_int_equal(colony_event_parse(""), -EINVAL);
    assert_int_equal(colony_event_parse("spawned"), -EINVAL);
}

TEST(test_freeing_ends_what_is_still_subscribed)
{
    struct fixture f;

    fixture_init(&f);
    subscribe(&f.probes[0], ".");
    subscribe(&f.probes[1], ".");
    fixture_clear(&f); /* the sanitizers would tell of a leak */
    colony_events_free(NULL);
}

TEST(test_a_state_of_a_session_has_a_topic_of_its_own)
{
    const struct colony_event event = {
        .type = EVENT_SESSION, .topic = "session.yellow-panda.state", .name = "yellow-panda"};

    assert_int_equal(colony_event_parse("session.yellow-panda.state"), EVENT_SESSION);
    assert_true(colony_event_is_pattern("session.yellow-panda.state"));
    assert_true(colony_event_matches("session", &event));
    assert_true(colony_event_matches("session.yellow-panda", &event));
    assert_true(colony_event_matches("session.yellow-panda.state", &event));
    assert_true(colony_event_matches("proc.yellow-panda", &event));
    assert_false(colony_event_matches("session.yellow", &event));
    assert_false(colony_event_matches("state", &event));
    assert_string_equal(colony_event_word(&event), "session.yellow-panda.state");
    assert_true(colony_event_has_data(event.type));
}

TEST(test_a_topic_of_a_program_is_one_below_topic)
{
    const struct colony_event event = {.type = EVENT_TOPIC, .topic = "topic.orders.paid"};

    assert_int_equal(colony_event_parse("topic.orders.paid"), EVENT_TOPIC);
    assert_true(colony_event_is_pattern("topic.orders"));
    assert_true(colony_event_matches("topic", &event));
    assert_true(colony_event_matches("topic.orders", &event));
    assert_false(colony_event_matches("topic.order", &event));
    assert_false(colony_event_matches("orders", &event));
    assert_true(colony_event_has_data(event.type));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dot_matches_everything),
        cmocka_unit_test(test_an_event_alone_matches_that_event_of_every_template),
        cmocka_unit_test(test_a_pattern_is_a_prefix_of_whole_parts),
        cmocka_unit_test(test_a_name_with_dots_is_one_part),
        cmocka_unit_test(test_an_event_of_no_template_has_no_second_topic),
        cmocka_unit_test(test_a_subscriber_is_told_once_even_if_both_topics_match),
        cmocka_unit_test(test_an_empty_pattern_is_refused),
        cmocka_unit_test(test_the_event_is_handed_over_as_it_was_published),
        cmocka_unit_test(test_after_unsubscribing_nothing_comes),
        cmocka_unit_test(test_one_may_unsubscribe_oneself_in_its_callback),
        cmocka_unit_test(test_one_who_is_unsubscribed_by_an_earlier_callback_is_not_told),
        cmocka_unit_test(test_one_may_unsubscribe_an_earlier_one),
        cmocka_unit_test(test_one_subscribed_in_a_callback_is_told_of_the_next_event),
        cmocka_unit_test(test_one_may_subscribe_anew_in_its_callback),
        cmocka_unit_test(test_an_event_published_in_a_callback_reaches_everybody_once),
        cmocka_unit_test(test_unsubscribing_around_an_inner_event_is_safe),
        cmocka_unit_test(test_every_type_has_a_name_of_its_own),
        cmocka_unit_test(test_an_event_is_recorded_before_it_is_told_and_told_with_its_seq),
        cmocka_unit_test(test_a_word_is_parsed_to_its_type_and_nothing_else_is),
        cmocka_unit_test(test_freeing_ends_what_is_still_subscribed),
        cmocka_unit_test(test_a_state_of_a_session_has_a_topic_of_its_own),
        cmocka_unit_test(test_a_topic_of_a_program_is_one_below_topic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
