/* SPDX-License-Identifier: Apache-2.0 */
#include "../test.h"

#include <stdbool.h>

#include "core/slot.h"

struct move {
    enum colony_slot_state from;
    enum colony_slot_event event;
    enum colony_slot_state to;
};

static const struct move legal_moves[] = {
    {SLOT_STOPPED, SLOT_EVENT_START, SLOT_STARTING},
    {SLOT_STOPPED, SLOT_EVENT_WAIT, SLOT_WAITING},
    {SLOT_STOPPED, SLOT_EVENT_SPAWNED, SLOT_RUNNING},
    {SLOT_STOPPED, SLOT_EVENT_DELAY, SLOT_BACKOFF},
    {SLOT_STOPPED, SLOT_EVENT_COMPLETE, SLOT_COMPLETED},
    {SLOT_STOPPED, SLOT_EVENT_GIVE_UP, SLOT_FAILED},
    {SLOT_WAITING, SLOT_EVENT_START, SLOT_STARTING},
    {SLOT_WAITING, SLOT_EVENT_DELAY, SLOT_BACKOFF},
    {SLOT_WAITING, SLOT_EVENT_GIVE_UP, SLOT_FAILED},
    {SLOT_WAITING, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_STARTING, SLOT_EVENT_SPAWNED, SLOT_RUNNING},
    {SLOT_STARTING, SLOT_EVENT_FAIL, SLOT_EXITED},
    {SLOT_STARTING, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_STARTING, SLOT_EVENT_COMPLETE, SLOT_COMPLETED},
    {SLOT_RUNNING, SLOT_EVENT_READY, SLOT_READY},
    {SLOT_RUNNING, SLOT_EVENT_EXIT, SLOT_EXITED},
    {SLOT_RUNNING, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_READY, SLOT_EVENT_EXIT, SLOT_EXITED},
    {SLOT_READY, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_STOPPING, SLOT_EVENT_GONE, SLOT_STOPPED},
    {SLOT_EXITED, SLOT_EVENT_START, SLOT_STARTING},
    {SLOT_EXITED, SLOT_EVENT_WAIT, SLOT_WAITING},
    {SLOT_EXITED, SLOT_EVENT_DELAY, SLOT_BACKOFF},
    {SLOT_EXITED, SLOT_EVENT_COMPLETE, SLOT_COMPLETED},
    {SLOT_EXITED, SLOT_EVENT_GIVE_UP, SLOT_FAILED},
    {SLOT_EXITED, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_BACKOFF, SLOT_EVENT_START, SLOT_STARTING},
    {SLOT_BACKOFF, SLOT_EVENT_WAIT, SLOT_WAITING},
    {SLOT_BACKOFF, SLOT_EVENT_GIVE_UP, SLOT_FAILED},
    {SLOT_BACKOFF, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_FAILED, SLOT_EVENT_START, SLOT_STARTING},
    {SLOT_FAILED, SLOT_EVENT_WAIT, SLOT_WAITING},
    {SLOT_FAILED, SLOT_EVENT_STOP, SLOT_STOPPING},
    {SLOT_COMPLETED, SLOT_EVENT_START, SLOT_STARTING},
    {SLOT_COMPLETED, SLOT_EVENT_WAIT, SLOT_WAITING},
    {SLOT_COMPLETED, SLOT_EVENT_STOP, SLOT_STOPPING},
};

enum {
    LEGAL_MOVES = sizeof legal_moves / sizeof legal_moves[0],
};

static enum colony_slot_state expected(enum colony_slot_state from, enum colony_slot_event event)
{
    for (size_t i = 0; i < LEGAL_MOVES; i++)
        if (legal_moves[i].from == from && legal_moves[i].event == event)
            return legal_moves[i].to;
    return SLOT_NONE;
}

TEST(test_every_legal_move_is_made)
{
    for (size_t i = 0; i < LEGAL_MOVES; i++)
        assert_int_equal(colony_slot_next(legal_moves[i].from, legal_moves[i].event),
                         legal_moves[i].to);
}

TEST(test_every_other_event_is_ignored)
{
    size_t ignored = 0;

    for (int from = 0; from < SLOT_STATE_COUNT; from++)
        for (int event = 0; event < SLOT_EVENT_COUNT; event++) {
            if (expected((enum colony_slot_state)from, (enum colony_slot_event)event) != SLOT_NONE)
                continue;
            assert_int_equal(
                colony_slot_next((enum colony_slot_state)from, (enum colony_slot_event)event),
                SLOT_NONE);
            ignored++;
        }
    assert_int_equal(ignored, SLOT_STATE_COUNT * SLOT_EVENT_COUNT - LEGAL_MOVES);
}

TEST(test_a_stop_is_never_undone_by_anything_but_its_end)
{
    for (int event = 0; event < SLOT_EVENT_COUNT; event++)
        assert_int_equal(colony_slot_next(SLOT_STOPPING, (enum colony_slot_event)event),
                         event == SLOT_EVENT_GONE ? SLOT_STOPPED : SLOT_NONE);
}

TEST(test_every_state_can_be_reached_and_left)
{
    for (int from = SLOT_NONE + 1; from < SLOT_STATE_COUNT; from++) {
        bool is_reached = false;
        bool is_left = false;

        for (size_t i = 0; i < LEGAL_MOVES; i++) {
            is_reached |= (int)legal_moves[i].to == from;
            is_left |= (int)legal_moves[i].from == from;
        }
        assert_true(is_reached && is_left);
    }
}

TEST(test_every_state_has_a_name_of_its_own)
{
    for (int from = 0; from < SLOT_STATE_COUNT; from++) {
        assert_non_null(colony_slot_state_name((enum colony_slot_state)from));
        for (int other = 0; other < from; other++)
            assert_string_not_equal(colony_slot_state_name((enum colony_slot_state)from),
                                    colony_slot_state_name((enum colony_slot_state)other));
    }
    assert_string_equal(colony_slot_state_name(SLOT_RUNNING), "running");
    assert_string_equal(colony_slot_state_name(SLOT_STATE_COUNT), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_legal_move_is_made),
        cmocka_unit_test(test_every_other_event_is_ignored),
        cmocka_unit_test(test_a_stop_is_never_undone_by_anything_but_its_end),
        cmocka_unit_test(test_every_state_can_be_reached_and_left),
        cmocka_unit_test(test_every_state_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
