/* SPDX-License-Identifier: Apache-2.0 */
/* engine_policy.c - what comes after an end: again, later, or no more (restart.h). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "core/engine_internal.h"
#include "core/log.h"
#include "core/spawn.h"

enum {
    SLACK_DIVISOR = 32,
};

static uint32_t some_number(void)
{
    uint32_t number = 0;

    if (uv_random(NULL, NULL, &number, sizeof number, 0, NULL) < 0)
        return (uint32_t)uv_hrtime();
    return number;
}

static bool is_shared(const struct slot *slot)
{
    return slot->entry->template->restart->is_shared;
}

static struct colony_restart_state *state_of(struct slot *slot)
{
    return is_shared(slot) ? &slot->entry->restart : &slot->restart;
}

/* All slots of a template whose ends count together go down together. */
static void take_others_down(struct slot *slot)
{
    struct template_entry *entry = slot->entry;

    for (uint32_t i = 0; is_shared(slot) && i < entry->slot_count; i++)
        if (entry->slots[i] != slot && engine_state_is_up(entry->slots[i]->state)) {
            engine_slot_because(entry->slots[i], "%s dies too often", entry->template->name);
            engine_slot_handle(entry->slots[i], SLOT_EVENT_STOP);
        }
}

static void flap(struct slot *slot, uint64_t delay_ms)
{
    struct template_entry *entry = slot->entry;

    colony_log(SEVERITY_WARNING, "%s.%u dies too often: starts again in %.1f s",
               entry->template->name, slot->number, (double)delay_ms / 1000);
    engine_slot_because(slot, "dies too often: starts again in %.1f s", (double)delay_ms / 1000);
    engine_publish_process(slot, EVENT_FLAP, slot->cause);
    if (is_shared(slot))
        entry->flap_until_boot_ms = engine_boot_ms() + delay_ms;
    engine_slot_retry_later(slot, delay_ms);
    take_others_down(slot);
}

static void give_up(struct slot *slot)
{
    struct template_entry *entry = slot->entry;

    colony_log(SEVERITY_ERROR, "%s.%u dies too often: stays down until somebody starts it",
               entry->template->name, slot->number);
    engine_slot_because(slot, "died too often: stays down until somebody starts it");
    engine_publish_process(slot, EVENT_FLAP, slot->cause);
    entry->is_given_up = is_shared(slot);
    engine_slot_handle(slot, SLOT_EVENT_GIVE_UP);
    take_others_down(slot);
}

/*
 * A wait that may vary anyhow ends up to 3 % later: what waits about equally long is started in one
 * go. Powers of two, so that waits of different lengths meet too.
 */
static uint64_t with_slack(uint64_t delay_ms)
{
    uint64_t now = engine_boot_ms();
    uint64_t slack_ms = 1;

    while (slack_ms * 2 <= delay_ms / SLACK_DIVISOR)
        slack_ms *= 2;
    return (now + delay_ms + slack_ms - 1) / slack_ms * slack_ms - now;
}

static void start_again(struct slot *slot, uint64_t delay_ms)
{
    char ended[CAUSE_SIZE];

    slot->restarts++;
    (void)snprintf(ended, sizeof ended, "%.100s", slot->cause);
    if (delay_ms == 0) {
        engine_slot_because(slot, "%s: starts again at once", ended);
        engine_slot_begin(slot);
        return;
    }
    engine_slot_because(slot, "%s: starts again after %.1f s", ended, (double)delay_ms / 1000);
    if (slot->entry->template->restart->jitter_percent > 0)
        delay_ms = with_slack(delay_ms);
    engine_slot_retry_later(slot, delay_ms);
}

void engine_policy_follow(struct slot *slot, const struct colony_restart_end *end)
{
    const struct colony_restart_policy *policy = slot->entry->template->restart;
    struct colony_restart_policy once = *policy;
    struct colony_restart_decision decision;

    if (engine_schedule_has(slot)) {
        engine_schedule_follow(slot, colony_restart_is_expected(policy, end));
        return;
    }
    once.when = RESTART_NEVER;
    decision =
        colony_restart_decide(slot->is_once ? &once : policy, state_of(slot), end, some_number());

    switch (decision.verdict) {
    case RESTART_START:
        start_again(slot, decision.delay_ms);
        break;
    case RESTART_FLAPS:
        slot->restarts++;
        flap(slot, decision.delay_ms);
        break;
    case RESTART_GIVE_UP:
        give_up(slot);
        break;
    case RESTART_COMPLETE:
        engine_slot_handle(slot, SLOT_EVENT_COMPLETE);
        break;
    case RESTART_FAIL:
        engine_slot_handle(slot, SLOT_EVENT_GIVE_UP);
        break;
    }
}

/* A user starts it: what was before does not count any more. */
void engine_policy_forget(struct slot *slot)
{
    struct template_entry *entry = slot->entry;

    colony_restart_clear(&slot->restart);
    slot->restarts = 0;
    if (!is_shared(slot))
        return;
    colony_restart_clear(&entry->restart);
    entry->flap_until_boot_ms = 0;
    entry->is_given_up = false;
}

/* True when all slots of its template are down together, and so it stays for now. */
bool engine_policy_holds(struct slot *slot)
{
    struct template_entry *entry = slot->entry;
    uint64_t now = engine_boot_ms();

    if (entry->is_given_up)
        engine_slot_handle(slot, SLOT_EVENT_GIVE_UP);
    else if (entry->flap_until_boot_ms > now)
        engine_slot_retry_later(slot, entry->flap_until_boot_ms - now);
    else
        return false;
    return true;
}

static bool is_not_found(const struct slot *slot)
{
    const struct colony_record *record = engine_slot_record(slot);

    return record && colony_record_state(record) == RECORD_FAILED &&
           record->failed_step == STEP_EXEC && record->failed_errno == ENOENT;
}

/* As a shell tells it, and 1 for what nobody can tell. */
static int exit_code_of(const struct slot *slot)
{
    if (slot->failure)
        return is_not_found(slot) ? 127 : 126;
    if (!slot->has_exit || !slot->exit_known)
        return EXIT_FAILED;
    return WIFSIGNALED(slot->wait_status) ? 128 + WTERMSIG(slot->wait_status)
                                          : WEXITSTATUS(slot->wait_status);
}

static bool is_the_one(const struct slot *slot)
{
    const char *exit_with = slot->entry->engine->settings->exit_with;

    return exit_with && strcmp(exit_with, slot->entry->template->name) == 0;
}

/* It ended by itself, or could not be started: colony may have been there for its sake. */
void engine_policy_on_exit(struct slot *slot)
{
    if (is_the_one(slot))
        engine_end_with(slot->entry->engine, exit_code_of(slot), "the process it ends with");
}

/* It failed for good. */
void engine_policy_on_failed(struct slot *slot)
{
    if (slot->entry->template->essential)
        engine_end_with(slot->entry->engine, exit_code_of(slot) ? exit_code_of(slot) : EXIT_FAILED,
                        "an essential process that failed");
}
