/* SPDX-License-Identifier: Apache-2.0 */
/* Real processes in the slots of an engine that has no keeper: what the keeper would say, they do.
 */
#include "turned.h"

#include <errno.h>

#include "core/engine_internal.h"
#include "core/stats.h"
#include "core/value.h"

enum {
    SLOTS_MAX = 3,
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline; /* does not keep the loop alive */
    bool is_closed;
    struct colony_engine engine;
    struct slot *slots[SLOTS_MAX];
    struct slot *other; /* of the template web.exit */
    struct colony_monitor *monitor;
    unsigned counts[SLOTS_MAX + 2]; /* of samples, by number of the slot */
    unsigned ends[SLOTS_MAX + 2];
    uint64_t last_id;
    pid_t last_pid;
    bool ends_at_sample; /* unmonitors in the callback */
    bool ends_at_end;
};

static struct template_entry *add_template(struct fixture *f, const char *name)
{
    static const char settings[] = "{\"cmd\": \"sleep\"}";
    struct colony_template *template = NULL;
    struct colony_value *source = NULL;
    struct template_entry *entry = NULL;
    struct colony_error err;

    assert_int_equal(colony_value_parse_json(&source, settings, sizeof settings - 1, &err), 0);
    assert_int_equal(colony_template_new(&template, name, source, NULL, false, &err), 0);
    colony_value_free(source);
    assert_int_equal(engine_add_entry(&f->engine, template, "file", &entry), 0);
    return entry;
}

static void fixture_init(struct fixture *f)
{
    struct template_entry *entry;

    memset(f, 0, sizeof *f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    deadline_init(&f->loop, &f->deadline);
    f->engine.loop = &f->loop;
    assert_int_equal(colony_events_new(&f->engine.events), 0);
    assert_int_equal(colony_stats_new(&f->engine.stats, &f->loop), 0);
    assert_int_equal(colony_timers_new(&f->engine.timers, &f->loop), 0);
    entry = add_template(f, "web");
    for (uint32_t i = 0; i < SLOTS_MAX; i++)
        assert_int_equal(engine_slot_new(&f->slots[i], entry, i + 1), 0);
    assert_int_equal(engine_slot_new(&f->other, add_template(f, "web.exit"), SLOTS_MAX + 1), 0);
}

static void publish(struct slot *slot, enum colony_event_type type)
{
    struct colony_event event = {.type = type,
                                 .name = slot->entry->template->name,
                                 .slot = slot->number,
                                 .id = slot->id,
                                 .os_pid = slot->os_pid,
                                 .text = ""};

    colony_events_publish(slot->entry->engine->events, &event);
}

static void spawn(struct slot *slot)
{
    static uint64_t next_id = 1;

    slot->os_pid = fork();
    assert_true(slot->os_pid >= 0);
    if (slot->os_pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            (void)pause();
    }
    slot->id = next_id++;
    engine_add_living(slot);
    publish(slot, EVENT_SPAWN);
}

static void kill_process(struct slot *slot)
{
    assert_int_equal(kill(slot->os_pid, SIGKILL), 0);
    (void)wait_for_child(slot->os_pid);
}

static void tell_exit(struct slot *slot)
{
    publish(slot, EVENT_EXIT);
    engine_remove_living(slot);
    slot->os_pid = 0;
}

static void stop(struct slot *slot)
{
    if (!slot->os_pid)
        return;
    kill_process(slot);
    tell_exit(slot);
}

static void on_closed(void *data)
{
    struct fixture *f = data;

    f->is_closed = true;
}

static void fixture_clear(struct fixture *f)
{
    colony_engine_unmonitor(&f->engine, f->monitor);
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        stop(f->slots[i]);
        engine_slot_retire(f->slots[i]);
    }
    stop(f->other);
    engine_slot_retire(f->other);
    while (f->engine.open_handles > 0) /* they are freed on a turn of the loop */
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    colony_stats_close(f->engine.stats, on_closed, f);
    colony_timers_close(f->engine.timers, NULL, NULL);
    uv_close((uv_handle_t *)&f->deadline, NULL);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_true(f->is_closed);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    engine_free_entries(&f->engine);
    colony_events_free(f->engine.events);
}

static void on_sample(const struct colony_slot_info *slot, const struct colony_process_stats *stats,
                      void *data)
{
    struct fixture *f = data;

    assert_in_range(slot->slot, 1, SLOTS_MAX + 1);
    f->last_id = slot->id;
    f->last_pid = slot->os_pid;
    if (stats) {
        assert_int_equal(stats->pid, slot->os_pid);
        f->counts[slot->slot]++;
    } else {
        f->ends[slot->slot]++;
    }
    if (stats ? f->ends_at_sample : f->ends_at_end) {
        colony_engine_unmonitor(&f->engine, f->monitor);
        f->monitor = NULL;
    }
}

static int monitor(struct fixture *f, const char *name, uint64_t id)
{
    const struct colony_monitor_wish wish = {
        .name = name, .id = id, .every = 1, .cb = on_sample, .data = f};

    return colony_engine_monitor(&f->engine, &wish, &f->monitor);
}

TEST(test_all_processes_of_a_template_are_sampled)
{
    struct fixture f;

    fixture_init(&f);
    spawn(f.slots[0]);
    spawn(f.slots[1]);
    spawn(f.other);
    assert_int_equal(monitor(&f, "web", 0), 0);
    TURN_UNTIL(&f, f.counts[1] >= 2 && f.counts[2] >= 2);
    assert_int_equal(f.counts[3] + f.counts[4], 0);
    fixture_clear(&f);
}

