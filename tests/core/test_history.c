/* SPDX-License-Identifier: Apache-2.0 */
#include "stored.h"

#include "core/events.h"
#include "core/history.h"

enum {
    ROWS_MAX = 16,
};

struct recorded {
    struct stored stored;
    struct colony_events *events;
    struct colony_history *history;
    char rows[ROWS_MAX][256]; /* newest first */
    size_t count;
    uint64_t at_ms;
};

static uint64_t wall_ms(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void recorded_open(struct recorded *recorded, const char *folder)
{
    *recorded = (struct recorded){0};
    stored_open(&recorded->stored, folder);
    CHECK(colony_events_new(&recorded->events) == 0);
    CHECK(colony_history_new(&recorded->history, recorded->events, recorded->stored.store) == 0);
}

static void recorded_close(struct recorded *recorded)
{
    colony_history_free(recorded->history);
    colony_events_free(recorded->events);
    stored_close(&recorded->stored);
}

static void on_rows(int rc, const struct colony_store_event *rows, size_t count, void *data)
{
    struct recorded *recorded = data;

    CHECK(rc == 0 && count <= ROWS_MAX);
    recorded->count = count;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(recorded->rows[i], sizeof recorded->rows[i],
                       "%s %s.%u #%llu %d [%s>%s] %d %d %d: %s", rows[i].event, rows[i].name,
                       rows[i].slot, (unsigned long long)rows[i].id, rows[i].os_pid, rows[i].from,
                       rows[i].to, rows[i].exit_known, rows[i].exit_status, rows[i].term_signal,
                       rows[i].cause);
    if (count > 0)
        recorded->at_ms = rows[0].at_ms;
    recorded->stored.answers++;
}

static void read_rows(struct recorded *recorded)
{
    const struct colony_store_query all = {.limit = ROWS_MAX};
    unsigned answers = recorded->stored.answers;

    CHECK(colony_store_history(recorded->stored.store, &all, on_rows, recorded) == 0);
    TURN_UNTIL(&recorded->stored, recorded->stored.answers == answers + 1);
}

FOLDER_TEST(test_each_kind_of_event_is_kept_with_its_cause)
{
    const struct colony_event create = {.type = EVENT_CREATE, .name = "web", .text = "http uid 0"};
    const struct colony_event spawn = {
        .type = EVENT_SPAWN, .name = "web", .slot = 2, .id = 7, .os_pid = 4711, .text = ""};
    const struct colony_event state = {.type = EVENT_STATE,
                                       .name = "web",
                                       .slot = 2,
                                       .from = SLOT_RUNNING,
                                       .to = SLOT_READY,
                                       .text = "file"};
    const struct colony_event killed = {.type = EVENT_EXIT,
                                        .name = "web",
                                        .slot = 2,
                                        .id = 7,
                                        .os_pid = 4711,
                                        .exit_known = true,
                                        .term_signal = SIGKILL,
                                        .text = "killed"};
    const struct colony_event ended = {
        .type = EVENT_EXIT, .name = "web", .slot = 2, .exit_known = true, .exit_status = 3};
    const struct colony_event unknown = {.type = EVENT_EXIT, .name = "web", .slot = 2};
    const struct colony_event log = {
        .type = EVENT_LOG, .name = "web", .slot = 2, .text = "is stalled"};
    const struct colony_event *const events[] = {&create, &spawn,   &state, &killed,
                                                 &ended,  &unknown, &log};
    struct recorded recorded;

    recorded_open(&recorded, data);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        colony_events_publish(recorded.events, events[i]);
    read_rows(&recorded);
    CHECK(recorded.count == 7);
    CHECK(strcmp(recorded.rows[6], "create web.0 #0 0 [>] 0 0 0: http uid 0") == 0);
    CHECK(strcmp(recorded.rows[5], "spawn web.2 #7 4711 [>] 0 0 0: ") == 0);
    CHECK(strcmp(recorded.rows[4], "state web.2 #0 0 [running>ready] 0 0 0: file") == 0);
    CHECK(strcmp(recorded.rows[3], "exit web.2 #7 4711 [>] 1 0 9: killed") == 0);
    CHECK(strcmp(recorded.rows[2], "exit web.2 #0 0 [>] 1 3 0: ") == 0);
    CHECK(strcmp(recorded.rows[1], "exit web.2 #0 0 [>] 0 0 0: ") == 0);
    CHECK(strcmp(recorded.rows[0], "log web.2 #0 0 [>] 0 0 0: is stalled") == 0);
    recorded_close(&recorded);
}

FOLDER_TEST(test_strays_and_what_starts_and_ends_tell_of_as_well_are_left_out)
{
    static const enum colony_slot_state told[] = {SLOT_STARTING, SLOT_RUNNING, SLOT_EXITED};
    const struct colony_event stray = {.type = EVENT_STRAY, .os_pid = 4711};
    struct recorded recorded;

    recorded_open(&recorded, data);
    colony_events_publish(recorded.events, &stray);
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        const struct colony_event state = {
            .type = EVENT_STATE, .name = "web", .slot = 1, .to = told[i]};

        colony_events_publish(recorded.events, &state);
    }
    read_rows(&recorded);
    CHECK(recorded.count == 0);
    recorded_close(&recorded);
}

FOLDER_TEST(test_rows_bear_the_time_of_day)
{
    const struct colony_event start = {.type = EVENT_START, .name = "web"};
    struct recorded recorded;
    uint64_t before_ms;

    recorded_open(&recorded, data);
    before_ms = wall_ms();
    colony_events_publish(recorded.events, &start);
    read_rows(&recorded);
    CHECK(recorded.at_ms >= before_ms && recorded.at_ms <= wall_ms());
    recorded_close(&recorded);
}

FOLDER_TEST(test_after_its_end_nothing_is_kept)
{
    const struct colony_event start = {.type = EVENT_START, .name = "web"};
    struct recorded recorded;

    recorded_open(&recorded, data);
    colony_history_free(recorded.history);
    recorded.history = NULL; /* which may be freed as well */
    colony_events_publish(recorded.events, &start);
    read_rows(&recorded);
    CHECK(recorded.count == 0);
    recorded_close(&recorded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_event_is_kept_with_its_cause),
        cmocka_unit_test(test_strays_and_what_starts_and_ends_tell_of_as_well_are_left_out),
        cmocka_unit_test(test_rows_bear_the_time_of_day),
        cmocka_unit_test(test_after_its_end_nothing_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