TEST(test_those_that_come_later_are_sampled_too)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(monitor(&f, "web", 0), 0);
    assert_false(uv_loop_alive(&f.loop));
    spawn(f.other); /* its topic looks like an event of web */
    assert_false(uv_loop_alive(&f.loop));
    spawn(f.slots[2]);
    TURN_UNTIL(&f, f.counts[3] > 0);
    assert_int_equal(f.last_id, f.slots[2]->id);
    assert_int_equal(f.counts[4], 0);
    fixture_clear(&f);
}

TEST(test_an_end_that_the_keeper_tells_first_is_told_once)
{
    struct fixture f;

    fixture_init(&f);
    spawn(f.slots[0]);
    spawn(f.slots[1]);
    assert_int_equal(monitor(&f, "web", 0), 0);
    stop(f.slots[0]);
    assert_int_equal(f.ends[1], 1);
    TURN_UNTIL(&f, f.counts[2] >= 2);
    assert_int_equal(f.ends[1], 1);
    assert_int_equal(f.counts[1], 0);
    fixture_clear(&f);
}

TEST(test_an_end_that_is_seen_first_is_told_once)
{
    struct fixture f;
    pid_t pid;

    fixture_init(&f);
    spawn(f.slots[0]);
    pid = f.slots[0]->os_pid;
    assert_int_equal(monitor(&f, "web", 0), 0);
    kill_process(f.slots[0]);
    TURN_UNTIL(&f, f.ends[1] > 0);
    assert_int_equal(f.last_pid, pid);
    tell_exit(f.slots[0]);
    assert_int_equal(f.ends[1], 1);
    assert_false(uv_loop_alive(&f.loop));
    fixture_clear(&f);
}

TEST(test_one_that_ended_before_it_was_told_of_is_left_out)
{
    struct fixture f;

    fixture_init(&f);
    spawn(f.slots[0]);
    kill_process(f.slots[0]);
    assert_int_equal(monitor(&f, "web", 0), 0);
    publish(f.slots[0], EVENT_SPAWN);
    tell_exit(f.slots[0]);
    assert_int_equal(f.counts[1] + f.ends[1], 0);
    fixture_clear(&f);
}

TEST(test_one_process_is_monitored_by_its_id)
{
    struct fixture f;

    fixture_init(&f);
    spawn(f.slots[0]);
    spawn(f.slots[1]);
    assert_int_equal(monitor(&f, NULL, f.slots[1]->id), 0);
    spawn(f.slots[2]);
    stop(f.slots[0]);
    TURN_UNTIL(&f, f.counts[2] >= 2);
    stop(f.slots[1]);
    assert_int_equal(f.ends[2], 1);
    spawn(f.slots[1]); /* another one */
    assert_false(uv_loop_alive(&f.loop));
    assert_int_equal(f.counts[1] + f.counts[3] + f.ends[1] + f.ends[3], 0);
    fixture_clear(&f);
}

TEST(test_what_is_not_there_cannot_be_monitored)
{
    struct fixture f;

    fixture_init(&f);
    assert_int_equal(monitor(&f, "nope", 0), -ENOENT);
    assert_int_equal(monitor(&f, NULL, 1000000), -ENOENT);
    colony_engine_unmonitor(&f.engine, NULL);
    fixture_clear(&f);
}

TEST(test_a_monitor_may_end_in_its_callback)
{
    struct fixture f;
    unsigned fds;

    fixture_init(&f);
    spawn(f.slots[0]);
    spawn(f.slots[1]);
    fds = count_fds();
    assert_int_equal(monitor(&f, "web", 0), 0);
    f.ends_at_sample = true;
    TURN_UNTIL(&f, !f.monitor);
    assert_int_equal(f.counts[1] + f.counts[2], 1);
    assert_int_equal(count_fds(), fds);
    fixture_clear(&f);
}

TEST(test_a_monitor_may_end_when_it_is_told_of_an_end)
{
    struct fixture f;

    fixture_init(&f);
    for (int is_seen = 0; is_seen < 2; is_seen++) {
        f.ends_at_end = true;
        spawn(f.slots[0]);
        spawn(f.slots[1]);
        assert_int_equal(monitor(&f, "web", 0), 0);
        kill_process(f.slots[0]);
        if (is_seen)
            TURN_UNTIL(&f, !f.monitor);
        tell_exit(f.slots[0]);
        assert_null(f.monitor);
        stop(f.slots[1]);
        assert_int_equal(f.ends[1], is_seen + 1);
        assert_int_equal(f.ends[2], 0);
        assert_false(uv_loop_alive(&f.loop));
    }
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_processes_of_a_template_are_sampled),
        cmocka_unit_test(test_those_that_come_later_are_sampled_too),
        cmocka_unit_test(test_an_end_that_the_keeper_tells_first_is_told_once),
        cmocka_unit_test(test_an_end_that_is_seen_first_is_told_once),
        cmocka_unit_test(test_one_that_ended_before_it_was_told_of_is_left_out),
        cmocka_unit_test(test_one_process_is_monitored_by_its_id),
        cmocka_unit_test(test_what_is_not_there_cannot_be_monitored),
        cmocka_unit_test(test_a_monitor_may_end_in_its_callback),
        cmocka_unit_test(test_a_monitor_may_end_when_it_is_told_of_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
